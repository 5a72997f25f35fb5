//! JSON objects from outside, under limits.
//!
//! Owns the size cap and the refusal of repeated names on the top level (RFC 7519 section 4: two parsers
//! that keep different ones would see different claims). Depth is capped at 128 by the JSON library, which
//! answers with an error. Never: recursion of its own.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

/// A parsed top-level object with unique member names.
struct UniqueObject(Map<String, Value>);

impl<'de> Deserialize<'de> for UniqueObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = UniqueObject;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, value)) = access.next_entry::<String, Value>()? {
            if map.insert(name, value).is_some() {
                return Err(A::Error::custom("repeated name"));
            }
        }
        Ok(UniqueObject(map))
    }
}

/// Parses `bytes` as one JSON object; `None` for anything else. The caller has checked the size.
pub(crate) fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice::<UniqueObject>(bytes).ok().map(|o| o.0)
}

/// The member as a text, if it is one.
pub(crate) fn text<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    map.get(name).and_then(Value::as_str)
}

/// The member as a list of texts; absent when missing, other elements are skipped.
pub(crate) fn texts(map: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    let list = map.get(name)?.as_array()?;
    Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::object;

    #[test]
    fn repeated_names_are_refused() {
        assert!(object(br#"{"a":1,"b":2}"#).is_some());
        assert!(object(br#"{"iss":"a","iss":"b"}"#).is_none());
        assert!(object(br#"{"iss":"a","\u0069ss":"b"}"#).is_none());
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_an_overflow() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(object(deep.as_bytes()).is_none());
        assert!(object(&[0xff, 0xfe, b'{', b'}']).is_none());
        assert!(object(b"[]").is_none());
        assert!(object(b"{} x").is_none());
    }
}
