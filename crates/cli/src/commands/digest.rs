//! `transship digest`.

use planner::config;

use crate::arguments::{Digest, Format};
use crate::connect::{self, Manner};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::reference;

/// Prints the digest that a reference stands at.
///
/// # Errors
/// A reference that names no manifest (64), and whatever the registry answers.
pub(crate) async fn run(context: &Context, arguments: &Digest) -> Result<Exit, Failure> {
    let text = &arguments.reference;
    let (place, manifest, registry) =
        config::reference(&reference::only_entry(text)?).map_err(|error| reference::refused(&error))?;
    let manifest = manifest.unwrap_or_else(connect::latest);
    let manner = Manner::one_shot(&arguments.access, &arguments.one)?;
    let found = connect::open(context, &place.registry, &registry, &manner).await?;
    let repository = found.registry.reader(&place.repository);
    let descriptor = context
        .unless_interrupted(repository.head_manifest(&manifest))
        .await?
        .map_err(|error| connect::answered(&error))?
        .ok_or_else(|| Failure::failed(format!("there is no `{text}`")))?;
    match arguments.format {
        Format::Text => context.text(&format!("{}\n", descriptor.digest))?,
        Format::Json => {
            let json = serde_json::json!({
                "reference": text,
                "digest": descriptor.digest,
                "mediaType": descriptor.media_type,
                "size": descriptor.size,
            });
            context.data(&format!("{json:#}\n"))?;
        }
    }
    Ok(Exit::Done)
}
