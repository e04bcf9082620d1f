//! What cosign keeps under its tags: images in which each signature or attestation is a layer.

use std::collections::{BTreeMap, HashSet};

use crate::{Content, Descriptor, Digest, MAX_MANIFEST, Manifest, MediaType};

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

    /// Returns how much the image holds.
    #[must_use]
    pub fn load(self) -> Load {
        Load {
            layers: self.layers.len(),
            bytes: self.manifest.bytes().len(),
        }
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

/// How much an image of signatures holds, as far as that bounds what can be added to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    layers: usize,
    bytes: usize,
}

/// What a config descriptor may grow by, when it names a larger config: digits of a size and another digest.
const CONFIG_GROWTH: usize = 256;

impl Load {
    /// Returns what the image would hold with `layers` behind its own.
    ///
    /// # Errors
    /// More layers than cosign reads, or a larger manifest than registries take.
    pub fn with<'l>(self, layers: impl IntoIterator<Item = &'l Descriptor>) -> Result<Self, Overload> {
        let mut load = self;
        for layer in layers {
            let written = serde_json::to_vec(layer).map_or(0, |bytes| bytes.len());
            load.layers += 1;
            load.bytes += written + 1;
        }
        if load == self {
            return Ok(self);
        }
        if load.layers > MAX_SIGNATURES {
            return Err(Overload::Layers);
        }
        if load.bytes + CONFIG_GROWTH > MAX_MANIFEST {
            return Err(Overload::Bytes);
        }
        Ok(load)
    }
}

/// Why layers can't be added to an image of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Overload {
    /// There would be more than [`MAX_SIGNATURES`].
    #[error("cosign reads no more than {MAX_SIGNATURES} signatures")]
    Layers,
    /// The manifest would be larger than [`MAX_MANIFEST`].
    #[error("registries take no manifest of more than {MAX_MANIFEST} bytes")]
    Bytes,
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
    fn what_an_image_can_take_is_bounded_by_count_and_by_bytes() {
        let image = usual(&[layer("p", "alice")]);
        let load = Signatures::of(&image).unwrap().load();
        let more = |count: usize, bytes: usize| {
            let signer = |number: usize| format!("{number}{}", "x".repeat(bytes));
            let layers: Vec<Value> = (0..count).map(|number| layer("p", &signer(number))).collect();
            let more = usual(&layers);
            load.with(Signatures::of(&more).unwrap().layers())
        };
        assert!(more(MAX_SIGNATURES - 1, 100).is_ok());
        assert_eq!(more(MAX_SIGNATURES, 100), Err(Overload::Layers));
        let half = more(300, 7000).unwrap();
        let image = usual(&[layer("p", &"x".repeat(MAX_MANIFEST / 2))]);
        let large = Signatures::of(&image).unwrap().layers();
        assert_eq!(
            half.with(large),
            Err(Overload::Bytes),
            "what was added before counts"
        );
        assert_eq!(load.with([]), Ok(load));
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
