//! The words of the guides: one file per language under `server/languages/guides`, in the words of each product's own screens.
//! Never asks anything.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::super::words::Language;

/// Lines of the guides, by product and part: `saml`, `oidc`, `scim`, `saml_claims`, `oidc_claims`.
type Texts = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// `text`, `screen` for what stands on the product's screen, or `value` for what is to be copied.
    pub(super) kind: &'static str,
    /// What it says.
    pub(super) text: String,
}

fn texts(language: Language) -> &'static Texts {
    static EN: LazyLock<Texts> = LazyLock::new(|| read(include_str!("../../../languages/guides/en.toml")));
    static DE: LazyLock<Texts> = LazyLock::new(|| read(include_str!("../../../languages/guides/de.toml")));
    match language {
        Language::En => &EN,
        Language::De => &DE,
    }
}

fn read(source: &str) -> Texts {
    toml::from_str(source).unwrap_or_default()
}

/// Returns the lines of a part of a guide, with the values in their places.
pub(super) fn lines(
    language: Language,
    guide: &str,
    part: &str,
    values: &[(&str, String)],
) -> Vec<Vec<Piece>> {
    texts(language)
        .get(guide)
        .and_then(|parts| parts.get(part))
        .map(|lines| lines.iter().map(|line| pieces(line, values)).collect())
        .unwrap_or_default()
}

/// Cuts a line: `**…**` stands on the product's screen, `{name}` is a value of ours.
fn pieces(line: &str, values: &[(&str, String)]) -> Vec<Piece> {
    let mut found = Vec::new();
    for (place, part) in line.split("**").enumerate() {
        if place % 2 == 1 {
            found.push(Piece {
                kind: "screen",
                text: part.to_owned(),
            });
            continue;
        }
        let mut rest = part;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, behind)) = after.split_once('}') else {
                break;
            };
            let Some((_, value)) = values.iter().find(|(known, _)| *known == name) else {
                break;
            };
            add(&mut found, "text", before);
            add(&mut found, "value", value);
            rest = behind;
        }
        add(&mut found, "text", rest);
    }
    found
}

fn add(found: &mut Vec<Piece>, kind: &'static str, text: &str) {
    if !text.is_empty() {
        found.push(Piece {
            kind,
            text: text.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use provost_kernel::connection::Protocol;

    use super::{Language, Piece, lines, pieces, texts};
    use crate::flow::setup::guides::GUIDES;

    /// What lines may name.
    const VALUES: &[&str] = &[
        "acs",
        "entity_id",
        "metadata",
        "redirect",
        "start",
        "scim_url",
        "slo",
    ];

    fn part_of(protocol: Protocol) -> &'static str {
        match protocol {
            Protocol::Saml => "saml",
            Protocol::Oidc => "oidc",
        }
    }

    #[test]
    fn every_guide_has_every_part_in_every_language() {
        for language in Language::ALL {
            let all = texts(*language);
            for guide in GUIDES {
                let parts = all
                    .get(guide.id)
                    .unwrap_or_else(|| panic!("{language:?} {}", guide.id));
                for protocol in guide.protocols {
                    let part = part_of(*protocol);
                    assert!(!parts[part].is_empty(), "{} {part}", guide.id);
                    assert!(
                        !parts[&format!("{part}_claims")].is_empty(),
                        "{} {part}",
                        guide.id
                    );
                }
                assert!(!parts["scim"].is_empty(), "{}", guide.id);
            }
            assert_eq!(all.len(), GUIDES.len(), "{language:?}");
        }
    }

    #[test]
    fn languages_name_the_same_screens_and_values() {
        let english = texts(Language::En);
        for language in Language::ALL {
            for (guide, parts) in texts(*language) {
                assert_eq!(parts.len(), english[guide].len(), "{language:?} {guide}");
                for (part, found) in parts {
                    let expected = &english[guide][part];
                    assert_eq!(found.len(), expected.len(), "{language:?} {guide} {part}");
                    for (line, original) in found.iter().zip(expected) {
                        assert_eq!(
                            marks(line),
                            marks(original),
                            "{language:?} {guide} {part}: {line}"
                        );
                    }
                }
            }
        }
    }

    /// The screens and values of a line, in order of the alphabet: sentences are built differently.
    fn marks(line: &str) -> Vec<String> {
        assert!(line.matches("**").count().is_multiple_of(2), "{line}");
        let values: Vec<(&str, String)> = VALUES.iter().map(|name| (*name, format!("<{name}>"))).collect();
        let pieces = pieces(line, &values);
        assert!(
            pieces
                .iter()
                .all(|piece| piece.kind == "screen" || !piece.text.contains('{')),
            "{line}"
        );
        let mut found: Vec<String> = pieces
            .into_iter()
            .filter(|piece| piece.kind != "text")
            .map(|piece| piece.text)
            .collect();
        found.sort();
        found
    }

    #[test]
    fn a_line_is_cut_at_screens_and_values() {
        let values = [("acs", "https://x/acs".to_owned())];
        let piece = |kind, text: &str| Piece {
            kind,
            text: text.to_owned(),
        };
        assert_eq!(
            pieces("Put {acs} into **ACS URL**.", &values),
            [
                piece("text", "Put "),
                piece("value", "https://x/acs"),
                piece("text", " into "),
                piece("screen", "ACS URL"),
                piece("text", "."),
            ]
        );
        assert!(lines(Language::En, "nothing", "saml", &[]).is_empty());
    }
}
