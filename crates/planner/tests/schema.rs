//! The JSON Schema and the parser say the same of a configuration.
//!
//! Documents are made valid, then broken in one place; both must take the first and agree about the second. `PROPTEST_CASES` says how
//! many are tried. What the two can't agree on is named in `apart`.

#[path = "schema/apart.rs"]
mod apart;
#[path = "schema/broken.rs"]
mod broken;
#[path = "schema/documents.rs"]
mod documents;
#[path = "schema/keys.rs"]
mod keys;

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::Value;
use transship_planner::config::{self, Input, json_schema};

use broken::breaks;
use documents::document;

fn validator() -> Validator {
    jsonschema::validator_for(&json_schema()).expect("the schema is one")
}

/// What the parser says; nothing where it takes the document. What is not implemented yet is no error of the document's.
fn refusal(document: &Value) -> Option<String> {
    let text = document.to_string();
    let input = Input {
        name: "transship.yaml",
        // JSON is YAML.
        text: &text,
        environment: &|_| None,
    };
    match config::parse_offline(&input) {
        Err(problems) if !problems.only_unimplemented() => Some(problems.to_string()),
        Ok(_) | Err(_) => None,
    }
}

/// What the schema says.
fn objection(validator: &Validator, document: &Value) -> Option<String> {
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    (!errors.is_empty()).then(|| errors.join("\n"))
}

#[test]
fn the_schema_and_the_parser_agree() {
    let validator = validator();
    let run = |(document, breaks): (Value, Vec<broken::Break>)| {
        prop_assert_eq!(objection(&validator, &document), None, "of {}", document);
        prop_assert_eq!(refusal(&document), None, "of {}", document);
        for change in breaks {
            let Some((broken, what)) = change.apply(&document) else {
                continue;
            };
            let (schema, parser) = (objection(&validator, &broken), refusal(&broken));
            prop_assert_eq!(
                schema.is_some(),
                parser.is_some(),
                "{}\nschema: {:?}\nparser: {}\nof {}",
                what,
                schema,
                parser.unwrap_or_default(),
                broken
            );
        }
        Ok(())
    };
    // A failure names what was changed and where; a smaller document would say no more.
    let config = ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 50,
        ..ProptestConfig::default()
    };
    proptest!(config, |(case in (document(), breaks()))| run(case)?);
}
