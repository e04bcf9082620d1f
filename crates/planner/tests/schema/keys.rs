//! Every key is described, shown by an example, and says its default where it has one.

use serde_json::{Value, json};
use transship_planner::config::json_schema;

/// Every key of every map, with the way to it.
fn keys(schema: &Value) -> Vec<(String, Value)> {
    fn walk(value: &Value, path: &str, keys: &mut Vec<(String, Value)>) {
        let is_map = value
            .get("type")
            .is_some_and(|kind| kind == "object" || kind.is_array());
        for (key, property) in value
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if is_map {
                keys.push((format!("{path}/properties/{key}"), property.clone()));
            }
        }
        if let Some(map) = value.as_object() {
            for (key, value) in map
                .iter()
                .filter(|(key, _)| !["examples", "default"].contains(&key.as_str()))
            {
                walk(value, &format!("{path}/{key}"), keys);
            }
        }
        for (at, item) in value.as_array().into_iter().flatten().enumerate() {
            walk(item, &format!("{path}/{at}"), keys);
        }
    }
    let mut found = Vec::new();
    walk(schema, "", &mut found);
    found
}

/// Follows references until something has one of `words`.
fn has(schema: &Value, value: &Value, words: &[&str]) -> bool {
    if words.iter().any(|word| value.get(word).is_some()) {
        return true;
    }
    let target = value
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|target| schema.pointer(target.trim_start_matches('#')));
    target.is_some_and(|target| has(schema, target, words))
}

#[test]
fn every_key_has_a_description() {
    let schema = json_schema();
    let keys = keys(&schema);
    assert!(keys.len() > 100, "{} keys", keys.len());
    let bare: Vec<&String> = keys
        .iter()
        .filter(|(_, value)| !has(&schema, value, &["description"]))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(bare, Vec::<&String>::new());
}

/// Words, truth values and maps whose keys are shown by themselves need none.
#[test]
fn every_key_has_an_example_unless_its_values_are_few() {
    let schema = json_schema();
    let few = |value: &Value| {
        let truth = value.get("$ref").is_some_and(|target| target == "#/$defs/truth");
        let words = value.pointer("/anyOf/0/enum").is_some();
        truth || words || has(&schema, value, &["examples", "enum", "const", "default"])
    };
    let bare: Vec<String> = keys(&schema)
        .into_iter()
        .filter(|(_, value)| !few(value))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(bare, Vec::<String>::new());
}

/// Examples and defaults are values that the schema takes where they stand.
#[test]
fn examples_and_defaults_are_valid() {
    fn walk(schema: &Value, value: &Value, path: &str, seen: &mut usize) {
        let examples = value
            .get("examples")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for example in examples.chain(value.get("default")) {
            let mut alone = value.clone();
            alone["$defs"] = schema["$defs"].clone();
            let validator =
                jsonschema::validator_for(&alone).unwrap_or_else(|error| panic!("{path}: {error}"));
            let errors: Vec<String> = validator
                .iter_errors(example)
                .map(|error| error.to_string())
                .collect();
            assert_eq!(errors, Vec::<String>::new(), "{path}: {example}");
            *seen += 1;
        }
        let Some(map) = value.as_object() else { return };
        for (key, value) in map
            .iter()
            .filter(|(key, _)| !["examples", "default"].contains(&key.as_str()))
        {
            walk(schema, value, &format!("{path}/{key}"), seen);
            for (at, item) in value.as_array().into_iter().flatten().enumerate() {
                walk(schema, item, &format!("{path}/{key}/{at}"), seen);
            }
        }
    }
    let schema = json_schema();
    let mut seen = 0;
    walk(&schema, &schema, "", &mut seen);
    assert!(seen > 60, "{seen} examples");
}

#[test]
fn defaults_are_those_of_the_parser() {
    let schema = json_schema();
    for (pointer, default) in [
        ("/$defs/registry/properties/plain_http", json!(false)),
        ("/$defs/registry/properties/insecure_skip_verify", json!(false)),
        ("/$defs/tagSet/properties/prerelease", json!(false)),
        ("/$defs/tagSet/properties/at_least", json!(1)),
        (
            "/$defs/tagSet/properties/latest/anyOf/1/properties/patches",
            json!(1),
        ),
        ("/$defs/onChange", json!("update")),
        ("/$defs/check", json!("tags")),
        ("/$defs/foreignLayers", json!("skip")),
        ("/$defs/referrers", json!("all")),
        ("/$defs/platforms", json!("all")),
        ("/$defs/index", json!("whole")),
    ] {
        let value = schema.pointer(&format!("{pointer}/default"));
        assert_eq!(value, Some(&default), "{pointer}");
    }
}
