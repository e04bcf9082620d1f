//! The file of `skopeo sync --src yaml`.

use oci::{Digest, RepositoryName, Tag};

use super::book::{Auth, Id, Settings, own};
use super::draft::{Draft, From, Item, LeftOut, Mirror, Set};
use super::importer::{Destination, Pass};
use super::quote::{literal, shown};
use super::ranges::{MASTERMINDS_VERSIONS, masterminds};
use super::reading::{Keys, Reading};
use super::report::Kind;
use super::{pattern, place};
use crate::config::diagnostic::Span;
use crate::config::node::{Entry, Node};

const KEYS: [&str; 6] = [
    "images",
    "images-by-tag-regex",
    "images-by-semver",
    "credentials",
    "tls-verify",
    "cert-dir",
];

/// The variable for a destination that nobody named.
const DESTINATION: &str = "${DESTINATION}";

/// What is true of every file.
const ALWAYS: [&str; 4] = [
    "attachments follow their image (referrers, fallback tags, cosign's tags), and are copied though skopeo copies none or takes \
     cosign's tags for images; `referrers: none` goes without",
    "digests never change; skopeo may convert manifests and compress layers without --preserve-digests",
    "a selection that matches no tag is blocked, and the run ends with 1; skopeo goes on and ends with 0. `at_least: 0` allows it",
    "a tag or an expression that is wrong stops nothing here either, but it is named; skopeo logs it and ends with 0",
];

/// Reads a file.
pub(super) fn read(
    reading: &mut Reading<'_>,
    tree: &Node,
    pass: Pass,
    destination: &Destination,
    draft: &mut Draft,
) {
    if pass == Pass::Registries {
        for text in ALWAYS {
            reading.report.tell(Kind::Changed, None, text);
        }
        if !destination.all {
            let text = "every platform of an index is copied, with the index; skopeo without --all copies the one image of the \
                        machine it runs on, so that the tag has another digest there";
            reading.report.tell(Kind::Changed, None, text);
        }
        return;
    }
    let Some(target) = Target::new(reading, destination, draft) else {
        return;
    };
    for entry in reading.map(tree, "the file") {
        registry(reading, entry, &target, draft);
    }
}

/// Where images go.
struct Target<'d> {
    registry: Id,
    path: String,
    destination: &'d Destination,
}

impl<'d> Target<'d> {
    fn new(reading: &mut Reading<'_>, destination: &'d Destination, draft: &mut Draft) -> Option<Self> {
        let mut settings = Settings::default();
        let mut path = "";
        if let Some(reference) = &destination.reference {
            let text = reference.strip_prefix("docker://").unwrap_or(reference);
            let (host, rest) = text.split_once('/').unwrap_or((text, ""));
            match place::host(host) {
                Ok(host) => {
                    unverified(&mut settings, host.is_loopback(), destination.unverified);
                    settings.host = host.to_string();
                }
                Err(error) => {
                    let what = format!("the destination `{}`", shown(reference));
                    reading
                        .report
                        .tell(Kind::LeftOut, None, format!("{what}: {error}"));
                    return None;
                }
            }
            path = rest.trim_matches('/');
        } else {
            DESTINATION.clone_into(&mut settings.host);
            settings.comments.push(
                "skopeo's command line names the destination: set DESTINATION, or write the host here"
                    .to_owned(),
            );
            let text = "skopeo's file names no destination: set DESTINATION to its host, or import again with --dest HOST[/PATH]";
            reading.report.tell(Kind::ToDo, None, text);
        }
        Some(Self {
            registry: draft.book.declare(settings),
            path: literal(path),
            destination,
        })
    }

    /// Returns where a repository goes.
    fn of(&self, draft: &Draft, host: &str, repository: &RepositoryName, tag: bool) -> String {
        let below = match self.destination.scoped {
            true => format!("{host}/{repository}"),
            false => repository.last_segment().to_owned(),
        };
        let slash = if self.path.is_empty() { "" } else { "/" };
        let suffix = match &self.destination.suffix {
            Some(suffix) if tag => format!(":{{tag}}{suffix}"),
            _ => String::new(),
        };
        draft
            .book
            .reference(self.registry, &format!("{}{slash}{below}{suffix}", self.path))
    }
}

/// Takes what `tls-verify: false` says: any certificate, and plain HTTP, which here is said by itself.
pub(super) fn unverified(settings: &mut Settings, is_loopback: bool, unverified: bool) {
    settings.plain_http = unverified && is_loopback;
    settings.insecure_skip_verify = unverified && !is_loopback;
}

/// What is told about it.
pub(super) const UNVERIFIED: &str = "without verification the tool takes any certificate, and plain HTTP where TLS is not spoken; here \
     `insecure_skip_verify` takes any certificate, and plain HTTP is said with `plain_http: true` (written for this machine's own hosts)";

fn registry(reading: &mut Reading<'_>, entry: &Entry, target: &Target<'_>, draft: &mut Draft) {
    let keys = reading.keys(&entry.value, "a registry", &KEYS);
    // skopeo puts the key before a `/` and the repository, so that it may hold a path.
    let (host, prefix) = entry.key.split_once('/').unwrap_or((&entry.key, ""));
    let host = match place::host(host) {
        Ok(host) => host,
        Err(error) => {
            draft.items.push(Item::LeftOut(LeftOut {
                at: reading.at(entry.key_span),
                what: format!("the registry `{}`", shown(&entry.key)),
                why: error,
            }));
            return;
        }
    };
    let mut settings = Settings {
        host: host.to_string(),
        ..Settings::default()
    };
    if reading.boolean(keys, "tls-verify") == Some(false) {
        unverified(&mut settings, host.is_loopback(), true);
        reading.changed(entry.key_span, UNVERIFIED);
    }
    certificates(reading, keys, &mut settings);
    settings.auth = credentials(reading, keys);
    let at = keys
        .entry("credentials")
        .map_or(entry.key_span, |entry| entry.key_span);
    let signs = settings.auth.is_some();
    let id = draft.book.declare(settings);
    if signs {
        let variable = draft.book.variable(id);
        let text =
            format!("set {variable} to the password for {host}, which the configuration does not hold");
        reading.tell(Kind::ToDo, at, text);
    }
    let source = Source {
        id,
        host: host.to_string(),
        prefix: prefix.trim_matches('/').to_owned(),
    };
    for wanted in wanted(reading, keys) {
        wanted.write(reading, &source, target, draft);
    }
}

fn certificates(reading: &mut Reading<'_>, keys: Keys<'_>, settings: &mut Settings) {
    if let Some((directory, span)) = reading.text_of(keys, "cert-dir") {
        let directory = shown(directory);
        let comment = format!(
            "cert-dir {directory}: name its files, tls: {{ ca: {directory}/ca.crt, client_cert: ..., client_key: ... }}"
        );
        settings.comments.push(comment);
        let text =
            format!("`cert-dir` is a directory, `tls` takes files: name those of {directory} under `tls`");
        reading.tell(Kind::ToDo, span, text);
    }
}

fn credentials(reading: &mut Reading<'_>, keys: Keys<'_>) -> Option<Auth> {
    let node = keys.get("credentials")?;
    let keys = reading.keys(node, "`credentials`", &["username", "password"]);
    let (username, _) = reading.text_of(keys, "username")?;
    let (password, _) = reading.text_of(keys, "password").unwrap_or_default();
    Some(Auth::Basic {
        username: literal(username),
        password: own(password),
    })
}

/// A registry that is read.
struct Source {
    id: Id,
    host: String,
    prefix: String,
}

/// What is wanted of one repository.
struct Wanted {
    repository: String,
    span: Span,
    every: bool,
    sets: Vec<Set>,
    digests: Vec<Digest>,
    comments: Vec<String>,
    problems: Vec<(Span, String, String)>,
}

/// Gathers the three maps by repository, in the order of the file.
fn wanted(reading: &mut Reading<'_>, keys: Keys<'_>) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = Vec::new();
    for (key, take) in [
        (
            "images",
            Wanted::images as fn(&mut Wanted, &mut Reading<'_>, &Node),
        ),
        ("images-by-tag-regex", Wanted::regex),
        ("images-by-semver", Wanted::semver),
    ] {
        let Some(node) = keys.get(key) else { continue };
        for entry in reading.map(node, &format!("`{key}`")) {
            let at = all.iter().position(|wanted| wanted.repository == entry.key);
            let at = at.unwrap_or_else(|| {
                all.push(Wanted::new(entry));
                all.len() - 1
            });
            take(&mut all[at], reading, &entry.value);
        }
    }
    all
}

impl Wanted {
    fn new(entry: &Entry) -> Self {
        Self {
            repository: entry.key.clone(),
            span: entry.key_span,
            every: false,
            sets: Vec::new(),
            digests: Vec::new(),
            comments: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn images(&mut self, reading: &mut Reading<'_>, node: &Node) {
        let items = reading.texts(node, "a repository's tags");
        self.every |= items.is_empty();
        let mut tags: Vec<String> = Vec::new();
        for (item, span) in items {
            if let Ok(digest) = item.parse::<Digest>() {
                if !self.digests.contains(&digest) {
                    self.digests.push(digest);
                }
            } else if item.parse::<Tag>().is_err() {
                let what = format!("`{}`", shown(item));
                self.problems
                    .push((span, what, "it is neither a tag nor a digest".to_owned()));
            } else if !tags.iter().any(|tag| tag == item) {
                tags.push(item.to_owned());
            }
        }
        if !tags.is_empty() {
            self.sets.push(Set::list(tags));
        }
    }

    fn regex(&mut self, reading: &mut Reading<'_>, node: &Node) {
        let Some(expression) = reading.text(node, "an expression") else {
            return;
        };
        match pattern::anywhere(expression) {
            Ok(ours) => {
                if ours != expression {
                    let text_shown = shown(expression);
                    self.comments.push(format!(
                        "skopeo's expression {text_shown} matches any part of a tag, ours the whole tag"
                    ));
                    let text = "expressions match any part of a tag in skopeo (`1.1` takes v1.10) and the whole tag here, and are \
                                written accordingly";
                    reading.tell(Kind::Rewritten, node.span, text);
                }
                self.sets.push(Set::regex(literal(&ours)));
            }
            Err(error) => {
                let what = format!("the expression `{}`", shown(expression));
                self.problems.push((node.span, what, error));
            }
        }
    }

    fn semver(&mut self, reading: &mut Reading<'_>, node: &Node) {
        let Some(constraint) = reading.text(node, "a constraint") else {
            return;
        };
        match masterminds(constraint) {
            Ok(ranges) => {
                reading.changed(node.span, MASTERMINDS_VERSIONS);
                self.sets.extend(ranges.into_iter().map(|range| Set {
                    semver: Some(range.semver),
                    prerelease: range.prerelease,
                    ..Set::default()
                }));
            }
            Err(error) => {
                let what = format!("the constraint `{}`", shown(constraint));
                self.problems.push((node.span, what, error));
            }
        }
    }

    fn write(self, reading: &mut Reading<'_>, source: &Source, target: &Target<'_>, draft: &mut Draft) {
        let slash = if source.prefix.is_empty() { "" } else { "/" };
        let path = format!("{}{slash}{}", source.prefix, self.repository);
        for (span, what, why) in &self.problems {
            draft.items.push(Item::LeftOut(LeftOut {
                at: reading.at(*span),
                what: format!("{what} of {}/{}", source.host, shown(&path)),
                why: why.clone(),
            }));
        }
        let at = reading.at(self.span);
        let repository = match place::at(&source.host, &path) {
            Ok(reference) if reference.tag.is_none() && reference.digest.is_none() => reference.repository,
            other => {
                let why = other.err();
                draft.items.push(Item::LeftOut(LeftOut {
                    at,
                    what: format!("the repository `{}`", shown(&path)),
                    why: why.unwrap_or_else(|| {
                        "a repository has no tag and no digest; skopeo skips it".to_owned()
                    }),
                }));
                return;
            }
        };
        let from = draft.book.reference(source.id, repository.as_str());
        let digests = (!self.digests.is_empty()).then(|| Set::digests(&self.digests));
        let suffixed = digests.is_some() && target.destination.suffix.is_some();
        let suffix = suffixed.then(|| "what is named by its digest has no tag for the suffix".to_owned());
        let mut write = |sets: Vec<Set>, comments: Vec<String>, tag: bool| {
            let to = target.of(draft, &source.host, &repository, tag);
            let mut mirror = Mirror::new(at.clone(), From::References(vec![from.clone()]), vec![to]);
            mirror.tags = sets;
            mirror.comments = comments;
            draft.items.push(Item::Mirror(mirror));
        };
        let mut comments = self.comments;
        if self.every {
            if !self.sets.is_empty() {
                comments.push("every tag is taken, so that nothing else selects any".to_owned());
            }
            write(Vec::new(), comments, true);
            // No set takes every tag, so that digests need a mirror of their own.
            if let Some(digests) = digests {
                write(vec![digests], suffix.into_iter().collect(), false);
            }
            return;
        }
        let tag = !self.sets.is_empty();
        let sets: Vec<Set> = self.sets.into_iter().chain(digests).collect();
        if !sets.is_empty() {
            comments.extend(suffix);
            write(sets, comments, tag);
        }
    }
}
