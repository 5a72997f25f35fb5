//! Runs the official JMESPath compliance suite through our own [`Expression`], limits included.

use std::path::Path;

use provost_kernel::expression::Expression;
use serde_json::Value;

/// Numbers compare by value: `1` and `1.0` are one number in JSON.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(name, left)| right.get(name).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}

#[test]
fn r51_the_official_compliance_suite_passes() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jmespath");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let (mut passed, mut failures) = (0, Vec::new());
    for file in files
        .iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "json"))
    {
        let groups: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        for group in &groups {
            for case in group["cases"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|case| case.get("bench").is_none())
            {
                let source = case["expression"].as_str().unwrap();
                let outcome = Expression::compile(source)
                    .map_err(|error| error.to_string())
                    .and_then(|compiled| {
                        compiled
                            .evaluate(&group["given"], "acme")
                            .map_err(|error| error.to_string())
                    });
                let right = match (case.get("result"), &outcome) {
                    (Some(expected), Ok(result)) => same(expected, result),
                    (None, Err(_)) => case.get("error").is_some(),
                    (Some(_), Err(_)) | (None, Ok(_)) => false,
                };
                if right {
                    passed += 1;
                } else {
                    failures.push(format!(
                        "{}: {source} -> {outcome:?}",
                        file.file_name().unwrap().display()
                    ));
                }
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(passed > 850, "only {passed} cases ran");
}
