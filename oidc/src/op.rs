//! The OpenID provider: an app sends a person to us and receives tokens.
//!
//! Owns the checks of an app's requests and the making of answers. Never: stores codes or tokens, hashes
//! secrets, or decides who may sign in.
