//! What directories push, as the kernel's values, and the kernel's refusals in SCIM's own shape.

use provost_kernel::attribute::{AttributeDefinition, AttributeKind, AttributeSource};
use provost_kernel::denial::Denial;
use provost_kernel::directory::{Account, Status};
use provost_kernel::id::AccountId;
use provost_kernel::provision::push::{PushedGroup, PushedUser};
use provost_scim::schema::{CUSTOM_URN, Kind};
use provost_scim::{CustomAttribute, Document, Mode, ResourceKind, ScimError};
use provost_store::search::{DirectoryGroup, DirectoryUser};
use serde_json::{Map, Value, json};

use crate::scim_config::{ScimAttribute, ScimAttributeKind};

/// Names the attributes that admins defined to the protocol: those that a directory may give.
pub fn attributes(wanted: &[ScimAttribute], defined: &[AttributeDefinition]) -> Vec<CustomAttribute> {
    let defined = defined
        .iter()
        .filter(|definition| definition.takes(AttributeSource::Scim))
        .map(|definition| CustomAttribute {
            name: definition.name.clone(),
            kind: match definition.kind {
                AttributeKind::String => Kind::String,
                AttributeKind::Boolean => Kind::Boolean,
                AttributeKind::Integer => Kind::Integer,
                AttributeKind::Decimal => Kind::Decimal,
                AttributeKind::DateTime => Kind::DateTime,
                AttributeKind::Reference => Kind::Reference,
            },
            multi_valued: definition.multi_valued,
            canonical_values: definition.canonical_values.clone(),
            description: definition.description.clone().unwrap_or_default(),
        });
    wanted
        .iter()
        .map(|attribute| CustomAttribute {
            name: attribute.name.clone(),
            kind: match attribute.kind {
                ScimAttributeKind::String => Kind::String,
                ScimAttributeKind::Boolean => Kind::Boolean,
                ScimAttributeKind::Integer => Kind::Integer,
                ScimAttributeKind::Decimal => Kind::Decimal,
                ScimAttributeKind::DateTime => Kind::DateTime,
                ScimAttributeKind::Reference => Kind::Reference,
            },
            multi_valued: attribute.multi_valued,
            canonical_values: attribute.canonical_values.clone(),
            description: attribute.description.clone().unwrap_or_default(),
        })
        .chain(defined)
        .collect()
}

/// Says of a new person what the directory left unsaid: who is pushed is active.
pub fn with_active(document: Document) -> Document {
    let mut members = document.into_map();
    members.entry("active").or_insert(Value::Bool(true));
    Document::from_stored(members)
}

/// Reads the id of a member. In compat, what can be no id of any server, such as a name that a test tool has made up, gives
/// none.
///
/// Directories send back the ids that they were given. One that is well-formed and unknown belongs to a person who is gone or
/// is somebody else's: that has to be refused, or nobody learns that a person is missing. What was never an id tells nothing.
pub fn member_id(value: &str, mode: Mode) -> Option<AccountId> {
    let digits = ["acc_", "grp_"]
        .into_iter()
        .find_map(|prefix| value.strip_prefix(prefix))
        .unwrap_or(value);
    let is_id = mode.is_strict() || looks_like_an_id(digits);
    is_id.then(|| AccountId::new(value))
}

/// Ours are hexadecimal, and so are the UUIDs of others.
fn looks_like_an_id(digits: &str) -> bool {
    digits.len() >= 20
        && digits.chars().any(|digit| digit.is_ascii_digit())
        && digits
            .chars()
            .all(|digit| digit.is_ascii_hexdigit() || digit == '-')
}

/// Reads the fields that the kernel knows from the document of a new person.
pub fn new_user(document: &Document) -> PushedUser {
    PushedUser {
        user_name: owned(document.user_name()),
        external_id: owned(document.external_id()),
        active: document.active(),
        email: owned(document.primary_email()),
        given_name: owned(document.given_name()),
        family_name: owned(document.family_name()),
        display_name: owned(document.display_name()),
        attributes: document.custom().cloned().unwrap_or_default(),
        document: document.as_map().clone(),
    }
}

/// The same for a person who is there already. `active` is what the directory now says and did not say before, or says
/// again as no; what it only repeats does not undo what an administrator decided here since.
pub fn changed_user(after: &Document, active: Option<bool>) -> PushedUser {
    PushedUser {
        active,
        ..new_user(after)
    }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

/// Returns the document of a person; for an account that no directory pushed, one made of its fields.
pub fn document(user: &DirectoryUser) -> Document {
    match &user.document {
        Some(document) => Document::from_stored(document.clone()),
        None => made_up(&user.account),
    }
}

/// Describes an account that was made by hand or by a sign-in, so that its directory finds what it clashes with.
fn made_up(account: &Account) -> Document {
    let mut members = Map::new();
    let email = account.email.as_ref().map(ToString::to_string);
    let user_name = account.user_name.clone().or_else(|| email.clone());
    let mut name = Map::new();
    let put = |members: &mut Map<String, Value>, key: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            members.insert(key.to_owned(), value.into());
        }
    };
    put(&mut members, "userName", user_name);
    put(&mut members, "externalId", account.external_id.clone());
    put(&mut members, "displayName", account.display_name.clone());
    put(&mut name, "givenName", account.given_name.clone());
    put(&mut name, "familyName", account.family_name.clone());
    if !name.is_empty() {
        members.insert("name".to_owned(), name.into());
    }
    if let Some(email) = email {
        members.insert(
            "emails".to_owned(),
            json!([{ "value": email, "type": "work", "primary": true }]),
        );
    }
    members.insert("active".to_owned(), is_active(account).into());
    if !account.attributes.is_empty() {
        members.insert(CUSTOM_URN.to_owned(), account.attributes.clone().into());
    }
    Document::from_stored(members)
}

/// Tells whether a person may sign in, which is what a directory reads as `active`.
pub const fn is_active(account: &Account) -> bool {
    matches!(account.status, Status::Active | Status::Invited)
}

/// Says that the organization's plan includes no directory.
pub fn not_entitled() -> ScimError {
    ScimError::forbidden(
        "entitlement_missing: the plan of the organization does not include provisioning; who was pushed stays as is",
    )
}

/// Returns the document of a group.
pub fn group_document(group: &DirectoryGroup) -> Document {
    Document::from_stored(group.document.clone())
}

/// Reads the fields that the kernel knows from a group's document.
pub fn pushed_group(document: &Document) -> PushedGroup {
    PushedGroup {
        name: document.display_name().unwrap_or_default().to_owned(),
        external_id: document.external_id().map(str::to_owned),
        document: document.as_map().clone(),
    }
}

/// Says a refusal of the kernel in words that help the directory's administrator, who sees them at the identity provider.
/// `said` is the kernel's own sentence, which knows what the refusal was about.
pub fn refusal(denial: Denial, kind: ResourceKind, said: Option<&str>) -> ScimError {
    let taken = |attribute: &str| ScimError::uniqueness(attribute, kind);
    match denial {
        Denial::UserNameTaken | Denial::ExistingAccountRefused => taken("userName"),
        Denial::ExternalIdTaken | Denial::GroupExternalIdTaken => taken("externalId"),
        Denial::EmailTaken => taken("emails"),
        Denial::GroupNameTaken => taken("displayName"),
        Denial::NameMissing => ScimError::invalid_value(match kind {
            ResourceKind::User => "attribute 'userName' is required",
            ResourceKind::Group => "attribute 'displayName' is required",
        }),
        Denial::UnknownMember => ScimError::invalid_value(
            "a member is no user of this connection: push the user first and use the id of the answer as 'value'",
        ),
        Denial::DomainNotVerified => ScimError::invalid_value(format!(
            "{}: verify the domain in Provost and add it to the connection, or set 'require_domain: false' there",
            said.unwrap_or("the address lies outside the verified domains of the connection")
        )),
        Denial::EmailMissing => {
            ScimError::invalid_value("attribute 'emails' must hold one usable e-mail address")
        }
        Denial::InvalidValue => {
            ScimError::invalid_value(said.unwrap_or("a value is not of the type of its attribute"))
        }
        Denial::StaleVersion => ScimError::precondition_failed(),
        Denial::NotFound => ScimError::not_found(kind.name()),
        Denial::NoSeat => ScimError::forbidden("no license is free for this user; free one or buy more"),
        Denial::HeldByGuard => ScimError::forbidden(
            "unusually many users were to be deactivated or deleted in a short time, so this one is held: an \
             administrator has to approve it first",
        ),
        Denial::LastOwner => ScimError::forbidden(
            "this user is the last owner of an organization: name another owner there first",
        ),
        Denial::LastEmergencyAdmin => ScimError::forbidden(
            "this user is the last emergency admin of an organization: name another one there first",
        ),
        Denial::IllegalTransition => ScimError::conflict(
            "the user's present state does not allow this change: an administrator suspended or deleted the account",
        ),
        Denial::Conflict | Denial::AmbiguousMatch => {
            ScimError::conflict("the request contradicts what is stored; read the resource again and repeat")
        }
        Denial::NotADirectory => ScimError::forbidden(
            "accounts of this connection are not made by a directory: an administrator has to set its provisioning \
             to 'scim'",
        ),
        Denial::EntitlementMissing => not_entitled(),
        Denial::NotPermitted
        | Denial::LinkedToOtherIdentity
        | Denial::NotInvitedPerson
        | Denial::Oneself
        | Denial::Protected
        | Denial::FromGroup
        | Denial::AlreadySso => ScimError::forbidden("this account is not the directory's to change"),
        Denial::WrongLicenseKind
        | Denial::DirectoryManaged
        | Denial::ConnectionDisabled
        | Denial::NotProvisionedByHand
        | Denial::NotPushedByDirectory
        | Denial::Suspended
        | Denial::Deactivated
        | Denial::Deleted
        | Denial::IncompleteAssertionIds
        | Denial::UnknownAssertionId
        | Denial::NoOrganization
        | Denial::SsoRequired
        | Denial::SecondFactorRequired
        | Denial::DomainReserved
        | Denial::PasswordRefusedForSso => ScimError::forbidden(format!("refused ({})", denial.code())),
    }
}

#[cfg(test)]
mod tests {
    use provost_scim::{Document, Mode};
    use serde_json::{Map, json};

    use super::{member_id, with_active};

    #[test]
    fn a_member_that_was_never_an_id_says_nothing_and_one_that_may_be_is_taken_at_its_word() {
        for id in [
            "acc_01a219317d3b7277a45e13b2be2a1a2d",
            "grp_01a219317d3b7277a45e13b2be2a1a2d",
            "00000000-0000-4000-8000-000000000000",
            "010101001010101011001010101011",
        ] {
            assert_eq!(
                member_id(id, Mode::Compat).map(|id| id.as_str().to_owned()),
                Some(id.to_owned())
            );
        }
        for invented in [
            "fake-member-id",
            "string id 1",
            "",
            "acc_",
            "deadbeef",
            "cafe-cafe-cafe-cafe-cafe-cafe",
        ] {
            assert_eq!(member_id(invented, Mode::Compat), None, "{invented}");
            assert!(member_id(invented, Mode::Strict).is_some(), "{invented}");
        }
    }

    #[test]
    fn who_is_pushed_is_active_unless_the_directory_says_otherwise() {
        assert_eq!(
            with_active(Document::from_stored(Map::new())).active(),
            Some(true)
        );
        let out = json!({ "active": false }).as_object().cloned().unwrap();
        assert_eq!(with_active(Document::from_stored(out)).active(), Some(false));
    }
}
