//! What cosign keeps under its tags: images in which each signature or attestation is a layer.

use std::collections::{BTreeMap, HashSet};

use crate::{Content, Descriptor, Digest, Manifest, MediaType};

/// The most layers of such an image that cosign reads.
///
/// <https://github.com/sigstore/cosign/blob/main/pkg/oci/remote/signatures.go>
pub const MAX_SIGNATURES: usize = 1000;

/// Media types of layers that are file systems: an image that has one was made to be run.
const FILE_SYSTEMS: [&str; 2] = [
    "application/vnd.oci.image.layer.",
    "application/vnd.docker.image.rootfs.",
];

/// An image of signatures or attestations.
///
/// Two signatures of one payload are two layers with the same digest: what tells them apart are their annotations.
#[derive(Clone, Copy, Debug)]
pub struct Signatures<'m> {
    manifest: &'m Manifest,
    config: &'m Descriptor,
    layers: &'m [Descriptor],
}

impl<'m> Signatures<'m> {
    /// Reads a manifest as an image of signatures; `None` for an index, and for an image that was made to be run.
    #[must_use]
    pub fn of(manifest: &'m Manifest) -> Option<Self> {
        let Content::Image { config, layers } = manifest.content() else {
            return None;
        };
        (!layers.iter().any(is_file_system)).then_some(Self {
            manifest,
            config,
            layers,
        })
    }

    /// Returns the signatures.
    #[must_use]
    pub fn layers(self) -> &'m [Descriptor] {
        self.layers
    }

    /// Returns the config, which names the layers once more where it is an image's.
    #[must_use]
    pub fn config(self) -> &'m Descriptor {
        self.config
    }

    /// Says whether both are of one kind, so that the layers of either may stand in the other.
    #[must_use]
    pub fn is_like(self, other: Signatures<'_>) -> bool {
        let artifact = |image: &Manifest| image.artifact_type().map(MediaType::new);
        let kind = |image: Signatures<'_>| {
            (
                artifact(image.manifest).map(family),
                family(image.config.media_type.clone()),
            )
        };
        kind(self) == kind(other)
    }

    /// Returns the layers of `other` that are missing here, each once, in their order there.
    #[must_use]
    pub fn lacking(self, other: &[Descriptor]) -> Vec<&Descriptor> {
        lacking(self.layers, other)
    }
}

/// Returns the layers of `wanted` that `present` has not, each once, in their order.
fn lacking<'w>(present: &[Descriptor], wanted: &'w [Descriptor]) -> Vec<&'w Descriptor> {
    let mut seen: HashSet<(&Digest, &BTreeMap<String, String>)> = present.iter().map(identity).collect();
    wanted
        .iter()
        .filter(|layer| seen.insert(identity(layer)))
        .collect()
}

fn identity(layer: &Descriptor) -> (&Digest, &BTreeMap<String, String>) {
    (&layer.digest, &layer.annotations)
}

fn is_file_system(layer: &Descriptor) -> bool {
    let media_type = layer.media_type.as_str();
    FILE_SYSTEMS.iter().any(|prefix| media_type.starts_with(prefix))
}

/// Docker's config and that of the Open Container Initiative are one document.
fn family(media_type: MediaType) -> MediaType {
    if media_type == MediaType::DOCKER_CONFIG {
        return MediaType::OCI_CONFIG;
    }
    media_type
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;

    fn layer(payload: &str, signer: &str) -> Value {
        json!({
            "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
            "digest": Digest::sha256(payload.as_bytes()),
            "size": payload.len(),
            "annotations": { "dev.cosignproject.cosign/signature": signer },
        })
    }

    fn image(config: &str, layers: &[Value]) -> Manifest {
        let config = json!({ "mediaType": config, "digest": Digest::sha256(b"{}"), "size": 2 });
        let document = json!({ "schemaVersion": 2, "config": config, "layers": layers });
        Manifest::parse(Bytes::from(document.to_string()), None).unwrap()
    }

    fn usual(layers: &[Value]) -> Manifest {
        image(MediaType::OCI_CONFIG.as_str(), layers)
    }

    #[test]
    fn two_signatures_of_one_payload_differ_by_their_annotations() {
        let (here, there) = (
            usual(&[layer("p", "alice")]),
            usual(&[layer("p", "bob"), layer("p", "alice"), layer("p", "bob")]),
        );
        let (here, there) = (Signatures::of(&here).unwrap(), Signatures::of(&there).unwrap());
        assert_eq!(here.lacking(there.layers()), [&there.layers()[0]]);
        assert!(there.lacking(here.layers()).is_empty());
    }

    #[test]
    fn neither_an_index_nor_an_image_to_be_run_holds_signatures() {
        let index = json!({ "schemaVersion": 2, "manifests": [] });
        let index = Manifest::parse(Bytes::from(index.to_string()), None).unwrap();
        assert!(Signatures::of(&index).is_none());
        for media_type in [MediaType::OCI_LAYER_GZIP, MediaType::DOCKER_LAYER] {
            let mut layer = layer("p", "alice");
            layer["mediaType"] = json!(media_type);
            assert!(Signatures::of(&usual(&[layer])).is_none());
        }
    }

    #[test]
    fn only_what_is_of_one_kind_may_stand_together() {
        let like = |one: &str, other: &str| {
            let (one, other) = (image(one, &[]), image(other, &[]));
            Signatures::of(&one)
                .unwrap()
                .is_like(Signatures::of(&other).unwrap())
        };
        let (oci, docker) = (MediaType::OCI_CONFIG, MediaType::DOCKER_CONFIG);
        assert!(like(oci.as_str(), docker.as_str()));
        assert!(!like(oci.as_str(), MediaType::OCI_EMPTY.as_str()));
    }
}
