//! The words of the console: one file per language under `server/languages`, every text of a page by its key.
//!
//! A third language is a third file and a line in [`Language`]. Tests hold the files to the same keys and the templates to
//! words from here.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::LazyLock;

use axum::http::{HeaderMap, header};

/// A language of the console.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

impl Language {
    /// Every language.
    pub const ALL: &'static [Self] = &[Self::En, Self::De];

    /// Returns the code (BCP 47).
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }

    /// Returns its name in itself.
    pub const fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::De => "Deutsch",
        }
    }

    /// Finds a language by its code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|language| language.code() == code)
    }

    /// Chooses the language that a browser likes best, English if it names none of ours.
    pub fn accepted(headers: &HeaderMap) -> Self {
        let accepted = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let mut best = (0.0_f32, Self::default());
        for part in accepted.split(',').take(20) {
            let (tag, rest) = part.split_once(';').unwrap_or((part, ""));
            let primary = tag
                .trim()
                .split('-')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            let weight = match rest.trim().strip_prefix("q=") {
                None => 1.0,
                Some(weight) => weight.parse().unwrap_or(0.0),
            };
            if let Some(language) = Self::parse(&primary)
                && weight > best.0
            {
                best = (weight, language);
            }
        }
        best.1
    }

    fn source(self) -> &'static str {
        match self {
            Self::En => include_str!("../../languages/en.toml"),
            Self::De => include_str!("../../languages/de.toml"),
        }
    }

    fn texts(self) -> &'static BTreeMap<String, String> {
        static EN: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| read(Language::En.source()));
        static DE: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| read(Language::De.source()));
        match self {
            Self::En => &EN,
            Self::De => &DE,
        }
    }

    /// Returns the text of a key; the key itself where there is none, so that a page still says something.
    pub fn text(self, key: &'static str) -> &'static str {
        self.texts().get(key).map_or(key, String::as_str)
    }

    /// Returns the text of a key that was made of data, such as the name of an event; none where there is none.
    pub fn known(self, key: &str) -> Option<&'static str> {
        self.texts().get(key).map(String::as_str)
    }

    /// Returns every key with this beginning, and its text.
    pub fn part(self, beginning: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.texts()
            .iter()
            .filter(move |(key, _)| key.starts_with(beginning))
            .map(|(key, text)| (key.as_str(), text.as_str()))
    }

    /// Returns the text of a key with values in the places `{0}`, `{1}` and so on.
    pub fn with(self, key: &'static str, values: &[&dyn Display]) -> String {
        values
            .iter()
            .enumerate()
            .fold(self.text(key).to_owned(), |text, (place, value)| {
                text.replace(&format!("{{{place}}}"), &value.to_string())
            })
    }
}

/// Reads a file of texts: tables of keys, joined by dots.
fn read(source: &str) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    if let Ok(table) = source.parse::<toml::Table>() {
        flatten("", &table, &mut texts);
    }
    texts
}

fn flatten(before: &str, table: &toml::Table, texts: &mut BTreeMap<String, String>) {
    for (name, value) in table {
        let key = if before.is_empty() {
            name.clone()
        } else {
            format!("{before}.{name}")
        };
        match value {
            toml::Value::String(text) => drop(texts.insert(key, text.clone())),
            toml::Value::Table(inner) => flatten(&key, inner, texts),
            toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
