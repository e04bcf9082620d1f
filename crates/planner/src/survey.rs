//! The survey: every question that was asked of a registry, and its answer.

use std::collections::{BTreeMap, BTreeSet};

use oci::{Descriptor, Digest, Manifest, ManifestReference, Tag};

use crate::{Inventory, Moment, Place, Problem, Standing};

/// Something to ask a registry. All of them only read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// All tags of a repository.
    Tags(Place),
    /// The descriptor of a manifest (HEAD), by tag or digest.
    Head(Place, ManifestReference),
    /// A manifest (GET), by tag or digest.
    Get(Place, ManifestReference),
    /// What refers to a manifest, by the referrers API.
    Referrers(Place, Digest),
    /// Whether a blob of so many bytes stands in a repository (HEAD). One that was cut off does not.
    Blob(Place, Digest, u64),
    /// Everything in a repository, by the vendor's own listing.
    Inventory(Place),
    /// A manifest that may have been read before: its bytes may come from anywhere.
    Read(Place, Digest),
    /// When an image was made, by its config: the digest and the size in bytes of that.
    Config(Place, Digest, u64),
    /// The repository that a call of the vendor's would make.
    Repository(Place),
}

impl Question {
    /// Returns the place that is asked.
    #[must_use]
    pub fn place(&self) -> &Place {
        match self {
            Self::Tags(place)
            | Self::Head(place, _)
            | Self::Get(place, _)
            | Self::Referrers(place, _)
            | Self::Blob(place, ..)
            | Self::Inventory(place)
            | Self::Read(place, _)
            | Self::Config(place, ..)
            | Self::Repository(place) => place,
        }
    }
}

/// What a registry answered. The variant matches the question's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "manifests are what most answers are")]
pub enum Answer {
    /// The repository's tags; `None` where the repository does not exist.
    Tags(Option<BTreeSet<Tag>>),
    /// The manifest's descriptor; `None` where there is none.
    Head(Option<Descriptor>),
    /// The manifest; `None` where there is none.
    Get(Option<Manifest>),
    /// The referrers; `None` where the registry has no referrers API.
    Referrers(Option<Vec<Descriptor>>),
    /// Whether the blob stands there.
    Blob(bool),
    /// When the image was made; `None` where its config does not say so.
    Config(Option<Moment>),
    /// What the vendor lists; `None` where the repository does not exist.
    Inventory(Option<Inventory>),
    /// The vendor lists nothing, or not to us, and perhaps why: the protocol's own listing is asked.
    Unlisted(Option<String>),
    /// The repository as the vendor describes it; `None` where it does not exist.
    Repository(Option<Standing>),
}

/// What is known of the registries, and since when.
#[derive(Clone, Debug)]
pub struct Survey {
    at: Moment,
    answers: BTreeMap<Question, Result<Answer, Problem>>,
}

/// How much is known about one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known<'a, T> {
    /// The registry said so.
    Yes(T),
    /// The registry could not say.
    Failed(&'a Problem),
    /// Nobody asked yet.
    Unasked,
}

impl Survey {
    /// Begins a survey. Ages count back from `now`, however long it takes.
    #[must_use]
    pub fn at(now: Moment) -> Self {
        Self {
            at: now,
            answers: BTreeMap::new(),
        }
    }

    /// Returns the moment that ages count back from.
    #[must_use]
    pub fn moment(&self) -> Moment {
        self.at
    }

    /// Records the answer to a question.
    pub fn record(&mut self, question: Question, answer: Result<Answer, Problem>) {
        self.answers.insert(question, answer);
    }

    /// Returns how many questions were answered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Returns true where nothing was asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// Returns what was answered to `question`.
    #[must_use]
    pub fn answer(&self, question: &Question) -> Known<'_, &Answer> {
        match self.answers.get(question) {
            Some(Ok(answer)) => Known::Yes(answer),
            Some(Err(problem)) => Known::Failed(problem),
            None => Known::Unasked,
        }
    }

    /// Returns every question and its answer, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Question, &Result<Answer, Problem>)> {
        self.answers.iter()
    }
}
