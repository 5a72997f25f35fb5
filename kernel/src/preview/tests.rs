use super::*;
use crate::fixtures::*;
use crate::id::RoleId;
use crate::policy::{LicenseRule, Policy, RoleRule, WorkspaceRule};

fn organizations(ids: &[&str]) -> Organizations {
    ids.iter()
        .map(|id| (OrganizationId::from(*id), organization(id)))
        .collect()
}

fn instance(policy: Policy) -> InForce {
    with(|connection| {
        connection.scope = crate::connection::Scope::Instance;
        connection.policy = Some(policy);
    })
}

fn by_group(role: &str) -> Policy {
    Policy {
        organization: Some("contains(groups, '{{orgId}}')".to_owned()),
        role: Some(RoleRule::Expression(role.to_owned())),
        ..Policy::default()
    }
}

/// The account as it is once it has signed in with these groups.
fn settled(in_force: &InForce, groups: &[&str]) -> AccountFacts {
    let mut world = World::new(&["lab", "home", "acme"], vec![]);
    world.sign_in(&ann(groups), in_force, 1);
    world.get("new-1").clone()
}

#[test]
fn r187_who_gains_loses_or_changes_what_is_told_before_saving() {
    let saved = instance(by_group("contains(groups, 'admin') && 'Admin' || 'Member'"));
    let mut policy = by_group("'Member'");
    policy.organization =
        Some("contains(groups, '{{orgId}}') && {{orgId}} != 'home' || {{orgId}} == 'acme'".to_owned());
    policy.workspaces = Some(WorkspaceRule::All {});
    policy.license = Some(LicenseRule::Fixed("standard".into()));
    let edited = instance(policy);
    let preview = Preview::new(&saved, &edited);
    let every: Vec<OrganizationId> = ["acme", "home", "lab"].map(OrganizationId::from).to_vec();
    let incoming = ann(&["lab", "home", "admin"]);
    let known = settled(&saved, &["lab", "home", "admin"]);
    assert_eq!(
        preview.organizations(&incoming, &every),
        ["acme", "admin", "home", "lab"].map(OrganizationId::from)
    );
    let difference = preview.difference(&known, &incoming, &organizations(&["acme", "home", "lab"]));
    let told: Vec<_> = difference
        .organizations
        .iter()
        .map(|one| (one.organization.as_str(), one.how, one.stripped))
        .collect();
    assert_eq!(
        told,
        [
            ("home", How::Loses, true),
            ("lab", How::Changes, true),
            ("acme", How::Gains, false)
        ],
        "an admin who becomes a member is stripped"
    );
    assert_eq!(difference.entry, None);
    let mut impact = Impact::default();
    impact.add(&difference);
    impact.add(&preview.difference(
        &settled(&saved, &["lab"]),
        &ann(&["lab"]),
        &organizations(&["acme", "home", "lab"]),
    ));
    insta::assert_json_snapshot!("impact", impact);
    let mut doubled = impact.clone();
    doubled.merge(&impact);
    assert_eq!((doubled.accounts, doubled.lose), (4, 2));
    let count = doubled.organizations[&OrganizationId::from("lab")].roles[&RoleId::from("admin")];
    assert_eq!(count.lose, 2);
}

#[test]
fn r187_a_preview_says_what_the_sign_in_then_does() {
    let saved = instance(by_group("contains(groups, 'admin') && 'Admin' || 'Member'"));
    for rule in [
        "'Auditor'",
        "groups",
        "contains(groups, 'lab') && 'Member'",
        "missing",
    ] {
        let edited = instance(by_group(rule));
        let known = settled(&saved, &["lab", "Auditor"]);
        let incoming = ann(&["lab", "Auditor"]);
        let difference = Preview::new(&saved, &edited).difference(
            &known,
            &incoming,
            &organizations(&["acme", "home", "lab"]),
        );
        let mut world = World::new(&["lab", "home", "acme"], vec![known.clone()]);
        world.sign_in(&incoming, &edited, 2);
        let now = access::held(&world.get("new-1").memberships);
        let before = access::held(&known.memberships);
        for one in &difference.organizations {
            assert_eq!(one.before.as_ref(), before.get(&one.organization), "{rule}");
            assert_eq!(one.after.as_ref(), now.get(&one.organization), "{rule}");
        }
        assert_eq!(difference.organizations.is_empty(), before == now, "{rule}");
    }
}

#[test]
fn c07_c09_pinned_and_manual_access_does_not_differ() {
    let (saved, edited) = (with(|_| {}), instance(by_group("'Admin'")));
    let mut pinned = member("acme", rule(), &["auditor"]);
    pinned.pinned = true;
    for membership in [
        pinned,
        member("acme", crate::directory::Source::Manual, &["auditor"]),
    ] {
        let known = known(account("ann", sso("okta")), &["ann-1"], vec![membership]);
        let difference =
            Preview::new(&saved, &edited).difference(&known, &ann(&["lab"]), &organizations(&["acme"]));
        assert!(difference.is_empty(), "{difference:?}");
        assert_eq!(difference.member_of, ["acme".into()]);
    }
}

#[test]
fn people_who_may_not_sign_in_differ_in_nothing_and_refusals_are_told() {
    let saved = with(|_| {});
    let edited = with(|connection| {
        connection.settings.on_no_seat = crate::connection::OnNoSeat::Refuse;
        connection.policy = Some(Policy {
            license: Some(LicenseRule::Fixed("standard".into())),
            ..Policy::default()
        });
    });
    let mut known = known(
        account("ann", sso("okta")),
        &["ann-1"],
        vec![member("acme", rule(), &["member"])],
    );
    let mut full = organizations(&["acme"]);
    full.get_mut(&OrganizationId::from("acme")).unwrap().licenses[0].used = 2;
    let difference = Preview::new(&saved, &edited).difference(&known, &ann(&[]), &full);
    assert_eq!(difference.refused, Some(Denial::NoSeat));
    known.account.status = Status::Deactivated;
    assert!(
        Preview::new(&saved, &edited)
            .difference(&known, &ann(&[]), &full)
            .is_empty()
    );
}
