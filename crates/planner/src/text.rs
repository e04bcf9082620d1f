//! The plan as people read it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;

use oci::{AttachmentTag, Digest};

use crate::plan::{Expect, TagRole};
use crate::{Op, OpKind, OpPlace, Place, Plan, Problem, RegistryName};

/// Up to so many registries are named behind a folded line.
const NAMED: usize = 4;

impl Plan {
    /// Returns the plan as text: a line per change, places folded, and the sums at the end.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        self.repository_lines().into_iter().for_each(&mut line);
        self.tag_lines().into_iter().for_each(&mut line);
        self.attachment_lines().into_iter().for_each(&mut line);
        self.union_lines().into_iter().for_each(&mut line);
        self.repair_lines().into_iter().for_each(&mut line);
        self.blocked.iter().map(problem_line).for_each(&mut line);
        self.notes.iter().map(ToString::to_string).for_each(&mut line);
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&self.last_line());
        text.push('\n');
        text
    }

    fn of_kind(&self, kind: OpKind) -> impl Iterator<Item = &Op> {
        self.ops.iter().filter(move |op| op.kind == kind)
    }

    fn repository_lines(&self) -> Vec<String> {
        let created = self.of_kind(OpKind::CreateRepository).flat_map(|op| &op.at);
        let created = created.map(|at| {
            let settings = self
                .registries
                .get(&at.registry)
                .and_then(|connection| connection.settings());
            match settings.map(settings_text).filter(|text| !text.is_empty()) {
                Some(settings) => format!("+ {} (repository)  {settings}", at.place()),
                None => format!("+ {} (repository)", at.place()),
            }
        });
        let updated = self.of_kind(OpKind::UpdateRepository).flat_map(|op| {
            let line = move |at: &OpPlace| format!("~ {} (repository)  {}", at.place(), op.reason);
            op.at.iter().map(line)
        });
        created.chain(updated).collect()
    }

    fn tag_lines(&self) -> Vec<String> {
        let mut folded: BTreeMap<(String, Option<Digest>, Digest), BTreeSet<Place>> = BTreeMap::new();
        for op in self.of_kind(OpKind::PutTag) {
            let (Some(tag), Some(digest)) = (&op.tag, &op.digest) else {
                continue;
            };
            if op.tag_role() != Some(TagRole::Selected) {
                continue;
            }
            for at in &op.at {
                let before = match &at.expect {
                    Some(Expect::Digest(before)) => Some(before.clone()),
                    Some(Expect::Absent) | None => None,
                };
                let key = (format!("{}:{tag}", at.repository), before, digest.clone());
                folded.entry(key).or_default().insert(at.place());
            }
        }
        let lines = folded.into_iter().map(|((name, before, digest), places)| {
            let name = fold(&name, &places);
            let rewritten = self.rewritten(&digest);
            match before {
                Some(before) => format!("~ {name}  {} -> {}{rewritten}", before.short(), digest.short()),
                None if rewritten.is_empty() => format!("+ {name}"),
                None => format!("+ {name}  {}{rewritten}", digest.short()),
            }
        });
        lines.collect()
    }

    /// Says which index of the source a new one was made from.
    fn rewritten(&self, digest: &Digest) -> String {
        let made = self.manifests.get(digest).and_then(|entry| entry.made.as_ref());
        made.map(|made| format!(", rewritten from {}", made.from.short()))
            .unwrap_or_default()
    }

    /// Attachments, a line per repository: referrers by their fallback entries, cosign's by their tags.
    fn attachment_lines(&self) -> Vec<String> {
        let mut tags: BTreeMap<Place, u64> = BTreeMap::new();
        for op in &self.ops {
            let scheme = op.tag.as_ref().and_then(AttachmentTag::scheme);
            let attaches = match (op.kind, op.tag_role()) {
                (OpKind::PutTag, Some(TagRole::Attachment)) => {
                    u64::from(matches!(scheme, Some(AttachmentTag::Cosign(_))))
                }
                (OpKind::PutManifest, _) => u64::from(self.is_referrer(op)),
                _ => 0,
            };
            for at in op.at.iter().filter(|_| attaches > 0) {
                *tags.entry(at.place()).or_default() += attaches;
            }
        }
        for op in self.of_kind(OpKind::MergeReferrers) {
            for at in &op.at {
                tags.entry(at.place()).or_insert(op.entries.len() as u64);
            }
        }
        let mut folded: BTreeMap<(String, u64), BTreeSet<Place>> = BTreeMap::new();
        for (place, count) in tags {
            folded
                .entry((place.repository.to_string(), count))
                .or_default()
                .insert(place);
        }
        let lines = folded.into_iter().map(|((name, count), places)| {
            format!("+ {}  {}", fold(&name, &places), counted(count, "attachment"))
        });
        lines.collect()
    }

    /// Cosign tags to which layers are added, a line per repository.
    fn union_lines(&self) -> Vec<String> {
        let mut tags: BTreeMap<Place, (u64, u64)> = BTreeMap::new();
        for op in self.of_kind(OpKind::MergeSignatures) {
            for place in places(op) {
                let (tags, layers) = tags.entry(place).or_default();
                *tags += 1;
                *layers += op.entries.len() as u64;
            }
        }
        let mut folded: BTreeMap<(String, (u64, u64)), BTreeSet<Place>> = BTreeMap::new();
        for (place, counts) in tags {
            folded
                .entry((place.repository.to_string(), counts))
                .or_default()
                .insert(place);
        }
        let lines = folded.into_iter().map(|((name, (tags, layers)), places)| {
            let (tags, layers) = (counted(tags, "attachment"), counted(layers, "layer"));
            format!("~ {}  {tags} extended by {layers}", fold(&name, &places))
        });
        lines.collect()
    }

    fn is_referrer(&self, op: &Op) -> bool {
        let entry = op.digest.as_ref().and_then(|digest| self.manifests.get(digest));
        entry.is_some_and(|entry| entry.subject.is_some())
    }

    /// What is put for its own sake: pinned digests, and what was missing behind something that stands.
    fn repair_lines(&self) -> Vec<String> {
        let named = self.named();
        let mut folded: BTreeMap<(String, &str), BTreeSet<Place>> = BTreeMap::new();
        for op in &self.ops {
            let what = match op.kind {
                OpKind::PutManifest if !self.is_referrer(op) => "manifest",
                OpKind::UploadBlob | OpKind::MountBlob => "blob",
                _ => continue,
            };
            let Some(digest) = &op.digest else { continue };
            for place in places(op).filter(|place| !named.contains(&(place.clone(), digest))) {
                let name = format!(
                    "{}@{}{}",
                    place.repository,
                    digest.short(),
                    self.rewritten(digest)
                );
                folded.entry((name, what)).or_default().insert(place);
            }
        }
        folded
            .into_iter()
            .map(|((name, what), places)| format!("+ {}  {what}", fold(&name, &places)))
            .collect()
    }

    /// Whatever something else that is put at the same place names, or a tag.
    fn named(&self) -> HashSet<(Place, &Digest)> {
        let mut named = HashSet::new();
        for op in &self.ops {
            let Some(digest) = &op.digest else { continue };
            for place in places(op) {
                match op.kind {
                    OpKind::PutTag => {
                        named.insert((place.clone(), digest));
                    }
                    OpKind::PutManifest | OpKind::ImportImage => {}
                    OpKind::MergeReferrers | OpKind::MergeSignatures => {
                        named.extend(op.entries.iter().map(|entry| (place.clone(), &entry.digest)));
                        continue;
                    }
                    _ => continue,
                }
                if let Some(entry) = self.manifests.get(digest) {
                    let below = entry.blobs.iter().chain(&entry.manifests);
                    named.extend(below.map(|digest| (place.clone(), digest)));
                }
            }
        }
        named
    }

    fn last_line(&self) -> String {
        let summary = &self.summary;
        if self.ops.is_empty() && self.blocked.is_empty() && summary.tags.keep == 0 {
            return "No changes. Every target matches.".to_owned();
        }
        let mut line = format!(
            "Plan: {} tags to create, {} to update, {} to delete; {} repositories to create",
            summary.tags.create, summary.tags.update, summary.tags.delete, summary.repositories.create,
        );
        if summary.repositories.update > 0 {
            let _ = write!(line, ", {} to update", summary.repositories.update);
        }
        if summary.manifests.import > 0 {
            let _ = write!(line, "; {} images to import", summary.manifests.import);
        }
        let _ = write!(
            line,
            "; read {}, upload {}, mount {}",
            size(summary.bytes.read),
            size(summary.bytes.upload),
            size(summary.bytes.mount),
        );
        if !self.blocked.is_empty() {
            let _ = write!(line, "; {} blocked", self.blocked.len());
        }
        if summary.tags.keep > 0 {
            let _ = write!(line, "; {} kept", summary.tags.keep);
        }
        line.push('.');
        line
    }
}

/// Counts with a plural in `s`.
fn counted(count: u64, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// The settings that a repository is made with: plain ones with their values, policies and maps by their names.
fn settings_text(settings: &serde_json::Map<String, serde_json::Value>) -> String {
    let texts = settings
        .iter()
        .filter(|(key, _)| *key != "on_drift")
        .map(|(key, value)| match value {
            serde_json::Value::String(text) => format!("{key} {text}"),
            serde_json::Value::Object(_) => key.clone(),
            value => format!("{key} {value}"),
        });
    texts.collect::<Vec<_>>().join(", ")
}

fn places(op: &Op) -> impl Iterator<Item = Place> {
    op.at.iter().map(OpPlace::place)
}

/// One place whole, several folded: `base/redis:7.4.1 -> 3 places (acr, ecr, gar)`.
fn fold(name: &str, places: &BTreeSet<Place>) -> String {
    let registries: BTreeSet<&RegistryName> = places.iter().map(|place| &place.registry).collect();
    match (places.len(), places.first()) {
        (1, Some(place)) => format!("{}/{name}", place.registry),
        (count, _) if registries.len() > NAMED => format!("{name} -> {count} places"),
        (count, _) => {
            let named: Vec<&str> = registries.iter().map(|registry| registry.as_str()).collect();
            format!("{name} -> {count} places ({})", named.join(", "))
        }
    }
}

fn problem_line(problem: &Problem) -> String {
    let mut line = format!("! {}", problem.registry);
    if let Some(repository) = &problem.repository {
        let _ = write!(line, "/{repository}");
    }
    if let Some(tag) = &problem.tag {
        let _ = write!(line, ":{tag}");
    }
    let _ = write!(line, ": {}", problem.error);
    if problem.tags > 1 {
        let _ = write!(line, " ({} tags blocked)", problem.tags);
    }
    if let Some(hint) = &problem.hint {
        let _ = write!(line, "\n  hint: {hint}");
    }
    line
}

/// A number of bytes for people: `120.4 MiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}
