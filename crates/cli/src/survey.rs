//! From a specification to a plan: asks the registries, then decides.

use std::collections::BTreeMap;

use planner::config::TagSet;
use planner::spec::Platforms;
use planner::{Capabilities, Floor, Listing, Moment, Plan, RegistryName, Spec, Survey};
use transfer::{Connections, ManifestCache};

use crate::configuration;
use crate::context::{Context, environment_path};
use crate::failure::Failure;
use crate::progress::Progress;

/// What the registries answered, and what follows from it.
#[derive(Debug)]
pub(crate) struct Surveyed {
    /// What is wanted, the repositories found that globs ask for.
    pub(crate) spec: Spec,
    /// The answers.
    pub(crate) survey: Survey,
    /// What would be done.
    pub(crate) plan: Plan,
    /// What quotas cost at least.
    pub(crate) floors: Vec<Floor>,
}

/// Asks the registries everything that the plan depends on. Writes to none of them.
///
/// # Errors
/// A signal that comes first; flags that keep nothing of what was found (64).
pub(crate) async fn survey(
    context: &Context,
    spec: &Spec,
    only: &[String],
    connections: &Connections,
) -> Result<Surveyed, Failure> {
    let capabilities = connections.capabilities();
    let progress = Progress::survey(&context.terminal);
    let reader = connections.reader(cache(spec, &capabilities));
    let now = Moment::from_seconds(context.started.as_second());
    let asking = async {
        let spec = configuration::narrowed(transfer::discover(spec, &reader).await, only)?;
        let survey = transfer::survey(&spec, &capabilities, now, &reader, progress.events()).await;
        Ok::<_, Failure>((spec, survey))
    };
    let (spec, survey) = context.unless_interrupted(asking).await??;
    progress.end().await;
    let plan = planner::plan(&spec, &capabilities, &survey);
    let floors = planner::floors(&plan, &capabilities);
    Ok(Surveyed {
        spec,
        survey,
        plan,
        floors,
    })
}

/// Keeps manifests where inventories name them, where platforms are chosen from them, and where the age of images counts: what a listing leaves out is then read once, and
/// never again.
fn cache(spec: &Spec, capabilities: &BTreeMap<RegistryName, Capabilities>) -> ManifestCache {
    let chooses = spec
        .mirrors
        .iter()
        .any(|mirror| mirror.platforms != Platforms::All);
    let lists = |capabilities: &Capabilities| capabilities.listing == Listing::Inventory;
    let mut sets = spec.mirrors.iter().flat_map(|mirror| &mirror.tags);
    let asks_ages = sets.any(TagSet::asks_ages);
    let usual = || Some(environment_path("HOME")?.join(".cache"));
    let directory = environment_path("XDG_CACHE_HOME").or_else(usual);
    match directory {
        Some(directory) if chooses || asks_ages || capabilities.values().any(lists) => {
            ManifestCache::at(directory.join("transship/manifests"))
        }
        _ => ManifestCache::none(),
    }
}
