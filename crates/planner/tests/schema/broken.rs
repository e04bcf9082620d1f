//! One change to a document, which may break it.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::apart;

/// What is done, and where; a number beyond the places wraps around.
#[derive(Clone, Debug)]
pub(crate) enum Break {
    /// A key that nobody knows is added to a map.
    UnknownKey(usize),
    /// A value of another type takes the place of one.
    Type(usize, Value),
    /// A key is taken away.
    Missing(usize),
    /// A word that nobody knows takes the place of one.
    Word(usize),
    /// A number or text that is out of range takes the place of one.
    Range(usize, usize),
}

/// A way down from the top.
pub(crate) type Path = Vec<String>;

/// What the values of keys can't be, though the type is right.
const OUT_OF_RANGE: [(&str, &[&str]); 15] = [
    ("latest", &["0", "-1", "1.5"]),
    ("minors", &["0", "-3"]),
    ("patches", &["0", "2.5"]),
    ("at_least", &["-1", "0.5"]),
    ("concurrency", &["0", "-1"]),
    ("page", &["0"]),
    ("version", &["0", "2", "1.5", "-1"]),
    (
        "bandwidth",
        &[
            "\"0B/s\"",
            "\"20MiB\"",
            "\"20\"",
            "\"20mib/s\"",
            "\"-1B/s\"",
            "\"1.5GB/s\"",
        ],
    ),
    ("chunk", &["\"0B\"", "\"4\"", "\"4MiB/s\"", "\"4 mib\""]),
    (
        "created_within",
        &[
            "\"0d\"",
            "\"90\"",
            "\"90 d\"",
            "\"1y\"",
            "\"-1d\"",
            "\"1000000000s\"",
            "90",
        ],
    ),
    ("digests", &["\"sha256:abc\"", "\"latest\"", "[]", "[\"sha1:x\"]"]),
    ("list", &["\"-x\"", "\"a/b\"", "\"\"", "[]", "[\"a\", \"a\"]"]),
    (
        "labels",
        &[
            "{\"Team\": \"a\"}",
            "{\"a\": \"A\"}",
            "{\"a\": \"x.y\"}",
            "{\"1\": \"a\"}",
            "{\"\": \"a\"}",
            "{\"a\": 1.5}",
        ],
    ),
    ("location", &["\"Europe\"", "\"\"", "\"eu west\"", "1.5"]),
    (
        "mutability_exclusions",
        &[
            "[]",
            "[\"a\", \"b\", \"c\", \"d\", \"e\", \"f\"]",
            "[\"a b\"]",
            "[\"\"]",
        ],
    ),
];

/// The keys that take one of a few words.
const WORDS: [&str; 15] = [
    "provider",
    "platforms",
    "index",
    "referrers",
    "on_change",
    "check",
    "foreign_layers",
    "upload",
    "mount",
    "listing",
    "on_drift",
    "tag_mutability",
    "encryption",
    "mode",
    "action",
];

fn other_types() -> Vec<Value> {
    vec![
        json!(null),
        json!(7),
        json!(1.5),
        json!(true),
        json!("some text"),
        json!([]),
        json!({}),
        json!([[]]),
        json!({ "a": null }),
        json!([{ "a": "b" }]),
    ]
}

/// Makes several changes.
pub(crate) fn breaks() -> BoxedStrategy<Vec<Break>> {
    let at = any::<usize>;
    let change = prop_oneof![
        2 => at().prop_map(Break::UnknownKey),
        4 => (at(), prop::sample::select(other_types())).prop_map(|(at, value)| Break::Type(at, value)),
        2 => at().prop_map(Break::Missing),
        1 => at().prop_map(Break::Word),
        2 => (at(), at()).prop_map(|(at, which)| Break::Range(at, which)),
    ];
    prop::collection::vec(change, 8).boxed()
}

/// Every way down to a value that `fits`.
fn paths(document: &Value, fits: &dyn Fn(&Path, &Value) -> bool) -> Vec<Path> {
    fn walk(value: &Value, path: &mut Path, found: &mut Vec<Path>, fits: &dyn Fn(&Path, &Value) -> bool) {
        if fits(path, value) {
            found.push(path.clone());
        }
        let children: Vec<(String, &Value)> = match value {
            Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
            Value::Array(list) => list
                .iter()
                .enumerate()
                .map(|(at, value)| (at.to_string(), value))
                .collect(),
            _ => Vec::new(),
        };
        for (key, value) in children {
            path.push(key);
            walk(value, path, found, fits);
            path.pop();
        }
    }
    let mut found = Vec::new();
    walk(document, &mut Path::new(), &mut found, fits);
    found
}

fn pick(paths: &[Path], at: usize) -> Option<Path> {
    (!paths.is_empty()).then(|| paths[at % paths.len()].clone())
}

fn at<'v>(document: &'v mut Value, path: &Path) -> &'v mut Value {
    let pointer: String = path
        .iter()
        .map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1")))
        .collect();
    document
        .pointer_mut(&pointer)
        .expect("the way was found in the document")
}

fn key_of(path: &Path) -> &str {
    path.last().map_or("", String::as_str)
}

impl Break {
    /// Changes a document, and says what was done; nothing where there is no place for it, or where the two are known to stand apart.
    pub(crate) fn apply(&self, document: &Value) -> Option<(Value, String)> {
        let mut broken = document.clone();
        let what = match self {
            Self::UnknownKey(where_) => {
                let path = pick(
                    &paths(document, &|path, value| {
                        value.is_object() && !apart::takes_any_key(path)
                    }),
                    *where_,
                )?;
                at(&mut broken, &path)
                    .as_object_mut()?
                    .insert("bananas".to_owned(), json!("yellow"));
                format!("an unknown key at {path:?}")
            }
            Self::Type(where_, value) => {
                let fits = |path: &Path, old: &Value| {
                    !apart::is_named_elsewhere(path)
                        && !apart::means_something_else(path, value)
                        && kind(old) != kind(value)
                };
                let path = pick(&paths(document, &fits), *where_)?;
                *at(&mut broken, &path) = value.clone();
                format!("{value} at {path:?}")
            }
            Self::Missing(where_) => {
                let fits = |path: &Path, _: &Value| {
                    !path.is_empty() && !apart::is_named_elsewhere(path) && !apart::is_leaned_on(path)
                };
                let path = pick(&paths(document, &fits), *where_)?;
                let (key, above) = path.split_last()?;
                at(&mut broken, &above.to_vec()).as_object_mut()?.remove(key)?;
                format!("without {path:?}")
            }
            Self::Word(where_) => {
                let fits = |path: &Path, old: &Value| WORDS.contains(&key_of(path)) && old.is_string();
                let path = pick(&paths(document, &fits), *where_)?;
                *at(&mut broken, &path) = json!("bananas");
                format!("an unknown word at {path:?}")
            }
            Self::Range(where_, which) => {
                let fits = |path: &Path, _: &Value| OUT_OF_RANGE.iter().any(|(key, _)| *key == key_of(path));
                let path = pick(&paths(document, &fits), *where_)?;
                let (_, values) = OUT_OF_RANGE.iter().find(|(key, _)| *key == key_of(&path))?;
                let text = values[which % values.len()];
                *at(&mut broken, &path) = serde_json::from_str(text).expect("the values are JSON");
                format!("{text} at {path:?}")
            }
        };
        Some((broken, what))
    }
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}
