//! `transship tags`.

use planner::config;

use crate::arguments::{Format, Tags};
use crate::connect::{self, Manner};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::reference;

/// Lists the tags of a repository, one a line.
///
/// # Errors
/// A reference that names none (64), and whatever the registry answers.
pub(crate) async fn run(context: &Context, arguments: &Tags) -> Result<Exit, Failure> {
    let (name, tags) = match reference::whole_layout(&arguments.repository) {
        Some(whole) => (arguments.repository.clone(), whole.names()?),
        None => listed(context, arguments).await?,
    };
    match arguments.format {
        Format::Text => context.text(&tags.iter().map(|tag| format!("{tag}\n")).collect::<String>())?,
        Format::Json => {
            let json = serde_json::json!({ "repository": name, "tags": tags });
            context.data(&format!("{json:#}\n"))?;
        }
    }
    Ok(Exit::Done)
}

async fn listed(context: &Context, arguments: &Tags) -> Result<(String, Vec<String>), Failure> {
    let text = &arguments.repository;
    let (place, manifest, registry) = config::reference(text).map_err(|error| reference::refused(&error))?;
    if manifest.is_some() {
        return Err(Failure::usage(format!("`{text}` names more than a repository"))
            .hint("leave out the tag and the digest"));
    }
    let manner = Manner::one_shot(&arguments.access, &arguments.one)?;
    let found = connect::open(context, &place.registry, &registry, &manner).await?;
    let listing = found.registry.reader(&place.repository);
    let tags = context
        .unless_interrupted(listing.tags())
        .await?
        .map_err(|error| connect::answered(&error))?
        .ok_or_else(|| Failure::failed(format!("there is no repository {place}")))?;
    Ok((place.to_string(), tags.iter().map(ToString::to_string).collect()))
}
