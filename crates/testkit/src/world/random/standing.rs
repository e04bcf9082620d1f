//! What targets hold before anything is planned.

use oci::{AttachmentTag, CosignKind, Digest, Manifest, Tag};
use planner::Spec;
use planner::spec::{Source, Target};
use proptest::prelude::*;

use super::{at_target, image, pick};
use crate::image::{Content, Family};
use crate::world::{ModelRepository, World};

/// The tags of signatures.
const SIGNATURE: AttachmentTag = AttachmentTag::Cosign(CosignKind::Signature);

/// Something that a target holds already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// Which of the places that mirrors write.
    at: u8,
    /// Which of the manifests of its source.
    of: u8,
    what: u8,
    tag: u8,
}

/// Makes one.
pub(super) fn standing() -> impl Strategy<Value = Standing> {
    (any::<u8>(), any::<u8>(), 0..8u8, any::<u8>()).prop_map(|(at, of, what, tag)| Standing {
        at,
        of,
        what,
        tag,
    })
}

/// Puts something into a place that a mirror writes, always with all that it names.
pub(super) fn stand(world: &mut World, spec: &Spec, standing: Standing) {
    let targets: Vec<(&Source, &Target)> = spec
        .mirrors
        .iter()
        .flat_map(|mirror| &mirror.sources)
        .flat_map(|source| source.targets.iter().map(move |target| (source, target)))
        .collect();
    let Some((source, target)) = pick(&targets, standing.at) else {
        return;
    };
    let Some(held) = world.at(&source.place).cloned() else {
        return;
    };
    let whole = |manifest: &Manifest| held.missing(manifest).is_empty();
    let manifests = held.manifests.iter().filter(|(_, manifest)| whole(manifest));
    let digests: Vec<&Digest> = manifests.map(|(digest, _)| digest).collect();
    let tags: Vec<&Tag> = held
        .tags
        .keys()
        .filter(|tag| AttachmentTag::scheme(tag).is_none())
        .collect();
    let repository = world.at_mut(&target.place);
    let Some(digest) = pick(&digests, standing.of) else {
        return;
    };
    match standing.what {
        0 => {}
        1 => repository.copy(&held, digest),
        2 => {
            // A tag that is wanted, at a digest that may be an old one.
            repository.copy(&held, digest);
            if let Some(tag) = pick(&tags, standing.tag) {
                let tag = at_target(target, tag);
                repository.tags.insert(tag, Digest::clone(digest));
            }
        }
        3 => {
            // A tag as it is wanted.
            if let Some(tag) = pick(&tags, standing.tag) {
                let digest = &held.tags[*tag];
                repository.copy(&held, digest);
                repository.tags.insert(at_target(target, tag), digest.clone());
            }
        }
        4 => {
            // An attaching tag as it is at the source, with what it names.
            let attaching: Vec<(&Tag, &Digest)> = held
                .tags
                .iter()
                .filter(|(tag, _)| AttachmentTag::scheme(tag).is_some())
                .filter(|(_, digest)| whole(&held.manifests[*digest]))
                .collect();
            if let Some((tag, digest)) = pick(&attaching, standing.tag) {
                repository.copy(&held, digest);
                repository.tags.insert(Tag::clone(tag), Digest::clone(digest));
            }
        }
        5 => {
            // Another's referrer of a manifest that may not stand there, in the fallback tag.
            let subject = held.manifests[*digest].descriptor();
            let mut content = Content::new();
            let referrer = content.artifact(&subject, crate::image::SIGNATURE, "another's");
            content.fallback(&subject, &[referrer]);
            add(repository, &content);
        }
        6 => {
            // Another's signature by cosign's tag, or an image there that holds none: of what the source has signed, if anything.
            let signed: Vec<&Digest> = held
                .manifests
                .keys()
                .filter(|digest| held.tags.contains_key(&SIGNATURE.of(digest)))
                .collect();
            let digest = pick(&signed, standing.of).unwrap_or(digest);
            let subject = held.manifests[*digest].descriptor();
            let mut content = Content::new();
            if standing.tag.is_multiple_of(3) {
                let layer = content.layer(Family::Oci, 99, 50);
                content.sign(&subject, &[layer]);
            } else {
                let signer = (standing.tag % 5).to_string();
                content.cosign_by(&subject, &[&signer, "another"]);
            }
            add(repository, &content);
        }
        _ => {
            // Something that nobody asked for, with a layer that is wanted, and blobs of no manifest.
            let mut content = Content::new();
            let image = image(&mut content, &[standing.tag % 6, 77], false);
            content.tag("unasked", &image);
            add(repository, &content);
            let blobs = held.manifests[*digest].blobs();
            let blobs: Vec<_> = blobs
                .filter_map(|blob| held.blobs.get_key_value(&blob.digest))
                .map(|(digest, size)| (digest.clone(), *size))
                .collect();
            repository.blobs.extend(blobs);
        }
    }
}

fn add(repository: &mut ModelRepository, content: &Content) {
    let made = ModelRepository::from(content);
    repository.blobs.extend(made.blobs);
    repository.manifests.extend(made.manifests);
    for (tag, digest) in made.tags {
        repository.tags.entry(tag).or_insert(digest);
    }
}
