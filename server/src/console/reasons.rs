//! What was said while something was decided or refused, in the language of the page. One English sentence per step is what is
//! stored; here it is read back by the sentences of its code, and its values are put into those of the other language. The
//! sentences of the kernel are in `languages/reasons`, those of protocols and of the server itself in `languages/refusals`.
//! Never changes what was recorded: what cannot be read back is shown as it is, below what its code says.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::words::Language;

/// Sentences by code, in the order in which they are tried. The nth of one language says what the nth of another says.
type Sentences = BTreeMap<String, Vec<String>>;

/// The family of sentences that every code may have.
const ANY: &str = "any";
/// The family of parts of sentences.
const CLAUSE: &str = "clause";
/// Most parts of a list that are read.
const MOST_PARTS: usize = 12;

/// A sentence in the language of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What the page says.
    pub text: String,
    /// The recorded English sentence, where the page says less than that.
    pub original: Option<String>,
}

fn sentences(language: Language) -> &'static Sentences {
    static EN: LazyLock<Sentences> =
        LazyLock::new(|| toml::from_str(include_str!("../../languages/reasons/en.toml")).unwrap_or_default());
    static DE: LazyLock<Sentences> =
        LazyLock::new(|| toml::from_str(include_str!("../../languages/reasons/de.toml")).unwrap_or_default());
    match language {
        Language::En => &EN,
        Language::De => &DE,
    }
}

/// What is refused before the kernel decides: messages of identity providers, calls to them, wishes of apps.
fn refusals(language: Language) -> &'static Sentences {
    static EN: LazyLock<Sentences> = LazyLock::new(|| {
        toml::from_str(include_str!("../../languages/refusals/en.toml")).unwrap_or_default()
    });
    static DE: LazyLock<Sentences> = LazyLock::new(|| {
        toml::from_str(include_str!("../../languages/refusals/de.toml")).unwrap_or_default()
    });
    match language {
        Language::En => &EN,
        Language::De => &DE,
    }
}

/// Tells what a step says. `code` is the step's code, `text` its sentence.
pub fn tell(language: Language, code: &str, text: &str) -> Told {
    let whole = |text: String| Told { text, original: None };
    if language == Language::En {
        return whole(text.to_owned());
    }
    let told = said(language, code, text)
        .or_else(|| said(language, ANY, text))
        .or_else(|| refused(language, code, text));
    if let Some(told) = told {
        return whole(told);
    }
    let known = language.known(&format!("verdict.{code}"));
    Told {
        text: known.map_or_else(|| language.text("step.untold").to_owned(), str::to_owned),
        original: Some(text.to_owned()),
    }
}

/// Tells what is wrong with settings or a row of a file, by the family of its sentences; in English where that knows none.
pub fn tell_fault(language: Language, family: &str, text: &str) -> String {
    if language == Language::En {
        return text.to_owned();
    }
    said(language, family, text).unwrap_or_else(|| text.to_owned())
}

/// Tells what is wrong with settings, whoever found it: the settings' own check, that of rules, or that of a protocol.
pub fn tell_setting(language: Language, text: &str) -> String {
    if language == Language::En {
        return text.to_owned();
    }
    said(language, CONFIGURATION, text)
        .or_else(|| said(language, EXPRESSION, text))
        .or_else(|| {
            let codes = refusals(Language::En).keys();
            codes.into_iter().find_map(|code| refused(language, code, text))
        })
        .unwrap_or_else(|| text.to_owned())
}

/// Says a refusal in another language. What the other side said stands behind it in brackets, in its own words.
fn refused(language: Language, code: &str, text: &str) -> Option<String> {
    let find = |text: &str| of_family(refusals, language, code, text);
    find(text).or_else(|| {
        let (before, after) = text.split_once(" (")?;
        Some(format!("{} ({after}", find(before)?))
    })
}

/// The family of sentences about rules that cannot be used.
pub const EXPRESSION: &str = "expression";
/// The family of sentences about settings, as in the declarative file.
const CONFIGURATION: &str = "configuration";

/// Says a sentence of a family in another language; none if it is no sentence of it.
fn said(language: Language, family: &str, text: &str) -> Option<String> {
    of_family(sentences, language, family, text)
}

fn of_family(
    catalog: fn(Language) -> &'static Sentences,
    language: Language,
    family: &str,
    text: &str,
) -> Option<String> {
    let read = catalog(Language::En).get(family)?;
    let told = catalog(language).get(family)?;
    read.iter()
        .zip(told)
        .find_map(|(template, other)| Some(fill(language, other, &values(template, text)?)))
}

/// One piece of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    /// Position, and the sign behind it: `*` for a clause, `!` for a code, `~` for what is wrong with a setting.
    Value(usize, Option<char>),
}

fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((inside, behind)) = after.split_once('}') else {
            break;
        };
        let digits = inside.trim_end_matches(['*', '!', '~']);
        let Ok(place) = digits.parse() else { break };
        if !before.is_empty() {
            found.push(Piece::Text(before));
        }
        found.push(Piece::Value(place, inside.chars().nth(digits.len())));
        rest = behind;
    }
    if !rest.is_empty() {
        found.push(Piece::Text(rest));
    }
    found
}

/// Reads the values out of a text that a template wrote; none if it did not. A value ends where the text that follows it in the
/// template begins first.
fn values(template: &str, text: &str) -> Option<BTreeMap<usize, String>> {
    let mut read = BTreeMap::new();
    let mut rest = text;
    let pieces = pieces(template);
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Text(fixed) => rest = rest.strip_prefix(fixed)?,
            Piece::Value(place, _) => {
                let end = match (pieces.get(at + 1), pieces.get(at + 2)) {
                    (Some(Piece::Text(last)), None) => rest.strip_suffix(last)?.len(),
                    (Some(Piece::Text(next)), Some(_)) => rest.find(next)?,
                    (Some(Piece::Value(..)), _) => rest.find(' ').unwrap_or(rest.len()),
                    (None, _) => rest.len(),
                };
                read.insert(*place, rest.get(..end)?.to_owned());
                rest = rest.get(end..)?;
            }
        }
    }
    rest.is_empty().then_some(read)
}

fn fill(language: Language, template: &str, values: &BTreeMap<usize, String>) -> String {
    pieces(template)
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.to_owned(),
            Piece::Value(place, kind) => {
                let value = values.get(&place).map_or("", String::as_str);
                match kind {
                    Some('*') => clause(language, value),
                    Some('~') => tell_setting(language, value),
                    Some('!') => language
                        .known(&format!("verdict.{value}"))
                        .unwrap_or(value)
                        .to_owned(),
                    Some(_) | None => value.to_owned(),
                }
            }
        })
        .collect()
}

/// Says a part of a sentence: one that is known, or several that are.
fn clause(language: Language, text: &str) -> String {
    for (separator, word) in [(" and ", "step.and"), (" or ", "step.or"), (", ", "")] {
        let parts = joined(language, text, separator, MOST_PARTS);
        if let Some(parts) = parts.filter(|parts| parts.len() > 1) {
            return parts.join(if word.is_empty() {
                separator
            } else {
                language.text(word)
            });
        }
    }
    said(language, CLAUSE, text).unwrap_or_else(|| text.to_owned())
}

/// Reads a list whose every part is known. What separates parts may stand inside of a value, too.
fn joined(language: Language, text: &str, separator: &str, most: usize) -> Option<Vec<String>> {
    if most == 0 {
        return None;
    }
    for (end, _) in text.match_indices(separator).take(MOST_PARTS) {
        let (Some(first), Some(rest)) = (text.get(..end), text.get(end + separator.len()..)) else {
            continue;
        };
        // Not inside of a value, which stands in quotes as JSON writes them.
        if !first.matches('"').count().is_multiple_of(2) {
            continue;
        }
        if let Some(first) = said(language, CLAUSE, first)
            && let Some(mut parts) = joined(language, rest, separator, most - 1)
        {
            parts.insert(0, first);
            return Some(parts);
        }
    }
    Some(vec![said(language, CLAUSE, text)?])
}

#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod tests;
