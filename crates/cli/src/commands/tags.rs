//! `transship tags`.

use planner::config;

use crate::arguments::{Format, Tags};
use crate::connect::{self, Manner};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Lists the tags of a repository, one a line.
///
/// # Errors
/// A reference that names none (64), and whatever the registry answers.
pub(crate) async fn run(context: &Context, arguments: &Tags) -> Result<Exit, Failure> {
    let (place, manifest, registry) = config::reference(&arguments.repository)
        .map_err(|error| Failure::usage(format!("`{}`", arguments.repository)).because(&error))?;
    if manifest.is_some() {
        return Err(Failure::usage(format!(
            "`{}` names more than a repository",
            arguments.repository
        )));
    }
    let manner = Manner::one_shot(&arguments.access, &arguments.one)?;
    let found = connect::open(context, &place.registry, &registry, &manner).await?;
    let listing = found.registry.reader(&place.repository);
    let tags = context
        .unless_interrupted(listing.tags())
        .await?
        .map_err(|error| connect::answered(&error))?
        .ok_or_else(|| Failure::failed(format!("there is no repository {place}")))?;
    match arguments.format {
        Format::Text => context.text(&tags.iter().map(|tag| format!("{tag}\n")).collect::<String>())?,
        Format::Json => {
            let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
            let json = serde_json::json!({ "repository": place.to_string(), "tags": tags });
            context.data(&format!("{json:#}\n"))?;
        }
    }
    Ok(Exit::Done)
}
