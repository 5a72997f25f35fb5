//! The words of mail, by language: one file each in `languages/mail`. Another language is another file, no code.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rust_embed::RustEmbed;
use serde::Deserialize;

/// The words of one language.
#[derive(Clone, Debug, Deserialize)]
pub struct Words {
    /// What every mail says.
    pub common: Common,
    /// What the mails of one kind say.
    #[serde(flatten)]
    kinds: BTreeMap<String, KindWords>,
}

/// What every mail says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Common {
    /// First line.
    pub greeting: String,
    /// Before the address of the link in full.
    pub fallback: String,
    /// Last line.
    pub foot: String,
    /// Last line where the sender bears the name of the organization.
    pub foot_own: String,
}

/// What the mails of one kind say.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindWords {
    /// Subject.
    pub subject: String,
    /// Heading.
    pub heading: String,
    /// Paragraphs.
    pub lines: Vec<String>,
    /// On the button.
    pub button: String,
}

#[derive(RustEmbed)]
#[folder = "languages/mail/"]
struct Files;

static LANGUAGES: LazyLock<BTreeMap<String, Words>> = LazyLock::new(|| {
    Files::iter()
        .filter_map(|name| {
            let language = name.strip_suffix(".toml")?.to_owned();
            let text = String::from_utf8(Files::get(&name)?.data.into_owned()).ok()?;
            Some((language, toml::from_str(&text).ok()?))
        })
        .collect()
});

/// Tells whether there are words in a language.
pub fn has(language: &str) -> bool {
    LANGUAGES.contains_key(language)
}

/// Returns the languages.
pub fn languages() -> impl Iterator<Item = &'static str> {
    LANGUAGES.keys().map(String::as_str)
}

/// Finds the words for a kind in the first of these languages that has them; English has all.
pub fn find(kind: &str, languages: &[&str]) -> Option<(&'static str, &'static Common, &'static KindWords)> {
    languages.iter().chain(&["en"]).find_map(|language| {
        let (language, words) = LANGUAGES.get_key_value(*language)?;
        Some((language.as_str(), &words.common, words.kinds.get(kind)?))
    })
}

/// Fills values in. What is no known value stays, and values are never filled again, so that no value can reach another.
pub fn fill(text: &str, values: &BTreeMap<String, String>) -> String {
    let mut filled = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once('{') {
        filled.push_str(head);
        let known = tail
            .split_once('}')
            .and_then(|(name, after)| Some((values.get(name)?, after)));
        if let Some((value, after)) = known {
            filled.push_str(value);
            rest = after;
        } else {
            filled.push('{');
            rest = tail;
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_every_kind_and_the_same_values() {
        assert_eq!(Files::iter().count(), LANGUAGES.len(), "a file cannot be read");
        let placeholders = |words: &KindWords| {
            let mut found: Vec<String> = [&words.subject, &words.heading, &words.button]
                .into_iter()
                .chain(&words.lines)
                .flat_map(|text| {
                    text.split('{')
                        .skip(1)
                        .map(|rest| rest.split('}').next().unwrap().to_owned())
                })
                .collect();
            found.sort_unstable();
            found.dedup();
            found
        };
        let english = &LANGUAGES["en"];
        for (language, words) in LANGUAGES.iter() {
            for (kind, expected) in &english.kinds {
                let found = words
                    .kinds
                    .get(kind)
                    .unwrap_or_else(|| panic!("{language} has no words for {kind}"));
                assert_eq!(placeholders(found), placeholders(expected), "{language}, {kind}");
            }
            assert_eq!(words.kinds.len(), english.kinds.len(), "{language}");
        }
    }

    #[test]
    fn values_are_filled_once_and_never_in_each_other() {
        let values = BTreeMap::from([
            ("name".to_owned(), "{secret}".to_owned()),
            ("secret".to_owned(), "swordfish".to_owned()),
        ]);
        assert_eq!(
            fill("Hello {name}, {unknown} {", &values),
            "Hello {secret}, {unknown} {"
        );
    }
}
