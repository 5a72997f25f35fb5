//! Leaving for another site: the two ways a browser is sent there.

/// How the browser goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Departure {
    /// By a redirect to this address.
    Redirect(String),
    /// By a form that the browser posts.
    Form {
        /// Where to.
        action: String,
        /// Hidden fields.
        fields: Vec<(String, String)>,
    },
}

impl From<provost_saml::PostForm> for Departure {
    fn from(form: provost_saml::PostForm) -> Self {
        let fields = form
            .fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        Self::Form {
            action: form.action,
            fields,
        }
    }
}

impl From<url::Url> for Departure {
    fn from(url: url::Url) -> Self {
        Self::Redirect(url.into())
    }
}
