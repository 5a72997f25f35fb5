//! The core schemas: users, groups, and what every resource has (RFC 7643 sections 3.1, 4.1, 4.2 and 8.7.1).
//!
//! Identifiers are compared exactly, which the RFC's own JSON leaves open for `value` of members and managers.

use super::attribute::{Attribute, Kind, Mutability, Returned, Uniqueness};
use super::{GROUP_URN, Schema, USER_URN};

/// The attributes that every resource has and no schema lists.
pub(super) fn common() -> Schema {
    let meta = vec![
        Attribute::text("resourceType", "The type of the resource.").exact(),
        Attribute::new("created", Kind::DateTime, "When the resource was made."),
        Attribute::new("lastModified", Kind::DateTime, "When the resource last changed."),
        Attribute::reference("location", &["uri"], "The address of the resource."),
        Attribute::text("version", "The version of the resource, a weak entity tag.").exact(),
    ];
    Schema::of(
        "",
        "Common",
        "What every resource has.",
        vec![
            Attribute::text("id", "The identifier that the server gives.")
                .exact()
                .mutability(Mutability::ReadOnly)
                .returned(Returned::Always)
                .unique(Uniqueness::Server),
            Attribute::text("externalId", "The identifier that the client gives.").exact(),
            Attribute::complex("meta", "What the server knows of the resource.", meta)
                .mutability(Mutability::ReadOnly),
            Attribute::reference("schemas", &["uri"], "The schemas in use.")
                .many()
                .mutability(Mutability::ReadOnly)
                .returned(Returned::Always),
        ],
    )
}

/// The core user schema.
pub(super) fn user() -> Schema {
    let mut attributes = single_valued();
    attributes.extend(contact());
    attributes.extend(standing());
    Schema::of(USER_URN, "User", "User Account", attributes)
}

/// The group schema.
pub(super) fn group() -> Schema {
    let members = vec![
        Attribute::text("value", "Identifier of the member.").exact(),
        Attribute::reference("$ref", &["User", "Group"], "The address of the member."),
        Attribute::text("type", "The type of the member.").usual(&["User", "Group"]),
    ];
    let mut members =
        Attribute::complex("members", "The members of the group.", members).mutability(Mutability::Immutable);
    members.mutability = Mutability::ReadWrite;
    members.sub_attributes.push(
        // Not by default: whoever adds a member compares the answer with what it sent, and a name in it is a difference.
        Attribute::text("display", "A name of the member, for people.")
            .mutability(Mutability::ReadOnly)
            .returned(Returned::Request),
    );
    Schema::of(
        GROUP_URN,
        "Group",
        "Group",
        vec![
            Attribute::text("displayName", "The name of the group.")
                .required()
                .unique(Uniqueness::Server),
            members.many(),
        ],
    )
}

fn name() -> Attribute {
    let parts = vec![
        Attribute::text("formatted", "The full name, formatted for display."),
        Attribute::text("familyName", "The family name."),
        Attribute::text("givenName", "The given name."),
        Attribute::text("middleName", "The middle name."),
        Attribute::text("honorificPrefix", "The honorific prefix or title."),
        Attribute::text("honorificSuffix", "The honorific suffix."),
    ];
    Attribute::complex("name", "The parts of the user's name.", parts)
}

fn single_valued() -> Vec<Attribute> {
    vec![
        Attribute::text("userName", "The unique name with which the user signs in.")
            .required()
            .unique(Uniqueness::Server),
        name(),
        Attribute::text("displayName", "The name of the user, for people."),
        Attribute::text("nickName", "The casual name of the user."),
        Attribute::reference("profileUrl", &["external"], "The address of the user's profile."),
        Attribute::text("title", "The job title."),
        Attribute::text("userType", "The relationship of the user to the organization."),
        Attribute::text("preferredLanguage", "The preferred language."),
        Attribute::text("locale", "The locale for numbers, dates and currency."),
        Attribute::text("timezone", "The time zone, as in the IANA database."),
        Attribute::boolean("active", "Whether the user may use the service."),
        Attribute::text(
            "password",
            "Accepted and dropped: people sign in with their identity provider.",
        )
        .mutability(Mutability::WriteOnly)
        .returned(Returned::Never),
    ]
}

fn contact() -> Vec<Attribute> {
    let address = vec![
        Attribute::text("formatted", "The full address, formatted for display."),
        Attribute::text("streetAddress", "Street and house number."),
        Attribute::text("locality", "The city."),
        Attribute::text("region", "The state or region."),
        Attribute::text("postalCode", "The postal code."),
        Attribute::text("country", "The country."),
        Attribute::text("type", "The purpose of the address.").usual(&["work", "home", "other"]),
        primary(),
    ];
    let mut photo = plural("photos", "Pictures of the user.", &["photo", "thumbnail"]);
    if let Some(value) = photo.sub_attributes.first_mut() {
        *value = Attribute::reference("value", &["external"], "The address of the picture.");
    }
    vec![
        plural(
            "emails",
            "E-mail addresses of the user.",
            &["work", "home", "other"],
        ),
        plural(
            "phoneNumbers",
            "Phone numbers of the user.",
            &["work", "home", "mobile", "fax", "pager", "other"],
        ),
        plural(
            "ims",
            "Instant messaging addresses of the user.",
            &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"],
        ),
        photo,
        Attribute::complex("addresses", "Postal addresses of the user.", address).many(),
    ]
}

fn standing() -> Vec<Attribute> {
    let groups = vec![
        Attribute::text("value", "Identifier of the group.").exact(),
        Attribute::reference("$ref", &["User", "Group"], "The address of the group."),
        Attribute::text("display", "The name of the group."),
        Attribute::text("type", "Whether the membership is direct.").usual(&["direct", "indirect"]),
    ];
    let mut certificates = plural("x509Certificates", "Certificates of the user.", &[]);
    if let Some(value) = certificates.sub_attributes.first_mut() {
        *value = Attribute::new("value", Kind::Binary, "The certificate, in base64.");
    }
    vec![
        Attribute::complex("groups", "The groups of the user.", groups)
            .many()
            .mutability(Mutability::ReadOnly),
        plural("entitlements", "What the user is entitled to.", &[]),
        plural("roles", "The roles of the user.", &[]),
        certificates,
    ]
}

/// A multi-valued attribute with the default sub-attributes of RFC 7643 section 2.4.
fn plural(name: &str, description: &str, types: &[&str]) -> Attribute {
    let subs = vec![
        Attribute::text("value", "The value."),
        Attribute::text("display", "A name of the value, for people."),
        Attribute::text("type", "The purpose of the value.").usual(types),
        primary(),
    ];
    Attribute::complex(name, description, subs).many()
}

fn primary() -> Attribute {
    Attribute::boolean("primary", "Whether this is the preferred value.")
}
