//! Surveying: asking registries what the planner wants to know.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, TryStreamExt};
use oci::{Descriptor, Digest, Manifest, ManifestReference, MediaType, Tag};
use planner::survey::Known;
use planner::{
    Answer, Capabilities, Moment, Place, Problem, ProblemKind, Question, RegistryName, Side, Spec, Survey,
};
use provider::{Lister, Listing};
use registry::{ReadRepository, Referrers};
use serde_json::Value;

use crate::fault::{Contact, Fault};
use crate::ledger::STRIKES;
use crate::{Event, Events, ManifestCache, Reader};

/// Asks until the planner knows all it needs. A question that can't be answered is answered with a problem. Ages count back from
/// `now`.
pub async fn survey(
    spec: &Spec,
    capabilities: &BTreeMap<RegistryName, Capabilities>,
    now: Moment,
    reader: &Reader,
    events: &Events,
) -> Survey {
    let sides = Sides::of(spec);
    answer(
        now,
        |survey| planner::questions(spec, capabilities, survey),
        &sides,
        reader,
        events,
    )
    .await
}

/// Asks in rounds until `questions` has none that was not asked before.
async fn answer(
    now: Moment,
    questions: impl Fn(&Survey) -> Vec<Question>,
    sides: &Sides,
    reader: &Reader,
    events: &Events,
) -> Survey {
    let mut survey = Survey::at(now);
    let mut down: BTreeMap<RegistryName, Problem> = BTreeMap::new();
    let mut strikes: BTreeMap<RegistryName, u32> = BTreeMap::new();
    for round in 1.. {
        let unasked = |question: &Question| survey.answer(question) == Known::Unasked;
        let asked: BTreeSet<Question> = questions(&survey).into_iter().filter(unasked).collect();
        if asked.is_empty() {
            break;
        }
        events.send(Event::RoundStarted {
            round,
            questions: asked.len(),
        });
        let mut by_registry: BTreeMap<RegistryName, VecDeque<Question>> = BTreeMap::new();
        for question in asked {
            by_registry
                .entry(question.place().registry.clone())
                .or_default()
                .push_back(question);
        }
        let inquiries = by_registry.into_iter().map(|(registry, questions)| {
            Inquiry {
                down: down.get(&registry).cloned(),
                strikes: strikes.get(&registry).copied().unwrap_or_default(),
                registry,
                sides,
                reader,
                events,
                answers: Vec::new(),
            }
            .ask(questions)
        });
        let mut problems = 0;
        for inquiry in join_all(inquiries).await {
            strikes.insert(inquiry.registry.clone(), inquiry.strikes);
            if let Some(problem) = inquiry.down {
                down.insert(inquiry.registry, problem);
            }
            for (question, answer) in inquiry.answers {
                problems += usize::from(answer.is_err());
                survey.record(question, answer);
            }
        }
        events.send(Event::RoundEnded { round, problems });
    }
    survey
}

/// A question and what was answered.
type Answered = (Question, Result<Answer, Fault>);

/// The questions of one round to one registry.
struct Inquiry<'a> {
    registry: RegistryName,
    sides: &'a Sides,
    reader: &'a Reader,
    events: &'a Events,
    /// Network failures in a row, those of earlier rounds included.
    strikes: u32,
    /// Why the registry is asked nothing more.
    down: Option<Problem>,
    answers: Vec<(Question, Result<Answer, Problem>)>,
}

impl Inquiry<'_> {
    /// Asks as many at once as the registry may be asked. When it turns out to be gone, what is left, and what is under
    /// way, is answered with that: retrying each for itself would take minutes.
    async fn ask(mut self, mut waiting: VecDeque<Question>) -> Self {
        let mut under_way = BTreeSet::new();
        let mut running = FuturesUnordered::new();
        while self.down.is_none() {
            while running.len() < self.reader.concurrency(&self.registry) {
                let questions = self.together(&mut waiting);
                if questions.is_empty() {
                    break;
                }
                under_way.extend(questions.iter().cloned());
                running.push(ask(self.reader, questions));
            }
            let Some(answers) = running.next().await else {
                break;
            };
            for (question, result) in answers {
                under_way.remove(&question);
                let answer = result.map_err(|fault| self.problem(&question, &fault));
                self.note(question, answer);
            }
        }
        drop(running);
        if let Some(problem) = self.down.clone() {
            for question in under_way.into_iter().chain(waiting) {
                self.note(question, Err(problem.clone()));
            }
        }
        self
    }

    /// Takes the next question, with those after it that the vendor answers together with it.
    fn together(&self, waiting: &mut VecDeque<Question>) -> Vec<Question> {
        let Some(first) = waiting.pop_front() else {
            return Vec::new();
        };
        let limit = self
            .reader
            .lister(&self.registry)
            .map_or(1, |(lister, _)| lister.blobs_at_once());
        let alike = |next: &Question| matches!((&first, next), (Question::Blob(place, ..), Question::Blob(other, ..)) if place == other);
        let count = waiting.iter().take_while(|next| alike(next)).count();
        let rest: Vec<Question> = waiting.drain(..count.min(limit.saturating_sub(1))).collect();
        std::iter::once(first).chain(rest).collect()
    }

    fn note(&mut self, question: Question, answer: Result<Answer, Problem>) {
        self.events.send(Event::Answered {
            place: question.place().clone(),
            known: answer.is_ok(),
        });
        self.strikes = if answer.is_ok() { 0 } else { self.strikes };
        self.answers.push((question, answer));
    }

    fn problem(&mut self, question: &Question, fault: &Fault) -> Problem {
        self.strikes += u32::from(fault.kind == ProblemKind::Network);
        if fault.contact == Contact::Failed {
            let error = format!("registry {} can't be reached: {}", self.registry, fault.fact);
            return self.take_down(fault, error);
        }
        if fault.kind == ProblemKind::Network && self.strikes >= STRIKES {
            let error = format!(
                "registry {} failed {STRIKES} times in a row: {}",
                self.registry, fault.fact
            );
            return self.take_down(fault, error);
        }
        let place = question.place();
        Problem {
            registry: place.registry.clone(),
            repository: Some(place.repository.clone()),
            tag: tag(question).cloned(),
            side: self.sides.of_place(place),
            kind: fault.kind,
            error: fault.plain.to_string(),
            hint: fault.hint.as_deref().map(ToOwned::to_owned),
            tags: 0,
        }
    }

    fn take_down(&mut self, fault: &Fault, error: String) -> Problem {
        let problem = Problem {
            registry: self.registry.clone(),
            repository: None,
            tag: None,
            side: self.sides.of_registry(&self.registry),
            kind: fault.kind,
            error,
            hint: fault.hint.as_deref().map(ToOwned::to_owned),
            tags: 0,
        };
        self.down.insert(problem).clone()
    }
}

/// Asks one thing, or several of a kind that the vendor answers together.
async fn ask(reader: &Reader, questions: Vec<Question>) -> Vec<Answered> {
    if let [Question::Blob(place, ..), _, ..] = questions.as_slice()
        && let Some(answers) = ask_together(reader, place, &questions).await
    {
        return answers;
    }
    let answers = questions.into_iter().map(|question| ask_one(reader, question));
    join_all(answers).await
}

/// Asks the vendor which of many blobs stand in a repository; nothing where it has no such question, or not for us.
async fn ask_together(reader: &Reader, place: &Place, questions: &[Question]) -> Option<Vec<Answered>> {
    let (lister, _) = reader.lister(&place.registry)?;
    let blob = |question: &Question| match question {
        Question::Blob(_, digest, _) => Some(digest.clone()),
        _ => None,
    };
    let blobs: Vec<Digest> = questions.iter().filter_map(blob).collect();
    let standing = lister.blobs(&place.repository, &blobs).await.ok()??;
    let answer = |(question, digest): (&Question, &Digest)| {
        (question.clone(), Ok(Answer::Blob(standing.contains(digest))))
    };
    Some(questions.iter().zip(&blobs).map(answer).collect())
}

async fn ask_one(reader: &Reader, question: Question) -> Answered {
    let place = question.place();
    let result = match (reader.repository(place), reader.lister(&place.registry)) {
        (Some(repository), Some(vendor)) => {
            let answer = put(repository.as_ref(), vendor, reader.cache(), &question).await;
            answer.map_err(|error| Fault::of(Side::Source, place, &error))
        }
        _ => {
            let text = format!("no connection to registry {} is configured", place.registry);
            Err(Fault::new(Side::Source, place, ProblemKind::Other, text))
        }
    };
    (question, result)
}

async fn put(
    repository: &dyn ReadRepository,
    (lister, settings): (&dyn Lister, Option<&Value>),
    cache: &ManifestCache,
    question: &Question,
) -> Result<Answer, registry::Error> {
    Ok(match question {
        Question::Tags(_) => Answer::Tags(repository.tags().await?.map(|tags| tags.into_iter().collect())),
        Question::Head(_, reference) => Answer::Head(repository.head_manifest(reference).await?),
        Question::Get(_, reference) => {
            Answer::Get(kept(cache, repository.get_manifest(reference).await?).await)
        }
        Question::Blob(_, digest, size) => Answer::Blob(repository.head_blob(digest).await? == Some(*size)),
        Question::Referrers(_, digest) => Answer::Referrers(match repository.referrers(digest).await? {
            Referrers::List(list) => Some(list),
            Referrers::Unsupported => None,
        }),
        Question::Inventory(place) => match lister.inventory(&place.repository).await? {
            Listing::Inventory(inventory) => Answer::Inventory(Some(inventory)),
            Listing::Absent => Answer::Inventory(None),
            Listing::Unavailable(reason) => Answer::Unlisted(reason),
        },
        Question::Read(_, digest) => Answer::Get(match cache.get(digest).await {
            Some(manifest) => Some(manifest),
            None => kept(cache, repository.get_manifest(&digest.clone().into()).await?).await,
        }),
        Question::Config(_, digest, size) => {
            let config = config(repository, cache, digest, *size).await?;
            Answer::Config(planner::created(&config))
        }
        Question::Repository(place) => {
            Answer::Repository(lister.find_repository(&place.repository, settings).await?)
        }
    })
}

/// Keeps a manifest for later runs.
async fn kept(cache: &ManifestCache, manifest: Option<Manifest>) -> Option<Manifest> {
    if let Some(manifest) = &manifest {
        cache.keep(manifest).await;
    }
    manifest
}

/// Reads a config, from a cache where it was kept.
async fn config(
    repository: &dyn ReadRepository,
    cache: &ManifestCache,
    digest: &Digest,
    size: u64,
) -> Result<Bytes, registry::Error> {
    if let Some(config) = cache.config(digest).await {
        return Ok(config);
    }
    // The media type is not sent, and the size bounds what is read.
    let blob = Descriptor::new(MediaType::OCI_CONFIG, digest.clone(), size);
    let mut config = BytesMut::new();
    let mut body = repository.read_blob(&blob).await?;
    while let Some(bytes) = body.try_next().await? {
        config.extend_from_slice(&bytes);
    }
    let config = config.freeze();
    cache.keep_config(digest, &config).await;
    Ok(config)
}

fn tag(question: &Question) -> Option<&Tag> {
    match question {
        Question::Head(_, ManifestReference::Tag(tag)) | Question::Get(_, ManifestReference::Tag(tag)) => {
            Some(tag)
        }
        _ => None,
    }
}

/// Which places are only read.
#[derive(Debug, Default)]
struct Sides {
    sources: BTreeSet<Place>,
    targets: BTreeSet<Place>,
}

impl Sides {
    fn of(spec: &Spec) -> Self {
        let sources = || spec.mirrors.iter().flat_map(|mirror| &mirror.sources);
        Self {
            sources: sources().map(|source| source.place.clone()).collect(),
            targets: sources()
                .flat_map(|source| &source.targets)
                .map(|target| target.place.clone())
                .collect(),
        }
    }

    fn of_place(&self, place: &Place) -> Side {
        match self.sources.contains(place) && !self.targets.contains(place) {
            true => Side::Source,
            false => Side::Target,
        }
    }

    fn of_registry(&self, registry: &RegistryName) -> Side {
        let at = |place: &Place| place.registry == *registry;
        match self.sources.iter().any(at) && !self.targets.iter().any(at) {
            true => Side::Source,
            false => Side::Target,
        }
    }
}
