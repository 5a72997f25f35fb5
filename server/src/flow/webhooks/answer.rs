//! What may be kept of the answer to a call: its beginning, without what looks like a secret or an address of somebody.

use crate::translate::mask::{MASK, is_secret_name, is_secret_text};

/// Letters that are kept.
const LONGEST: usize = 300;
/// Bytes that are looked at.
const LOOKED_AT: usize = 4 * 1024;
/// Words of letters and digits that are so long are taken for secrets.
const LONG_WORD: usize = 20;

/// Writes the beginning of an answer, masked. None if it says nothing, or is no text.
pub(super) fn masked(body: &[u8]) -> Option<String> {
    let beginning = body.get(..LOOKED_AT).unwrap_or(body);
    let text = String::from_utf8_lossy(beginning);
    if text.contains('\0') {
        return None;
    }
    let mut written = String::new();
    let mut is_secret = false;
    for word in words(&text) {
        if word.chars().all(is_boundary) {
            // A value ends where the next one, or the next line, begins.
            is_secret &= !word.contains([',', ';', '&', '\n', '}', '<']);
            written.push_str(word);
        } else if is_secret || is_masked(word) {
            written.push_str(MASK);
        } else {
            written.push_str(word);
            is_secret = is_secret_name(word);
        }
    }
    let plain: Vec<&str> = written
        .split(|letter: char| letter.is_whitespace() || letter.is_control())
        .filter(|part| !part.is_empty())
        .collect();
    let kept: String = plain.join(" ").chars().take(LONGEST).collect();
    (!kept.is_empty()).then_some(kept)
}

fn is_masked(word: &str) -> bool {
    let is_long = word.len() >= LONG_WORD && word.bytes().any(|byte| byte.is_ascii_digit());
    is_long || word.contains('@') || is_secret_text(word)
}

fn is_boundary(letter: char) -> bool {
    letter.is_whitespace() || "\"'{}[]():,;=&<>".contains(letter)
}

/// Splits a text into words and what stands between them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let inside = is_boundary(rest.chars().next()?);
        let end = rest
            .find(|letter| is_boundary(letter) != inside)
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn r188_an_answer_is_kept_without_secrets_and_addresses() {
        let kept = |text: &str| masked(text.as_bytes()).unwrap();
        assert_eq!(
            kept("{\"error\":\"no such user\",\n \"code\": 42}"),
            "{\"error\":\"no such user\", \"code\": 42}"
        );
        assert_eq!(
            kept("{\"api_key\":\"short one\",\"hint\":\"ask\"}"),
            "{\"api_key\":\"••• •••\",\"hint\":\"ask\"}"
        );
        assert_eq!(
            kept("bearer 0123456789abcdef0123456789 of ada@home-lab.example"),
            "bearer ••• of •••"
        );
        assert_eq!(kept("token=abc&next=1"), "token=•••&next=1");
        assert_eq!(kept(&"long ".repeat(500)).chars().count(), 300);
        assert_eq!(masked(b"  \n"), None);
        assert_eq!(masked(b"\x00\x01picture"), None);
    }
}
