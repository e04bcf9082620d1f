//! Sample images: made from a seed, so that every run has the same digests.

use bytes::Bytes;
use oci::{Descriptor, Digest, Manifest, MediaType};
use serde_json::{Value, json};

/// The two families of media types.
#[derive(Clone, Copy, Debug)]
pub(super) enum Family {
    /// Those of the OCI image specification.
    Oci,
    /// Docker's, version 2 schema 2.
    Docker,
}

impl Family {
    fn manifest(self) -> MediaType {
        match self {
            Self::Oci => MediaType::OCI_MANIFEST,
            Self::Docker => MediaType::DOCKER_MANIFEST,
        }
    }

    fn index(self) -> MediaType {
        match self {
            Self::Oci => MediaType::OCI_INDEX,
            Self::Docker => MediaType::DOCKER_LIST,
        }
    }

    fn config(self) -> MediaType {
        match self {
            Self::Oci => MediaType::OCI_CONFIG,
            Self::Docker => MediaType::DOCKER_CONFIG,
        }
    }

    fn layer(self) -> MediaType {
        match self {
            Self::Oci => MediaType::OCI_LAYER_GZIP,
            Self::Docker => MediaType::DOCKER_LAYER,
        }
    }
}

/// An artifact, ready to be pushed: blobs, then manifests, each after those it names.
#[derive(Clone, Debug)]
pub(super) struct Artifact {
    /// The blobs, with their descriptors.
    pub(super) blobs: Vec<(Descriptor, Bytes)>,
    /// The manifests; the last one is the root.
    pub(super) manifests: Vec<Manifest>,
}

impl Artifact {
    /// Returns the manifest that a tag stands at.
    pub(super) fn root(&self) -> &Manifest {
        self.manifests.last().expect("an artifact has a root")
    }
}

/// Makes `size` bytes that differ by label, and that no compression makes smaller.
pub(super) fn noise(label: &str, size: usize) -> Bytes {
    let digest = Digest::sha256(label.as_bytes());
    let seed = digest
        .as_bytes()
        .first_chunk()
        .expect("a hash is longer than that");
    // SplitMix64, <https://prng.di.unimi.it/splitmix64.c>: quick, and the same on every machine.
    let mut state = u64::from_le_bytes(*seed);
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(z ^ (z >> 31)).to_le_bytes());
    }
    bytes.truncate(size);
    bytes.into()
}

/// Makes an image of one platform.
pub(super) fn image(family: Family, architecture: &str, layers: &[Bytes]) -> Artifact {
    let config = document(&json!({
        "architecture": architecture,
        "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|layer| Digest::sha256(layer)).collect::<Vec<_>>() },
    }));
    let mut blobs = vec![blob(family.config(), config)];
    blobs.extend(layers.iter().map(|layer| blob(family.layer(), layer.clone())));
    let manifest = manifest(&json!({
        "schemaVersion": 2,
        "mediaType": family.manifest(),
        "config": blobs[0].0,
        "layers": descriptors(&blobs[1..]),
    }));
    Artifact {
        blobs,
        manifests: vec![manifest],
    }
}

/// Joins images of several architectures under an index.
pub(super) fn index(family: Family, images: Vec<(&str, Artifact)>) -> Artifact {
    let children: Vec<Value> = images
        .iter()
        .map(|(architecture, image)| {
            let mut child = json!(image.root().descriptor());
            child["platform"] = json!({ "architecture": architecture, "os": "linux" });
            child
        })
        .collect();
    let root = manifest(&json!({ "schemaVersion": 2, "mediaType": family.index(), "manifests": children }));
    let (mut blobs, mut manifests) = (Vec::new(), Vec::new());
    for (_, image) in images {
        blobs.extend(image.blobs);
        manifests.extend(image.manifests);
    }
    manifests.push(root);
    Artifact { blobs, manifests }
}

/// Makes a bill of materials that refers to `subject`.
pub(super) fn bill_of_materials(subject: &Manifest) -> Artifact {
    const SPDX: &str = "application/spdx+json";
    let config = blob(MediaType::OCI_EMPTY, Bytes::from_static(b"{}"));
    let text = document(&json!({ "spdxVersion": "SPDX-2.3", "name": "sample", "packages": [] }));
    let layer = blob(MediaType::new(SPDX), text);
    let manifest = manifest(&json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "artifactType": SPDX,
        "config": config.0,
        "layers": [layer.0],
        "subject": subject.descriptor(),
    }));
    Artifact {
        blobs: vec![config, layer],
        manifests: vec![manifest],
    }
}

/// Makes what cosign stores beside `subject`. The signature itself is a sample and verifies nothing.
pub(super) fn signature(subject: &Manifest) -> Artifact {
    let payload = document(&json!({
        "critical": { "image": { "docker-manifest-digest": subject.digest() }, "type": "cosign container image signature" },
    }));
    let layer = blob(
        MediaType::new("application/vnd.dev.cosign.simplesigning.v1+json"),
        payload,
    );
    let config = blob(
        MediaType::OCI_CONFIG,
        document(&json!({ "architecture": "", "os": "" })),
    );
    let manifest = manifest(&json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "config": config.0,
        "layers": [layer.0],
    }));
    Artifact {
        blobs: vec![config, layer],
        manifests: vec![manifest],
    }
}

fn blob(media_type: MediaType, bytes: Bytes) -> (Descriptor, Bytes) {
    (
        Descriptor::new(media_type, Digest::sha256(&bytes), bytes.len() as u64),
        bytes,
    )
}

fn descriptors(blobs: &[(Descriptor, Bytes)]) -> Vec<&Descriptor> {
    blobs.iter().map(|(descriptor, _)| descriptor).collect()
}

fn document(value: &Value) -> Bytes {
    value.to_string().into()
}

fn manifest(value: &Value) -> Manifest {
    Manifest::parse(document(value), None).expect("a sample manifest is a manifest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_its_length_and_differs_by_seed() {
        assert_eq!(noise("a", 13).len(), 13);
        assert_eq!(noise("a", 64), noise("a", 64));
        assert_ne!(noise("a", 64), noise("b", 64));
    }

    #[test]
    fn an_index_comes_after_the_images_it_names() {
        let amd64 = image(Family::Docker, "amd64", &[noise("a", 10)]);
        let child = amd64.root().digest().clone();
        let index = index(Family::Docker, vec![("amd64", amd64)]);
        assert_eq!(index.manifests.len(), 2);
        assert_eq!(
            index
                .root()
                .children()
                .map(|child| &child.digest)
                .collect::<Vec<_>>(),
            [&child]
        );
        assert_eq!(*index.root().media_type(), MediaType::DOCKER_LIST);
    }

    #[test]
    fn a_bill_of_materials_refers_to_its_subject() {
        let image = image(Family::Oci, "amd64", &[noise("a", 10)]);
        let bill = bill_of_materials(image.root());
        assert_eq!(
            bill.root().subject().map(|subject| &subject.digest),
            Some(image.root().digest())
        );
    }
}
