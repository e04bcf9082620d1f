//! From a draft to the text of a configuration.

use std::fmt::Write as _;
use std::ops::Range;

use super::book::{Auth, Secret, Settings, variable};
use super::draft::{Draft, From, Item, LeftOut, Mirror, Set};
use super::format::Format;
use super::quote::{list, one_line, scalar};

/// A text, and the lines that each registry and each item has in it, from 1.
pub(super) struct Written {
    pub(super) text: String,
    pub(super) registries: Vec<Range<usize>>,
    pub(super) items: Vec<Range<usize>>,
}

/// Lines of text.
#[derive(Default)]
struct Lines(Vec<String>);

impl Lines {
    fn push(&mut self, line: impl Into<String>) {
        self.0.push(line.into());
    }

    fn comment(&mut self, indent: &str, text: &str) {
        self.push(format!("{indent}# {}", one_line(text)));
    }

    /// Writes what `write` writes, as a comment.
    fn as_comment(&mut self, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        for line in inner.0 {
            let bare = line.strip_prefix("  ").unwrap_or(&line);
            self.push(format!("  # {bare}"));
        }
    }

    /// Runs `write` and returns the lines it wrote.
    fn span(&mut self, write: impl FnOnce(&mut Self)) -> Range<usize> {
        let start = self.0.len() + 1;
        write(self);
        start..self.0.len() + 1
    }
}

/// Writes a draft.
pub(super) fn write(draft: &Draft, format: Format, files: &[&str]) -> Written {
    let mut lines = Lines::default();
    let files: Vec<String> = files.iter().map(|file| one_line(file)).collect();
    lines.comment(
        "",
        &format!(
            "Made by transship import-config from {}, for {format}.",
            files.join(", ")
        ),
    );
    lines.comment(
        "",
        "`transship validate` checks it, `transship plan` shows what it would move.",
    );
    lines.push("version: 1");
    let mut registries = Vec::new();
    if draft.book.entries().next().is_some() {
        lines.push("");
        lines.push("registries:");
    }
    for (name, settings) in draft.book.entries() {
        registries.push(lines.span(|lines| registry(lines, name, settings)));
    }
    lines.push("");
    let is_mirror = |item: &Item| matches!(item, Item::Mirror(mirror) if mirror.left_out.is_none());
    lines.push(match draft.items.iter().any(is_mirror) {
        true => "mirrors:",
        false => "mirrors: []",
    });
    let mut items = Vec::new();
    for (number, item) in draft.items.iter().enumerate() {
        if number > 0 {
            lines.push("");
        }
        items.push(lines.span(|lines| write_item(lines, item)));
    }
    Written {
        text: format!("{}\n", lines.0.join("\n")),
        registries,
        items,
    }
}

fn registry(lines: &mut Lines, name: &str, settings: &Settings) {
    lines.push(format!("  {}:", scalar(name)));
    for comment in &settings.comments {
        lines.comment("    ", comment);
    }
    lines.push(format!("    host: {}", scalar(&settings.host)));
    for (key, set) in [
        ("plain_http", settings.plain_http),
        ("insecure_skip_verify", settings.insecure_skip_verify),
    ] {
        if set {
            lines.push(format!("    {key}: true"));
        }
    }
    if !settings.tls.is_empty() {
        let keys: Vec<String> = settings
            .tls
            .iter()
            .map(|(key, path)| format!("{key}: {}", scalar(path)))
            .collect();
        lines.push(format!("    tls: {{ {} }}", keys.join(", ")));
    }
    if let Some(auth) = &settings.auth {
        write_auth(lines, name, auth);
    }
    if !settings.limits.is_empty() {
        let keys: Vec<String> = settings
            .limits
            .iter()
            .map(|(key, limit)| format!("{key}: {limit}"))
            .collect();
        lines.push(format!("    limits: {{ {} }}", keys.join(", ")));
    }
}

fn write_auth(lines: &mut Lines, name: &str, auth: &Auth) {
    lines.push(match auth {
        Auth::Anonymous => "    auth: anonymous".to_owned(),
        Auth::Helper(name) => format!("    auth: {{ helper: {} }}", scalar(name)),
        Auth::Token(secret) => format!("    auth: {{ token: {} }}", reference(secret, name)),
        Auth::Basic { username, password } => {
            let (username, password) = (scalar(username), reference(password, name));
            format!("    auth: {{ username: {username}, password: {password} }}")
        }
    });
}

fn reference(secret: &Secret, registry: &str) -> String {
    match secret {
        Secret::Env(name) => format!("{{ env: {} }}", scalar(name)),
        Secret::File(path) => format!("{{ file: {} }}", scalar(path)),
        Secret::Own(_) => format!("{{ env: {} }}", variable(registry)),
    }
}

fn write_item(lines: &mut Lines, item: &Item) {
    match item {
        Item::LeftOut(LeftOut { at, what, why }) => {
            lines.comment("  ", &format!("left out, {at}: {what}"));
            lines.comment("  ", &format!("  because {why}"));
        }
        Item::Mirror(written) => match &written.left_out {
            None => mirror(lines, written),
            Some(why) => {
                lines.comment("  ", &format!("left out, {}: {why}", written.at));
                lines.as_comment(|lines| mirror(lines, written));
            }
        },
    }
}

fn mirror(lines: &mut Lines, mirror: &Mirror) {
    for comment in &mirror.comments {
        lines.comment("  ", comment);
    }
    let mut keys = Vec::new();
    if let Some(name) = &mirror.name {
        keys.push(format!("name: {}", scalar(name)));
    }
    keys.push(format!("from: {}", from(&mirror.from)));
    keys.push(match mirror.to.as_slice() {
        [one] => format!("to: {}", scalar(one)),
        several => format!("to: {}", list(several)),
    });
    match mirror.tags.as_slice() {
        [] => {}
        [one] => keys.push(format!("tags: {}", set(one))),
        several => {
            keys.push("tags:".to_owned());
            keys.extend(several.iter().map(|one| format!("  - {}", set(one))));
        }
    }
    for (key, value) in [
        ("referrers", mirror.referrers),
        ("check", mirror.check),
        ("foreign_layers", mirror.foreign_layers),
    ] {
        keys.extend(value.map(|value| format!("{key}: {value}")));
    }
    for (number, key) in keys.iter().enumerate() {
        let lead = if number == 0 { "  - " } else { "    " };
        lines.push(format!("{lead}{key}"));
    }
}

fn from(from: &From) -> String {
    match from {
        From::References(references) => match references.as_slice() {
            [one] => scalar(one),
            several => list(several),
        },
        From::Search { registry, globs } => {
            format!(
                "{{ registry: {}, repositories: {} }}",
                scalar(registry),
                list(globs)
            )
        }
    }
}

fn set(set: &Set) -> String {
    let mut keys = Vec::new();
    for (key, values) in [
        ("list", &set.list),
        ("digests", &set.digests),
        ("regex", &set.regex),
        ("exclude_regex", &set.exclude_regex),
    ] {
        match values.as_slice() {
            [] => {}
            [one] if !["list", "digests"].contains(&key) => keys.push(format!("{key}: {}", scalar(one))),
            several => keys.push(format!("{key}: {}", list(several))),
        }
    }
    keys.extend(
        set.semver
            .as_ref()
            .map(|range| format!("semver: {}", scalar(range))),
    );
    if set.prerelease {
        keys.push("prerelease: true".to_owned());
    }
    keys.extend(set.latest.map(|latest| format!("latest: {latest}")));
    keys.extend(set.at_least.map(|least| format!("at_least: {least}")));
    let mut out = "{ ".to_owned();
    // A string takes everything.
    let _ = write!(out, "{} }}", keys.join(", "));
    out
}
