//! The answer to an authorization request, success or refusal (RFC 6749 4.1.2, RFC 9207, form_post).
//!
//! Owns the fields and both ways of delivery. Never: an answer without `iss`.

use url::Url;

use crate::error::OAuthError;
use crate::rp::authorization::ResponseMode;
use crate::secret::Secret;

/// Where and how an answer goes: made by `authorize::validate` from a registered redirect URI, and kept with
/// the pending sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnTo {
    /// The redirect URI, as the app wrote it.
    pub redirect_uri: String,
    /// The app's state, repeated unchanged.
    pub state: Option<String>,
    /// Query or form.
    pub response_mode: ResponseMode,
}

/// An answer ready to be delivered.
#[derive(Debug, Clone)]
pub enum Delivery {
    /// Redirect with 303 (never 307, which would repeat a posted password to the app).
    Redirect(Secret),
    /// A page with a form that posts itself.
    FormPost {
        /// The form's action.
        action: String,
        /// The hidden fields.
        fields: Vec<(&'static str, Secret)>,
    },
}

impl ReturnTo {
    /// Answers with a code.
    ///
    /// Errors: `ServerError` when the redirect URI is no URL, which registration prevents.
    pub fn success(&self, issuer: &str, code: &Secret) -> Result<Delivery, OAuthError> {
        self.deliver(issuer, vec![("code", code.clone())])
    }

    /// Answers with a refusal.
    ///
    /// Errors: as [`Self::success`].
    pub fn refusal(&self, issuer: &str, error: OAuthError) -> Result<Delivery, OAuthError> {
        self.refuse(issuer, error, error.to_string())
    }

    /// Answers with a refusal that an administrator can look up under a reference number.
    ///
    /// Errors: as [`Self::success`].
    pub fn refusal_with_reference(
        &self,
        issuer: &str,
        error: OAuthError,
        reference: &str,
    ) -> Result<Delivery, OAuthError> {
        // RFC 6749 4.1.2.1 allows printable ASCII without quotation mark and backslash.
        let plain = |c: &char| c.is_ascii_graphic() && !matches!(c, '"' | '\\');
        let reference: String = reference.chars().filter(plain).take(64).collect();
        self.refuse(issuer, error, format!("{error} (reference {reference})"))
    }

    fn refuse(&self, issuer: &str, error: OAuthError, description: String) -> Result<Delivery, OAuthError> {
        let fields = vec![
            ("error", Secret::new(error.wire())),
            ("error_description", Secret::new(description)),
        ];
        self.deliver(issuer, fields)
    }

    fn deliver(&self, issuer: &str, mut fields: Vec<(&'static str, Secret)>) -> Result<Delivery, OAuthError> {
        if let Some(state) = &self.state {
            fields.push(("state", Secret::new(state.as_str())));
        }
        fields.push(("iss", Secret::new(issuer)));
        match self.response_mode {
            ResponseMode::FormPost => Ok(Delivery::FormPost {
                action: self.redirect_uri.clone(),
                fields,
            }),
            ResponseMode::Query => {
                let mut url = Url::parse(&self.redirect_uri).map_err(|_| OAuthError::ServerError)?;
                for (name, value) in &fields {
                    url.query_pairs_mut().append_pair(name, value.expose());
                }
                Ok(Delivery::Redirect(Secret::new(String::from(url))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Delivery, ReturnTo};
    use crate::rp::authorization::ResponseMode;
    use crate::{OAuthError, Secret};

    fn return_to(mode: ResponseMode) -> ReturnTo {
        ReturnTo {
            redirect_uri: "https://app.example/cb?x=1".into(),
            state: Some("a&b".into()),
            response_mode: mode,
        }
    }

    #[test]
    fn a_query_answer_keeps_the_query_and_names_the_issuer() {
        let answer = return_to(ResponseMode::Query).success("https://sso.example", &Secret::new("c d"));
        let Ok(Delivery::Redirect(url)) = answer else {
            panic!("redirect expected")
        };
        assert_eq!(
            url.expose(),
            "https://app.example/cb?x=1&code=c+d&state=a%26b&iss=https%3A%2F%2Fsso.example"
        );
        let answer = return_to(ResponseMode::Query).refusal("https://sso.example", OAuthError::LoginRequired);
        let Ok(Delivery::Redirect(url)) = answer else {
            panic!("redirect expected")
        };
        assert!(url.expose().contains("error=login_required&"));
        assert!(url.expose().contains("&iss="));
    }

    #[test]
    fn a_refusal_may_carry_a_reference_number() {
        let answer = return_to(ResponseMode::Query).refusal_with_reference(
            "https://sso.example",
            OAuthError::AccessDenied,
            "ABCD-1234\"\n",
        );
        let Ok(Delivery::Redirect(url)) = answer else {
            panic!("redirect expected")
        };
        assert!(url.expose().contains("error=access_denied&"));
        assert!(url.expose().contains("%28reference+ABCD-1234%29&"));
    }

    #[test]
    fn a_form_answer_posts_the_same_fields() {
        let answer = return_to(ResponseMode::FormPost).success("https://sso.example", &Secret::new("c"));
        let Ok(Delivery::FormPost { action, fields }) = answer else {
            panic!("form expected")
        };
        assert_eq!(action, "https://app.example/cb?x=1");
        let fields: Vec<_> = fields.iter().map(|(n, v)| (*n, v.expose())).collect();
        assert_eq!(
            fields,
            [("code", "c"), ("state", "a&b"), ("iss", "https://sso.example")]
        );
    }
}
