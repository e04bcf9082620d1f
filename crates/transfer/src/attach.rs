//! Putting tags that attach something: where another stands by then, what ours holds is added to it.

use oci::{AttachmentTag, Content, CosignKind, Descriptor, Manifest, ManifestReference, Signatures, Tag};
use planner::Place;
use registry::WriteRepository;

use crate::context::Context;
use crate::fault::Fault;
use crate::landing::Landing;
use crate::locks::Held;
use crate::{merge, signatures};

/// Looks whether `tag` still stands at the manifest that was just put; what somebody else put over it is completed.
pub(crate) async fn keep(
    context: &Context,
    held: &Held,
    place: &Place,
    ours: &Manifest,
    tag: &Tag,
) -> Result<(), Fault> {
    let repository = context.writer(place)?;
    let found = repository.head_manifest(&tag.clone().into()).await;
    let found = found.map_err(|error| Fault::target(place, &error))?;
    if found.is_some_and(|found| found.digest != *ours.digest()) {
        add(context, held, place, ours, tag).await?;
    }
    Ok(())
}

/// Adds what `ours` holds to the manifest under `tag`. `None` where the two are not of one kind.
pub(crate) async fn add(
    context: &Context,
    held: &Held,
    place: &Place,
    ours: &Manifest,
    tag: &Tag,
) -> Result<Option<Landing>, Fault> {
    let repository = context.writer(place)?;
    let Some(standing) = standing(repository.as_ref(), place, tag).await? else {
        return Ok(None);
    };
    match AttachmentTag::scheme(tag) {
        Some(AttachmentTag::Fallback) => {
            let (Content::Index { manifests }, Content::Index { .. }) = (ours.content(), standing.content())
            else {
                return Ok(None);
            };
            let landing = merge::merge(context, held, place, None, tag, manifests).await?;
            Ok(Some(landing))
        }
        Some(AttachmentTag::Cosign(CosignKind::Signature | CosignKind::Attestation)) => {
            let Some(layers) = addable(ours, &standing) else {
                return Ok(None);
            };
            let landing = signatures::unite(context, held, place, tag, layers).await?;
            Ok(Some(landing))
        }
        // Cosign reads one bill of materials alone.
        Some(AttachmentTag::Cosign(CosignKind::Sbom)) | None => Ok(None),
    }
}

async fn standing(
    repository: &dyn WriteRepository,
    place: &Place,
    tag: &Tag,
) -> Result<Option<Manifest>, Fault> {
    let reference: ManifestReference = tag.clone().into();
    let standing = repository.get_manifest(&reference).await;
    standing.map_err(|error| Fault::target(place, &error))
}

/// The layers of `ours`, where those of `standing` are of their kind.
fn addable<'m>(ours: &'m Manifest, standing: &Manifest) -> Option<&'m [Descriptor]> {
    let (ours, standing) = (Signatures::of(ours)?, Signatures::of(standing)?);
    standing.is_like(ours).then_some(ours.layers())
}
