//! One import, from files to a configuration that the parser accepts.

use std::ops::Range;
use std::rc::Rc;

use oci::RepositoryName;

use super::draft::{Draft, From, Item, Mirror};
use super::format::Format;
use super::reading::Reading;
use super::report::{Kind, Report};
use super::write::{Written, write};
use super::{dregsy, image_syncer, place, recognition, regsync, skopeo};
use crate::config::diagnostic::{Diagnostic, Span};
use crate::config::excerpt::{self, Excerpt};
use crate::config::node::Node;
use crate::config::{self, Diagnostics, Input, Next, yaml};

/// A file of another tool.
#[derive(Clone, Copy, Debug)]
pub struct ForeignFile<'a> {
    /// Its name, for problems, the report and comments.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// What the command line of skopeo sync says and its file does not.
#[derive(Clone, Debug, Default)]
pub struct Destination {
    /// Where it goes, `HOST[/PATH]`; a variable stands for it where it is not said.
    pub reference: Option<String>,
    /// `--scoped`.
    pub scoped: bool,
    /// `--append-suffix`.
    pub suffix: Option<String>,
    /// `--all`.
    pub all: bool,
    /// `--dest-tls-verify=false`.
    pub unverified: bool,
}

impl Destination {
    /// Says why the reference names no destination, where it does not.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let reference = self.reference.as_deref()?;
        let text = reference.strip_prefix("docker://").unwrap_or(reference);
        let (host, path) = text.split_once('/').unwrap_or((text, ""));
        let path = path.trim_matches('/');
        let host = place::host(host).map(drop);
        let read = host.and_then(|()| match path {
            "" => Ok(()),
            path => path
                .parse::<RepositoryName>()
                .map(drop)
                .map_err(|error| error.to_string()),
        });
        read.err()
    }
}

/// A configuration and what changes with it.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The configuration: valid, commented, without any secret.
    pub text: String,
    /// What changes.
    pub report: Report,
    /// How many mirrors it has.
    pub mirrors: usize,
}

/// Reads the files of a tool and writes a configuration.
///
/// # Errors
/// The problems of each file that is not one of the tool's.
pub fn import(
    format: Format,
    files: &[ForeignFile<'_>],
    destination: &Destination,
) -> Result<Imported, Vec<Diagnostics>> {
    let mut draft = Draft::default();
    let mut report = Report::default();
    let mut refused = Vec::new();
    let mut trees = Vec::new();
    for file in files {
        match tree(file) {
            Ok(tree) => trees.push((*file, tree)),
            Err(problems) => refused.push(problems),
        }
    }
    // Who signs in is known before anything refers to it.
    for pass in [Pass::Registries, Pass::Images] {
        for (file, tree) in &trees {
            let mut reading = Reading {
                format,
                file: file.name,
                report: &mut report,
                problems: Vec::new(),
            };
            match format {
                Format::SkopeoSync => skopeo::read(&mut reading, tree, pass, destination, &mut draft),
                Format::Regsync => regsync::read(&mut reading, tree, pass, &mut draft),
                Format::ImageSyncer => image_syncer::read(&mut reading, tree, pass, &mut draft),
                Format::Dregsy => dregsy::read(&mut reading, tree, pass, &mut draft),
            }
            if !reading.problems.is_empty() {
                refused.push(diagnostics(file, reading.problems, Some(tree)));
            }
        }
    }
    if refused.is_empty() {
        refused = strangers(format, &trees);
    }
    if !refused.is_empty() {
        return Err(refused);
    }
    let names: Vec<&str> = files.iter().map(|file| file.name).collect();
    let text = accepted(&mut draft, format, &names).map_err(|problems| vec![problems])?;
    tell_left_out(&draft, &mut report);
    let mirrors = draft.items.iter().filter(|item| is_written(item)).count();
    Ok(Imported {
        text,
        report,
        mirrors,
    })
}

/// Finds the files with nothing of what the tool needs. Beside one that has it, others may only say who signs in.
fn strangers(format: Format, trees: &[(ForeignFile<'_>, Rc<Node>)]) -> Vec<Diagnostics> {
    let is_complete = trees.iter().any(|(_, tree)| recognition::is_of(format, tree));
    let belongs =
        |tree: &Node| recognition::is_of(format, tree) || is_complete && recognition::is_beside(format, tree);
    let strangers = trees.iter().filter(|(_, tree)| !belongs(tree));
    strangers
        .map(|(file, tree)| {
            let problem = recognition::nothing_found(format, tree);
            diagnostics(file, vec![problem], Some(tree))
        })
        .collect()
}

/// What of the files is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    Registries,
    Images,
}

fn tree(file: &ForeignFile<'_>) -> Result<Rc<Node>, Diagnostics> {
    // JSON may be indented with tabs, which YAML refuses. In JSON's texts there are none.
    let is_json = file.text.trim_start().starts_with(['{', '[']);
    let text = match is_json {
        true => file.text.replace('\t', " "),
        false => file.text.to_owned(),
    };
    let mut problems = Vec::new();
    let tree = yaml::read(&text, &mut problems);
    match tree {
        Some(tree) if problems.is_empty() && !tree.is_null() => Ok(tree),
        tree => {
            if problems.is_empty() {
                let start = Span {
                    line: 1,
                    column: 1,
                    length: 1,
                };
                problems.push(Diagnostic::new(
                    start,
                    "the file is empty",
                    "name the file that the tool reads",
                ));
            }
            Err(diagnostics(file, problems, tree.as_deref()))
        }
    }
}

fn diagnostics(file: &ForeignFile<'_>, problems: Vec<Diagnostic>, tree: Option<&Node>) -> Diagnostics {
    let excerpt = Excerpt::new(excerpt::split(file.text), tree);
    Diagnostics::new(file.name, problems, excerpt)
}

/// Writes the draft, and leaves out what the parser refuses until it accepts the rest.
fn accepted(draft: &mut Draft, format: Format, files: &[&str]) -> Result<String, Diagnostics> {
    loop {
        let written = write(draft, format, files);
        let input = Input {
            name: "transship.yaml",
            text: &written.text,
            environment: &|_| None,
        };
        match config::parse_offline(&input) {
            Ok(_) => return Ok(written.text),
            Err(problems) if leave_out(draft, &written, &problems) => {}
            Err(problems) => return Err(problems),
        }
    }
}

/// Leaves out what stands where the problems are. Returns false where nothing does, so that nothing would change.
fn leave_out(draft: &mut Draft, written: &Written, problems: &Diagnostics) -> bool {
    let mut changed = false;
    let mut broken = Vec::new();
    for problem in problems {
        let holds = |lines: &Range<usize>| lines.contains(&problem.line);
        if let Some(at) = written.items.iter().position(holds) {
            if let Item::Mirror(mirror) = &mut draft.items[at] {
                changed |= mirror.left_out.is_none();
                mirror.left_out.get_or_insert_with(|| reason(problem));
            }
        } else if let Some(at) = written.registries.iter().position(holds) {
            broken.push((at, reason(problem)));
        }
    }
    broken.dedup_by_key(|(at, _)| *at);
    for (at, why) in broken.into_iter().rev() {
        if let Some(name) = draft.book.drop_at(at) {
            changed = true;
            leave_out_users(draft, &name, &why);
        }
    }
    changed
}

fn reason(problem: &Diagnostic) -> String {
    match &problem.next {
        Next::Help(help) => format!("{}; {help}", problem.message),
        Next::Meant(_) => problem.message.clone(),
    }
}

fn leave_out_users(draft: &mut Draft, registry: &str, why: &str) {
    for item in &mut draft.items {
        if let Item::Mirror(mirror) = item
            && uses(mirror, registry)
        {
            mirror.left_out.get_or_insert_with(|| why.to_owned());
        }
    }
}

fn uses(mirror: &Mirror, registry: &str) -> bool {
    let starts = |reference: &String| reference.split('/').next() == Some(registry);
    let reads = match &mirror.from {
        From::References(references) => references.iter().any(starts),
        From::Search { registry: name, .. } => name == registry,
    };
    reads || mirror.to.iter().any(starts)
}

fn is_written(item: &Item) -> bool {
    matches!(item, Item::Mirror(mirror) if mirror.left_out.is_none())
}

fn tell_left_out(draft: &Draft, report: &mut Report) {
    for item in &draft.items {
        match item {
            Item::LeftOut(left) => {
                report.tell(
                    Kind::LeftOut,
                    Some(left.at.clone()),
                    format!("{}: {}", left.what, left.why),
                );
            }
            Item::Mirror(mirror) => {
                if let Some(why) = &mirror.left_out {
                    report.tell(
                        Kind::LeftOut,
                        Some(mirror.at.clone()),
                        format!("{}: {why}", what(mirror)),
                    );
                }
            }
        }
    }
}

fn what(mirror: &Mirror) -> String {
    let from = match &mirror.from {
        From::References(references) => references.join(", "),
        From::Search { registry, globs } => format!("{registry}/{}", globs.join(", ")),
    };
    format!("`{from}` to `{}`", mirror.to.join(", "))
}
