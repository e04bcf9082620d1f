//! `transship inspect`.

mod node;
mod text;
mod walk;

use std::sync::Arc;

use oci::{Content, Manifest, ManifestReference};
use planner::config;
use registry::ReadRepository;
use serde_json::json;

use self::node::{Node, State};
use self::walk::Walk;
use crate::arguments::{Format, Inspect};
use crate::connect::{self, Manner};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::platform::{self, Chosen};
use crate::reference;

/// Prints what a reference points to: its tree, its bytes, or the bytes of its configuration.
///
/// # Errors
/// A reference that names no manifest (64), and whatever the registry answers.
pub(crate) async fn run(context: &Context, arguments: &Inspect) -> Result<Exit, Failure> {
    let text = reference::only_entry(&arguments.reference)?;
    let (place, manifest, registry) = config::reference(&text).map_err(|error| reference::refused(&error))?;
    let manifest = manifest.unwrap_or_else(connect::latest);
    let manner = Manner::one_shot(&arguments.access, &arguments.one)?;
    let found = connect::open(context, &place.registry, &registry, &manner).await?;
    let repository = found.registry.reader(&place.repository);
    let Chosen { image: root, note } = context
        .unless_interrupted(root(&*repository, &text, &manifest, arguments))
        .await??;
    if let Some(note) = note {
        context.terminal.say(&note);
    }
    if arguments.config {
        let bytes = context
            .unless_interrupted(configuration(&*repository, &text, &root))
            .await??;
        context.bytes(&bytes)?;
        return Ok(Exit::Done);
    }
    if arguments.raw {
        context.bytes(root.bytes())?;
        return Ok(Exit::Done);
    }
    tree(context, arguments.format, &text, repository, root).await
}

async fn root(
    repository: &dyn ReadRepository,
    text: &str,
    reference: &ManifestReference,
    arguments: &Inspect,
) -> Result<Chosen, Failure> {
    let found = repository.get_manifest(reference).await;
    let found = found
        .map_err(|error| connect::answered(&error))?
        .ok_or_else(|| Failure::failed(format!("there is no `{text}`")))?;
    match &arguments.platform {
        Some(platform) => platform::choose(repository, text, found, platform).await,
        None => Ok(Chosen {
            image: found,
            note: None,
        }),
    }
}

async fn configuration(
    repository: &dyn ReadRepository,
    text: &str,
    root: &Manifest,
) -> Result<Vec<u8>, Failure> {
    match root.content() {
        Content::Image { config, .. } => platform::config_bytes(repository, config).await,
        Content::Index { manifests } => {
            let platforms = manifests.iter().filter_map(|child| child.platform.as_ref());
            let platforms: Vec<String> = platforms.map(ToString::to_string).collect();
            Err(Failure::usage(format!(
                "`{text}` is an index: each of its images has a configuration"
            ))
            .hint(format!("name one by `--platform`: {}", platforms.join(", "))))
        }
    }
}

async fn tree(
    context: &Context,
    format: Format,
    text: &str,
    repository: Arc<dyn ReadRepository>,
    root: Manifest,
) -> Result<Exit, Failure> {
    let walked = async {
        let platform = platform::of_image(&*repository, &root).await;
        let (walk, notes) = Walk::start(&*repository).await;
        let mut node = walk.root(root).await;
        // A configuration that can't be read is no reason to show nothing.
        node.platform = platform.ok().flatten();
        (node, notes)
    };
    let (node, mut notes) = context.unless_interrupted(walked).await?;
    notes.extend(told(&node));
    match format {
        Format::Text => context.brief(&text::lay_out(text, &node))?,
        Format::Json => {
            let document = json!({ "schema": 1, "reference": text, "root": node });
            context.data(&format!("{document:#}\n"))?;
        }
    }
    for note in notes {
        context.terminal.say(&format!("warning: {note}"));
    }
    Ok(match node.count(State::Failed) {
        0 => Exit::Done,
        _ => Exit::Failed,
    })
}

/// Says what the tree lacks.
fn told(node: &Node) -> Vec<String> {
    let of = |state, what: &str| match node.count(state) {
        0 => None,
        1 => Some(format!("1 manifest {what}")),
        count => Some(format!("{count} manifests {what}")),
    };
    let missing = of(State::Missing, "named here and missing");
    let failed = of(State::Failed, "could not be read");
    let beyond = of(
        State::NotRead,
        "not read: too deep, too many, or named within itself",
    );
    [missing, failed, beyond].into_iter().flatten().collect()
}
