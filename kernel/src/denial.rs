//! Denials: refusals as values, with a stable code, vague to the person and exact to the admin.

use serde::{Deserialize, Serialize};

/// Why a sign-in or request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Denial {
    /// The connection is switched off or still a draft.
    ConnectionDisabled,
    /// Manual provisioning and no account was made for this person.
    NotProvisionedByHand,
    /// SCIM provisioning and the directory has not pushed this person (C-02).
    NotPushedByDirectory,
    /// The address lies outside the verified domains of the connection (C-15).
    DomainNotVerified,
    /// No usable verified address where one is needed.
    EmailMissing,
    /// Several accounts fit; none is picked silently.
    AmbiguousMatch,
    /// The account is suspended.
    Suspended,
    /// The account is deactivated.
    Deactivated,
    /// The account is deleted.
    Deleted,
    /// A standard account has this address and the connection may not link it (C-11).
    ExistingAccountRefused,
    /// `accountid` without `permissionprofileid` or the reverse.
    IncompleteAssertionIds,
    /// An unknown id in `accountid` or `permissionprofileid`.
    UnknownAssertionId,
    /// No organization accepts the person.
    NoOrganization,
    /// No free seat and the connection refuses then (C-23).
    NoSeat,
    /// The asserted address belongs to another account and may not be kept back (C-14).
    EmailTaken,
    /// The account has no password, it signs in through its identity provider.
    PasswordRefusedForSso,
    /// A change that the lifecycle does not allow.
    IllegalTransition,
    /// The last owner would be lost.
    LastOwner,
    /// The last emergency admin of an organization that demands single sign-on would be lost.
    LastEmergencyAdmin,
    /// The actor lacks the right.
    NotPermitted,
    /// What the request names does not exist.
    NotFound,
    /// The request contradicts itself or the directory, for example a duplicate account.
    Conflict,
    /// A push to a connection whose accounts a directory does not make (C-01).
    NotADirectory,
    /// Another account of the connection has this user name.
    UserNameTaken,
    /// Another account of the connection has this external id.
    ExternalIdTaken,
    /// Another group of the connection has this name.
    GroupNameTaken,
    /// Another group of the connection has this external id.
    GroupExternalIdTaken,
    /// A push without a user name, or of a group without a name.
    NameMissing,
    /// A group shall get a member who is no person of the connection.
    UnknownMember,
    /// The request was made for another version than the present one (`If-Match`).
    StaleVersion,
    /// The field is kept by the directory that pushes the person.
    DirectoryManaged,
    /// A value is not of the type that its field holds.
    InvalidValue,
    /// The directory takes out too many people at once; an admin has to approve first.
    HeldByGuard,
    /// The license pool is for another kind of account.
    WrongLicenseKind,
    /// The plan of the organization does not include this.
    EntitlementMissing,
    /// The account that the join key names is linked to another identity (R-130; security.md 3).
    LinkedToOtherIdentity,
    /// A password where an organization demands single sign-on.
    SsoRequired,
    /// An owner or admin without the second factor that an organization demands.
    SecondFactorRequired,
    /// An account with an address in a domain whose organization prevents sign-ups outside of it.
    DomainReserved,
    /// Somebody else than the invited person came with an invitation.
    NotInvitedPerson,
    /// A conversion would move the one who asks for it (C-24).
    Oneself,
    /// A conversion never moves emergency admins and operators (C-24).
    Protected,
    /// The person signs in through a provider already (C-24).
    AlreadySso,
    /// What shall be taken by hand comes from a local group.
    FromGroup,
}

impl Denial {
    /// Returns the stable code, as shown to admins and in events.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ConnectionDisabled => "connection_disabled",
            Self::NotProvisionedByHand => "not_provisioned_by_hand",
            Self::NotPushedByDirectory => "not_pushed_by_directory",
            Self::DomainNotVerified => "domain_not_verified",
            Self::EmailMissing => "email_missing",
            Self::AmbiguousMatch => "ambiguous_match",
            Self::Suspended => "suspended",
            Self::Deactivated => "deactivated",
            Self::Deleted => "deleted",
            Self::ExistingAccountRefused => "existing_account_refused",
            Self::IncompleteAssertionIds => "incomplete_assertion_ids",
            Self::UnknownAssertionId => "unknown_assertion_id",
            Self::NoOrganization => "no_organization",
            Self::NoSeat => "no_seat",
            Self::EmailTaken => "email_taken",
            Self::PasswordRefusedForSso => "password_refused_for_sso",
            Self::IllegalTransition => "illegal_transition",
            Self::LastOwner => "last_owner",
            Self::LastEmergencyAdmin => "last_emergency_admin",
            Self::NotPermitted => "not_permitted",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::NotADirectory => "not_a_directory",
            Self::UserNameTaken => "user_name_taken",
            Self::ExternalIdTaken => "external_id_taken",
            Self::GroupNameTaken => "group_name_taken",
            Self::GroupExternalIdTaken => "group_external_id_taken",
            Self::NameMissing => "name_missing",
            Self::UnknownMember => "unknown_member",
            Self::StaleVersion => "stale_version",
            Self::DirectoryManaged => "directory_managed",
            Self::InvalidValue => "invalid_value",
            Self::HeldByGuard => "held_by_guard",
            Self::WrongLicenseKind => "wrong_license_kind",
            Self::EntitlementMissing => "entitlement_missing",
            Self::LinkedToOtherIdentity => "linked_to_other_identity",
            Self::SsoRequired => "sso_required",
            Self::SecondFactorRequired => "second_factor_required",
            Self::DomainReserved => "domain_reserved",
            Self::NotInvitedPerson => "not_invited_person",
            Self::Oneself => "oneself",
            Self::Protected => "protected",
            Self::AlreadySso => "already_sso",
            Self::FromGroup => "from_group",
        }
    }
}
