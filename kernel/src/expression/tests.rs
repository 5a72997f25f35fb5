use proptest::prelude::*;
use serde_json::json;

use super::*;

fn evaluate(source: &str, document: &Value) -> Result<Value, EvaluationError> {
    Expression::compile(source).unwrap().evaluate(document, "acme")
}

#[test]
fn r147_size_depth_and_chains_are_refused_before_any_parser_runs() {
    for (source, message) in [
        ("a".repeat(MAX_LENGTH + 1), "longer than"),
        ("(".repeat(2_000), "nested deeper"),
        ("[".repeat(40) + &"]".repeat(40), "nested deeper"),
        ("!".repeat(2_000), "nested deeper"),
        (format!("a{}", ".a".repeat(1_000)), "nesting exceeds"),
        (format!("a{}", "|a".repeat(120)), "chains too many"),
    ] {
        let error = Expression::compile(&source).unwrap_err();
        assert!(error.message.contains(message), "{}", error.message);
    }
    for deep in ["(", "[", "{", "!", "&", "[?", "a.", "a|", "`[", "{{orgId}}"] {
        assert!(Expression::compile(&deep.repeat(20_000)).is_err());
    }
}

#[test]
fn r147_an_expression_that_doubles_its_input_again_and_again_is_refused() {
    let doubling = format!("[@,@]{}", "|[@,@]".repeat(40));
    assert!(
        Expression::compile(&doubling)
            .unwrap_err()
            .message
            .contains("multiplies")
    );
    let strings = format!("{}@{}", "to_string([".repeat(12), "])".repeat(12));
    assert!(
        Expression::compile(&strings)
            .unwrap_err()
            .message
            .contains("multiplies")
    );
    let glue = "join(to_string(@), groups)";
    assert!(
        Expression::compile(glue)
            .unwrap_err()
            .message
            .contains("multiplies")
    );
    assert!(Expression::compile("join(', ', groups)").is_ok());
}

#[test]
fn r147_claims_too_large_or_too_deep_give_an_error_and_no_result() {
    let mut deep = json!(1);
    for _ in 0..=MAX_DEPTH {
        deep = json!([deep]);
    }
    assert!(evaluate("@", &deep).unwrap_err().message.contains("deeper"));
    let large = json!({ "a": "x".repeat(MAX_INPUT) });
    assert!(evaluate("a", &large).unwrap_err().message.contains("larger"));
    let many = json!({ "groups": (0..20_000).map(|n| format!("g{n}")).collect::<Vec<_>>() });
    let costly = format!("[{}]", vec!["groups[?@ == 'a']"; 80].join(","));
    assert!(
        evaluate(&costly, &many)
            .unwrap_err()
            .message
            .contains("expensive")
    );
}

#[test]
fn a_realistic_builder_expression_stays_affordable_for_a_thousand_groups() {
    let groups: Vec<String> = (0..1_000)
        .map(|n| format!("0f8fad5b-d9cb-469f-a165-{n:012}"))
        .collect();
    let document = json!({ "groups": groups, "claims": { "groups": groups }, "raw": { "groups": groups } });
    let conditions = (0..30)
        .map(|n| format!("contains(groups, 'group-{n}') && 'Role{n}'"))
        .collect::<Vec<_>>();
    assert_eq!(
        evaluate(&format!("{} || 'Member'", conditions.join(" || ")), &document),
        Ok(json!("Member"))
    );
}

#[test]
fn r145_the_placeholder_is_bound_in_literals_names_and_bare() {
    let document = json!({ "groups": ["acme"], "orgs": { "acme": { "role": "Admin" } } });
    for (source, expected) in [
        ("contains(groups, '{{orgId}}')", json!(true)),
        ("contains(groups, {{orgId}})", json!(true)),
        ("groups[?@ == `\"{{orgId}}\"`] | [0]", json!("acme")),
        ("orgs.\"{{orgId}}\".role", json!("Admin")),
        ("'x-{{orgId}}-y'", json!("x-acme-y")),
        ("{{orgId}}", json!("acme")),
        ("'it\\'s {{orgId}}'", json!("it's acme")),
    ] {
        assert_eq!(evaluate(source, &document), Ok(expected), "{source}");
    }
}

#[test]
fn compile_errors_point_into_the_source_as_written() {
    let error = Expression::compile("contains(groups, {{orgId}}) ]").unwrap_err();
    assert_eq!(error.offset, 28);
    let error = Expression::compile("a && nope(b)").unwrap_err();
    assert_eq!(error.message, "there is no function nope");
    let error = Expression::compile("start_with(a, 'b')").unwrap_err();
    assert!(error.message.contains("did you mean starts_with?"));
    assert!(Expression::compile("").is_err());
    assert!(Expression::compile("'unclosed").is_err());
}

#[test]
fn only_the_functions_of_the_specification_exist() {
    for extension in [
        "env()",
        "now()",
        "uuid()",
        "regex_match(a, 'b')",
        "sha256(a)",
        "let $x = a in $x",
    ] {
        assert!(Expression::compile(extension).is_err(), "{extension}");
    }
}

#[test]
fn r144_contains_on_a_string_finds_parts_which_is_why_lists_are_always_lists() {
    assert_eq!(
        evaluate(
            "contains(groups, 'admin')",
            &json!({ "groups": "administrators" })
        ),
        Ok(json!(true))
    );
    assert_eq!(
        evaluate(
            "contains(groups, 'admin')",
            &json!({ "groups": ["administrators"] })
        ),
        Ok(json!(false))
    );
}

#[test]
fn reasons_name_what_was_looked_at() {
    let document = json!({ "groups": ["a"], "email": "x@y.example", "department": { "name": "Ops" } });
    for (source, expected) in [
        ("contains(groups, 'a')", Some("groups has \"a\"")),
        ("contains(groups, '{{orgId}}')", Some("groups has no \"acme\"")),
        ("contains(roles, 'a')", Some("there is no list roles")),
        ("department.name == 'Ops'", Some("department.name is \"Ops\"")),
        ("missing", Some("there is no missing")),
        ("'literal'", None),
    ] {
        let because = Expression::compile(source).unwrap().because(&document, "acme");
        assert_eq!(because.as_deref(), expected, "{source}");
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,12}".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|fields| json!(fields)),
        ]
    })
}

fn any_expression() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a"),
        Just("b"),
        Just("@"),
        Just("*"),
        Just("."),
        Just("|"),
        Just("||"),
        Just("&&"),
        Just("!"),
        Just("["),
        Just("]"),
        Just("[*]"),
        Just("[]"),
        Just("[?"),
        Just("[0]"),
        Just("[-1]"),
        Just("[::-1]"),
        Just("[::0]"),
        Just("("),
        Just(")"),
        Just("{"),
        Just("}"),
        Just(":"),
        Just(","),
        Just("&"),
        Just("=="),
        Just("<"),
        Just("`1`"),
        Just("`-0.0`"),
        Just("'x'"),
        Just("\"q\""),
        Just("{{orgId}}"),
        Just("length("),
        Just("to_string("),
        Just("sort("),
        Just("sort_by("),
        Just("max_by("),
        Just("avg("),
        Just("sum("),
        Just("map("),
        Just("merge("),
        Just("join("),
        Just("abs("),
        Just("ceil("),
        Just("to_number("),
        Just("reverse("),
        Just("'"),
        Just("`"),
        Just("\u{fe0f}"),
        Just("-2147483648"),
        Just("99999999999"),
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn random_expressions_on_random_claims_never_panic(source in any_expression(), document in any_value()) {
        if let Ok(expression) = Expression::compile(&source) {
            let _ = expression.evaluate(&document, "acme'");
            let _ = expression.because(&document, "acme'");
        }
    }

    #[test]
    fn random_text_never_panics(source in ".{0,60}") {
        let _ = Expression::compile(&source);
    }
}
