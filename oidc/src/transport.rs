//! Which URLs may be talked to: https always, plain http to loopback only where an operator allowed it.
//!
//! Owns the scheme rule. Never: address resolution; the egress guard of the caller does that.

use url::{Host, Url};

use crate::error::OidcError;

/// The transport rule for a connection's URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// Only `https` URLs (the default).
    #[default]
    HttpsOnly,
    /// Also `http` to a loopback host (`localhost`, 127.0.0.0/8, `::1`): demos and tests.
    HttpLoopbackToo,
}

impl Transport {
    /// Parses `text` as an absolute URL that this rule allows.
    ///
    /// Errors: `EndpointInvalid` (no URL, user info or a fragment in it), `EndpointInsecure`.
    pub fn check(self, text: &str) -> Result<Url, OidcError> {
        if text.len() > 2048 {
            return Err(OidcError::EndpointInvalid);
        }
        let url = Url::parse(text).map_err(|_| OidcError::EndpointInvalid)?;
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(OidcError::EndpointInvalid);
        }
        match url.scheme() {
            "https" if url.host().is_some() => Ok(url),
            "http" if self == Self::HttpLoopbackToo && is_loopback(&url) => Ok(url),
            "http" => Err(OidcError::EndpointInsecure),
            _ => Err(OidcError::EndpointInvalid),
        }
    }
}

/// Whether the URL's host names this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::Transport;
    use crate::OidcError;

    #[test]
    fn plain_http_needs_loopback_and_permission() {
        assert_eq!(
            Transport::HttpsOnly.check("http://127.0.0.1:9/x"),
            Err(OidcError::EndpointInsecure)
        );
        assert!(Transport::HttpLoopbackToo.check("http://127.0.0.1:9/x").is_ok());
        assert!(Transport::HttpLoopbackToo.check("http://localhost/x").is_ok());
        assert!(Transport::HttpLoopbackToo.check("http://[::1]/x").is_ok());
        assert_eq!(
            Transport::HttpLoopbackToo.check("http://idp.example/x"),
            Err(OidcError::EndpointInsecure)
        );
        assert_eq!(
            Transport::HttpLoopbackToo.check("http://localhost.evil.example/x"),
            Err(OidcError::EndpointInsecure)
        );
    }

    #[test]
    fn odd_urls_are_refused() {
        for text in [
            "",
            "idp",
            "file:///etc/passwd",
            "https://a:b@idp.example/",
            "https://idp.example/#x",
        ] {
            assert_eq!(
                Transport::HttpLoopbackToo.check(text),
                Err(OidcError::EndpointInvalid),
                "{text}"
            );
        }
    }
}
