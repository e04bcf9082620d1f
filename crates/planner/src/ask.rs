//! Asking the survey: what is not answered yet becomes a question.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use oci::{Descriptor, Digest, Manifest, ManifestReference, Tag};

use crate::stock::Stock;
use crate::survey::Known;
use crate::{
    Answer, Capabilities, Creation, Listing, Moment, Place, Problem, ProblemKind, Question, RegistryName,
    Side, Standing, Survey,
};

/// Why a thing is not known.
#[derive(Clone, Debug)]
pub(crate) enum Gap {
    /// It was not asked yet: the question is noted.
    Pending,
    /// It can't be known or had.
    Blocked(Box<Problem>),
}

pub(crate) type Answered<T> = Result<T, Gap>;

/// Keeps the worse of two gaps: what is blocked stays blocked, whatever else is pending.
pub(crate) fn both(first: Answered<()>, second: Answered<()>) -> Answered<()> {
    match (first, second) {
        (Err(Gap::Blocked(problem)), _) | (_, Err(Gap::Blocked(problem))) => Err(Gap::Blocked(problem)),
        (Err(Gap::Pending), _) | (_, Err(Gap::Pending)) => Err(Gap::Pending),
        (Ok(()), Ok(())) => Ok(()),
    }
}

/// Reads the survey and notes what it does not hold.
pub(crate) struct Ask<'a> {
    survey: &'a Survey,
    capabilities: &'a BTreeMap<RegistryName, Capabilities>,
    manifests: HashMap<&'a Digest, &'a Manifest>,
    referrers_api: BTreeMap<&'a RegistryName, bool>,
    /// Registries that failed to say whether they have the referrers API: asking one at a time finds out nothing.
    silent: BTreeSet<&'a RegistryName>,
    stocks: HashMap<&'a Place, Stock<'a>>,
    questions: BTreeSet<Question>,
    probing: BTreeSet<RegistryName>,
}

impl<'a> Ask<'a> {
    pub(crate) fn new(survey: &'a Survey, capabilities: &'a BTreeMap<RegistryName, Capabilities>) -> Self {
        let mut manifests = HashMap::new();
        let mut referrers_api = BTreeMap::new();
        let mut silent = BTreeSet::new();
        let mut inventories = Vec::new();
        for (question, answer) in survey.iter() {
            match answer {
                Ok(Answer::Get(Some(manifest))) => {
                    manifests.insert(manifest.digest(), manifest);
                }
                Ok(Answer::Referrers(list)) => {
                    *referrers_api.entry(&question.place().registry).or_insert(false) |= list.is_some();
                }
                Err(_) if matches!(question, Question::Referrers(..)) => {
                    silent.insert(&question.place().registry);
                }
                Ok(Answer::Inventory(Some(inventory))) => inventories.push((question.place(), inventory)),
                _ => {}
            }
        }
        let stocks = inventories
            .into_iter()
            .map(|(place, inventory)| (place, Stock::new(inventory, &manifests)))
            .collect();
        Self {
            survey,
            capabilities,
            manifests,
            referrers_api,
            silent,
            stocks,
            questions: BTreeSet::new(),
            probing: BTreeSet::new(),
        }
    }

    pub(crate) fn into_questions(self) -> BTreeSet<Question> {
        self.questions
    }

    pub(crate) fn capabilities(&self, registry: &RegistryName) -> Capabilities {
        self.capabilities.get(registry).cloned().unwrap_or_default()
    }

    /// The moment that ages count back from.
    pub(crate) fn moment(&self) -> Moment {
        self.survey.moment()
    }

    fn ask(&mut self, question: Question) -> Answered<&'a Answer> {
        match self.survey.answer(&question) {
            Known::Yes(answer) => Ok(answer),
            Known::Failed(problem) => Err(Gap::Blocked(Box::new(problem.clone()))),
            Known::Unasked => {
                self.questions.insert(question);
                Err(Gap::Pending)
            }
        }
    }

    /// What the vendor's listing says of a repository, once it was asked.
    fn stock(&self, place: &Place) -> Option<&Stock<'a>> {
        self.stocks.get(place)
    }

    /// Why a repository is listed tag by tag although its vendor lists whole ones; `None` where that is not so.
    pub(crate) fn unlisted(&self, place: &Place) -> Option<&'a str> {
        match self.survey.answer(&Question::Inventory(place.clone())) {
            Known::Yes(Answer::Unlisted(reason)) => reason.as_deref(),
            _ => None,
        }
    }

    /// Says whether the vendor's listing says that a tag can't be moved.
    pub(crate) fn is_locked(&self, place: &Place, tag: &Tag) -> bool {
        self.stock(place)
            .is_some_and(|stock| stock.inventory().is_locked(tag))
    }

    /// Says why a tag that stands at `place` can't be moved, where that is known.
    pub(crate) fn immovable(&mut self, place: &Place, tag: &Tag) -> Answered<Option<&'static str>> {
        if self.is_locked(place, tag) {
            return Ok(Some("is locked"));
        }
        let capabilities = self.capabilities(&place.registry);
        if capabilities.creation != Creation::Call {
            return Ok(None);
        }
        let standing = self.repository(&capabilities.unit(place))?;
        let holds = standing.is_some_and(|standing| standing.immutable.holds(tag.as_str()));
        Ok(holds.then_some("the repository's tags are immutable"))
    }

    /// The repository that a call of the vendor's would make; `None` where it does not exist.
    pub(crate) fn repository(&mut self, place: &Place) -> Answered<Option<&'a Standing>> {
        match self.ask(Question::Repository(place.clone()))? {
            Answer::Repository(standing) => Ok(standing.as_ref()),
            _ => Err(mismatched(place)),
        }
    }

    /// All tags of a repository; `None` where it does not exist.
    pub(crate) fn tags(&mut self, place: &Place) -> Answered<Option<&'a BTreeSet<Tag>>> {
        if self.capabilities(&place.registry).listing == Listing::Inventory {
            match self.ask(Question::Inventory(place.clone()))? {
                Answer::Inventory(inventory) => return Ok(inventory.as_ref().map(crate::Inventory::names)),
                Answer::Unlisted(_) => {}
                _ => return Err(mismatched(place)),
            }
        }
        match self.ask(Question::Tags(place.clone()))? {
            Answer::Tags(tags) => Ok(tags.as_ref()),
            _ => Err(mismatched(place)),
        }
    }

    /// The descriptor of a manifest, from whatever request learnt it.
    pub(crate) fn head(
        &mut self,
        place: &Place,
        reference: impl Into<ManifestReference>,
    ) -> Answered<Option<Descriptor>> {
        let reference = reference.into();
        let get = Question::Get(place.clone(), reference.clone());
        if let Known::Yes(Answer::Get(manifest)) = self.survey.answer(&get) {
            return Ok(manifest.as_ref().map(Manifest::descriptor));
        }
        if let Some(listed) = self.stock(place).and_then(|stock| stock.head(&reference)) {
            return Ok(listed);
        }
        match self.ask(Question::Head(place.clone(), reference))? {
            Answer::Head(descriptor) => Ok(descriptor.clone()),
            _ => Err(mismatched(place)),
        }
    }

    /// A manifest by tag.
    pub(crate) fn get(&mut self, place: &Place, tag: &Tag) -> Answered<Option<&'a Manifest>> {
        if let Some(stock) = self.stock(place) {
            return match stock.inventory().tags().get(tag) {
                Some(digest) => self.manifest(place, digest),
                None => Ok(None),
            };
        }
        let head = Question::Head(place.clone(), tag.clone().into());
        if let Known::Yes(Answer::Head(Some(found))) = self.survey.answer(&head)
            && let Some(manifest) = self.known(&found.digest)
        {
            return Ok(Some(manifest));
        }
        match self.ask(Question::Get(place.clone(), tag.clone().into()))? {
            Answer::Get(manifest) => Ok(manifest.as_ref()),
            _ => Err(mismatched(place)),
        }
    }

    /// A manifest by digest; its bytes are the same wherever they were read.
    pub(crate) fn manifest(&mut self, place: &Place, digest: &Digest) -> Answered<Option<&'a Manifest>> {
        if let Some(manifest) = self.known(digest) {
            return Ok(Some(manifest));
        }
        // What is not listed may come all the same: a cache in front of another registry fetches it when it is asked.
        let question = match self.stock(place).and_then(|stock| stock.holds(digest)) {
            Some(true) => Question::Read(place.clone(), digest.clone()),
            Some(false) | None => Question::Get(place.clone(), digest.clone().into()),
        };
        match self.ask(question)? {
            Answer::Get(manifest) => Ok(manifest.as_ref()),
            _ => Err(mismatched(place)),
        }
    }

    /// Says whether a manifest stands at `place`, wherever its bytes were read. What was not read anywhere is read there.
    pub(crate) fn holds(&mut self, place: &Place, digest: &Digest) -> Answered<bool> {
        match self.known(digest) {
            None => self.manifest(place, digest).map(|manifest| manifest.is_some()),
            Some(_) => self
                .head(place, digest.clone())
                .map(|descriptor| descriptor.is_some()),
        }
    }

    /// A manifest by digest that is known to stand at `place`, from wherever it was kept.
    pub(crate) fn kept(&mut self, place: &Place, digest: &Digest) -> Answered<Option<&'a Manifest>> {
        if let Some(manifest) = self.known(digest) {
            return Ok(Some(manifest));
        }
        match self.ask(Question::Read(place.clone(), digest.clone()))? {
            Answer::Get(manifest) => Ok(manifest.as_ref()),
            _ => Err(mismatched(place)),
        }
    }

    /// When an image was made, by its config; `None` where that does not say so.
    pub(crate) fn config(&mut self, place: &Place, config: &Descriptor) -> Answered<Option<Moment>> {
        match self.ask(Question::Config(
            place.clone(),
            config.digest.clone(),
            config.size,
        ))? {
            Answer::Config(made) => Ok(*made),
            _ => Err(mismatched(place)),
        }
    }

    /// A manifest that was read already.
    pub(crate) fn known(&self, digest: &Digest) -> Option<&'a Manifest> {
        self.manifests.get(digest).copied()
    }

    /// Says whether a blob of so many bytes stands.
    pub(crate) fn blob(&mut self, place: &Place, digest: &Digest, size: u64) -> Answered<bool> {
        match self.ask(Question::Blob(place.clone(), digest.clone(), size))? {
            Answer::Blob(stands) => Ok(*stands),
            _ => Err(mismatched(place)),
        }
    }

    /// Says whether a registry is known to have the referrers API.
    pub(crate) fn has_referrers_api(&self, registry: &RegistryName) -> bool {
        let declared = self.capabilities(registry).referrers_api;
        declared.or(self.referrers_api.get(registry).copied()) == Some(true)
    }

    /// What refers to a manifest by the referrers API; `None` where the registry has none.
    ///
    /// One question finds out whether a registry has the API; the others wait for its answer.
    pub(crate) fn referrers(&mut self, place: &Place, subject: &Digest) -> Answered<Option<Vec<Descriptor>>> {
        let registry = &place.registry;
        match self
            .capabilities(registry)
            .referrers_api
            .or(self.referrers_api.get(registry).copied())
        {
            Some(false) => return Ok(None),
            Some(true) => {}
            None => {
                let question = Question::Referrers(place.clone(), subject.clone());
                let probes =
                    self.survey.answer(&question) == Known::Unasked && !self.silent.contains(registry);
                if probes && !self.probing.insert(registry.clone()) {
                    return Err(Gap::Pending);
                }
            }
        }
        match self.ask(Question::Referrers(place.clone(), subject.clone()))? {
            Answer::Referrers(list) => Ok(list.clone()),
            _ => Err(mismatched(place)),
        }
    }

    /// What refers to a manifest, by a listing that tells all of it.
    pub(crate) fn listed_referrers(&self, place: &Place, subject: &Digest) -> Vec<Descriptor> {
        let stock = self.stock(place);
        stock.map(|stock| stock.referrers(subject)).unwrap_or_default()
    }

    /// Says whether a manifest that refers to another is known to do so at `place`: it stands there, and the registry keeps
    /// the list of what refers to what. `None` where no listing tells.
    pub(crate) fn refers_there(&self, place: &Place, referrer: &Digest) -> Option<bool> {
        let stock = self
            .stock(place)
            .filter(|_| self.has_referrers_api(&place.registry))?;
        stock.inventory().manifests()?;
        stock.holds(referrer)
    }

    /// Finds out whether the vendor's listing of a source tells what is attached to its `roots` roots.
    ///
    /// A listing that does not tell subjects is completed by reading what it lists, but for what is `spared`: once, as manifests
    /// never change. Where that would be dearer than asking, or something listed can't be read, referrers are asked for.
    pub(crate) fn telling(&mut self, place: &Place, roots: usize, spared: &BTreeSet<Digest>) -> Telling {
        let has_api = self.has_referrers_api(&place.registry);
        let Some(stock) = self.stock(place).filter(|_| has_api) else {
            return Telling::Asked;
        };
        let Some(unread) = stock.unread(roots, spared) else {
            return Telling::Asked;
        };
        let mut telling = Telling::Listed;
        for digest in unread {
            match self.manifest(place, digest) {
                Ok(_) => {}
                Err(Gap::Pending) => telling = Telling::Pending,
                Err(Gap::Blocked(_)) => return Telling::Asked,
            }
        }
        telling
    }

    /// What a tag stands at, where a listing tells without a question.
    pub(crate) fn listed(&self, place: &Place, tag: &Tag) -> Option<&'a Digest> {
        self.stock(place)?.inventory().tags().get(tag)
    }
}

/// How it is known what is attached to the roots of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// By its listing.
    Listed,
    /// By its listing, once more of it is read.
    Pending,
    /// By asking for each.
    Asked,
}

fn mismatched(place: &Place) -> Gap {
    Gap::Blocked(Box::new(Problem {
        registry: place.registry.clone(),
        repository: Some(place.repository.clone()),
        tag: None,
        side: Side::Source,
        kind: ProblemKind::Other,
        error: "the survey holds an answer to another question".to_owned(),
        hint: None,
        tags: 0,
    }))
}
