//! The authorization request we send a person away with (OpenID Connect Core 3.1.2.1, RFC 7636).
//!
//! Owns the URL. Never: chooses state, nonce or verifier; they are random values handed in.

use jiff::SignedDuration;
use url::Url;

use crate::pkce;
use crate::secret::Secret;

/// How the answer comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ResponseMode {
    /// In the query of a redirect (the default of the code flow).
    #[default]
    Query,
    /// As a form posted by the browser.
    FormPost,
}

impl ResponseMode {
    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::FormPost => "form_post",
        }
    }
}

/// An authorization request: `response_type=code` with PKCE S256, always.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest<'a> {
    /// Our client id at the provider.
    pub client_id: &'a str,
    /// Our callback: one per connection, against mix-up.
    pub redirect_uri: &'a str,
    /// Scopes; `openid` is added when missing.
    pub scopes: &'a [String],
    /// Unguessable, bound to the browser.
    pub state: &'a str,
    /// Unguessable, comes back in the ID token.
    pub nonce: &'a str,
    /// The PKCE verifier; only its challenge leaves.
    pub code_verifier: &'a Secret,
    /// The person's name at the provider, if known.
    pub login_hint: Option<&'a str>,
    /// The person's domain (Entra, Google `hd`-like hints).
    pub domain_hint: Option<&'a str>,
    /// `login`, `select_account`, … as configured.
    pub prompt: Option<&'a str>,
    /// The oldest authentication that is acceptable.
    pub max_age: Option<SignedDuration>,
    /// Requested authentication context classes, space separated.
    pub acr_values: Option<&'a str>,
    /// How the answer comes back.
    pub response_mode: ResponseMode,
}

impl AuthorizationRequest<'_> {
    /// The URL at the provider's authorization endpoint; a query of the endpoint itself is kept.
    pub fn url(&self, authorization_endpoint: &Url) -> Url {
        let mut url = authorization_endpoint.clone();
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", self.client_id)
                .append_pair("redirect_uri", self.redirect_uri)
                .append_pair("scope", &self.scope())
                .append_pair("state", self.state)
                .append_pair("nonce", self.nonce)
                .append_pair("code_challenge", &pkce::challenge(self.code_verifier.expose()))
                .append_pair("code_challenge_method", "S256");
            if self.response_mode != ResponseMode::Query {
                query.append_pair("response_mode", self.response_mode.name());
            }
            if let Some(age) = self.max_age {
                query.append_pair("max_age", &age.as_secs().max(0).to_string());
            }
            let hints = [
                ("login_hint", self.login_hint),
                ("domain_hint", self.domain_hint),
                ("prompt", self.prompt),
                ("acr_values", self.acr_values),
            ];
            for (name, value) in hints {
                if let Some(value) = value {
                    query.append_pair(name, value);
                }
            }
        }
        url
    }

    fn scope(&self) -> String {
        let mut scopes = vec!["openid"];
        for scope in self.scopes {
            if !scopes.contains(&scope.as_str()) {
                scopes.push(scope);
            }
        }
        scopes.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::{AuthorizationRequest, ResponseMode};
    use crate::Secret;
    use jiff::SignedDuration;
    use url::Url;

    #[test]
    fn the_url_carries_everything_but_the_verifier() {
        let scopes = ["email".to_owned(), "openid".to_owned(), "groups".to_owned()];
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        let request = AuthorizationRequest {
            client_id: "c&d",
            redirect_uri: "https://sso.example/sso/okta/oidc/callback",
            scopes: &scopes,
            state: "st",
            nonce: "no",
            code_verifier: &verifier,
            login_hint: Some("a+b@x.example"),
            domain_hint: None,
            prompt: Some("login"),
            max_age: Some(SignedDuration::from_secs(300)),
            acr_values: None,
            response_mode: ResponseMode::FormPost,
        };
        let url = request.url(&Url::parse("https://idp.example/auth?p=policy1").unwrap());
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let get = |n: &str| pairs.iter().find(|(k, _)| k == n).map(|(_, v)| v.as_str());
        assert_eq!(get("p"), Some("policy1"));
        assert_eq!(get("client_id"), Some("c&d"));
        assert_eq!(get("scope"), Some("openid email groups"));
        assert_eq!(
            get("code_challenge"),
            Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
        );
        assert_eq!(get("code_challenge_method"), Some("S256"));
        assert_eq!(get("login_hint"), Some("a+b@x.example"));
        assert_eq!(get("response_mode"), Some("form_post"));
        assert_eq!(get("max_age"), Some("300"));
        assert_eq!(get("prompt"), Some("login"));
        assert_eq!(get("domain_hint"), None);
        assert!(!url.as_str().contains(verifier.expose()));
    }
}
