//! Black-box tests over the router, named after URLs and behavior. One binary, so that linking is paid once.

mod app;
mod app_requests;
mod cli;
mod declarative;
mod directory;
mod documents;
mod jobs;
mod login;
mod metadata;
mod oidc;
mod oidc_idp;
mod openid;
mod ops;
mod saml;
mod saml_idp;
mod sessions;
