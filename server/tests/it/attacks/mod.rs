//! Attacks on the whole product, each named after what the attacker wants. What a protocol crate refuses is tested there;
//! here is what only the pieces together can get wrong.

mod customers;
mod garbage;
mod growth;
mod network;
mod passwords;
