//! `transship copy`.

use oci::{Digest, ManifestReference};
use planner::config::{self, CopyOptions};
use planner::survey::Known;
use planner::{Answer, Question, Spec, Survey};
use transfer::Report;

use crate::arguments::{Copy, Format};
use crate::connect::{self, Manner};
use crate::context::Context;
use crate::execution;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::report::{self, Verb};
use crate::survey;

/// Copies one artifact with its attachments to one or many places.
///
/// # Errors
/// References that are none and flags that are not there yet (64), a signal.
pub(crate) async fn run(context: &Context, arguments: &Copy) -> Result<Exit, Failure> {
    refuse_what_is_not_there(arguments)?;
    let mut done = Report::new();
    let ended = copy(context, arguments, &mut done).await;
    report::conclude(context, &arguments.run, Verb::Copy, done, ended)
}

fn refuse_what_is_not_there(arguments: &Copy) -> Result<(), Failure> {
    if arguments.platform.is_some() {
        return Err(Failure::not_yet("`--platform`"));
    }
    if !arguments.additional_tag.is_empty() {
        return Err(Failure::not_yet("`--additional-tag`").hint("name the second place as a second DST"));
    }
    Ok(())
}

async fn copy(context: &Context, arguments: &Copy, done: &mut Report) -> Result<Exit, Failure> {
    let spec = config::copy(&arguments.source, &arguments.targets, CopyOptions::default())
        .map_err(|error| Failure::usage("the references can't be copied").because(&error))?;
    let manner = Manner::copying(arguments, &spec)?;
    let connections = connect::connect(context, &connect::of_spec(&spec), &manner).await?;
    let surveyed = survey::survey(context, &spec, &connections).await?;
    let exit = execution::carry_out(context, &surveyed.plan, &connections, done).await?;
    if exit == Exit::Done {
        name_copies(context, arguments, &spec, &surveyed.survey)?;
    }
    Ok(exit)
}

/// Says what stands where now, a line per place.
fn name_copies(context: &Context, arguments: &Copy, spec: &Spec, survey: &Survey) -> Result<(), Failure> {
    let Some(digest) = copied(spec, survey) else {
        return Ok(());
    };
    if let Some(path) = &arguments.digestfile {
        files::write_whole(path, digest.to_string().as_bytes()).map_err(|error| {
            Failure::failed(format!("write the digest to {}", path.display())).because(&error)
        })?;
    }
    if arguments.run.format == Format::Json {
        return Ok(());
    }
    let targets = spec
        .mirrors
        .iter()
        .flat_map(|mirror| &mirror.sources)
        .flat_map(|source| &source.targets);
    let lines = targets.map(|target| format!("{}@{digest}\n", target.place));
    context.text(&lines.collect::<String>())
}

/// Finds the digest that was copied, from what the source answered.
fn copied(spec: &Spec, survey: &Survey) -> Option<Digest> {
    let source = spec.mirrors.first()?.sources.first()?;
    let pinned = source.pinned.as_ref()?;
    if let Some(digest) = &pinned.digest {
        return Some(digest.clone());
    }
    let tag = ManifestReference::Tag(pinned.tag.clone()?);
    if let Known::Yes(Answer::Head(Some(found))) =
        survey.answer(&Question::Head(source.place.clone(), tag.clone()))
    {
        return Some(found.digest.clone());
    }
    match survey.answer(&Question::Get(source.place.clone(), tag)) {
        Known::Yes(Answer::Get(Some(found))) => Some(found.digest().clone()),
        _ => None,
    }
}
