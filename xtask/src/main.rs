//! Repository chores: layer check and generated docs.
fn main() {}
