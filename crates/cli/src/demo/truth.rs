//! Checks the commands' word against the registries themselves.

use std::collections::{BTreeMap, BTreeSet};

use loopback::RequestRecord;
use oci::{AttachmentTag, Digest, ManifestReference, RepositoryName};
use registry::{Referrers, Registry};

use super::catalogue::{Push, Sample};
use super::site::{Site, Sites, Traffic};
use crate::connect::answered;
use crate::failure::Failure;

/// Returns how many bytes of blobs are wanted at each target.
pub(super) fn unique_bytes(samples: &[Sample]) -> u64 {
    wanted_blobs(samples).values().sum()
}

fn wanted_blobs(samples: &[Sample]) -> BTreeMap<Digest, u64> {
    let wanted = samples
        .iter()
        .flat_map(|sample| &sample.pushes)
        .filter(|push| push.wanted);
    let blobs = wanted.flat_map(|push| &push.artifact.blobs);
    blobs.map(|(blob, _)| (blob.digest.clone(), blob.size)).collect()
}

/// Counts what went over the wire: each wanted blob left the source once, and entered each target once.
pub(super) fn each_blob_moved_once(samples: &[Sample], traffic: &Traffic) -> Result<(), Failure> {
    let wanted = wanted_blobs(samples);
    let reads = blobs_read(&traffic.source);
    if reads.len() != wanted.len() || reads.iter().collect::<BTreeSet<_>>().len() != reads.len() {
        let (found, wanted) = (reads.len(), wanted.len());
        return Err(Failure::failed(format!(
            "the source was asked for blobs {found} times where {wanted} is right"
        )));
    }
    let bytes: u64 = wanted.values().sum();
    for (name, requests) in &traffic.targets {
        let sent = bytes_received(requests);
        if sent != bytes {
            return Err(Failure::failed(format!(
                "{name} was sent {sent} bytes of blobs where {bytes} is right"
            )));
        }
    }
    Ok(())
}

fn blobs_read(requests: &[RequestRecord]) -> Vec<String> {
    let reads = requests
        .iter()
        .filter(|request| request.method == "GET" && request.path.contains("/blobs/sha"));
    reads
        .filter_map(|request| request.path.rsplit('/').next().map(str::to_owned))
        .collect()
}

fn bytes_received(requests: &[RequestRecord]) -> u64 {
    let uploads = requests
        .iter()
        .filter(|request| request.path.contains("/blobs/uploads/"));
    uploads.map(|request| request.received).sum()
}

/// Compares every tag and attachment at every target with what was seeded, and returns how many there are.
pub(super) async fn digests_agree(samples: &[Sample], sites: &Sites) -> Result<usize, Failure> {
    let mut checked = 0;
    for site in sites.targets() {
        let client = site.client()?;
        for sample in samples {
            checked += sample_stands(site, client.as_ref(), sample).await?;
        }
    }
    Ok(checked)
}

async fn sample_stands(site: &Site, client: &dyn Registry, sample: &Sample) -> Result<usize, Failure> {
    let repository = client.reader(&target(sample));
    for push in &sample.pushes {
        let name = format!("{}/{}:{}", site.name(), sample.target, push.reference);
        let found = repository
            .head_manifest(&push.reference)
            .await
            .map_err(|error| answered(&error))?;
        let wanted = push.wanted.then(|| push.artifact.root().digest());
        if found.as_ref().map(|found| &found.digest) != wanted {
            return Err(Failure::failed(format!(
                "{name} is not as the configuration wants it"
            )));
        }
        if push.wanted {
            is_listed(site, client, sample, push).await?;
        }
    }
    Ok(sample.pushes.iter().filter(|push| push.wanted).count())
}

/// Makes sure that a referrer is found from its subject: by the referrers API, or by the fallback tag.
async fn is_listed(site: &Site, client: &dyn Registry, sample: &Sample, push: &Push) -> Result<(), Failure> {
    let root = push.artifact.root();
    let Some(subject) = root.subject() else {
        return Ok(());
    };
    let repository = client.reader(&target(sample));
    let look_up = |error| answered(&error);
    let listed = match repository.referrers(&subject.digest).await.map_err(look_up)? {
        Referrers::List(list) => list,
        Referrers::Unsupported => {
            let tag = ManifestReference::Tag(AttachmentTag::Fallback.of(&subject.digest));
            let index = repository.get_manifest(&tag).await.map_err(look_up)?;
            index
                .map(|index| index.children().cloned().collect())
                .unwrap_or_default()
        }
    };
    if listed.iter().any(|entry| entry.digest == *root.digest()) {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{} does not list the SBOM of {}",
        site.name(),
        sample.target
    )))
}

fn target(sample: &Sample) -> RepositoryName {
    sample
        .target
        .parse()
        .expect("a sample's target is a repository name")
}
