//! Creates accounts and changes what belongs to the account itself: profile, identity, operator mark.

use super::authority::Authority;
use super::{Actor, NewAccount, Work};
use crate::denial::Denial;
use crate::directory::{Account, AccountKind, Authentication, ProfileField, Status};
use crate::email::Email;
use crate::facts::AccountFacts;
use crate::id::{AccountId, ConnectionId};
use crate::keeping::Keeping;
use crate::plan::{Change, ProfilePatch};
use crate::trace::{Stage, StepOutcome};

impl<'a> Work<'a> {
    /// Makes an account. For the file, an account that is already there is brought to the wanted state.
    pub(super) fn create(&mut self, new: &NewAccount, authority: &Authority) -> Result<AccountId, Denial> {
        self.may_create(new, authority)?;
        self.check_new_email(new.email.as_ref(), &new.authentication, authority)?;
        self.check_reserved(new, authority)?;
        if let Some(existing) = self.existing(new) {
            if *self.actor == Actor::File && existing.account.authentication == new.authentication {
                return self.converge(existing, new, authority);
            }
            let text = format!(
                "account {} already has this address, user name or identifier here",
                existing.account.id
            );
            return Err(self.refuse(Denial::Conflict, text));
        }
        let attributes = self.attributes_of_new(&new.attributes)?;
        let account = Account {
            id: self.fresh.account.clone(),
            kind: new.kind,
            authentication: new.authentication.clone(),
            status: if new.active || self.is_auto_activated(new) {
                Status::Active
            } else {
                Status::Invited
            },
            status_origin: self.actor.origin(),
            email: new.email.clone(),
            user_name: new.user_name.clone(),
            external_id: new.external_id.clone(),
            given_name: new.given_name.clone(),
            family_name: new.family_name.clone(),
            display_name: new.display_name.clone(),
            emergency_admin: new.emergency_admin,
            operator: false,
            attributes,
            edited: std::collections::BTreeSet::new(),
            keeping: Keeping::default(),
            version: 1,
            created_at: self.now,
        };
        let mut memberships = Vec::new();
        for wanted in &new.memberships {
            if memberships
                .iter()
                .any(|made: &crate::directory::Membership| made.organization == wanted.organization)
            {
                return Err(self.refuse(Denial::Conflict, "the same organization is named twice"));
            }
            memberships.push(self.build_membership(wanted, new.kind, authority)?);
        }
        let id = account.id.clone();
        self.changes.push(Change::CreateAccount {
            account: Box::new(account),
            profile: None,
        });
        for membership in memberships {
            self.changes.push(Change::AddMembership {
                account: id.clone(),
                membership,
            });
        }
        Ok(id)
    }

    fn may_create(&mut self, new: &NewAccount, authority: &Authority) -> Result<(), Denial> {
        let bound_to = match &new.authentication {
            Authentication::Sso { connection } => Some(connection),
            Authentication::Standard => None,
        };
        if bound_to.is_some() && self.connection_of(bound_to).is_none() {
            return Err(self.refuse(Denial::NotFound, "there is no such connection"));
        }
        if new.emergency_admin && !authority.over_owners() {
            return Err(self.refuse(
                Denial::NotPermitted,
                "only an owner or an operator makes emergency admins",
            ));
        }
        match authority {
            Authority::Operator | Authority::Everything => Ok(()),
            Authority::Admin { organization, .. } => {
                if self
                    .connection
                    .is_some_and(|own| bound_to.is_some() && !own.reaches(organization))
                {
                    return Err(self.refuse(Denial::NotFound, "there is no such connection"));
                }
                if new.memberships.is_empty() {
                    let text = "an account made by an admin is a member of the admin's organization";
                    return Err(self.refuse(Denial::NotPermitted, text));
                }
                Ok(())
            }
            Authority::Directory { connection } if bound_to == Some(connection) => Ok(()),
            Authority::Directory { .. } => Err(self.refuse(
                Denial::NotPermitted,
                "a directory makes accounts of its own connection only",
            )),
        }
    }

    /// Where an organization prevents sign-ups outside, nobody else makes accounts with its addresses.
    fn check_reserved(&mut self, new: &NewAccount, authority: &Authority) -> Result<(), Denial> {
        let is_free = matches!(authority, Authority::Operator | Authority::Everything);
        let owned = new
            .email
            .as_ref()
            .and_then(|email| self.facts.sign_in.domains.get(email.domain()))
            .filter(|owned| owned.settings.prevent_outside_sign_ups && !is_free);
        let Some(owned) = owned else { return Ok(()) };
        let becomes_member = new
            .memberships
            .iter()
            .any(|wanted| wanted.organization == owned.organization);
        let is_own_connection = new.authentication != Authentication::Standard
            && self
                .connection
                .is_some_and(|connection| connection.reaches(&owned.organization));
        if becomes_member || is_own_connection {
            return Ok(());
        }
        let text = "another organization has the domain of this address and prevents sign-ups outside of it";
        Err(self.refuse(Denial::DomainReserved, text))
    }

    /// Whether somebody whom an organization adds with an address in its own domain is in without an invitation. An
    /// account with a password never is: its person has to choose one first.
    fn is_auto_activated(&mut self, new: &NewAccount) -> bool {
        let owned = new
            .email
            .as_ref()
            .filter(|_| new.authentication != Authentication::Standard)
            .and_then(|email| self.facts.sign_in.domains.get(email.domain()))
            .filter(|owned| owned.settings.auto_activate);
        let is_own = owned.is_some_and(|owned| {
            let mut wanted = new.memberships.iter();
            wanted.any(|wanted| wanted.organization == owned.organization)
        });
        if is_own && !new.active {
            let text = "active at once: the organization has the domain of the address and wants it so";
            self.steps
                .add(Stage::Lifecycle, StepOutcome::Passed, "auto_activated", text);
        }
        is_own
    }

    /// The connection handed in, if it is the one meant.
    pub(super) fn connection_of(
        &self,
        bound_to: Option<&ConnectionId>,
    ) -> Option<&crate::connection::Connection> {
        self.connection
            .filter(|connection| bound_to == Some(&connection.id))
    }

    /// Judges an address for an account: an SSO account's lies in a verified domain of its connection.
    pub(super) fn check_new_email(
        &mut self,
        email: Option<&Email>,
        authentication: &Authentication,
        authority: &Authority,
    ) -> Result<(), Denial> {
        let Some(email) = email else {
            let pushed = matches!(authority, Authority::Directory { .. });
            return match authentication {
                Authentication::Sso { .. } if pushed => Ok(()),
                Authentication::Sso { .. } | Authentication::Standard => {
                    Err(self.refuse(Denial::EmailMissing, "an address is needed"))
                }
            };
        };
        let Authentication::Sso { connection } = authentication else {
            return Ok(());
        };
        let Some(own) = self.connection_of(Some(connection)) else {
            return Err(self.refuse(Denial::NotFound, "there is no such connection"));
        };
        if own.serves(email) || !own.settings.require_domain {
            return Ok(());
        }
        let text = format!("{} is no verified domain of the connection", email.domain());
        Err(self.refuse(Denial::DomainNotVerified, text))
    }

    /// Finds the account that a new one would clash with; deleted ones have given up their keys.
    fn existing(&self, new: &NewAccount) -> Option<&'a AccountFacts> {
        let key = new.email.as_ref().map(Email::key);
        self.facts.candidates.iter().find(|candidate| {
            let held = &candidate.account;
            let same = |left: &Option<String>, right: &Option<String>| left.is_some() && left == right;
            held.status != Status::Deleted
                && held.authentication == new.authentication
                && ((key.is_some() && held.email.as_ref().map(Email::key) == key)
                    || (held.authentication != Authentication::Standard
                        && (same(&held.user_name, &new.user_name)
                            || same(&held.external_id, &new.external_id))))
        })
    }

    /// Brings an account of the file to the state that the file names; what it does not name stays.
    fn converge(
        &mut self,
        existing: &AccountFacts,
        new: &NewAccount,
        authority: &Authority,
    ) -> Result<AccountId, Denial> {
        let keep = |wanted: &Option<String>| wanted.clone().map(Some);
        let set = ProfilePatch {
            kind: Some(new.kind),
            user_name: keep(&new.user_name),
            external_id: keep(&new.external_id),
            given_name: keep(&new.given_name),
            family_name: keep(&new.family_name),
            display_name: keep(&new.display_name),
            emergency_admin: new.emergency_admin.then_some(true),
            attributes: (!new.attributes.is_empty()).then(|| new.attributes.clone()),
            ..ProfilePatch::default()
        };
        self.update_profile(existing, &set, authority)?;
        self.set_memberships(existing, &new.memberships, authority)?;
        Ok(existing.account.id.clone())
    }

    /// Sets profile fields; only what differs is planned.
    pub(super) fn update_profile(
        &mut self,
        target: &AccountFacts,
        set: &ProfilePatch,
        authority: &Authority,
    ) -> Result<(), Denial> {
        self.may_change_account(target, authority)?;
        if set.operator.is_some() {
            return Err(self.refuse(Denial::NotPermitted, "the operator mark is not a profile field"));
        }
        if set.keeping.is_some() {
            return Err(self.refuse(Denial::NotPermitted, "who keeps a field is not a profile field"));
        }
        let (set, _) = differences(&target.account, set);
        let set = self.settle_attributes(target, set, authority)?;
        let mut set = self.leave_to_directory(target, set, authority)?;
        if authority.is_hand() {
            mark_edited(&target.account, &mut set);
        }
        let (set, before) = differences(&target.account, &set);
        if set == ProfilePatch::default() {
            return Ok(());
        }
        if set.emergency_admin.is_some() && !authority.over_owners() {
            return Err(self.refuse(
                Denial::NotPermitted,
                "only an owner or an operator changes emergency marks",
            ));
        }
        if let Some(email) = &set.email {
            self.check_new_email(email.as_ref(), &target.account.authentication, authority)?;
        }
        if self.clashes(target, &set) {
            return Err(self.refuse(
                Denial::Conflict,
                "another account here already has this address or name",
            ));
        }
        self.changes.push(Change::UpdateProfile {
            account: target.account.id.clone(),
            version: target.account.version,
            set,
            before,
        });
        Ok(())
    }

    pub(super) fn clashes(&self, target: &AccountFacts, set: &ProfilePatch) -> bool {
        let key = set.email.iter().flatten().map(Email::key).next();
        let same = |held: &Option<String>, wanted: &Option<Option<String>>| {
            wanted
                .as_ref()
                .is_some_and(|wanted| wanted.is_some() && held == wanted)
        };
        self.facts
            .candidates
            .iter()
            .map(|candidate| &candidate.account)
            .any(|held| {
                held.id != target.account.id
                    && held.status != Status::Deleted
                    && held.authentication == target.account.authentication
                    && ((key.is_some() && held.email.as_ref().map(Email::key) == key)
                        || (held.authentication != Authentication::Standard
                            && (same(&held.user_name, &set.user_name)
                                || same(&held.external_id, &set.external_id))))
            })
    }

    /// Forgets every federated identity. Sessions proved by them end.
    pub(super) fn reset_subject(
        &mut self,
        target: &AccountFacts,
        authority: &Authority,
    ) -> Result<(), Denial> {
        self.may_change_account(target, authority)?;
        let account = &target.account.id;
        for link in &target.links {
            self.changes.push(Change::Unlink {
                account: account.clone(),
                link: link.clone(),
            });
        }
        if !target.links.is_empty() {
            self.changes.push(Change::RevokeSessions {
                account: account.clone(),
                reason: "reset".to_owned(),
            });
        }
        Ok(())
    }

    /// Makes an operator, or ends that. Only operators do.
    pub(super) fn make_operator(
        &mut self,
        target: &AccountFacts,
        operator: bool,
        authority: &Authority,
    ) -> Result<(), Denial> {
        if *authority != Authority::Operator {
            return Err(self.refuse(Denial::NotPermitted, "only operators make operators"));
        }
        if target.account.operator != operator {
            self.changes.push(Change::UpdateProfile {
                account: target.account.id.clone(),
                version: target.account.version,
                set: ProfilePatch {
                    operator: Some(operator),
                    ..ProfilePatch::default()
                },
                before: ProfilePatch {
                    operator: Some(target.account.operator),
                    ..ProfilePatch::default()
                },
            });
        }
        Ok(())
    }
}

/// Notes which parts of an SSO account's profile a hand edit takes from the identity provider, unless the patch says
/// itself which are edited.
fn mark_edited(held: &Account, set: &mut ProfilePatch) {
    if held.authentication == Authentication::Standard || set.edited.is_some() {
        return;
    }
    let names = set.given_name.is_some() || set.family_name.is_some() || set.display_name.is_some();
    let marks = [
        (ProfileField::Names, names),
        (ProfileField::Email, set.email.is_some()),
        (ProfileField::Attributes, set.attributes.is_some()),
    ];
    let mut edited = held.edited.clone();
    edited.extend(marks.into_iter().filter(|(_, is)| *is).map(|(field, _)| field));
    set.edited = Some(edited);
}

/// Keeps only the fields that differ, with their former values beside them.
pub(crate) fn differences(held: &Account, wanted: &ProfilePatch) -> (ProfilePatch, ProfilePatch) {
    fn differing<T: Clone + PartialEq>(wanted: Option<&T>, held: &T) -> (Option<T>, Option<T>) {
        match wanted {
            Some(wanted) if wanted != held => (Some(wanted.clone()), Some(held.clone())),
            Some(_) | None => (None, None),
        }
    }
    let (kind, kind_before): (Option<AccountKind>, _) = differing(wanted.kind.as_ref(), &held.kind);
    let (email, email_before) = differing(wanted.email.as_ref(), &held.email);
    let (user_name, user_name_before) = differing(wanted.user_name.as_ref(), &held.user_name);
    let (external_id, external_id_before) = differing(wanted.external_id.as_ref(), &held.external_id);
    let (given_name, given_name_before) = differing(wanted.given_name.as_ref(), &held.given_name);
    let (family_name, family_name_before) = differing(wanted.family_name.as_ref(), &held.family_name);
    let (display_name, display_name_before) = differing(wanted.display_name.as_ref(), &held.display_name);
    let (emergency_admin, emergency_before) =
        differing(wanted.emergency_admin.as_ref(), &held.emergency_admin);
    let (attributes, attributes_before) = differing(wanted.attributes.as_ref(), &held.attributes);
    let (edited, edited_before) = differing(wanted.edited.as_ref(), &held.edited);
    let (keeping, keeping_before) = differing(wanted.keeping.as_ref(), &held.keeping);
    let set = ProfilePatch {
        kind,
        email,
        user_name,
        external_id,
        given_name,
        family_name,
        display_name,
        emergency_admin,
        operator: None,
        attributes,
        edited,
        keeping,
        profile: None,
    };
    let before = ProfilePatch {
        kind: kind_before,
        email: email_before,
        user_name: user_name_before,
        external_id: external_id_before,
        given_name: given_name_before,
        family_name: family_name_before,
        display_name: display_name_before,
        emergency_admin: emergency_before,
        operator: None,
        attributes: attributes_before,
        edited: edited_before,
        keeping: keeping_before,
        profile: None,
    };
    (set, before)
}
