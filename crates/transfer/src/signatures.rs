//! Adding layers to the image of signatures under one of cosign's tags.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use oci::{Descriptor, Digest, Manifest, ManifestReference, MediaType, Overload, Signatures, Tag};
use planner::{Place, ProblemKind, Side};
use registry::{Error, WriteRepository};
use serde_json::{Value, json};

use crate::contention::{self, Contention, Next};
use crate::context::Context;
use crate::fault::Fault;
use crate::landing::Landing;
use crate::locks::Held;

/// The largest config that is read to be changed, in bytes: it has a line or two for each layer.
const MAX_CONFIG: u64 = 1 << 20;

/// Makes sure that the image under `tag` holds `layers`, whose blobs stand there: behind those that it has.
///
/// What was written is read back, and written again where somebody else's write took our layers away.
pub(crate) async fn unite(
    context: &Context,
    _held: &Held,
    place: &Place,
    tag: &Tag,
    layers: &[Descriptor],
) -> Result<Landing, Fault> {
    let repository = context.writer(place)?;
    let failed = |error: Error| Fault::target(place, &error);
    let reference: ManifestReference = tag.clone().into();
    let mut contention = Contention::default();
    loop {
        let standing = repository.get_manifest(&reference).await.map_err(failed)?;
        let standing = standing.ok_or_else(|| gone(place, tag))?;
        let signatures = Signatures::of(&standing).ok_or_else(|| no_signatures(place, tag))?;
        let lacking = signatures.lacking(layers);
        if lacking.is_empty() {
            return Ok(contention.landing());
        }
        match contention.next().await {
            Next::Write => {}
            Next::Read => continue,
            Next::GiveUp => return Err(contention::lost(place, tag)),
        }
        let load = signatures.load().with(lacking.iter().copied());
        load.map_err(|overload| too_many(place, tag, overload))?;
        let config = extend_config(context, place, repository.as_ref(), signatures, &lacking).await?;
        let united = united(place, &standing, &lacking, config.as_ref())?;
        let put = repository.put_manifest(&reference, &united).await;
        put.map_err(|error| refused(Fault::target(place, &error)))?;
    }
}

/// Makes the config that names the new layers too, and sends it. `None` where the standing one names no layers.
///
/// What appends a layer to an image, as cosign does to sign, expects one identity there for each layer.
async fn extend_config(
    context: &Context,
    place: &Place,
    repository: &dyn WriteRepository,
    signatures: Signatures<'_>,
    lacking: &[&Descriptor],
) -> Result<Option<Descriptor>, Fault> {
    let standing = signatures.config();
    let is_config = [MediaType::OCI_CONFIG, MediaType::DOCKER_CONFIG].contains(&standing.media_type);
    if !is_config || standing.size > MAX_CONFIG {
        return Ok(None);
    }
    let failed = |error: Error| Fault::target(place, &error);
    let pieces = repository.read_blob(standing).await.map_err(failed)?;
    let pieces: Vec<Bytes> = pieces.try_collect().await.map_err(failed)?;
    let Some(bytes) = extended(&pieces.concat(), signatures.layers().len(), lacking) else {
        return Ok(None);
    };
    let config = Descriptor::new(
        standing.media_type.clone(),
        Digest::sha256(&bytes),
        bytes.len() as u64,
    );
    if repository
        .head_blob(&config.digest)
        .await
        .map_err(failed)?
        .is_none()
    {
        let session = repository.start_upload().await.map_err(failed)?;
        let body = stream::iter([Ok(bytes)]).boxed();
        repository
            .upload_blob(session, &config, body)
            .await
            .map_err(failed)?;
        let size = usize::try_from(config.size).unwrap_or_default();
        context.counters.of(&place.registry).add_written(size);
    }
    Ok(Some(config))
}

/// Adds layers to a config that names `count` of them; `None` for one that does not.
///
/// The layers are files that are stored as they are: their identities are their digests.
fn extended(config: &[u8], count: usize, layers: &[&Descriptor]) -> Option<Bytes> {
    let mut config = oci::read_json(config).ok()?;
    let identities = config.pointer_mut("/rootfs/diff_ids")?.as_array_mut()?;
    if identities.len() != count {
        return None;
    }
    identities.extend(layers.iter().map(|layer| json!(layer.digest)));
    let history = config.get_mut("history").and_then(Value::as_array_mut);
    if let Some(history) = history.filter(|history| history.len() == count) {
        // As cosign writes it: signatures are made at no time, so that they are reproducible.
        let made = |_: &&Descriptor| json!({ "created": "0001-01-01T00:00:00Z" });
        history.extend(layers.iter().map(made));
    }
    serde_json::to_vec(&config).ok().map(Bytes::from)
}

/// The standing image with layers behind its own. Whatever else it says stays.
fn united(
    place: &Place,
    standing: &Manifest,
    layers: &[&Descriptor],
    config: Option<&Descriptor>,
) -> Result<Manifest, Fault> {
    let broken = |error: &dyn std::fmt::Display| {
        let text = format!("make an image of signatures: {error}");
        Fault::new(Side::Target, place, ProblemKind::Other, text)
    };
    let mut document = oci::read_json(standing.bytes()).map_err(|error| broken(&error))?;
    let listed = document.get_mut("layers").and_then(Value::as_array_mut);
    match listed {
        Some(listed) => listed.extend(layers.iter().map(|layer| json!(layer))),
        None => document["layers"] = json!(layers),
    }
    if let Some(config) = config {
        let named = &mut document["config"];
        named["digest"] = json!(config.digest);
        named["size"] = json!(config.size);
        // The bytes of the config that was.
        if let Some(named) = named.as_object_mut() {
            named.remove("data");
        }
    }
    let bytes = serde_json::to_vec(&document).map_err(|error| broken(&error))?;
    Manifest::parse(Bytes::from(bytes), Some(standing.media_type())).map_err(|error| broken(&error))
}

fn gone(place: &Place, tag: &Tag) -> Fault {
    let text = format!("tag {tag} of {place} is gone; when the plan was made it stood there");
    let fault = Fault::new(Side::Target, place, ProblemKind::Stale, text);
    fault.hinted("make a new plan")
}

fn no_signatures(place: &Place, tag: &Tag) -> Fault {
    let text = format!("tag {tag} of {place} is no image of signatures; when the plan was made it was");
    let fault = Fault::new(Side::Target, place, ProblemKind::Stale, text);
    fault.hinted("make a new plan")
}

fn too_many(place: &Place, tag: &Tag, overload: Overload) -> Fault {
    let text = format!("tag {tag} of {place} would hold too much: {overload}");
    let fault = Fault::new(Side::Target, place, ProblemKind::Policy, text);
    fault.hinted("remove signatures that nobody needs any more, with `cosign clean` or by hand")
}

/// Says what helps where a registry does not let the tag move.
fn refused(fault: Fault) -> Fault {
    if fault.kind != ProblemKind::Immutable {
        return fault;
    }
    fault.hinted("let tags that end in `.sig` and `.att` move in that repository, or say `referrers: none`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(text: &str) -> Descriptor {
        let media_type = MediaType::new("application/vnd.dev.cosign.simplesigning.v1+json");
        Descriptor::new(media_type, Digest::sha256(text.as_bytes()), text.len() as u64)
    }

    fn place() -> Place {
        Place {
            registry: "x".parse().unwrap(),
            repository: "y".parse().unwrap(),
        }
    }

    #[test]
    fn a_config_names_every_layer_and_keeps_all_else() {
        let (one, two) = (layer("one"), layer("two"));
        let config = json!({
            "architecture": "",
            "history": [{ "created": "0001-01-01T00:00:00Z" }],
            "rootfs": { "type": "layers", "diff_ids": [one.digest] },
            "unknown": { "kept": true },
        });
        let bytes = extended(config.to_string().as_bytes(), 1, &[&two]).unwrap();
        let made: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(made["rootfs"]["diff_ids"], json!([one.digest, two.digest]));
        assert_eq!(made["history"].as_array().unwrap().len(), 2);
        assert_eq!(made["unknown"], config["unknown"]);
    }

    #[test]
    fn a_config_that_names_no_layers_stays() {
        let two = layer("two");
        let mismatched = json!({ "rootfs": { "diff_ids": [] } }).to_string();
        for config in ["{}", "not JSON", r#"{"rootfs":{"diff_ids":null}}"#, &mismatched] {
            assert_eq!(extended(config.as_bytes(), 1, &[&two]), None, "{config}");
        }
    }

    #[test]
    fn an_image_keeps_what_it_says_and_the_same_layers_make_the_same_bytes() {
        let (one, two) = (layer("one"), layer("two"));
        let config = Descriptor::new(MediaType::OCI_CONFIG, Digest::sha256(b"{}"), 2);
        let mut named = json!(config);
        named["data"] = json!("e30=");
        let document = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": named,
            "layers": [one],
            "annotations": { "kept": "yes" },
            "unknown": [1, 2],
        });
        let standing = Manifest::parse(Bytes::from(document.to_string()), None).unwrap();
        let next = Descriptor::new(MediaType::OCI_CONFIG, Digest::sha256(b"[]"), 3);
        let make = || united(&place(), &standing, &[&two], Some(&next)).unwrap();
        assert_eq!(make().bytes(), make().bytes());
        let made: Value = serde_json::from_slice(make().bytes()).unwrap();
        assert_eq!(made["layers"], json!([one, two]));
        assert_eq!(
            made["config"],
            json!(next),
            "the bytes of the old config are gone"
        );
        assert_eq!(
            (&made["annotations"], &made["unknown"]),
            (&document["annotations"], &json!([1, 2]))
        );
        let same = united(&place(), &standing, &[&two], None).unwrap();
        let same: Value = serde_json::from_slice(same.bytes()).unwrap();
        assert_eq!(same["config"], named);
    }
}
