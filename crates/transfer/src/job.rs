//! The small jobs: one op at one place, a few short requests.

use std::sync::Arc;

use oci::{Descriptor, Digest, Manifest, ManifestReference, RepositoryName, Tag};
use planner::plan::{Expect, ManifestEntry};
use planner::{Op, OpKind, Place, Plan, ProblemKind, Side};
use provider::Ensured;
use registry::{ErrorKind, Mount, WriteRepository};
use serde_json::Value;

use crate::context::Context;
use crate::fault::Fault;
use crate::landing::Landing;
use crate::merge;

/// One op at one place, with everything it needs.
#[derive(Debug)]
pub(crate) enum Job {
    Create {
        settings: Option<Value>,
    },
    Mount {
        digest: Digest,
        size: u64,
        from: RepositoryName,
    },
    PutManifest(Carried),
    PutTag {
        carried: Carried,
        tag: Tag,
        expect: Expect,
    },
    Merge {
        subject: Digest,
        tag: Tag,
        entries: Vec<Descriptor>,
    },
}

/// A manifest and where it is read.
#[derive(Debug)]
pub(crate) struct Carried {
    digest: Digest,
    entry: ManifestEntry,
    from: Place,
}

impl Job {
    /// Gathers what an op needs at one of its places; `None` where the plan does not hold it.
    pub(crate) fn new(plan: &Plan, op: &Op, place: usize) -> Option<Self> {
        let at = &op.at[place];
        Some(match op.kind {
            OpKind::CreateRepository => {
                let connection = plan.registries.get(&at.registry);
                let settings = connection.and_then(|connection| connection.create_repositories.clone());
                Self::Create {
                    settings: settings.filter(Value::is_object),
                }
            }
            OpKind::MountBlob => {
                let digest = op.digest.clone()?;
                Self::Mount {
                    size: plan.blobs.get(&digest)?.size,
                    digest,
                    from: at.from.clone()?,
                }
            }
            OpKind::PutManifest => Self::PutManifest(Carried::new(plan, op)?),
            OpKind::PutTag => Self::PutTag {
                carried: Carried::new(plan, op)?,
                tag: op.tag.clone()?,
                // What nobody looked at must not be overwritten.
                expect: at.expect.clone().unwrap_or(Expect::Absent),
            },
            OpKind::MergeReferrers => Self::Merge {
                subject: op.digest.clone()?,
                tag: op.tag.clone()?,
                entries: op.entries.clone(),
            },
            OpKind::UploadBlob => return None,
        })
    }

    /// Does it at `place`.
    pub(crate) async fn run(self, context: &Context, place: &Place) -> Result<Landing, Fault> {
        match self {
            Self::Create { settings } => create(context, place, settings.as_ref()).await,
            Self::Mount { digest, size, from } => mount(context, place, &digest, size, &from).await,
            Self::PutManifest(carried) => put(context, place, &carried).await,
            Self::PutTag { carried, tag, expect } => {
                let landing = put_tag(context, place, &carried, &tag, &expect).await;
                landing.map_err(|fault| fault.about(&tag))
            }
            Self::Merge {
                subject,
                tag,
                entries,
            } => {
                let landing = merge::merge(context, place, &subject, &tag, &entries).await;
                landing.map_err(|fault| fault.about(&tag))
            }
        }
    }
}

impl Carried {
    fn new(plan: &Plan, op: &Op) -> Option<Self> {
        let digest = op.digest.clone()?;
        Some(Self {
            entry: plan.manifests.get(&digest)?.clone(),
            digest,
            from: op.from.clone()?,
        })
    }

    async fn read(&self, context: &Context) -> Result<Manifest, Fault> {
        context.manifest(&self.digest, &self.entry, &self.from).await
    }
}

async fn create(context: &Context, place: &Place, settings: Option<&Value>) -> Result<Landing, Fault> {
    let provider = &context.connected(place, Side::Target)?.provider;
    match provider.ensure_repository(&place.repository, settings).await {
        Ok(Ensured::Created) => Ok(Landing::Done),
        Ok(Ensured::Existed) => Ok(Landing::AlreadyDone),
        Err(error) => Err(Fault::target(place, &error)),
    }
}

async fn mount(
    context: &Context,
    place: &Place,
    digest: &Digest,
    size: u64,
    from: &RepositoryName,
) -> Result<Landing, Fault> {
    let repository = context.writer(place)?;
    let failed = |error| Fault::target(place, &error);
    if repository.head_blob(digest).await.map_err(failed)?.is_some() {
        return Ok(Landing::AlreadyDone);
    }
    Ok(
        match repository
            .mount_blob(digest, &from.clone().into())
            .await
            .map_err(failed)?
        {
            Mount::Mounted => {
                context.counters.of(&place.registry).add_mounted(size);
                Landing::Mounted
            }
            Mount::Declined(session) => Landing::Upload(Some(session)),
            Mount::Refused => Landing::Upload(None),
        },
    )
}

/// Puts a manifest by digest, unless it stands there.
async fn put(context: &Context, place: &Place, carried: &Carried) -> Result<Landing, Fault> {
    let repository = context.writer(place)?;
    let failed = |error| Fault::target(place, &error);
    let reference: ManifestReference = carried.digest.clone().into();
    if repository
        .head_manifest(&reference)
        .await
        .map_err(failed)?
        .is_some()
    {
        return Ok(Landing::AlreadyDone);
    }
    let manifest = carried.read(context).await?;
    repository
        .put_manifest(&reference, &manifest)
        .await
        .map_err(failed)?;
    Ok(Landing::Done)
}

/// Moves a tag that stands where it was seen. One that does not stays, and so does one that can't be moved: then the
/// manifest is put by digest, so that all that waits for it can go on.
async fn put_tag(
    context: &Context,
    place: &Place,
    carried: &Carried,
    tag: &Tag,
    expect: &Expect,
) -> Result<Landing, Fault> {
    let repository = context.writer(place)?;
    let failed = |error| Fault::target(place, &error);
    let found = repository
        .head_manifest(&tag.clone().into())
        .await
        .map_err(failed)?;
    let found = found.map(|descriptor| descriptor.digest);
    let fault = match (&found, expect) {
        (Some(found), _) if *found == carried.digest => return Ok(Landing::AlreadyDone),
        (None, Expect::Absent) => write(context, &repository, place, carried, tag).await?,
        (Some(found), Expect::Digest(seen)) if found == seen => {
            write(context, &repository, place, carried, tag).await?
        }
        _ => Some(stale(place, tag, found.as_ref(), expect)),
    };
    match fault {
        None => Ok(Landing::TagWritten { before: found }),
        Some(fault) => {
            put(context, place, carried).await?;
            Ok(Landing::TagKept(fault.about(tag)))
        }
    }
}

/// Puts a manifest by tag; returns why, where the registry does not let the tag be moved.
async fn write(
    context: &Context,
    repository: &Arc<dyn WriteRepository>,
    place: &Place,
    carried: &Carried,
    tag: &Tag,
) -> Result<Option<Fault>, Fault> {
    let manifest = carried.read(context).await?;
    match repository.put_manifest(&tag.clone().into(), &manifest).await {
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::Immutable => Ok(Some(Fault::target(place, &error))),
        Err(error) => Err(Fault::target(place, &error)),
    }
}

fn stale(place: &Place, tag: &Tag, found: Option<&Digest>, expect: &Expect) -> Fault {
    let found = found.map_or_else(|| "is gone".to_owned(), |digest| format!("stands at {digest}"));
    let seen = match expect {
        Expect::Absent => "it was absent".to_owned(),
        Expect::Digest(digest) => format!("it stood at {digest}"),
    };
    let text = format!("tag {tag} of {place} {found}; when the plan was made {seen}");
    let fault = Fault::new(Side::Target, place, ProblemKind::Stale, text);
    Fault {
        hint: Some("make a new plan".into()),
        ..fault
    }
}
