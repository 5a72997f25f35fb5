use serde_json::json;

use super::AttributeSource::{Manual, Oidc, Saml, Scim};
use super::*;

fn definition(winner: AttributeWinner) -> AttributeDefinition {
    AttributeDefinition {
        winner,
        ..AttributeDefinition::text("nfc")
    }
}

fn held(source: Option<AttributeSource>) -> Values {
    let mut values = Values::default();
    if let Some(source) = source {
        values.values.insert("nfc".to_owned(), json!("old"));
        values.sources.insert("nfc".to_owned(), source);
    }
    values
}

#[test]
fn c28_the_winner_decides_whose_value_stands() {
    use AttributeWinner::{Directory, Latest, Manual as ByHand};
    // Winner, who gave the old value, who says a new one, whether it is taken over.
    let cases = [
        (Directory, Scim, Scim, true),
        (Directory, Scim, Saml, false),
        (Directory, Scim, Manual, false),
        (Directory, Saml, Manual, false),
        (Directory, Saml, Oidc, true),
        (Directory, Saml, Scim, true),
        (Directory, Manual, Scim, true),
        (Directory, Manual, Oidc, true),
        (Directory, Manual, Manual, true),
        (ByHand, Manual, Scim, false),
        (ByHand, Manual, Saml, false),
        (ByHand, Scim, Manual, true),
        (ByHand, Scim, Oidc, false),
        (ByHand, Oidc, Scim, true),
        (Latest, Scim, Manual, true),
        (Latest, Manual, Scim, true),
        (Latest, Scim, Saml, true),
    ];
    for (winner, old, new, wins) in cases {
        let case = format!("{winner:?}: {new:?} over {old:?}");
        let mut values = held(Some(old));
        let said = values.say(&[definition(winner)], new, "nfc", Some(&json!("new")));
        if wins {
            assert_eq!(said, Ok(true), "{case}");
            assert_eq!(
                (&values.values["nfc"], values.sources["nfc"]),
                (&json!("new"), new),
                "{case}"
            );
        } else {
            assert_eq!(said, Err(Kept::StandsBefore(old)), "{case}");
            assert_eq!(values, held(Some(old)), "{case}");
        }
    }
    for source in AttributeSource::all() {
        let mut values = held(None);
        for winner in [Directory, ByHand, Latest] {
            assert!(
                values
                    .say(&[definition(winner)], source, "nfc", Some(&json!("x")))
                    .is_ok()
            );
        }
    }
}

#[test]
fn r84_a_removed_value_empties_what_the_same_source_gave_and_nothing_else() {
    use AttributeWinner::{Directory, Latest, Manual as ByHand};
    for winner in [Directory, ByHand, Latest] {
        for old in AttributeSource::all() {
            for source in [Scim, Saml, Oidc] {
                for nothing in [None, Some(json!(null)), Some(json!("")), Some(json!([]))] {
                    let mut values = held(Some(old));
                    let said = values.say(&[definition(winner)], source, "nfc", nothing.as_ref());
                    assert_eq!(said, Ok(old == source), "{winner:?} {old:?} {source:?}");
                    assert_eq!(values.values.is_empty(), old == source);
                }
            }
            // By hand: what may be set may be emptied.
            let mut values = held(Some(old));
            let said = values.say(&[definition(winner)], Manual, "nfc", None);
            let may = winner != Directory || old == Manual;
            assert_eq!(said.is_ok(), may, "{winner:?} {old:?}");
            assert_eq!(values.values.is_empty(), may);
        }
    }
}

#[test]
fn r83_only_the_sources_named_set_an_attribute() {
    let only = AttributeDefinition {
        sources: vec![Saml],
        ..AttributeDefinition::text("nfc")
    };
    for source in [Scim, Oidc, Manual] {
        let mut values = held(None);
        let said = values.say(std::slice::from_ref(&only), source, "nfc", Some(&json!("1")));
        assert_eq!(said, Err(Kept::NotAllowed));
    }
    assert_eq!(held(None).say(&[only], Saml, "nfc", Some(&json!("1"))), Ok(true));
}

#[test]
fn r83_values_are_read_as_the_type_says() {
    use AttributeKind::{Boolean, DateTime, Decimal, Integer, Reference, String};
    let cases = [
        (String, false, json!(["04:a2"]), Some(json!("04:a2"))),
        (String, false, json!(47), Some(json!("47"))),
        (String, true, json!("a"), Some(json!(["a"]))),
        (Boolean, false, json!("True"), Some(json!(true))),
        (Integer, false, json!(["12"]), Some(json!(12))),
        (Decimal, false, json!("1.5"), Some(json!(1.5))),
        (
            DateTime,
            false,
            json!("2026-01-01T00:00:00Z"),
            Some(json!("2026-01-01T00:00:00Z")),
        ),
        (
            Reference,
            true,
            json!(["https://a.example"]),
            Some(json!(["https://a.example"])),
        ),
        (String, false, json!([]), None),
        (Integer, false, json!(""), None),
    ];
    for (kind, multi_valued, value, wanted) in cases {
        let definition = AttributeDefinition {
            kind,
            multi_valued,
            ..AttributeDefinition::text("x")
        };
        assert_eq!(definition.read(Some(&value)), Ok(wanted), "{kind:?} {value}");
    }
    for (kind, value) in [
        (Boolean, json!("yes")),
        (Integer, json!("1.5")),
        (Decimal, json!("NaN")),
        (DateTime, json!("tomorrow")),
        (String, json!({"a": 1})),
        (String, json!(["a", "b"])),
    ] {
        let definition = AttributeDefinition {
            kind,
            ..AttributeDefinition::text("x")
        };
        assert_eq!(definition.read(Some(&value)), Err(Mistyped), "{kind:?} {value}");
    }
}

#[test]
fn claims_are_found_by_their_name_and_along_dots() {
    let claims = json!({ "a.b": 1, "c": { "d": { "e": "deep" } }, "nfc": "plain" });
    let claims = claims.as_object().unwrap();
    for (claim, found) in [
        (Some("a.b"), Some(json!(1))),
        (Some("c.d.e"), Some(json!("deep"))),
        (Some("c.x"), None),
        (None, Some(json!("plain"))),
    ] {
        let definition = AttributeDefinition {
            claim: claim.map(str::to_owned),
            ..AttributeDefinition::text("nfc")
        };
        assert_eq!(definition.find(claims), found.as_ref());
    }
}
