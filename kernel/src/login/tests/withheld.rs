//! Groups that the identity provider leaves out of its token.

use super::*;

#[test]
fn groups_that_the_provider_leaves_out_take_nothing_away_and_somebody_is_told() {
    let rules = |expression: &str| {
        let rule = RoleRule::Expression(expression.to_owned());
        with_policy(|policy| policy.role = Some(rule))
    };
    let by_group = rules("contains(groups, 'admins') && 'Admin' || 'Member'");
    let mut world = World::new(&["acme"], vec![]);
    world.sign_in(&ann(&["admins"]), &by_group, 1);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["admin"]);
    let mut withheld = ann(&[]);
    withheld.normalized.groups_withheld = true;
    let kept = world.sign_in(&withheld, &by_group, 2);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["admin"]);
    assert!(kept.plan.session.is_some() && has(&kept.trace, "groups_withheld"));
    let alert = |change: &Change| matches!(change, Change::Alert { code, .. } if code == "groups_withheld");
    assert!(kept.plan.changes.iter().any(alert));
    // Nothing is given either, were it by a rule turned round.
    let turned = rules("contains(groups, 'contractors') && 'Member' || 'Auditor'");
    world.sign_in(&withheld, &turned, 3);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["admin"]);
    // Having no groups is something else, and rules that look at none go on.
    let by_mail = rules("ends_with(email, 'acme.example') && 'Auditor'");
    let decision = world.sign_in(&withheld, &by_mail, 4);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["auditor"]);
    assert!(!has(&decision.trace, "groups_withheld"));
    world.sign_in(&ann(&[]), &by_group, 5);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["member"]);
    // Who comes for the first time is somebody without groups.
    let mut new = World::new(&["acme"], vec![]);
    assert!(new.sign_in(&withheld, &by_group, 1).plan.session.is_some());
    assert_eq!(roles_in(&new, "new-1", "acme"), ["member"]);
}
