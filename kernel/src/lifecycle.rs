//! The account lifecycle: which state may follow which, and who may cause it.
//! Never decides whether a change is wanted; that is the work of [`crate::login`] and [`crate::provision`].
//!
//! | from \ to | Active | Suspended | Deactivated | Deleted |
//! |---|---|---|---|---|
//! | Invited | Login, Scim, Admin, File | Scim, Admin, File | Scim, Admin, File, System | Scim, Admin, File, System |
//! | Active | – | Scim, Admin, File, System | Scim, Admin, File, System | Scim, Admin, File |
//! | Suspended | Admin, File; Scim if not put there by Admin or File; Login if put there by Login or System | – | Scim, Admin, File | Scim, Admin, File |
//! | Deactivated | Scim, Admin, File; Login if put there by Login or System | – | – | Scim, Admin, File, System |
//! | Deleted | Admin, File; Scim if put there by Scim | – | Admin, File; Scim if put there by Scim | – |
//!
//! Nothing leads back to Invited, and staying where one is is no transition.
//! Attack behind the Login column: a person whom the directory or an admin took out comes back through
//! the identity provider and is let in again (C-06, R-168). Only the directory, an admin or the file end that.

use crate::denial::Denial;
use crate::directory::{Origin, Status};

/// Judges a transition from one state to another.
///
/// `status_origin` is who put the account into `from`; `origin` is who wants it out.
///
/// # Errors
/// [`Denial::IllegalTransition`] for everything that the table of this module does not list.
pub const fn transition(
    from: Status,
    to: Status,
    origin: Origin,
    status_origin: Origin,
) -> Result<(), Denial> {
    if is_legal(from, to, origin, status_origin) {
        Ok(())
    } else {
        Err(Denial::IllegalTransition)
    }
}

/// Tells whether a sign-in may bring a person back whom `status_origin` took out, if the connection's setting wants it.
pub const fn may_return_by_login(status_origin: Origin) -> bool {
    match status_origin {
        Origin::Login | Origin::System => true,
        Origin::Scim | Origin::Admin | Origin::File => false,
    }
}

const fn is_legal(from: Status, to: Status, origin: Origin, status_origin: Origin) -> bool {
    match (from, to) {
        (Status::Invited, Status::Active) => !matches!(origin, Origin::System),
        (Status::Invited | Status::Active | Status::Deactivated, Status::Deleted)
            if matches!(origin, Origin::System) =>
        {
            !matches!(from, Status::Active)
        }
        (Status::Invited, Status::Suspended) => is_directory_or_hand(origin),
        (Status::Invited, Status::Deactivated)
        | (Status::Active, Status::Suspended | Status::Deactivated) => !matches!(origin, Origin::Login),
        (Status::Suspended, Status::Active) => match origin {
            Origin::Admin | Origin::File => true,
            Origin::Scim => !matches!(status_origin, Origin::Admin | Origin::File),
            Origin::Login => may_return_by_login(status_origin),
            Origin::System => false,
        },
        (Status::Deactivated, Status::Active) => match origin {
            Origin::Admin | Origin::File | Origin::Scim => true,
            Origin::Login => may_return_by_login(status_origin),
            Origin::System => false,
        },
        (Status::Suspended, Status::Deactivated)
        | (Status::Invited | Status::Active | Status::Suspended | Status::Deactivated, Status::Deleted) => {
            is_directory_or_hand(origin)
        }
        (Status::Deleted, Status::Active | Status::Deactivated) => match origin {
            Origin::Admin | Origin::File => true,
            Origin::Scim => matches!(status_origin, Origin::Scim),
            Origin::Login | Origin::System => false,
        },
        (
            Status::Invited | Status::Active | Status::Suspended | Status::Deactivated | Status::Deleted,
            Status::Invited,
        )
        | (Status::Active, Status::Active)
        | (Status::Suspended | Status::Deactivated | Status::Deleted, Status::Suspended)
        | (Status::Deactivated, Status::Deactivated)
        | (Status::Deleted, Status::Deleted) => false,
    }
}

const fn is_directory_or_hand(origin: Origin) -> bool {
    matches!(origin, Origin::Scim | Origin::Admin | Origin::File)
}

#[cfg(test)]
mod tests;
