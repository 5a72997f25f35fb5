//! Denials of the kernel as answers: a status, the denial's own code, and a sentence that tells nothing about others.

use axum::http::StatusCode;
use provost_kernel::denial::Denial;
use provost_kernel::id::TraceId;

use super::AppError;

impl AppError {
    /// A wish that the kernel refused.
    pub fn denied(denial: Denial) -> Self {
        let (status, public) = match denial {
            Denial::NotFound => return Self::not_found(),
            Denial::NotPermitted => (403, "You may not do this."),
            Denial::StaleVersion => (
                412,
                "It was changed since you read it. Read it again, then decide.",
            ),
            Denial::EmailMissing => (422, "An e-mail address is needed."),
            Denial::DomainNotVerified => (
                422,
                "The address lies outside the verified domains of the connection.",
            ),
            Denial::InvalidValue => (422, "A value is not what its field holds."),
            Denial::NameMissing => (422, "A name is needed."),
            Denial::UnknownMember => (422, "A member is named who does not exist here."),
            Denial::IncompleteAssertionIds | Denial::UnknownAssertionId => {
                (422, "An identifier is incomplete or unknown.")
            }
            Denial::PasswordRefusedForSso => (
                422,
                "The account signs in through its identity provider and has no password.",
            ),
            Denial::LastOwner => (
                409,
                "The organization would be left without an owner. Name another owner first.",
            ),
            Denial::LastEmergencyAdmin => (
                409,
                "The organization demands single sign-on and would be left without an emergency admin. Name another one first.",
            ),
            Denial::NoSeat => (409, "No seat is free."),
            Denial::WrongLicenseKind => (409, "The license is for another kind of account."),
            Denial::IllegalTransition => (409, "The present state does not allow this."),
            Denial::FromGroup => (
                409,
                "This comes from a group: take the person out of the group instead.",
            ),
            Denial::DirectoryManaged => (409, "The directory keeps this field: change it there."),
            Denial::EmailTaken => (409, "Another account has this address."),
            Denial::UserNameTaken => (409, "Another account of the connection has this user name."),
            Denial::ExternalIdTaken => (409, "Another account of the connection has this external id."),
            Denial::GroupNameTaken => (409, "Another group has this name."),
            Denial::GroupExternalIdTaken => (409, "Another group has this external id."),
            Denial::HeldByGuard => (409, "A guard holds this until an admin approves."),
            Denial::NotInvitedPerson => (409, "The invitation is for somebody else."),
            Denial::Oneself => (409, "Nobody moves herself to single sign-on."),
            Denial::Protected => (409, "Emergency admins and operators are not moved."),
            Denial::AlreadySso => (409, "The person signs in through a provider already."),
            Denial::LinkedToOtherIdentity => (409, "The account is linked to another identity."),
            Denial::Conflict => (409, "This contradicts what is already there."),
            Denial::Deleted => (409, "The account is deleted."),
            Denial::Suspended | Denial::Deactivated => (409, "The account is not active."),
            Denial::AmbiguousMatch | Denial::ExistingAccountRefused | Denial::NotADirectory => {
                (409, "What is there does not allow this.")
            }
            Denial::EntitlementMissing => (403, "The plan of the organization does not include this."),
            Denial::DomainReserved => (
                409,
                "Another organization has the domain of this address and prevents accounts outside of it.",
            ),
            Denial::ConnectionDisabled
            | Denial::SsoRequired
            | Denial::SecondFactorRequired
            | Denial::NotProvisionedByHand
            | Denial::NotPushedByDirectory
            | Denial::NoOrganization => (403, "This is not allowed here."),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
        Self::new(status, denial.code(), public)
    }

    /// What was asked contradicts what is there (409).
    pub fn conflict(code: &'static str, public: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, public)
    }

    /// What was sent can be read and not be carried out (422).
    pub fn unprocessable(code: &'static str, public: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, public)
    }

    /// An account of this kind has the address already, or the user name or external id.
    pub fn account_exists() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "account_exists",
            "There already is an account with this address, user name or external id that signs in in the same way.",
        )
    }

    /// Names the trace that tells more to those who may read it.
    #[must_use]
    pub fn with_trace(mut self, trace: &TraceId) -> Self {
        self.trace = Some(trace.as_str().into());
        self
    }

    /// Returns the trace that tells more.
    pub fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }
}
