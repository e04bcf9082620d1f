//! The registries at hand.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use oci::{Host, RepositoryName};
use planner::{Capabilities, Place, RegistryName};
use provider::{Lister, Provider};
use registry::{Error, ReadRepository, Registry, Traffic};
use serde_json::Value;

use crate::ManifestCache;

/// A registry at hand.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The registry.
    pub registry: Arc<dyn Registry>,
    /// What its vendor adds.
    pub provider: Arc<dyn Provider>,
    /// How many requests it may have at once; at least one.
    pub concurrency: usize,
    /// Its host, where it has one.
    pub host: Option<Host>,
    /// Its directory, where it is a layout.
    pub layout: Option<PathBuf>,
    /// What `create_repositories` says of its repositories, where it is a map.
    pub settings: Option<Value>,
}

impl Connected {
    /// Tells the registry from others, whatever its name is in a configuration.
    pub(crate) fn identity(&self) -> Option<String> {
        let layout = || Some(format!("oci:{}", self.layout.as_ref()?.display()));
        self.host.as_ref().map(ToString::to_string).or_else(layout)
    }
}

/// The registries at hand, by name.
#[derive(Debug, Default)]
pub struct Connections {
    by_name: BTreeMap<RegistryName, Connected>,
}

impl Connections {
    /// Gathers registries.
    #[must_use]
    pub fn new(by_name: BTreeMap<RegistryName, Connected>) -> Self {
        Self { by_name }
    }

    /// Returns what each registry can do.
    #[must_use]
    pub fn capabilities(&self) -> BTreeMap<RegistryName, Capabilities> {
        self.by_name
            .iter()
            .map(|(name, connected)| (name.clone(), connected.provider.profile().capabilities.clone()))
            .collect()
    }

    /// Returns the power to read all of them, and nothing more. What never changes may come from `cache`.
    #[must_use]
    pub fn reader(&self, cache: ManifestCache) -> Reader {
        let doors = self
            .by_name
            .iter()
            .map(|(name, connected)| (name.clone(), Door::of(connected)));
        Reader {
            doors: doors.collect(),
            cache,
            opened: Mutex::default(),
        }
    }

    /// Opens a repository for reading; `None` where its registry is not among these.
    #[must_use]
    pub fn open(&self, place: &Place) -> Option<Arc<dyn ReadRepository>> {
        let connected = self.by_name.get(&place.registry)?;
        Some(connected.registry.reader(&place.repository))
    }

    /// Returns what was sent to and received from each registry so far.
    #[must_use]
    pub fn traffic(&self) -> BTreeMap<RegistryName, Traffic> {
        self.by_name
            .iter()
            .map(|(name, connected)| (name.clone(), connected.registry.traffic()))
            .collect()
    }

    pub(crate) fn by_name(&self) -> &BTreeMap<RegistryName, Connected> {
        &self.by_name
    }
}

/// The power to read registries. It can't write: no way leads from here to the registries themselves.
pub struct Reader {
    doors: BTreeMap<RegistryName, Door>,
    cache: ManifestCache,
    opened: Mutex<HashMap<Place, Arc<dyn ReadRepository>>>,
}

type Open = Box<dyn Fn(&RepositoryName) -> Arc<dyn ReadRepository> + Send + Sync>;

type Catalog = Box<dyn Fn() -> BoxFuture<'static, Result<Option<Vec<RepositoryName>>, Error>> + Send + Sync>;

struct Door {
    open: Open,
    catalog: Catalog,
    lister: Arc<dyn Lister>,
    settings: Option<Value>,
    concurrency: usize,
}

impl Door {
    fn of(connected: &Connected) -> Self {
        let registry = Arc::clone(&connected.registry);
        let listing = Arc::clone(&connected.registry);
        Self {
            catalog: Box::new(move || {
                let listing = Arc::clone(&listing);
                async move { listing.catalog().await }.boxed()
            }),
            open: Box::new(move |repository| registry.reader(repository)),
            lister: Arc::clone(&connected.provider) as Arc<dyn Lister>,
            settings: connected.settings.clone(),
            concurrency: connected.concurrency.max(1),
        }
    }
}

impl Reader {
    /// Opens a repository for reading; `None` where its registry is not at hand.
    pub(crate) fn repository(&self, place: &Place) -> Option<Arc<dyn ReadRepository>> {
        let door = self.doors.get(&place.registry)?;
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let repository = opened
            .entry(place.clone())
            .or_insert_with(|| (door.open)(&place.repository));
        Some(Arc::clone(repository))
    }

    /// Returns the power to ask a registry's vendor, and the settings its repositories are measured by.
    pub(crate) fn lister(&self, registry: &RegistryName) -> Option<(&dyn Lister, Option<&Value>)> {
        let door = self.doors.get(registry)?;
        Some((door.lister.as_ref(), door.settings.as_ref()))
    }

    /// Lists the repositories of a registry, by its vendor or by the protocol; `None` where neither does.
    pub(crate) async fn repositories(
        &self,
        registry: &RegistryName,
    ) -> Result<Option<Vec<RepositoryName>>, Error> {
        let Some(door) = self.doors.get(registry) else {
            return Ok(None);
        };
        match door.lister.repositories().await? {
            Some(repositories) => Ok(Some(repositories)),
            None => (door.catalog)().await,
        }
    }

    pub(crate) fn cache(&self) -> &ManifestCache {
        &self.cache
    }

    /// Returns how many requests a registry may have at once.
    pub(crate) fn concurrency(&self, registry: &RegistryName) -> usize {
        self.doors.get(registry).map_or(1, |door| door.concurrency)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.doors.keys()).finish()
    }
}
