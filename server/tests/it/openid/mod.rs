//! `/.well-known/openid-configuration` and `/oauth2/…`: apps against Provost as their OpenID provider.

mod authorize;
mod clients;
mod lab;
mod refresh;
mod tokens;
