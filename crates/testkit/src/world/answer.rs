//! What registries answer.

use std::collections::BTreeMap;

use oci::{Digest, Manifest, ManifestReference, RepositoryName};
use planner::survey::Known;
use planner::{
    Answer, Capabilities, Inventory, Listed, Moment, Place, Plan, Problem, ProblemKind, Question,
    RegistryName, Side, Spec, Standing, Subject, Survey,
};

use super::{Inventories, ModelRegistry, ModelRepository, State, Untagged, World};

/// More rounds than any survey of a small world needs: each goes one step down the content graph.
const ROUNDS: usize = 64;

impl World {
    /// Answers a question.
    ///
    /// # Errors
    /// A registry that is down, unknown or refuses.
    pub fn answer(&self, question: &Question) -> Result<Answer, Problem> {
        let place = question.place();
        let registry = self
            .registries
            .get(&place.registry)
            .ok_or_else(|| problem(place, ProblemKind::Other, "there is no such registry"))?;
        if registry.options.state == State::Down {
            return Err(problem(place, ProblemKind::Network, "no answer"));
        }
        if registry.unreadable.contains(&place.repository) {
            return Err(problem(place, ProblemKind::Permission, "pull is denied"));
        }
        let repository = registry.repositories.get(&place.repository);
        Ok(registry.answer(repository, &self.made, question))
    }

    /// Surveys everything that the planner asks for.
    ///
    /// # Panics
    /// Where the planner asks for ever, asks again what was answered, or asks for the content of a repository that it
    /// was told does not exist.
    #[must_use]
    pub fn survey(&self, spec: &Spec, capabilities: &BTreeMap<RegistryName, Capabilities>) -> Survey {
        let mut survey = Survey::at(self.now);
        for _ in 0..ROUNDS {
            let questions = planner::questions(spec, capabilities, &survey);
            if questions.is_empty() {
                return survey;
            }
            for question in questions {
                assert_eq!(
                    survey.answer(&question),
                    Known::Unasked,
                    "asked twice: {question:?}"
                );
                let place = question.place();
                let listings = [Question::Tags(place.clone()), Question::Inventory(place.clone())];
                let absent = listings.iter().any(|listing| {
                    let answer = survey.answer(listing);
                    matches!(answer, Known::Yes(Answer::Tags(None) | Answer::Inventory(None)))
                });
                // A registry that is named as a resource may refuse what does not stand there yet.
                let named = |name| spec.registries.get(name)?.connection.resource_id.as_ref();
                let refusable =
                    matches!(question, Question::Repository(_)) && named(&place.registry).is_some();
                // What is named by its digest may stand in a repository that is not listed for want of a tag.
                let by_digest = matches!(question, Question::Head(_, ManifestReference::Digest(_)));
                let vain = absent && !refusable && !by_digest && !self.hides(place);
                assert!(!vain, "asked in vain: {question:?}");
                let answer = self.answer(&question);
                survey.record(question, answer);
            }
        }
        panic!("the survey does not end");
    }

    /// Says whether a repository stands that is listed as absent.
    fn hides(&self, place: &Place) -> bool {
        let registry = self.registries.get(&place.registry);
        let absent = registry.is_some_and(|registry| registry.options.untagged == Untagged::Absent);
        absent && self.at(place).is_some()
    }

    /// Surveys and plans. The plan is as the planner made it: unchecked.
    #[must_use]
    pub fn plan(&self, spec: &Spec) -> Plan {
        let capabilities = self.capabilities();
        planner::plan(spec, &capabilities, &self.survey(spec, &capabilities))
    }
}

impl ModelRegistry {
    fn answer(
        &self,
        repository: Option<&ModelRepository>,
        made: &BTreeMap<Digest, Moment>,
        question: &Question,
    ) -> Answer {
        match question {
            Question::Tags(_) => {
                let listed = |repository: &&ModelRepository| {
                    self.options.untagged == Untagged::Empty || !repository.tags.is_empty()
                };
                let tags = |repository: &ModelRepository| repository.tags.keys().cloned().collect();
                Answer::Tags(repository.filter(listed).map(tags))
            }
            Question::Head(_, reference) => Answer::Head(
                repository
                    .and_then(|repository| repository.find(reference))
                    .map(Manifest::descriptor),
            ),
            Question::Get(_, reference) => Answer::Get(
                repository
                    .and_then(|repository| repository.find(reference))
                    .cloned(),
            ),
            Question::Referrers(_, subject) => {
                let listed = || repository.map(|repository| repository.referrers(subject));
                Answer::Referrers(
                    self.options
                        .has_referrers_api()
                        .then(|| listed().unwrap_or_default()),
                )
            }
            Question::Inventory(_) => match (self.options.inventory, repository) {
                (Inventories::None | Inventories::Refused, _) => {
                    Answer::Unlisted(Some("it is not listed".to_owned()))
                }
                (_, None) => Answer::Inventory(None),
                (told, Some(repository)) => Answer::Inventory(Some(repository.inventory(told))),
            },
            Question::Read(_, digest) => {
                Answer::Get(repository.and_then(|repository| repository.manifests.get(digest).cloned()))
            }
            Question::Repository(place) => Answer::Repository(self.standing(&place.repository)),
            Question::Config(_, digest, _) => Answer::Config(made.get(digest).copied()),
            Question::Blob(_, digest, size) => {
                Answer::Blob(repository.is_some_and(|repository| repository.blobs.get(digest) == Some(size)))
            }
        }
    }
}

impl ModelRegistry {
    fn standing(&self, unit: &RepositoryName) -> Option<Standing> {
        let stands = self.repositories.contains_key(unit);
        self.units
            .get(unit)
            .cloned()
            .or_else(|| stands.then(Standing::default))
    }
}

impl ModelRepository {
    fn inventory(&self, told: Inventories) -> Inventory {
        let subject = |manifest: &Manifest| match (told, manifest.subject()) {
            (Inventories::Told, Some(subject)) => Subject::Of(subject.digest.clone()),
            (Inventories::Told, None) => Subject::None,
            _ => Subject::Untold,
        };
        let listed = |manifest: &Manifest| Listed {
            media_type: Some(manifest.media_type().clone()),
            subject: subject(manifest),
        };
        let manifests = self.manifests.iter();
        match told {
            Inventories::Tags => Inventory::of_tags(self.tags.clone()),
            _ => Inventory::whole(
                self.tags.clone(),
                manifests
                    .map(|(digest, manifest)| (digest.clone(), listed(manifest)))
                    .collect(),
            ),
        }
    }

    /// Returns a manifest by tag or digest.
    #[must_use]
    pub fn find(&self, reference: &ManifestReference) -> Option<&Manifest> {
        match reference {
            ManifestReference::Tag(tag) => self.manifests.get(self.tags.get(tag)?),
            ManifestReference::Digest(digest) => self.manifests.get(digest),
        }
    }
}

fn problem(place: &Place, kind: ProblemKind, error: &str) -> Problem {
    Problem {
        registry: place.registry.clone(),
        repository: Some(place.repository.clone()),
        tag: None,
        side: Side::Source,
        kind,
        error: error.to_owned(),
        hint: None,
        tags: 0,
    }
}
