//! Where a person goes after signing in. Owns the closed list of places; never a URL that came from outside.

use serde::{Deserialize, Serialize};

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
        }
    }

    /// Returns the id of the request that waits, if one does.
    pub fn request(&self) -> Option<&str> {
        match self {
            Self::Account | Self::Console | Self::SetUp { .. } | Self::Landing { .. } => None,
            Self::Authorize { request } => Some(request),
        }
    }

    /// Returns the address to go on to: a path of ours, or the registered address of an app.
    pub fn location(&self) -> String {
        match self {
            Self::Account => "/account".to_owned(),
            Self::Console => "/console".to_owned(),
            Self::Authorize { request } => pending::continue_path(request),
            Self::SetUp { path } => path.clone(),
            Self::Landing { url } => url.clone(),
        }
    }

    /// Appends `return_to` to a path of ours, where something waits.
    pub fn carry(&self, path: &str) -> String {
        match self {
            Self::Account | Self::SetUp { .. } | Self::Landing { .. } => path.to_owned(),
            Self::Authorize { .. } | Self::Console => {
                let joiner = if path.contains('?') { '&' } else { '?' };
                format!("{path}{joiner}return_to={}", self.parameter())
            }
        }
    }
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
    }
}
