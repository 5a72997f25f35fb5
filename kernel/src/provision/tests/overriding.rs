//! Attributes that admins define, from all their sources, and overrides for a while.

use serde_json::{Value, json};

use super::*;
use crate::attribute::{AttributeDefinition, AttributeSource, AttributeWinner};
use crate::fixtures::{claim, pushed, scim};
use crate::keeping::KeptField;
use crate::mapping::InForce;
use crate::provision::push::{CUSTOM_ATTRIBUTES, Push, PushedUser};

fn defining(definition: AttributeDefinition) -> InForce {
    scim(|connection| connection.settings.attributes = vec![definition])
}

fn user(nfc: Option<&str>) -> PushedUser {
    let mut user = pushed("ann");
    if let Some(nfc) = nfc {
        user.attributes.insert("nfc".to_owned(), json!(nfc));
        user.document
            .insert(CUSTOM_ATTRIBUTES.to_owned(), json!({ "nfc": nfc }));
    }
    user
}

fn push(world: &mut World, user: PushedUser, in_force: &InForce) -> Decision {
    let is_known = world
        .accounts
        .iter()
        .any(|known| known.account.id.as_str() == "new-1");
    let user = Box::new(user);
    let push = if is_known {
        Push::ReplaceUser {
            account: "new-1".into(),
            if_version: None,
            user: user.clone(),
        }
    } else {
        Push::CreateUser(user.clone())
    };
    let decision = world.push(&push, in_force, 1);
    let again = Push::ReplaceUser {
        account: "new-1".into(),
        if_version: None,
        user,
    };
    assert_eq!(world.push(&again, in_force, 2).plan.changes, [], "twice");
    decision
}

fn by(world: &mut World, actor: Actor, action: Action, in_force: &InForce, at: Timestamp) -> Decision {
    let request = Request { actor, action };
    let facts = world.facts(&need(&request));
    let decision = decide(&request, &facts, Some(in_force), &fresh(9), at);
    world.apply(&decision.plan);
    decision
}

fn edit(world: &mut World, nfc: Option<&str>, in_force: &InForce) -> Option<Denial> {
    let attributes = nfc.map_or_else(|| json!({}), |nfc| json!({ "nfc": nfc }));
    let action = Action::UpdateProfile {
        account: "new-1".into(),
        set: Box::new(ProfilePatch {
            attributes: attributes.as_object().cloned(),
            ..ProfilePatch::default()
        }),
    };
    refusal(&by(world, OPERATOR, action, in_force, now()))
}

fn nfc(world: &World) -> Value {
    world
        .get("new-1")
        .account
        .attributes
        .get("nfc")
        .cloned()
        .unwrap_or_default()
}

#[test]
fn r83_r84_c28_hand_and_directory_meet_as_the_winner_says() {
    use AttributeWinner::{Directory, Latest, Manual};
    // Winner; what stands after: pushed, edited by hand, pushed another, pushed without.
    let cases = [
        (Directory, ["a", "a", "b", ""], Some(Denial::DirectoryManaged)),
        (Manual, ["a", "hand", "hand", "hand"], None),
        (Latest, ["a", "hand", "b", ""], None),
    ];
    for (winner, stands, refused) in cases {
        let in_force = defining(AttributeDefinition {
            winner,
            ..AttributeDefinition::text("nfc")
        });
        let mut world = World::new(&["acme"], vec![]);
        let shown = |world: &World| nfc(world).as_str().unwrap_or_default().to_owned();
        push(&mut world, user(Some("a")), &in_force);
        assert_eq!(shown(&world), stands[0], "{winner:?}");
        assert_eq!(edit(&mut world, Some("hand"), &in_force), refused, "{winner:?}");
        assert_eq!(shown(&world), stands[1], "{winner:?}");
        push(&mut world, user(Some("b")), &in_force);
        assert_eq!(shown(&world), stands[2], "{winner:?}");
        push(&mut world, user(None), &in_force);
        assert_eq!(shown(&world), stands[3], "{winner:?}");
    }
}

#[test]
fn r83_claims_fill_attributes_at_a_sign_in_and_their_absence_empties_them() {
    let definition = AttributeDefinition {
        claim: Some("badge".to_owned()),
        ..AttributeDefinition::text("nfc")
    };
    let jit = with(|connection| connection.settings.attributes = vec![definition]);
    let mut world = World::new(&["acme"], vec![]);
    let badge = |text: &str| claim(ann(&[]), "badge", json!([text]));
    world.sign_in(&badge("04-A"), &jit, 1);
    assert_eq!(nfc(&world), "04-A");
    assert_eq!(
        world.get("new-1").account.keeping.sources["nfc"],
        AttributeSource::Saml
    );
    assert_eq!(world.sign_in(&badge("04-A"), &jit, 2).plan.changes, []);
    world.sign_in(&badge("04-B"), &jit, 3);
    assert_eq!(nfc(&world), "04-B");
    assert_eq!(
        edit(&mut world, Some("hand"), &jit),
        Some(Denial::DirectoryManaged)
    );
    let emptied = world.sign_in(&ann(&[]), &jit, 4);
    assert_eq!(nfc(&world), Value::Null);
    assert!(has(&emptied.trace, "attributes_updated"));
    assert_eq!(edit(&mut world, Some("hand"), &jit), None);
    assert_eq!(world.sign_in(&ann(&[]), &jit, 5).plan.changes, []);
    assert_eq!(nfc(&world), "hand");
    // A claim that nobody defined fills nothing, and a mistyped one neither.
    let wrong = claim(ann(&[]), "badge", json!({ "a": 1 }));
    assert!(has(&world.sign_in(&wrong, &jit, 6).trace, "attribute_kept"));
    assert_eq!(nfc(&world), "hand");
}

#[test]
fn c28_a_push_stands_before_a_claim_of_the_same_connection() {
    let in_force = defining(AttributeDefinition::text("nfc"));
    let mut world = World::new(&["acme"], vec![]);
    push(&mut world, user(Some("pushed")), &in_force);
    let mut incoming = claim(ann(&[]), "nfc", json!(["claimed"]));
    incoming.subject.value = "ann@acme.example".to_owned();
    let decision = world.sign_in(&incoming, &in_force, 3);
    assert!(decision.plan.session.is_some());
    assert!(has(&decision.trace, "attribute_kept"));
    assert_eq!(nfc(&world), "pushed");
    push(&mut world, user(None), &in_force);
    world.sign_in(&incoming, &in_force, 4);
    assert_eq!(nfc(&world), "claimed");
}

fn over(field: &str, value: Value, hours: i64) -> Action {
    Action::OverrideField {
        account: "new-1".into(),
        field: field.parse().unwrap(),
        value,
        until: now() + jiff::SignedDuration::from_hours(hours),
    }
}

fn end(field: Option<&str>, address: Option<&str>) -> Action {
    Action::EndOverride {
        account: "new-1".into(),
        field: field.map(|field| field.parse().unwrap()),
        address: address.map(email),
    }
}

#[test]
fn r163_an_override_stands_until_its_time_and_then_the_directory_s_present_value_returns() {
    let in_force = defining(AttributeDefinition::text("nfc"));
    let mut world = World::new(&["acme"], vec![]);
    push(&mut world, user(Some("04-A")), &in_force);
    let fields = [
        ("email", json!("ann.lee@acme.example")),
        ("family_name", json!("Emergency")),
        ("attributes.nfc", json!("spare")),
    ];
    for (field, value) in &fields {
        let done = by(
            &mut world,
            OPERATOR,
            over(field, value.clone(), 24),
            &in_force,
            now(),
        );
        assert_eq!(refusal(&done), None, "{field}");
        assert!(has(&done.trace, "field_overridden"));
        let kept = world.get("new-1").account.clone();
        assert_eq!(field.parse::<KeptField>().unwrap().of(&kept), *value, "{field}");
    }
    // Pushes go on beside it.
    let mut changed = user(Some("04-B"));
    changed.family_name = Some("Newname".to_owned());
    push(&mut world, changed, &in_force);
    let account = world.get("new-1").account.clone();
    assert_eq!(account.family_name.as_deref(), Some("Emergency"));
    assert_eq!(account.email, Some(email("ann.lee@acme.example")));
    assert_eq!(nfc(&world), "spare");
    // Not before its time.
    let early = by(&mut world, Actor::System, end(None, None), &in_force, now());
    assert_eq!(early.plan.changes, []);
    let later = now() + jiff::SignedDuration::from_hours(24);
    let returned = end(None, Some("ann@acme.example"));
    let ended = by(&mut world, Actor::System, returned.clone(), &in_force, later);
    assert_eq!(refusal(&ended), None);
    let account = world.get("new-1").account.clone();
    assert_eq!(account.family_name.as_deref(), Some("Newname"));
    assert_eq!(account.email, Some(email("ann@acme.example")));
    assert_eq!(nfc(&world), "04-B");
    assert_eq!(account.keeping.overrides, []);
    assert_eq!(
        by(&mut world, Actor::System, returned, &in_force, later)
            .plan
            .changes,
        []
    );
}

#[test]
fn r163_what_an_override_may_not_do() {
    let in_force = defining(AttributeDefinition {
        kind: crate::attribute::AttributeKind::Integer,
        ..AttributeDefinition::text("nfc")
    });
    let mut world = owner_and_admin();
    world.accounts.retain(|known| known.account.id.as_str() != "ann");
    let mut bob = crate::fixtures::account("bob", sso("okta"));
    bob.email = Some(email("bob@acme.example"));
    world.accounts.push(known(bob, &[], vec![]));
    push(&mut world, user(None), &in_force);
    let name = || over("family_name", json!("X"), 1);
    let refused = [
        (OPERATOR, over("family_name", json!("X"), 0), Denial::InvalidValue),
        (
            OPERATOR,
            over("family_name", json!("X"), 24 * 91),
            Denial::InvalidValue,
        ),
        (OPERATOR, over("family_name", json!(7), 1), Denial::InvalidValue),
        (
            OPERATOR,
            over("attributes.nfc", json!("x"), 1),
            Denial::InvalidValue,
        ),
        (
            OPERATOR,
            over("email", json!("x@elsewhere.example"), 1),
            Denial::DomainNotVerified,
        ),
        (
            OPERATOR,
            over("email", json!("bob@acme.example"), 1),
            Denial::EmailTaken,
        ),
        (OPERATOR, over("kind", json!("reader"), 1), Denial::Conflict),
        (OPERATOR, end(Some("email"), None), Denial::NotFound),
        (Actor::File, name(), Denial::NotPermitted),
        (
            Actor::Scim {
                connection: "okta".into(),
            },
            name(),
            Denial::NotPermitted,
        ),
        (admin("ann"), name(), Denial::NotPermitted),
    ];
    for (actor, action, denial) in refused {
        let case = format!("{actor:?} {action:?}");
        assert_eq!(
            refusal(&by(&mut world, actor, action, &in_force, now())),
            Some(denial),
            "{case}"
        );
    }
    // Owners and admins of the person's organization may.
    assert_eq!(
        refusal(&by(&mut world, admin("adam"), name(), &in_force, now())),
        None
    );
    let ended = by(
        &mut world,
        admin("adam"),
        end(Some("family_name"), None),
        &in_force,
        now(),
    );
    assert_eq!(refusal(&ended), None);
    assert_eq!(world.get("new-1").account.family_name, user(None).family_name);
}

#[test]
fn r163_an_address_that_is_taken_by_then_does_not_return_and_somebody_is_told() {
    let in_force = scim(|_| {});
    let mut world = World::new(&["acme"], vec![]);
    push(&mut world, user(None), &in_force);
    by(
        &mut world,
        OPERATOR,
        over("email", json!("other@acme.example"), 1),
        &in_force,
        now(),
    );
    let mut second = crate::fixtures::account("bob", sso("okta"));
    second.email = Some(email("ann@acme.example"));
    world.accounts.push(known(second, &[], vec![]));
    let later = now() + jiff::SignedDuration::from_hours(1);
    let ended = by(
        &mut world,
        Actor::System,
        end(None, Some("ann@acme.example")),
        &in_force,
        later,
    );
    assert!(
        ended
            .plan
            .changes
            .iter()
            .any(|change| matches!(change, Change::Alert { code, .. } if code == "override_not_returned"))
    );
    let account = &world.get("new-1").account;
    assert_eq!(account.email, Some(email("other@acme.example")));
    assert_eq!(account.keeping.overrides, []);
}

#[test]
fn r160_a_changed_kind_attribute_reaches_who_was_pushed_before() {
    let before = scim(|_| {});
    let after = scim(|connection| connection.settings.directory.kind_attribute = Some("full".to_owned()));
    assert!(crate::provision::push::decides_anew(
        before.connection(),
        after.connection()
    ));
    let mut world = World::new(&["acme"], vec![]);
    push(&mut world, user(None), &before);
    let again = Push::Reevaluate {
        accounts: vec!["new-1".into()],
    };
    world.push(&again, &after, 3);
    assert_eq!(
        world.get("new-1").account.kind,
        crate::directory::AccountKind::Reader
    );
    assert_eq!(world.push(&again, &after, 4).plan.changes, []);
}
