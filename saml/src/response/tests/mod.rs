//! The attack corpus of the Response verifier: accepted forms, and refusals that depart from them in one place.

mod accepted;
mod encryption;
mod mutation;
mod naive;
mod parser;
mod protocol;
mod signature;
mod wrapping;
