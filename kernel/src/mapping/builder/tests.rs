use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::expression::Expression;
use crate::fixtures::*;
use crate::mapping::InForce;
use crate::policy::{GroupRoles, Policy};

fn row(claim: &str, how: ClaimMatch, value: &str, roles: &[&str]) -> ClaimRoles {
    ClaimRoles {
        claim: claim.to_owned(),
        value: value.to_owned(),
        how,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    }
}

#[test]
fn r133_rows_are_kept_as_data_and_shown_as_their_expression() {
    let rule: RoleRule = serde_json::from_value(json!({ "mapping": [
        { "claim": "groups", "value": "admins", "roles": ["Admin"] },
        { "claim": "address.country", "value": "de", "match": "starts_with", "roles": ["Auditor", "Member"] },
    ] }))
    .unwrap();
    assert_eq!(
        rule.expression(),
        "[contains([groups][], 'admins') && ['Admin'] || `[]`, ([address.country][] | [?type(@) == 'string' && \
         starts_with(@, 'de')]) && ['Auditor', 'Member'] || `[]`][]"
    );
    let shown = json!(rule);
    assert_eq!(
        shown["mapping"][0],
        json!({ "claim": "groups", "value": "admins", "roles": ["Admin"] })
    );
    assert_eq!(shown["mapping"][1]["match"], json!("starts_with"));
    assert_eq!(RoleRule::Fixed("Member".to_owned()).expression(), "'Member'");
}

#[test]
fn r133_r138_rows_give_their_roles_in_order_and_the_first_where_one_is_allowed() {
    let rows = vec![
        row("department", ClaimMatch::Equals, "Audit", &["Auditor"]),
        row("groups", ClaimMatch::EndsWith, "-admins", &["Admin"]),
        row("groups", ClaimMatch::Contains, "staff", &["Member", "Auditor"]),
    ];
    let in_force = with_policy(|policy| policy.role = Some(RoleRule::Mapping(rows.clone())));
    let incoming = claim(ann(&["lab-admins", "all-staff"]), "department", json!("Audit"));
    let mut world = World::new(&["acme"], vec![]);
    let decision = world.sign_in(&incoming, &in_force, 1);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["auditor", "admin", "member"]);
    let text = crate::explain::sentence(&decision.trace);
    assert!(
        text.contains("mapping gave \"Auditor\", \"Admin\", \"Member\", because department has \"Audit\""),
        "{text}"
    );
    let mut world = World::new(&["acme"], vec![]);
    world.organizations[0].organization.roles_per_member = crate::directory::RolesPerMember::One;
    world.sign_in(&incoming, &in_force, 1);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["auditor"]);
}

#[test]
fn r133_a_row_that_cannot_work_is_refused_with_its_place() {
    let faults = |rows: Vec<ClaimRoles>| {
        let mut connection = connection();
        connection.policy = Some(Policy {
            role: Some(RoleRule::Mapping(rows)),
            ..Policy::default()
        });
        InForce::compile(connection)
            .unwrap_err()
            .into_iter()
            .map(|fault| fault.to_string())
            .collect::<Vec<_>>()
    };
    let bad = vec![
        row("groups", ClaimMatch::Equals, "x", &["Admin"]),
        row("a..b", ClaimMatch::Equals, "x", &["Admin"]),
        row("", ClaimMatch::Equals, "x", &["Admin"]),
        row("\"a.b", ClaimMatch::Equals, "x", &["Admin"]),
        row("a", ClaimMatch::Contains, "", &["Admin"]),
    ];
    assert_eq!(
        faults(bad),
        [
            "policy.role.mapping[1].claim: there is no claim before this dot (at byte 2)",
            "policy.role.mapping[2].claim: the name of a claim is missing (at byte 0)",
            "policy.role.mapping[3].claim: a quotation mark is not closed (at byte 4)",
            "policy.role.mapping[4].value: the value is empty (at byte 0)",
        ]
    );
}

fn acme() -> OrganizationId {
    "acme".into()
}

fn names(value: Value) -> Vec<String> {
    super::super::role::strings(value)
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["a", "ab", "b", "it's", "x`y", "{{orgId}}", "a\\b", "ä"])
            .prop_map(str::to_owned),
        "[ -~]{1,4}",
    ]
}

fn claim_value() -> impl Strategy<Value = Value> {
    let scalar = || {
        prop_oneof![
            word().prop_map(Value::String),
            Just(json!(null)),
            Just(json!(1)),
            Just(json!(true)),
            Just(json!({ "b": "a" }))
        ]
    };
    prop_oneof![
        scalar(),
        prop::collection::vec(scalar(), 0..4).prop_map(Value::Array)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn r133_rows_and_their_expression_give_the_same_names(
        rows in prop::collection::vec(
            (
                prop::sample::select(vec!["a", "a.b", "\"x.y\"", "c-d", "missing", "a.b.c", "ä"]),
                prop::sample::select(vec![ClaimMatch::Equals, ClaimMatch::Contains, ClaimMatch::StartsWith, ClaimMatch::EndsWith]),
                word(),
                prop::collection::vec(word(), 0..3),
            ),
            0..4,
        ),
        values in (claim_value(), claim_value(), claim_value(), claim_value()),
    ) {
        let rows: Vec<ClaimRoles> = rows
            .into_iter()
            .map(|(claim, how, value, roles)| ClaimRoles { claim: claim.to_owned(), value, how, roles })
            .collect();
        let mut incoming = claim(ann(&[]), "a", values.0);
        for (name, value) in [("x.y", values.1), ("c-d", values.2), ("ä", values.3)] {
            incoming = claim(incoming, name, value);
        }
        let claims = Claims::of(&incoming);
        let by_rows: Vec<String> = rows
            .iter()
            .map(|row| Row::compile(row).unwrap())
            .filter(|row| row.fits(&claims, &acme()))
            .flat_map(|row| row.roles().to_vec())
            .map(|name| bound(&name, &acme()).into_owned())
            .collect();
        let source = RoleRule::Mapping(rows).expression();
        let shown = Expression::compile(&source);
        prop_assert!(shown.is_ok(), "{}: {:?}", source, shown);
        let by_expression = shown.unwrap().evaluate(claims.document(), "acme").map(names);
        prop_assert_eq!(by_expression, Ok(by_rows), "{}", source);
    }

    #[test]
    fn r136_a_group_table_and_its_expression_give_the_same_names(
        rows in prop::collection::vec((word(), prop::collection::vec(word(), 0..3)), 0..4),
        groups in prop::collection::vec(word(), 0..4),
    ) {
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        let rows: Vec<GroupRoles> = rows.into_iter().map(|(value, roles)| GroupRoles { value, name: None, roles }).collect();
        let claims = Claims::of(&ann(&groups));
        let by_rows: Vec<String> = rows
            .iter()
            .filter(|row| claims.groups().iter().any(|group| *group == bound(&row.value, &acme())))
            .flat_map(|row| row.roles.clone())
            .map(|name| bound(&name, &acme()).into_owned())
            .collect();
        let source = RoleRule::Groups(rows).expression();
        let by_expression = Expression::compile(&source).unwrap().evaluate(claims.document(), "acme").map(names);
        prop_assert_eq!(by_expression, Ok(by_rows), "{}", source);
    }
}
