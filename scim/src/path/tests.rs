use super::*;
use crate::schema::{CUSTOM_URN, CustomAttribute, ENTERPRISE_URN, Schemas};
use crate::{Mode, ResourceKind, ScimType};

fn parse(text: &str, mode: Mode) -> Result<Path, crate::ScimError> {
    let schemas = Schemas::new(&[CustomAttribute::text("nfc")]);
    Path::parse(text, ResourceKind::User, &schemas, mode)
}

fn known(text: &str) -> KnownPath {
    match parse(text, Mode::Compat) {
        Ok(Path::Known(path)) => path,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn paths_are_resolved_to_the_true_spelling() {
    let cases = [
        ("USERNAME", None, "userName", None, false),
        ("name.givenname", None, "name", Some("givenName"), false),
        (
            "emails[type eq \"work\"].VALUE",
            None,
            "emails",
            Some("value"),
            true,
        ),
        (
            "urn:ietf:params:scim:schemas:core:2.0:User:name.familyName",
            None,
            "name",
            Some("familyName"),
            false,
        ),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
            Some(ENTERPRISE_URN),
            "manager",
            None,
            false,
        ),
        (
            "urn:okta:acme_1:1.0:user:custom:nfc",
            Some(CUSTOM_URN),
            "nfc",
            None,
            false,
        ),
        (
            "manager[value eq \"m.1]\"]",
            Some(ENTERPRISE_URN),
            "manager",
            None,
            true,
        ),
        (
            "manager.managerId",
            Some(ENTERPRISE_URN),
            "manager",
            Some("value"),
            false,
        ),
    ];
    for (text, extension, name, sub, filtered) in cases {
        let path = known(text);
        assert_eq!(path.extension.as_deref(), extension, "{text}");
        assert_eq!(path.attribute.name, name, "{text}");
        assert_eq!(path.sub.as_deref(), sub, "{text}");
        assert_eq!(path.filter.is_some(), filtered, "{text}");
    }
}

#[test]
fn a_bare_urn_is_a_whole_extension() {
    assert_eq!(
        parse(ENTERPRISE_URN, Mode::Strict),
        Ok(Path::Extension(ENTERPRISE_URN.to_owned()))
    );
    assert!(parse("urn:ietf:params:scim:schemas:core:2.0:Group", Mode::Compat).is_err());
}

#[test]
fn unknown_attributes_are_foreign_in_compat_and_refused_in_strict() {
    let path = parse("urn:acme:scim:1.0:shoeSize.left", Mode::Compat);
    assert_eq!(
        path,
        Ok(Path::Foreign(ForeignPath {
            extension: Some("urn:acme:scim:1.0".to_owned()),
            attribute: "shoeSize".to_owned(),
            sub: Some("left".to_owned()),
        }))
    );
    for text in ["shoeSize", "urn:acme:scim:1.0:shoeSize", "manager", "name.nick"] {
        let error = parse(text, Mode::Strict).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidPath), "{text}");
    }
}

#[test]
fn broken_paths_are_refused_in_both_modes() {
    let cases = [
        "",
        " ",
        ".",
        "a.",
        ".a",
        "emails[",
        "emails[]",
        "emails]",
        "emails[type eq \"work\"",
        "a b",
        "emails..value",
        "emails[type eq \"work\"]value",
        "emails[type eq \"work\"].",
        "emails.a[type eq \"work\"].b",
        "name.a.b.c",
        "userName.value",
        "userName[value eq 1]",
        ":x",
        "urn:",
        "1x",
        "ü",
        "shoe[size eq 1]",
        "emails[shoe eq 1]",
    ];
    for text in cases {
        for mode in [Mode::Compat, Mode::Strict] {
            let error = parse(text, mode).expect_err(text);
            assert_eq!(error.status, 400, "{text}");
        }
    }
}

#[test]
fn hostile_paths_do_not_recurse() {
    for text in [
        "[".repeat(100_000),
        "(".repeat(4000),
        format!("emails[{}", "(".repeat(4000)),
        "a.".repeat(100_000),
    ] {
        assert_eq!(parse(&text, Mode::Compat).unwrap_err().status, 400);
    }
}
