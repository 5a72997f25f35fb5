//! `/.well-known/openid-configuration` and `/oauth2/…`: apps against Provost as their OpenID provider.

mod authorize;
mod clients;
mod keys;
pub(crate) mod lab;
pub(crate) mod logout;
mod refresh;
mod rounds;
mod tokens;
