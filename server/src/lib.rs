//! Provost server.
