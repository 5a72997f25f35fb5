//! Properties that hold for every sign-in whatever the world, the settings and the claims are.

use proptest::prelude::*;
use serde_json::json;

use crate::connection::*;
use crate::directory::*;
use crate::facts::AccountFacts;
use crate::fixtures::*;
use crate::incoming::Incoming;
use crate::mapping::InForce;
use crate::plan::{Change, Decision, Verdict};
use crate::policy::{GroupRoles, LicenseRule, Policy, RoleRule, WorkspaceRule};
use crate::provision::{Action, Actor, GrantEdit, Request};

mod pushes;

fn of<T: Clone + std::fmt::Debug + 'static>(values: &[T]) -> impl Strategy<Value = T> + use<T> {
    prop::sample::select(values.to_vec())
}

fn settings() -> impl Strategy<Value = Settings> {
    let steps = [
        MatchStep::Subject,
        MatchStep::EmailGivenSurname,
        MatchStep::VerifiedEmail,
        MatchStep::ExternalId,
        MatchStep::UserName,
    ];
    let first = (
        prop::sample::subsequence(steps.to_vec(), 0..=5),
        of(&[NameComparison::Folded, NameComparison::Strict]),
        of(&[
            ExistingAccount::Link,
            ExistingAccount::Additional,
            ExistingAccount::Refuse,
        ]),
        of(&[
            OnInactiveMatch::Refuse,
            OnInactiveMatch::Reactivate,
            OnInactiveMatch::CreateNew,
        ]),
        of(&[
            EmailUpdate::IfOwnDomainAndFree,
            EmailUpdate::Always,
            EmailUpdate::Never,
        ]),
        any::<bool>(),
    );
    let second = (
        of(&[RoleSync::Creation, RoleSync::EveryLogin, RoleSync::UntilEdited]),
        of(&[OnNoRole::Skip, OnNoRole::DefaultRole]),
        of(&[
            OnLostMatch::RemoveRuleGrants,
            OnLostMatch::Suspend,
            OnLostMatch::Keep,
        ]),
        any::<(bool, bool)>(),
        of(&[OnNoSeat::Refuse, OnNoSeat::Queue, OnNoSeat::Other("spare".into())]),
    );
    let mode = || {
        of(&[
            None,
            Some(RoleSync::Creation),
            Some(RoleSync::EveryLogin),
            Some(RoleSync::UntilEdited),
        ])
    };
    let third = (
        mode(),
        mode(),
        mode(),
        mode(),
        of(&[LicenseAt::Creation, LicenseAt::FirstLogin]),
        of(&[OnAmbiguous::Fail, OnAmbiguous::Ask]),
    );
    (first, second, third).prop_map(|(first, second, third)| Settings {
        match_chain: first.0,
        on_ambiguous: third.5,
        name_comparison: first.1,
        existing_account: first.2,
        on_inactive_match: first.3,
        email_update: first.4,
        require_domain: first.5,
        role_sync: second.0,
        on_no_role: second.1,
        on_lost_match: second.2,
        keep_unplaced: second.3.0,
        all_includes_future: second.3.1,
        on_no_seat: second.4,
        sync: FieldSync {
            names: third.0,
            email: third.1,
            attributes: None,
            roles: third.1,
            workspaces: third.2,
            license: third.3,
        },
        licence_at: third.4,
        ..Settings::default()
    })
}

fn policy() -> impl Strategy<Value = Option<Policy>> {
    let organization = of(&[
        None,
        Some("`true`"),
        Some("`false`"),
        Some("contains(groups, '{{orgId}}')"),
        Some("x.y"),
    ]);
    let table = vec![
        GroupRoles {
            value: "admin".to_owned(),
            name: None,
            roles: vec!["Admin".to_owned(), "Owner".to_owned()],
        },
        GroupRoles {
            value: "acme".to_owned(),
            name: None,
            roles: vec!["Auditor".to_owned()],
        },
    ];
    let role = of(&[
        None,
        Some(RoleRule::Fixed("Member".to_owned())),
        Some(RoleRule::Expression("groups".to_owned())),
        Some(RoleRule::Expression(
            "contains(groups, 'admin') && 'Owner' || 'Member'".to_owned(),
        )),
        Some(RoleRule::Groups(table)),
    ]);
    let workspaces = of(&[
        None,
        Some(WorkspaceRule::All {}),
        Some(WorkspaceRule::Fixed {
            ids: vec!["lab".into()],
        }),
        Some(WorkspaceRule::Dynamic {
            expression: "groups".to_owned(),
        }),
    ]);
    let license = of(&[
        None,
        Some(LicenseRule::Fixed("standard".into())),
        Some(LicenseRule::Expression("x".to_owned())),
    ]);
    let policy =
        (organization, role, workspaces, license).prop_map(|(organization, role, workspaces, license)| {
            Policy {
                organization: organization.map(str::to_owned),
                role,
                workspaces,
                license,
            }
        });
    prop::option::of(policy)
}

fn in_force() -> impl Strategy<Value = InForce> {
    let scope = of(&[
        Scope::Instance,
        Scope::Organization {
            organization: "acme".into(),
            shared_with: vec![],
        },
        Scope::Organization {
            organization: "acme".into(),
            shared_with: vec!["guest".into()],
        },
    ]);
    let provisioning = of(&[Provisioning::Manual, Provisioning::Jit, Provisioning::Scim]);
    (scope, provisioning, settings(), policy()).prop_map(|(scope, provisioning, settings, policy)| {
        with(|connection| {
            connection.scope = scope;
            connection.provisioning = provisioning;
            connection.settings = settings;
            connection.policy = policy;
        })
    })
}

fn membership() -> impl Strategy<Value = Membership> {
    let source = of(&[
        rule(),
        Source::Manual,
        Source::Scim {
            connection: "okta".into(),
        },
        Source::Import,
    ]);
    let roles = prop::sample::subsequence(vec!["owner", "admin", "member"], 0..=2);
    let flags = any::<(bool, bool, bool, bool, bool)>();
    (of(&["acme", "guest", "other"]), source, roles, flags).prop_map(
        |(organization, source, roles, flags)| {
            let mut membership = member(organization, source.clone(), &roles);
            membership.active = flags.0;
            membership.pinned = flags.1;
            if flags.2 {
                membership.roles.push(Grant {
                    id: "auditor".into(),
                    source: Source::Manual,
                    pinned: flags.1,
                });
            }
            if flags.3 {
                membership.all_workspaces = Some(source.clone());
            }
            if flags.4 {
                membership.license = Some(LicenseGrant {
                    license: "standard".into(),
                    source,
                    pinned: flags.1,
                    seated: flags.3,
                });
            }
            membership
        },
    )
}

fn person(id: usize) -> impl Strategy<Value = AccountFacts> {
    let authentication = of(&[Authentication::Standard, sso("okta"), sso("entra")]);
    let status = of(&[
        Status::Invited,
        Status::Active,
        Status::Active,
        Status::Suspended,
        Status::Deactivated,
        Status::Deleted,
    ]);
    let origin = of(&[
        Origin::Login,
        Origin::Scim,
        Origin::Admin,
        Origin::File,
        Origin::System,
    ]);
    let address = of(&[
        "ann@acme.example",
        "ann@acme.example",
        "b@acme.example",
        "ann@else.example",
    ]);
    let memberships = prop::collection::vec(membership(), 0..3);
    let flags = any::<(bool, bool, bool, bool)>();
    let marks = (0..20_u8, 0..20_u8);
    (authentication, status, origin, address, memberships, flags, marks).prop_map(
        move |(authentication, status, origin, address, mut memberships, flags, marks)| {
            let mut account = account(&format!("p{id}"), authentication);
            account.status = status;
            account.status_origin = origin;
            account.email = Some(email(address));
            account.family_name = Some(if flags.0 { "Lee" } else { "Other" }.to_owned());
            account.external_id = flags.1.then(|| "ann-1".to_owned());
            account.user_name = flags.2.then(|| "ann-1".to_owned());
            account.operator = marks.0 == 0;
            account.emergency_admin = marks.1 == 0;
            memberships.sort_by(|left, right| left.organization.cmp(&right.organization));
            memberships.dedup_by(|left, right| left.organization == right.organization);
            let linked = flags.3 && account.authentication != sso("entra");
            known(account, if linked { &["ann-1"] } else { &[] }, memberships)
        },
    )
}

/// A world that a store would accept: unique addresses and names per kind of account, one holder of an identity.
fn world() -> impl Strategy<Value = World> {
    (person(0), person(1), person(2), 0..3_u32, any::<bool>()).prop_map(
        |(first, second, third, used, one)| {
            let mut accepted: Vec<AccountFacts> = Vec::new();
            for mut candidate in [first, second, third] {
                if accepted.iter().any(|held| !held.links.is_empty()) {
                    candidate.links.clear();
                }
                let held = &candidate.account;
                let clash = accepted.iter().map(|other| &other.account).any(|other| {
                    other.authentication == held.authentication
                        && (other.email.as_ref().map(crate::email::Email::key)
                            == held.email.as_ref().map(crate::email::Email::key)
                            || (other.user_name.is_some() && other.user_name == held.user_name)
                            || (other.external_id.is_some() && other.external_id == held.external_id))
                });
                if !clash {
                    accepted.push(candidate);
                }
            }
            let mut world = World::new(&["acme", "guest", "other"], accepted);
            world.organizations[0].licenses[0].used = used;
            if one {
                world.organizations[0].organization.roles_per_member = RolesPerMember::One;
            }
            world
        },
    )
}

fn incoming() -> impl Strategy<Value = Incoming> {
    let groups = prop::sample::subsequence(
        vec!["acme", "guest", "other", "admin", "Owner", "Member", "lab"],
        0..=5,
    );
    let address = of(&[
        Some("ann@acme.example"),
        Some("ann@acme.example"),
        Some("b@acme.example"),
        Some("ann@else.example"),
        None,
    ]);
    let ids = of(&[
        (None, None),
        (None, None),
        (None, None),
        (Some("lab"), Some("auditor")),
        (Some("lab"), None),
        (Some("no"), Some("no")),
    ]);
    let x = of(&[
        json!(null),
        json!("standard"),
        json!({ "y": true }),
        json!([1, "a"]),
    ]);
    (groups, address, any::<(bool, bool)>(), ids, x).prop_map(|(groups, address, flags, ids, x)| {
        let mut incoming = claim(ann(&groups), "x", x);
        incoming.normalized.email = address.map(email);
        incoming.normalized.email_verified = flags.0;
        incoming.normalized.user_name = flags.1.then(|| "ann-1".to_owned());
        incoming.normalized.account_id = ids.0.map(str::to_owned);
        incoming.normalized.permission_profile_id = ids.1.map(str::to_owned);
        incoming
    })
}

/// What changes, without what may be said again: an alert stands as long as its cause.
fn lasting(decision: &Decision) -> Vec<&Change> {
    decision
        .plan
        .changes
        .iter()
        .filter(|change| !matches!(change, Change::Alert { .. }))
        .collect()
}

fn organizations_of(decision: &Decision) -> Vec<&str> {
    decision
        .plan
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::AddMembership { membership, .. } => Some(membership.organization.as_str()),
            Change::UpdateMembership { organization, .. } | Change::RemoveMembership { organization, .. } => {
                Some(organization.as_str())
            }
            Change::CreateAccount { .. }
            | Change::UpdateProfile { .. }
            | Change::SetStatus { .. }
            | Change::SetAuthentication { .. }
            | Change::Link { .. }
            | Change::Unlink { .. }
            | Change::RevokeSessions { .. }
            | Change::Alert { .. }
            | Change::CreateGroup { .. }
            | Change::UpdateGroup { .. }
            | Change::DeleteGroup { .. }
            | Change::AddGroupMembers { .. }
            | Change::RemoveGroupMembers { .. }
            | Change::QueueReevaluation { .. } => None,
        })
        .collect()
}

fn owners(world: &World) -> Vec<(String, String)> {
    let mut owners: Vec<(String, String)> = world
        .accounts
        .iter()
        .filter(|known| known.account.status == Status::Active)
        .flat_map(|known| known.memberships.iter().map(move |held| (known, held)))
        .filter(|(_, held)| held.active && held.roles.iter().any(|grant| grant.id.as_str() == "owner"))
        .map(|(known, held)| {
            (
                held.organization.as_str().to_owned(),
                known.account.id.as_str().to_owned(),
            )
        })
        .collect();
    owners.sort();
    owners
}

fn action() -> impl Strategy<Value = Action> {
    let edit = of(&[
        GrantEdit::GrantRole { role: "owner".into() },
        GrantEdit::GrantRole {
            role: "auditor".into(),
        },
        GrantEdit::RevokeRole { role: "owner".into() },
        GrantEdit::RevokeRole {
            role: "member".into(),
        },
        GrantEdit::GrantWorkspace {
            workspace: "lab".into(),
        },
        GrantEdit::RevokeWorkspace {
            workspace: "lab".into(),
        },
        GrantEdit::AllWorkspaces { included: true },
        GrantEdit::AllWorkspaces { included: false },
        GrantEdit::License {
            license: Some("standard".into()),
        },
        GrantEdit::License { license: None },
        GrantEdit::Active { active: false },
        GrantEdit::Active { active: true },
        GrantEdit::ReturnToAutomatic,
    ]);
    let account = || of(&["p0", "p1", "p2"]);
    let status = of(&[
        Status::Active,
        Status::Suspended,
        Status::Deactivated,
        Status::Deleted,
    ]);
    let organization = || of(&["acme", "guest"]);
    prop_oneof![
        (account(), status).prop_map(|(account, to)| Action::SetStatus {
            account: account.into(),
            to
        }),
        (account(), any::<bool>()).prop_map(|(account, allow_return)| Action::Delete {
            account: account.into(),
            allow_return
        }),
        (account(), organization()).prop_map(|(account, organization)| Action::RemoveMembership {
            account: account.into(),
            organization: organization.into()
        }),
        account().prop_map(|account| Action::ResetSubject {
            account: account.into()
        }),
        (account(), organization(), edit).prop_map(|(account, organization, edit)| Action::EditMembership {
            account: account.into(),
            organization: organization.into(),
            edits: vec![edit],
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, max_global_rejects: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn every_sign_in_keeps_the_promises(world in world(), in_force in in_force(), incoming in incoming()) {
        let before = world.clone();
        let mut world = world;
        let first = world.sign_in(&incoming, &in_force, 1);

        // A session exists exactly for those admitted, and only for active people.
        prop_assert_eq!(first.plan.session.is_some(), matches!(first.verdict, Verdict::Admitted(_)));
        if let Some(session) = &first.plan.session {
            let known = world.get(session.account.as_str());
            prop_assert_eq!(known.account.status, Status::Active);
            let reach = |held: &Membership| held.active && in_force.connection().reaches(&held.organization);
            prop_assert!(known.memberships.iter().any(reach), "admitted without an organization");
        }

        // Whom the directory, an admin or the file took out stays out.
        if let Some(linked) = before.accounts.iter().find(|known| !known.links.is_empty()) {
            let out = matches!(linked.account.status, Status::Suspended | Status::Deactivated | Status::Deleted);
            let forced = matches!(linked.account.status_origin, Origin::Scim | Origin::Admin | Origin::File);
            if out && forced {
                prop_assert!(first.plan.session.is_none());
                prop_assert_eq!(&world.accounts, &before.accounts);
            }
        }

        // A plan never leaves the connection's reach.
        for organization in organizations_of(&first) {
            prop_assert!(in_force.connection().reaches(&organization.into()));
        }

        // No owner is lost, and none is made.
        prop_assert_eq!(owners(&before), owners(&world).into_iter().filter(|(_, id)| {
            before.accounts.iter().any(|known| known.account.id.as_str() == id && known.account.status == Status::Active)
        }).collect::<Vec<_>>());
        for known in &world.accounts {
            for held in &known.memberships {
                let owned_before = before.accounts.iter().any(|other| {
                    other.account.id == known.account.id && other.memberships.iter().any(|other| {
                        other.organization == held.organization
                            && other.roles.iter().any(|grant| grant.id.as_str() == "owner")
                    })
                });
                let owns = held.roles.iter().any(|grant| grant.id.as_str() == "owner");
                prop_assert!(!owns || owned_before, "an owner role was granted by a rule");
            }
        }

        // Operators and emergency admins without a link of their own are left alone.
        for known in before.accounts.iter().filter(|known| known.account.operator || known.account.emergency_admin) {
            if known.links.is_empty() {
                prop_assert_eq!(world.get(known.account.id.as_str()), known);
            }
        }

        // Deciding again on what was written changes nothing more.
        let second = world.sign_in(&incoming, &in_force, 2);
        prop_assert!(lasting(&second).is_empty(), "{:?}\nthen {:?}", first.plan.changes, second.plan.changes);
        prop_assert_eq!(&first.verdict, &second.verdict);
    }

    #[test]
    fn every_request_keeps_the_promises(world in world(), action in action(), operator in any::<bool>()) {
        let mut world = world;
        let actor = if operator { Actor::Operator { account: None } } else { Actor::Scim { connection: "okta".into() } };
        let request = Request { actor, action };
        let in_force = with(|_| {});
        let decide = |world: &mut World| {
            let facts = world.facts(&crate::provision::need(&request));
            let decision = crate::provision::decide(&request, &facts, Some(&in_force), &fresh(1), now());
            world.apply(&decision.plan);
            decision
        };
        let organizations = |world: &World| owners(world).into_iter().map(|(organization, _)| organization).collect::<Vec<_>>();
        let before = world.clone();
        let first = decide(&mut world);
        let after = organizations(&world);
        for organization in organizations(&before) {
            prop_assert!(after.contains(&organization), "{} lost its last owner", organization);
        }
        if matches!(first.verdict, Verdict::Refused(_)) {
            prop_assert!(first.plan.changes.is_empty());
        }
        let second = decide(&mut world);
        prop_assert!(second.plan.changes.is_empty(), "{:?}\nthen {:?}", first.plan.changes, second.plan.changes);
        prop_assert_eq!(first.verdict, second.verdict);
    }

    #[test]
    fn random_claims_never_panic_and_never_admit_to_a_false_rule(
        claims in prop::collection::btree_map("[a-z]{1,8}", prop_oneof![
            Just(json!(null)), any::<bool>().prop_map(|x| json!(x)), ".{0,20}".prop_map(|x| json!(x)),
            prop::collection::vec(".{0,8}", 0..5).prop_map(|x| json!(x)),
        ], 0..8),
        names in (".{0,20}", ".{0,20}", ".{0,20}"),
    ) {
        let mut incoming = ann(&[]);
        incoming.claims.extend(claims);
        incoming.normalized.given_name = Some(names.0);
        incoming.normalized.family_name = Some(names.1);
        incoming.subject.value = names.2;
        let in_force = with_policy(|policy| {
            policy.organization = Some("groups == 'no such thing'".to_owned());
            policy.workspaces = Some(WorkspaceRule::Dynamic { expression: "keys(@)".to_owned() });
        });
        let decision = World::new(&["acme"], vec![]).sign_in(&incoming, &in_force, 1);
        prop_assert!(decision.plan.session.is_none());
    }
}
