//! `transship delete`.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use oci::{Descriptor, Digest, ManifestReference, RepositoryName, Tag};
use planner::config;
use planner::spec::Endpoint;
use registry::{DeleteRepository, Deletion, Registry};

use crate::arguments::Delete;
use crate::connect::{self, Deleter, Manner};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::prompt;
use crate::reference;

/// So many tags are looked at to find those of one digest. Each is a request.
const LOOKED_AT: usize = 1_000;

/// So many of them at once; the client has its own bound.
const AT_ONCE: usize = 16;

/// So many tags are named in a line.
const NAMED: usize = 20;

/// Deletes a tag and leaves its manifest, or a manifest with its tags.
///
/// # Errors
/// A reference without tag and digest, and nobody to be asked (64), and whatever the registry answers.
pub(crate) async fn run(context: &Context, arguments: &Delete) -> Result<Exit, Failure> {
    let text = &arguments.reference;
    let (place, manifest, registry) = config::reference(text).map_err(|error| reference::refused(&error))?;
    let manifest = manifest.ok_or_else(|| {
        Failure::usage(format!("`{text}` names neither a tag nor a digest"))
            .hint("what is deleted is written out: REPOSITORY:TAG or REPOSITORY@DIGEST")
    })?;
    if !arguments.yes {
        prompt::need_a_person("give `--yes`")?;
    }
    let manner = Manner::one_shot(&arguments.access, &arguments.one)?;
    if let Endpoint::DockerArchive(_) = registry.endpoint {
        return Err(Failure::usage(format!(
            "`{text}` can't be changed: archives of `docker save` are only read"
        )));
    }
    let names = repositories(text, &place.repository)?;
    let Deleter {
        repositories,
        registry: at,
    } = connect::deleter(context, &place.registry, &registry, &names, &manner).await?;
    let repositories: Repositories = names.into_iter().zip(repositories).collect();
    let found = context
        .unless_interrupted(head(&repositories, &manifest))
        .await?
        .map_err(|error| connect::answered(&error))?
        .ok_or_else(|| Failure::failed(format!("there is no `{text}`")))?;
    let target = Target {
        text,
        name: registry.endpoint.name(&place.repository),
        on_disk: registry.endpoint.layout().is_some(),
        repositories,
        named: place.repository,
        registry: at,
        found,
    };
    match manifest {
        ManifestReference::Tag(tag) => target.untag(context, arguments, tag).await,
        ManifestReference::Digest(digest) => target.remove(context, arguments, digest).await,
    }
}

/// The repositories that are deleted from: in a layout all that have the digest, where none is named.
fn repositories(text: &str, named: &RepositoryName) -> Result<Vec<RepositoryName>, Failure> {
    let Some(in_layout) = reference::in_layout(text) else {
        return Ok(vec![named.clone()]);
    };
    let holding = in_layout.repositories()?;
    let names = holding
        .into_iter()
        .map(|name| name.unwrap_or_else(|| named.clone()));
    let names: Vec<RepositoryName> = names.collect();
    Ok(if names.is_empty() {
        vec![named.clone()]
    } else {
        names
    })
}

/// Looks for a manifest in repositories, one after the other.
async fn head(
    repositories: &Repositories,
    reference: &ManifestReference,
) -> Result<Option<Descriptor>, registry::Error> {
    for repository in repositories.values() {
        if let Some(found) = repository.head_manifest(reference).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Repositories by name.
type Repositories = BTreeMap<RepositoryName, Arc<dyn DeleteRepository>>;

/// What is deleted from, and what stands there.
struct Target<'a> {
    text: &'a str,
    /// The repository, as a reference to something in it begins.
    name: String,
    on_disk: bool,
    repositories: Repositories,
    /// The one that the reference names, or that a layout's entries without one stand in.
    named: RepositoryName,
    registry: Arc<dyn Registry>,
    found: Descriptor,
}

/// The tags of a digest, as far as they were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tags {
    at_digest: Vec<String>,
    not_looked_at: usize,
}

impl Target<'_> {
    async fn untag(&self, context: &Context, arguments: &Delete, tag: Tag) -> Result<Exit, Failure> {
        let digest = &self.found.digest;
        let question = format!(
            "The tag {} will be deleted. It stands at {digest}, which stays.",
            self.text
        );
        if !arguments.yes && !prompt::confirm(context, &question, "delete it").await? {
            return Ok(given_up(context));
        }
        let reference = ManifestReference::Tag(tag);
        match self.delete(context, &reference).await? {
            Deletion::Done => {}
            Deletion::Missing if !self.stands(context, &reference).await? => {}
            Deletion::Missing => return Err(self.no_tags(context, None).await),
            Deletion::Unsupported(error) => return Err(self.no_tags(context, Some(error)).await),
        }
        context.text(&format!("Deleted the tag {}.\n", self.text))?;
        self.tell_what_stays(context, digest).await?;
        Ok(Exit::Done)
    }

    async fn remove(&self, context: &Context, arguments: &Delete, digest: Digest) -> Result<Exit, Failure> {
        let tags = self.tags_at(context, &digest).await?;
        let question = format!("The manifest {} will be deleted{}.", self.text, tags.and_them());
        if !arguments.yes && !prompt::confirm(context, &question, "delete it").await? {
            return Ok(given_up(context));
        }
        let reference = ManifestReference::Digest(digest);
        match self.delete(context, &reference).await? {
            Deletion::Done => {}
            Deletion::Missing if !self.stands(context, &reference).await? => {}
            Deletion::Missing => return Err(self.no_entry()),
            Deletion::Unsupported(error) => {
                return Err(connect::answered(&error)
                    .hint("this registry deletes nothing here; it may have to be allowed in its settings"));
            }
        }
        context.text(&format!(
            "Deleted the manifest {}{}.\n",
            self.text,
            tags.and_them()
        ))?;
        if self.on_disk {
            context.text("Blobs stay in the layout.\n")?;
        }
        Ok(Exit::Done)
    }

    async fn delete(&self, context: &Context, reference: &ManifestReference) -> Result<Deletion, Failure> {
        let deleting = async {
            let mut deletion = Deletion::Missing;
            for repository in self.repositories.values() {
                match repository.delete(reference).await? {
                    Deletion::Missing => {}
                    Deletion::Done => deletion = Deletion::Done,
                    unsupported @ Deletion::Unsupported(_) => return Ok(unsupported),
                }
            }
            self.registry.finish().await?;
            Ok(deletion)
        };
        context
            .unless_interrupted(deleting)
            .await?
            .map_err(|error| connect::answered(&error))
    }

    async fn stands(&self, context: &Context, reference: &ManifestReference) -> Result<bool, Failure> {
        let found = context.unless_interrupted(head(&self.repositories, reference));
        let found = found.await?.map_err(|error| connect::answered(&error))?;
        Ok(found.is_some())
    }

    /// Says what became of the manifest: some registries take it away together with its tag.
    async fn tell_what_stays(&self, context: &Context, digest: &Digest) -> Result<(), Failure> {
        if self.on_disk {
            return context.text("Its manifest and its blobs stay in the layout.\n");
        }
        let reference = ManifestReference::Digest(digest.clone());
        match self.stands(context, &reference).await {
            Ok(true) => context.text(&format!("Its manifest stays, as {}@{digest}.\n", self.name)),
            Ok(false) => {
                context.terminal.say(&format!(
                    "warning: this registry deleted the manifest {digest} as well, and with it any other tag of it"
                ));
                Ok(())
            }
            Err(_) => {
                context.terminal.say(&format!(
                    "warning: whether the manifest {digest} still stands could not be found out"
                ));
                Ok(())
            }
        }
    }

    /// Says that the registry deletes no tags, and what deleting the manifest would take away.
    async fn no_tags(&self, context: &Context, error: Option<registry::Error>) -> Failure {
        let digest = &self.found.digest;
        let failure = Failure::failed(format!(
            "this registry can't delete a tag alone; {} stands as it was",
            self.text
        ));
        let failure = match &error {
            Some(error) => failure.because(error),
            None => failure,
        };
        let tags = match self.tags_at(context, digest).await {
            Ok(tags) => tags.and_them(),
            Err(_) => " and every tag of it".to_owned(),
        };
        failure.hint(format!(
            "`transship delete {}@{digest}` deletes the manifest{tags}",
            self.name
        ))
    }

    fn no_entry(&self) -> Failure {
        Failure::failed(format!("{} can't be deleted by itself", self.text)).hint(if self.on_disk {
            "no entry of the layout is it: an index or another manifest leads to it"
        } else {
            "the registry answers that there is no such manifest, and serves it all the same"
        })
    }

    /// Finds the tags of a digest.
    async fn tags_at(&self, context: &Context, digest: &Digest) -> Result<Tags, Failure> {
        let looking = async {
            let mut tags = Tags::default();
            for (name, repository) in &self.repositories {
                let (at_digest, not_looked_at) = tags_in(&**repository, digest).await?;
                let written = |tag: Tag| match *name == self.named {
                    true => tag.to_string(),
                    false => format!("{name}:{tag}"),
                };
                tags.at_digest.extend(at_digest.into_iter().map(written));
                tags.not_looked_at += not_looked_at;
            }
            Ok(tags)
        };
        let found = context.unless_interrupted(looking).await?;
        found.map_err(|error: registry::Error| connect::answered(&error))
    }
}

/// Finds the tags of a digest in a repository, and says how many were not looked at.
async fn tags_in(
    repository: &dyn DeleteRepository,
    digest: &Digest,
) -> Result<(Vec<Tag>, usize), registry::Error> {
    let listed = repository.tags().await?.unwrap_or_default();
    let not_looked_at = listed.len().saturating_sub(LOOKED_AT);
    let looked_at = listed.into_iter().take(LOOKED_AT).map(|tag| async {
        let found = repository
            .head_manifest(&ManifestReference::Tag(tag.clone()))
            .await?;
        Ok::<_, registry::Error>(found.filter(|found| found.digest == *digest).map(|_| tag))
    });
    let found: Vec<Option<Tag>> = stream::iter(looked_at).buffered(AT_ONCE).try_collect().await?;
    Ok((found.into_iter().flatten().collect(), not_looked_at))
}

impl Tags {
    /// Names the tags that go with their manifest, as the end of a sentence.
    fn and_them(&self) -> String {
        let named: Vec<&str> = self.at_digest.iter().take(NAMED).map(String::as_str).collect();
        let more = self.at_digest.len() - named.len();
        let tags = match (named.as_slice(), more) {
            ([], _) => ", which has no tag".to_owned(),
            ([one], _) => format!(" and its tag {one}"),
            (_, 0) => format!(" and its tags {}", named.join(", ")),
            (_, more) => format!(" and its tags {} and {more} more", named.join(", ")),
        };
        match self.not_looked_at {
            0 => tags,
            rest if self.at_digest.is_empty() => {
                format!(" (none of the first {LOOKED_AT} tags is it; {rest} were not looked at)")
            }
            rest => format!("{tags} ({rest} more tags were not looked at)"),
        }
    }
}

fn given_up(context: &Context) -> Exit {
    context.terminal.say("Nothing was deleted.");
    Exit::Failed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(count: usize, not_looked_at: usize) -> String {
        let at_digest = (1..=count).map(|number| format!("v{number}"));
        Tags {
            at_digest: at_digest.collect(),
            not_looked_at,
        }
        .and_them()
    }

    #[test]
    fn what_goes_with_a_manifest_is_named() {
        assert_eq!(tags(0, 0), ", which has no tag");
        assert_eq!(tags(1, 0), " and its tag v1");
        assert_eq!(tags(2, 0), " and its tags v1, v2");
        assert!(tags(22, 0).ends_with("v20 and 2 more"));
    }

    #[test]
    fn what_was_not_looked_at_is_said() {
        assert_eq!(
            tags(0, 5),
            " (none of the first 1000 tags is it; 5 were not looked at)"
        );
        assert_eq!(tags(1, 5), " and its tag v1 (5 more tags were not looked at)");
    }
}
