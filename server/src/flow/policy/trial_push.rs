//! Trials where a directory makes the accounts: the rules run at its pushes, so a person is tried by the decision of a push. Takes
//! an account as it was pushed, or claims that are read as those of a pushed person. Writes nothing.

use jiff::Timestamp;
use provost_kernel::connection::Connection;
use provost_kernel::directory::{Authentication, GroupName, Status};
use provost_kernel::email::Email;
use provost_kernel::facts::{AccountFacts, Facts};
use provost_kernel::id::{AccountId, GroupId};
use provost_kernel::incoming::Fresh;
use provost_kernel::mapping::InForce;
use provost_kernel::plan::Decision;
use provost_kernel::preview::Heard;
use provost_kernel::provision::push::{self, Push, PushedUser};
use provost_scim::Document;
use provost_store::{Reader, StoreError};
use serde_json::{Map, Value, json};

use super::trial::fresh;
use crate::app::App;
use crate::error::Result;
use crate::flow::claims;
use crate::translate;

/// A decision, and the claims that it was made on, masked for people to read.
pub type Decided = (Decision, Value);

/// Decides about somebody whom the connection's directory manages, as a push would. None if the directory does not manage the
/// account.
///
/// # Errors
/// Those of the store.
pub async fn known(app: &App, account: AccountId, in_force: InForce) -> Result<Option<Decided>> {
    let (fresh, now) = (fresh(), app.world.now());
    let wish = Push::Reevaluate {
        accounts: vec![account.clone()],
    };
    let decided = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let mut facts = reader.facts(&push::need(&wish, &in_force)).await?;
                let connection = in_force.connection();
                let known = facts
                    .accounts
                    .iter()
                    .find(|known| known.account.id == account && is_own(known, connection));
                let (Some(known), Some(profile)) = (known, facts.directory.profiles.get(&account)) else {
                    return Ok(None);
                };
                let groups = facts.directory.groups_of.get(&account);
                let groups = groups.map_or(&[][..], Vec::as_slice);
                let heard = Heard::pushed(&connection.id, &known.account, &profile.document, groups);
                let kept = claims::of_push(heard.claims());
                load_candidates(reader, &wish, &mut facts, &in_force, &fresh, now).await?;
                let mut decision = push::decide(&wish, &facts, &in_force, &fresh, now);
                decision.trace.account = Some(account);
                Ok::<_, StoreError>(Some((decision, kept)))
            })
        })
        .await?;
    Ok(decided)
}

/// Decides as if the directory pushed a person with these claims: one who is there already if user name, external id or address
/// say so, else a new one.
///
/// # Errors
/// Those of the store.
pub async fn pasted(
    app: &App,
    claims: Map<String, Value>,
    subject: Option<String>,
    in_force: InForce,
) -> Result<Decided> {
    let (fresh, now) = (fresh(), app.world.now());
    let (user, groups) = read(claims, subject);
    let decided = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let create = Push::CreateUser(Box::new(user.clone()));
                let mut facts = reader.facts(&push::need(&create, &in_force)).await?;
                let connection = in_force.connection();
                let holder = holder(&facts, &user, connection).map(|known| known.account.clone());
                let wish = match &holder {
                    Some(account) => Push::ReplaceUser {
                        account: account.id.clone(),
                        if_version: None,
                        user: Box::new(user.clone()),
                    },
                    None => create,
                };
                if let Some(account) = &holder {
                    // The same person, wanted by identifier now.
                    facts.join(reader.facts(&push::need(&wish, &in_force)).await?);
                    facts.directory.departures = None;
                    facts.directory.groups_of.entry(account.id.clone()).or_default();
                }
                let about = holder.map_or_else(|| fresh.account.clone(), |account| account.id);
                if let Some(groups) = groups {
                    facts.directory.groups_of.insert(about.clone(), groups);
                }
                load_candidates(reader, &wish, &mut facts, &in_force, &fresh, now).await?;
                let mut decision = push::decide(&wish, &facts, &in_force, &fresh, now);
                decision.trace.account.get_or_insert(about);
                let mut shown = user.document;
                let names = facts.directory.groups_of.values().flatten();
                let names: Vec<&str> = names.map(|group| group.name.as_str()).collect();
                shown.insert("groups".to_owned(), json!(names));
                translate::mask::mask(&mut shown);
                Ok::<_, StoreError>((decision, json!({ "protocol": "scim", "claims": shown })))
            })
        })
        .await?;
    Ok(decided)
}

async fn load_candidates(
    reader: &mut Reader,
    wish: &Push,
    facts: &mut Facts,
    in_force: &InForce,
    fresh: &Fresh,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(candidates) = push::candidates(wish, facts, in_force, fresh, now) else {
        return Ok(());
    };
    let every = if candidates.is_open() {
        reader.organization_ids().await?
    } else {
        Vec::new()
    };
    facts.join(reader.facts(&candidates.need(&every)).await?);
    Ok(())
}

fn is_own(known: &AccountFacts, connection: &Connection) -> bool {
    matches!(&known.account.authentication, Authentication::Sso { connection: of } if *of == connection.id)
}

/// Finds the account of the connection that the claims mean.
fn holder<'a>(facts: &'a Facts, user: &PushedUser, connection: &Connection) -> Option<&'a AccountFacts> {
    let own = || {
        facts
            .candidates
            .iter()
            .filter(|known| is_own(known, connection) && known.account.status != Status::Deleted)
    };
    let name = user.user_name.as_ref().map(|name| name.to_lowercase());
    let key = user.email.as_deref().and_then(|text| Email::parse(text).ok());
    let key = key.map(|email| email.key());
    let by_name = || {
        own().find(|known| {
            name.is_some() && known.account.user_name.as_ref().map(|held| held.to_lowercase()) == name
        })
    };
    let by_id =
        || own().find(|known| user.external_id.is_some() && known.account.external_id == user.external_id);
    let by_email =
        || own().find(|known| key.is_some() && known.account.email.as_ref().map(Email::key) == key);
    by_name().or_else(by_id).or_else(by_email)
}

/// Reads pasted claims as a pushed person: in SCIM spelling, or under the usual names of sign-ins. Groups are names, or what SCIM
/// shows of them; without the list the person keeps those held.
fn read(claims: Map<String, Value>, subject: Option<String>) -> (PushedUser, Option<Vec<GroupName>>) {
    let (mut own, subject) = unpacked(claims, subject);
    let groups = own.remove("groups").map(|groups| names(&groups));
    for ours in ["id", "meta", "schemas", "password"] {
        own.remove(ours);
    }
    let mut take = |names: &[&str]| {
        let mut found = None;
        for name in names {
            let usual = own.get(*name).and_then(one).map(str::to_owned);
            if usual.is_some() {
                own.remove(*name);
            }
            found = found.or(usual);
        }
        found
    };
    let email = take(&["email"]);
    let user_name = take(&["userName", "user_name", "preferred_username"]);
    let (given, family) = (take(&["given_name"]), take(&["family_name"]));
    let display_name = take(&["displayName", "display_name", "name"]);
    let external_id = take(&["externalId", "external_id"]);
    let user_name = user_name.or_else(|| email.clone()).or(subject);
    let name: Map<String, Value> = [("givenName", given), ("familyName", family)]
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?.into())))
        .collect();
    let additions = [
        ("userName", user_name.map(Value::from)),
        ("externalId", external_id.map(Value::from)),
        ("displayName", display_name.map(Value::from)),
        ("name", (!name.is_empty()).then(|| name.into())),
        (
            "emails",
            email.map(|value| json!([{ "value": value, "type": "work", "primary": true }])),
        ),
    ];
    for (name, value) in additions {
        if let Some(value) = value {
            own.entry(name).or_insert(value);
        }
    }
    let user = translate::scim::new_user(&Document::from_stored(own));
    (user, groups)
}

/// What a trace or an account keeps has the claims inside, and our reading of them beside.
fn unpacked(claims: Map<String, Value>, subject: Option<String>) -> (Map<String, Value>, Option<String>) {
    let Some(Value::Object(inner)) = claims.get("claims").filter(|_| claims.contains_key("protocol")) else {
        return (claims, subject);
    };
    let mut own = inner.clone();
    let ours = claims.get("normalized").and_then(Value::as_object);
    for (name, value) in ours.into_iter().flatten() {
        if matches!(value, Value::String(_) | Value::Array(_)) {
            own.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    let kept = claims.get("subject").and_then(|subject| subject.get("value"));
    let kept = kept.and_then(Value::as_str).map(str::to_owned);
    (own, subject.or(kept))
}

/// A text, or the first of a list: SAML sends lists.
fn one(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Array(items) => items.first().and_then(Value::as_str),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// Names of groups: texts, or members of a SCIM list with `display`.
fn names(groups: &Value) -> Vec<GroupName> {
    let one = |(number, group): (usize, &Value)| {
        let value = group.get("value").and_then(Value::as_str);
        let shown = group.get("display").and_then(Value::as_str).or(value);
        Some(GroupName {
            id: GroupId::new(format!("(group {number})")),
            name: group.as_str().or(shown)?.to_owned(),
            external_id: value.map(str::to_owned),
        })
    };
    match groups.as_array() {
        Some(items) => items.iter().enumerate().filter_map(one).collect(),
        None => one((0, groups)).into_iter().collect(),
    }
}
