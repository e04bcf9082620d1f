//! Images of two blobs.

use bytes::Bytes;
use oci::{Descriptor, Digest, Manifest, MediaType};

/// A manifest with its blobs, config first.
#[derive(Clone, Debug)]
pub struct Image {
    pub manifest: Manifest,
    pub blobs: Vec<Bytes>,
}

impl Image {
    /// Makes an image of one layer.
    pub fn new(layer: impl Into<Bytes>) -> Self {
        Self::attached_to(layer, None)
    }

    /// Makes an image of one layer whose config says when it was made.
    pub fn created(layer: impl Into<Bytes>, created: &str) -> Self {
        Self::with_config(format!(r#"{{"created":"{created}"}}"#), layer, None)
    }

    /// Makes an image that refers to another manifest.
    pub fn attached_to(layer: impl Into<Bytes>, subject: Option<&Manifest>) -> Self {
        Self::with_config("{}", layer, subject)
    }

    fn with_config(config: impl Into<Bytes>, layer: impl Into<Bytes>, subject: Option<&Manifest>) -> Self {
        let blobs = [config.into(), layer.into()];
        let descriptor = |media_type: &str, bytes: &Bytes| {
            serde_json::json!({
                "mediaType": media_type, "digest": Digest::sha256(bytes), "size": bytes.len(),
            })
        };
        let mut document = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &blobs[0]),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &blobs[1])],
        });
        if let Some(subject) = subject {
            document["subject"] = serde_json::to_value(subject.descriptor()).unwrap();
        }
        let manifest = Manifest::parse(document.to_string().into(), None).unwrap();
        Self {
            manifest,
            blobs: blobs.to_vec(),
        }
    }

    /// Makes an image of signatures of one payload, as cosign does.
    pub fn signed_by(signers: &[&str]) -> Self {
        let payload = Bytes::from_static(b"payload");
        let digest = Digest::sha256(&payload);
        let identities: Vec<&Digest> = signers.iter().map(|_| &digest).collect();
        let config = serde_json::json!({ "rootfs": { "type": "layers", "diff_ids": identities } });
        let config = Bytes::from(config.to_string());
        let layer = |signer: &&str| {
            serde_json::json!({
                "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
                "digest": digest,
                "size": payload.len(),
                "annotations": { "dev.cosignproject.cosign/signature": signer },
            })
        };
        let layers: Vec<_> = signers.iter().map(layer).collect();
        let document = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": { "mediaType": MediaType::OCI_CONFIG, "digest": Digest::sha256(&config), "size": config.len() },
            "layers": layers,
        });
        Self {
            manifest: Manifest::parse(document.to_string().into(), None).unwrap(),
            blobs: vec![config, payload],
        }
    }

    /// Returns the descriptors of the layers.
    pub fn layers(&self) -> Vec<Descriptor> {
        oci::Signatures::of(&self.manifest).unwrap().layers().to_vec()
    }

    pub fn digest(&self) -> &Digest {
        self.manifest.digest()
    }

    /// Returns the layer's digest.
    pub fn layer(&self) -> Digest {
        Digest::sha256(&self.blobs[1])
    }
}
