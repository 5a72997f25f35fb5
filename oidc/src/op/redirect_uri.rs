//! Redirect URIs: what may be registered and what matches (RFC 9700 2.1, RFC 8252).
//!
//! Owns exact comparison and its one exception. Never: normalizes before comparing.

use url::{Host, Url};

use super::client::{ApplicationType, Client};

/// Whether `requested` is one of the client's redirect URIs: byte for byte, or for native apps the same
/// loopback URI with another port (RFC 8252 section 7.3).
pub fn is_registered(client: &Client, requested: &str) -> bool {
    client.redirect_uris.iter().any(|registered| {
        registered == requested
            || (client.application_type == ApplicationType::Native && same_but_port(registered, requested))
    })
}

/// Whether a URI may be registered: https, or http to loopback, or for native apps a private scheme with a
/// dot (reverse domain name); never with a fragment or user info.
pub fn check_registration(uri: &str, application_type: ApplicationType) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    if uri.contains('#') || !url.username().is_empty() || url.password().is_some() {
        return false;
    }
    // What the parser had to repair could compare differently in a browser.
    if uri.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\' || c == '*') {
        return false;
    }
    match url.scheme() {
        "https" => url.host().is_some(),
        "http" => crate::transport::is_loopback(&url),
        scheme => application_type == ApplicationType::Native && scheme.contains('.'),
    }
}

/// Compares two literal-address loopback URIs without their ports. The requested one must also be written the
/// way the parser writes it, so that nothing hides in a repaired spelling.
fn same_but_port(registered: &str, requested: &str) -> bool {
    let (Ok(mut left), Ok(mut right)) = (Url::parse(registered), Url::parse(requested)) else {
        return false;
    };
    if !is_literal_loopback_http(&left) || !is_literal_loopback_http(&right) || right.as_str() != requested {
        return false;
    }
    left.set_port(None).is_ok() && right.set_port(None).is_ok() && left == right
}

/// RFC 8252 section 8.3: the address, not the name `localhost`, which may resolve elsewhere.
fn is_literal_loopback_http(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(_)) | None => false,
        }
}

#[cfg(test)]
mod tests;
