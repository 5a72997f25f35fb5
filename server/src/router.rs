//! Every URL in one file.
