//! The content of a root: the manifest, its children and all their blobs.

use std::borrow::Cow;

use oci::{Descriptor, Digest, Manifest, MediaKind};

use crate::ask::{Answered, Ask, Gap, both};
use crate::chosen::{Chosen, Taken};
use crate::spec::{Check, ForeignLayers, Mirror};
use crate::want::Needs;
use crate::{Place, Problem, ProblemKind, Side};

/// The deepest nesting of indexes that is followed. By hash there are no cycles, but there are deep chains.
pub(crate) const MAX_DEPTH: usize = 8;

/// One root's way from a source to a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way<'a> {
    pub(crate) mirror: &'a Mirror,
    pub(crate) source: &'a Place,
    pub(crate) target: &'a Place,
    /// Whether the target's repository exists.
    pub(crate) exists: bool,
}

impl<'a> Way<'a> {
    /// A problem at the source of this way.
    pub(crate) fn source_problem(self, kind: ProblemKind, error: String) -> Gap {
        Self::problem_at(self.source, kind, error)
    }

    /// A problem at a source.
    pub(crate) fn problem_at(source: &Place, kind: ProblemKind, error: String) -> Gap {
        Gap::Blocked(Box::new(Problem {
            registry: source.registry.clone(),
            repository: Some(source.repository.clone()),
            tag: None,
            side: Side::Source,
            kind,
            error,
            hint: None,
            tags: 0,
        }))
    }

    /// Whether a manifest stands at the target.
    pub(crate) fn stands(self, ask: &mut Ask<'a>, digest: &Digest) -> Answered<bool> {
        if !self.exists {
            return Ok(false);
        }
        ask.head(self.target, digest.clone())
            .map(|descriptor| descriptor.is_some())
    }

    /// Adds a manifest with all it names, as far as the target lacks it.
    ///
    /// What stands there already proves what it names, as far as `check` says. It does not prove what is attached: an
    /// index is read even so, for the manifests below it.
    pub(crate) fn need(
        self,
        ask: &mut Ask<'a>,
        digest: &Digest,
        kind: MediaKind,
        needs: &mut Needs<'a>,
    ) -> Answered<()> {
        self.need_at(ask, digest, kind, needs, 0)
    }

    /// Adds an index of which some is taken, with all that is taken of it, as far as the target lacks it.
    pub(crate) fn need_chosen(
        self,
        ask: &mut Ask<'a>,
        chosen: &Chosen<'a>,
        needs: &mut Needs<'a>,
    ) -> Answered<()> {
        let digest = chosen.index.digest();
        if !needs.content.insert(digest.clone()) {
            return Ok(());
        }
        if chosen.is_partial() {
            needs.partial.insert(digest.clone());
        }
        if chosen.is_new() {
            // Nothing is attached to what stands nowhere.
            needs.visited.insert(digest.clone());
            needs.made.insert(digest.clone(), chosen.original.clone());
        }
        let mut gap = Ok(());
        for taken in &chosen.taken {
            gap = both(
                gap,
                match taken {
                    Taken::Whole(child) => self.need(ask, &child.digest, child.media_type.kind(), needs),
                    Taken::Index(chosen) => self.need_chosen(ask, chosen, needs),
                },
            );
        }
        let put = !self.stands(ask, digest)?;
        if !put && self.mirror.check == Check::Tags {
            return gap;
        }
        let need = needs.manifests.entry(digest.clone()).or_default();
        need.put |= put;
        need.foreign = self.mirror.foreign_layers == ForeignLayers::Copy;
        needs.known.insert(digest.clone(), chosen.index.clone());
        if put || self.mirror.check == Check::Blobs {
            gap = both(gap, self.need_blobs(ask, &chosen.index, needs));
        }
        gap
    }

    fn need_at(
        self,
        ask: &mut Ask<'a>,
        digest: &Digest,
        kind: MediaKind,
        needs: &mut Needs<'a>,
        depth: usize,
    ) -> Answered<()> {
        if !needs.content.insert(digest.clone()) {
            return Ok(());
        }
        let stands = self.stands(ask, digest);
        let trusted = self.mirror.check == Check::Tags && matches!(stands, Ok(true));
        if trusted && kind != MediaKind::Index {
            return Ok(());
        }
        let manifest = self.read(ask, digest);
        let put = !stands?;
        let manifest = manifest?;
        if depth > MAX_DEPTH {
            let error = format!("{digest} is nested deeper than {MAX_DEPTH} indexes");
            return Err(self.source_problem(ProblemKind::Policy, error));
        }
        let mut gap = Ok(());
        for child in manifest.children() {
            let kind = child.media_type.kind();
            gap = both(gap, self.need_at(ask, &child.digest, kind, needs, depth + 1));
        }
        if trusted {
            return gap;
        }
        let need = needs.manifests.entry(digest.clone()).or_default();
        need.put |= put;
        need.foreign = self.mirror.foreign_layers == ForeignLayers::Copy;
        needs.known.insert(digest.clone(), Cow::Borrowed(manifest));
        if put || self.mirror.check == Check::Blobs {
            gap = both(gap, self.need_blobs(ask, manifest, needs));
        }
        gap
    }

    /// Reads a manifest at the source; one that is missing there can't be copied.
    pub(crate) fn read(self, ask: &mut Ask<'a>, digest: &Digest) -> Answered<&'a Manifest> {
        match ask.manifest(self.source, digest)? {
            Some(manifest) => Ok(manifest),
            None => {
                let error = format!("the manifest {digest} is missing");
                Err(self.source_problem(ProblemKind::NotFound, error))
            }
        }
    }

    fn need_blobs(self, ask: &mut Ask<'a>, manifest: &Manifest, needs: &mut Needs<'a>) -> Answered<()> {
        let mut gap = Ok(());
        for blob in manifest.blobs().filter(|blob| self.takes(blob)) {
            match self.lacks(ask, blob, needs) {
                Ok(false) => {}
                Ok(true) => {
                    let need = needs.manifests.entry(manifest.digest().clone()).or_default();
                    need.blobs.insert(blob.digest.clone());
                }
                Err(other) => gap = both(gap, Err(other)),
            }
        }
        gap
    }

    /// Says whether the target lacks a blob, whose size is noted.
    pub(crate) fn lacks(self, ask: &mut Ask<'a>, blob: &Descriptor, needs: &mut Needs<'a>) -> Answered<bool> {
        agree_on_size(self, needs, blob)?;
        if !self.exists {
            return Ok(true);
        }
        ask.blob(self.target, &blob.digest, blob.size)
            .map(|stands| !stands)
    }

    fn takes(self, blob: &Descriptor) -> bool {
        self.mirror.foreign_layers == ForeignLayers::Copy || !blob.media_type.is_nondistributable()
    }
}

/// Refuses two sizes for one digest: one of the descriptors lies.
fn agree_on_size(way: Way<'_>, needs: &mut Needs<'_>, blob: &Descriptor) -> Answered<()> {
    let size = *needs.sizes.entry(blob.digest.clone()).or_insert(blob.size);
    if size == blob.size {
        return Ok(());
    }
    let error = format!(
        "{} is said to have {} bytes and {size} bytes",
        blob.digest, blob.size
    );
    Err(way.source_problem(ProblemKind::Integrity, error))
}
