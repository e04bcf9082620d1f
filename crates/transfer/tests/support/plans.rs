//! Plans made by hand.

use oci::{Descriptor, Digest};
use planner::plan::{BlobEntry, Expect, ManifestEntry, SCHEMA};
use planner::{Op, OpId, OpKind, OpPlace, Plan, Summary};

use super::image::Image;
use super::place;

/// Makes a plan of ops that carry these images.
pub fn plan(images: &[&Image], ops: Vec<Op>) -> Plan {
    let manifest = |image: &&Image| {
        let entry = ManifestEntry {
            media_type: image.manifest.media_type().clone(),
            size: image.manifest.bytes().len() as u64,
            manifests: Vec::new(),
            blobs: image.blobs.iter().map(|blob| Digest::sha256(blob)).collect(),
            subject: None,
            made: None,
        };
        (image.digest().clone(), entry)
    };
    let blobs = images.iter().flat_map(|image| &image.blobs);
    Plan {
        schema: SCHEMA,
        created_by: "transship 0.0.0".to_owned(),
        digest: Digest::sha256(b"plan"),
        config: Digest::sha256(b"config"),
        registries: Default::default(),
        manifests: images.iter().map(manifest).collect(),
        blobs: blobs
            .map(|blob| {
                (
                    Digest::sha256(blob),
                    BlobEntry {
                        size: blob.len() as u64,
                    },
                )
            })
            .collect(),
        ops,
        blocked: Vec::new(),
        notes: Vec::new(),
        summary: Summary::default(),
    }
}

/// Makes an op. Places are `registry/repository`, or `registry/repository<other` to mount from `other`.
pub fn op(id: &str, kind: OpKind, at: &[&str]) -> Op {
    let spot = |text: &&str| {
        let (text, from) = text
            .split_once('<')
            .map_or((*text, None), |(text, from)| (text, Some(from)));
        let place = place(text);
        OpPlace {
            registry: place.registry,
            repository: place.repository,
            expect: (kind == OpKind::PutTag).then_some(Expect::Absent),
            from: from.map(|from| from.parse().unwrap()),
            origin: None,
        }
    };
    Op {
        id: OpId(id.to_owned()),
        kind,
        digest: None,
        tag: None,
        role: None,
        from: None,
        at: at.iter().map(spot).collect(),
        after: Vec::new(),
        after_end: Vec::new(),
        entries: Vec::new(),
        settings: Vec::new(),
        reason: "test".to_owned(),
    }
}

/// What is said of an op after the rest.
pub trait With: Sized {
    fn of(self, digest: &Digest) -> Self;
    fn tagged(self, tag: &str) -> Self;
    fn from(self, place: &str) -> Self;
    fn after(self, ids: &[&str]) -> Self;
    fn after_end(self, ids: &[&str]) -> Self;
    fn expecting(self, expect: Expect) -> Self;
    fn adding(self, entries: Vec<Descriptor>) -> Self;
}

impl With for Op {
    fn of(self, digest: &Digest) -> Self {
        Self {
            digest: Some(digest.clone()),
            ..self
        }
    }

    fn tagged(self, tag: &str) -> Self {
        Self {
            tag: Some(tag.parse().unwrap()),
            ..self
        }
    }

    fn from(self, text: &str) -> Self {
        Self {
            from: Some(place(text)),
            ..self
        }
    }

    fn after(self, ids: &[&str]) -> Self {
        Self {
            after: names(ids),
            ..self
        }
    }

    fn after_end(self, ids: &[&str]) -> Self {
        Self {
            after_end: names(ids),
            ..self
        }
    }

    fn expecting(mut self, expect: Expect) -> Self {
        self.at.iter_mut().for_each(|at| at.expect = Some(expect.clone()));
        self
    }

    fn adding(self, entries: Vec<Descriptor>) -> Self {
        Self { entries, ..self }
    }
}

fn names(ids: &[&str]) -> Vec<OpId> {
    ids.iter().map(|id| OpId((*id).to_owned())).collect()
}

/// Makes the ops that copy an image: its config, its layer and its tag, named by `name`.
pub fn copy(name: &str, image: &Image, tag: &str, from: &str, to: &[&str]) -> Vec<Op> {
    let upload = |id: &str, index: usize| {
        op(id, OpKind::UploadBlob, to)
            .of(&Digest::sha256(&image.blobs[index]))
            .from(from)
    };
    let (config, layer) = (format!("{name}-config"), format!("{name}-layer"));
    vec![
        upload(&config, 0),
        upload(&layer, 1),
        op(&format!("{name}-tag"), OpKind::PutTag, to)
            .of(image.digest())
            .tagged(tag)
            .from(from)
            .after(&[&config, &layer]),
    ]
}
