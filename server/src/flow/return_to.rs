//! Where a person goes after signing in. Owns the closed list of places; never a URL that came from outside.

use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use crate::flow::pending;

/// A place to go on to after signing in.
///
/// An outsider can name a waiting request at most, by an id that cannot be guessed; so no link to `/login` can lead
/// a person away from here (open redirect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "to")]
pub enum ReturnTo {
    /// "My account".
    #[default]
    Account,
    /// The app whose authorization request waits under this id.
    Authorize {
        /// Opaque id.
        request: String,
    },
    /// The console.
    Console,
    /// The set-up of a connection, after a test sign-in. Made by `flow/setup/testing.rs` alone.
    SetUp {
        /// A path of ours.
        path: String,
    },
    /// A page of ours that wants to know again that it is she (see `flow/step_up.rs`): a path with its query.
    Again {
        /// From `/console` or `/account` on; judged by `is_page`.
        path: String,
    },
    /// A registered app, after a sign-in that began at the identity provider. Made by `flow/landing.rs` alone.
    Landing {
        /// An address from the app's registration.
        url: String,
    },
}

/// What stands in addresses for the console.
const CONSOLE: &str = "console";

impl ReturnTo {
    /// Reads the parameter `return_to`: an opaque id, anything else means "my account".
    pub fn parse(parameter: &str) -> Self {
        let is_id = (8..=64).contains(&parameter.len())
            && parameter
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if parameter == CONSOLE {
            return Self::Console;
        }
        if is_page(parameter) {
            return Self::Again {
                path: parameter.to_owned(),
            };
        }
        if is_id {
            Self::Authorize {
                request: parameter.to_owned(),
            }
        } else {
            Self::Account
        }
    }

    /// Returns the parameter that [`Self::parse`] reads; empty for "my account".
    pub fn parameter(&self) -> &str {
        match self {
            Self::Account | Self::SetUp { .. } | Self::Landing { .. } => "",
            Self::Console => CONSOLE,
            Self::Authorize { request } => request,
            Self::Again { path } => path,
        }
    }

    /// Tells whether a page waits for a fresh proof.
    pub const fn is_again(&self) -> bool {
        matches!(self, Self::Again { .. })
    }

    /// Returns the id of the request that waits, if one does.
    pub fn request(&self) -> Option<&str> {
        match self {
            Self::Account
            | Self::Console
            | Self::SetUp { .. }
            | Self::Landing { .. }
            | Self::Again { .. } => None,
            Self::Authorize { request } => Some(request),
        }
    }

    /// Returns the address to go on to: a path of ours, or the registered address of an app.
    pub fn location(&self) -> String {
        match self {
            Self::Account => "/account".to_owned(),
            Self::Console => "/console".to_owned(),
            Self::Authorize { request } => pending::continue_path(request),
            Self::SetUp { path } | Self::Again { path } => path.clone(),
            Self::Landing { url } => url.clone(),
        }
    }

    /// Appends `return_to` to a path of ours, where something waits.
    pub fn carry(&self, path: &str) -> String {
        match self {
            Self::Account | Self::SetUp { .. } | Self::Landing { .. } => path.to_owned(),
            Self::Authorize { .. } | Self::Console | Self::Again { .. } => {
                let joiner = if path.contains('?') { '&' } else { '?' };
                let parameter: String =
                    form_urlencoded::byte_serialize(self.parameter().as_bytes()).collect();
                format!("{path}{joiner}return_to={parameter}")
            }
        }
    }
}

/// Longest path of a page.
const LONGEST_PATH: usize = 400;

/// Tells whether a text is a path of the console or of "my account", and can be nothing else to any browser: no host, no scheme,
/// no way upward, no backslash, nothing that a header would read otherwise.
fn is_page(text: &str) -> bool {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let is_ours = ["/console", "/account"].iter().any(|area| {
        path.strip_prefix(area)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    let is_plain = |text: &str, more: &[u8]| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.~%/".contains(&byte) || more.contains(&byte))
    };
    is_ours
        && text.len() <= LONGEST_PATH
        && !path.contains("//")
        && !path.split('/').any(|part| part == "." || part == "..")
        && is_plain(path, &[])
        && is_plain(query, b"=&+:@,")
}

#[cfg(test)]
mod tests {
    use super::ReturnTo;

    #[test]
    fn nothing_from_outside_becomes_a_place_to_go() {
        for hostile in [
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "javascript:alert(1)",
            "../../evil",
            "a%2f%2fevil",
            "short",
            "",
            "par_12345678?next=//evil",
            "/console.evil.example",
            "/console@evil.example/",
            "/console\\@evil.example",
            "/console//evil.example",
            "/console/../login",
            "/console/a?next=\r\nSet-Cookie: a=b",
            "/console/<script>",
            "/consoles",
            "/logout",
            "/sso/evil/login",
        ] {
            assert_eq!(ReturnTo::parse(hostile), ReturnTo::Account, "{hostile}");
            assert_eq!(ReturnTo::parse(hostile).location(), "/account");
        }
        assert!(ReturnTo::parse(&"x".repeat(65)).request().is_none());
    }

    #[test]
    fn a_waiting_request_is_carried_along() {
        let waiting = ReturnTo::parse("par_12345678");
        assert_eq!(waiting.carry("/login"), "/login?return_to=par_12345678");
        assert_eq!(waiting.carry("/login?a=b"), "/login?a=b&return_to=par_12345678");
        assert!(waiting.location().ends_with("/par_12345678"));
        assert_eq!(ReturnTo::Account.carry("/login"), "/login");
        let page = ReturnTo::parse("/console/acme/users?q=ann&kind=user");
        assert_eq!(page.location(), "/console/acme/users?q=ann&kind=user");
        assert_eq!(
            page.carry("/login/password?email=a"),
            "/login/password?email=a&return_to=%2Fconsole%2Facme%2Fusers%3Fq%3Dann%26kind%3Duser"
        );
        assert!(ReturnTo::parse(&format!("/console/{}", "x".repeat(400))) == ReturnTo::Account);
    }
}
