//! Trying a property in many worlds.

use std::hash::{DefaultHasher, Hash, Hasher};

use planner::plan::{Op, OpPlace};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use testkit::world::random::{Case, recipe};
use transship_planner as planner;

/// How many properties share the worlds.
const PROPERTIES: u32 = 11;

pub(crate) type Verdict = Result<(), TestCaseError>;

/// Tries a property in its share of the worlds.
pub(crate) fn in_every_world(name: &str, property: impl Fn(&Case, u64) -> Verdict) {
    let usual = if environment("CI").is_some() {
        10_000
    } else {
        2_000
    };
    let number = |name: &str| environment(name).and_then(|text| text.parse::<u64>().ok());
    let worlds = number("TRANSSHIP_WORLDS").unwrap_or(usual);
    let seed = number("TRANSSHIP_SEED").unwrap_or(1);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&hash(name).to_le_bytes());
    let config = Config {
        cases: u32::try_from(worlds)
            .expect("a number of worlds")
            .div_ceil(PROPERTIES),
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let outcome = runner.run(&(recipe(), any::<u64>()), |(recipe, chance)| {
        property(&recipe.cook(), chance)
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, (recipe, chance))) => panic!(
            "{name}, TRANSSHIP_SEED={seed} TRANSSHIP_WORLDS={worlds}: {reason}\nchance {chance}\n{recipe:#?}\n{}",
            described(&recipe.cook())
        ),
        Err(TestError::Abort(reason)) => panic!("{name}: {reason}"),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how many worlds are tried is up to who runs the tests"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The world in words.
fn described(case: &Case) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for (name, registry) in &case.world.registries {
        let _ = writeln!(text, "{name}: {:?}", registry.options);
        for (repository, held) in &registry.repositories {
            let _ = writeln!(text, "  {repository}");
            for (digest, manifest) in &held.manifests {
                let named: Vec<String> = manifest
                    .children()
                    .chain(manifest.blobs())
                    .map(|named| named.digest.short())
                    .collect();
                let subject = manifest.subject().map(|subject| subject.digest.short());
                let _ = writeln!(
                    text,
                    "    {} names {named:?}, subject {subject:?}",
                    digest.short()
                );
            }
            for (tag, digest) in &held.tags {
                let _ = writeln!(text, "    {tag} -> {}", digest.short());
            }
        }
    }
    for mirror in &case.spec.mirrors {
        let _ = writeln!(text, "{mirror:#?}");
    }
    let _ = writeln!(text, "{}", case.world.plan(&case.spec).to_json());
    text
}

pub(crate) fn hash(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// Some ops fail at some places, by chance alone.
pub(crate) fn by_chance(chance: u64) -> impl FnMut(&Op, &OpPlace) -> bool {
    let one_in = [2, 4, 16][usize::try_from(chance % 3).expect("it is small")];
    move |op, at| hash((chance, &op.id, at.place())).is_multiple_of(one_in)
}

pub(crate) fn never(_: &Op, _: &OpPlace) -> bool {
    false
}
