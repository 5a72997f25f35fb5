//! Profiles of pushed people: the modelled fields, the directory's document and the kind of account, in one change.

use serde_json::{Map, Value};

use super::{PushedUser, Work};
use crate::attribute::{AttributeSource, Kept, Values};
use crate::directory::{Account, AccountKind, DirectoryProfile};
use crate::email::Email;
use crate::facts::AccountFacts;
use crate::keeping::{self, Keeping, KeptField};
use crate::plan::{Change, ProfilePatch};
use crate::provision::account::differences;
use crate::trace::{Stage, StepOutcome};

/// Schema of the attributes that admins defined; their values also are attributes of the account.
pub const CUSTOM_ATTRIBUTES: &str = "urn:provost:scim:schemas:extension:custom:2.0:User";

impl Work<'_> {
    /// Plans what differs between the account and what is pushed, and returns the account as it will be. A value that the
    /// directory removed is emptied here.
    pub(super) fn update_profile(
        &mut self,
        known: &AccountFacts,
        user: &PushedUser,
        email: Option<Email>,
    ) -> Account {
        let held = &known.account;
        let before = self.facts.directory.profiles.get(&held.id);
        let given = self.attributes(known, user);
        let mut wanted = Account {
            kind: self.kind(&user.document).unwrap_or(held.kind),
            email,
            user_name: user.user_name.clone(),
            external_id: user.external_id.clone(),
            given_name: user.given_name.clone(),
            family_name: user.family_name.clone(),
            display_name: user.display_name.clone(),
            attributes: given.values,
            keeping: Keeping {
                sources: given.sources,
                ..held.keeping.clone()
            },
            ..held.clone()
        };
        keeping::hold(held, &mut wanted);
        let (mut set, mut old) = differences(held, &whole(&wanted));
        if before.map(|profile| &profile.document) != Some(&user.document) {
            let document = user.document.clone();
            set.profile = Some(Some(Box::new(DirectoryProfile { document })));
            old.profile = Some(before.cloned().map(Box::new));
        }
        if set == ProfilePatch::default() {
            let text = "profile: nothing changes";
            self.steps
                .add(Stage::Profile, StepOutcome::Skipped, "profile_unchanged", text);
            return wanted;
        }
        let text = format!("profile: {} changed", changed(before, &user.document));
        self.steps
            .add(Stage::Profile, StepOutcome::Passed, "profile_updated", text);
        self.changes.push(Change::UpdateProfile {
            account: held.id.clone(),
            version: held.version,
            set,
            before: old,
        });
        wanted
    }

    /// Works out the attributes that admins defined: what the directory gives now, gave before and gives no more (R-84, C-28).
    fn attributes(&mut self, known: &AccountFacts, user: &PushedUser) -> Values {
        let held = &known.account;
        let before = self.facts.directory.profiles.get(&held.id);
        let mut values = held_attributes(held, before);
        let mut names: Vec<&String> = user.attributes.keys().collect();
        let gone = given_attributes(before).filter(|(name, _)| !user.attributes.contains_key(*name));
        names.extend(gone.map(|(name, _)| name));
        for name in names {
            self.say_attribute(&mut values, name, user.attributes.get(name));
        }
        values
    }

    /// The attributes of a new person.
    pub(super) fn new_attributes(&mut self, user: &PushedUser) -> Values {
        let mut values = Values::default();
        for (name, value) in &user.attributes {
            self.say_attribute(&mut values, name, Some(value));
        }
        values
    }

    fn say_attribute(&mut self, values: &mut Values, name: &str, value: Option<&Value>) {
        let definitions = &self.connection.settings.attributes;
        let why = match values.say(definitions, AttributeSource::Scim, name, value) {
            Ok(_) => return,
            Err(Kept::NotAllowed) => "directories may not set it".to_owned(),
            Err(Kept::StandsBefore(other)) => format!("what {} set stands", other.word()),
            Err(Kept::Mistyped) => "the value is of another type".to_owned(),
        };
        let text = format!("attribute {name} is kept as it is: {why}");
        self.steps
            .add(Stage::Profile, StepOutcome::Skipped, "attribute_kept", text);
    }

    /// Plans the kind of account that the connection's settings now read off what was pushed before. Returns the account as it
    /// will be.
    pub(super) fn decide_kind(&mut self, held: &Account, document: &Map<String, Value>) -> Account {
        let mut wanted = Account {
            kind: self.kind(document).unwrap_or(held.kind),
            ..held.clone()
        };
        keeping::hold_only(held, &mut wanted, &KeptField::Kind);
        let (set, before) = differences(held, &whole(&wanted));
        if set != ProfilePatch::default() {
            self.changes.push(Change::UpdateProfile {
                account: held.id.clone(),
                version: held.version,
                set,
                before,
            });
        }
        wanted
    }

    /// Reads the kind of account off the attribute that decides it, if the connection names one.
    pub(super) fn kind(&self, document: &Map<String, Value>) -> Option<AccountKind> {
        let name = self.connection.settings.directory.kind_attribute.as_deref()?;
        let is_user = match attribute(document, name) {
            Some(Value::Bool(value)) => *value,
            // Entra sends booleans as text.
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            Some(Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) | None => false,
        };
        Some(if is_user {
            AccountKind::User
        } else {
            AccountKind::Reader
        })
    }
}

/// The attributes of an account with where each came from. What a directory pushed before that was remembered is the directory's.
pub(crate) fn held_attributes(held: &Account, profile: Option<&DirectoryProfile>) -> Values {
    let mut values = Values {
        values: held.attributes.clone(),
        sources: held.keeping.sources.clone(),
    };
    for (name, value) in given_attributes(profile) {
        if !values.sources.contains_key(name) && values.values.get(name) == Some(value) {
            values.sources.insert(name.clone(), AttributeSource::Scim);
        }
    }
    values
}

/// What the directory's document gives.
fn given_attributes(profile: Option<&DirectoryProfile>) -> impl Iterator<Item = (&String, &Value)> {
    profile
        .and_then(|profile| profile.document.get(CUSTOM_ATTRIBUTES))
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

/// The patch that sets every modelled field to what the account has.
pub(super) fn whole(account: &Account) -> ProfilePatch {
    ProfilePatch {
        kind: Some(account.kind),
        email: Some(account.email.clone()),
        user_name: Some(account.user_name.clone()),
        external_id: Some(account.external_id.clone()),
        given_name: Some(account.given_name.clone()),
        family_name: Some(account.family_name.clone()),
        display_name: Some(account.display_name.clone()),
        attributes: Some(account.attributes.clone()),
        keeping: Some(account.keeping.clone()),
        ..ProfilePatch::default()
    }
}

/// Finds an attribute by its name, with or without the URN of its schema, without regard to case (RFC 7643 2.1).
fn attribute<'a>(document: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let in_object = |object: &'a Map<String, Value>, name: &str| {
        object
            .iter()
            .find(|(held, _)| held.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    if let Some(value) = in_object(document, name) {
        return Some(value);
    }
    let within = |schema: &str, name: &str| {
        in_object(document, schema)
            .and_then(Value::as_object)
            .and_then(|extension| in_object(extension, name))
    };
    match name.rsplit_once(':') {
        Some((schema, name)) => within(schema, name),
        None => document
            .iter()
            .filter(|(schema, _)| schema.contains(':'))
            .find_map(|(schema, _)| within(schema, name)),
    }
}

/// Names the top-level attributes that differ, for the trace.
fn changed(before: Option<&DirectoryProfile>, document: &Map<String, Value>) -> String {
    let empty = Map::new();
    let before = before.map_or(&empty, |profile| &profile.document);
    let mut names: Vec<&str> = document
        .iter()
        .filter(|(name, value)| before.get(*name) != Some(value))
        .map(|(name, _)| name.as_str())
        .collect();
    names.extend(
        before
            .keys()
            .filter(|name| !document.contains_key(*name))
            .map(String::as_str),
    );
    if names.is_empty() {
        return "fields".to_owned();
    }
    names.join(", ")
}
