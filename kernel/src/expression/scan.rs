//! Looks at an expression's text before any parser does: length, nesting, and bare `{{orgId}}`.
//! Never judges syntax: that is the parser's work.

use super::{CompileError, MAX_DEPTH, MAX_LENGTH};
use crate::expression::template::PLACEHOLDER;

/// Text for the parser, and how its offsets lead back to the source.
pub(super) struct Scanned {
    pub(super) text: String,
    /// Offsets in `text` at which one byte (a quote) was added.
    added: Vec<usize>,
}

impl Scanned {
    /// Returns the offset in the source for one in the parser's text.
    pub(super) fn original_offset(&self, offset: usize) -> usize {
        offset.saturating_sub(self.added.iter().filter(|added| **added < offset).count())
    }
}

/// Checks length and nesting, and puts quotes around a bare `{{orgId}}`.
pub(super) fn scan(source: &str) -> Result<Scanned, CompileError> {
    if source.len() > MAX_LENGTH {
        return Err(CompileError {
            offset: MAX_LENGTH,
            message: format!("the expression is longer than {MAX_LENGTH} bytes"),
        });
    }
    check_placeholders(source)?;
    let mut scanned = Scanned {
        text: String::with_capacity(source.len() + 8),
        added: Vec::new(),
    };
    let mut depth = 0_usize;
    let mut prefixes = 0_usize;
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        let offset = source.len() - rest.len();
        if rest.starts_with(PLACEHOLDER) {
            scanned.added.push(scanned.text.len());
            scanned.text.push('\'');
            scanned.text.push_str(PLACEHOLDER);
            scanned.added.push(scanned.text.len());
            scanned.text.push('\'');
            rest = rest.get(PLACEHOLDER.len()..).unwrap_or_default();
            continue;
        }
        match next {
            '\'' | '"' | '`' => {
                let end = quoted_length(rest, next);
                scanned.text.push_str(rest.get(..end).unwrap_or(rest));
                rest = rest.get(end..).unwrap_or_default();
                prefixes = 0;
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        prefixes = if matches!(next, '!' | '&') {
            prefixes + 1
        } else {
            0
        };
        if depth > MAX_DEPTH || prefixes > MAX_DEPTH {
            return Err(CompileError {
                offset,
                message: format!("the expression is nested deeper than {MAX_DEPTH} levels"),
            });
        }
        scanned.text.push(next);
        rest = rest.get(next.len_utf8()..).unwrap_or_default();
    }
    Ok(scanned)
}

/// Refuses every `{{word}}` but the one that stands for something. A misspelt one would otherwise be compared as it is
/// written, and never be equal to anything.
fn check_placeholders(source: &str) -> Result<(), CompileError> {
    for (offset, _) in source.match_indices("{{") {
        let rest = source.get(offset + 2..).unwrap_or_default();
        let Some((word, _)) = rest.split_once("}}") else {
            continue;
        };
        let is_word = word.len() <= 40
            && word
                .chars()
                .all(|next| next.is_alphanumeric() || matches!(next, ' ' | '_' | '-' | '.'));
        let written = format!("{{{{{word}}}}}");
        if is_word && written != PLACEHOLDER {
            return Err(CompileError {
                offset,
                message: format!("nothing stands for {written}, did you mean {PLACEHOLDER}?"),
            });
        }
    }
    Ok(())
}

/// Returns the length of a quoted stretch with its quotes; without a closing quote, all of it.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (offset, next) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if next == '\\' {
            escaped = true;
        } else if next == quote {
            return offset + next.len_utf8();
        }
    }
    text.len()
}
