//! Black-box tests over the router, named after URLs and behavior. One binary, so that linking is paid once.
//! The modules are marked as tests one by one, because the lints that spare tests look for that mark.

#![expect(unreachable_pub, reason = "the modules of a test binary have no outside")]

#[cfg(test)]
mod account_choice;
#[cfg(test)]
mod api;
#[cfg(test)]
mod app;
#[cfg(test)]
mod app_requests;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod cli_people;
#[cfg(test)]
mod cli_policy;
#[cfg(test)]
mod console;
#[cfg(test)]
mod console_people;
#[cfg(test)]
mod declarative;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod dns;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod domains;
#[cfg(test)]
mod enforcement;
#[cfg(test)]
mod entitlements;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod languages;
#[cfg(test)]
mod login;
#[cfg(test)]
mod login_and_security;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod managing;
#[cfg(test)]
mod metadata;
#[cfg(test)]
mod oidc;
#[cfg(test)]
mod oidc_idp;
#[cfg(test)]
mod openid;
#[cfg(test)]
mod ops;
#[cfg(test)]
mod passkeys;
#[cfg(test)]
mod policy_editor;
#[cfg(test)]
mod preset_walks;
#[cfg(test)]
mod presets;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod saml;
#[cfg(test)]
mod saml_idp;
#[cfg(test)]
mod scim;
#[cfg(test)]
mod seats;
#[cfg(test)]
mod second_factors;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod setup;
#[cfg(test)]
mod step_up;
#[cfg(test)]
mod sync;
#[cfg(test)]
mod way_in;
#[cfg(test)]
mod webhook_mail;
#[cfg(test)]
mod webhooks;
