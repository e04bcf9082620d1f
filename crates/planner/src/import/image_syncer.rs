//! The files of image-syncer: `auth` and `images`, or both in one.

use oci::{Digest, Reference, Tag};

use super::book::{Auth, Secret, Settings, own};
use super::draft::{Draft, From, Item, LeftOut, Mirror, Set};
use super::importer::Pass;
use super::quote::{literal, shown};
use super::reading::{Keys, Reading};
use super::report::Kind;
use super::skopeo::{UNVERIFIED, unverified};
use super::{pattern, place};
use crate::config::diagnostic::Span;
use crate::config::node::{Entry, Node};

/// What is true of every file.
const ALWAYS: [&str; 5] = [
    "indexes are copied as they are; image-syncer writes them anew, so that their digests differ there",
    "attachments follow their image (referrers, fallback tags, cosign's tags), and image-syncer copies none or takes cosign's tags \
     for images; `referrers: none` goes without",
    "a selection that matches no tag is blocked, and the run ends with 1; `at_least: 0` allows it",
    "--os and --arch of its command line choose platforms; here every platform is copied",
    "--proc and --retries of its command line are `limits` and --retry-times here",
];

/// Reads a file, which is one of two or both in one.
pub(super) fn read(reading: &mut Reading<'_>, tree: &Node, pass: Pass, draft: &mut Draft) {
    let entries = reading.map(tree, "the file");
    let is_legacy = entries
        .iter()
        .any(|entry| ["auth", "images"].contains(&entry.key.as_str()));
    if pass == Pass::Registries {
        for text in ALWAYS {
            reading.report.tell(Kind::Changed, None, text);
        }
        // What an old file may hold beside the two is told once.
        let keys = match is_legacy {
            true => reading.keys(tree, "the file", &["auth", "images"]),
            false => Keys::none(),
        };
        let split = entries
            .iter()
            .filter(|entry| !is_legacy && entry.value.map().is_some());
        let whole = keys.get("auth").map(|node| reading.map(node, "`auth`"));
        for entry in whole.unwrap_or_default().iter().chain(split) {
            auth(reading, entry, draft);
        }
        return;
    }
    let images = Keys::of(tree).get("images").filter(|_| is_legacy);
    let whole = images.map(|node| reading.map(node, "`images`"));
    let split = entries
        .iter()
        .filter(|entry| !is_legacy && entry.value.map().is_none());
    for entry in whole.unwrap_or_default().iter().chain(split) {
        rule(reading, entry, draft);
    }
}

fn auth(reading: &mut Reading<'_>, entry: &Entry, draft: &mut Draft) {
    let keys = reading.keys(
        &entry.value,
        "an entry of auth",
        &["username", "password", "insecure"],
    );
    let (host, path) = entry.key.split_once('/').unwrap_or((&entry.key, ""));
    let host = match place::host(host) {
        Ok(host) => host,
        Err(why) => {
            let at = reading.at(entry.key_span);
            let what = format!("the registry `{}`", shown(&entry.key));
            draft.items.push(Item::LeftOut(LeftOut { at, what, why }));
            return;
        }
    };
    let mut settings = Settings {
        host: host.to_string(),
        ..Settings::default()
    };
    if reading.boolean(keys, "insecure") == Some(true) {
        unverified(&mut settings, host.is_loopback(), true);
        reading.changed(entry.key_span, UNVERIFIED);
    }
    let username = reading.text_of(keys, "username").map(|(text, _)| text);
    let password = reading.text_of(keys, "password").map(|(text, _)| text);
    if let (Some(username), Some(password)) = (username, password) {
        settings.auth = Some(Auth::Basic {
            username: variable(username).map_or_else(|| literal(username), |name| format!("${{{name}}}")),
            password: variable(password).map_or_else(|| own(password), |name| Secret::Env(name.to_owned())),
        });
    }
    let owns = matches!(
        &settings.auth,
        Some(Auth::Basic {
            password: Secret::Own(_),
            ..
        })
    );
    let id = draft.book.declare(settings);
    let slash = if path.is_empty() { "" } else { "/" };
    draft
        .book
        .claim(&format!("{host}{slash}{}", path.trim_matches('/')), id);
    if owns {
        let variable = draft.book.variable(id);
        let text = format!(
            "set {variable} to the password for {host}{slash}{path}, which the configuration does not hold"
        );
        reading.tell(Kind::ToDo, entry.key_span, text);
    }
}

/// Returns the name of a variable that is the whole text, `${NAME}` or `$NAME`.
fn variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    let name = match name.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}')?,
        None => name,
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(fits)).then_some(name)
}

/// What of a repository is meant.
#[derive(Debug, PartialEq, Eq)]
enum Selector<'a> {
    Every,
    Tags(Vec<&'a str>),
    Digest(&'a str),
    Regex(&'a str),
}

/// Splits `REPOSITORY`, `REPOSITORY:T1,T2`, `REPOSITORY@DIGEST` and `REPOSITORY:/REGEX/`.
fn split(text: &str) -> (&str, Selector<'_>) {
    if let Some((repository, rest)) = text.split_once(":/")
        && let Some(regex) = rest.strip_suffix('/')
    {
        return (repository, Selector::Regex(regex));
    }
    if let Some((repository, digest)) = text.split_once('@') {
        return (repository, Selector::Digest(digest));
    }
    match text.rsplit_once(':') {
        Some((repository, tags)) if !tags.contains('/') => (
            repository,
            Selector::Tags(tags.split(',').map(str::trim).collect()),
        ),
        _ => (text, Selector::Every),
    }
}

/// A rule that is being read.
struct Rule<'a> {
    source: Reference,
    selector: Selector<'a>,
    from: String,
    span: Span,
}

fn rule(reading: &mut Reading<'_>, entry: &Entry, draft: &mut Draft) {
    let targets = targets(reading, &entry.value);
    let (repository, selector) = split(&entry.key);
    let source = place::reference(repository).and_then(plain);
    let source = match source {
        Ok(source) => source,
        Err(why) => return left_out(reading, entry.key_span, &entry.key, why, draft),
    };
    if selector == Selector::Every && !repository.starts_with(source.host.as_str()) {
        let text = "a source without a host and a tag is read as Docker Hub's; image-syncer takes its first part for a registry";
        reading.changed(entry.key_span, text);
    }
    let from = name(reading, entry.key_span, &source, draft);
    let rule = Rule {
        source,
        selector,
        from,
        span: entry.key_span,
    };
    let mut same = Vec::new();
    for (text, span) in targets {
        if let Err(why) = rule.target(reading, text, &mut same, draft) {
            let to = if text.is_empty() { "nowhere" } else { text };
            left_out(reading, span, &format!("{} to {to}", entry.key), why, draft);
        }
    }
    if !same.is_empty()
        && let Err(why) = rule.write(reading, same, draft)
    {
        left_out(reading, entry.key_span, &entry.key, why, draft);
    }
}

fn left_out(reading: &Reading<'_>, span: Span, what: &str, why: String, draft: &mut Draft) {
    draft.items.push(Item::LeftOut(LeftOut {
        at: reading.at(span),
        what: format!("`{}`", shown(what)),
        why,
    }));
}

fn targets<'n>(reading: &mut Reading<'_>, node: &'n Node) -> Vec<(&'n str, Span)> {
    match node.list() {
        Some(_) => reading.texts(node, "destinations"),
        None if node.is_null() => vec![("", node.span)],
        None => reading
            .text(node, "a destination")
            .map(|text| (text, node.span))
            .into_iter()
            .collect(),
    }
}

fn plain(reference: Reference) -> Result<Reference, String> {
    match reference.tag.is_none() && reference.digest.is_none() {
        true => Ok(reference),
        false => Err("it has both a tag and something behind it".to_owned()),
    }
}

/// Names a repository by who signs in there.
fn name(reading: &mut Reading<'_>, span: Span, reference: &Reference, draft: &mut Draft) -> String {
    let (id, claims) = draft.book.below(reference);
    if claims > 1 {
        let text = "several entries of auth match; the longest one is taken, as image-syncer documents, while its code takes any";
        reading.changed(span, text);
    }
    draft.book.reference(id, reference.repository.as_str())
}

impl Rule<'_> {
    /// Reads a target; one that keeps the tags joins `same`, one that renames them is a mirror for each.
    fn target(
        &self,
        reading: &mut Reading<'_>,
        text: &str,
        same: &mut Vec<String>,
        draft: &mut Draft,
    ) -> Result<(), String> {
        if text.is_empty() {
            return Err(
                "its destination is empty: old versions took a default registry from the command line"
                    .to_owned(),
            );
        }
        let (repository, wanted) = split(text);
        let target = place::reference(repository).and_then(plain)?;
        let to = name(reading, self.span, &target, draft);
        match (&self.selector, wanted) {
            (_, Selector::Every) => same.push(to),
            (_, Selector::Regex(_)) => return Err("a destination has no expression".to_owned()),
            (Selector::Digest(own), Selector::Digest(there)) if *own == there => same.push(to),
            (Selector::Digest(own), Selector::Tags(tags)) => {
                let digest = digest(own)?;
                for tag in tags {
                    let from = format!("{}@{digest}", self.from);
                    self.renamed(reading, from, format!("{to}:{}", valid(tag)?), draft);
                }
            }
            (Selector::Tags(own), Selector::Tags(tags)) if own.len() == tags.len() => {
                for (tag, new) in own.iter().zip(tags) {
                    let from = format!("{}:{}", self.from, valid(tag)?);
                    self.renamed(reading, from, format!("{to}:{}", valid(new)?), draft);
                }
            }
            (Selector::Tags(_), Selector::Tags(_)) => {
                return Err(
                    "source and destination name different numbers of tags; image-syncer refuses it"
                        .to_owned(),
                );
            }
            _ => {
                return Err(
                    "its destination's tag or digest does not go with the source; image-syncer refuses it"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }

    fn renamed(&self, reading: &Reading<'_>, from: String, to: String, draft: &mut Draft) {
        let mirror = Mirror::new(reading.at(self.span), From::References(vec![from]), vec![to]);
        draft.items.push(Item::Mirror(mirror));
    }

    fn write(&self, reading: &mut Reading<'_>, to: Vec<String>, draft: &mut Draft) -> Result<(), String> {
        let mut from = self.from.clone();
        let mut tags = Vec::new();
        match &self.selector {
            Selector::Every => {}
            Selector::Digest(text) => from.push_str(&format!("@{}", digest(text)?)),
            Selector::Tags(names) => match names.as_slice() {
                [one] => from.push_str(&format!(":{}", valid(one)?)),
                several => tags.push(Set::list(distinct(several)?)),
            },
            Selector::Regex(expression) => {
                let ours = pattern::anywhere(expression)?;
                if ours != *expression {
                    let text = "expressions match any part of a tag in image-syncer and the whole tag here, and are written accordingly";
                    reading.tell(Kind::Rewritten, self.span, text);
                }
                tags.push(Set::regex(literal(&ours)));
            }
        }
        let mut mirror = Mirror::new(reading.at(self.span), From::References(vec![from]), to);
        mirror.tags = tags;
        if self.selector == Selector::Every {
            mirror
                .comments
                .push(format!("every tag of {}", self.source.repository));
        }
        draft.items.push(Item::Mirror(mirror));
        Ok(())
    }
}

fn digest(text: &str) -> Result<Digest, String> {
    text.parse()
        .map_err(|error: oci::ParseDigestError| error.to_string())
}

fn valid(tag: &str) -> Result<Tag, String> {
    tag.parse()
        .map_err(|error: oci::NameError| format!("`{}`: {error}", shown(tag)))
}

fn distinct(tags: &[&str]) -> Result<Vec<String>, String> {
    let mut all: Vec<String> = Vec::new();
    for tag in tags {
        let tag = valid(tag)?.to_string();
        if !all.contains(&tag) {
            all.push(tag);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_split_into_a_repository_and_what_of_it_is_meant() {
        for (text, repository, selector) in [
            ("quay.io/a/b", "quay.io/a/b", Selector::Every),
            ("host:5000/a", "host:5000/a", Selector::Every),
            ("host:5000/a:1,2", "host:5000/a", Selector::Tags(vec!["1", "2"])),
            ("nginx:1.27", "nginx", Selector::Tags(vec!["1.27"])),
            (
                r"quay.io/etcd:/v3\.5\..*/",
                "quay.io/etcd",
                Selector::Regex(r"v3\.5\..*"),
            ),
            ("h:1/a:/x:y/z/", "h:1/a", Selector::Regex("x:y/z")),
            ("a.b/c@sha256:1", "a.b/c", Selector::Digest("sha256:1")),
        ] {
            assert_eq!(split(text), (repository, selector), "{text}");
        }
    }

    #[test]
    fn a_whole_variable_is_one() {
        for (text, name) in [
            ("${ALI_USER}", Some("ALI_USER")),
            ("$X", Some("X")),
            ("x$X", None),
            ("${X}y", None),
            ("$", None),
            ("pa$$word", None),
            ("$pa-ss", None),
        ] {
            assert_eq!(variable(text), name, "{text}");
        }
    }
}
