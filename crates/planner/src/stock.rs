//! An inventory made ready for questions.

use std::collections::{BTreeSet, HashMap};

use oci::{Descriptor, Digest, Manifest, ManifestReference, MediaType};

use crate::{Inventory, Listed, Subject};

/// Reading a manifest once is worth so many questions for referrers, which each plan asks anew.
const READS_PER_QUESTION: usize = 4;

/// An inventory, and what is known beyond it of the manifests it lists.
pub(crate) struct Stock<'a> {
    inventory: &'a Inventory,
    referrers: HashMap<&'a Digest, Vec<Descriptor>>,
    /// Listed without what they are attached to, and not read yet.
    untold: Vec<&'a Digest>,
    tagged: BTreeSet<&'a Digest>,
}

impl<'a> Stock<'a> {
    /// Takes an inventory, and the manifests that were read so far, wherever that was.
    pub(crate) fn new(inventory: &'a Inventory, read: &HashMap<&'a Digest, &'a Manifest>) -> Self {
        let mut stock = Self {
            inventory,
            referrers: HashMap::new(),
            untold: Vec::new(),
            tagged: inventory.tags().values().collect(),
        };
        for (digest, listed) in inventory.manifests().into_iter().flatten() {
            match (&listed.subject, read.get(digest)) {
                (Subject::None, _) => {}
                (Subject::Of(subject), Some(manifest)) => {
                    stock.attach(subject, manifest.referrer_descriptor());
                }
                (Subject::Of(subject), None) => stock.attach(subject, described(digest, listed)),
                (Subject::Untold, None) => stock.untold.push(digest),
                (Subject::Untold, Some(manifest)) => {
                    if let Some(subject) = manifest.subject() {
                        stock.attach(&subject.digest, manifest.referrer_descriptor());
                    }
                }
            }
        }
        stock
    }

    fn attach(&mut self, subject: &'a Digest, referrer: Descriptor) {
        self.referrers.entry(subject).or_default().push(referrer);
    }

    pub(crate) fn inventory(&self) -> &'a Inventory {
        self.inventory
    }

    /// Says whether a manifest stands there; `None` where the listing does not tell.
    pub(crate) fn holds(&self, digest: &Digest) -> Option<bool> {
        match self.inventory.manifests() {
            Some(manifests) => Some(manifests.contains_key(digest)),
            None => self.tagged.contains(digest).then_some(true),
        }
    }

    /// Describes what stands at a reference, without its size; the outer `None` where the listing does not tell.
    pub(crate) fn head(&self, reference: &ManifestReference) -> Option<Option<Descriptor>> {
        let digest = match reference {
            ManifestReference::Tag(tag) => match self.inventory.tags().get(tag) {
                Some(digest) => digest,
                None => return Some(None),
            },
            ManifestReference::Digest(digest) => match self.holds(digest) {
                Some(true) => digest,
                Some(false) => return Some(None),
                None => return None,
            },
        };
        let listed = self
            .inventory
            .manifests()
            .and_then(|manifests| manifests.get(digest));
        Some(Some(described(digest, listed.unwrap_or(&Listed::default()))))
    }

    /// Returns what must be read before [`Stock::referrers`] tells all but what is spared; `None` where asking for the referrers
    /// of `roots` roots is cheaper, and where other manifests may stand there than are listed.
    pub(crate) fn unread(&self, roots: usize, spared: &BTreeSet<Digest>) -> Option<Vec<&'a Digest>> {
        self.inventory.manifests()?;
        let unread = self
            .untold
            .iter()
            .copied()
            .filter(|digest| !spared.contains(*digest));
        let unread: Vec<&Digest> = unread.collect();
        (unread.len() <= READS_PER_QUESTION * roots).then_some(unread)
    }

    /// Returns what is attached to a manifest, in the order of digests. Descriptors of what nobody has read have no size.
    pub(crate) fn referrers(&self, subject: &Digest) -> Vec<Descriptor> {
        self.referrers.get(subject).cloned().unwrap_or_default()
    }
}

fn described(digest: &Digest, listed: &Listed) -> Descriptor {
    let media_type = listed.media_type.clone().unwrap_or(MediaType::OCI_MANIFEST);
    Descriptor::new(media_type, digest.clone(), 0)
}
