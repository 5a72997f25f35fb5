use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::expression::{Expression, Residual, measure};

const IDS: [&str; 11] = [
    "lab",
    "lab-2",
    "a",
    "ab",
    "admin",
    "org-lab",
    "x",
    "it's",
    "true",
    "ann@lab.example",
    "Lab",
];

fn solution(source: &str, document: &Value) -> Solution {
    Expression::compile(source)
        .unwrap()
        .solve(document, measure(document))
}

fn admits(expression: &Expression, document: &Value, id: &str) -> bool {
    match expression.evaluate(document, id) {
        Ok(Value::Bool(flag)) => flag,
        Ok(Value::String(text)) => text == id,
        Ok(Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) | Err(_) => false,
    }
}

fn claims() -> Value {
    json!({
        "groups": ["lab", "org-a", "a-admins", "staff"],
        "email": "ann@lab.example",
        "org": "lab",
        "orgs": { "lab": { "admit": true }, "x": { "admit": false } },
        "teams": [{ "id": "lab", "admit": true }, { "id": "x" }],
    })
}

#[test]
fn the_documented_forms_are_turned_round() {
    for (source, expected) in [
        (
            "contains(groups, '{{orgId}}')",
            &["a-admins", "lab", "org-a", "staff"][..],
        ),
        (
            "contains(groups, {{orgId}})",
            &["a-admins", "lab", "org-a", "staff"],
        ),
        ("contains(groups, 'org-{{orgId}}')", &["a"]),
        ("contains(groups, '{{orgId}}-admins')", &["a"]),
        ("contains(groups, join('-', ['org', {{orgId}}]))", &["a"]),
        (
            "groups[?@ == '{{orgId}}'] | [0]",
            &["a-admins", "lab", "org-a", "staff"],
        ),
        (
            "length(groups[?@ == '{{orgId}}']) > `0`",
            &["a-admins", "lab", "org-a", "staff"],
        ),
        ("org == '{{orgId}}'", &["lab"]),
        ("'{{orgId}}' == org", &["lab"]),
        ("org == 'lab' && '{{orgId}}' == org", &["lab"]),
        (
            "contains(groups, 'staff') && contains(groups, 'org-{{orgId}}') || org == {{orgId}}",
            &["a", "lab"],
        ),
        ("org", &["lab"]),
        ("'home-lab'", &["home-lab"]),
        ("contains(groups, 'staff') && org", &["lab"]),
        ("contains([org, 'x'], {{orgId}})", &["lab", "x"]),
        ("starts_with(org, '{{orgId}}')", &["", "l", "la", "lab"]),
        ("ends_with(org, '{{orgId}}')", &["", "ab", "b", "lab"]),
        ("ends_with(email, '@{{orgId}}.example')", &["lab"]),
        ("orgs.\"{{orgId}}\".admit", &["lab", "x"]),
        ("teams[?id == '{{orgId}}'].admit | [0]", &["lab", "x"]),
        // An unknown part beside a false one admits nobody else.
        (
            "length({{orgId}}) > `3` && contains(groups, {{orgId}})",
            &["a-admins", "lab", "org-a", "staff"],
        ),
        ("contains(groups, 'nobody') && length({{orgId}}) > `3`", &[]),
        // Fails for everybody.
        ("contains(missing, '{{orgId}}')", &[]),
    ] {
        let found = solution(source, &claims());
        assert_eq!(found.otherwise, Otherwise::Refuses, "{source}");
        let hits: Vec<&str> = found.hits[ORGANIZATION].iter().map(String::as_str).collect();
        assert_eq!(hits, expected, "{source}");
    }
}

#[test]
fn what_admits_all_others_says_so() {
    for source in [
        "`true`",
        "'{{orgId}}'",
        "{{orgId}}",
        "org != '{{orgId}}'",
        "!contains(groups, {{orgId}})",
    ] {
        assert_eq!(
            solution(source, &claims()).otherwise,
            Otherwise::Admits,
            "{source}"
        );
    }
}

#[test]
fn what_cannot_be_turned_round_is_not_guessed() {
    for source in [
        "starts_with({{orgId}}, 'eu-')",
        "length({{orgId}}) == `3`",
        "contains({{orgId}}, 'lab')",
        "reverse({{orgId}}) == 'bal'",
        "'a{{orgId}}' == '{{orgId}}a'",
        "contains(groups[0], '{{orgId}}') || length({{orgId}}) == `3`",
    ] {
        assert_eq!(
            solution(source, &claims()).otherwise,
            Otherwise::Depends,
            "{source}"
        );
    }
    // The text before the id is long enough to know.
    assert_eq!(
        solution("starts_with('eu-{{orgId}}', 'us')", &claims()).otherwise,
        Otherwise::Refuses
    );
}

#[test]
fn more_hits_than_are_of_use_are_looked_at_the_other_way_round() {
    let groups: Vec<String> = (0..10_000).map(|n| format!("g{n}")).collect();
    let found = solution("contains(groups, {{orgId}})", &json!({ "groups": groups }));
    assert_eq!(found, Solution::constant(Otherwise::Depends, 1));
    let found = solution("contains(long, {{orgId}})", &json!({ "long": "x".repeat(200) }));
    assert_eq!(found.otherwise, Otherwise::Depends);
}

fn leaf() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "groups",
        "email",
        "org",
        "missing",
        "orgs",
        "orgs.lab",
        "@",
        "groups[0]",
        "groups[-1]",
        "groups[1:]",
        "'{{orgId}}'",
        "{{orgId}}",
        "'org-{{orgId}}'",
        "'{{orgId}}-admins'",
        "'{{orgId}}{{orgId}}'",
        "'lab'",
        "'a'",
        "''",
        "`true`",
        "`false`",
        "`null`",
        "`1`",
        "`[\"lab\",\"x\"]`",
        "`[\"{{orgId}}\"]`",
        "orgs.\"{{orgId}}\"",
        "orgs.\"{{orgId}}\".admit",
        "\"{{orgId}}\"",
        "teams[?id == '{{orgId}}'].admit",
        "teams[*].id",
        "teams[].id",
        "orgs.*.admit",
        "orgs.* | [0]",
        "keys(orgs)",
        "sort(groups)",
        "length({{orgId}})",
        "to_string({{orgId}})",
        "to_array({{orgId}})",
        "reverse({{orgId}})",
        "join('-', ['org', {{orgId}}])",
        "join(',', groups)",
        "type({{orgId}})",
        "map(&id, teams)",
        "sort_by(teams, &id)[0].id",
        "max_by(teams, &id).id",
        "map(&contains(groups, '{{orgId}}'), teams)",
        "{a: {{orgId}}, b: org}",
        "{a: {{orgId}}}.a",
        "[org, {{orgId}}]",
        "groups[?@ == '{{orgId}}']",
        "groups[?starts_with(@, '{{orgId}}')]",
        "groups[?ends_with(@, {{orgId}})] | [0]",
        "{{orgId}} | @",
        "teams[?contains(['x', {{orgId}}], id)] | [0].admit",
        "groups[?@ == '{{orgId}}'].admit",
    ])
    .prop_map(str::to_owned)
}

fn rule() -> impl Strategy<Value = String> {
    leaf().prop_recursive(4, 24, 3, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            pair.clone()
                .prop_map(|(left, right)| format!("({left} && {right})")),
            pair.clone()
                .prop_map(|(left, right)| format!("({left} || {right})")),
            pair.clone()
                .prop_map(|(left, right)| format!("({left} == {right})")),
            pair.clone()
                .prop_map(|(left, right)| format!("({left} != {right})")),
            pair.clone()
                .prop_map(|(left, right)| format!("({left} < {right})")),
            pair.clone()
                .prop_map(|(left, right)| format!("contains({left}, {right})")),
            pair.clone()
                .prop_map(|(left, right)| format!("starts_with({left}, {right})")),
            pair.clone()
                .prop_map(|(left, right)| format!("ends_with({left}, {right})")),
            pair.clone()
                .prop_map(|(left, right)| format!("not_null({left}, {right})")),
            pair.clone()
                .prop_map(|(left, right)| format!("[{left}, {right}]")),
            pair.clone()
                .prop_map(|(left, right)| format!("({left} | {right})")),
            pair.clone().prop_map(|(list, body)| format!("({list})[?{body}]")),
            pair.prop_map(|(list, body)| format!("([{list}, 'a'][] | [*].[{body}])[]")),
            inner.clone().prop_map(|inner| format!("!({inner})")),
            inner.clone().prop_map(|inner| format!("({inner})[0]")),
            inner.prop_map(|inner| format!("length({inner})")),
        ]
    })
}

fn document() -> impl Strategy<Value = Value> {
    let word = || {
        prop::sample::select(vec![
            "lab",
            "lab-2",
            "a",
            "admin",
            "org-lab",
            "org-a",
            "a-admins",
            "lab-admins",
            "ab",
            "x",
            "",
            "labLab",
            "Lab",
            "lablab",
        ])
    };
    let groups = prop_oneof![
        4 => prop::collection::vec(word(), 0..5).prop_map(|words| json!(words)),
        1 => word().prop_map(|word| json!(word)),
        1 => Just(Value::Null),
        1 => Just(json!([1, "a", null, ["lab"], { "id": "lab" }])),
    ];
    (groups, word(), word(), any::<bool>(), word()).prop_map(|(groups, org, key, admit, id)| {
        json!({
            "groups": groups, "org": org, "email": format!("ann@{org}.example"),
            "orgs": { key: { "admit": admit }, "lab": { "admit": id } },
            "teams": [{ "id": id, "admit": admit }, { "id": "lab", "admit": org }],
            "x": admit,
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// The naive loop is the judge: outside the hits every id turns out as the solution says.
    #[test]
    fn a_solution_agrees_with_the_naive_loop(source in rule(), document in document()) {
        let Ok(expression) = Expression::compile(&source) else { return Ok(()) };
        let found = expression.solve(&document, measure(&document));
        for id in IDS {
            if found.hits[ORGANIZATION].contains(id) {
                continue;
            }
            let expected = match found.otherwise {
                Otherwise::Admits => true,
                Otherwise::Refuses => false,
                Otherwise::Depends => continue,
            };
            prop_assert_eq!(admits(&expression, &document, id), expected, "{} for {}", &source, id);
        }
    }

    #[test]
    fn what_is_left_of_an_expression_agrees_with_the_whole(source in rule(), document in document()) {
        let Ok(expression) = Expression::compile(&source) else { return Ok(()) };
        let Some(rest) = Residual::of(&expression, &document) else { return Ok(()) };
        for id in IDS {
            prop_assert_eq!(rest.evaluate(id), expression.evaluate(&document, id).ok(), "{} for {}", &source, id);
        }
    }

    /// Expressions that differ in literals only, solved once on behalf of all, agree with each one's own evaluation.
    #[test]
    fn a_shape_agrees_with_each_of_its_expressions(source in rule(), document in document(), id in prop::sample::select(&IDS[..])) {
        let Ok(expression) = Expression::compile(&source) else { return Ok(()) };
        let lifted = expression.lift(id);
        let found = lifted.shape.solve(&expression, &document, measure(&document), lifted.literals.len());
        let mut hits = found.hits.iter();
        let hit = hits.next().unwrap().contains(id)
            || hits.zip(&lifted.literals).any(|(hits, literal)| hits.contains(literal));
        match found.otherwise {
            _ if hit => {}
            Otherwise::Admits => prop_assert!(admits(&expression, &document, id), "{} for {}", &source, id),
            Otherwise::Refuses => prop_assert!(!admits(&expression, &document, id), "{} for {}", &source, id),
            Otherwise::Depends => {}
        }
    }
}
