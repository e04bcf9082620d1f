//! From connections, as a configuration or a plan holds them, to registries that can be asked.

mod cloud;
mod manner;
pub(crate) mod on_disk;
mod remote;
mod sign_in;
mod unopened;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::sync::Arc;

use futures_util::future::try_join_all;
use oci::{ManifestReference, RepositoryName};
use planner::config::Connection;
use planner::{Plan, RegistryName, Spec};
use registry::{DeleteRepository, Registry};
use transfer::{Connected, Connections};

pub(crate) use self::manner::Manner;
use self::on_disk::Archives;
use crate::context::{Context, environment};
use crate::exit::Exit;
use crate::failure::Failure;

/// Requests that a registry may have at once, where nothing else is said.
const CONCURRENCY: usize = 8;

/// A connection, and whether things are written there.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    connection: Connection,
    role: Role,
}

/// What a registry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is only read.
    Source,
    /// It is written too.
    Target,
}

/// Returns the connections of a specification.
pub(crate) fn of_spec(spec: &Spec) -> BTreeMap<RegistryName, Wanted> {
    let targets = spec.writes();
    let wanted = |(name, registry): (&RegistryName, &planner::spec::Registry)| {
        (
            name.clone(),
            Wanted {
                connection: registry.connection.clone(),
                role: role(targets.contains(name)),
            },
        )
    };
    spec.registries.iter().map(wanted).collect()
}

/// Returns the connections that a saved plan holds.
pub(crate) fn of_plan(plan: &Plan) -> BTreeMap<RegistryName, Wanted> {
    let targets: BTreeSet<&RegistryName> = plan
        .ops
        .iter()
        .flat_map(|op| &op.at)
        .map(|at| &at.registry)
        .collect();
    let wanted = |(name, connection): (&RegistryName, &Connection)| {
        (
            name.clone(),
            Wanted {
                connection: connection.clone(),
                role: role(targets.contains(name)),
            },
        )
    };
    plan.registries.iter().map(wanted).collect()
}

fn role(written: bool) -> Role {
    if written { Role::Target } else { Role::Source }
}

/// Connects to all of them. No registry of a configuration is asked anything yet; clouds are asked who we are.
///
/// # Errors
/// A connection whose variables, files or keys are not as they should be (65), a signal.
pub(crate) async fn connect(
    context: &Context,
    wanted: &BTreeMap<RegistryName, Wanted>,
    manner: &Manner,
) -> Result<Connections, Failure> {
    let archives = &Archives::default();
    // At once: to find out who a cloud takes us for may take seconds.
    let connected = wanted.iter().map(|(name, wanted)| async move {
        let connected = reach(context, name, wanted, manner, archives).await?;
        Ok::<_, Failure>((name.clone(), connected))
    });
    Ok(Connections::new(
        try_join_all(connected).await?.into_iter().collect(),
    ))
}

/// Connects to a single registry, to read it.
///
/// # Errors
/// As [`connect`].
pub(crate) async fn open(
    context: &Context,
    name: &RegistryName,
    registry: &planner::spec::Registry,
    manner: &Manner,
) -> Result<Connected, Failure> {
    let wanted = Wanted {
        connection: registry.connection.clone(),
        role: Role::Source,
    };
    reach(context, name, &wanted, manner, &Archives::default()).await
}

/// Makes the client of a single registry, to ask it what no repository is asked.
///
/// # Errors
/// As [`connect`], and a layout (64).
pub(crate) async fn client(
    context: &Context,
    name: &RegistryName,
    registry: &planner::spec::Registry,
    manner: &Manner,
) -> Result<registry::Client, Failure> {
    let resolved = registry
        .connection
        .resolve(&environment)
        .map_err(|problem| Failure::refused(format!("registry `{name}`: {problem}")))?
        .at(manner.directory());
    let Some(host) = &resolved.connection.host else {
        return Err(Failure::usage(format!("`{name}` is not asked over the network")));
    };
    let remote = remote::reach(context, name, host, &resolved, manner).await?;
    Ok(remote.client)
}

/// The power to delete from repositories, and their registry, which is finished once that is done.
#[derive(Debug)]
pub(crate) struct Deleter {
    pub(crate) repositories: Vec<Arc<dyn DeleteRepository>>,
    pub(crate) registry: Arc<dyn Registry>,
}

/// Opens repositories of one registry to delete from.
///
/// # Errors
/// As [`connect`], and a layout that can't be opened.
pub(crate) async fn deleter(
    context: &Context,
    name: &RegistryName,
    registry: &planner::spec::Registry,
    repositories: &[RepositoryName],
    manner: &Manner,
) -> Result<Deleter, Failure> {
    if let Some((form, path)) = registry.endpoint.layout() {
        let layout = on_disk::open(form, path, &registry.connection)?;
        return Ok(Deleter {
            repositories: repositories.iter().map(|name| layout.deleter(name)).collect(),
            registry: Arc::new(layout),
        });
    }
    let client = client(context, name, registry, manner).await?;
    Ok(Deleter {
        repositories: repositories.iter().map(|name| client.deleter(name)).collect(),
        registry: Arc::new(client),
    })
}

async fn reach(
    context: &Context,
    name: &RegistryName,
    wanted: &Wanted,
    manner: &Manner,
    archives: &Archives,
) -> Result<Connected, Failure> {
    let refuse = |problem: String| Failure::refused(format!("registry `{name}`: {problem}"));
    let resolved = wanted
        .connection
        .resolve(&environment)
        .map_err(refuse)?
        .at(manner.directory());
    match (&resolved.connection.host, &resolved.connection.layout) {
        (Some(host), _) => Ok(remote::reach(context, name, host, &resolved, manner)
            .await?
            .connected()),
        (None, Some(path)) => Ok(on_disk::reach(name, path, &resolved, wanted.role, archives)),
        (None, None) => Err(refuse("it has neither `host` nor `layout`".to_owned())),
    }
}

/// Returns the tag that a reference without one means.
pub(crate) fn latest() -> ManifestReference {
    ManifestReference::Tag("latest".parse().expect("latest is a tag"))
}

/// Ends because of what a registry answered.
pub(crate) fn answered(error: &registry::Error) -> Failure {
    let exit = match error.kind() {
        registry::ErrorKind::Auth | registry::ErrorKind::Permission => Exit::Denied,
        registry::ErrorKind::RateLimit => Exit::Temporary,
        _ => Exit::Failed,
    };
    let failure = Failure::new(exit, error.to_string());
    let failure = match error.source() {
        Some(source) => failure.because(source),
        None => failure,
    };
    failure.maybe_hint(error.hint())
}
