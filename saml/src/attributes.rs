//! Well-known attribute names of the common identity providers, turned into one set of fields.
//!
//! Owns the table of names. Never decides which account is meant and never trusts an address: whether an
//! e-mail may match anybody is decided elsewhere, by verified domain.
//!
//! Rules: names are compared without regard to ASCII case, because administrators type them by hand;
//! values are never folded. For each field the first name of its list that carries a value that is not
//! blank wins, so a URI beats a short name only where the list says so. `FriendlyName` is ignored.

use crate::response::{Attribute, NameId, VerifiedAssertion};

/// The NameID format of e-mail addresses.
pub const FORMAT_EMAIL: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
/// The NameID format of opaque, lasting identifiers.
pub const FORMAT_PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
/// The NameID format of identifiers that change with each sign-in: useless as an account key.
pub const FORMAT_TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
/// The unspecified NameID format.
pub const FORMAT_UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";

/// E-mail: DocuSign style short name, WS-Federation claim (Entra, AD FS), Okta, Google, Keycloak, eduPerson.
const EMAIL: &[&str] = &[
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "http://schemas.xmlsoap.org/claims/EmailAddress",
    "urn:oid:0.9.2342.19200300.100.1.3",
    "urn:mace:dir:attribute-def:mail",
    "emailaddress",
    "email",
    "mail",
    "email_address",
    "user.email",
];
const GIVEN_NAME: &[&str] = &[
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
    "urn:oid:2.5.4.42",
    "urn:mace:dir:attribute-def:givenName",
    "givenname",
    "given_name",
    "firstname",
    "first_name",
    "user.firstName",
];
const FAMILY_NAME: &[&str] = &[
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname",
    "urn:oid:2.5.4.4",
    "urn:mace:dir:attribute-def:sn",
    "surname",
    "sn",
    "family_name",
    "familyname",
    "lastname",
    "last_name",
    "user.lastName",
];
const DISPLAY_NAME: &[&str] = &[
    "http://schemas.microsoft.com/identity/claims/displayname",
    "urn:oid:2.16.840.1.113730.3.1.241",
    "urn:mace:dir:attribute-def:displayName",
    "displayname",
    "display_name",
    "urn:oid:2.5.4.3",
    "cn",
    "http://schemas.xmlsoap.org/claims/CommonName",
];
/// In Entra and AD FS the `name` claim is the sign-in name, not a display name.
const USER_NAME: &[&str] = &[
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.6",
    "urn:oid:0.9.2342.19200300.100.1.1",
    "urn:mace:dir:attribute-def:uid",
    "upn",
    "userprincipalname",
    "eduPersonPrincipalName",
    "username",
    "user_name",
    "login",
    "uid",
    "user.login",
];
const GROUPS: &[&str] = &[
    "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
    "http://schemas.xmlsoap.org/claims/Group",
    "urn:oid:1.3.6.1.4.1.5923.1.5.1.1",
    "urn:oid:1.2.840.113556.1.2.102",
    "groups",
    "group",
    "memberof",
    "ismemberof",
];
const ROLES: &[&str] = &[
    "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
    "roles",
    "role",
];
/// Entra sends this instead of the groups when there are more than 150.
const GROUP_OVERAGE: &[&str] = &["http://schemas.microsoft.com/claims/groups.link"];
const OBJECT_ID: &[&str] = &["http://schemas.microsoft.com/identity/claims/objectidentifier"];
const TENANT_ID: &[&str] = &["http://schemas.microsoft.com/identity/claims/tenantid"];
const ACCOUNT_ID: &[&str] = &["accountid", "account_id"];
const PERMISSION_PROFILE_ID: &[&str] = &["permissionprofileid", "permission_profile_id"];

/// The usual facts about a person, as the identity provider stated them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NormalizedAttributes {
    /// The NameID, exactly (R-39 calls it `nameidentifier`).
    pub subject: String,
    /// E-mail address; falls back to a NameID of the e-mail format.
    pub email: Option<String>,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// Name for display.
    pub display_name: Option<String>,
    /// Sign-in name at the identity provider (UPN and the like).
    pub user_name: Option<String>,
    /// Groups, in order, without blanks and repetitions.
    pub groups: Vec<String>,
    /// Roles of the identity provider, in order, without blanks and repetitions.
    pub roles: Vec<String>,
    /// True when the provider left the groups out because there were too many (Entra `groups.link`), so that
    /// an empty list must not be read as "no groups".
    pub group_overage: bool,
    /// Entra object identifier.
    pub object_id: Option<String>,
    /// Entra tenant identifier.
    pub tenant_id: Option<String>,
    /// `accountid`: chooses the workspace.
    pub account_id: Option<String>,
    /// `permissionprofileid`: chooses the role.
    pub permission_profile_id: Option<String>,
}

/// Normalizes a verified assertion.
pub fn normalize(assertion: &VerifiedAssertion) -> NormalizedAttributes {
    normalize_parts(assertion.name_id(), assertion.attributes())
}

/// Normalizes a NameID and attributes that were stored or typed into a dry run.
pub fn normalize_parts(name_id: &NameId, attributes: &[Attribute]) -> NormalizedAttributes {
    let one = |names: &[&str]| first(attributes, names);
    let email_from_name_id =
        || (name_id.format.as_deref() == Some(FORMAT_EMAIL)).then(|| name_id.value.clone());
    NormalizedAttributes {
        subject: name_id.value.clone(),
        email: one(EMAIL).or_else(email_from_name_id),
        given_name: one(GIVEN_NAME),
        family_name: one(FAMILY_NAME),
        display_name: one(DISPLAY_NAME),
        user_name: one(USER_NAME),
        groups: many(attributes, GROUPS),
        roles: many(attributes, ROLES),
        group_overage: find(attributes, GROUP_OVERAGE).is_some(),
        object_id: one(OBJECT_ID),
        tenant_id: one(TENANT_ID),
        account_id: one(ACCOUNT_ID),
        permission_profile_id: one(PERMISSION_PROFILE_ID),
    }
}

/// Finds the first attribute of the list that has a value that is not blank.
fn find<'a>(attributes: &'a [Attribute], names: &[&str]) -> Option<&'a Attribute> {
    names.iter().find_map(|name| {
        attributes
            .iter()
            .find(|a| a.name.eq_ignore_ascii_case(name) && a.values.iter().any(|v| !v.trim().is_empty()))
    })
}

fn first(attributes: &[Attribute], names: &[&str]) -> Option<String> {
    find(attributes, names)?
        .values
        .iter()
        .map(|v| v.trim())
        .find(|v| !v.is_empty())
        .map(str::to_owned)
}

fn many(attributes: &[Attribute], names: &[&str]) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let values = find(attributes, names)
        .map(|a| a.values.as_slice())
        .unwrap_or_default();
    let clean = values.iter().map(|v| v.trim()).filter(|v| !v.is_empty());
    clean.filter(|v| seen.insert(*v)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(name: &str, values: &[&str]) -> Attribute {
        Attribute {
            name: name.into(),
            name_format: None,
            friendly_name: None,
            values: values.iter().map(|v| (*v).to_owned()).collect(),
        }
    }

    fn name_id(value: &str, format: &str) -> NameId {
        NameId {
            value: value.into(),
            format: Some(format.into()),
            name_qualifier: None,
            sp_name_qualifier: None,
        }
    }

    #[test]
    fn r39_short_names_are_understood() {
        let attributes = [
            attribute("emailaddress", &["ada@home-lab.example"]),
            attribute("givenname", &["Ada"]),
            attribute("surname", &["Lovelace"]),
        ];
        let person = normalize_parts(&name_id("ada-1", FORMAT_PERSISTENT), &attributes);
        assert_eq!(person.subject, "ada-1");
        assert_eq!(person.email.as_deref(), Some("ada@home-lab.example"));
        assert_eq!(person.given_name.as_deref(), Some("Ada"));
        assert_eq!(person.family_name.as_deref(), Some("Lovelace"));
    }

    #[test]
    fn r39_every_known_name_fills_its_field() {
        type Field = fn(&NormalizedAttributes) -> Option<String>;
        let table: [(&[&str], Field); 5] = [
            (EMAIL, |p| p.email.clone()),
            (GIVEN_NAME, |p| p.given_name.clone()),
            (FAMILY_NAME, |p| p.family_name.clone()),
            (DISPLAY_NAME, |p| p.display_name.clone()),
            (USER_NAME, |p| p.user_name.clone()),
        ];
        for (names, field) in table {
            for name in names {
                for spelled in [(*name).to_owned(), name.to_ascii_uppercase()] {
                    let person =
                        normalize_parts(&name_id("x", FORMAT_PERSISTENT), &[attribute(&spelled, &["v"])]);
                    assert_eq!(field(&person).as_deref(), Some("v"), "{spelled}");
                }
            }
        }
    }

    #[test]
    fn r40_account_and_permission_profile() {
        let attributes = [
            attribute("accountid", &["w1"]),
            attribute("PermissionProfileId", &["p1"]),
        ];
        let person = normalize_parts(&name_id("x", FORMAT_PERSISTENT), &attributes);
        assert_eq!(
            (
                person.account_id.as_deref(),
                person.permission_profile_id.as_deref()
            ),
            (Some("w1"), Some("p1"))
        );
        let without = normalize_parts(&name_id("x", FORMAT_PERSISTENT), &[]);
        assert_eq!((without.account_id, without.permission_profile_id), (None, None));
    }

    #[test]
    fn email_falls_back_to_an_email_name_id_only() {
        assert_eq!(
            normalize_parts(&name_id("a@b.example", FORMAT_EMAIL), &[])
                .email
                .as_deref(),
            Some("a@b.example")
        );
        assert_eq!(
            normalize_parts(&name_id("a@b.example", FORMAT_PERSISTENT), &[]).email,
            None
        );
        let blank = [attribute("email", &[" "])];
        assert_eq!(
            normalize_parts(&name_id("x", FORMAT_PERSISTENT), &blank).email,
            None
        );
    }

    #[test]
    fn groups_and_the_entra_overage() {
        let attributes = [attribute("groups", &["a", "", "b", "a"])];
        let person = normalize_parts(&name_id("x", FORMAT_PERSISTENT), &attributes);
        assert_eq!(person.groups, ["a", "b"]);
        assert!(!person.group_overage);
        let link = [attribute(
            "http://schemas.microsoft.com/claims/groups.link",
            &["https://graph.example/x"],
        )];
        let person = normalize_parts(&name_id("x", FORMAT_PERSISTENT), &link);
        assert!(person.group_overage && person.groups.is_empty());
    }
}
