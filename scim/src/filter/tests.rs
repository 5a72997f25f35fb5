use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ScimType;
use crate::schema::{CustomAttribute, ENTERPRISE_URN};

fn parse_as(text: &str, kind: ResourceKind) -> Result<Filter, ScimError> {
    let mut badges = CustomAttribute::text("badges");
    badges.multi_valued = true;
    let mut level = CustomAttribute::text("level");
    level.kind = crate::schema::Kind::Integer;
    let schemas = Schemas::new(&[CustomAttribute::text("nfc"), badges, level]);
    Filter::parse(text, kind, &schemas, &Limits::default())
}

fn parse(text: &str) -> Filter {
    parse_as(text, ResourceKind::User).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> ScimError {
    let error = parse_as(text, ResourceKind::User).expect_err(text);
    assert_eq!(
        (error.status, error.scim_type),
        (400, Some(ScimType::InvalidFilter)),
        "{text}"
    );
    error
}

fn ada() -> Value {
    json!({
        "id": "2819c223",
        "externalId": "Obj-1",
        "userName": "Ada@Example.org",
        "name": { "givenName": "Ada", "familyName": "Lovelace" },
        "active": true,
        "title": "Countess \"of\" Lovelace",
        "emails": [
            { "value": "ada@example.org", "type": "work", "primary": true },
            { "value": "ada@home.example", "type": "home" },
        ],
        "x509Certificates": [{ "value": "MIIB" }],
        "groups": [{ "value": "g1" }],
        ENTERPRISE_URN: { "employeeNumber": "0042", "manager": { "value": "M1" } },
        "urn:provost:scim:schemas:extension:custom:2.0:User": { "badges": ["red", "blue"], "level": 5 },
        "meta": { "resourceType": "User", "lastModified": "2011-05-13T04:42:34Z" },
    })
}

/// Filter, and whether it finds Ada.
const FORMS: &[(&str, bool)] = &[
    ("userName eq \"ada@example.org\"", true),
    ("userName EQ \"ADA@EXAMPLE.ORG\"", true),
    ("USERNAME ne \"ada@example.org\"", false),
    ("externalId eq \"obj-1\"", false),
    ("externalId eq \"Obj-1\"", true),
    ("name.familyName co \"love\"", true),
    ("userName sw \"ada\"", true),
    ("userName ew \".ORG\"", true),
    ("title pr", true),
    ("nickName pr", false),
    ("nickName eq null", true),
    ("nickName ne null", false),
    ("title ne null", true),
    ("nickName ne \"x\"", true),
    ("emails pr", true),
    ("name pr", true),
    ("active eq true", true),
    ("active eq \"True\"", true),
    ("active eq false", false),
    ("active ne false", true),
    ("title eq \"countess \\\"of\\\" lovelace\"", true),
    ("title eq \"countess \\u0022of\\u0022 lovelace\"", true),
    ("meta.lastModified gt \"2011-05-13T04:42:33Z\"", true),
    ("meta.lastModified eq \"2011-05-13T06:42:34.000+02:00\"", true),
    ("meta.lastModified lt \"2011-05-13T04:42:34\"", false),
    ("meta.lastModified ge 2010-10-10T14:38:21.8617979-07:00", true),
    ("meta.resourceType eq User", true),
    ("emails eq \"ada@home.example\"", true),
    ("emails.value co \"home\"", true),
    (
        "emails.type eq \"home\" and emails.value co \"example.org\"",
        true,
    ),
    ("emails[type eq \"home\" and value co \"example.org\"]", false),
    ("emails[type eq \"home\" and value co \"home\"]", true),
    ("emails[type eq \"work\"].value eq \"ada@example.org\"", true),
    ("emails[type eq \"home\"].value eq \"ada@example.org\"", false),
    ("emails[not (type eq \"work\")].value sw \"ada\"", true),
    ("emails[primary eq \"True\"].value pr", true),
    ("emails ne \"nobody@example.org\"", true),
    ("emails ne \"ada@example.org\"", false),
    (
        "urn:ietf:params:scim:schemas:core:2.0:User:userName sw \"A\"",
        true,
    ),
    (
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq \"0042\"",
        true,
    ),
    (
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq \"M1\"",
        true,
    ),
    (
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager[value eq \"M1\"]",
        true,
    ),
    ("manager eq \"M1\"", true),
    ("manager eq \"m1\"", false),
    ("id eq \"2819c223\" and manager eq \"M1\"", true),
    ("groups eq \"g1\"", true),
    ("groups.value eq \"g2\"", false),
    ("badges eq \"blue\"", true),
    ("badges[value eq \"blue\"]", true),
    ("badges.value sw \"gr\"", false),
    ("level eq 5", true),
    ("level ge 4.5", true),
    ("level lt \"5\"", false),
    ("userName gt \"abc\"", true),
    ("userName le \"abc\"", false),
    ("x509Certificates.value eq \"MIIB\"", true),
    ("x509Certificates.value eq \"miib\"", false),
    ("schemas pr", false),
    // precedence: () > not > and > or
    ("title pr or nickName pr and nickName pr", true),
    ("(title pr or nickName pr) and nickName pr", false),
    ("not (nickName pr) and title pr", true),
    ("not(title pr)or title pr", true),
    ("not (title pr or nickName pr)", false),
    ("nickName pr or title pr AND active eq true OR nickName pr", true),
    // unquoted, as in Microsoft's documents and test collection
    ("userName sw A", true),
    (
        "name.FamilyName eq Lovelace and (emails.Value co example.com or emails.Value co example.org)",
        true,
    ),
    // 1.1 names
    ("urn:scim:schemas:core:1.0:userName eq \"ada@example.org\"", true),
    (
        "urn:scim:schemas:extension:enterprise:1.0:manager.managerId eq \"M1\"",
        true,
    ),
];

#[test]
fn r150_every_form_of_the_grammar_finds_what_it_should() {
    let ada = ada();
    for (text, expected) in FORMS {
        assert_eq!(parse(text).matches(&ada), *expected, "{text}");
    }
}

#[test]
fn members_are_found_by_their_value() {
    let group = json!({ "displayName": "G", "members": [{ "value": "u1" }] });
    for text in [
        "members eq \"u1\"",
        "members[value eq \"u1\"]",
        "members.value eq \"u1\" and displayName eq g",
    ] {
        assert!(
            parse_as(text, ResourceKind::Group).unwrap().matches(&group),
            "{text}"
        );
    }
    assert!(
        !parse_as("members eq \"U1\"", ResourceKind::Group)
            .unwrap()
            .matches(&group)
    );
}

#[test]
fn a_complex_attribute_stands_for_its_value() {
    let Filter::Compare(comparison) = parse("emails eq \"x\"") else {
        panic!("not a comparison")
    };
    assert_eq!(comparison.path.sub.as_deref(), Some("value"));
    assert!(comparison.path.multi_valued && !comparison.path.case_exact);
    let Filter::Compare(comparison) = parse("manager eq \"x\"") else {
        panic!("not a comparison")
    };
    assert_eq!(
        comparison.path.to_string(),
        format!("{ENTERPRISE_URN}:manager.value")
    );
    assert!(comparison.path.case_exact && !comparison.path.multi_valued);
}

#[test]
fn an_unknown_attribute_is_refused_and_never_finds_everything() {
    for text in [
        "shoeSize eq 1",
        "name.nick eq 1",
        "emails[shoe eq 1]",
        "urn:x:y:z eq 1",
        "userName.value eq 1",
        "emails.a.b eq 1",
        "manager.shoe pr",
        "urn:ietf:params:scim:schemas:core:2.0:User pr",
        "members eq \"u1\"",
    ] {
        refused(text);
    }
}

#[test]
fn a_password_cannot_be_asked_for() {
    refused("password eq \"x\"");
    refused("password sw \"x\"");
    refused("password pr");
}

#[test]
fn comparisons_that_make_no_sense_are_refused() {
    for text in [
        "active gt true",
        "active co \"t\"",
        "active eq \"yes\"",
        "active eq 1",
        "x509Certificates.value gt \"a\"",
        "level eq \"many\"",
        "level co 5",
        "level eq NaN",
        "level eq inf",
        "meta.created gt \"yesterday\"",
        "meta.created co \"2011\"",
        "meta.created gt \"2011-05-13\"",
        "name eq \"Ada\"",
        "addresses eq \"x\"",
        "title gt null",
        "title co null",
        "userName[value eq \"x\"]",
    ] {
        refused(text);
    }
}

#[test]
fn broken_syntax_is_refused() {
    for text in [
        "",
        " ",
        "RAWTEXT",
        "userName",
        "userName eq",
        "userName eq \"x",
        "userName eq \"x\" and",
        "and",
        "not",
        "(userName pr",
        "userName pr)",
        "userName pr userName pr",
        "userName is \"x\"",
        "userName eq (\"x\")",
        "emails[type eq \"work\"",
        "emails[]",
        "emails[type eq \"work\"]]",
        "emails[emails[value pr]]",
        "()",
        "not ()",
        "userName eq \"\\x\"",
        "emails[type pr].shoe eq 1",
        "emails.value[type pr]",
        "\"userName\" eq \"x\"",
        "[",
        "]",
    ] {
        refused(text);
    }
}

#[test]
fn the_limits_hold_in_front_of_recursion() {
    let deep = |levels: usize| format!("{}title pr{}", "(".repeat(levels), ")".repeat(levels));
    parse(&deep(16));
    refused(&deep(17));
    let terms = |count: usize| vec!["title pr"; count].join(" or ");
    parse(&terms(64));
    refused(&terms(65));
    refused(&terms(10_000));
    refused(&format!("title eq \"{}\"", "x".repeat(5_000)));
    let not = |levels: usize| format!("{}title pr{}", "not (".repeat(levels), ")".repeat(levels));
    refused(&not(17));
}

#[test]
fn a_hundred_thousand_levels_are_an_error_even_without_a_limit_on_length() {
    let limits = Limits {
        chars: usize::MAX,
        ..Limits::default()
    };
    let schemas = Schemas::default();
    for text in [
        "(".repeat(100_000),
        "not (".repeat(100_000),
        "emails[".repeat(100_000),
    ] {
        let error = Filter::parse(&text, ResourceKind::User, &schemas, &limits).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidFilter));
    }
}

#[test]
fn r151_the_filters_of_1_1_are_a_subset() {
    let schemas = Schemas::default();
    let v1 = |text| Filter::parse_v1(text, ResourceKind::User, &schemas, &Limits::default());
    for text in [
        "userName eq \"x\"",
        "title pr and (userType co \"x\" or userType sw \"y\")",
        "meta.created ge \"2011-05-13T04:42:34Z\"",
    ] {
        assert_eq!(
            v1(text),
            Filter::parse(text, ResourceKind::User, &schemas, &Limits::default()),
            "{text}"
        );
    }
    for text in [
        "userName ne \"x\"",
        "userName ew \"x\"",
        "not (title pr)",
        "emails[type eq \"work\"]",
        "RAWTEXT",
    ] {
        assert_eq!(
            v1(text).unwrap_err().scim_type,
            Some(ScimType::InvalidFilter),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        let _ = parse_as(&text, ResourceKind::User);
    }

    #[test]
    fn text_of_filter_words_never_panics(words in proptest::collection::vec(
        prop_oneof![
            Just("("), Just(")"), Just("["), Just("]"), Just("not"), Just("and"), Just("or"), Just("eq"), Just("pr"),
            Just("userName"), Just("emails"), Just(".value"), Just("\"x\""), Just("active"), Just("true"), Just("null"),
        ], 0..40)) {
        if let Ok(filter) = parse_as(&words.join(" "), ResourceKind::User) {
            filter.matches(&ada());
        }
    }

    #[test]
    fn not_turns_the_answer_around(index in 0_usize..6) {
        let filters = ["title pr", "nickName pr", "emails eq \"x\"", "badges eq red", "level gt 3", "manager ne \"M1\""];
        let plain = parse(filters[index]);
        let turned = parse(&format!("not ({})", filters[index]));
        prop_assert_ne!(plain.matches(&ada()), turned.matches(&ada()));
    }
}

/// A formula of comparisons that hold or do not.
#[derive(Clone, Debug)]
enum Formula {
    Atom(bool),
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
}

impl Formula {
    fn holds(&self) -> bool {
        match self {
            Self::Atom(holds) => *holds,
            Self::Not(inner) => !inner.holds(),
            Self::And(all) => all.iter().all(Self::holds),
            Self::Or(any) => any.iter().any(Self::holds),
        }
    }

    /// Writes it with no more parentheses than the grammar needs.
    fn written(&self) -> String {
        let joined = |formulas: &[Self], word: &str, needs: fn(&Self) -> bool| {
            let written = formulas.iter().map(|formula| {
                let text = formula.written();
                if needs(formula) { format!("({text})") } else { text }
            });
            written.collect::<Vec<_>>().join(word)
        };
        match self {
            Self::Atom(true) => "title pr".to_owned(),
            Self::Atom(false) => "nickName pr".to_owned(),
            Self::Not(inner) => format!("not ({})", inner.written()),
            Self::And(all) => joined(all, " and ", |formula| matches!(formula, Self::Or(_))),
            Self::Or(any) => joined(any, " or ", |_| false),
        }
    }
}

fn formula() -> impl Strategy<Value = Formula> {
    any::<bool>()
        .prop_map(Formula::Atom)
        .prop_recursive(4, 40, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|inner| Formula::Not(Box::new(inner))),
                proptest::collection::vec(inner.clone(), 2..4).prop_map(Formula::And),
                proptest::collection::vec(inner, 2..4).prop_map(Formula::Or),
            ]
        })
}

proptest! {
    #[test]
    fn precedence_is_that_of_the_grammar(formula in formula()) {
        let text = formula.written();
        if let Ok(filter) = parse_as(&text, ResourceKind::User) {
            prop_assert_eq!(filter.matches(&ada()), formula.holds(), "{}", text);
        } else {
            let terms = text.matches(" pr").count();
            prop_assert!(terms > 64, "{}", text);
        }
    }

    #[test]
    fn any_text_is_found_by_itself(value in "\\PC{0,30}", exact in any::<bool>()) {
        let name = if exact { "externalId" } else { "title" };
        let literal = Value::from(value.as_str()).to_string();
        for operator in ["eq", "co", "sw", "ew", "ge", "le"] {
            let filter = parse(&format!("{name} {operator} {literal}"));
            prop_assert!(filter.matches(&json!({ name: value })), "{operator}");
        }
        let unlike = parse(&format!("{name} ne {literal}")).matches(&json!({ name: value }));
        prop_assert!(!unlike);
    }
}
