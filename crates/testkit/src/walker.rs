//! A walker of registries and layouts that shares no code with the crates under test: a program in Python that reads every
//! tag, manifest, blob and attachment, and hashes it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::python;

const WALKER: &str = include_str!("walker.py");

/// A place to walk: the repositories of a registry or a layout whose names begin with a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground(Value);

impl Ground {
    /// The repositories of a registry at `127.0.0.1:PORT`, spoken to in plain HTTP.
    #[must_use]
    pub fn registry(host: &str, under: &str) -> Self {
        Self(json!({ "registry": host, "under": under }))
    }

    /// The repositories of an OCI image layout.
    #[must_use]
    pub fn layout(path: &Path, under: &str) -> Self {
        Self(json!({ "layout": path, "under": under }))
    }
}

/// What stands in the repositories of a place, by their names without the prefix.
pub type Walked = BTreeMap<String, Repository>;

/// What stands in one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Tags, other than fallback tags, and the digests they stand at.
    pub tags: BTreeMap<String, String>,
    /// Fallback tags: `digest`, and `entries` by digest.
    pub fallback: BTreeMap<String, Value>,
    /// Manifests by digest, but for the indexes of fallback tags: what each names.
    pub manifests: BTreeMap<String, Value>,
    /// Blobs by digest, and their sizes.
    pub blobs: BTreeMap<String, Value>,
    /// Blobs that are named with other addresses and do not stand here.
    pub away: Value,
    /// Subjects, and the digests of what refers to each.
    pub attached: BTreeMap<String, Value>,
    /// What the referrers API lists of each subject, by digest; empty where there is no API.
    pub api: BTreeMap<String, Value>,
    /// What refers to a manifest of the repository, and is told neither by the API nor by a fallback tag.
    pub unlisted: Value,
}

impl Repository {
    fn read(value: &Value) -> Self {
        Self {
            tags: map(&value["tags"], |tag| {
                tag.as_str().expect("a digest is text").to_owned()
            }),
            fallback: map(&value["fallback"], Value::clone),
            manifests: map(&value["manifests"], Value::clone),
            blobs: map(&value["blobs"], Value::clone),
            away: value["away"].clone(),
            attached: map(&value["attached"], Value::clone),
            api: map(&value["api"], Value::clone),
            unlisted: value["unlisted"].clone(),
        }
    }
}

fn map<T>(value: &Value, read: impl Fn(&Value) -> T) -> BTreeMap<String, T> {
    let object = value.as_object().expect("the walker prints objects");
    object
        .iter()
        .map(|(key, value)| (key.clone(), read(value)))
        .collect()
}

/// Walks places, one after the other.
///
/// # Panics
/// Where something is missing, or has other bytes than its digest says, and where the walker cannot be run.
pub async fn walk(grounds: &[&Ground]) -> Vec<Walked> {
    let places: Vec<&Value> = grounds.iter().map(|ground| &ground.0).collect();
    let places = json!(places).to_string();
    let printed = python::run(WALKER, &[("PLACES", &places)]).await;
    let walks: Vec<Value> = serde_json::from_str(&printed).expect("the walker prints JSON");
    walks.iter().map(|walk| map(walk, Repository::read)).collect()
}
