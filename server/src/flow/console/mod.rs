//! What the console's pages need: who may stand where, and what each page shows. What changes people goes through
//! `flow::acting`.

pub mod activity;
pub mod adding;
pub mod apps;
pub mod bulk;
pub mod groups;
pub mod health;
pub mod moving;
pub mod overview;
pub mod people;
pub mod security;
pub mod standing;
pub mod views;
pub mod waiting;
