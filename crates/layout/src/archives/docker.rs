//! What `docker save` writes: `manifest.json`, and the configurations and layers that it names.
//!
//! <https://github.com/moby/docker-image-spec/blob/main/spec.md#combined-image-json--filesystem-changeset-format>

use std::io::Read;
use std::path::Path;

use oci::{Algorithm, Descriptor, Digest, Hasher, MAX_MANIFEST, MediaType, docker_name};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::compression::{TELLING, compression};
use super::held::{Blob, Held, digest};
use super::members::Members;
use super::name::tidy;
use super::section::Section;
use crate::entry::Entry;
use crate::error::{LayoutError, io};
use crate::index::Index;

/// The largest `manifest.json` that is read, in bytes.
const MAX_LIST: u64 = 64 << 20;

/// The largest configuration that is read, in bytes.
const MAX_CONFIG: u64 = MAX_MANIFEST as u64;

/// How much of a layer is hashed at once.
const CHUNK: usize = 256 << 10;

/// An image, as `manifest.json` lists it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// The manifest that an image gets: the order of these keys is part of its digest, and that of other tools' too.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    schema_version: u32,
    media_type: MediaType,
    config: Part,
    layers: Vec<Part>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    media_type: MediaType,
    size: u64,
    digest: Digest,
}

/// Reads an archive; each of its images gets a manifest, and an entry for each of its names.
pub(super) fn read(members: &Members, path: &Path) -> Result<Held, LayoutError> {
    let list_path = members.path_of("manifest.json");
    let list = members.find("manifest.json")?.ok_or_else(|| LayoutError::Lacks {
        path: path.to_owned(),
        name: "manifest.json",
        instead: instead(members),
    })?;
    let images: Vec<Saved> = json(&list_path, &list.read(&list_path, MAX_LIST)?)?;
    let index = Index::parse(&list_path, &Index::empty()).expect("an empty index is one");
    let mut held = Held::new(index);
    held.version = Some(members.version().clone());
    let archive = Docker { members, path };
    for image in images {
        archive.take(&image, &mut held)?;
    }
    Ok(held)
}

/// Says how else an archive can be read that `docker save` did not write.
fn instead(members: &Members) -> Option<&'static str> {
    let is_layout = members.names().any(|name| name == "oci-layout");
    is_layout.then_some("oci-archive:")
}

struct Docker<'a> {
    members: &'a Members,
    path: &'a Path,
}

impl Docker<'_> {
    fn take(&self, image: &Saved, held: &mut Held) -> Result<(), LayoutError> {
        let manifest = self.manifest(image, held)?;
        held.images.push(manifest.digest.clone());
        let names = image.repo_tags.iter().flatten();
        let mut is_named = false;
        for (repository, tag) in names.filter_map(|name| docker_name(name)) {
            held.index.push(Entry {
                repository: Some(repository),
                tag: Some(tag),
                descriptor: manifest.clone(),
            });
            is_named = true;
        }
        if !is_named {
            held.index.push(Entry {
                repository: None,
                tag: None,
                descriptor: manifest,
            });
        }
        Ok(())
    }

    /// Makes an image's manifest, and notes where what it names stands.
    fn manifest(&self, image: &Saved, held: &mut Held) -> Result<Descriptor, LayoutError> {
        let config = self.file(&image.config)?;
        let config_path = self.members.path_of(&image.config);
        let bytes = config.read(&config_path, MAX_CONFIG)?;
        let identities = identities(&config_path, &bytes)?;
        let names = image.layers.as_deref().unwrap_or_default();
        if names.len() != identities.len() {
            return Err(LayoutError::Malformed {
                path: config_path,
                expected: "`rootfs.diff_ids` names as many layers as `manifest.json` does",
            });
        }
        let mut take = |media_type, section: Section, digest: Digest| {
            let size = section.size();
            held.blobs.insert(digest.clone(), Blob::Section(section));
            Part {
                media_type,
                size,
                digest,
            }
        };
        let config = take(MediaType::DOCKER_CONFIG, config, Digest::sha256(&bytes));
        let mut layers = Vec::new();
        for (name, identity) in names.iter().zip(identities) {
            let layer = self.file(name)?;
            let digest = self.digest(name, &layer, identity)?;
            layers.push(take(MediaType::DOCKER_LAYER, layer, digest));
        }
        let made = Made {
            schema_version: 2,
            media_type: MediaType::DOCKER_MANIFEST,
            config,
            layers,
        };
        let bytes = serde_json::to_vec(&made).expect("a manifest has text keys alone");
        let digest = Digest::sha256(&bytes);
        let descriptor = Descriptor::new(MediaType::DOCKER_MANIFEST, digest.clone(), bytes.len() as u64);
        held.blobs.insert(digest, Blob::Made(bytes.into()));
        Ok(descriptor)
    }

    fn file(&self, name: &str) -> Result<Section, LayoutError> {
        let missing = || LayoutError::Member {
            path: self.path.to_owned(),
            name: name.to_owned(),
            problem: "is missing, and `manifest.json` names it",
        };
        let tidied = tidy(name).map_err(|_| missing())?;
        self.members.find(&tidied)?.ok_or_else(missing)
    }

    /// Returns the digest of a layer's bytes: what the configuration says of them, unless they are compressed. Whoever
    /// reads the layer verifies it.
    fn digest(&self, name: &str, layer: &Section, identity: Digest) -> Result<Digest, LayoutError> {
        if let Some(named) = digest(name) {
            return Ok(named);
        }
        let path = self.members.path_of(name);
        let mut start = Vec::new();
        let read = layer.reader().take(TELLING).read_to_end(&mut start);
        read.map_err(io("read", &path))?;
        match compression(&start) {
            Some(_) => hash(layer, &path),
            None => Ok(identity),
        }
    }
}

fn hash(layer: &Section, path: &Path) -> Result<Digest, LayoutError> {
    let mut reader = layer.reader();
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut chunk = vec![0; CHUNK];
    loop {
        match reader.read(&mut chunk).map_err(io("read", path))? {
            0 => return Ok(hasher.finish()),
            length => hasher.update(&chunk[..length]),
        }
    }
}

/// Reads the digests of an image's uncompressed layers.
fn identities(path: &Path, config: &[u8]) -> Result<Vec<Digest>, LayoutError> {
    let config: Value = json(path, config)?;
    let identities = config.pointer("/rootfs/diff_ids").cloned().unwrap_or_default();
    let identities: Option<Vec<Digest>> = match identities {
        Value::Null => Some(Vec::new()),
        identities => serde_json::from_value(identities).ok(),
    };
    identities.ok_or_else(|| LayoutError::Malformed {
        path: path.to_owned(),
        expected: "`rootfs.diff_ids` is a list of digests",
    })
}

fn json<T: serde::de::DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, LayoutError> {
    let wrong = |source| LayoutError::Json {
        path: path.to_owned(),
        source,
    };
    let value = oci::read_json(bytes).map_err(wrong)?;
    T::deserialize(value).map_err(|error| wrong(error.into()))
}
