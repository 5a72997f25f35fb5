//! Reading the registered claims of a token (RFC 7519 section 4.1).
//!
//! Owns the tolerant forms (`aud` text or array, fractional times) and the checks shared by all tokens.
//! Never: decides which claims a token kind must have.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::json;
use crate::error::OidcError;

/// The claims of a token whose signature was verified.
#[derive(Clone, PartialEq)]
pub struct Claims(Map<String, Value>);

impl std::fmt::Debug for Claims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Names only: values are personal data.
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Claims {
    pub(crate) fn new(map: Map<String, Value>) -> Self {
        Self(map)
    }

    /// All claims.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Gives the claims away.
    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }

    /// One claim.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// One claim as a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        json::text(&self.0, name)
    }

    /// `sub`: 1 to 255 characters without controls (OpenID Connect Core section 2; ASCII is not enforced, as
    /// providers send more, but the bytes are kept exactly).
    ///
    /// Errors: `SubMissing`, `SubInvalid`.
    pub fn subject(&self) -> Result<&str, OidcError> {
        let value = self.0.get("sub").ok_or(OidcError::SubMissing)?;
        let text = value.as_str().ok_or(OidcError::SubInvalid)?;
        let fits = !text.is_empty() && text.chars().count() <= 255;
        if fits && !text.chars().any(char::is_control) && text.trim() == text {
            Ok(text)
        } else {
            Err(OidcError::SubInvalid)
        }
    }

    /// `aud` as a list, whether it is a text or an array of texts.
    ///
    /// Errors: `AudMissing` (also for an empty list), `AudMismatch` (not texts).
    pub fn audiences(&self) -> Result<Vec<&str>, OidcError> {
        match self.0.get("aud") {
            None | Some(Value::Null) => Err(OidcError::AudMissing),
            Some(Value::String(one)) => Ok(vec![one.as_str()]),
            Some(Value::Array(list)) if list.is_empty() => Err(OidcError::AudMissing),
            Some(Value::Array(list)) => list
                .iter()
                .map(|v| v.as_str().ok_or(OidcError::AudMismatch))
                .collect(),
            Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => Err(OidcError::AudMismatch),
        }
    }

    /// A NumericDate, whole seconds; fractions (seen in `auth_time`) are cut off.
    ///
    /// Errors: `TimeInvalid` for anything that is not a number in the calendar's range.
    pub fn time(&self, name: &str) -> Result<Option<Timestamp>, OidcError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => {
                let seconds = match number.as_i64() {
                    Some(whole) => whole,
                    None => number
                        .as_f64()
                        .and_then(whole_seconds)
                        .ok_or(OidcError::TimeInvalid)?,
                };
                Timestamp::from_second(seconds)
                    .map(Some)
                    .map_err(|_| OidcError::TimeInvalid)
            }
            Some(Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
                Err(OidcError::TimeInvalid)
            }
        }
    }

    /// Checks `iss` byte for byte.
    pub(crate) fn check_issuer(&self, expected: &str) -> Result<(), OidcError> {
        match self.0.get("iss") {
            None => Err(OidcError::IssMissing),
            Some(value) if value.as_str() == Some(expected) => Ok(()),
            Some(_) => Err(OidcError::IssMismatch),
        }
    }

    /// Checks `exp` (required) and `nbf` (if present) with a tolerance.
    pub(crate) fn check_lifetime(&self, now: Timestamp, skew: SignedDuration) -> Result<(), OidcError> {
        let exp = self.time("exp")?.ok_or(OidcError::ExpMissing)?;
        if since(exp, now) >= skew {
            return Err(OidcError::Expired);
        }
        self.check_not_before(now, skew)
    }

    /// Checks `nbf` if present.
    pub(crate) fn check_not_before(&self, now: Timestamp, skew: SignedDuration) -> Result<(), OidcError> {
        match self.time("nbf")? {
            Some(nbf) if since(now, nbf) > skew => Err(OidcError::NotYetValid),
            Some(_) | None => Ok(()),
        }
    }

    /// Checks that `iat` is present and not in the future; returns it.
    pub(crate) fn check_issued_at(
        &self,
        now: Timestamp,
        skew: SignedDuration,
    ) -> Result<Timestamp, OidcError> {
        let iat = self.time("iat")?.ok_or(OidcError::IatMissing)?;
        if since(now, iat) > skew {
            Err(OidcError::IatInFuture)
        } else {
            Ok(iat)
        }
    }
}

/// Time from `earlier` to `later`; negative when the order is the other way round.
pub(crate) fn since(earlier: Timestamp, later: Timestamp) -> SignedDuration {
    later.duration_since(earlier)
}

/// Cuts a finite number in a sane range to whole seconds.
fn whole_seconds(value: f64) -> Option<i64> {
    const LIMIT: f64 = 253_402_207_200.0; // the end of year 9999
    if value.is_finite() && value.abs() < LIMIT {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "cutting the fraction is the intent; range checked"
        )]
        let whole = value.trunc() as i64;
        Some(whole)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Claims;
    use crate::OidcError;

    fn claims(text: &str) -> Claims {
        Claims::new(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn fractional_times_are_read_and_nonsense_is_refused() {
        let good = claims(r#"{"a":1700000000.9,"b":1700000000,"c":null}"#);
        assert_eq!(good.time("a").unwrap().unwrap().as_second(), 1_700_000_000);
        assert_eq!(good.time("b").unwrap().unwrap().as_second(), 1_700_000_000);
        assert_eq!(good.time("c"), Ok(None));
        let bad =
            claims(r#"{"a":"1700000000","b":1e300,"c":99999999999999,"d":true,"e":18446744073709551615}"#);
        for name in ["a", "b", "c", "d", "e"] {
            assert_eq!(bad.time(name), Err(OidcError::TimeInvalid), "{name}");
        }
    }

    #[test]
    fn audiences_in_each_form() {
        assert_eq!(claims(r#"{"aud":"a"}"#).audiences(), Ok(vec!["a"]));
        assert_eq!(claims(r#"{"aud":["a","b"]}"#).audiences(), Ok(vec!["a", "b"]));
        assert_eq!(claims(r"{}").audiences(), Err(OidcError::AudMissing));
        assert_eq!(claims(r#"{"aud":[]}"#).audiences(), Err(OidcError::AudMissing));
        assert_eq!(claims(r#"{"aud":[1]}"#).audiences(), Err(OidcError::AudMismatch));
        assert_eq!(
            claims(r#"{"aud":{"a":1}}"#).audiences(),
            Err(OidcError::AudMismatch)
        );
    }

    #[test]
    fn subjects_are_exact_plain_texts() {
        assert_eq!(claims(r#"{"sub":"a|b"}"#).subject(), Ok("a|b"));
        assert_eq!(claims(r"{}").subject(), Err(OidcError::SubMissing));
        for bad in [
            r#"{"sub":""}"#,
            r#"{"sub":5}"#,
            r#"{"sub":"a\u0000"}"#,
            r#"{"sub":" a"}"#,
            r#"{"sub":null}"#,
        ] {
            assert_eq!(claims(bad).subject(), Err(OidcError::SubInvalid), "{bad}");
        }
        let long = format!(r#"{{"sub":"{}"}}"#, "x".repeat(256));
        assert_eq!(claims(&long).subject(), Err(OidcError::SubInvalid));
    }
}
