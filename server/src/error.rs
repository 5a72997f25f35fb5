//! Errors of the request path.
