//! The small jobs: one op at one place, a few short requests.

use std::sync::Arc;

use oci::{Descriptor, Digest, Host, Manifest, ManifestReference, RepositoryName, Tag};
use planner::plan::{Expect, ManifestEntry, TagRole};
use planner::{Op, OpKind, Place, Plan, ProblemKind, RegistryName, Side};
use provider::{Ensured, Importing};
use registry::{Credential, ErrorKind, Mount, MountFrom, WriteRepository};

use serde_json::Value;

use crate::context::Context;
use crate::fault::Fault;
use crate::landing::Landing;
use crate::{attach, merge, signatures};

/// One op at one place, with everything it needs.
#[derive(Debug)]
pub(crate) enum Job {
    Create,
    Update {
        settings: Vec<String>,
    },
    Mount {
        digest: Digest,
        size: u64,
        from: RepositoryName,
        origin: Option<RegistryName>,
    },
    Import {
        digest: Digest,
        from: Place,
    },
    PutManifest(Carried),
    PutTag {
        carried: Carried,
        tag: Tag,
        role: TagRole,
        expect: Expect,
    },
    Merge {
        subject: Digest,
        tag: Tag,
        entries: Vec<Descriptor>,
    },
    Unite {
        tag: Tag,
        layers: Vec<Descriptor>,
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
            OpKind::CreateRepository => Self::Create,
            OpKind::UpdateRepository => Self::Update {
                settings: op.settings.clone(),
            },
            OpKind::ImportImage => Self::Import {
                digest: op.digest.clone()?,
                from: op.from.clone()?,
            },
            OpKind::MountBlob => {
                let digest = op.digest.clone()?;
                Self::Mount {
                    size: plan.blobs.get(&digest)?.size,
                    digest,
                    from: at.from.clone()?,
                    origin: at.origin.clone(),
                }
            }
            OpKind::PutManifest => Self::PutManifest(Carried::new(plan, op)?),
            OpKind::PutTag => Self::PutTag {
                carried: Carried::new(plan, op)?,
                tag: op.tag.clone()?,
                role: op.tag_role()?,
                // What nobody looked at must not be overwritten.
                expect: at.expect.clone().unwrap_or(Expect::Absent),
            },
            OpKind::MergeReferrers => Self::Merge {
                subject: op.digest.clone()?,
                tag: op.tag.clone()?,
                entries: op.entries.clone(),
            },
            OpKind::MergeSignatures => Self::Unite {
                tag: op.tag.clone()?,
                layers: op.entries.clone(),
            },
            OpKind::UploadBlob => return None,
        })
    }

    /// Does it at `place`. A repository that was made a moment ago may not be known everywhere yet: then again.
    pub(crate) async fn run(&self, context: &Context, place: &Place) -> Result<Landing, Fault> {
        let mut patience = context.newborns.patience(place);
        loop {
            match self.once(context, place).await {
                Err(fault) if patience.permits(&fault) => patience.wait().await,
                end => return end,
            }
        }
    }

    async fn once(&self, context: &Context, place: &Place) -> Result<Landing, Fault> {
        match self {
            Self::Create => create(context, place).await,
            Self::Update { settings } => update(context, place, settings).await,
            Self::Mount {
                digest,
                size,
                from,
                origin,
            } => mount(context, place, digest, *size, from, origin.as_ref()).await,
            Self::Import { digest, from } => import(context, place, digest, from).await,
            Self::PutManifest(carried) => put(context, place, carried).await,
            Self::PutTag {
                carried,
                tag,
                role,
                expect,
            } => {
                let landing = match role {
                    TagRole::Attachment => attach(context, place, carried, tag, expect).await,
                    TagRole::Selected => put_tag(context, place, carried, tag, expect).await,
                };
                landing.map_err(|fault| fault.about(tag))
            }
            Self::Merge {
                subject,
                tag,
                entries,
            } => {
                let held = context.hold(place, tag).await;
                let landing = merge::merge(context, &held, place, Some(subject), tag, entries).await;
                landing.map_err(|fault| fault.about(tag))
            }
            Self::Unite { tag, layers } => {
                let held = context.hold(place, tag).await;
                let landing = signatures::unite(context, &held, place, tag, layers).await;
                landing.map_err(|fault| fault.about(tag))
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

async fn create(context: &Context, place: &Place) -> Result<Landing, Fault> {
    let connected = context.connected(place, Side::Target)?;
    let settings = connected.settings.as_ref();
    let ensured = connected
        .provider
        .ensure_repository(&place.repository, settings)
        .await;
    match ensured.map_err(|error| Fault::target(place, &error))? {
        Ensured::Created => {
            context.newborns.add(place);
            Ok(Landing::Done)
        }
        Ensured::Existed => Ok(Landing::AlreadyDone),
    }
}

/// Changes the settings that the plan names, and none that drifted since.
async fn update(context: &Context, place: &Place, names: &[String]) -> Result<Landing, Fault> {
    let connected = context.connected(place, Side::Target)?;
    let settings = connected
        .settings
        .as_ref()
        .map(|settings| narrowed(settings, names));
    let settings = settings.as_ref();
    let updated = connected
        .provider
        .update_repository(&place.repository, settings)
        .await;
    updated.map_err(|error| Fault::target(place, &error))?;
    Ok(Landing::Done)
}

/// Settings of which one means nothing without the other.
const TOGETHER: [(&str, &str); 2] = [
    ("tag_mutability", "mutability_exclusions"),
    ("encryption", "kms_key"),
];

/// Keeps the settings that are named, what belongs to them, and what says where the repository is.
fn narrowed(settings: &Value, names: &[String]) -> Value {
    let named = |key: &str| names.iter().any(|name| name == key);
    let together = |key: &str| {
        let pairs = TOGETHER.iter();
        pairs
            .clone()
            .any(|(one, other)| key == *one && named(other) || key == *other && named(one))
    };
    let entries = settings.as_object().into_iter().flatten();
    let kept = entries.filter(|(key, _)| named(key) || together(key) || *key == "location");
    Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// Lets the registry fetch an image, and looks whether that was the one.
async fn import(context: &Context, place: &Place, digest: &Digest, from: &Place) -> Result<Landing, Fault> {
    let repository = context.writer(place)?;
    let failed = |error| Fault::target(place, &error);
    let reference: ManifestReference = digest.clone().into();
    if repository
        .head_manifest(&reference)
        .await
        .map_err(failed)?
        .is_some()
    {
        return Ok(Landing::AlreadyDone);
    }
    let source = context.connected(from, Side::Source)?;
    let sign_in = source.provider.credentials().sign_in().await;
    if matches!(&sign_in, Ok(sign_in) if outlives_a_run(&sign_in.credential)) {
        let text = format!("{from} is read with a service account's key, which is handed to no other cloud");
        let fault = Fault::new(Side::Source, from, ProblemKind::Policy, text);
        let hint = "impersonate an account (`auth.impersonate`), or leave `server_side_copy` out";
        return Err(Fault {
            hint: Some(hint.into()),
            ..fault
        });
    }
    let importing = Importing {
        host: host(context, &from.registry, from)?,
        from: from.repository.clone(),
        digest: digest.clone(),
        to: place.repository.clone(),
        sign_in: sign_in.map_err(|error| Fault::source(from, &error))?,
    };
    let target = context.connected(place, Side::Target)?;
    target.provider.import(&importing).await.map_err(failed)?;
    match repository.head_manifest(&reference).await.map_err(failed)? {
        Some(_) => Ok(Landing::Done),
        None => {
            let text = format!("{place} says that it imported {digest}, and does not have it");
            Err(Fault::new(Side::Target, place, ProblemKind::Integrity, text))
        }
    }
}

/// Says whether a credential is a key that is good until somebody withdraws it: Google's key files go by these names.
fn outlives_a_run(credential: &Credential) -> bool {
    matches!(credential, Credential::Basic { username, .. } if username.starts_with("_json_key"))
}

fn host(context: &Context, registry: &RegistryName, place: &Place) -> Result<Host, Fault> {
    context.host(registry).ok_or_else(|| {
        let text = format!("{registry} has no host that another registry could reach");
        Fault::new(Side::Source, place, ProblemKind::Other, text)
    })
}

async fn mount(
    context: &Context,
    place: &Place,
    digest: &Digest,
    size: u64,
    from: &RepositoryName,
    origin: Option<&RegistryName>,
) -> Result<Landing, Fault> {
    let repository = context.writer(place)?;
    let failed = |error| Fault::target(place, &error);
    match repository.head_blob(digest).await.map_err(failed)? {
        Some(found) if found == size => return Ok(Landing::AlreadyDone),
        // One that was cut off is sent anew: the registry would mount what it has.
        Some(_) => return Ok(Landing::Upload(None)),
        None => {}
    }
    let from = MountFrom {
        repository: from.clone(),
        origin: origin.map(|origin| host(context, origin, place)).transpose()?,
    };
    Ok(
        match repository.mount_blob(digest, &from).await.map_err(failed)? {
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
        (Some(found), _) if *found == carried.digest => {
            // A run that ended between the two has left this undone.
            seal(context, place, tag).await?;
            return Ok(Landing::AlreadyDone);
        }
        (None, Expect::Absent) => write(context, &repository, place, carried, tag).await?,
        (Some(found), Expect::Digest(seen)) if found == seen => {
            write(context, &repository, place, carried, tag).await?
        }
        _ => Some(stale(place, tag, found.as_ref(), expect)),
    };
    match fault {
        None => {
            let unsealed = seal(context, place, tag).await.err();
            Ok(Landing::TagWritten {
                before: found,
                unsealed: unsealed.map(|fault| fault.about(tag)),
            })
        }
        Some(fault) => {
            put(context, place, carried).await?;
            Ok(Landing::TagKept(fault.about(tag)))
        }
    }
}

/// Puts a tag that attaches something. Where somebody else has put another since the plan, ours is added to that.
///
/// Nothing seals such a tag: it may grow later.
async fn attach(
    context: &Context,
    place: &Place,
    carried: &Carried,
    tag: &Tag,
    expect: &Expect,
) -> Result<Landing, Fault> {
    let held = context.hold(place, tag).await;
    let repository = context.writer(place)?;
    let found = repository.head_manifest(&tag.clone().into()).await;
    let found = found.map_err(|error| Fault::target(place, &error))?;
    let found = found.map(|descriptor| descriptor.digest);
    let fault = match &found {
        Some(found) if *found == carried.digest => return Ok(Landing::AlreadyDone),
        Some(_) => {
            let ours = carried.read(context).await?;
            if let Some(landing) = attach::add(context, &held, place, &ours, tag).await? {
                return Ok(landing);
            }
            stale(place, tag, found.as_ref(), expect)
        }
        None => match write(context, &repository, place, carried, tag).await? {
            None => {
                let ours = carried.read(context).await?;
                attach::keep(context, &held, place, &ours, tag).await?;
                return Ok(Landing::TagWritten {
                    before: None,
                    unsealed: None,
                });
            }
            Some(fault) => fault,
        },
    };
    put(context, place, carried).await?;
    Ok(Landing::TagKept(fault))
}

/// Does what the settings of the repository ask for after a tag was written.
async fn seal(context: &Context, place: &Place, tag: &Tag) -> Result<(), Fault> {
    let connected = context.connected(place, Side::Target)?;
    let settings = connected.settings.as_ref();
    let sealed = connected.provider.seal(&place.repository, tag, settings).await;
    sealed.map_err(|error| Fault::target(place, &error.during("the tag stands; lock it")))
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
