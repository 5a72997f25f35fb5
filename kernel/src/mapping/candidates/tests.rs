use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::facts::OrganizationsNeeded;
use crate::fixtures::*;
use crate::policy::{OrganizationPolicy, Policy};
use crate::trace::Steps;

const IDS: [&str; 9] = [
    "acme",
    "ann@acme.example",
    "guest",
    "it's",
    "lab",
    "lab-2",
    "org-lab",
    "other",
    "true",
];

fn every() -> Vec<OrganizationId> {
    IDS.iter().map(|id| OrganizationId::from(*id)).collect()
}

/// The naive loop: every organization's rule, one after the other.
fn naive(in_force: &InForce, claims: &Claims) -> Vec<OrganizationId> {
    every()
        .into_iter()
        .filter(|id| super::super::admits(in_force, claims, id, &mut Steps::default()))
        .collect()
}

fn own(organization: &str, rule: Option<&str>) -> OrganizationPolicy {
    OrganizationPolicy {
        organization: organization.into(),
        organization_expression: rule.map(str::to_owned),
        role: None,
        workspaces: None,
        license: None,
    }
}

fn instance(rule: Option<&str>, own: Vec<OrganizationPolicy>) -> InForce {
    with(|connection| {
        connection.scope = Scope::Instance;
        connection.organization_policies = own;
        connection.policy = rule.map(|rule| Policy {
            organization: Some(rule.to_owned()),
            ..Policy::default()
        });
    })
}

fn ids(needed: &OrganizationsNeeded) -> Vec<&str> {
    match needed {
        OrganizationsNeeded::Ids(ids) => ids.iter().map(OrganizationId::as_str).collect(),
        OrganizationsNeeded::None | OrganizationsNeeded::All => panic!("{needed:?}"),
    }
}

#[test]
fn r67_the_candidates_of_a_default_policy_come_from_the_claims() {
    let in_force = instance(
        Some("contains(groups, '{{orgId}}')"),
        vec![own("guest", Some("`true`"))],
    );
    let claims = Claims::of(&ann(&["lab", "guest", "nowhere"]));
    // `guest` stands for its own policy, `nowhere` for an organization that there may be.
    assert_eq!(
        ids(&in_force.organizations_needed(&claims)),
        ["guest", "lab", "nowhere"]
    );
    let in_force = instance(
        Some("contains(groups, '{{orgId}}')"),
        vec![own("guest", Some("`false`"))],
    );
    assert_eq!(
        ids(&in_force.organizations_needed(&claims)),
        ["lab", "nowhere"],
        "its own policy counts instead"
    );
}

#[test]
fn r66_own_policies_that_differ_in_a_literal_are_one_shape() {
    let rules: Vec<String> = (0..1_000)
        .map(|n| format!("contains(groups, 'team-{n}') || email == 'boss-{n}@acme.example'"))
        .collect();
    let policies = rules
        .iter()
        .enumerate()
        .map(|(n, rule)| own(&format!("o{n}"), Some(rule)));
    let in_force = instance(None, policies.chain([own("open", None)]).collect());
    assert_eq!(in_force.rules.shapes.len(), 1);
    let claims = Claims::of(&ann(&["team-7", "team-77", "o5"]));
    assert_eq!(
        ids(&in_force.organizations_needed(&claims)),
        ["o7", "o77", "open"]
    );
}

#[test]
fn c20_within_one_organizations_reach_only_what_admits_is_needed() {
    let in_force = with(|connection| {
        connection.scope = Scope::Organization {
            organization: "acme".into(),
            shared_with: vec!["guest".into(), "lab".into()],
        };
        connection.organization_policies = vec![own("lab", Some("contains(groups, 'lab')"))];
    });
    let needed = |groups: &[&str]| in_force.organizations_needed(&Claims::of(&ann(groups)));
    assert_eq!(ids(&needed(&[])), ["acme"]);
    assert_eq!(ids(&needed(&["lab", "guest"])), ["acme", "lab"]);
}

#[test]
fn a_rule_that_cannot_be_turned_round_is_looked_at_for_each_id() {
    let in_force = instance(
        Some("starts_with({{orgId}}, 'lab') && contains(groups, 'staff')"),
        vec![],
    );
    let claims = Claims::of(&ann(&["staff"]));
    assert_eq!(in_force.organizations_needed(&claims), OrganizationsNeeded::All);
    let found: Vec<_> = in_force.admitting(&claims, &every());
    assert_eq!(found, ["lab".into(), "lab-2".into()]);
    // What does not hold for the person at all is known without any id.
    assert!(ids(&in_force.organizations_needed(&Claims::of(&ann(&[])))).is_empty());
}

#[test]
fn the_trace_speaks_of_admitted_ones_of_own_policies_and_of_all_others() {
    let in_force = instance(
        Some("contains(groups, '{{orgId}}')"),
        vec![own("guest", Some("contains(groups, 'vip')"))],
    );
    let mut world = World::new(&IDS, vec![]);
    let decision = world.sign_in(&ann(&["lab"]), &in_force, 1);
    let lines = crate::explain::lines(&decision.trace);
    insta::assert_snapshot!("instance_trace", lines.join("\n"));
}

fn rule() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "contains(groups, '{{orgId}}')",
        "contains(groups, 'org-{{orgId}}')",
        "org == '{{orgId}}'",
        "org",
        "'lab'",
        "`true`",
        "contains(groups, 'admin')",
        "contains(groups, 'lab') || contains(groups, 'guest')",
        "contains(groups, 'guest') || contains(groups, 'lab')",
        "contains(groups, 'lab') && !contains(groups, 'guest')",
        "ends_with({{orgId}}, '2')",
        "starts_with(email, 'ann') && contains(groups, {{orgId}})",
        "starts_with(email, '{{orgId}}')",
        "groups[?@ == '{{orgId}}'] | [0]",
        "contains(missing, 'a')",
        "org != 'lab'",
        "org != {{orgId}} && contains(groups, 'lab')",
        "email == 'ann@acme.example' && 'guest'",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// Same results as the naive loop, for default and own policies and every reach.
    #[test]
    fn what_the_claims_lead_to_is_what_the_naive_loop_admits(
        default in prop::option::of(rule()),
        owns in prop::collection::btree_map(prop::sample::select(&IDS[..]), prop::option::of(rule()), 0..5),
        groups in prop::sample::subsequence(vec!["acme", "guest", "lab", "lab-2", "org-lab", "admin", "it's"], 0..=5),
        org in prop::sample::select(&IDS[..]),
        within in any::<bool>(),
    ) {
        let owns: Vec<_> = owns.into_iter().map(|(id, rule)| own(id, rule)).collect();
        let mut connection = instance(default, owns.clone()).connection().clone();
        if within {
            connection.scope = Scope::Organization { organization: "acme".into(), shared_with: every()[1..].to_vec() };
        }
        let in_force = InForce::compile(connection).unwrap();
        let incoming = claim(ann(&groups), "org", json!(org));
        let claims = Claims::of(&incoming);
        let expected = naive(&in_force, &claims);
        let found = match in_force.organizations_needed(&claims) {
            OrganizationsNeeded::Ids(ids) => ids,
            OrganizationsNeeded::None => vec![],
            OrganizationsNeeded::All => in_force.admitting(&claims, &every()),
        };
        for id in &expected {
            prop_assert!(found.contains(id), "{} admits but is not looked at", id);
        }
        let admitted: Vec<_> = every()
            .into_iter()
            .filter(|id| found.contains(id) && super::super::admits(&in_force, &claims, id, &mut Steps::default()))
            .collect();
        prop_assert_eq!(&admitted, &expected);
        prop_assert!(in_force.admitting(&claims, &every()).iter().all(|id| found.contains(id)));

        // And the whole decision is the same as over everything there is.
        let mut narrow = World::new(&IDS, vec![known(account("ann", sso("okta")), &["ann-1"], vec![member("other", rule_source(), &["member"])])]);
        let whole = narrow.clone();
        let mut need = crate::login::need(&incoming, &in_force);
        need.organizations = OrganizationsNeeded::All;
        let by_all = crate::login::decide(&incoming, &whole.facts(&need), &in_force, &LIMITS, &fresh(1), now());
        let by_few = narrow.sign_in(&incoming, &in_force, 1);
        prop_assert_eq!(by_all.verdict, by_few.verdict);
        prop_assert_eq!(by_all.plan, by_few.plan);
    }
}

fn rule_source() -> crate::directory::Source {
    crate::fixtures::rule()
}
