//! What can be wrong, each with a stable code.
//!
//! Owns the two error enums: [`OidcError`] (a message from outside failed a check) and [`OAuthError`]
//! (what we answer to an app, with its wire name). Never: carries a secret, a token or text from outside;
//! [`Refusal`] adds a sanitized line for the administrator's log only.

mod oauth;
mod oidc;
#[cfg(test)]
mod tests;

pub use oauth::OAuthError;
pub use oidc::OidcError;

/// A failed check together with what the other side said about it.
///
/// `detail` comes from outside: printable ASCII, at most 256 characters, for the administrator's log and never
/// for the person's page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The coded reason.
    pub error: OidcError,
    /// What the other side said, sanitized.
    pub detail: Option<String>,
}

impl Refusal {
    /// Builds a refusal with the other side's words, cleaned.
    pub(crate) fn with_detail(error: OidcError, detail: &str) -> Self {
        let clean = printable(detail);
        Self {
            error,
            detail: (!clean.is_empty()).then_some(clean),
        }
    }

    /// The stable code of the reason.
    pub fn code(&self) -> &'static str {
        self.error.code()
    }
}

impl From<OidcError> for Refusal {
    fn from(error: OidcError) -> Self {
        Self { error, detail: None }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.error, f)
    }
}

impl std::error::Error for Refusal {}

/// Keeps printable ASCII only, so that log lines cannot be forged and pages not be marked up.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .filter(|c| !matches!(c, '<' | '>' | '"' | '\'' | '&'))
        .take(256)
        .collect()
}

/// Declares an error enum of unit variants, each with a stable code and a sentence.
macro_rules! coded_errors {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $code:literal, $text:literal;)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
        pub enum $name {
            $(#[doc = $text] $(#[$vmeta])* #[error($text)] $variant,)*
        }

        impl $name {
            /// Every variant, for documentation and tests.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable code: part of the outer contract, never renamed.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }
        }
    };
}
pub(crate) use coded_errors;
