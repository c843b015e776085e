//! The published schema of the JSON report, and that reports are as it says.
//!
//! A validator for all of JSON Schema would bring some twenty-five crates into every build of the tests. This one knows the keywords that the
//! schema uses, and refuses a schema with another.

use serde_json::{Map, Value, json};

use super::json;
use super::tests::{paired, report, waived};
use crate::stats::decision::Finding;

const SCHEMA: &str = include_str!("../../../docs/report.schema.json");

/// What of a value is not as its schema says, with the path to it.
fn faults(root: &Value, schema: &Value, value: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    let empty = Map::new();
    let keywords = schema.as_object().unwrap();
    let properties = keywords.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    for (keyword, rule) in keywords {
        let fine = match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" => true,
            "$ref" => {
                let name = rule.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                found.extend(faults(root, &root["$defs"][name], value, path));
                true
            }
            "type" => {
                rule.as_array().map_or_else(|| vec![rule], |list| list.iter().collect()).iter().any(|t| is(t.as_str().unwrap(), value))
            }
            "const" => rule == value,
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value.as_f64().is_none_or(|v| v >= rule.as_f64().unwrap()),
            "required" => rule.as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some()),
            "additionalProperties" => {
                assert_eq!(rule, false);
                value.as_object().is_none_or(|object| object.keys().all(|key| properties.contains_key(key)))
            }
            "properties" => {
                for (key, schema) in properties {
                    found.extend(value.get(key).into_iter().flat_map(|v| faults(root, schema, v, &format!("{path}/{key}"))));
                }
                true
            }
            "items" => {
                let items = value.as_array().into_iter().flatten().enumerate();
                found.extend(items.flat_map(|(i, v)| faults(root, rule, v, &format!("{path}/{i}"))));
                true
            }
            other => panic!("the schema uses '{other}', which this does not know"),
        };
        if !fine {
            found.push(format!("{path}: {keyword}"));
        }
    }
    found
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("no type is '{other}'"),
    }
}

fn schema_and_report() -> (Value, Value) {
    (serde_json::from_str(SCHEMA).unwrap(), serde_json::from_str(&json::render(&report()).unwrap()).unwrap())
}

#[test]
fn reports_are_as_the_schema_says() {
    let (schema, report) = schema_and_report();
    assert_eq!(faults(&schema, &schema, &report, ""), Vec::<String>::new());
    let judged: Value = serde_json::from_str(&json::render(&waived()).unwrap()).unwrap();
    assert_eq!(faults(&schema, &schema, &judged, ""), Vec::<String>::new());
    assert_eq!((&judged["waivers"][0]["standing"], &judged["judged-by"]["edits"][0]["loosens"]), (&json!("allows"), &json!(true)));
    for finding in [Finding::Regression, Finding::Undecided] {
        let report: Value = serde_json::from_str(&json::render(&paired(finding)).unwrap()).unwrap();
        assert_eq!(faults(&schema, &schema, &report, ""), Vec::<String>::new());
        assert!(report["times"].is_object());
    }
}

#[test]
fn what_is_missing_added_or_of_another_type_is_found() {
    let (schema, report) = schema_and_report();
    for key in report.as_object().unwrap().keys() {
        let mut cut = report.clone();
        cut.as_object_mut().unwrap().remove(key);
        assert_eq!(faults(&schema, &schema, &cut, ""), [": required"], "{key}");
    }
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut report = report.clone();
        change(&mut report);
        faults(&schema, &schema, &report, "")
    };
    assert_eq!(changed(&|r| r["more"] = json!(1)), [": additionalProperties"]);
    assert_eq!(changed(&|r| r["rows"][0]["after"] = json!("1")), ["/rows/0/after: type"]);
    assert_eq!(changed(&|r| r["summaries"][1]["verdict"] = json!("fine")), ["/summaries/1/verdict: enum"]);
    assert_eq!(changed(&|r| r["machine"]["cores"] = json!(-1)), ["/machine/cores: minimum"]);
    assert_eq!(changed(&|r| r["weighbridge-report"] = json!(2)), ["/weighbridge-report: const"]);
}
