//! What the demo's source holds, and what must stand at every target in the end.

use bytes::Bytes;
use oci::{AttachmentTag, CosignKind, Manifest, ManifestReference, RepositoryName, Tag};

use super::image::{self, Artifact, Family, noise};

const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];
const BASE: usize = 4 << 20;
const RUNTIME: usize = 3 << 19;
const VERSION: usize = 1 << 19;

/// A repository of the source.
pub(super) struct Sample {
    /// Its name at the source.
    pub(super) repository: &'static str,
    /// Its name at every target.
    pub(super) target: &'static str,
    /// What is pushed, in order.
    pub(super) pushes: Vec<Push>,
}

impl Sample {
    /// Returns its name at the source, as the type for it.
    pub(super) fn name(&self) -> RepositoryName {
        self.repository
            .parse()
            .expect("a sample's repository is a repository name")
    }

    /// Returns the tags that people gave.
    pub(super) fn tags(&self) -> Vec<&str> {
        let references = self.pushes.iter().map(|push| &push.reference);
        let tags = references.filter_map(|reference| match reference {
            ManifestReference::Tag(tag) if AttachmentTag::scheme(tag).is_none() => Some(tag.as_str()),
            ManifestReference::Tag(_) | ManifestReference::Digest(_) => None,
        });
        tags.collect()
    }
}

/// One artifact of a repository.
pub(super) struct Push {
    /// What it is asked for by.
    pub(super) reference: ManifestReference,
    /// What it is.
    pub(super) artifact: Artifact,
    /// Whether it belongs at the targets.
    pub(super) wanted: bool,
}

/// Makes all of it.
pub(super) fn samples() -> Vec<Sample> {
    let base = ARCHITECTURES.map(|architecture| noise(&format!("base {architecture}"), BASE));
    vec![redis(&base), nginx(&base), api(&base)]
}

fn redis(base: &[Bytes; 2]) -> Sample {
    let line = Line::new(Family::Oci, "redis", base);
    let signed = line.release("7.4.1");
    let mut pushes = vec![
        push("7.2.4", line.release("7.2.4"), false),
        push("7.2.6", line.release("7.2.6"), true),
        push("7.4.1", signed.clone(), true),
    ];
    pushes.extend(attachments(signed.root()));
    Sample {
        repository: "library/redis",
        target: "base/redis",
        pushes,
    }
}

fn nginx(base: &[Bytes; 2]) -> Sample {
    let line = Line::new(Family::Docker, "nginx", base);
    let stable = line.release("1.27.1");
    let pushes = vec![
        push("1.26.2", line.release("1.26.2"), false),
        push("1.27.1", stable.clone(), true),
        push("1.27-bookworm", stable, true),
        push("1.27.2", line.release("1.27.2"), true),
    ];
    Sample {
        repository: "library/nginx",
        target: "base/nginx",
        pushes,
    }
}

fn api(base: &[Bytes; 2]) -> Sample {
    let line = Line::new(Family::Oci, "api", base);
    let pushes = vec![
        push("2.0.0", line.release("2.0.0"), true),
        push("2.1.0-rc.1", line.release("2.1.0-rc.1"), false),
    ];
    Sample {
        repository: "team/api",
        target: "apps/api",
        pushes,
    }
}

fn attachments(subject: &Manifest) -> [Push; 2] {
    let bill = image::bill_of_materials(subject);
    let signature = AttachmentTag::Cosign(CosignKind::Signature).of(subject.digest());
    [
        Push {
            reference: bill.root().digest().clone().into(),
            artifact: bill,
            wanted: true,
        },
        Push {
            reference: signature.into(),
            artifact: image::signature(subject),
            wanted: true,
        },
    ]
}

fn push(tag: &str, artifact: Artifact, wanted: bool) -> Push {
    let tag: Tag = tag.parse().expect("a sample tag is a tag");
    Push {
        reference: tag.into(),
        artifact,
        wanted,
    }
}

/// The releases of one repository, and the layers that they share by platform.
struct Line {
    family: Family,
    name: &'static str,
    shared: [[Bytes; 2]; 2],
}

impl Line {
    fn new(family: Family, name: &'static str, base: &[Bytes; 2]) -> Self {
        let runtime = |n: usize| noise(&format!("{name} {}", ARCHITECTURES[n]), RUNTIME);
        Self {
            family,
            name,
            shared: [0, 1].map(|n| [base[n].clone(), runtime(n)]),
        }
    }

    /// Makes an index of two platforms: the shared layers and one of its own.
    fn release(&self, version: &str) -> Artifact {
        let platform = |n: usize| {
            let own = noise(&format!("{} {version} {}", self.name, ARCHITECTURES[n]), VERSION);
            let layers = [self.shared[n].as_slice(), &[own]].concat();
            (
                ARCHITECTURES[n],
                image::image(self.family, ARCHITECTURES[n], &layers),
            )
        };
        image::index(self.family, vec![platform(0), platform(1)])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn all_repositories_share_their_base_layers() {
        let mut shared: Option<BTreeSet<_>> = None;
        for sample in samples() {
            let blobs = sample.pushes.iter().flat_map(|push| &push.artifact.blobs);
            let digests: BTreeSet<_> = blobs.map(|(blob, _)| blob.digest.clone()).collect();
            shared = Some(match shared {
                Some(before) => before.intersection(&digests).cloned().collect(),
                None => digests,
            });
        }
        assert_eq!(shared.map(|shared| shared.len()), Some(ARCHITECTURES.len()));
    }
}
