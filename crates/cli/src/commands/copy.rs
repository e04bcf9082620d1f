//! `transship copy`.

use std::path::Path;

use oci::{Digest, ManifestReference};
use planner::config::{self, CopyOptions};
use planner::spec::Endpoint;
use planner::survey::Known;
use planner::{Answer, Place, Question, Side, Spec, Survey};
use transfer::Report;

use crate::arguments::{Copy, Format};
use crate::connect::{self, Manner};
use crate::context::Context;
use crate::execution;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::reference;
use crate::report::{self, Verb};
use crate::survey;

/// Copies one artifact with its attachments to one or many places.
///
/// # Errors
/// References that are none and flags that are not there yet (64), a signal.
pub(crate) async fn run(context: &Context, arguments: &Copy) -> Result<Exit, Failure> {
    refuse_what_is_not_there(arguments)?;
    report::can_be_written(&arguments.run)?;
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
    let source = reference::only_entry(&arguments.source)?;
    let spec = config::copy(&source, &arguments.targets, CopyOptions::default())
        .map_err(|error| reference::refused(&error))?;
    let manner = Manner::copying(arguments, &spec)?;
    let connections = connect::connect(context, &connect::of_spec(&spec), &manner).await?;
    let surveyed = survey::survey(context, &spec, &[], &connections).await?;
    let exit = execution::carry_out(context, &surveyed.plan, &connections, done).await?;
    let Some(digest) = copied(&spec, &surveyed.survey) else {
        return Ok(exit);
    };
    if let (Exit::Done, Some(path)) = (exit, &arguments.digestfile) {
        keep(path, &digest)?;
    }
    if arguments.run.format == Format::Text && done.stopped_by.is_none() {
        context.text(&copies(&spec, &digest, done))?;
    }
    Ok(exit)
}

fn keep(path: &Path, digest: &Digest) -> Result<(), Failure> {
    files::write_whole(path, digest.to_string().as_bytes()).map_err(|error| {
        Failure::failed(format!("can't write the digest to {}", path.display())).because(&error)
    })
}

/// Says what stands where now, a line per place where nothing went wrong.
fn copies(spec: &Spec, digest: &Digest, done: &Report) -> String {
    let targets = spec
        .mirrors
        .iter()
        .flat_map(|mirror| &mirror.sources)
        .flat_map(|source| &source.targets)
        .map(|target| &target.place);
    let stand = targets.filter(|place| !went_wrong(place, done));
    let lines = stand.filter_map(|place| {
        let name = match &spec.registries.get(&place.registry)?.endpoint {
            Endpoint::Host(host) => format!("{host}/{}", place.repository),
            Endpoint::Layout(path) => format!("oci:{path}"),
        };
        Some(format!("{name}@{digest}\n"))
    });
    lines.collect()
}

fn went_wrong(place: &Place, done: &Report) -> bool {
    let failed = done.failures.iter().any(|failure| failure.place() == *place);
    failed
        || done.blocked.iter().any(|problem| {
            let all = problem
                .repository
                .as_ref()
                .is_none_or(|name| *name == place.repository);
            problem.side == Side::Source || problem.registry == place.registry && all
        })
}

/// Finds the digest that was copied, from what the source answered.
fn copied(spec: &Spec, survey: &Survey) -> Option<Digest> {
    let source = spec.mirrors.first()?.sources.first()?;
    let pinned = source.pinned.as_ref()?;
    if let Some(digest) = &pinned.digest {
        return Some(digest.clone());
    }
    let tag = pinned.tag.clone()?;
    let answer = |question| match survey.answer(&question) {
        Known::Yes(answer) => Some(answer),
        Known::Failed(_) | Known::Unasked => None,
    };
    let (place, reference) = (source.place.clone(), ManifestReference::Tag(tag.clone()));
    let questions = [
        Question::Head(place.clone(), reference.clone()),
        Question::Get(place.clone(), reference),
        Question::Inventory(place),
    ];
    questions
        .into_iter()
        .find_map(|question| match answer(question)? {
            Answer::Head(found) => found.as_ref().map(|found| found.digest.clone()),
            Answer::Get(found) => found.as_ref().map(|found| found.digest().clone()),
            Answer::Inventory(found) => found.as_ref()?.tags().get(&tag).cloned(),
            _ => None,
        })
}
