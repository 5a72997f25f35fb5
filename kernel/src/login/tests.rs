use serde_json::json;

use super::*;
use crate::connection::{EmailUpdate, OnInactiveMatch, OnLostMatch, OnNoSeat, RoleSync};
use crate::directory::{Authentication, Grant, LicenseGrant, Origin, Source};
use crate::fixtures::*;
use crate::plan::MembershipEdit;
use crate::policy::{LicenseRule, RoleRule};

mod withheld;

fn linked(membership: Vec<crate::directory::Membership>) -> World {
    World::new(
        &["acme"],
        vec![known(account("ann", sso("okta")), &["ann-1"], membership)],
    )
}

fn member_world() -> World {
    linked(vec![member("acme", rule(), &["member"])])
}

#[test]
fn r09_r27_r28_r37_the_first_sign_in_makes_exactly_one_account_with_the_defaults() {
    let mut world = World::new(&["acme"], vec![]);
    let decision = world.sign_in(&ann(&["any"]), &with(|_| {}), 1);
    assert_eq!(decision.verdict, Verdict::Admitted("new-1".into()));
    insta::assert_json_snapshot!("first_jit_sign_in", decision);
    let again = world.sign_in(&ann(&["any"]), &with(|_| {}), 2);
    assert_eq!(again.verdict, Verdict::Admitted("new-1".into()));
    assert!(again.plan.changes.is_empty());
    assert_eq!(world.accounts.len(), 1);
}

#[test]
fn a_connection_that_is_off_refuses_everybody() {
    let mut world = member_world();
    let decision = world.sign_in(&ann(&[]), &with(|connection| connection.enabled = false), 1);
    assert_eq!(decision.verdict, Verdict::Refused(Denial::ConnectionDisabled));
    assert!(decision.plan.session.is_none());
    let mut foreign = ann(&[]);
    foreign.connection = "entra".into();
    let decision = world.sign_in(&foreign, &with(|_| {}), 1);
    assert_eq!(decision.verdict, Verdict::Refused(Denial::ConnectionDisabled));
}

#[test]
fn a_proof_is_spent_by_a_refusal_too() {
    let decision =
        World::new(&["acme"], vec![]).sign_in(&ann(&[]), &with(|connection| connection.domains.clear()), 1);
    assert!(matches!(decision.verdict, Verdict::Refused(_)));
    assert!(decision.plan.spend.is_some());
}

#[test]
fn c06_the_setting_decides_only_about_people_whom_nobody_took_out() {
    let settings = [
        OnInactiveMatch::Refuse,
        OnInactiveMatch::Reactivate,
        OnInactiveMatch::CreateNew,
    ];
    for status in [Status::Suspended, Status::Deactivated, Status::Deleted] {
        for origin in [
            Origin::Login,
            Origin::System,
            Origin::Scim,
            Origin::Admin,
            Origin::File,
        ] {
            for setting in settings {
                let mut world = member_world();
                world.accounts[0].account.status = status;
                world.accounts[0].account.status_origin = origin;
                let before = world.accounts.clone();
                let in_force = with(|connection| connection.settings.on_inactive_match = setting);
                let decision = world.sign_in(&ann(&[]), &in_force, 1);
                let free = matches!(origin, Origin::Login | Origin::System) && status != Status::Deleted;
                let case = format!("{status:?} {origin:?} {setting:?}");
                match setting {
                    OnInactiveMatch::Reactivate if free => {
                        assert_eq!(decision.verdict, Verdict::Admitted("ann".into()), "{case}");
                        assert_eq!(world.get("ann").account.status, Status::Active);
                    }
                    OnInactiveMatch::CreateNew if free => {
                        assert_eq!(decision.verdict, Verdict::Admitted("new-1".into()), "{case}");
                        assert_eq!(world.get("ann").account.status, status);
                        let again = world.sign_in(&ann(&[]), &in_force, 2);
                        assert_eq!(again.verdict, Verdict::Admitted("new-1".into()), "{case}");
                        assert!(again.plan.changes.is_empty());
                    }
                    OnInactiveMatch::Refuse | OnInactiveMatch::Reactivate | OnInactiveMatch::CreateNew => {
                        assert!(matches!(decision.verdict, Verdict::Refused(_)), "{case}");
                        assert!(decision.plan.session.is_none(), "{case}");
                        assert_eq!(world.accounts, before, "{case}");
                    }
                }
            }
        }
    }
}

type EmailCase = (
    EmailUpdate,
    &'static str,
    Option<Authentication>,
    &'static str,
    bool,
    bool,
);

/// Setting, asserted address, who else holds it, address afterwards, alert, refused.
fn email_cases() -> Vec<EmailCase> {
    use EmailUpdate::{Always, IfOwnDomainAndFree, Never};
    let (old, new, far) = (
        "ann@acme.example",
        "ann.new@acme.example",
        "ann@elsewhere.example",
    );
    vec![
        (IfOwnDomainAndFree, new, None, new, false, false),
        (IfOwnDomainAndFree, far, None, old, true, false),
        (IfOwnDomainAndFree, new, Some(sso("okta")), old, true, false),
        (
            IfOwnDomainAndFree,
            new,
            Some(Authentication::Standard),
            new,
            false,
            false,
        ),
        (Always, far, None, far, false, false),
        (Always, new, Some(sso("okta")), old, false, true),
        (Never, new, None, old, false, false),
        (IfOwnDomainAndFree, "ANN@acme.example", None, old, false, false),
    ]
}

#[test]
fn r34_c14_the_address_follows_the_assertion_by_setting() {
    let other = |authentication| {
        let mut other = account("other", authentication);
        other.email = Some(email("ann.new@acme.example"));
        known(other, &[], vec![])
    };
    for (setting, asserted, holder, kept, alert, refused) in email_cases() {
        let mut world = member_world();
        world.accounts.extend(holder.map(other));
        let mut incoming = ann(&[]);
        incoming.normalized.email = Some(email(asserted));
        let decision = world.sign_in(
            &incoming,
            &with(|connection| connection.settings.email_update = setting),
            1,
        );
        let case = format!("{setting:?} {asserted}");
        assert_eq!(world.get("ann").account.email, Some(email(kept)), "{case}");
        let alerts = decision
            .plan
            .changes
            .iter()
            .any(|change| matches!(change, Change::Alert { .. }));
        assert_eq!(alerts, alert, "{case}");
        assert_eq!(
            decision.verdict == Verdict::Refused(Denial::EmailTaken),
            refused,
            "{case}"
        );
    }
}

#[test]
fn an_unverified_address_never_replaces_one() {
    let mut world = member_world();
    let mut incoming = ann(&[]);
    incoming.normalized.email = Some(email("evil@acme.example"));
    incoming.normalized.email_verified = false;
    let decision = world.sign_in(
        &incoming,
        &with(|connection| connection.settings.email_update = EmailUpdate::Always),
        1,
    );
    assert_eq!(decision.verdict, Verdict::Admitted("ann".into()));
    assert_eq!(world.get("ann").account.email, Some(email("ann@acme.example")));
}

#[test]
fn an_absent_claim_empties_nothing_and_a_new_one_is_taken_over() {
    let mut world = member_world();
    let mut incoming = ann(&[]);
    incoming.normalized.given_name = None;
    incoming.normalized.family_name = Some("  ".to_owned());
    incoming.normalized.email = None;
    let decision = world.sign_in(&incoming, &with(|_| {}), 1);
    assert!(
        !decision
            .plan
            .changes
            .iter()
            .any(|change| matches!(change, Change::UpdateProfile { .. }))
    );
    incoming.normalized.family_name = Some("Lee-Smith".to_owned());
    world.sign_in(&incoming, &with(|_| {}), 2);
    assert_eq!(world.get("ann").account.family_name.as_deref(), Some("Lee-Smith"));
    assert_eq!(world.get("ann").account.given_name.as_deref(), Some("Ann"));
}

#[test]
fn r43_to_r46_manual_runs_no_rules_and_admits_members_by_hand_only() {
    let manual = || with(|connection| connection.provisioning = Provisioning::Manual);
    let mut by_hand = linked(vec![member("acme", Source::Manual, &["auditor"])]);
    let decision = by_hand.sign_in(&ann(&[]), &manual(), 1);
    assert_eq!(decision.verdict, Verdict::Admitted("ann".into()));
    assert_eq!(roles_in(&by_hand, "ann", "acme"), ["auditor"]);
    let decision = linked(vec![]).sign_in(&ann(&[]), &manual(), 1);
    assert_eq!(decision.verdict, Verdict::Refused(Denial::NoOrganization));
    assert!(decision.plan.session.is_none());
}

#[test]
fn r58_r61_c10_a_new_person_whom_nobody_accepts_is_kept_unplaced_or_not_at_all() {
    for (keep, accounts) in [(true, 1), (false, 0)] {
        let mut world = World::new(&["acme"], vec![]);
        let mut policy = crate::policy::Policy {
            organization: Some("`false`".to_owned()),
            ..Default::default()
        };
        policy.role = Some(RoleRule::Fixed("Member".to_owned()));
        let in_force = with(|connection| {
            connection.policy = Some(policy);
            connection.settings.keep_unplaced = keep;
        });
        let decision = world.sign_in(&ann(&[]), &in_force, 1);
        assert_eq!(decision.verdict, Verdict::Refused(Denial::NoOrganization));
        assert!(decision.plan.session.is_none());
        assert_eq!(world.accounts.len(), accounts);
        assert_eq!(decision.trace.account.is_some(), keep);
    }
}

fn admins_by_group() -> RoleRule {
    RoleRule::Expression("contains(groups, 'admin') && 'Admin' || 'Member'".to_owned())
}

#[test]
fn r49_rules_are_evaluated_at_each_sign_in() {
    let in_force = with_policy(|policy| policy.role = Some(admins_by_group()));
    let mut world = World::new(&["acme"], vec![]);
    world.sign_in(&ann(&["admin"]), &in_force, 1);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["admin"]);
    world.sign_in(&ann(&["staff"]), &in_force, 2);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["member"]);
}

#[test]
fn r50_c07_hand_edits_hold_or_yield_as_the_setting_says_and_drift_is_shown() {
    for (sync, expected) in [
        (RoleSync::UntilEdited, vec!["auditor"]),
        (RoleSync::Creation, vec!["auditor"]),
        (RoleSync::EveryLogin, vec!["admin"]),
    ] {
        let mut edited = member("acme", rule(), &[]);
        edited.roles = vec![Grant {
            id: "auditor".into(),
            source: Source::Manual,
            pinned: true,
        }];
        edited.pinned = true;
        let mut world = linked(vec![edited]);
        let in_force = with(|connection| {
            connection.settings.role_sync = sync;
            connection.policy = Some(crate::policy::Policy {
                role: Some(admins_by_group()),
                ..Default::default()
            });
        });
        let decision = world.sign_in(&ann(&["admin"]), &in_force, 1);
        assert_eq!(roles_in(&world, "ann", "acme"), expected, "{sync:?}");
        assert_eq!(
            has(&decision.trace, "drift"),
            sync != RoleSync::EveryLogin,
            "{sync:?}"
        );
        let drifts: Vec<_> = decision.trace.drifts().collect();
        if sync == RoleSync::EveryLogin {
            assert!(drifts.is_empty());
        } else {
            let grants = |edit: &MembershipEdit| matches!(edit, MembershipEdit::GrantRole { role, .. } if role.as_str() == "admin");
            assert_eq!(drifts[0].0.as_str(), "acme");
            assert!(
                drifts[0].1.admits && drifts[0].1.edits.iter().any(grants),
                "{sync:?}"
            );
        }
        assert_eq!(decision.verdict, Verdict::Admitted("ann".into()));
    }
}

#[test]
fn a_pinned_role_survives_beside_the_rules_own() {
    let mut membership = member("acme", rule(), &["member"]);
    membership.roles.push(Grant {
        id: "auditor".into(),
        source: Source::Manual,
        pinned: true,
    });
    let mut world = linked(vec![membership]);
    world.sign_in(
        &ann(&["admin"]),
        &with_policy(|policy| policy.role = Some(admins_by_group())),
        1,
    );
    let mut roles = roles_in(&world, "ann", "acme");
    roles.sort_unstable();
    assert_eq!(roles, ["admin", "auditor"]);
}

fn nobody() -> crate::policy::Policy {
    crate::policy::Policy {
        organization: Some("`false`".to_owned()),
        ..Default::default()
    }
}

#[test]
fn c09_a_lost_match_takes_back_suspends_or_keeps() {
    for (setting, left, active) in [
        (OnLostMatch::RemoveRuleGrants, 0, false),
        (OnLostMatch::Suspend, 1, false),
        (OnLostMatch::Keep, 1, true),
    ] {
        let mut world = member_world();
        let in_force = with(|connection| {
            connection.settings.on_lost_match = setting;
            connection.policy = Some(nobody());
        });
        let decision = world.sign_in(&ann(&[]), &in_force, 1);
        let memberships = &world.get("ann").memberships;
        assert_eq!(memberships.len(), left, "{setting:?}");
        assert_eq!(memberships.iter().any(|held| held.active), active, "{setting:?}");
        assert_eq!(decision.plan.session.is_some(), active, "{setting:?}");
        let ended = decision
            .plan
            .changes
            .iter()
            .any(|change| matches!(change, Change::RevokeSessions { .. }));
        assert_eq!(ended, !active, "{setting:?}");
        let again = world.sign_in(&ann(&[]), &in_force, 2);
        assert!(again.plan.changes.is_empty(), "{setting:?}");
    }
}

#[test]
fn c09_a_suspended_membership_comes_back_with_the_match_but_not_if_suspended_by_hand() {
    for (pinned, active) in [(false, true), (true, false)] {
        let mut membership = member("acme", rule(), &["member"]);
        membership.active = false;
        membership.pinned = pinned;
        for sync in [RoleSync::UntilEdited, RoleSync::EveryLogin] {
            let mut world = linked(vec![membership.clone()]);
            let decision = world.sign_in(
                &ann(&[]),
                &with(|connection| connection.settings.role_sync = sync),
                1,
            );
            assert_eq!(
                world.get("ann").memberships[0].active,
                active,
                "{pinned} {sync:?}"
            );
            assert_eq!(decision.plan.session.is_some(), active);
        }
    }
}

#[test]
fn c09_memberships_by_hand_are_never_removed_by_a_rule() {
    for source in [
        Source::Manual,
        Source::Invitation,
        Source::Import,
        Source::Scim {
            connection: "okta".into(),
        },
    ] {
        let mut world = linked(vec![member("acme", source.clone(), &["auditor"])]);
        let before = world.get("ann").memberships.clone();
        let decision = world.sign_in(
            &ann(&[]),
            &with(|connection| connection.policy = Some(nobody())),
            1,
        );
        assert_eq!(world.get("ann").memberships, before, "{source:?}");
        assert_eq!(decision.verdict, Verdict::Admitted("ann".into()));
    }
}

#[test]
fn r148_owners_and_emergency_admins_lose_nothing_by_a_rule() {
    for setting in [OnLostMatch::RemoveRuleGrants, OnLostMatch::Suspend] {
        for sync in [RoleSync::UntilEdited, RoleSync::EveryLogin] {
            let in_force = with(|connection| {
                connection.settings.on_lost_match = setting;
                connection.settings.role_sync = sync;
                connection.policy = Some(nobody());
            });
            let mut owner = linked(vec![member("acme", rule(), &["owner", "member"])]);
            owner.sign_in(&ann(&[]), &in_force, 1);
            assert!(roles_in(&owner, "ann", "acme").contains(&"owner"));
            assert!(owner.get("ann").memberships[0].active);
            let mut emergency = member_world();
            emergency.accounts[0].account.emergency_admin = true;
            let before = emergency.get("ann").memberships.clone();
            emergency.sign_in(&ann(&[]), &in_force, 1);
            assert_eq!(emergency.get("ann").memberships, before);
        }
    }
}

#[test]
fn c23_without_a_free_seat_the_person_waits_takes_another_pool_or_is_refused() {
    let full = |on_no_seat: OnNoSeat| {
        let mut world = World::new(&["acme"], vec![]);
        world.organizations[0].licenses[0].used = 2;
        let in_force = with(|connection| {
            connection.settings.on_no_seat = on_no_seat;
            let license = Some(LicenseRule::Fixed("standard".into()));
            connection.policy = Some(crate::policy::Policy {
                license,
                ..Default::default()
            });
        });
        let decision = world.sign_in(&ann(&[]), &in_force, 1);
        (world, in_force, decision)
    };
    let grant = |world: &World| world.get("new-1").memberships[0].license.clone().unwrap();
    let (mut world, in_force, _) = full(OnNoSeat::Queue);
    assert_eq!(
        grant(&world),
        LicenseGrant {
            license: "standard".into(),
            source: rule(),
            pinned: false,
            seated: false
        }
    );
    world.organizations[0].licenses[0].used = 0;
    world.sign_in(&ann(&[]), &in_force, 2);
    assert!(
        grant(&world).seated,
        "a seat that became free is taken at the next sign-in"
    );
    let (world, ..) = full(OnNoSeat::Other("spare".into()));
    assert_eq!(grant(&world).license, "spare".into());
    let (world, _, decision) = full(OnNoSeat::Refuse);
    assert_eq!(decision.verdict, Verdict::Refused(Denial::NoSeat));
    assert!(world.accounts.is_empty());
}

#[test]
fn r125_r126_incomplete_or_unknown_assertion_ids_fail_and_create_nothing() {
    let cases = [
        (Some("lab"), None, Denial::IncompleteAssertionIds),
        (None, Some("auditor"), Denial::IncompleteAssertionIds),
        (Some("Lab"), Some("auditor"), Denial::UnknownAssertionId),
        (Some("lab"), Some("Auditor"), Denial::UnknownAssertionId),
        (Some("lab"), Some("owner"), Denial::UnknownAssertionId),
        (Some(""), Some(""), Denial::UnknownAssertionId),
    ];
    for (workspace, role, denial) in cases {
        let mut world = World::new(&["acme"], vec![]);
        let mut incoming = ann(&[]);
        incoming.normalized.account_id = workspace.map(str::to_owned);
        incoming.normalized.permission_profile_id = role.map(str::to_owned);
        let decision = world.sign_in(&incoming, &with(|_| {}), 1);
        assert_eq!(
            decision.verdict,
            Verdict::Refused(denial),
            "{workspace:?} {role:?}"
        );
        assert!(world.accounts.is_empty());
    }
}

#[test]
fn r40_r41_c16_assertion_ids_stand_above_policies_and_defaults() {
    let mut world = World::new(&["acme"], vec![]);
    let mut incoming = ann(&["admin"]);
    incoming.normalized.account_id = Some("lab".to_owned());
    incoming.normalized.permission_profile_id = Some("auditor".to_owned());
    world.sign_in(
        &incoming,
        &with_policy(|policy| policy.role = Some(admins_by_group())),
        1,
    );
    assert_eq!(roles_in(&world, "new-1", "acme"), ["auditor"]);
    assert_eq!(world.get("new-1").memberships[0].workspaces[0].id, "lab".into());
}

#[test]
fn the_session_ends_at_the_earlier_of_our_limit_and_the_providers() {
    let mut incoming = ann(&[]);
    let early: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
    let late: Timestamp = "2027-03-01T10:00:00Z".parse().unwrap();
    for (said, expected) in [
        (Some(early), early),
        (Some(late), "2026-03-01T19:00:00Z".parse().unwrap()),
    ] {
        incoming.authentication.session_ends = said;
        incoming.authentication.at = Some(late);
        let session = member_world()
            .sign_in(&incoming, &with(|_| {}), 1)
            .plan
            .session
            .unwrap();
        assert_eq!(session.ends_at, expected);
        assert_eq!(
            session.authenticated_at,
            now(),
            "nobody authenticated in the future"
        );
        assert_eq!(session.idle_seconds, 7_200);
    }
}

#[test]
fn r49_the_edits_of_a_changed_role_name_exactly_what_changes() {
    let mut world = member_world();
    let decision = world.sign_in(
        &ann(&["admin"]),
        &with_policy(|policy| policy.role = Some(admins_by_group())),
        1,
    );
    let [Change::UpdateMembership { edits, .. }] = decision.plan.changes.as_slice() else {
        panic!("{:?}", decision.plan.changes)
    };
    let expected = vec![
        MembershipEdit::RevokeRole {
            role: "member".into(),
        },
        MembershipEdit::GrantRole {
            role: "admin".into(),
            source: rule(),
            pinned: false,
        },
        MembershipEdit::GrantWorkspace {
            workspace: "main".into(),
            source: rule(),
            pinned: false,
        },
    ];
    assert_eq!(*edits, expected);
}

#[test]
fn f2_the_explanation_reads_as_one_sentence() {
    let in_force = with_policy(|policy| {
        policy.organization = Some("contains(groups, '{{orgId}}')".to_owned());
        policy.role = Some(RoleRule::Expression("'admin'".to_owned()));
    });
    let mut world = member_world();
    let decision = world.sign_in(&ann(&["acme"]), &in_force, 1);
    insta::assert_snapshot!("why_not_admin", crate::explain::sentence(&decision.trace));
    let incoming = claim(ann(&[]), "groups", json!(null));
    let decision = World::new(&["acme"], vec![]).sign_in(&incoming, &in_force, 1);
    insta::assert_snapshot!("no_groups", crate::explain::lines(&decision.trace).join("\n"));
}

#[test]
fn events_tell_the_story_of_a_first_sign_in_in_order() {
    let decision = World::new(&["acme"], vec![]).sign_in(&ann(&[]), &with(|_| {}), 1);
    let events = crate::audit::events(&decision, &crate::provision::Actor::Person, now());
    let codes: Vec<&str> = events.iter().map(|event| event.kind.code()).collect();
    assert_eq!(
        codes,
        [
            "user.created",
            "user.linked",
            "membership.created",
            "session.created"
        ]
    );
    assert!(
        events
            .iter()
            .all(|event| event.trace == "trace-1".into() && event.account == Some("new-1".into()))
    );
    let text = serde_json::to_string(&events).unwrap();
    assert!(
        !text.contains("digest-1"),
        "what opens the session stays out of events"
    );
    let refused =
        World::new(&["acme"], vec![]).sign_in(&ann(&[]), &with(|connection| connection.enabled = false), 1);
    let events = crate::audit::events(&refused, &crate::provision::Actor::Person, now());
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind.code(), "sign_in.refused");
    assert_eq!(events[0].data, json!({ "code": "connection_disabled" }));
}
