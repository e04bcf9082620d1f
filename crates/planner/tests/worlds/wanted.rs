//! What the mirrors of a world select, told without the planner.

use oci::{AttachmentTag, Digest, Tag};
use planner::spec::{Check, Mirror, OnChange, Source, Target};
use planner::{Place, Spec};
use testkit::world::World;
use testkit::world::random::at_target;
use transship_planner as planner;

/// One root at one place.
#[derive(Debug)]
pub(crate) struct Root<'a> {
    pub(crate) mirror: &'a Mirror,
    pub(crate) source: &'a Place,
    pub(crate) target: &'a Target,
    pub(crate) tag: Option<Tag>,
    pub(crate) digest: Digest,
    /// What stands at the tag.
    pub(crate) stands: Option<Digest>,
}

impl Root<'_> {
    pub(crate) fn is_kept(&self) -> bool {
        let differs = self.stands.as_ref().is_some_and(|stands| *stands != self.digest);
        differs && self.mirror.on_change == OnChange::Keep
    }
}

/// What the mirrors select; of several that want the same tag at one place, the first decides.
pub(crate) fn roots<'a>(spec: &'a Spec, world: &World) -> Vec<Root<'a>> {
    let mut roots: Vec<Root<'a>> = Vec::new();
    for mirror in &spec.mirrors {
        for source in &mirror.sources {
            for (tag, digest) in selected(source, world) {
                for target in &source.targets {
                    let tag = tag.as_ref().map(|tag| at_target(target, tag));
                    let taken = |other: &Root<'_>| other.target.place == target.place && other.tag == tag;
                    if tag.is_some() && roots.iter().any(taken) {
                        continue;
                    }
                    let held = world.at(&target.place);
                    let stands = held.and_then(|held| held.tags.get(tag.as_ref()?)).cloned();
                    let (source, digest) = (&source.place, digest.clone());
                    roots.push(Root {
                        mirror,
                        source,
                        target,
                        tag,
                        digest,
                        stands,
                    });
                }
            }
        }
    }
    roots
}

fn selected(source: &Source, world: &World) -> Vec<(Option<Tag>, Digest)> {
    let held = world.at(&source.place).expect("the sources exist");
    match &source.pinned {
        Some(pinned) => {
            let by_tag = || held.tags[pinned.tag.as_ref().expect("a pin has a tag or a digest")].clone();
            vec![(pinned.tag.clone(), pinned.digest.clone().unwrap_or_else(by_tag))]
        }
        None => held
            .tags
            .iter()
            .filter(|(tag, _)| AttachmentTag::scheme(tag).is_none())
            .map(|(tag, digest)| (Some(tag.clone()), digest.clone()))
            .collect(),
    }
}

pub(crate) fn targets(spec: &Spec) -> impl Iterator<Item = &Target> {
    spec.mirrors
        .iter()
        .flat_map(|mirror| &mirror.sources)
        .flat_map(|source| &source.targets)
}

/// The specification with all that is there looked at, down to the blobs.
pub(crate) fn checked(spec: &Spec) -> Spec {
    let mut spec = spec.clone();
    for mirror in &mut spec.mirrors {
        mirror.check = Check::Blobs;
        mirror.on_change = OnChange::Update;
    }
    spec
}
