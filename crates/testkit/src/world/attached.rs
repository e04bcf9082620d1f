//! Whether everything that is attached at a source stands at a target.

use std::collections::BTreeSet;

use oci::{AttachmentTag, Digest, Manifest, Signatures};
use planner::Place;

use super::{ModelRepository, World};

/// From where attachments are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// At every manifest under the root.
    Closure,
    /// At the root.
    Root,
}

impl World {
    /// Returns what is attached to `root` at `from`, or to what it names, and is missing at `to`.
    #[must_use]
    pub fn unattached(&self, from: &Place, to: &Place, root: &Digest, depth: Depth) -> Vec<String> {
        let (Some(source), Some(target)) = (self.at(from), self.at(to)) else {
            return vec![format!("{from} or {to} does not exist")];
        };
        let mut walk = Walk {
            source,
            target,
            source_lists: self.registries[&from.registry].options.has_referrers_api(),
            target_lists: self.registries[&to.registry].options.has_referrers_api(),
            visited: BTreeSet::new(),
            missing: Vec::new(),
        };
        match depth {
            Depth::Closure => walk.manifest(root),
            Depth::Root => walk.attachments(root),
        }
        walk.missing
    }
}

struct Walk<'w> {
    source: &'w ModelRepository,
    target: &'w ModelRepository,
    source_lists: bool,
    target_lists: bool,
    visited: BTreeSet<Digest>,
    missing: Vec<String>,
}

impl<'w> Walk<'w> {
    fn manifest(&mut self, digest: &Digest) {
        if self.visited.contains(digest) {
            return;
        }
        let manifest = self.source.manifests.get(digest);
        if let Some(manifest) = manifest {
            self.demand(
                digest,
                self.target.manifests.contains_key(digest),
                "a manifest of the closure",
            );
            for child in manifest.children() {
                self.manifest(&child.digest);
            }
        }
        self.attachments(digest);
    }

    fn demand(&mut self, digest: &Digest, stands: bool, what: &str) {
        if !stands {
            self.missing.push(format!("{what}: {digest}"));
        }
    }

    fn attachments(&mut self, subject: &Digest) {
        if !self.visited.insert(subject.clone()) {
            return;
        }
        let tag = AttachmentTag::Fallback.of(subject);
        let here = index(self.source, &tag);
        let there = index(self.target, &tag);
        let mut entries: BTreeSet<Digest> = BTreeSet::new();
        if let Some(here) = here {
            let standing = |child: &oci::Descriptor| self.source.manifests.contains_key(&child.digest);
            let needed = here.children().next().is_none() || here.children().any(standing);
            self.demand(subject, there.is_some() || !needed, "the fallback tag of");
            for child in here
                .children()
                .filter(|child| self.source.manifests.contains_key(&child.digest))
            {
                let listed =
                    there.is_some_and(|there| there.children().any(|other| other.digest == child.digest));
                self.demand(&child.digest, listed, "an entry of the fallback tag");
                entries.insert(child.digest.clone());
            }
        }
        if self.source_lists {
            for entry in self.source.referrers(subject) {
                let listed =
                    there.is_some_and(|there| there.children().any(|other| other.digest == entry.digest));
                self.demand(
                    &entry.digest,
                    listed || self.target_lists,
                    "a referrer that nothing lists",
                );
                entries.insert(entry.digest);
            }
        }
        for tag in AttachmentTag::ALL
            .into_iter()
            .filter(|scheme| *scheme != AttachmentTag::Fallback)
            .map(|scheme| scheme.of(subject))
        {
            let Some(image) = self.source.tags.get(&tag) else {
                continue;
            };
            let there = self.target.tags.get(&tag);
            self.demand(subject, there.is_some(), "the cosign tag of");
            self.signatures(subject, image, there);
            if there == Some(image) {
                entries.insert(image.clone());
            }
        }
        for entry in entries {
            self.manifest(&entry);
        }
    }

    /// Demands all layers of the source's image under a cosign tag, where both sides hold signatures of one kind.
    fn signatures(&mut self, subject: &Digest, image: &Digest, there: Option<&Digest>) {
        let there = there.and_then(|digest| self.target.manifests.get(digest));
        let images = self.source.manifests.get(image).zip(there);
        let Some((from, to)) = images.and_then(|(from, to)| Signatures::of(from).zip(Signatures::of(to)))
        else {
            return;
        };
        let all = !to.is_like(from) || to.lacking(from.layers()).is_empty();
        self.demand(subject, all, "a layer of the cosign tag of");
    }
}

fn index<'w>(repository: &'w ModelRepository, tag: &oci::Tag) -> Option<&'w Manifest> {
    repository.manifests.get(repository.tags.get(tag)?)
}
