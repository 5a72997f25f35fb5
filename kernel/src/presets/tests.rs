//! The five suites: each test holds the text of its requirement. What later issues bring is listed in docs/pending.md.

use super::*;
use crate::connection::Scope;
use crate::denial::Denial;
use crate::directory::{AccountKind, Authentication, Grant, Membership, Origin, Source, Status};
use crate::facts::AccountFacts;
use crate::fixtures::*;
use crate::incoming::Incoming;
use crate::mapping::InForce;
use crate::plan::{Change, Decision, Verdict};
use crate::policy::{GroupRoles, LicenseRule, OrganizationPolicy, Policy, RoleRule, WorkspaceRule};
use crate::provision::{self, Action, Actor, GrantEdit, NewAccount, Request};

mod directory_push;
mod federated_match;
mod invite_and_convert;
mod policy_expressions;
mod strict_1_1;

/// The connection `okta` as a preset sets it.
fn preset(preset: Preset, change: impl FnOnce(&mut crate::connection::Connection)) -> InForce {
    with(|connection| {
        connection.provisioning = preset.provisioning();
        connection.settings = preset.settings();
        change(connection);
    })
}

fn by_hand(world: &mut World, action: Action, in_force: &InForce) -> Decision {
    let request = Request {
        actor: Actor::Operator { account: None },
        action,
    };
    let facts = world.facts(&provision::need(&request));
    let decision = provision::decide(&request, &facts, Some(in_force), &fresh(90), now());
    world.apply(&decision.plan);
    decision
}

/// Ann, made by hand.
fn new_account(authentication: Authentication) -> Action {
    Action::CreateAccount(Box::new(NewAccount {
        kind: AccountKind::User,
        authentication,
        active: false,
        email: Some(email("ann@acme.example")),
        user_name: None,
        external_id: None,
        given_name: Some("Ann".to_owned()),
        family_name: Some("Lee".to_owned()),
        display_name: None,
        emergency_admin: false,
        attributes: serde_json::Map::new(),
        memberships: vec![provision::DesiredMembership {
            organization: "acme".into(),
            roles: vec!["auditor".into()],
            workspaces: provision::WorkspacesWanted::Default,
            license: None,
        }],
    }))
}

fn workspaces<'a>(world: &'a World, account: &str) -> Vec<&'a str> {
    world.get(account).memberships[0]
        .workspaces
        .iter()
        .map(|grant| grant.id.as_str())
        .collect()
}

fn admitted(decision: &Decision) -> bool {
    matches!(decision.verdict, Verdict::Admitted(_))
}

#[test]
fn every_preset_is_a_valid_connection_and_has_a_name_of_its_own() {
    let mut names: Vec<&str> = Preset::ALL.iter().map(|preset| preset.name()).collect();
    names.dedup();
    assert_eq!(names.len(), 5);
    for one in Preset::ALL {
        let in_force = preset(one, |_| {});
        // one value, so JIT and SCIM exclude each other.
        assert_eq!(
            in_force.connection().provisioning == Provisioning::Scim,
            !one.scim_versions().is_empty()
        );
        assert_eq!(one.scim_versions().is_empty(), one.scim_operations().is_empty());
    }
}
