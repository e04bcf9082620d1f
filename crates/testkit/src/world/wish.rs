//! Specifications in short: which repository goes where.

use oci::Tag;
use planner::config::Connection;
use planner::spec::{
    Check, Endpoint, ForeignLayers, Mirror, OnChange, Platforms, Referrers, Registry, Source, Target,
};
use planner::{Place, Spec};

use super::World;

/// Reads `registry/repository`.
///
/// # Panics
/// Where `text` is something else.
#[must_use]
pub fn place(text: &str) -> Place {
    let (registry, repository) = text
        .split_once('/')
        .expect("a test's place is registry/repository");
    Place {
        registry: registry.parse().expect("a test's registry has a name"),
        repository: repository.parse().expect("a test's repository has a name"),
    }
}

/// Reads a tag.
///
/// # Panics
/// Where `text` is none.
#[must_use]
pub fn tag(text: &str) -> Tag {
    text.parse().expect("a test's tag is one")
}

/// Returns the mirror of one repository, every key at its default.
#[must_use]
pub fn mirror(from: &str, to: &[&str]) -> Mirror {
    let target = |to: &&str| Target {
        place: place(to),
        tag: None,
    };
    Mirror {
        name: from.to_owned(),
        sources: vec![Source {
            place: place(from),
            pinned: None,
            targets: to.iter().map(target).collect(),
        }],
        tags: Vec::new(),
        on_change: OnChange::Update,
        check: Check::Tags,
        referrers: Referrers::All,
        foreign_layers: ForeignLayers::Skip,
        platforms: Platforms::All,
        discoveries: Vec::new(),
        found: Vec::new(),
        problems: Vec::new(),
    }
}

impl World {
    /// Returns the specification of these mirrors over all registries of the world.
    ///
    /// # Panics
    /// Where the name of a registry is no host.
    #[must_use]
    pub fn spec(&self, mirrors: Vec<Mirror>) -> Spec {
        let registry = |name: &planner::RegistryName| Registry {
            endpoint: Endpoint::Host(name.as_str().parse().expect("a test's registry is a host")),
            connection: Connection {
                host: Some(name.to_string()),
                ..Connection::default()
            },
        };
        Spec {
            registries: self
                .registries
                .keys()
                .map(|name| (name.clone(), registry(name)))
                .collect(),
            mirrors,
            digest: oci::Digest::sha256(b"a configuration"),
        }
    }
}
