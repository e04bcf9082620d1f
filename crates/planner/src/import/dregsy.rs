//! The file of dregsy.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci::Host;
use regex::Regex;

use super::book::{Auth, Id, Settings, own};
use super::draft::{Draft, From, Item, LeftOut, Mirror};
use super::importer::Pass;
use super::quote::{literal, shown};
use super::reading::{Keys, Reading};
use super::report::Kind;
use super::skopeo::{UNVERIFIED, unverified};
use super::{dregsy_tags, globs, pattern, place};
use crate::config::diagnostic::Span;
use crate::config::node::Node;
use crate::config::provider::infer_provider;

const TOP: [&str; 8] = [
    "relay",
    "watch",
    "skopeo",
    "docker",
    "lister",
    "tasks",
    "dockerhost",
    "api-version",
];
const TASK: [&str; 6] = ["name", "interval", "verbose", "source", "target", "mappings"];
const LOCATION: [&str; 5] = ["registry", "auth", "auth-refresh", "skip-tls-verify", "lister"];
const MAPPING: [&str; 4] = ["from", "to", "tags", "platform"];

/// What stands before an expression.
const REGEX: &str = "regex:";

/// What is true of every file.
const ALWAYS: [&str; 4] = [
    "attachments follow their image (referrers, fallback tags, cosign's tags), and dregsy copies none or takes cosign's tags for images; \
     `referrers: none` goes without",
    "nothing is copied that stands at its target already; dregsy copies every tag in every run",
    "a selection that matches no tag is blocked, and the run ends with 1; `at_least: 0` allows it",
    "repositories that are absent are made where the registry has an API for it, ECR's among them; `create_repositories: false` makes none",
];

const WITHOUT: [(&str, &str); 3] = [
    ("watch", "a run is one run, and reads the file once"),
    ("dockerhost", "no daemon is needed"),
    ("api-version", "no daemon is needed"),
];

/// Reads a file.
pub(super) fn read(reading: &mut Reading<'_>, tree: &Node, pass: Pass, draft: &mut Draft) {
    if pass == Pass::Registries {
        for text in ALWAYS {
            reading.report.tell(Kind::Changed, None, text);
        }
        top(reading, tree);
        return;
    }
    let tasks = Keys::of(tree)
        .get("tasks")
        .map(|node| reading.list(node, "`tasks`"));
    for node in tasks.unwrap_or_default() {
        task(reading, node, draft);
    }
}

fn top(reading: &mut Reading<'_>, tree: &Node) {
    let keys = reading.keys(tree, "the file", &TOP);
    reading.without_counterpart(keys, &WITHOUT);
    if let Some(("docker", span)) = reading.text_of(keys, "relay") {
        let text = "no daemon stands between: what dregsy's docker relay copies is one platform, under a tag dregsy-HEX where only a digest \
                    is named; here it is the index, without a tag";
        reading.changed(span, text);
    }
    if let Some(node) = keys.get("skopeo") {
        let skopeo = reading.keys(node, "`skopeo`", &["binary", "certs-dir"]);
        reading.without_counterpart(skopeo, &[("binary", "no other program is run")]);
        if let Some((directory, span)) = reading.text_of(skopeo, "certs-dir") {
            let text = format!(
                "name the files below {} under `tls` of the registries that need them",
                shown(directory)
            );
            reading.tell(Kind::ToDo, span, text);
        }
    }
    if let Some(entry) = keys.entry("docker") {
        reading.changed(entry.key_span, "`docker` has no counterpart: no daemon is needed");
    }
    if let Some(node) = keys.get("lister") {
        let lister = reading.keys(node, "`lister`", &["maxItems", "cacheDuration"]);
        let why = "repositories are listed whole, in every run";
        reading.without_counterpart(lister, &[("maxItems", why), ("cacheDuration", why)]);
    }
}

/// One task.
struct Task {
    name: String,
    source: Id,
    target: Id,
    host: Host,
}

fn task(reading: &mut Reading<'_>, node: &Node, draft: &mut Draft) {
    let keys = reading.keys(node, "a task", &TASK);
    let schedule = "a run is one run; a timer or a pipeline starts it";
    reading.without_counterpart(keys, &[("interval", schedule), ("verbose", "-v says more")]);
    let name = reading.text_of(keys, "name").map_or("", |(name, _)| name);
    let ends = ["source", "target"].map(|key| keys.get(key).and_then(|node| location(reading, node, draft)));
    let [Some((source, host)), Some((target, _))] = ends else {
        if keys.get("source").is_none() || keys.get("target").is_none() {
            reading.wrong(
                node.span,
                "a task needs `source` and `target`",
                "dregsy refuses it too",
            );
        }
        return;
    };
    let task = Task {
        name: shown(name),
        source,
        target,
        host,
    };
    let mappings = keys.get("mappings").map(|node| reading.list(node, "`mappings`"));
    for node in mappings.unwrap_or_default() {
        mapping(reading, node, &task, draft);
    }
}

fn location(reading: &mut Reading<'_>, node: &Node, draft: &mut Draft) -> Option<(Id, Host)> {
    let keys = reading.keys(node, "a source or target", &LOCATION);
    let Some((text, span)) = reading.text_of(keys, "registry") else {
        reading.wrong(
            node.span,
            "a source or target needs its `registry`",
            "dregsy refuses it too",
        );
        return None;
    };
    let host = match place::host(text.trim_end_matches('/')) {
        Ok(host) => host,
        Err(error) => {
            reading.wrong(span, "`registry` is no host", error);
            return None;
        }
    };
    if host.as_str() != text {
        let text = format!("`{}` is written as `{host}`", shown(text));
        reading.tell(Kind::Rewritten, span, text);
    }
    let mut settings = Settings {
        host: host.to_string(),
        ..Settings::default()
    };
    if reading.boolean(keys, "skip-tls-verify") == Some(true) {
        unverified(&mut settings, host.is_loopback(), true);
        reading.changed(span, UNVERIFIED);
    }
    lister(reading, keys);
    let at = keys.entry("auth").map_or(span, |entry| entry.key_span);
    settings.auth = auth(reading, keys, &host, &mut settings.comments);
    let signs = matches!(settings.auth, Some(Auth::Basic { .. }));
    let id = draft.book.declare(settings);
    if signs {
        let variable = draft.book.variable(id);
        let text =
            format!("set {variable} to the password for {host}, which the configuration does not hold");
        reading.tell(Kind::ToDo, at, text);
    }
    Some((id, host))
}

fn lister(reading: &mut Reading<'_>, keys: Keys<'_>) {
    if let Some(node) = keys.get("lister") {
        let lister = reading.keys(node, "`lister`", &["type", "search"]);
        let why = "repositories are found in the registry's catalogue, or by its provider";
        reading.without_counterpart(lister, &[("type", why), ("search", why)]);
    }
}

fn auth(reading: &mut Reading<'_>, keys: Keys<'_>, host: &Host, comments: &mut Vec<String>) -> Option<Auth> {
    if let Some(entry) = keys.entry("auth-refresh") {
        let text = "`auth-refresh` needs no counterpart: the cloud's own identity signs in, and again before it ends";
        reading.tell(Kind::Rewritten, entry.key_span, text);
    }
    let (text, span) = reading.text_of(keys, "auth")?;
    if text == "none" {
        return Some(Auth::Anonymous);
    }
    if infer_provider(host) == "ecr" {
        let text = "`auth` of ECR is a token of hours; the cloud's own identity signs in instead";
        reading.changed(span, text);
        return None;
    }
    let Some((username, password)) = credentials(text) else {
        comments.push(
            "auth could not be read: write auth: { username: ..., password: { env: NAME } }".to_owned(),
        );
        let text = "`auth` is not base64 of a `username` and a `password`: write who signs in under `auth`";
        reading.tell(Kind::ToDo, span, text);
        return None;
    };
    Some(Auth::Basic {
        username: literal(&username),
        password: own(&password),
    })
}

fn credentials(text: &str) -> Option<(String, String)> {
    let bytes = STANDARD.decode(text.trim()).ok()?;
    let value: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    let field = |key: &str| value.get(key)?.as_str().map(str::to_owned);
    field("username")
        .filter(|username| !username.is_empty())
        .zip(field("password"))
}

fn mapping(reading: &mut Reading<'_>, node: &Node, task: &Task, draft: &mut Draft) {
    let keys = reading.keys(node, "a mapping", &MAPPING);
    let Some((from, span)) = reading.text_of(keys, "from") else {
        reading.wrong(node.span, "a mapping needs `from`", "dregsy refuses it too");
        return;
    };
    let to = reading.text_of(keys, "to").map(|(to, _)| to);
    let items = reading.texts_of(keys, "tags");
    let selected = dregsy_tags::read(reading, &items);
    let platform = platform(reading, keys, span);
    let way = match from.strip_prefix(REGEX) {
        Some(expression) => found(reading, span, expression, to),
        None => one(reading, span, task, from, to),
    };
    let what = format!("`{}` of the task `{}`", shown(from), task.name);
    let at = reading.at(span);
    let way = match way {
        Ok(way) => way,
        Err(why) => return draft.items.push(Item::LeftOut(LeftOut { at, what, why })),
    };
    for (span, item, why) in selected.without {
        let at = reading.at(span);
        let what = format!("{item} of {what}");
        draft.items.push(Item::LeftOut(LeftOut { at, what, why }));
    }
    let source = draft.book.name(task.source).to_owned();
    let to = draft.book.reference(task.target, &way.to);
    let mirror = |from: From| {
        let mut mirror = Mirror::new(at.clone(), from, vec![to.clone()]);
        mirror.comments.extend(platform.clone());
        mirror
    };
    if selected.every || !selected.sets.is_empty() {
        let mut written = mirror(way.from.plain(&source));
        written.tags = selected.sets;
        draft.items.push(Item::Mirror(written));
    }
    if selected.pinned.is_empty() {
        return;
    }
    draft
        .items
        .push(match way.from.pinned(&source, &selected.pinned) {
            Some(from) => Item::Mirror(mirror(from)),
            None => Item::LeftOut(LeftOut {
                at: at.clone(),
                what: format!("digests of {what}"),
                why: "a digest is of one repository, and `from` finds many".to_owned(),
            }),
        });
}

/// Tells what is copied instead of one platform, and returns what stands beside the mirror.
fn platform(reading: &mut Reading<'_>, keys: Keys<'_>, from: Span) -> Option<String> {
    match reading.text_of(keys, "platform") {
        Some(("all", _)) => None,
        Some((platform, span)) => {
            let text = "a mapping with a platform puts that one image under the tag; here the whole index is copied, so that the tag has \
                        the source's digest";
            reading.changed(span, text);
            let platform = shown(platform);
            Some(format!(
                "dregsy copies {platform} alone, this the whole index: platforms: [{platform}] with an `index:` chooses"
            ))
        }
        None => {
            let text = "a mapping without `platform` puts the image of dregsy's own machine under the tag; here the whole index is copied, so \
                        that the tag has the source's digest";
            reading.changed(from, text);
            None
        }
    }
}

/// From where to where.
struct Way {
    from: Sources,
    to: String,
}

enum Sources {
    Repository(String),
    Found(Vec<String>),
}

impl Sources {
    fn plain(&self, registry: &str) -> From {
        match self {
            Self::Repository(repository) => From::References(vec![format!("{registry}/{repository}")]),
            Self::Found(globs) => From::Search {
                registry: registry.to_owned(),
                globs: globs.clone(),
            },
        }
    }

    fn pinned(&self, registry: &str, pins: &[String]) -> Option<From> {
        match self {
            Self::Repository(repository) => {
                let references = pins.iter().map(|pin| format!("{registry}/{repository}{pin}"));
                Some(From::References(references.collect()))
            }
            Self::Found(_) => None,
        }
    }
}

/// Reads a mapping of one repository.
fn one(
    reading: &mut Reading<'_>,
    span: Span,
    task: &Task,
    from: &str,
    to: Option<&str>,
) -> Result<Way, String> {
    let path = from.trim_start_matches('/');
    let reference = place::at(task.host.as_str(), path)?;
    if reference.tag.is_some() || reference.digest.is_some() {
        return Err("`from` is a repository, without a tag".to_owned());
    }
    let to = match to {
        None => path.to_owned(),
        Some(to) => match to.strip_prefix(REGEX) {
            Some(rule) => {
                let whole = replaced(path, rule)?;
                if whole == path {
                    let text = "the expression of `to` matches nothing of the path, which starts with `/` for dregsy, so that the path stays \
                                as it is";
                    reading.tell(Kind::Rewritten, span, text);
                }
                whole
            }
            None => to.trim_start_matches('/').to_owned(),
        },
    };
    Ok(Way {
        from: Sources::Repository(reference.repository.to_string()),
        to: literal(&to),
    })
}

/// Splits `RE,REPLACEMENT`.
fn rule(text: &str) -> Result<(&str, &str), String> {
    text.split_once(',')
        .ok_or_else(|| "`to` has no replacement behind its expression".to_owned())
}

/// Replaces in a path as dregsy does: the path starts with `/`, and the expression is not anchored.
fn replaced(path: &str, text: &str) -> Result<String, String> {
    let (expression, replacement) = rule(text)?;
    let expression =
        Regex::new(expression).map_err(|_| "its expression in `to` is not understood here".to_owned())?;
    let whole = format!("/{path}");
    Ok(expression
        .replace_all(&whole, replacement)
        .trim_start_matches('/')
        .to_owned())
}

/// Reads a mapping of repositories that are found.
fn found(reading: &mut Reading<'_>, span: Span, expression: &str, to: Option<&str>) -> Result<Way, String> {
    let expression = expression.trim();
    let text_shown = shown(expression);
    let globs = globs::globs(expression).filter(|_| !pattern::has_loose_alternatives(expression));
    let globs =
        globs.ok_or_else(|| format!("no glob of repositories says `{text_shown}`; name what is wanted"))?;
    let text = "every repository that matches is taken; dregsy lists 100 at most unless `lister.maxItems` says otherwise";
    reading.changed(span, text);
    let to = match to {
        None => "{repository}".to_owned(),
        Some(to) => match to.strip_prefix(REGEX) {
            None => format!("{}/{{repository}}", literal(to.trim_matches('/'))),
            Some(rule) => renamed(expression, rule)?,
        },
    };
    Ok(Way {
        from: Sources::Found(globs),
        to,
    })
}

/// Returns the template for `from: regex:PATH/([^/]+)` and `to: regex:PATH/([^/]+),OTHER/$1`: the last segment under another path.
fn renamed(from: &str, text: &str) -> Result<String, String> {
    let (expression, replacement) = rule(text)?;
    let why = || {
        "templates of `to` have the whole repository or its last segment, and this keeps another part"
            .to_owned()
    };
    let segment = |text: &str| text.ends_with("/([^/]+)") || text.ends_with("/([^/]*)");
    let path = replacement
        .strip_suffix("/$1")
        .or_else(|| replacement.strip_suffix("/${1}"))
        .ok_or_else(why)?;
    match expression == from && segment(expression) && !path.contains('$') {
        true => Ok(format!("{}/{{name}}", literal(path.trim_start_matches('/')))),
        false => Err(why()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_replaced_as_dregsy_does() {
        for (path, rule, whole) in [
            ("team/app", "team/(.*),archive/$1", "archive/app"),
            // The path starts with a slash, so that this matches nothing.
            ("team/app", "^team/(.*),archive/$1", "team/app"),
            ("a/a", "a,b", "b/b"),
            ("a/b", "a,x,y", "x,y/b"),
        ] {
            assert_eq!(replaced(path, rule).as_deref(), Ok(whole), "{rule}");
        }
        assert!(replaced("a", "a").is_err() && replaced("a", "(,b").is_err());
    }

    #[test]
    fn the_last_segment_goes_under_another_path() {
        assert_eq!(
            renamed("team/([^/]+)", "team/([^/]+),archive/$1").as_deref(),
            Ok("archive/{name}")
        );
        assert!(renamed("team/(.*)", "team/(.*),archive/$1").is_err());
        assert!(renamed("team/([^/]+)", "x/([^/]+),archive/$1").is_err());
    }

    #[test]
    fn credentials_are_a_name_and_a_password() {
        assert_eq!(
            credentials("eyJ1c2VybmFtZSI6ICJhbGV4IiwgInBhc3N3b3JkIjogInNlY3JldCJ9Cg=="),
            Some(("alex".to_owned(), "secret".to_owned()))
        );
        for text in ["", "none", "YWxleDpzZWNyZXQ=", "e30="] {
            assert_eq!(credentials(text), None, "{text}");
        }
    }
}
