//! The parameters of a query or form, under limits and without repetition.
//!
//! Owns decoding and the rule that a parameter appears at most once (RFC 6749 section 3.1). Never: meaning.

use url::form_urlencoded;

/// The most parameters one request may have.
const MAX_PARAMETERS: usize = 64;
/// The most bytes one value may have; a client assertion or token hint is the longest honest one.
const MAX_VALUE: usize = 16 * 1024;

/// Why parameters cannot be used; each face maps it to its own error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParamFault {
    Repeated,
    TooLong,
}

/// Decoded parameters in the order of arrival. `Debug` shows names only, as values hold codes and secrets.
#[derive(Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl std::fmt::Debug for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

impl Params {
    /// Decodes a query string or form body (`application/x-www-form-urlencoded`); bytes that are not UTF-8
    /// become U+FFFD and so match nothing.
    pub fn parse(encoded: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(encoded).take(MAX_PARAMETERS + 1);
        Self(
            pairs
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    /// Takes pairs that were decoded elsewhere.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let pairs = pairs.into_iter().take(MAX_PARAMETERS + 1);
        Self(pairs.map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// One value for looking things up before the request is checked; the first if repeated.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, v)| n == name && !v.is_empty())
            .map(|(_, v)| v.as_str())
    }

    /// Checks the limits and that none of the parameters is repeated.
    pub(crate) fn check(&self) -> Result<(), ParamFault> {
        if self.0.len() > MAX_PARAMETERS || self.0.iter().any(|(n, v)| n.len() > 256 || v.len() > MAX_VALUE) {
            return Err(ParamFault::TooLong);
        }
        let mut names: Vec<_> = self.0.iter().map(|(n, _)| n.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(ParamFault::Repeated);
        }
        Ok(())
    }

    /// The value after [`Self::check`]; a parameter without a value counts as absent (RFC 6749 section 3.1).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.first(name)
    }
}

#[cfg(test)]
mod tests {
    use super::{ParamFault, Params};

    #[test]
    fn repeated_and_oversized_parameters_are_found() {
        assert_eq!(Params::parse(b"a=1&b=2").check(), Ok(()));
        assert_eq!(Params::parse(b"a=1&b=2&a=1").check(), Err(ParamFault::Repeated));
        let many: Vec<_> = (0..100).map(|i| (format!("p{i}"), "x")).collect();
        assert_eq!(Params::from_pairs(many).check(), Err(ParamFault::TooLong));
        let long = Params::from_pairs([("a", "x".repeat(20_000))]);
        assert_eq!(long.check(), Err(ParamFault::TooLong));
    }

    #[test]
    fn empty_is_absent_and_values_are_not_shown() {
        let params = Params::parse(b"code=s3cr3t&state=");
        assert_eq!(params.get("state"), None);
        assert_eq!(params.get("code"), Some("s3cr3t"));
        assert!(!format!("{params:?}").contains("s3cr3t"));
    }
}
