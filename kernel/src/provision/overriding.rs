//! Overrides for a while what a directory or identity provider keeps, for the day when the directory is wrong or out of
//! reach. Pushes go on: they change what will return, never what stands.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::Work;
use super::authority::Authority;
use crate::attribute::{AttributeSource, AttributeWinner, Kept, Values};
use crate::denial::Denial;
use crate::directory::Account;
use crate::email::Email;
use crate::facts::AccountFacts;
use crate::keeping::{FieldOverride, KeptField};
use crate::plan::{Change, ProfilePatch};
use crate::provision::push::held_attributes;
use crate::trace::{Stage, StepOutcome};

/// Longest override: what lasts longer belongs into the directory.
pub const LONGEST_OVERRIDE: SignedDuration = SignedDuration::from_hours(90 * 24);

impl Work<'_> {
    /// Sets a field to another value than the directory's, until a time.
    pub(super) fn override_field(
        &mut self,
        target: &AccountFacts,
        field: &KeptField,
        value: &Value,
        until: Timestamp,
        authority: &Authority,
    ) -> Result<(), Denial> {
        self.may_change_account(target, authority)?;
        if !authority.is_hand() {
            return Err(self.refuse(Denial::NotPermitted, "only people override fields"));
        }
        if until <= self.now || until.duration_since(self.now) > LONGEST_OVERRIDE {
            let text = "an override ends in the future, within 90 days";
            return Err(self.refuse(Denial::InvalidValue, text));
        }
        if !self.is_kept(target, field) {
            let text = format!("no directory keeps {field}: just change it");
            return Err(self.refuse(Denial::Conflict, text));
        }
        let held = &target.account;
        let mut wanted = held.clone();
        let value = self.value_for(field, value)?;
        if field.put(&mut wanted, &value).is_err() {
            return Err(self.refuse(Denial::InvalidValue, format!("{field} cannot hold this value")));
        }
        if *field == KeptField::Email {
            self.check_override_email(target, wanted.email.as_ref(), authority)?;
        }
        let returns = held
            .keeping
            .override_of(field)
            .map_or_else(|| field.of(held), |known| known.returns.clone());
        wanted.keeping.overrides.retain(|known| known.field != *field);
        wanted.keeping.overrides.push(FieldOverride {
            field: field.clone(),
            until,
            returns,
            by: self.actor.label(),
        });
        let text = format!(
            "{field} is overridden until {until}; pushes go on and the directory's value returns then"
        );
        self.steps
            .add(Stage::Profile, StepOutcome::Warned, "field_overridden", text);
        self.rewrite(held, &wanted);
        Ok(())
    }

    /// Gives fields back to the directory.
    pub(super) fn end_override(
        &mut self,
        target: &AccountFacts,
        field: Option<&KeptField>,
        address: Option<&Email>,
        authority: &Authority,
    ) -> Result<(), Denial> {
        self.may_change_account(target, authority)?;
        let held = &target.account;
        let is_meant = |known: &&FieldOverride| match field {
            Some(field) => known.field == *field,
            None => known.until <= self.now,
        };
        let ending: Vec<FieldOverride> = held.keeping.overrides.iter().filter(is_meant).cloned().collect();
        if ending.is_empty() && field.is_some() {
            return Err(self.refuse(Denial::NotFound, "the field is not overridden"));
        }
        let mut wanted = held.clone();
        for over in ending {
            let field = &over.field;
            wanted.keeping.overrides.retain(|known| known.field != *field);
            if !self.is_kept(target, field) {
                let text =
                    format!("the override of {field} ends; nobody else keeps it, so it stays as it is");
                self.steps
                    .add(Stage::Profile, StepOutcome::Passed, "override_ended", text);
                continue;
            }
            if *field == KeptField::Email && !self.may_return(target, &over.returns, address)? {
                let text =
                    "the directory's address belongs to another account by now, so the overriding one stays";
                self.steps
                    .add(Stage::Profile, StepOutcome::Warned, "override_stays", text);
                self.changes.push(Change::Alert {
                    account: held.id.clone(),
                    code: "override_not_returned".to_owned(),
                    text: text.to_owned(),
                });
                continue;
            }
            // What an account once held can be put back.
            if field.put(&mut wanted, &over.returns).is_ok() {
                let text = format!("the override of {field} ends; the directory's value returns");
                self.steps
                    .add(Stage::Profile, StepOutcome::Passed, "override_ended", text);
            }
        }
        self.rewrite(held, &wanted);
        Ok(())
    }

    /// Judges attributes that somebody sets by hand, each by its definition (R-83, C-28).
    pub(super) fn settle_attributes(
        &mut self,
        target: &AccountFacts,
        mut set: ProfilePatch,
        authority: &Authority,
    ) -> Result<ProfilePatch, Denial> {
        let Some(wanted) = set.attributes.take() else {
            return Ok(set);
        };
        let held = &target.account;
        let profile = self.managing_profile(target);
        let mut values = held_attributes(held, profile);
        if profile.is_none() {
            // Nobody pushes any more, so what was pushed once stands in nobody's way.
            values
                .sources
                .retain(|_, source| *source != AttributeSource::Scim);
        }
        let definitions = self
            .connection
            .map_or(&[][..], |connection| connection.settings.attributes.as_slice());
        let differing: Vec<&String> = held
            .attributes
            .keys()
            .filter(|name| !wanted.contains_key(*name))
            .chain(
                wanted
                    .keys()
                    .filter(|name| held.attributes.get(*name) != wanted.get(*name)),
            )
            .collect();
        for name in differing {
            let said = values.say(definitions, AttributeSource::Manual, name, wanted.get(name));
            let Err(why) = said else { continue };
            let (denial, text) = match why {
                Kept::NotAllowed => (
                    Denial::DirectoryManaged,
                    format!("attribute {name} is not set by hand: its definition names other sources"),
                ),
                Kept::StandsBefore(other) => (
                    Denial::DirectoryManaged,
                    format!(
                        "{}{} keeps attribute {name}: change it there, or override it for a while",
                        other.word(),
                        self.of_connection()
                    ),
                ),
                Kept::Mistyped => (
                    Denial::InvalidValue,
                    format!("attribute {name} is of another type"),
                ),
            };
            match authority {
                Authority::Operator | Authority::Admin { .. } => return Err(self.refuse(denial, text)),
                // A file that names an old value stays harmless.
                Authority::Everything | Authority::Directory { .. } => {
                    self.steps
                        .add(Stage::Profile, StepOutcome::Warned, "managed_by_directory", text);
                }
            }
        }
        if values.values != held.attributes {
            set.attributes = Some(values.values);
        }
        if values.sources != held.keeping.sources {
            let mut keeping = held.keeping.clone();
            keeping.sources = values.sources;
            set.keeping = Some(keeping);
        }
        Ok(set)
    }

    /// Reads the attributes of a new account as their definitions say.
    pub(super) fn attributes_of_new(
        &mut self,
        given: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Denial> {
        let definitions = self
            .connection
            .map_or(&[][..], |connection| connection.settings.attributes.as_slice());
        let mut values = Values::default();
        for (name, value) in given {
            match values.say(definitions, AttributeSource::Manual, name, Some(value)) {
                Ok(_) => {}
                Err(Kept::NotAllowed | Kept::StandsBefore(_)) => {
                    let text =
                        format!("attribute {name} is not set by hand: its definition names other sources");
                    return Err(self.refuse(Denial::DirectoryManaged, text));
                }
                Err(Kept::Mistyped) => {
                    let text = format!("attribute {name} is of another type");
                    return Err(self.refuse(Denial::InvalidValue, text));
                }
            }
        }
        Ok(values.values)
    }

    /// Names the connection that the account is bound to, for whoever has to go there.
    pub(super) fn of_connection(&self) -> String {
        self.connection
            .map_or_else(String::new, |connection| format!(" of {}", connection.name))
    }

    /// Tells whether somebody else than a person here keeps a field.
    fn is_kept(&self, target: &AccountFacts, field: &KeptField) -> bool {
        let Some(connection) = self.connection else {
            return false;
        };
        let KeptField::Attribute(name) = field else {
            let decides = *field != KeptField::Kind || connection.settings.directory.kind_attribute.is_some();
            return decides && self.managing_profile(target).is_some();
        };
        let held = held_attributes(
            &target.account,
            self.facts.directory.profiles.get(&target.account.id),
        );
        let definition = connection
            .settings
            .attributes
            .iter()
            .find(|definition| definition.name == *name);
        let source = held.sources.get(name).copied();
        let by_others = source.is_some_and(|source| source != AttributeSource::Manual);
        let is_closed = definition.is_some_and(|definition| {
            !definition.takes(AttributeSource::Manual) || definition.winner == AttributeWinner::Directory
        });
        let is_overridden = target.account.keeping.override_of(field).is_some();
        is_overridden
            || (by_others && (definition.is_none() || is_closed))
            || (definition.is_some() && is_closed && source.is_none())
    }

    /// Reads a value as the field's type.
    fn value_for(&mut self, field: &KeptField, value: &Value) -> Result<Value, Denial> {
        let definitions = self
            .connection
            .map_or(&[][..], |connection| connection.settings.attributes.as_slice());
        let KeptField::Attribute(name) = field else {
            return Ok(value.clone());
        };
        match definitions.iter().find(|definition| definition.name == *name) {
            Some(definition) => {
                if let Ok(value) = definition.read(Some(value)) {
                    return Ok(value.unwrap_or_default());
                }
                let text = format!("attribute {name} is of another type");
                Err(self.refuse(Denial::InvalidValue, text))
            }
            None => Ok(value.clone()),
        }
    }

    fn check_override_email(
        &mut self,
        target: &AccountFacts,
        email: Option<&Email>,
        authority: &Authority,
    ) -> Result<(), Denial> {
        self.check_new_email(email, &target.account.authentication, authority)?;
        let set = ProfilePatch {
            email: Some(email.cloned()),
            ..ProfilePatch::default()
        };
        if self.clashes(target, &set) {
            return Err(self.refuse(
                Denial::EmailTaken,
                "another account here already has this address",
            ));
        }
        Ok(())
    }

    /// Tells whether the directory's address is still free.
    fn may_return(
        &mut self,
        target: &AccountFacts,
        returns: &Value,
        address: Option<&Email>,
    ) -> Result<bool, Denial> {
        let email = returns.as_str().and_then(|text| Email::parse(text).ok());
        if email.as_ref() != address {
            return Err(self.refuse(Denial::Conflict, "the address that returns is another one by now"));
        }
        let set = ProfilePatch {
            email: Some(email),
            ..ProfilePatch::default()
        };
        Ok(!self.clashes(target, &set))
    }

    fn rewrite(&mut self, held: &Account, wanted: &Account) {
        let whole = ProfilePatch {
            kind: Some(wanted.kind),
            email: Some(wanted.email.clone()),
            given_name: Some(wanted.given_name.clone()),
            family_name: Some(wanted.family_name.clone()),
            display_name: Some(wanted.display_name.clone()),
            attributes: Some(wanted.attributes.clone()),
            keeping: Some(wanted.keeping.clone()),
            ..ProfilePatch::default()
        };
        let (set, before) = super::differences(held, &whole);
        if set != ProfilePatch::default() {
            self.changes.push(Change::UpdateProfile {
                account: held.id.clone(),
                version: held.version,
                set,
                before,
            });
        }
    }
}
