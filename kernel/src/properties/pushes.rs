//! Properties of any interleaving of directory pushes and sign-ins.

use super::*;
use crate::access;
use crate::denial::Denial;
use crate::directory::LicenseGrant;
use crate::facts::{Departures, Need, OrganizationsNeeded};
use crate::id::AccountId;
use crate::plan::MembershipEdit;
use crate::preview::{Organizations, Preview};
use crate::provision::push::{MembersChange, Push};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Event {
    Push(Push),
    SignIn(Box<Incoming>),
    /// An admin acts, who may take people out and bring them back.
    Hand(Status),
}

fn directory() -> impl Strategy<Value = DirectorySettings> {
    (
        prop::sample::subsequence(
            vec![JoinKey::UserName, JoinKey::ExternalId, JoinKey::Email],
            0..=3,
        ),
        of(&[OnDelete::Soft, OnDelete::Now, OnDelete::Deactivate]),
        of(&[OnExisting::Refuse, OnExisting::Link]),
        of(&[None, Some("title".to_owned())]),
        any::<bool>(),
    )
        .prop_map(
            |(join_by, on_delete, existing, kind_attribute, releases)| DirectorySettings {
                join_by,
                on_delete,
                existing,
                kind_attribute,
                release_license_on_deactivate: releases,
                ..DirectorySettings::default()
            },
        )
}

fn scim_in_force() -> impl Strategy<Value = InForce> {
    (in_force(), directory()).prop_map(|(in_force, settings)| {
        let mut connection = in_force.connection().clone();
        connection.provisioning = Provisioning::Scim;
        connection.settings.directory = settings;
        InForce::compile(connection).unwrap()
    })
}

fn account_id() -> impl Strategy<Value = AccountId> {
    of(&["p0", "p1", "p2", "new-1", "new-2", "new-3"]).prop_map(AccountId::from)
}

fn pushed_user() -> impl Strategy<Value = crate::provision::push::PushedUser> {
    let name = of(&["ann", "ann", "bob"]);
    let external_id = of(&[None, Some("ann-1"), Some("x-ann")]);
    let address = of(&["ann@acme.example", "b@acme.example", "ann@else.example", "none"]);
    let said = of(&[None, Some(true), Some(true), Some(false)]);
    (name, external_id, address, said).prop_map(|(name, external_id, address, said)| {
        let mut user = pushed(name);
        user.user_name = Some(name.to_owned());
        user.external_id = external_id.map(str::to_owned);
        user.email = Some(address.to_owned());
        user.active = said;
        user.document.insert("userName".to_owned(), json!(name));
        if let Some(said) = said {
            user.document.insert("active".to_owned(), json!(said));
        }
        user
    })
}

fn push() -> impl Strategy<Value = Push> {
    let ids = || prop::collection::vec(account_id(), 0..3);
    let group = || of(&["g1", "g2"]);
    let name = || of(&["acme", "guest", "admin"]);
    let set = (any::<bool>(), name()).prop_map(|(set, name)| set.then(|| Box::new(pushed_group(name))));
    let members = prop_oneof![
        (ids(), ids()).prop_map(|(add, remove)| MembersChange::Delta { add, remove }),
        ids().prop_map(MembersChange::Replace),
    ];
    prop_oneof![
        3 => pushed_user().prop_map(|user| Push::CreateUser(Box::new(user))),
        3 => (account_id(), pushed_user()).prop_map(|(account, user)| Push::ReplaceUser {
            account,
            if_version: None,
            user: Box::new(user)
        }),
        2 => account_id().prop_map(|account| Push::DeleteUser { account, if_version: None }),
        1 => (ids(), of(&[Status::Deactivated, Status::Deleted]))
            .prop_map(|(accounts, from)| Push::ExpireUsers { accounts, from }),
        2 => (group(), name(), ids()).prop_map(|(id, name, members)| Push::CreateGroup {
            id: id.into(),
            group: Box::new(pushed_group(name)),
            members
        }),
        3 => (group(), set, members).prop_map(|(group, set, members)| Push::ChangeGroup {
            group: group.into(),
            if_version: None,
            set,
            members
        }),
        1 => group().prop_map(|group| Push::DeleteGroup { group: group.into(), if_version: None }),
        1 => ids().prop_map(|accounts| Push::Reevaluate { accounts }),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let person = of(&["ann", "bob", "ann-1", "x-ann"]);
    let sign_in = (incoming(), person).prop_map(|(mut incoming, person)| {
        incoming.subject.value = person.to_owned();
        Event::SignIn(Box::new(incoming))
    });
    let hand = of(&[
        Status::Active,
        Status::Suspended,
        Status::Deactivated,
        Status::Deleted,
    ]);
    prop_oneof![
        6 => push().prop_map(Event::Push),
        3 => sign_in,
        1 => hand.prop_map(Event::Hand),
    ]
}

fn is_own(known: &AccountFacts) -> bool {
    known.account.authentication == sso("okta")
}

/// Checks what holds after each event, whatever it was.
fn check_sessions(world: &World) -> Result<(), TestCaseError> {
    for (session, account) in &world.sessions {
        let status = world.get(account.as_str()).account.status;
        prop_assert_eq!(status, Status::Active, "{:?} of {:?}", session, account);
    }
    Ok(())
}

/// Whether a change does nothing but free a seat of somebody who is deleted; the license stays theirs.
fn frees_seat_of_deleted(after: &World, change: &Change) -> bool {
    let Change::UpdateMembership { account, edits, .. } = change else {
        return false;
    };
    after.get(account.as_str()).account.status == Status::Deleted
        && edits.iter().all(|edit| {
            matches!(edit, MembershipEdit::SetLicense { from: Some(from), to: Some(to) }
                if *to == LicenseGrant { seated: false, ..from.clone() })
        })
}

fn check_push(
    before: &World,
    after: &World,
    decision: &Decision,
    in_force: &InForce,
) -> Result<(), TestCaseError> {
    let erased = |id: &AccountId| {
        let now = after.get(id.as_str());
        now.account.status == Status::Deleted && now.memberships.is_empty() && now.account.user_name.is_none()
    };
    let mut reached = decision.clone();
    // Who is erased leaves nothing anywhere, and who is deleted needs a seat nowhere.
    reached
        .plan
        .changes
        .retain(|change| !matches!(change, Change::RemoveMembership { account, .. } if erased(account)));
    reached
        .plan
        .changes
        .retain(|change| !frees_seat_of_deleted(after, change));
    for organization in organizations_of(&reached) {
        prop_assert!(
            in_force.connection().reaches(&organization.into()),
            "left its organizations"
        );
    }
    let owned = |world: &World| -> Vec<String> {
        owners(world)
            .into_iter()
            .map(|(organization, _)| organization)
            .collect()
    };
    let after_it = owned(after);
    for organization in owned(before) {
        prop_assert!(
            after_it.contains(&organization),
            "{} lost its last owner",
            organization
        );
    }
    let owner_grants = |world: &World| -> Vec<(AccountId, crate::id::OrganizationId)> {
        let held = world
            .accounts
            .iter()
            .flat_map(|known| known.memberships.iter().map(move |held| (known, held)));
        held.filter(|(_, held)| held.roles.iter().any(|grant| grant.id.as_str() == "owner"))
            .map(|(known, held)| (known.account.id.clone(), held.organization.clone()))
            .collect()
    };
    let had = owner_grants(before);
    prop_assert!(
        owner_grants(after).iter().all(|grant| had.contains(grant)),
        "an owner role was pushed"
    );
    for known in &before.accounts {
        let now = after.get(known.account.id.as_str());
        if !is_own(known) {
            prop_assert_eq!(
                now,
                known,
                "a push changed an account that is not the connection's"
            );
        }
        let is_protected = known.account.operator || known.account.emergency_admin;
        if is_protected && known.account.status == Status::Active {
            prop_assert_eq!(
                now.account.status,
                Status::Active,
                "a protected account was taken out"
            );
        }
    }
    for known in after.accounts.iter().skip(before.accounts.len()) {
        prop_assert!(is_own(known));
    }
    if matches!(decision.verdict, Verdict::Refused(_)) {
        prop_assert!(decision.plan.changes.is_empty());
    }
    prop_assert!(decision.plan.session.is_none());
    Ok(())
}

/// A sign-in where a directory pushes: it makes nobody, revives nobody and moves nobody's memberships (C-02, R-168). At most a
/// license that waited for it comes to a membership without one (C-23).
fn check_sign_in(before: &World, after: &World) -> Result<(), TestCaseError> {
    prop_assert_eq!(before.accounts.len(), after.accounts.len());
    for (old, new) in before.accounts.iter().zip(&after.accounts) {
        let mut expected = old.memberships.clone();
        for (held, now) in expected.iter_mut().zip(&new.memberships) {
            if held.license.is_none() && now.license.is_some() {
                held.license.clone_from(&now.license);
                held.version = now.version;
            }
        }
        prop_assert_eq!(&expected, &new.memberships);
        let forced = matches!(
            old.account.status_origin,
            Origin::Scim | Origin::Admin | Origin::File
        );
        let out = !matches!(old.account.status, Status::Active | Status::Invited);
        if out && (forced || old.account.status == Status::Deleted) {
            prop_assert_eq!(old, new);
        }
    }
    Ok(())
}

fn by_hand(world: &mut World, to: Status, in_force: &InForce) {
    let request = Request {
        actor: Actor::Operator { account: None },
        action: Action::SetStatus {
            account: "p0".into(),
            to,
        },
    };
    let facts = world.facts(&crate::provision::need(&request));
    let decision = crate::provision::decide(&request, &facts, Some(in_force), &fresh(0), now());
    // Deleted people have given up their names; who took one since keeps it, and the store refuses the rest.
    let restores = world
        .accounts
        .iter()
        .any(|known| known.account.id.as_str() == "p0" && known.account.status == Status::Deleted);
    if !restores {
        world.apply(&decision.plan);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, max_global_rejects: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn r168_any_interleaving_of_pushes_and_sign_ins_keeps_the_promises(
        world in world(), in_force in scim_in_force(), events in prop::collection::vec(event(), 1..14),
    ) {
        let mut world = world;
        for (n, event) in (1..).zip(events) {
            let before = world.clone();
            match event {
                Event::Push(push) => {
                    let first = world.push(&push, &in_force, n);
                    check_push(&before, &world, &first, &in_force)?;
                    let written = world.clone();
                    let second = world.push(&push, &in_force, n + 1_000);
                    prop_assert!(
                        second.plan.changes.is_empty(),
                        "{:?}\n{:?}\nthen {:?}", push, first.plan.changes, second.plan.changes
                    );
                    prop_assert_eq!(&written.accounts, &world.accounts);
                }
                Event::SignIn(incoming) => {
                    let decision = world.sign_in(&incoming, &in_force, n);
                    check_sign_in(&before, &world)?;
                    prop_assert_eq!(decision.plan.session.is_some(), matches!(decision.verdict, Verdict::Admitted(_)));
                }
                Event::Hand(to) => by_hand(&mut world, to, &in_force),
            }
            check_sessions(&world)?;
        }
    }

    #[test]
    fn r55_a_push_that_loads_only_the_candidates_decides_as_one_that_loads_every_organization(
        world in world(), in_force in scim_in_force(), pushes in prop::collection::vec(push(), 1..8),
    ) {
        let mut connection = in_force.connection().clone();
        connection.scope = Scope::Instance;
        let in_force = InForce::compile(connection).unwrap();
        let mut world = world;
        for (n, push) in (1..).zip(pushes) {
            let naive = world.push_over_all(&push, &in_force, n);
            let decision = world.push(&push, &in_force, n);
            prop_assert_eq!(&naive.verdict, &decision.verdict);
            prop_assert_eq!(&naive.plan, &decision.plan);
        }
    }

    #[test]
    fn r10_whatever_the_directory_pushes_the_guard_lets_no_more_people_go(
        world in world(), in_force in scim_in_force(), pushes in prop::collection::vec(push(), 1..8),
    ) {
        let mut world = world;
        world.departures = Some(Departures { recent: 50, active: 60, approved: false });
        let active = |world: &World| world.accounts.iter().filter(|known| known.account.status == Status::Active).count();
        for (n, push) in (1..).zip(pushes) {
            let before = active(&world);
            let decision = world.push(&push, &in_force, n);
            prop_assert!(active(&world) >= before);
            if matches!(decision.verdict, Verdict::Refused(Denial::HeldByGuard)) {
                prop_assert!(decision.plan.changes.is_empty());
            }
        }
    }

    #[test]
    fn r187_a_preview_over_pushed_people_says_what_the_next_decision_does(
        world in world(), saved in scim_in_force(), edited in scim_in_force(),
        pushes in prop::collection::vec(push(), 1..10),
    ) {
        let mut world = world;
        for (n, push) in (1..).zip(pushes) {
            world.push(&push, &saved, n);
        }
        let everybody: Vec<AccountId> = world.accounts.iter().map(|known| known.account.id.clone()).collect();
        for id in everybody {
            let again = Push::Reevaluate { accounts: vec![id.clone()] };
            world.push(&again, &saved, 100);
            let known = world.get(id.as_str()).clone();
            let Some(heard) = heard_of(&world, &known).filter(|_| is_own(&known)) else {
                continue;
            };
            let all = Need { organizations: OrganizationsNeeded::All, ..Need::default() };
            let organizations: Organizations =
                world.facts(&all).organizations.into_iter().map(|facts| (facts.organization.id.clone(), facts)).collect();
            let difference = Preview::new(&saved, &edited).difference(&known, &heard, &organizations, &mut crate::preview::Seats::default());
            let mut next = world.clone();
            next.push(&again, &edited, 101);
            let (before, now) = (access::held(&known.memberships), access::held(&next.get(id.as_str()).memberships));
            for one in &difference.organizations {
                prop_assert_eq!(one.before.as_ref(), before.get(&one.organization));
                prop_assert_eq!(one.after.as_ref(), now.get(&one.organization));
            }
            prop_assert_eq!(difference.organizations.is_empty(), before == now, "{:?}\n{:?}", before, now);
        }
    }
}
