//! Random worlds: recipes that proptest makes and shrinks, and what they cook.

use std::collections::BTreeMap;

use oci::{AttachmentTag, Descriptor, Digest, Tag};
use planner::spec::{Check, ForeignLayers, Mirror, OnChange, Pinned, Referrers, Source, Target};
use planner::{Creation, MountRule, Place, Spec};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Inventories, ModelRepository, Options, ReferrersApi, World, mirror, place};
use crate::image::{Content, Family};
use standing::{Standing, stand, standing};

mod standing;

/// Everything random about a world, in numbers that shrink well. Whatever they are, they cook.
#[derive(Clone, Debug)]
pub struct Recipe {
    registries: Vec<RegistryRecipe>,
    repositories: Vec<Vec<Thing>>,
    mirrors: Vec<MirrorRecipe>,
    standing: Vec<Standing>,
}

/// Two sources, then the targets.
#[derive(Clone, Copy, Debug)]
struct RegistryRecipe {
    mount: u8,
    create: bool,
    referrers: u8,
}

/// Something that a source repository holds. Numbers name earlier things.
#[derive(Clone, Debug)]
enum Thing {
    Image {
        layers: Vec<u8>,
        family: bool,
    },
    Foreign {
        layer: u8,
    },
    Index {
        children: Vec<u8>,
        family: bool,
    },
    Tag {
        of: u8,
        tag: u8,
    },
    Referrer {
        subject: u8,
        by_tag: bool,
    },
    Listed {
        subject: u8,
        entry: u8,
    },
    Cosign {
        subject: u8,
        signers: Vec<u8>,
    },
    /// An entry of a fallback tag whose manifest was deleted.
    Gone {
        subject: u8,
    },
}

#[derive(Clone, Debug)]
struct MirrorRecipe {
    source: u8,
    second: Option<u8>,
    targets: Vec<(u8, u8)>,
    check: u8,
    keep: bool,
    bare: bool,
    copy_foreign: bool,
    pinned: u8,
}

/// A world and what is wanted in it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The registries.
    pub world: World,
    /// The specification.
    pub spec: Spec,
}

/// Makes recipes.
pub fn recipe() -> impl Strategy<Value = Recipe> {
    let registry =
        (any::<u8>(), any::<bool>(), any::<u8>()).prop_map(|(mount, create, referrers)| RegistryRecipe {
            mount,
            create,
            referrers,
        });
    (
        vec(registry, 3..=5),
        vec(vec(thing(), 1..=9), 1..=4),
        vec(mirror_recipe(), 1..=4),
        vec(standing(), 0..=6),
    )
        .prop_map(|(registries, repositories, mirrors, standing)| Recipe {
            registries,
            repositories,
            mirrors,
            standing,
        })
}

fn thing() -> impl Strategy<Value = Thing> {
    prop_oneof![
        6 => (vec(0..6u8, 0..=4), any::<bool>()).prop_map(|(layers, family)| Thing::Image { layers, family }),
        1 => (0..6u8).prop_map(|layer| Thing::Foreign { layer }),
        4 => (vec(any::<u8>(), 0..=3), any::<bool>())
            .prop_map(|(children, family)| Thing::Index { children, family }),
        4 => (any::<u8>(), 0..5u8).prop_map(|(of, tag)| Thing::Tag { of, tag }),
        4 => (any::<u8>(), any::<bool>()).prop_map(|(subject, by_tag)| Thing::Referrer { subject, by_tag }),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(subject, entry)| Thing::Listed { subject, entry }),
        1 => any::<u8>().prop_map(|subject| Thing::Gone { subject }),
        2 => (any::<u8>(), vec(0..5u8, 0..=3))
            .prop_map(|(subject, signers)| Thing::Cosign { subject, signers }),
    ]
}

fn mirror_recipe() -> impl Strategy<Value = MirrorRecipe> {
    (
        any::<u8>(),
        prop::option::weighted(0.2, any::<u8>()),
        vec((any::<u8>(), 0..3u8), 1..=4),
        0..5u8,
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.3),
        0..12u8,
    )
        .prop_map(
            |(source, second, targets, check, keep, bare, copy_foreign, pinned)| MirrorRecipe {
                source,
                second,
                targets,
                check,
                keep,
                bare,
                copy_foreign,
                pinned,
            },
        )
}

fn pick<T>(list: &[T], number: u8) -> Option<&T> {
    list.get(usize::from(number) % list.len().max(1))
}

impl Recipe {
    /// Makes the world.
    #[must_use]
    pub fn cook(&self) -> Case {
        let mut world = self.empty_world();
        let sources: Vec<Place> = (0..self.repositories.len())
            .map(|number| place(&format!("source{}/team/app{number}", number % 2)))
            .collect();
        for (place, things) in sources.iter().zip(&self.repositories) {
            let lists = world.registries[&place.registry].options.has_referrers_api();
            *world.at_mut(place) = ModelRepository::from(&cook(things, lists));
        }
        let mirrors = self.mirrors(&sources, &world);
        let spec = world.spec(mirrors);
        for standing in &self.standing {
            stand(&mut world, &spec, *standing);
        }
        Case { world, spec }
    }

    fn targets(&self) -> usize {
        self.registries.len() - 2
    }

    fn empty_world(&self) -> World {
        let mut world = World::new();
        for (number, registry) in self.registries.iter().enumerate() {
            let name = match number {
                0 | 1 => format!("source{number}"),
                _ => format!("target{}", number - 2),
            };
            world = world.registry(&name, registry.options());
        }
        world
    }

    fn mirrors(&self, sources: &[Place], world: &World) -> Vec<Mirror> {
        self.mirrors
            .iter()
            .enumerate()
            .map(|(number, recipe)| self.mirror(number, recipe, sources, world))
            .collect()
    }

    fn mirror(&self, number: usize, recipe: &MirrorRecipe, sources: &[Place], world: &World) -> Mirror {
        let chosen = [Some(recipe.source), recipe.second];
        let mut chosen: Vec<&Place> = chosen
            .into_iter()
            .flatten()
            .filter_map(|source| pick(sources, source))
            .collect();
        chosen.dedup();
        let source = |place: &&Place| Source {
            place: Place::clone(place),
            pinned: pinned(recipe, world.at(place)),
            targets: self.places(number, recipe, place),
        };
        Mirror {
            name: format!("mirror{number}"),
            sources: chosen.iter().map(source).collect(),
            on_change: if recipe.keep {
                OnChange::Keep
            } else {
                OnChange::Update
            },
            check: match recipe.check {
                0..=2 => Check::Tags,
                3 => Check::Manifests,
                _ => Check::Blobs,
            },
            referrers: if recipe.bare {
                Referrers::None
            } else {
                Referrers::All
            },
            foreign_layers: if recipe.copy_foreign {
                ForeignLayers::Copy
            } else {
                ForeignLayers::Skip
            },
            ..mirror("source0/any", &[])
        }
    }

    /// Each source has a repository of its own, another beside it, and a shared one where its tags are marked.
    fn places(&self, number: usize, recipe: &MirrorRecipe, source: &Place) -> Vec<Target> {
        let name = source.repository.last_segment();
        let mut places: Vec<Target> = recipe
            .targets
            .iter()
            .map(|(registry, repository)| {
                // One in nine goes back to a registry that is a source too.
                let registry = match registry % 9 {
                    8 => format!("source{}", number % 2),
                    other => format!("target{}", usize::from(other) % self.targets()),
                };
                match repository {
                    0 => (format!("{registry}/mirror/{name}"), None),
                    1 => (format!("{registry}/mirror/more/{name}"), None),
                    _ => (
                        format!("{registry}/mirror/shared"),
                        Some(format!("{{tag}}-{name}")),
                    ),
                }
            })
            .map(|(at, tag)| Target {
                place: place(&at),
                tag,
            })
            .collect();
        places.sort();
        places.dedup();
        places
    }
}

/// Few mirrors take one thing alone: by tag, by digest, by both.
fn pinned(recipe: &MirrorRecipe, source: Option<&ModelRepository>) -> Option<Pinned> {
    let (tag, digest) = source?
        .tags
        .iter()
        .find(|(tag, _)| AttachmentTag::scheme(tag).is_none())?;
    let (tag, digest) = (Some(tag.clone()), Some(digest.clone()));
    match recipe.pinned {
        9 => Some(Pinned { tag, digest: None }),
        10 => Some(Pinned { tag: None, digest }),
        11 => Some(Pinned { tag, digest }),
        _ => None,
    }
}

impl RegistryRecipe {
    fn options(self) -> Options {
        Options {
            mount: match self.mount % 4 {
                0 | 1 => MountRule::Any,
                2 => MountRule::Committed,
                _ => MountRule::Never,
            },
            creation: if self.create {
                Creation::Call
            } else {
                Creation::OnPush
            },
            referrers: match self.referrers % 4 {
                0 => ReferrersApi::Absent,
                1 => ReferrersApi::Present,
                2 => ReferrersApi::Announced,
                _ => ReferrersApi::Denied,
            },
            inventory: match self.mount / 4 % 8 {
                0..=2 => Inventories::None,
                3 => Inventories::Refused,
                4 => Inventories::Tags,
                5 | 6 => Inventories::Untold,
                _ => Inventories::Told,
            },
            family: (self.referrers / 4)
                .is_multiple_of(4)
                .then(|| "relatives".to_owned()),
            imports: (self.referrers / 16).is_multiple_of(4).then_some(2),
            ..Options::default()
        }
    }
}

fn cook(things: &[Thing], lists: bool) -> Content {
    let mut content = Content::new();
    let mut made: Vec<Descriptor> = Vec::new();
    let mut listed: BTreeMap<Digest, (Descriptor, Vec<Descriptor>)> = BTreeMap::new();
    for (number, thing) in things.iter().enumerate() {
        let earlier = |number: &u8| pick(&made, *number).cloned();
        let mut list = |subject: &Descriptor, entry: Descriptor| {
            let (_, entries) = listed
                .entry(subject.digest.clone())
                .or_insert_with(|| (subject.clone(), Vec::new()));
            if !entries.iter().any(|other| other.digest == entry.digest) {
                entries.push(entry);
            }
        };
        match thing {
            Thing::Image { layers, family } => {
                made.push(image(&mut content, layers, *family));
            }
            Thing::Foreign { layer } => {
                made.push(foreign(&mut content, *layer));
            }
            Thing::Index { children, family } => {
                let mut children: Vec<Descriptor> = children.iter().filter_map(earlier).collect();
                children.dedup_by(|one, other| one.digest == other.digest);
                made.push(content.index(family_of(*family), &children));
            }
            Thing::Tag { of, tag } => {
                if let Some(manifest) = earlier(of) {
                    content.tag(&format!("v{tag}"), &manifest);
                }
            }
            Thing::Referrer { subject, by_tag } => {
                if let Some(subject) = earlier(subject) {
                    let text = format!("{number} of {}", subject.digest);
                    let referrer = content.artifact(&subject, crate::image::SBOM, text);
                    if *by_tag || !lists {
                        list(&subject, referrer.clone());
                    }
                    made.push(referrer);
                }
            }
            Thing::Listed { subject, entry } => {
                if let (Some(subject), Some(entry)) = (earlier(subject), earlier(entry)) {
                    list(&subject, entry);
                }
            }
            Thing::Gone { subject } => {
                if let Some(subject) = earlier(subject) {
                    let gone = Content::new().artifact(&subject, crate::image::SBOM, "gone");
                    list(&subject, gone);
                }
            }
            Thing::Cosign { subject, signers } => {
                if let Some(subject) = earlier(subject) {
                    let signers: Vec<String> = signers.iter().map(u8::to_string).collect();
                    let signers: Vec<&str> = signers.iter().map(String::as_str).collect();
                    made.push(content.cosign_by(&subject, &signers));
                }
            }
        }
    }
    for (subject, entries) in listed.into_values() {
        content.fallback(&subject, &entries);
    }
    content
}

fn family_of(docker: bool) -> Family {
    if docker { Family::Docker } else { Family::Oci }
}

fn image(content: &mut Content, layers: &[u8], docker: bool) -> Descriptor {
    let family = family_of(docker);
    let layers: Vec<Descriptor> = layers
        .iter()
        .map(|&seed| content.layer(family, u64::from(seed), size(seed)))
        .collect();
    let platforms = ["linux/amd64", "linux/arm64/v8", "linux/arm/v7"];
    content.image(family, platforms[layers.len() % platforms.len()], &layers)
}

/// Some layers are worth a search for holders, some are not.
fn size(seed: u8) -> usize {
    if seed < 2 { 20_000 } else { 40 + usize::from(seed) }
}

fn foreign(content: &mut Content, layer: u8) -> Descriptor {
    let mut foreign = content.layer(Family::Oci, u64::from(layer), size(layer));
    foreign.media_type = oci::MediaType::new("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
    content.image(Family::Oci, "windows/amd64", &[foreign])
}

/// Returns the tag that `tag` becomes at a target.
///
/// # Panics
/// Where it becomes none.
#[must_use]
pub fn at_target(target: &Target, tag: &Tag) -> Tag {
    let text = target.tag.as_ref().map_or_else(
        || tag.to_string(),
        |template| template.replace("{tag}", tag.as_str()),
    );
    text.parse().expect("a test's tags fit")
}
