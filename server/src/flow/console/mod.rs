//! What the console's pages need: who may stand where, and what each page shows. Reads only; what changes people goes
//! through `flow::acting`.

pub mod activity;
pub mod overview;
pub mod people;
pub mod standing;
