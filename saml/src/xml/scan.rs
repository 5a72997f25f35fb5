//! Walks the raw text once, without recursion, before any parser sees it.
//!
//! Owns the refusals that must come first because a parser could be harmed or misled: document type
//! declarations, comments, processing instructions, depth, counts and content outside the one root. It
//! decides nothing about meaning and does not replace the parser's well-formedness checks.

use crate::error::SamlError;
use crate::limits::Limits;

/// Which extras a document may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Protocol messages: no comments and no processing instructions.
    Message,
    /// Metadata files, which people edit: comments and processing instructions are skipped.
    Metadata,
}

/// The scanner's place in the text.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    nodes: usize,
    roots: usize,
}

/// Scans `text` and refuses what no parser should be shown.
pub(crate) fn scan(text: &str, limits: &Limits, dialect: Dialect) -> Result<(), SamlError> {
    if text.len() > limits.max_bytes {
        return Err(SamlError::TooLarge);
    }
    if text
        .bytes()
        .any(|b| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r'))
    {
        return Err(SamlError::ForbiddenCharacter);
    }
    let mut scan = Scan {
        bytes: text.as_bytes(),
        at: 0,
        depth: 0,
        nodes: 0,
        roots: 0,
    };
    scan.declaration()?;
    while scan.at < scan.bytes.len() {
        scan.text()?;
        if scan.at < scan.bytes.len() {
            scan.markup(limits, dialect)?;
        }
    }
    if scan.roots == 0 || scan.depth != 0 {
        Err(SamlError::Malformed)
    } else {
        Ok(())
    }
}

impl Scan<'_> {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Moves behind the next `end`, or fails when there is none.
    fn skip_past(&mut self, end: &[u8]) -> Result<(), SamlError> {
        let found = self
            .rest()
            .windows(end.len())
            .position(|w| w == end)
            .ok_or(SamlError::Malformed)?;
        self.at += found + end.len();
        Ok(())
    }

    /// Accepts an XML declaration at the very start, if it names no other encoding than UTF-8.
    fn declaration(&mut self) -> Result<(), SamlError> {
        let rest = self.rest();
        let is_declaration =
            rest.starts_with(b"<?xml") && rest.get(5).is_some_and(|b| b.is_ascii_whitespace() || *b == b'?');
        if !is_declaration {
            return Ok(());
        }
        let start = self.at;
        self.skip_past(b"?>")?;
        let declaration = self
            .bytes
            .get(start..self.at)
            .unwrap_or_default()
            .to_ascii_lowercase();
        let names_encoding = declaration.windows(8).any(|w| w == b"encoding");
        let utf8 = declaration
            .windows(7)
            .any(|w| w == b"\"utf-8\"" || w == b"'utf-8'");
        if names_encoding && !utf8 {
            Err(SamlError::NotUtf8)
        } else {
            Ok(())
        }
    }

    /// Skips character data; outside the root only white space may stand.
    fn text(&mut self) -> Result<(), SamlError> {
        let rest = self.rest();
        let len = rest.iter().position(|b| *b == b'<').unwrap_or(rest.len());
        let blank = rest.iter().take(len).all(u8::is_ascii_whitespace);
        if self.depth == 0 && !blank {
            return Err(if self.roots == 0 {
                SamlError::Malformed
            } else {
                SamlError::SeveralRoots
            });
        }
        self.at += len;
        Ok(())
    }

    fn markup(&mut self, limits: &Limits, dialect: Dialect) -> Result<(), SamlError> {
        let rest = self.rest();
        if rest.starts_with(b"<![CDATA[") && self.depth > 0 {
            return self.skip_past(b"]]>");
        }
        if rest.starts_with(b"<!--") {
            return match dialect {
                Dialect::Message => Err(SamlError::Comment),
                Dialect::Metadata => {
                    self.at += 4;
                    self.skip_past(b"-->")
                }
            };
        }
        if rest.starts_with(b"<!") {
            return Err(SamlError::Doctype);
        }
        if rest.starts_with(b"<?") {
            return match dialect {
                Dialect::Message => Err(SamlError::ProcessingInstruction),
                Dialect::Metadata => self.skip_past(b"?>"),
            };
        }
        if rest.starts_with(b"</") {
            self.depth = self.depth.checked_sub(1).ok_or(SamlError::Malformed)?;
            return self.skip_past(b">");
        }
        self.start_tag(limits)
    }

    fn start_tag(&mut self, limits: &Limits) -> Result<(), SamlError> {
        if self.depth == 0 {
            self.roots += 1;
            if self.roots > 1 {
                return Err(SamlError::SeveralRoots);
            }
        }
        self.nodes += 1;
        if self.nodes > limits.max_nodes {
            return Err(SamlError::TooManyNodes);
        }
        let mut quote = None;
        let mut attributes = 0usize;
        let mut last = 0u8;
        let mut len = None;
        for (index, byte) in self.rest().iter().copied().enumerate().skip(1) {
            match (quote, byte) {
                (Some(open), _) if open == byte => quote = None,
                (None, b'"' | b'\'') => {
                    attributes += 1;
                    quote = Some(byte);
                }
                (None, b'>') => {
                    len = Some(index + 1);
                    break;
                }
                (None, b'<') => return Err(SamlError::Malformed),
                (Some(_) | None, _) => {}
            }
            last = byte;
        }
        if attributes > limits.max_attributes {
            return Err(SamlError::TooManyAttributes);
        }
        self.at += len.ok_or(SamlError::Malformed)?;
        if last != b'/' {
            self.depth += 1;
            if self.depth > limits.max_depth {
                return Err(SamlError::TooDeep);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Result<(), SamlError> {
        scan(text, &Limits::MESSAGE, Dialect::Message)
    }

    #[test]
    fn plain_documents_pass() {
        for good in [
            "<a/>",
            "<?xml version='1.0' encoding='utf-8'?>\n<a b='>'>x<![CDATA[<!--]]><c/></a>\n",
            "<a b=\"'\"/>",
        ] {
            assert_eq!(message(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn each_hostile_form_has_its_own_code() {
        let cases = [
            ("<!DOCTYPE a [<!ENTITY x 'y'>]><a/>", SamlError::Doctype),
            ("<a><!-- x --></a>", SamlError::Comment),
            ("<a/><!-- x -->", SamlError::Comment),
            ("<a><?php x ?></a>", SamlError::ProcessingInstruction),
            (" <?xml version='1.0'?><a/>", SamlError::ProcessingInstruction),
            (
                "<?xml version='1.0' encoding='ISO-8859-1'?><a/>",
                SamlError::NotUtf8,
            ),
            ("<a/><b/>", SamlError::SeveralRoots),
            ("<a/>x", SamlError::SeveralRoots),
            ("x<a/>", SamlError::Malformed),
            ("<a>", SamlError::Malformed),
            ("</a>", SamlError::Malformed),
            ("<a b='", SamlError::Malformed),
            ("", SamlError::Malformed),
            ("<a>\u{0}</a>", SamlError::ForbiddenCharacter),
        ];
        for (text, expected) in cases {
            assert_eq!(message(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn limits_hold() {
        let deep = "<a>".repeat(65) + &"</a>".repeat(65);
        assert_eq!(message(&deep), Err(SamlError::TooDeep));
        let fits = "<a>".repeat(64) + &"</a>".repeat(64);
        assert_eq!(message(&fits), Ok(()));
        let wide = format!("<r>{}</r>", "<a/>".repeat(20_000));
        assert_eq!(message(&wide), Err(SamlError::TooManyNodes));
        let attributes = (0..65).map(|i| format!(" a{i}='x'")).collect::<Vec<_>>().concat();
        assert_eq!(
            message(&format!("<r{attributes}/>")),
            Err(SamlError::TooManyAttributes)
        );
        assert_eq!(
            message(&format!("<r>{}</r>", "x".repeat(256 * 1024))),
            Err(SamlError::TooLarge)
        );
    }

    #[test]
    fn metadata_may_carry_comments() {
        assert_eq!(
            scan(
                "<!-- c --><?pi x?><a><!-- > --></a>",
                &Limits::METADATA,
                Dialect::Metadata
            ),
            Ok(())
        );
        assert_eq!(
            scan("<!DOCTYPE a><a/>", &Limits::METADATA, Dialect::Metadata),
            Err(SamlError::Doctype)
        );
    }
}
