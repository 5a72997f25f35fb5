//! Authorization requests of apps that wait for their person to sign in.
//!
//! Owns the shape kept in the store while the person is on `/login` or at the identity provider, and the two
//! URLs between which the browser goes. Never decides who the person is. The sign-in pages know a waiting
//! request only by its opaque id (`return_to`), so nothing that an outsider writes becomes a redirect.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What an app asked about the sign-in itself; the sign-in pages and the request to the identity provider honor it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignInHints {
    /// The app that asks.
    pub client_id: String,
    /// Its name, as shown to people.
    pub application: String,
    /// Who is expected (`login_hint`): an address to fill in and to choose the connection by.
    pub login_hint: Option<String>,
    /// Domain to choose the connection by (`domain_hint`).
    pub domain_hint: Option<String>,
    /// The connection to use (`connection`).
    pub connection: Option<String>,
    /// The organization to sign in to (`organization`).
    pub organization: Option<String>,
    /// Whether an existing session is not enough (`prompt=login`, or `max_age` passed): the person must prove
    /// herself again, and the identity provider is asked for that too (`prompt=login`, `ForceAuthn`).
    pub force: bool,
    /// Whether the person wants to choose who to be (`prompt=select_account`): no automatic forwarding.
    pub select_account: bool,
    /// Greatest age of the authentication in seconds (`max_age`).
    pub max_age: Option<i64>,
    /// Wanted authentication classes (`acr_values`), best first.
    pub acr_values: Vec<String>,
    /// When the app asked; a session begun later satisfies `force`.
    pub asked_at: Option<Timestamp>,
}

/// Returns the path to which the browser goes once the person has a session: there the app gets its answer.
pub fn continue_path(id: &str) -> String {
    format!("/oauth2/authorize/continue/{}", path_segment(id))
}

/// Returns the path of the sign-in page for a waiting request.
pub fn login_path(id: &str) -> String {
    format!("/login?return_to={}", path_segment(id))
}

/// Keeps the characters that our own ids are made of, so that no id can leave its path segment.
fn path_segment(id: &str) -> String {
    id.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{continue_path, login_path};

    #[test]
    fn ids_stay_inside_their_segment() {
        assert_eq!(continue_path("par_a-B9"), "/oauth2/authorize/continue/par_a-B9");
        assert_eq!(
            continue_path("../../evil?x=//y"),
            "/oauth2/authorize/continue/evilxy"
        );
        assert_eq!(login_path("a&b=c"), "/login?return_to=abc");
    }
}
