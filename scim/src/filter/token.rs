//! Cutting a filter into tokens.

use crate::ScimError;
use crate::error::excerpt;

/// One token of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// `(`
    Open,
    /// `)`
    Close,
    /// `[`
    OpenBracket,
    /// `]`
    CloseBracket,
    /// A name, an operator or an unquoted literal.
    Word(&'t str),
    /// A text in quotes, its escapes resolved.
    Text(String),
}

/// Cuts a filter into tokens; nothing recurses here.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, ScimError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' | '[' | ']' => {
                tokens.push(match first {
                    '(' => Token::Open,
                    ')' => Token::Close,
                    '[' => Token::OpenBracket,
                    _ => Token::CloseBracket,
                });
                1
            }
            '"' => {
                let length = quoted_length(rest).ok_or_else(|| unterminated(rest))?;
                let literal = rest.get(..length).unwrap_or_default();
                let value = serde_json::from_str(literal).map_err(|_| unterminated(rest))?;
                tokens.push(Token::Text(value));
                length
            }
            _ => {
                let length = rest.find(ends_word).unwrap_or(rest.len());
                tokens.push(Token::Word(rest.get(..length).unwrap_or_default()));
                length
            }
        };
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | '"')
}

/// The length of the text in quotes at the front, quotes included.
fn quoted_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn unterminated(text: &str) -> ScimError {
    ScimError::invalid_filter(format!(
        "the text at {} is not a valid JSON string",
        excerpt(text)
    ))
}
