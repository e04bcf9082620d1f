//! Policies, compared by what they say: Amazon stores them written in another way.

use serde_json::{Map, Value};

/// Says whether two policies say the same.
///
/// The order of lists says nothing, nor does a list of one instead of its entry, an account instead of the ARN of its root,
/// or `true` instead of `"true"`. The order of the rules of a lifecycle policy is in their priorities.
pub(crate) fn say_the_same(one: &Value, other: &Value) -> bool {
    canonical(one) == canonical(other)
}

/// Says in a few words what a lifecycle policy has.
pub(crate) fn rules(policy: Option<&Value>) -> String {
    count(policy, "rules", "rule")
}

/// Says in a few words what a repository policy has.
pub(crate) fn statements(policy: Option<&Value>) -> String {
    count(policy, "Statement", "statement")
}

fn count(policy: Option<&Value>, key: &str, one: &str) -> String {
    match policy.and_then(|policy| policy.get(key)) {
        None if policy.is_none() => "none".to_owned(),
        Some(Value::Array(entries)) if entries.len() != 1 => format!("{} {one}s", entries.len()),
        _ => format!("1 {one}"),
    }
}

fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(object(map)),
        Value::Array(entries) => list(entries),
        Value::Bool(truth) => Value::String(truth.to_string()),
        Value::String(text) => Value::String(text.clone()),
        other => other.clone(),
    }
}

fn object(map: &Map<String, Value>) -> Map<String, Value> {
    map.iter()
        .map(|(key, value)| {
            let value = canonical(value);
            let value = if key == "AWS" { roots(value) } else { value };
            (key.clone(), value)
        })
        .collect()
}

fn list(entries: &[Value]) -> Value {
    let mut entries: Vec<Value> = entries.iter().map(canonical).collect();
    entries.sort_by_cached_key(Value::to_string);
    entries.dedup();
    match entries.len() {
        1 => entries.remove(0),
        _ => Value::Array(entries),
    }
}

/// Spells accounts in a principal as what they stand for.
fn roots(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(account_of_root(&text).unwrap_or(text)),
        Value::Array(entries) => list(&entries.into_iter().map(roots).collect::<Vec<_>>()),
        other => other,
    }
}

/// Returns `123456789012` of `arn:aws:iam::123456789012:root`.
fn account_of_root(text: &str) -> Option<String> {
    let rest = text.strip_prefix("arn:aws")?.strip_suffix(":root")?;
    let (_, account) = rest.split_once(":iam::")?;
    Some(account.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_policy_that_amazon_stored_says_the_same() {
        let written = json!({ "Version": "2012-10-17", "Statement": [{
            "Sid": "pull", "Effect": "Allow", "Principal": { "AWS": ["210987654321", "123456789012"] },
            "Action": ["ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
            "Condition": { "Bool": { "aws:SecureTransport": true } },
        }]});
        let stored = json!({ "Statement": [{
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            "Condition": { "Bool": { "aws:SecureTransport": "true" } }, "Effect": "Allow", "Sid": "pull",
            "Principal": { "AWS": ["arn:aws:iam::123456789012:root", "arn:aws:iam::210987654321:root"] },
        }], "Version": "2012-10-17" });
        assert!(say_the_same(&written, &stored));
    }

    #[test]
    fn rules_that_amazon_reordered_say_the_same() {
        let rule = |priority: u32, days: u32| json!({ "rulePriority": priority, "selection": { "countNumber": days } });
        let written = json!({ "rules": [rule(2, 30), rule(1, 7)] });
        assert!(say_the_same(
            &written,
            &json!({ "rules": [rule(1, 7), rule(2, 30)] })
        ));
        assert!(!say_the_same(
            &written,
            &json!({ "rules": [rule(1, 30), rule(2, 7)] })
        ));
    }

    #[test]
    fn what_allows_more_says_something_else() {
        let one = json!({ "Statement": { "Action": "ecr:BatchGetImage", "Principal": { "AWS": "*" } } });
        let other = json!({ "Statement": [{ "Action": "ecr:BatchGetImage", "Principal": { "AWS": "123456789012" } }] });
        assert!(!say_the_same(&one, &other));
        assert!(say_the_same(
            &json!({ "Action": "ecr:*" }),
            &json!({ "Action": ["ecr:*"] })
        ));
    }

    #[test]
    fn policies_are_told_by_their_number() {
        assert_eq!(rules(None), "none");
        assert_eq!(rules(Some(&json!({ "rules": [1, 2] }))), "2 rules");
        assert_eq!(statements(Some(&json!({ "Statement": {} }))), "1 statement");
    }
}
