//! The file of regsync.

use oci::{Host, Reference};

use super::book::Id;
use super::draft::{Draft, From, Item, LeftOut, Mirror};
use super::importer::Pass;
use super::quote::{literal, shown};
use super::reading::{Keys, Reading};
use super::report::Kind;
use super::{globs, go_template, pattern, place, regsync_creds, regsync_tags};
use crate::config::diagnostic::Span;
use crate::config::node::Node;

/// Keys that a step has, and `defaults` too.
const SHARED: [&str; 15] = [
    "backup",
    "interval",
    "schedule",
    "ratelimit",
    "digestTags",
    "referrers",
    "referrerFilters",
    "referrerSource",
    "referrerTarget",
    "referrerSlow",
    "fastCheck",
    "forceRecursive",
    "includeExternal",
    "mediaTypes",
    "hooks",
];

const DEFAULTS: [&str; 7] = [
    "parallel",
    "blobLimit",
    "cacheCount",
    "cacheTime",
    "skipDockerConfig",
    "userAgent",
    "fastCopy",
];

const STEP: [&str; 9] = [
    "source",
    "target",
    "type",
    "tags",
    "tagSets",
    "repos",
    "platform",
    "platforms",
    "fastCopy",
];

/// Keys without a counterpart.
const WITHOUT: [(&str, &str); 14] = [
    (
        "backup",
        "no tag is kept under another name before it moves; `on_change: keep` or `refuse` leaves a tag that differs",
    ),
    ("interval", "a run is one run; a timer or a pipeline starts it"),
    ("schedule", "a run is one run; a timer or a pipeline starts it"),
    (
        "ratelimit",
        "what a registry says about its limits is heeded by itself",
    ),
    ("referrerFilters", "every attachment is taken"),
    ("referrerSource", "attachments are read where their image is"),
    ("referrerTarget", "attachments go where their image goes"),
    ("referrerSlow", "attachments are found both ways"),
    ("mediaTypes", "whatever stands behind a tag is copied"),
    ("parallel", "`limits` bound what goes on at once"),
    ("blobLimit", "blobs have no limit here"),
    ("cacheCount", "manifests are cached by themselves"),
    ("cacheTime", "manifests are cached by themselves"),
    ("userAgent", "the program says its own name"),
];

/// What is true of every file.
const ALWAYS: [&str; 3] = [
    "attachments follow their image, recursively (referrers, fallback tags, cosign's tags), where regsync needs `referrers` and \
     `digestTags`; `referrers: none` goes without",
    "a tag such as sha256-HEX.sig is an attachment and never selected by itself; regsync copies it like any tag that its filters take",
    "a selection that matches no tag is blocked, and the run ends with 1; regsync warns and ends with 0. `at_least: 0` allows it",
];

/// Reads a file.
pub(super) fn read(reading: &mut Reading<'_>, tree: &Node, pass: Pass, draft: &mut Draft) {
    let own = tree.map().into_iter().flatten().map(|entry| entry.key.as_str());
    let known = ["version", "creds", "defaults", "sync"];
    let known: Vec<&str> = known
        .into_iter()
        .chain(own.filter(|key| key.starts_with("x-")))
        .collect();
    match pass {
        Pass::Registries => {
            let keys = reading.keys(tree, "the file", &known);
            for text in ALWAYS {
                reading.report.tell(Kind::Changed, None, text);
            }
            let creds = keys.get("creds").map(|node| reading.list(node, "`creds`"));
            for node in creds.unwrap_or_default() {
                regsync_creds::read(reading, node, draft);
            }
            version(reading, keys);
            defaults(reading, keys);
        }
        Pass::Images => {
            let keys = Keys::of(tree);
            let defaults = keys.get("defaults").map_or(Keys::none(), Keys::of);
            let steps = keys.get("sync").map(|node| reading.list(node, "`sync`"));
            for node in steps.unwrap_or_default() {
                step(reading, node, defaults, draft);
            }
        }
    }
}

fn version(reading: &mut Reading<'_>, keys: Keys<'_>) {
    if let Some((text, span)) = reading.text_of(keys, "version")
        && !matches!(text, "0" | "1")
    {
        reading.wrong(
            span,
            "a version of the file that is not known",
            "regsync's files have version 1",
        );
    }
}

fn defaults(reading: &mut Reading<'_>, keys: Keys<'_>) {
    let Some(node) = keys.get("defaults") else { return };
    let known: Vec<&str> = SHARED.into_iter().chain(DEFAULTS).collect();
    let keys = reading.keys(node, "`defaults`", &known);
    dead(reading, keys);
    if reading.boolean(keys, "skipDockerConfig") == Some(true)
        && let Some(entry) = keys.entry("skipDockerConfig")
    {
        let text = "docker's files are asked for a registry without `auth`; `auth: anonymous` keeps them out";
        reading.changed(entry.key_span, text);
    }
}

/// Tells what has no counterpart and what never did anything.
fn dead(reading: &mut Reading<'_>, keys: Keys<'_>) {
    reading.without_counterpart(keys, &WITHOUT);
    for (key, text) in [
        ("hooks", "`hooks` are read by regsync and never run"),
        (
            "fastCopy",
            "`fastCopy` did nothing: regsync reads `fastCheck`, which is what happens here by default",
        ),
    ] {
        if let Some(entry) = keys.entry(key) {
            reading.tell(Kind::Ignored, entry.key_span, text);
        }
    }
}

/// One entry of `sync`.
struct Step<'n> {
    keys: Keys<'n>,
    defaults: Keys<'n>,
    source: String,
    target: String,
    span: Span,
}

fn step<'n>(reading: &mut Reading<'_>, node: &'n Node, defaults: Keys<'n>, draft: &mut Draft) {
    let known: Vec<&str> = SHARED.into_iter().chain(STEP).collect();
    let keys = reading.keys(node, "an entry of `sync`", &known);
    dead(reading, keys);
    let (source, target) = (reading.text_of(keys, "source"), reading.text_of(keys, "target"));
    let kind = reading.text_of(keys, "type");
    let (Some((source, span)), Some((target, _)), Some((kind, _))) = (source, target, kind) else {
        reading.wrong(
            node.span,
            "a step needs `source`, `target` and `type`",
            "regsync refuses it too",
        );
        return;
    };
    let what = format!("`{}` to `{}`", shown(source), shown(target));
    let read = |text: &str| {
        match text.starts_with("ocidir://") {
        true => Err("a layout of regclient's holds one repository, and ours many; copy it with `transship copy oci:PATH`".to_owned()),
        false => go_template::text(text),
    }
    };
    let mirror = read(source).and_then(|source| {
        let step = Step {
            keys,
            defaults,
            source,
            target: read(target)?,
            span,
        };
        match kind {
            "image" => step.image(reading, draft),
            "repository" => step.repository(reading, draft),
            "registry" => step.registry(reading, draft),
            other => Err(format!("regsync knows no type `{}`", shown(other))),
        }
    });
    let at = reading.at(node.span);
    draft.items.push(match mirror {
        Ok(mirror) => Item::Mirror(mirror),
        Err(why) => Item::LeftOut(LeftOut { at, what, why }),
    });
}

impl Step<'_> {
    /// Returns the truth value of a step, or of `defaults` where the step says none.
    fn flag(&self, reading: &mut Reading<'_>, key: &str) -> Option<bool> {
        let own = reading.boolean(self.keys, key);
        own.or_else(|| reading.boolean(self.defaults, key))
    }

    fn image(&self, reading: &mut Reading<'_>, draft: &mut Draft) -> Result<Mirror, String> {
        for key in ["tags", "tagSets", "repos"] {
            if let Some(entry) = self.keys.entry(key) {
                let text = format!("`{key}` says nothing in a step of type image");
                reading.tell(Kind::Ignored, entry.key_span, text);
            }
        }
        let from = tagged(&self.source, draft)?;
        let to = tagged(&self.target, draft)?;
        if to.contains('@') {
            return Err("a target has no digest here".to_owned());
        }
        Ok(self.mirror(reading, From::References(vec![from]), to))
    }

    fn repository(&self, reading: &mut Reading<'_>, draft: &mut Draft) -> Result<Mirror, String> {
        let from = bare(&self.source, draft)?;
        let to = bare(&self.target, draft)?;
        let mut mirror = self.mirror(reading, From::References(vec![from]), to);
        self.select(reading, &mut mirror, draft)?;
        Ok(mirror)
    }

    fn registry(&self, reading: &mut Reading<'_>, draft: &mut Draft) -> Result<Mirror, String> {
        let source = registry_name(self.source.trim_end_matches('/'), draft)?;
        let (host, path) = self.target.split_once('/').unwrap_or((&self.target, ""));
        let target = registry_name(host, draft)?;
        let path = path.trim_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        let globs = self.globs(reading)?;
        let from = From::Search {
            registry: source,
            globs,
        };
        let mut mirror = self.mirror(reading, from, format!("{target}/{path}{slash}{{repository}}"));
        self.select(reading, &mut mirror, draft)?;
        Ok(mirror)
    }

    /// Returns the repositories of a registry as globs. What globs can't say is not widened.
    fn globs(&self, reading: &mut Reading<'_>) -> Result<Vec<String>, String> {
        let Some(node) = self.keys.get("repos") else {
            return Ok(vec!["**".to_owned()]);
        };
        let keys = reading.keys(node, "`repos`", &["allow", "deny"]);
        if !reading.texts_of(keys, "deny").is_empty() {
            return Err(
                "`repos.deny` has no counterpart: globs of repositories only take; name what is wanted"
                    .to_owned(),
            );
        }
        let mut all = Vec::new();
        for (text, _) in reading.texts_of(keys, "allow") {
            let found = globs::globs(text).filter(|_| !pattern::has_loose_alternatives(text));
            let text_shown = shown(text);
            all.extend(found.ok_or_else(|| {
                format!("no glob of repositories says `{text_shown}`; name what is wanted")
            })?);
        }
        if all.is_empty() {
            all.push("**".to_owned());
        }
        Ok(all)
    }

    fn select(
        &self,
        reading: &mut Reading<'_>,
        mirror: &mut Mirror,
        draft: &mut Draft,
    ) -> Result<(), String> {
        let selected = regsync_tags::read(reading, self.keys);
        if let ([], [(_, what, why), ..]) = (selected.sets.as_slice(), selected.without.as_slice()) {
            // Without any condition every tag would be taken.
            return Err(format!("{what}: {why}"));
        }
        for (span, what, why) in selected.without {
            let at = reading.at(span);
            let what = format!("the set with {what}");
            draft.items.push(Item::LeftOut(LeftOut { at, what, why }));
        }
        mirror.tags = selected.sets;
        Ok(())
    }

    fn mirror(&self, reading: &mut Reading<'_>, from: From, to: String) -> Mirror {
        let mut mirror = Mirror::new(reading.at(self.span), from, vec![to]);
        let attached = ["referrers", "digestTags"].map(|key| self.flag(reading, key));
        if attached == [Some(false); 2] {
            mirror.referrers = Some("none");
        }
        if self.flag(reading, "forceRecursive") == Some(true) {
            mirror.check = Some("manifests");
        }
        if self.flag(reading, "includeExternal") == Some(true) {
            mirror.foreign_layers = Some("copy");
        }
        self.platforms(reading, &mut mirror);
        mirror
    }

    fn platforms(&self, reading: &mut Reading<'_>, mirror: &mut Mirror) {
        for key in ["platform", "platforms"] {
            let Some(entry) = self.keys.entry(key) else {
                continue;
            };
            let wanted = match entry.value.list() {
                Some(_) => reading
                    .texts(&entry.value, "`platforms`")
                    .iter()
                    .map(|(text, _)| *text)
                    .collect(),
                None => reading
                    .text(&entry.value, "`platform`")
                    .into_iter()
                    .collect::<Vec<_>>(),
            };
            let wanted = shown(&wanted.join(", "));
            mirror
                .comments
                .push(format!("regsync copies {wanted} alone, this the whole index: platforms: [{wanted}] with an `index:` chooses"));
            let text = "a step with a platform puts that one image under the tag; here the whole index is copied, so that the tag has \
                        the source's digest";
            reading.changed(entry.key_span, text);
        }
    }
}

/// A reference, unless a variable keeps it from being read.
fn foreign(text: &str) -> Result<Option<Reference>, String> {
    let first = text.split('/').next().unwrap_or_default();
    match text.contains("${") {
        true if first.contains('@') => Err("a reference holds no user and no password".to_owned()),
        true => Ok(None),
        false => place::reference(text).map(Some),
    }
}

/// Names one thing: regsync takes `latest` where no tag is written.
fn tagged(text: &str, draft: &mut Draft) -> Result<String, String> {
    let Some(reference) = foreign(text)? else {
        let last = text.rsplit('/').next().unwrap_or(text);
        let tag = if last.contains([':', '@']) { "" } else { ":latest" };
        return Ok(format!("{text}{tag}"));
    };
    let id = draft.book.host(&reference.host);
    let mut path = reference.repository.to_string();
    match (&reference.tag, &reference.digest) {
        (Some(tag), _) => path.push_str(&format!(":{tag}")),
        (None, None) => path.push_str(":latest"),
        (None, Some(_)) => {}
    }
    if let Some(digest) = &reference.digest {
        path.push_str(&format!("@{digest}"));
    }
    Ok(draft.book.reference(id, &path))
}

/// Names a repository; a tag says nothing there.
fn bare(text: &str, draft: &mut Draft) -> Result<String, String> {
    let Some(reference) = foreign(text)? else {
        return Ok(text.to_owned());
    };
    let id = draft.book.host(&reference.host);
    Ok(draft.book.reference(id, reference.repository.as_str()))
}

fn registry_name(text: &str, draft: &mut Draft) -> Result<String, String> {
    if text.contains("${") {
        return Ok(text.to_owned());
    }
    if !Host::looks_like(text) {
        return Err(format!("`{}` is no registry", literal(text)));
    }
    let host = place::host(text)?;
    let id: Id = draft.book.host(&host);
    Ok(draft.book.name(id).to_owned())
}
