//! Deterministic images: the same calls give the same bytes, and so the same digests.

use std::collections::BTreeMap;

use bytes::Bytes;
use oci::{Algorithm, AttachmentTag, CosignKind, Descriptor, Digest, MediaType, Platform, Tag};
use serde_json::{Value, json};

/// The artifact type of the bills of materials made here.
pub const SBOM: &str = "application/spdx+json";

/// The artifact type of the signatures made here.
pub const SIGNATURE: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";

/// The annotation of a layer that holds cosign's signature.
pub const SIGNED: &str = "dev.cosignproject.cosign/signature";

/// Which of the two families of media types an image is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Docker's, version 2 schema 2.
    Docker,
    /// The Open Container Initiative's.
    Oci,
}

impl Family {
    fn manifest(self) -> MediaType {
        match self {
            Self::Docker => MediaType::DOCKER_MANIFEST,
            Self::Oci => MediaType::OCI_MANIFEST,
        }
    }

    fn index(self) -> MediaType {
        match self {
            Self::Docker => MediaType::DOCKER_LIST,
            Self::Oci => MediaType::OCI_INDEX,
        }
    }

    fn config(self) -> MediaType {
        match self {
            Self::Docker => MediaType::DOCKER_CONFIG,
            Self::Oci => MediaType::OCI_CONFIG,
        }
    }

    fn layer(self) -> MediaType {
        match self {
            Self::Docker => MediaType::DOCKER_LAYER,
            Self::Oci => MediaType::OCI_LAYER_GZIP,
        }
    }
}

/// Returns `size` bytes that look random and depend on `seed` alone.
#[must_use]
pub fn noise(seed: u64, size: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        // xorshift64*, see https://en.wikipedia.org/wiki/Xorshift
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(size);
    bytes.into()
}

/// What one repository holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Blobs by digest.
    pub blobs: BTreeMap<Digest, Bytes>,
    /// Manifests in an order in which a registry takes them: children first.
    pub manifests: Vec<File>,
    /// Tags, and what they name.
    pub tags: BTreeMap<Tag, Digest>,
}

/// A manifest's bytes, with what is needed to put them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its address.
    pub digest: Digest,
    /// The media type it is put with.
    pub media_type: MediaType,
    /// Its bytes.
    pub bytes: Bytes,
}

impl Content {
    /// Returns an empty repository.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a blob and describes it.
    pub fn blob(&mut self, media_type: MediaType, bytes: impl Into<Bytes>) -> Descriptor {
        self.blob_with(Algorithm::Sha256, media_type, bytes)
    }

    /// Adds a blob under a digest of `algorithm`.
    pub fn blob_with(
        &mut self,
        algorithm: Algorithm,
        media_type: MediaType,
        bytes: impl Into<Bytes>,
    ) -> Descriptor {
        let bytes = bytes.into();
        let digest = Digest::of(algorithm, &bytes);
        let descriptor = Descriptor::new(media_type, digest.clone(), bytes.len() as u64);
        self.blobs.insert(digest, bytes);
        descriptor
    }

    /// Adds a layer of `size` bytes made from `seed`.
    pub fn layer(&mut self, family: Family, seed: u64, size: usize) -> Descriptor {
        self.blob(family.layer(), noise(seed, size))
    }

    /// Adds a layer whose digest is a SHA-512.
    pub fn layer_sha512(&mut self, family: Family, seed: u64, size: usize) -> Descriptor {
        self.blob_with(Algorithm::Sha512, family.layer(), noise(seed, size))
    }

    /// Adds a layer of no bytes at all.
    pub fn layer_empty(&mut self, family: Family) -> Descriptor {
        self.blob(family.layer(), Bytes::new())
    }

    /// Adds an image for `platform` (`os/architecture[/variant]`) with a config of its own.
    pub fn image(&mut self, family: Family, platform: &str, layers: &[Descriptor]) -> Descriptor {
        let config = self.blob(family.config(), config(platform, layers).to_string());
        let mut descriptor = self.image_of(family, &config, layers);
        descriptor.platform = Some(parse_platform(platform));
        descriptor
    }

    /// Adds an image as [`Content::image`] does, whose config says when it was made.
    pub fn image_created(
        &mut self,
        family: Family,
        platform: &str,
        created: &str,
        layers: &[Descriptor],
    ) -> Descriptor {
        let mut document = config(platform, layers);
        document["created"] = created.into();
        let config = self.blob(family.config(), document.to_string());
        let mut descriptor = self.image_of(family, &config, layers);
        descriptor.platform = Some(parse_platform(platform));
        descriptor
    }

    /// Adds an image manifest that names `config`, whatever that is.
    pub fn image_of(&mut self, family: Family, config: &Descriptor, layers: &[Descriptor]) -> Descriptor {
        let document = json!({
            "schemaVersion": 2,
            "mediaType": family.manifest(),
            "config": config,
            "layers": layers,
        });
        self.manifest(family.manifest(), &document)
    }

    /// Adds an index of `children`; they may be indexes, and there may be none.
    pub fn index(&mut self, family: Family, children: &[Descriptor]) -> Descriptor {
        let document = json!({
            "schemaVersion": 2,
            "mediaType": family.index(),
            "manifests": children,
        });
        self.manifest(family.index(), &document)
    }

    /// Adds an artifact of one blob that refers to `subject`.
    pub fn artifact(
        &mut self,
        subject: &Descriptor,
        artifact_type: &str,
        bytes: impl Into<Bytes>,
    ) -> Descriptor {
        let config = self.blob(MediaType::OCI_EMPTY, "{}");
        let layer = self.blob(MediaType::new(artifact_type), bytes);
        let document = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": config,
            "layers": [layer],
            "subject": Descriptor::new(subject.media_type.clone(), subject.digest.clone(), subject.size),
        });
        let mut descriptor = self.manifest(MediaType::OCI_MANIFEST, &document);
        descriptor.artifact_type = Some(artifact_type.to_owned());
        descriptor
    }

    /// Adds a bill of materials of `subject`.
    pub fn sbom(&mut self, subject: &Descriptor) -> Descriptor {
        self.artifact(subject, SBOM, format!(r#"{{"about":"{}"}}"#, subject.digest))
    }

    /// Adds a signature that refers to `subject`.
    pub fn signature(&mut self, subject: &Descriptor) -> Descriptor {
        self.artifact(subject, SIGNATURE, format!(r#"{{"signs":"{}"}}"#, subject.digest))
    }

    /// Adds the index of what refers to `subject`, under the fallback tag.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema>
    pub fn fallback(&mut self, subject: &Descriptor, referrers: &[Descriptor]) -> Descriptor {
        let index = self.index(Family::Oci, referrers);
        self.tags
            .insert(AttachmentTag::Fallback.of(&subject.digest), index.digest.clone());
        index
    }

    /// Adds a signature of `subject` as cosign's tag scheme has it, `sha256-<hex>.sig`.
    pub fn cosign(&mut self, subject: &Descriptor) -> Descriptor {
        let layer = self.signature_layer(subject, None);
        self.sign(subject, &[layer])
    }

    /// Adds signatures of `subject` by several signers under cosign's tag: the payload is the same for all of them.
    pub fn cosign_by(&mut self, subject: &Descriptor, signers: &[&str]) -> Descriptor {
        let layers: Vec<_> = signers
            .iter()
            .map(|signer| self.signature_layer(subject, Some(signer)))
            .collect();
        self.sign(subject, &layers)
    }

    fn signature_layer(&mut self, subject: &Descriptor, signer: Option<&str>) -> Descriptor {
        let payload = format!(
            r#"{{"critical":{{"image":{{"docker-manifest-digest":"{}"}}}}}}"#,
            subject.digest
        );
        let mut layer = self.blob(
            MediaType::new("application/vnd.dev.cosign.simplesigning.v1+json"),
            payload,
        );
        let annotation = |signer: &str| (SIGNED.to_owned(), format!("by {signer}"));
        layer.annotations.extend(signer.map(annotation));
        layer
    }

    /// Points cosign's tag for signatures at an image of these layers.
    pub fn sign(&mut self, subject: &Descriptor, layers: &[Descriptor]) -> Descriptor {
        let image = self.image(Family::Oci, "linux/amd64", layers);
        let tag = AttachmentTag::Cosign(CosignKind::Signature).of(&subject.digest);
        self.tags.insert(tag, image.digest.clone());
        image
    }

    /// Adds any document as a manifest.
    pub fn manifest(&mut self, media_type: MediaType, document: &Value) -> Descriptor {
        self.written(media_type, document.to_string())
    }

    /// Adds a manifest as it is written, to the last space.
    pub fn written(&mut self, media_type: MediaType, text: impl Into<Bytes>) -> Descriptor {
        let bytes = text.into();
        let digest = Digest::sha256(&bytes);
        if !self.manifests.iter().any(|file| file.digest == digest) {
            self.manifests.push(File {
                digest: digest.clone(),
                media_type: media_type.clone(),
                bytes: bytes.clone(),
            });
        }
        Descriptor::new(media_type, digest, bytes.len() as u64)
    }

    /// Points a tag at a manifest.
    ///
    /// # Panics
    /// Where `tag` is not one.
    pub fn tag(&mut self, tag: &str, manifest: &Descriptor) {
        let tag = tag.parse().expect("a test's tag is a tag");
        self.tags.insert(tag, manifest.digest.clone());
    }

    /// Returns a manifest that was added.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn file(&self, digest: &Digest) -> &File {
        self.manifests
            .iter()
            .find(|file| file.digest == *digest)
            .expect("the manifest was added")
    }
}

fn config(platform: &str, layers: &[Descriptor]) -> Value {
    let platform = parse_platform(platform);
    let mut document = serde_json::to_value(platform).expect("a platform is JSON");
    let identities: Vec<&Digest> = layers.iter().map(|layer| &layer.digest).collect();
    document["config"] = json!({});
    document["rootfs"] = json!({ "type": "layers", "diff_ids": identities });
    document
}

fn parse_platform(text: &str) -> Platform {
    text.parse().expect("a test's platform is one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_calls_give_the_same_content() {
        let build = || {
            let mut content = Content::new();
            let base = content.layer(Family::Docker, 1, 1000);
            let image = content.image(Family::Docker, "linux/amd64", &[base]);
            let index = content.index(Family::Docker, &[image]);
            content.tag("v1", &index);
            let sbom = content.sbom(&index);
            let signature = content.signature(&sbom);
            content.fallback(&index, &[sbom]);
            content.cosign(&signature);
            content
        };
        assert_eq!(build(), build());
        assert_eq!(build().tags.len(), 3);
    }

    #[test]
    fn noise_differs_by_seed_and_has_the_size_asked_for() {
        assert_eq!(noise(1, 1001).len(), 1001);
        assert_ne!(noise(1, 64), noise(2, 64));
        assert_eq!(noise(7, 100), noise(7, 200).slice(..100));
    }

    #[test]
    fn what_is_built_reads_as_manifests() {
        let mut content = Content::new();
        let layer = content.layer(Family::Oci, 3, 10);
        let image = content.image(Family::Oci, "linux/arm64/v8", &[layer]);
        let inner = content.index(Family::Oci, &[image]);
        content.index(Family::Docker, &[inner]);
        content.index(Family::Oci, &[]);
        for file in &content.manifests {
            oci::Manifest::parse(file.bytes.clone(), Some(&file.media_type)).expect("it is a manifest");
        }
        assert_eq!(content.manifests.len(), 4);
    }
}
