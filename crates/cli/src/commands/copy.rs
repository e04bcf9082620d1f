//! `transship copy`.

mod copies;

use std::io;
use std::path::Path;

use oci::{Digest, ManifestReference, Platform};
use planner::Spec;
use planner::config::{self, CopyOptions};
use transfer::{Connections, Report};

use self::copies::Copies;
use crate::arguments::{Copy, Format};
use crate::connect::{self, Manner};
use crate::context::Context;
use crate::execution;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::platform;
use crate::reference;
use crate::report::{self, Blocked, Verb};
use crate::survey;

/// Copies one artifact with its attachments to one or many places.
///
/// # Errors
/// References that are none (64), a platform that is not there, a signal.
pub(crate) async fn run(context: &Context, arguments: &Copy) -> Result<Exit, Failure> {
    report::can_be_written(&arguments.run)?;
    if let Some(path) = &arguments.digestfile {
        files::can_be_written(path).map_err(|error| unkept(path, &error))?;
    }
    let mut done = Report::new();
    let ended = copy(context, arguments, &mut done).await;
    report::conclude(context, &arguments.run, Verb::Copy, Blocked::Untold, done, ended)
}

async fn copy(context: &Context, arguments: &Copy, done: &mut Report) -> Result<Exit, Failure> {
    let source = reference::only_entry(&arguments.source)?;
    let targets = reference::with_tags(&arguments.targets, &arguments.additional_tag);
    let specify = |digest| {
        let options = CopyOptions {
            digest,
            ..CopyOptions::default()
        };
        config::copy(&source, &targets, options).map_err(|error| reference::refused(&error))
    };
    let whole = specify(None)?;
    let manner = Manner::copying(arguments, &whole)?;
    let connections = connect::connect(context, &connect::of_spec(&whole), &manner).await?;
    let spec = match &arguments.platform {
        None => whole,
        Some(platform) => match one(context, &source, &whole, &connections, platform).await? {
            Some(digest) => specify(Some(digest))?,
            None => whole,
        },
    };
    let surveyed = survey::survey(context, &spec, &[], &connections).await?;
    let exit = execution::carry_out(context, &surveyed.plan, &connections, done).await?;
    let Some(copies) = Copies::new(&surveyed, done) else {
        return Ok(exit);
    };
    if let (Exit::Done, Some(path)) = (exit, &arguments.digestfile) {
        keep(path, &copies.digest)?;
    }
    for untagged in &copies.untagged {
        context
            .terminal
            .say(&format!("It stands without a tag at {untagged}."));
    }
    for missing in &copies.missing {
        context.terminal.say(&format!("Not copied to {missing}."));
    }
    if arguments.run.format == Format::Text && done.stopped_by.is_none() {
        context.text(&copies.lines())?;
    }
    Ok(exit)
}

/// Finds the digest of one platform's image; `None` where the source is that image itself.
async fn one(
    context: &Context,
    text: &str,
    spec: &Spec,
    connections: &Connections,
    platform: &Platform,
) -> Result<Option<Digest>, Failure> {
    let missing = || Failure::failed(format!("there is no `{text}`"));
    let source = spec.mirrors.first().and_then(|mirror| mirror.sources.first());
    let source = source.ok_or_else(missing)?;
    let repository = connections.open(&source.place).ok_or_else(missing)?;
    let reference = source.pinned.as_ref().and_then(|pinned| {
        let digest = pinned.digest.clone().map(ManifestReference::Digest);
        digest.or_else(|| pinned.tag.clone().map(ManifestReference::Tag))
    });
    let reference = reference.ok_or_else(missing)?;
    let chosen = async {
        let root = repository.get_manifest(&reference).await;
        let root = root
            .map_err(|error| connect::answered(&error))?
            .ok_or_else(missing)?;
        let index = root.digest().clone();
        let chosen = platform::choose(&*repository, text, root, platform).await?;
        Ok::<_, Failure>((index, chosen.image.digest().clone(), chosen.note))
    };
    let (index, image, note) = context.unless_interrupted(chosen).await??;
    if let Some(note) = note {
        context.terminal.say(&note);
    }
    if index == image {
        return Ok(None);
    }
    context.terminal.say(&format!(
        "Copying {image} alone, the image for {platform}. What is attached to its index {index} stays behind."
    ));
    Ok(Some(image))
}

fn keep(path: &Path, digest: &Digest) -> Result<(), Failure> {
    files::write_whole(path, digest.to_string().as_bytes()).map_err(|error| unkept(path, &error))
}

fn unkept(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("can't write the digest to {}", path.display())).because(error)
}
