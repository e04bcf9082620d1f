//! The floor that documented quotas set under the time a plan takes.

use std::collections::BTreeMap;
use std::fmt;

use crate::{Capabilities, OpKind, Plan, RegistryName};

/// Shorter floors than this tell nobody anything, in seconds.
const TOLD: u64 = 1;

/// What a registry's quota costs at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    /// The registry.
    pub registry: RegistryName,
    /// What is counted: `manifests`, `upload sessions`, `blobs`.
    pub what: &'static str,
    /// How many there are.
    pub count: u64,
    /// How many a second the registry takes.
    pub per_second: u32,
}

impl Floor {
    /// Returns the time it takes at least, in seconds.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.count / u64::from(self.per_second.max(1))
    }
}

impl fmt::Display for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            registry,
            what,
            count,
            per_second,
        } = self;
        let time = time(self.seconds());
        write!(
            f,
            "{registry} takes at least {time}: {count} {what} at {per_second} a second"
        )
    }
}

/// Returns what quotas cost at least: one floor for each registry that documents any, the longest first.
///
/// The first is the bottleneck. Everything else may take longer.
#[must_use]
pub fn floors(plan: &Plan, capabilities: &BTreeMap<RegistryName, Capabilities>) -> Vec<Floor> {
    let mut counts: BTreeMap<&RegistryName, Counts> = BTreeMap::new();
    for op in &plan.ops {
        for at in &op.at {
            counts.entry(&at.registry).or_default().add(op.kind);
        }
    }
    let of_registry = |(registry, counts): (&RegistryName, Counts)| {
        let quotas = capabilities.get(registry)?.quotas;
        let floors = [
            ("manifests", counts.manifests, quotas.put_manifest),
            ("upload sessions and mounts", counts.sessions, quotas.start_upload),
            ("blobs", counts.blobs, quotas.finish_upload),
        ];
        let floors = floors.into_iter().filter_map(|(what, count, per_second)| {
            Some(Floor {
                registry: registry.clone(),
                what,
                count,
                per_second: per_second?,
            })
        });
        floors.max_by_key(Floor::seconds)
    };
    let mut floors: Vec<Floor> = counts.into_iter().filter_map(of_registry).collect();
    floors.retain(|floor| floor.seconds() >= TOLD);
    floors.sort_by_key(|floor| std::cmp::Reverse(floor.seconds()));
    floors
}

#[derive(Default)]
struct Counts {
    manifests: u64,
    sessions: u64,
    blobs: u64,
}

impl Counts {
    fn add(&mut self, kind: OpKind) {
        match kind {
            OpKind::PutManifest | OpKind::PutTag | OpKind::MergeReferrers => self.manifests += 1,
            // The config that names the layers is made anew and sent.
            OpKind::MergeSignatures => {
                self.manifests += 1;
                self.sessions += 1;
                self.blobs += 1;
            }
            OpKind::MountBlob => self.sessions += 1,
            OpKind::UploadBlob => {
                self.sessions += 1;
                self.blobs += 1;
            }
            OpKind::CreateRepository | OpKind::UpdateRepository | OpKind::ImportImage => {}
        }
    }
}

/// A time for people: `27 h 46 min`, `3 min 20 s`, `12 s`.
fn time(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

impl Plan {
    /// Returns the plan as text with the floors that quotas set above its last line.
    #[must_use]
    pub fn text_with(&self, floors: &[Floor]) -> String {
        let text = self.text();
        let (changes, last) = text.trim_end().rsplit_once('\n').unwrap_or(("", text.trim_end()));
        let Some((first, others)) = floors.split_first() else {
            return text;
        };
        let mut lines = vec![format!("quota: {first}")];
        lines.extend(others.iter().map(|floor| format!("quota: {floor}")));
        if !others.is_empty() {
            lines[0].push_str("; it is the bottleneck");
        }
        format!("{}\n{}\n\n{last}\n", changes.trim_end(), lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_tags_take_a_day_at_ten_a_second() {
        let floor = Floor {
            registry: "ecr".parse().unwrap(),
            what: "manifests",
            count: 1_000_000,
            per_second: 10,
        };
        let expected = "ecr takes at least 27 h 46 min: 1000000 manifests at 10 a second";
        assert_eq!(floor.to_string(), expected);
    }

    #[test]
    fn times_are_for_people() {
        assert_eq!(time(12), "12 s");
        assert_eq!(time(200), "3 min 20 s");
        assert_eq!(time(3_600), "1 h 0 min");
    }
}
