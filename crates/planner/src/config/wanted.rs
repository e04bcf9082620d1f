//! The digest of what is wanted.

use std::collections::BTreeMap;

use oci::Digest;
use serde::Serialize;

use super::expand::{Environment, expand};
use super::tags::{Conditions, TagSet};
use crate::RegistryName;
use crate::spec::{
    Check, Discovery, Endpoint, ForeignLayers, Mirror, OnChange, Platforms, Referrers, Registry,
};

#[derive(Serialize)]
struct Wanted<'a> {
    registries: BTreeMap<&'a RegistryName, WantedRegistry<'a>>,
    mirrors: Vec<WantedMirror<'a>>,
}

#[derive(Serialize)]
struct WantedRegistry<'a> {
    endpoint: &'a Endpoint,
    create_repositories: Option<String>,
}

#[derive(Serialize)]
struct WantedMirror<'a> {
    name: &'a str,
    sources: Vec<WantedSource<'a>>,
    tags: Vec<&'a Conditions>,
    on_change: OnChange,
    check: Check,
    referrers: &'a Referrers,
    foreign_layers: ForeignLayers,
    platforms: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    discoveries: Vec<WantedDiscovery<'a>>,
}

#[derive(Serialize)]
struct WantedDiscovery<'a> {
    registry: &'a RegistryName,
    globs: &'a [String],
    targets: Vec<(&'a RegistryName, &'a str, Option<&'a str>)>,
}

#[derive(Serialize)]
struct WantedSource<'a> {
    place: &'a crate::Place,
    tag: Option<&'a oci::Tag>,
    digest: Option<&'a Digest>,
    targets: Vec<(&'a crate::Place, Option<&'a str>)>,
}

/// Hashes what is wanted: where registries are and how repositories are made there, and the mirrors; not who signs in,
/// with which certificates and how fast.
///
/// # Panics
/// Never: maps with text keys are JSON.
pub(crate) fn digest(
    registries: &BTreeMap<RegistryName, Registry>,
    mirrors: &[Mirror],
    environment: Environment<'_>,
) -> Digest {
    let wanted = Wanted {
        registries: registries
            .iter()
            .map(|(name, registry)| (name, wanted_registry(registry, environment)))
            .collect(),
        mirrors: mirrors.iter().map(wanted_mirror).collect(),
    };
    Digest::sha256(&serde_json::to_vec(&wanted).expect("maps with text keys are JSON"))
}

fn wanted_registry<'a>(registry: &'a Registry, environment: Environment<'_>) -> WantedRegistry<'a> {
    // As with the endpoint, what counts is the value and not the variable that brings it.
    let expand = |text: &str| expand(text, environment).unwrap_or_else(|_| text.to_owned());
    let settings = registry.connection.create_repositories.as_ref();
    let create_repositories = settings.map(|settings| canonical(settings, &expand));
    WantedRegistry {
        endpoint: &registry.endpoint,
        create_repositories,
    }
}

fn wanted_mirror(mirror: &Mirror) -> WantedMirror<'_> {
    let sources = mirror.sources.iter().map(|source| WantedSource {
        place: &source.place,
        tag: source.pinned.as_ref().and_then(|pinned| pinned.tag.as_ref()),
        digest: source.pinned.as_ref().and_then(|pinned| pinned.digest.as_ref()),
        targets: source
            .targets
            .iter()
            .map(|target| (&target.place, target.tag.as_deref()))
            .collect(),
    });
    WantedMirror {
        name: &mirror.name,
        sources: sources.collect(),
        tags: mirror.tags.iter().map(TagSet::conditions).collect(),
        on_change: mirror.on_change,
        check: mirror.check,
        referrers: &mirror.referrers,
        foreign_layers: mirror.foreign_layers,
        platforms: mirror
            .platforms
            .chosen()
            .into_iter()
            .flatten()
            .map(ToString::to_string)
            .collect(),
        index: match mirror.platforms {
            Platforms::All => None,
            Platforms::Sparse(_) => Some("sparse"),
            Platforms::Rewrite(_) => Some("rewrite"),
        },
        discoveries: mirror.discoveries.iter().map(wanted_discovery).collect(),
    }
}

fn wanted_discovery(discovery: &Discovery) -> WantedDiscovery<'_> {
    WantedDiscovery {
        registry: &discovery.registry,
        globs: &discovery.globs,
        targets: discovery
            .targets
            .iter()
            .map(|target| (&target.registry, target.path.as_str(), target.tag.as_deref()))
            .collect(),
    }
}

/// Writes a value with sorted keys, whatever order the map in memory keeps.
fn canonical(value: &serde_json::Value, expand: &dyn Fn(&str) -> String) -> String {
    match value {
        serde_json::Value::Object(entries) => {
            let sorted: BTreeMap<&String, String> = entries
                .iter()
                .map(|(key, value)| (key, canonical(value, expand)))
                .collect();
            let entries = sorted.iter().map(|(key, value)| format!("{key:?}:{value}"));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
        serde_json::Value::Array(items) => {
            let items = items.iter().map(|item| canonical(item, expand));
            format!("[{}]", items.collect::<Vec<_>>().join(","))
        }
        serde_json::Value::String(text) => serde_json::Value::String(expand(text)).to_string(),
        scalar => scalar.to_string(),
    }
}
