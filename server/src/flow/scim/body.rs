//! Bodies of requests: size, kind, depth, JSON. Judged before anything recurses into them.

use provost_scim::ScimError;
use serde_json::Value;

/// Largest body in bytes (security.md section 4).
pub const LARGEST: usize = 1024 * 1024;
/// Deepest nesting.
const DEEPEST: usize = 32;

/// What arrived as the body of a request.
#[derive(Debug)]
pub enum Received {
    /// Nothing.
    Nothing,
    /// Bytes that claim to be JSON.
    Json(Vec<u8>),
    /// Bytes of another kind.
    Foreign(Vec<u8>),
    /// More than [`LARGEST`] bytes.
    TooLarge,
    /// The connection broke before all of it came.
    Broken,
}

impl Received {
    /// Reads the body as a JSON object.
    ///
    /// # Errors
    /// 413, 415 or 400 `invalidSyntax`, each saying what is wrong.
    pub fn object(self) -> Result<(Value, usize), ScimError> {
        let bytes = match self {
            Self::Json(bytes) => bytes,
            Self::Nothing => {
                return Err(ScimError::invalid_syntax(
                    "the request has no body; a JSON object is needed",
                ));
            }
            Self::Foreign(_) => {
                return Err(ScimError::new(
                    415,
                    None,
                    "the body must be JSON: send Content-Type application/scim+json or application/json",
                ));
            }
            Self::TooLarge => {
                return Err(ScimError::payload_too_large(format!(
                    "the body is larger than {LARGEST} bytes; send less at once"
                )));
            }
            Self::Broken => return Err(ScimError::invalid_syntax("the body did not arrive whole")),
        };
        // Some tools write a mark in front of UTF-8.
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        if depth(text) > DEEPEST {
            return Err(ScimError::invalid_syntax(format!(
                "the body is nested deeper than {DEEPEST} levels"
            )));
        }
        let value: Value = serde_json::from_slice(text).map_err(|error| {
            ScimError::invalid_syntax(format!(
                "the body is not JSON (line {}, column {})",
                error.line(),
                error.column()
            ))
        })?;
        if value.is_object() {
            Ok((value, bytes.len()))
        } else {
            Err(ScimError::invalid_syntax("the body must be a JSON object"))
        }
    }
}

/// Returns the deepest nesting of brackets outside of texts. Never recurses.
fn depth(text: &[u8]) -> usize {
    let (mut now, mut deepest) = (0_usize, 0_usize);
    let (mut in_text, mut is_escaped) = (false, false);
    for byte in text {
        if in_text {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::Received;

    fn status(text: &[u8]) -> u16 {
        match Received::Json(text.to_vec()).object() {
            Ok(_) => 200,
            Err(error) => error.status,
        }
    }

    #[test]
    fn only_json_objects_of_moderate_depth_are_read() {
        assert_eq!(status(b"{\"userName\":\"a\"}"), 200);
        assert_eq!(status(b"\xef\xbb\xbf{}"), 200);
        let brackets_in_text = format!("{{\"a\":\"\\\"{}\"}}", "[".repeat(1000));
        assert_eq!(status(brackets_in_text.as_bytes()), 200);
        for wrong in ["", "[]", "7", "\"x\"", "{", "{\"a\":}", "{} {}", "nonsense"] {
            assert_eq!(status(wrong.as_bytes()), 400, "{wrong}");
        }
        assert_eq!(status(&[b'{', 0xff, b'}']), 400);
    }

    #[test]
    fn deep_nesting_is_refused_without_recursion() {
        let nested = |levels: usize| format!("{{\"a\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(status(nested(31).as_bytes()), 200);
        assert_eq!(status(nested(32).as_bytes()), 400);
        assert_eq!(status("{\"a\":[".repeat(100_000).as_bytes()), 400);
    }
}
