//! What a copy came to: where the artifact stands now, and where it does not.

use std::collections::BTreeSet;

use oci::{Digest, ManifestReference, RepositoryName, Tag};
use planner::spec::{Registry, Source, Target};
use planner::survey::Known;
use planner::{Answer, Op, OpKind, Place, Plan, Question, Survey};
use transfer::Report;

use crate::survey::Surveyed;

/// Where the artifact stands after the run.
#[derive(Debug)]
pub(crate) struct Copies {
    /// The artifact.
    pub(super) digest: Digest,
    /// The targets where it has no tag.
    pub(super) untagged: Vec<String>,
    /// The targets that went without, as references.
    pub(super) missing: Vec<String>,
    /// The repositories where it stands. One with several tags is still one.
    stand: BTreeSet<String>,
}

impl Copies {
    /// Looks which targets have the artifact; nothing where the source did not say what it is.
    pub(super) fn new(surveyed: &Surveyed, report: &Report) -> Option<Self> {
        let Surveyed {
            spec, survey, plan, ..
        } = surveyed;
        let source = spec.mirrors.first()?.sources.first()?;
        let digest = selected(source, survey)?;
        let mut copies = Self {
            digest,
            untagged: Vec::new(),
            missing: Vec::new(),
            stand: BTreeSet::new(),
        };
        for target in &source.targets {
            let place = &target.place;
            let registry = spec.registries.get(&place.registry)?;
            let tag = tag_at(target, source);
            if stands(&copies.digest, place, tag.as_ref(), survey, plan, report) {
                let name = registry.endpoint.name(&place.repository);
                if tag.is_none() {
                    copies.untagged.push(name.clone());
                }
                copies.stand.insert(name);
            } else {
                copies
                    .missing
                    .push(name(registry, &place.repository, tag.as_ref()));
            }
        }
        Some(copies)
    }

    /// Lays out a line for every repository where the artifact stands.
    pub(super) fn lines(&self) -> String {
        let line = |name: &String| format!("{name}@{}\n", self.digest);
        self.stand.iter().map(line).collect()
    }
}

/// Writes a target as it is written on the command line.
fn name(registry: &Registry, repository: &RepositoryName, tag: Option<&Tag>) -> String {
    let place = registry.endpoint.name(repository);
    let is_bare = registry.connection.bare.as_ref() == Some(repository);
    match (registry.endpoint.layout(), tag) {
        (Some(_), Some(tag)) if !is_bare => format!("{place}:{repository}:{tag}"),
        (_, Some(tag)) => format!("{place}:{tag}"),
        (_, None) => place,
    }
}

fn tag_at(target: &Target, source: &Source) -> Option<Tag> {
    match &target.tag {
        Some(tag) => tag.parse().ok(),
        None => source.pinned.as_ref()?.tag.clone(),
    }
}

/// Finds the digest that was to be copied, from what the source answered.
fn selected(source: &Source, survey: &Survey) -> Option<Digest> {
    let pinned = source.pinned.as_ref()?;
    match &pinned.digest {
        Some(digest) => Some(digest.clone()),
        None => answered(&source.place, pinned.tag.clone()?, survey),
    }
}

/// Says whether the artifact stands at a target: the run has put it there, or nothing was left to do.
fn stands(
    digest: &Digest,
    place: &Place,
    tag: Option<&Tag>,
    survey: &Survey,
    plan: &Plan,
    report: &Report,
) -> bool {
    let brings = |op: &&Op| {
        let it = match tag {
            Some(_) => op.kind == OpKind::PutTag && op.tag.as_ref() == tag,
            None => {
                matches!(op.kind, OpKind::PutManifest | OpKind::ImportImage)
                    && op.digest.as_ref() == Some(digest)
            }
        };
        it && op.at.iter().any(|at| at.place() == *place)
    };
    match plan.ops.iter().find(brings) {
        Some(op) => report.achieved.contains(&(op.id.clone(), place.clone())),
        None => {
            let reference = match tag {
                Some(tag) => ManifestReference::Tag(tag.clone()),
                None => ManifestReference::Digest(digest.clone()),
            };
            answered(place, reference, survey).as_ref() == Some(digest)
        }
    }
}

/// Finds what stood at a reference when it was asked for.
fn answered(place: &Place, reference: impl Into<ManifestReference>, survey: &Survey) -> Option<Digest> {
    let reference = reference.into();
    let answer = |question| match survey.answer(&question) {
        Known::Yes(answer) => Some(answer),
        Known::Failed(_) | Known::Unasked => None,
    };
    let questions = [
        Question::Head(place.clone(), reference.clone()),
        Question::Get(place.clone(), reference.clone()),
        Question::Inventory(place.clone()),
    ];
    questions
        .into_iter()
        .find_map(|question| match (answer(question)?, &reference) {
            (Answer::Head(found), _) => found.as_ref().map(|found| found.digest.clone()),
            (Answer::Get(found), _) => found.as_ref().map(|found| found.digest().clone()),
            (Answer::Inventory(found), ManifestReference::Tag(tag)) => {
                found.as_ref()?.tags().get(tag).cloned()
            }
            (Answer::Inventory(found), ManifestReference::Digest(digest)) => {
                let held = found.as_ref()?.manifests()?.contains_key(digest);
                held.then(|| digest.clone())
            }
            _ => None,
        })
}
