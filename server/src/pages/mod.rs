//! View models of the pages; the templates lie in `server/templates`. Holds no logic and reads nothing.

pub mod error;
