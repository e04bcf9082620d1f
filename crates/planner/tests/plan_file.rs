//! The plan file: read back from every past version, refused when changed.

use planner::plan::Expect;
use planner::{OpKind, Plan, PlanError};
use serde_json::Value;
use transship_planner as planner;

/// A plan of schema 1 with every kind of op, and with blocked tags.
const SCHEMA_1: &str = include_str!("golden/schema-1.json");

fn schema_1() -> Plan {
    Plan::from_json(SCHEMA_1.as_bytes()).expect("a plan of schema 1 is read")
}

/// Writes the digest that a changed plan should have, so that only its rules are left to refuse it.
fn resealed(mut plan: Plan) -> String {
    if let Err(PlanError::Digest { actual, .. }) = Plan::from_json(plan.to_json().as_bytes()) {
        plan.digest = actual;
    }
    plan.to_json()
}

#[test]
fn a_plan_of_schema_1_reads_as_it_was_written() {
    let plan = schema_1();
    assert_eq!(plan.to_json(), SCHEMA_1);
    let kinds: std::collections::BTreeSet<OpKind> = plan.ops.iter().map(|op| op.kind).collect();
    assert_eq!(kinds.len(), 6, "every kind of op stands in it");
    let expected = plan
        .ops
        .iter()
        .flat_map(|op| &op.at)
        .filter_map(|at| at.expect.as_ref());
    assert!(expected.clone().any(|expect| *expect == Expect::Absent));
    assert!(expected.clone().any(|expect| matches!(expect, Expect::Digest(_))));
    insta::assert_snapshot!(plan.text(), @r"
    + ecr/api (repository)
    + ecr/app (repository)
    + api:latest -> 2 places (ecr, site)
    + ecr/api:v1
    ~ site/api:v1  sha256:e4605d769d73 -> sha256:9a83910535ef
    + site/app:latest
    + ecr/app:v1
    + ecr/app:v2
    ~ site/app:v2  sha256:022cd35437a4 -> sha256:ea7ec7967451
    + site/app  2 attachments
    + ecr/app  3 attachments
    ! hub/team/gone: the repository hub/team/gone does not exist
      hint: check the name, and that the credential may read it
    ! site/app:v1: site/app:v1 is to be sha256:022cd35437a417f000d01c708b714fcd6235ba155cdd6f1749484da40b8df41b by hub/team/app and sha256:9a83910535ef4f29a256d62bab4e0ecac36b17ebf187d9e742608efb119e9a1e by hub/team/api
      hint: let one mirror leave the tag out, or give it another tag

    Plan: 6 tags to create, 2 to update, 0 to delete; 2 repositories to create; read 331.1 KiB, upload 341.5 KiB, mount 310.2 KiB; 2 blocked.
    ");
}

#[test]
fn white_space_and_the_order_of_keys_do_not_matter() {
    let value: Value = serde_json::from_str(SCHEMA_1).expect("it is JSON");
    let plan = Plan::from_json(value.to_string().as_bytes()).expect("it is the same plan");
    assert_eq!(plan, schema_1());
}

/// Calls `visit` with the document in which each scalar and each key in turn is another.
fn changed(value: &Value, visit: &mut dyn FnMut(&str, Value)) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                changed(inner, &mut |what, inner| {
                    let mut map = map.clone();
                    map.insert(key.clone(), inner);
                    visit(&format!("{key}.{what}"), Value::Object(map));
                });
                let mut fewer = map.clone();
                fewer.remove(key);
                visit(&format!("without {key}"), Value::Object(fewer));
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                changed(inner, &mut |what, inner| {
                    let mut items = items.clone();
                    items[index] = inner;
                    visit(&format!("{index}.{what}"), Value::Array(items));
                });
                let mut fewer = items.clone();
                fewer.remove(index);
                visit(&format!("without {index}"), Value::Array(fewer));
            }
        }
        Value::String(text) => visit("text", Value::String(other(text))),
        Value::Number(number) => visit("number", Value::from(number.as_u64().unwrap_or_default() + 1)),
        Value::Bool(flag) => visit("flag", Value::Bool(!flag)),
        Value::Null => visit("null", Value::Bool(true)),
    }
}

/// The text with its last letter or digit changed: a digest stays a digest, a name a name.
fn other(text: &str) -> String {
    let mut text = text.to_owned();
    let last = text.pop();
    text.push(if last == Some('0') { '1' } else { '0' });
    text
}

#[test]
fn whatever_is_changed_is_refused() {
    let document: Value = serde_json::from_str(SCHEMA_1).expect("it is JSON");
    let (mut tried, mut by_digest) = (0, 0);
    changed(&document, &mut |what, document| {
        tried += 1;
        match Plan::from_json(document.to_string().as_bytes()) {
            Ok(_) => panic!("{what} was changed and nobody noticed"),
            Err(PlanError::Digest { written, actual }) => {
                assert_ne!(written, actual);
                by_digest += 1;
            }
            Err(PlanError::Json(_) | PlanError::NotAPlan | PlanError::Schema { .. }) => {}
            Err(PlanError::Rule(rule)) => panic!("{what}: the digest should have told before {rule}"),
        }
    });
    assert!(tried > 300, "only {tried} values were tried");
    assert!(
        by_digest > tried / 2,
        "of {tried} only {by_digest} were told by the digest"
    );
}

#[test]
fn another_schema_is_refused_by_its_number() {
    let text = SCHEMA_1.replacen("\"schema\": 1", "\"schema\": 2", 1);
    let error = Plan::from_json(text.as_bytes()).expect_err("schema 2 is not known");
    insta::assert_snapshot!(error, @"the plan has schema 2; this program reads schema 1");
    assert!(matches!(error, PlanError::Schema { found: 2 }));
}

#[test]
fn what_is_no_plan_is_refused() {
    for text in [
        "",
        "null",
        "[]",
        "{}",
        "{\"schema\": \"1\"}",
        "{\"schema\": 1}",
        "schema: 1",
    ] {
        let error = Plan::from_json(text.as_bytes()).expect_err(text);
        assert!(
            matches!(
                error,
                PlanError::Json(_) | PlanError::NotAPlan | PlanError::Schema { .. }
            ),
            "{text}: {error}"
        );
    }
}

/// What reading says of the plan after a change, sealed again.
fn refusal(change: impl FnOnce(&mut Plan)) -> String {
    let mut plan = schema_1();
    change(&mut plan);
    match Plan::from_json(resealed(plan).as_bytes()) {
        Err(error @ PlanError::Rule(_)) => error.to_string(),
        other => panic!("not refused by a rule: {other:?}"),
    }
}

fn position(plan: &Plan, kind: OpKind) -> usize {
    plan.ops
        .iter()
        .position(|op| op.kind == kind)
        .expect("every kind of op stands in it")
}

#[test]
fn a_cycle_is_refused() {
    let rule = refusal(|plan| {
        let (upload, tag) = (position(plan, OpKind::UploadBlob), position(plan, OpKind::PutTag));
        let id = plan.ops[tag].id.clone();
        plan.ops[upload].after.push(id);
    });
    insta::assert_snapshot!(rule, @"the plan breaks a rule: tag-1 waits for itself");
}

#[test]
fn an_op_before_what_it_waits_for_is_refused() {
    let rule = refusal(|plan| plan.ops.reverse());
    insta::assert_snapshot!(rule, @"the plan breaks a rule: tag-8 stands before what it waits for");
}

#[test]
fn an_op_that_waits_for_none_is_refused() {
    let rule = refusal(|plan| plan.ops[0].after.push(planner::OpId("upload-99".to_owned())));
    insta::assert_snapshot!(rule, @"the plan breaks a rule: create-1 waits for upload-99, which is not there");
}

#[test]
fn an_op_that_stands_twice_is_refused() {
    let rule = refusal(|plan| {
        let first = plan.ops[0].clone();
        plan.ops.push(first);
    });
    insta::assert_snapshot!(rule, @"the plan breaks a rule: create-1 stands twice");
}

#[test]
fn a_place_that_gets_one_thing_twice_is_refused() {
    let rule = refusal(|plan| {
        let mut again = plan.ops[position(plan, OpKind::UploadBlob)].clone();
        again.id.0 = "upload-99".to_owned();
        plan.ops.push(again);
    });
    insta::assert_snapshot!(rule, @"the plan breaks a rule: upload-99 places at ecr/app what another op places there");
}

#[test]
fn a_manifest_that_does_not_wait_for_what_it_names_is_refused() {
    let rule = refusal(|plan| {
        let index = position(plan, OpKind::PutManifest);
        plan.ops[index].after.clear();
    });
    insta::assert_snapshot!(rule, @"the plan breaks a rule: manifest-1 does not wait for upload-6, which places what it names");
}

#[test]
fn a_tag_without_what_it_must_find_is_refused() {
    let rule = refusal(|plan| {
        let index = position(plan, OpKind::PutTag);
        plan.ops[index].at[0].expect = None;
    });
    insta::assert_snapshot!(rule, @"the plan breaks a rule: tag-1 is incomplete");
}

#[test]
fn a_place_at_an_unknown_registry_is_refused() {
    let rule = refusal(|plan| {
        let name = plan.ops[position(plan, OpKind::UploadBlob)].at[0]
            .registry
            .clone();
        plan.registries.remove(&name);
    });
    insta::assert_snapshot!(rule, @"the plan breaks a rule: create-1 is incomplete");
}

#[test]
fn sums_that_are_wrong_are_refused() {
    let rule = refusal(|plan| plan.summary.bytes.read += 1);
    insta::assert_snapshot!(rule, @"the plan breaks a rule: the summary does not sum up the ops");
}
