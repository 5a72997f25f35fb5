use super::*;

fn with_nfc() -> Schemas {
    Schemas::new(&[CustomAttribute::text("nfc")])
}

#[test]
fn every_attribute_of_the_rfc_is_in_the_table() {
    let schemas = Schemas::default();
    for name in [
        "userName",
        "name",
        "displayName",
        "nickName",
        "profileUrl",
        "title",
        "userType",
        "preferredLanguage",
        "locale",
        "timezone",
        "active",
        "password",
        "emails",
        "phoneNumbers",
        "ims",
        "photos",
        "addresses",
        "groups",
        "entitlements",
        "roles",
        "x509Certificates",
        "id",
        "externalId",
        "meta",
        "schemas",
    ] {
        let found = schemas.find(ResourceKind::User, None, &name.to_uppercase());
        let found = found.unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(
            (found.attribute.name.as_str(), found.extension, found.exact),
            (name, None, true)
        );
    }
    for name in [
        "employeeNumber",
        "costCenter",
        "organization",
        "division",
        "department",
        "manager",
    ] {
        let found = schemas
            .find(ResourceKind::User, Some(ENTERPRISE_URN), name)
            .unwrap();
        assert_eq!((found.extension, found.exact), (Some(ENTERPRISE_URN), true));
    }
}

#[test]
fn r83_an_added_attribute_is_found_below_any_urn() {
    let schemas = with_nfc();
    for (urn, exact) in [
        (None, false),
        (Some("urn:okta:acme_1:1.0:user:custom"), false),
        (Some(CUSTOM_URN), true),
    ] {
        let found = schemas.find(ResourceKind::User, urn, "NFC").unwrap();
        assert_eq!(
            (found.extension, found.exact),
            (Some(CUSTOM_URN), exact),
            "{urn:?}"
        );
    }
    assert_eq!(schemas.find(ResourceKind::Group, None, "nfc"), None);
    assert_eq!(schemas.find(ResourceKind::Group, Some("urn:x:y"), "nfc"), None);
    assert_eq!(Schemas::default().find(ResourceKind::User, None, "nfc"), None);
}

#[test]
fn an_enterprise_attribute_at_core_level_is_found_but_not_exact() {
    let schemas = Schemas::default();
    let found = schemas.find(ResourceKind::User, None, "manager").unwrap();
    assert_eq!((found.extension, found.exact), (Some(ENTERPRISE_URN), false));
    assert_eq!(schemas.find(ResourceKind::User, Some(USER_URN), "manager"), None);
}

#[test]
fn a_urn_is_split_on_the_last_known_one() {
    let schemas = with_nfc();
    let cases = [
        ("userName", None, "userName"),
        ("name.givenName", None, "name.givenName"),
        (USER_URN, Some(USER_URN), ""),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
            Some(ENTERPRISE_URN),
            "manager.value",
        ),
        (
            "URN:ietf:params:scim:schemas:core:2.0:user:name.givenName",
            Some("URN:ietf:params:scim:schemas:core:2.0:user"),
            "name.givenName",
        ),
        (
            "urn:scim:schemas:core:1.0:userName",
            Some("urn:scim:schemas:core:1.0"),
            "userName",
        ),
    ];
    for (text, urn, rest) in cases {
        assert_eq!(
            schemas.split_urn(text),
            UrnSplit {
                urn,
                rest,
                known: true
            },
            "{text}"
        );
    }
    let unknown = schemas.split_urn("urn:okta:acme:1.0:user:custom:nfc");
    assert_eq!(
        unknown,
        UrnSplit {
            urn: Some("urn:okta:acme:1.0:user:custom"),
            rest: "nfc",
            known: false
        }
    );
}

#[test]
fn the_urns_of_1_1_name_the_same_attributes() {
    let schemas = Schemas::default();
    let core = schemas.find(ResourceKind::User, Some("urn:scim:schemas:core:1.0"), "userName");
    assert_eq!(core.unwrap().extension, None);
    let old = Some("urn:scim:schemas:extension:enterprise:1.0");
    assert_eq!(
        schemas
            .find(ResourceKind::User, old, "department")
            .unwrap()
            .extension,
        Some(ENTERPRISE_URN)
    );
}

#[test]
fn names_that_cannot_be_addressed_are_not_added() {
    for name in ["", "1st", "a b", "a.b", "urn:x", "ü", "$ref", &"a".repeat(65)] {
        assert!(!CustomAttribute::is_valid_name(name), "{name}");
    }
    let schemas = Schemas::new(&[CustomAttribute::text("a.b"), CustomAttribute::text("badge-no_1")]);
    let names: Vec<_> = schemas
        .custom()
        .unwrap()
        .attributes
        .iter()
        .map(|a| a.name.as_str())
        .collect();
    assert_eq!(names, ["badge-no_1"]);
}

#[test]
fn the_characteristics_of_single_attributes() {
    let schemas = Schemas::default();
    let find = |name| schemas.find(ResourceKind::User, None, name).unwrap().attribute;
    assert_eq!(find("userName").uniqueness, Uniqueness::Server);
    assert!(find("userName").required && !find("userName").case_exact);
    assert!(find("externalId").case_exact && find("id").case_exact);
    assert_eq!(find("password").returned, Returned::Never);
    assert_eq!(
        find("groups").sub("value").unwrap().mutability,
        Mutability::ReadOnly
    );
    assert_eq!(find("x509Certificates").sub("value").unwrap().kind, Kind::Binary);
    assert_eq!(
        find("emails").sub("TYPE").unwrap().canonical_values,
        ["work", "home", "other"]
    );
    let members = schemas
        .find(ResourceKind::Group, None, "members")
        .unwrap()
        .attribute;
    assert_eq!(members.mutability, Mutability::ReadWrite);
    assert_eq!(members.sub("value").unwrap().mutability, Mutability::Immutable);
}

impl Schemas {
    /// Adds an attribute to the core user schema: the tables hold no immutable one.
    pub(crate) fn add_for_tests(&mut self, attribute: Attribute) {
        self.user.attributes.push(Arc::new(attribute));
    }
}
