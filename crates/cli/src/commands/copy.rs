//! `transship copy`.

use std::collections::BTreeSet;
use std::path::Path;

use oci::{AttachmentTag, Digest, ManifestReference, Platform};
use planner::config::{self, CopyOptions};
use planner::survey::Known;
use planner::{Answer, Op, Place, Plan, Question, Side, Spec, Survey};
use transfer::{Change, Connections, Report};

use crate::arguments::{Copy, Format};
use crate::connect::{self, Manner};
use crate::context::Context;
use crate::execution;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::platform;
use crate::reference;
use crate::report::{self, Verb};
use crate::survey;

/// Copies one artifact with its attachments to one or many places.
///
/// # Errors
/// References that are none (64), a platform that is not there, a signal.
pub(crate) async fn run(context: &Context, arguments: &Copy) -> Result<Exit, Failure> {
    report::can_be_written(&arguments.run)?;
    let mut done = Report::new();
    let ended = copy(context, arguments, &mut done).await;
    report::conclude(context, &arguments.run, Verb::Copy, done, ended)
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
    let Some(digest) = copied(&spec, &surveyed.survey) else {
        return Ok(exit);
    };
    if let (Exit::Done, Some(path)) = (exit, &arguments.digestfile) {
        keep(path, &digest)?;
    }
    if arguments.run.format == Format::Text && done.stopped_by.is_none() {
        context.text(&copies(&spec, &surveyed.plan, &digest, done))?;
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
        let image = platform::choose(&*repository, text, root, platform).await?;
        Ok::<_, Failure>((index, image.digest().clone()))
    };
    let (index, image) = context.unless_interrupted(chosen).await??;
    if index == image {
        return Ok(None);
    }
    context.terminal.say(&format!(
        "Copying {image} alone, the image for {platform}. What is attached to its index {index} stays behind."
    ));
    Ok(Some(image))
}

fn keep(path: &Path, digest: &Digest) -> Result<(), Failure> {
    files::write_whole(path, digest.to_string().as_bytes()).map_err(|error| {
        Failure::failed(format!("can't write the digest to {}", path.display())).because(&error)
    })
}

/// Says what stands where now, a line per place where nothing went wrong.
fn copies(spec: &Spec, plan: &Plan, digest: &Digest, done: &Report) -> String {
    let targets = spec
        .mirrors
        .iter()
        .flat_map(|mirror| &mirror.sources)
        .flat_map(|source| &source.targets)
        .map(|target| &target.place);
    // A place with several tags is still one place.
    let stand: BTreeSet<&Place> = targets.filter(|place| !went_wrong(place, plan, done)).collect();
    let lines = stand.into_iter().filter_map(|place| {
        let name = spec
            .registries
            .get(&place.registry)?
            .endpoint
            .name(&place.repository);
        Some(format!("{name}@{digest}\n"))
    });
    lines.collect()
}

fn went_wrong(place: &Place, plan: &Plan, done: &Report) -> bool {
    let failed = done.failures.iter().any(|failure| failure.place() == *place);
    failed
        || may_share_a_failure(place, plan, done)
        || done.blocked.iter().any(|problem| {
            let all = problem
                .repository
                .as_ref()
                .is_none_or(|name| *name == place.repository);
            problem.side == Side::Source || problem.registry == place.registry && all
        })
}

/// A root cause is named where it was met first. Tells whether one of the registry's may concern this place too: unless
/// all of its tags were written.
fn may_share_a_failure(place: &Place, plan: &Plan, done: &Report) -> bool {
    let here = |op: &&Op| op.at.iter().any(|at| at.place() == *place);
    let mut tags = plan
        .ops
        .iter()
        .filter(here)
        .filter_map(|op| op.tag.as_ref())
        .filter(|tag| AttachmentTag::scheme(tag).is_none())
        .peekable();
    let is_written = |tag| {
        let is_change = |change: &Change| {
            (&change.registry, &change.repository, &change.tag) == (&place.registry, &place.repository, tag)
        };
        done.changes.iter().any(is_change)
    };
    let failed = |failure: &transfer::Failure| failure.registry == place.registry;
    plan.ops.iter().any(|op| here(&op))
        && done.failures.iter().any(failed)
        && (tags.peek().is_none() || !tags.all(is_written))
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
