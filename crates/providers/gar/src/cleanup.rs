//! Cleanup policies, compared by what they mean.
//!
//! <https://docs.cloud.google.com/artifact-registry/docs/repositories/cleanup-policy>

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// How a policy is written.
pub(crate) const FORM: &str = "a policy is { action: DELETE, condition: { tagState: UNTAGGED, olderThan: 30d } } or \
     { action: KEEP, mostRecentVersions: { keepCount: 10 } }";

const CONDITION: [&str; 6] = [
    "tagState",
    "tagPrefixes",
    "versionNamePrefixes",
    "packageNamePrefixes",
    "olderThan",
    "newerThan",
];

const RECENT: [&str; 2] = ["keepCount", "packageNamePrefixes"];

/// Reads a policy of the configuration into the API's form, in the one spelling in which policies are compared.
///
/// gcloud's form of `action`, `{ type: Delete }`, and durations in days, hours and minutes are understood.
///
/// # Errors
/// What the API has no place for.
pub(crate) fn wanted(policy: &Value) -> Result<Value, String> {
    let policy = policy.as_object().ok_or("it is not a map")?;
    let known = ["id", "name", "action", "condition", "mostRecentVersions"];
    refuse_others(policy, &known)?;
    let action = policy.get("action").ok_or("`action` is missing")?;
    let action = action.get("type").unwrap_or(action);
    let action = action.as_str().map(str::to_uppercase).unwrap_or_default();
    if !["DELETE", "KEEP"].contains(&action.as_str()) {
        return Err("`action` is DELETE or KEEP".to_owned());
    }
    let mut read = Map::from_iter([("action".to_owned(), json!(action))]);
    for (part, keys) in [("condition", &CONDITION[..]), ("mostRecentVersions", &RECENT[..])] {
        if let Some(value) = policy.get(part) {
            let map = value
                .as_object()
                .ok_or_else(|| format!("`{part}` is not a map"))?;
            refuse_others(map, keys)?;
            let fields: Result<Map<_, _>, String> = map
                .iter()
                .map(|(key, value)| Ok((key.clone(), checked(key, value)?)))
                .collect();
            read.insert(part.to_owned(), Value::Object(fields?));
        }
    }
    if read.len() != 2 {
        return Err("it takes either `condition` or `mostRecentVersions`".to_owned());
    }
    Ok(meaning(&Value::Object(read)))
}

fn refuse_others(map: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("there is no `{key}`; known are {}", known.join(", "))),
        None => Ok(()),
    }
}

fn checked(key: &str, value: &Value) -> Result<Value, String> {
    let wrong = |what: &str| Err(format!("`{key}` is {what}"));
    match (key, value) {
        ("tagState", Value::String(state)) => match state.to_uppercase().as_str() {
            state @ ("TAGGED" | "UNTAGGED" | "ANY") => Ok(json!(state)),
            _ => wrong("TAGGED, UNTAGGED or ANY"),
        },
        ("tagState", _) => wrong("TAGGED, UNTAGGED or ANY"),
        ("olderThan" | "newerThan", Value::String(text)) if seconds(text).is_some() => Ok(value.clone()),
        ("olderThan" | "newerThan", _) => wrong("a duration such as 30d"),
        ("keepCount", Value::Number(count)) if count.as_u64().is_some() => Ok(value.clone()),
        ("keepCount", _) => wrong("a number"),
        (_, Value::Array(prefixes)) if prefixes.iter().all(Value::is_string) => Ok(value.clone()),
        _ => wrong("a list of texts"),
    }
}

/// Reads a policy that stands: what says nothing is left out, order that means nothing is made one.
pub(crate) fn meaning(policy: &Value) -> Value {
    let Some(policy) = policy.as_object() else {
        return policy.clone();
    };
    policy
        .iter()
        .filter(|(key, _)| *key != "id")
        .map(|(key, value)| match value.as_object() {
            Some(part) => (
                key.clone(),
                Value::Object(part.iter().filter_map(field).collect()),
            ),
            None => (key.clone(), value.clone()),
        })
        .collect()
}

fn field((key, value): (&String, &Value)) -> Option<(String, Value)> {
    let value = match (key.as_str(), value) {
        ("tagState", Value::String(state)) if state == "ANY" || state == "TAG_STATE_UNSPECIFIED" => {
            return None;
        }
        ("olderThan" | "newerThan", Value::String(text)) => match seconds(text) {
            Some(seconds) => json!(format!("{seconds}s")),
            None => value.clone(),
        },
        (_, Value::Array(list)) if list.is_empty() => return None,
        (_, Value::Array(list)) => {
            let mut list: Vec<String> = list
                .iter()
                .map(|text| text.as_str().unwrap_or_default().to_owned())
                .collect();
            list.sort();
            list.dedup();
            json!(list)
        }
        _ => value.clone(),
    };
    Some((key.clone(), value))
}

/// Reads whole seconds, minutes, hours or days.
fn seconds(text: &str) -> Option<u64> {
    let unit = text.chars().last()?;
    let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let length = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    count.checked_mul(length)
}

/// Returns policies as the API takes them: each has its name once more.
pub(crate) fn document(policies: &BTreeMap<String, Value>) -> Value {
    policies
        .iter()
        .map(|(id, policy)| {
            let mut policy = policy.clone();
            policy["id"] = json!(id);
            (id.clone(), policy)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_one_policy_are_the_same() {
        let written = json!({
            "action": { "type": "Delete" },
            "condition": { "tagState": "untagged", "olderThan": "30d", "packageNamePrefixes": ["b", "a"] },
        });
        let told = json!({
            "id": "old",
            "action": "DELETE",
            "condition": {
                "tagState": "UNTAGGED", "olderThan": "2592000s",
                "packageNamePrefixes": ["a", "b"], "tagPrefixes": [],
            },
        });
        assert_eq!(wanted(&written).unwrap(), meaning(&told));
        let any = json!({ "action": "KEEP", "condition": { "tagState": "ANY", "newerThan": "1h" } });
        let unsaid = json!({ "action": "KEEP", "condition": { "newerThan": "60m" } });
        assert_eq!(wanted(&any).unwrap(), wanted(&unsaid).unwrap());
    }

    #[test]
    fn another_age_another_action_and_another_count_differ() {
        let policy = |action: &str, age: &str| json!({ "action": action, "condition": { "olderThan": age } });
        let keep = |count: u64| json!({ "action": "KEEP", "mostRecentVersions": { "keepCount": count } });
        let one = wanted(&policy("DELETE", "30d")).unwrap();
        for other in [policy("DELETE", "31d"), policy("KEEP", "30d"), keep(3)] {
            assert_ne!(one, wanted(&other).unwrap(), "{other}");
        }
        assert_ne!(wanted(&keep(3)).unwrap(), wanted(&keep(4)).unwrap());
    }

    #[test]
    fn what_google_would_refuse_is_told() {
        for (policy, why) in [
            (json!("x"), "it is not a map"),
            (json!({ "condition": {} }), "`action` is missing"),
            (
                json!({ "action": "ERASE", "condition": {} }),
                "`action` is DELETE or KEEP",
            ),
            (
                json!({ "action": "KEEP" }),
                "it takes either `condition` or `mostRecentVersions`",
            ),
            (
                json!({ "action": "KEEP", "conditions": {} }),
                "there is no `conditions`; known are id, name, action, condition, mostRecentVersions",
            ),
            (
                json!({ "action": "DELETE", "condition": { "olderThan": "a month" } }),
                "`olderThan` is a duration such as 30d",
            ),
            (
                json!({ "action": "DELETE", "condition": { "tagState": 1 } }),
                "`tagState` is TAGGED, UNTAGGED or ANY",
            ),
            (
                json!({ "action": "KEEP", "mostRecentVersions": { "keepCount": "3" } }),
                "`keepCount` is a number",
            ),
        ] {
            assert_eq!(wanted(&policy), Err(why.to_owned()), "{policy}");
        }
    }
}
