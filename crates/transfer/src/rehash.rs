//! Reading targets back and hashing what stands there.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use oci::{Descriptor, Digest};
use planner::{Contents, Place, Problem, ProblemKind, Side};

use crate::fault::Fault;
use crate::{Events, Reader, upload};

/// How many things are read at once. Each holds one chunk in memory.
const AT_ONCE: usize = 8;

enum Item<'a> {
    Manifest(&'a Digest),
    Blob(&'a Digest, u64),
}

/// Reads every manifest and blob that should stand at a place, and returns what is missing or damaged, in order.
pub async fn rehash(contents: &BTreeMap<Place, Contents>, reader: &Reader, events: &Events) -> Vec<Problem> {
    let items = contents.iter().flat_map(|(place, contents)| {
        let manifests = contents.manifests.iter().map(Item::Manifest);
        let blobs = contents
            .blobs
            .iter()
            .map(|(digest, size)| Item::Blob(digest, *size));
        manifests.chain(blobs).map(move |item| (place, item))
    });
    let checks = items.map(|(place, item)| async move { check(place, &item, reader, events).await.err() });
    let faults: Vec<Fault> = stream::iter(checks)
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    let mut problems: Vec<Problem> = faults.into_iter().map(problem).collect();
    problems.sort();
    problems
}

async fn check(place: &Place, item: &Item<'_>, reader: &Reader, events: &Events) -> Result<(), Fault> {
    let Some(repository) = reader.repository(place) else {
        let text = format!("no connection to registry {} is configured", place.registry);
        return Err(Fault::new(Side::Target, place, ProblemKind::Other, text));
    };
    let failed = |error| Fault::target(place, &error);
    match item {
        Item::Manifest(digest) => {
            let manifest = repository
                .get_manifest(&(*digest).clone().into())
                .await
                .map_err(failed)?;
            let Some(manifest) = manifest else {
                let text = format!("manifest {digest} is missing in {place}");
                return Err(Fault::new(Side::Target, place, ProblemKind::NotFound, text));
            };
            compare(place, digest, &Digest::of(digest.algorithm(), manifest.bytes()))
        }
        Item::Blob(digest, size) => {
            let blob: &Descriptor = &upload::descriptor(digest, *size);
            let counters = events.counters().of(&place.registry);
            let mut hasher = oci::Hasher::new(digest.algorithm());
            let mut body = repository.read_blob(blob).await.map_err(failed)?;
            while let Some(chunk) = body.next().await {
                let chunk = chunk.map_err(failed)?;
                counters.add_read(chunk.len());
                hasher.update(&chunk);
            }
            compare(place, digest, &hasher.finish())
        }
    }
}

fn compare(place: &Place, wanted: &Digest, found: &Digest) -> Result<(), Fault> {
    if wanted == found {
        return Ok(());
    }
    let text = format!("{wanted} in {place} has the content of {found}");
    Err(Fault::new(Side::Target, place, ProblemKind::Integrity, text))
}

fn problem(fault: Fault) -> Problem {
    Problem {
        registry: fault.place.registry,
        repository: Some(fault.place.repository),
        tag: fault.tag,
        side: fault.side,
        kind: fault.kind,
        error: fault.error.into(),
        hint: fault.hint.map(Into::into),
        tags: 0,
    }
}
