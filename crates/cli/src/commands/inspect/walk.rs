//! The way through all that belongs to a manifest.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join, join_all};
use oci::{AttachmentTag, Content, Descriptor, Digest, Manifest, ManifestReference, Tag};
use registry::{Error, ReadRepository, Referrers};

use super::node::{Attached, Node, State, Via};

/// So many manifests are read. Each takes two requests, and one more for each tag of attachments that it has.
const MANIFESTS: usize = 2_000;

/// So deep they may stand: an index, its image, its SBOM, the signature of that, and some more.
const DEPTH: usize = 12;

/// Reads what belongs to a manifest, in a repository.
pub(super) struct Walk<'a> {
    repository: &'a dyn ReadRepository,
    /// The tags that attachments stand under.
    tags: BTreeSet<Tag>,
    /// So many manifests may still be read.
    left: AtomicUsize,
}

impl<'a> Walk<'a> {
    /// Looks for the tags of attachments: one listing, instead of four questions for each manifest. Returns what is to be said
    /// where they can't be listed.
    pub(super) async fn start(repository: &'a dyn ReadRepository) -> (Self, Vec<String>) {
        let (tags, notes) = match repository.tags().await {
            Ok(tags) => (tags.unwrap_or_default(), Vec::new()),
            Err(error) => {
                let note = format!("what is attached under tags is not shown: {error}");
                (Vec::new(), vec![note])
            }
        };
        let of_attachments = |tag: &Tag| AttachmentTag::scheme(tag).is_some();
        let walk = Self {
            repository,
            tags: tags.into_iter().filter(of_attachments).collect(),
            left: AtomicUsize::new(MANIFESTS),
        };
        (walk, notes)
    }

    /// Reads what belongs to a manifest that was read already.
    pub(super) async fn root(&self, manifest: Manifest) -> Node {
        self.expand(manifest, &[]).await
    }

    fn expand<'s>(&'s self, manifest: Manifest, above: &'s [Digest]) -> BoxFuture<'s, Node> {
        async move {
            let path: Vec<Digest> = above.iter().chain([manifest.digest()]).cloned().collect();
            let mut node = Node::read(&manifest);
            let children = join_all(manifest.children().map(|child| self.listed(child, &path)));
            let (children, referrers) = join(children, self.attached(manifest.digest(), &path)).await;
            node.manifests = children;
            match referrers {
                Ok(referrers) => node.referrers = referrers,
                Err(error) => fail(&mut node, &error),
            }
            node
        }
        .boxed()
    }

    /// Reads a manifest that another lists.
    async fn listed(&self, descriptor: &Descriptor, above: &[Digest]) -> Node {
        let too_deep = above.len() >= DEPTH || above.contains(&descriptor.digest);
        if too_deep || !self.take_one() {
            return Node::listed(descriptor, State::NotRead);
        }
        let reference = ManifestReference::Digest(descriptor.digest.clone());
        match self.repository.get_manifest(&reference).await {
            Ok(Some(manifest)) => {
                let mut node = self.expand(manifest, above).await;
                node.platform = descriptor.platform.clone();
                node
            }
            Ok(None) => Node::listed(descriptor, State::Missing),
            Err(error) => {
                let mut node = Node::listed(descriptor, State::Failed);
                fail(&mut node, &error);
                node
            }
        }
    }

    /// Finds what is attached to a manifest, by all schemes.
    async fn attached(&self, subject: &Digest, path: &[Digest]) -> Result<Vec<Attached>, Error> {
        let mut found: Vec<(Vec<Via>, Option<Tag>, Descriptor)> = Vec::new();
        if let Referrers::List(listed) = self.repository.referrers(subject).await? {
            found.extend(listed.into_iter().map(|one| (vec![Via::ReferrersApi], None, one)));
        }
        for scheme in AttachmentTag::ALL {
            let tag = scheme.of(subject);
            let Some(manifest) = self.under(&tag).await? else {
                continue;
            };
            let (via, listed) = match (scheme, manifest.content()) {
                (AttachmentTag::Fallback, Content::Index { manifests }) => {
                    (Via::FallbackTag, manifests.clone())
                }
                // Not what the specification puts there, so it lists nothing.
                (AttachmentTag::Fallback, Content::Image { .. }) => continue,
                (AttachmentTag::Cosign(_), _) => (Via::CosignTag, vec![manifest.descriptor()]),
            };
            for one in listed {
                match found.iter_mut().find(|(_, _, known)| known.digest == one.digest) {
                    Some((ways, under, _)) => {
                        ways.push(via);
                        under.get_or_insert_with(|| tag.clone());
                    }
                    None => found.push((vec![via], Some(tag.clone()), one)),
                }
            }
        }
        let nodes = join_all(found.iter().map(|(_, _, one)| self.listed(one, path))).await;
        let attached = found.into_iter().zip(nodes);
        Ok(attached
            .map(|((via, tag, _), node)| Attached { via, tag, node })
            .collect())
    }

    async fn under(&self, tag: &Tag) -> Result<Option<Manifest>, Error> {
        if !self.tags.contains(tag) {
            return Ok(None);
        }
        let reference = ManifestReference::Tag(tag.clone());
        self.repository.get_manifest(&reference).await
    }

    fn take_one(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }
}

fn fail(node: &mut Node, error: &Error) {
    let cause = std::error::Error::source(error);
    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
    node.state = State::Failed;
    node.error = Some(format!("{error}{cause}"));
}
