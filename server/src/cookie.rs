//! The cookies of the browser: names, attributes, reading. Never decides who the holder is.
//!
//! Behind https every cookie is `__Host-`, `Secure` and `HttpOnly`: no subdomain can plant one and no script can
//! read one. On plain-http loopback the prefix and `Secure` are impossible, so they are left out there.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::config::Config;

/// One of our cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// The signed-in session. `SameSite=Lax`, ends with the browser; the server ends it earlier.
    Session,
    /// Binds pending sign-ins and anonymous forms to this browser. Identity providers post answers across sites,
    /// so it must be `SameSite=None`; it is worth nothing without the single-use request that it is bound to.
    Browser,
    /// How the console looks: language and appearance. Not a secret.
    Look,
    /// A sign-in that waits for its second factor. Ten minutes, `SameSite=Lax`.
    Half,
    /// The token of a set-up link, after the link was opened. Apart from the session: whoever has it has no account here.
    SetUp,
    /// A browser that accounts have signed in from with a password: limits are kinder to it. Opens nothing by itself.
    Device,
}

impl Cookie {
    const fn base(self) -> &'static str {
        match self {
            Self::Session => "provost_session",
            Self::Browser => "provost_browser",
            Self::Look => "provost_look",
            Self::Half => "provost_half",
            Self::SetUp => "provost_setup",
            Self::Device => "provost_device",
        }
    }

    /// Returns the name as the browser sees it.
    pub fn name(self, config: &Config) -> String {
        if config.is_https() {
            format!("__Host-{}", self.base())
        } else {
            self.base().to_owned()
        }
    }

    /// Reads the cookie. Two of the same name are nobody's: one of them may have been planted.
    pub fn read(self, config: &Config, headers: &HeaderMap) -> Option<String> {
        let wanted = self.name(config);
        let mut found = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == wanted)
            .map(|(_, value)| value);
        let value = found.next()?;
        (found.next().is_none() && is_plain(value)).then(|| value.to_owned())
    }

    /// Writes a `Set-Cookie` value. Tokens of ours need no quoting; anything else yields none.
    pub fn set(self, config: &Config, value: &str) -> Option<HeaderValue> {
        if !is_plain(value) {
            return None;
        }
        HeaderValue::from_str(&format!(
            "{}={value}{}{}",
            self.name(config),
            self.attributes(config),
            self.age()
        ))
        .ok()
    }

    /// Writes a `Set-Cookie` value that makes the browser forget the cookie.
    pub fn clear(self, config: &Config) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!(
            "{}={}; Max-Age=0",
            self.name(config),
            self.attributes(config)
        ))
        .ok()
    }

    const fn age(self) -> &'static str {
        match self {
            // Ends with the browser; its server side ends by idle and absolute limits.
            Self::Session | Self::SetUp => "",
            // A day: longer than any pending sign-in, so several tabs share one.
            Self::Browser => "; Max-Age=86400",
            Self::Look => "; Max-Age=31536000",
            Self::Half => "; Max-Age=600",
            // Half a year.
            Self::Device => "; Max-Age=15552000",
        }
    }

    fn attributes(self, config: &Config) -> &'static str {
        match (self, config.is_https()) {
            (Self::Session | Self::Look | Self::Half | Self::SetUp | Self::Device, true) => {
                "; Path=/; HttpOnly; Secure; SameSite=Lax"
            }
            (Self::Session | Self::Look | Self::Half | Self::SetUp | Self::Device, false) => {
                "; Path=/; HttpOnly; SameSite=Lax"
            }
            (Self::Browser, true) => "; Path=/; HttpOnly; Secure; SameSite=None",
            // Without Secure, None is refused by browsers. Ports of one host are one site, so this still works there.
            (Self::Browser, false) => "; Path=/; HttpOnly",
        }
    }
}

/// Tells whether a value consists of characters that our tokens are made of.
fn is_plain(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= 128
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}
