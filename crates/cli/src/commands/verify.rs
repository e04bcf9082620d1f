//! `transship verify`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use oci::Tag;
use planner::plan::{Expect, Note};
use planner::spec::Check;
use planner::{Op, OpKind, OpPlace, Place, Plan, Problem, ProblemKind};
use serde::Serialize;

use crate::arguments::{Format, Verify};
use crate::configuration;
use crate::connect::{self, Manner};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::problem;
use crate::progress::Progress;
use crate::survey::{self, Surveyed};

/// What was looked at, and what is not as it should be.
#[derive(Debug, Default, Serialize)]
struct Verdict {
    checked: Checked,
    drift: Vec<Drift>,
    blocked: Vec<Problem>,
    notes: Vec<Note>,
}

/// How much was looked at, counted per place.
#[derive(Debug, Default, Serialize)]
struct Checked {
    places: usize,
    tags: usize,
    manifests: usize,
    blobs: usize,
}

/// One thing that a target lacks, or holds in another form.
#[derive(Debug, Serialize)]
struct Drift {
    registry: String,
    repository: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    what: String,
}

/// Reads every target back and names what differs from the configuration.
///
/// # Errors
/// A configuration that is refused (65), flags that are not there yet (64), a signal.
pub(crate) async fn run(context: &Context, arguments: &Verify) -> Result<Exit, Failure> {
    let loaded = configuration::load(&arguments.configuration.file, &arguments.narrow)?;
    let spec = loaded.spec.with_check(Check::Blobs);
    let manner = Manner::declared(loaded.directory, &arguments.access);
    let connections = connect::connect(context, &connect::of_spec(&spec), &manner).await?;
    let Surveyed {
        spec, survey, plan, ..
    } = survey::survey(context, &spec, &loaded.only, &connections).await?;
    let contents = planner::closure(&spec, &connections.capabilities(), &survey);
    let mut verdict = verdict(plan, &contents);
    if arguments.deep {
        let progress = Progress::hashing(&context.terminal);
        let reader = connections.reader(transfer::ManifestCache::none());
        let problems = transfer::rehash(&contents, &reader, progress.events());
        let problems = context.unless_interrupted(problems).await?;
        progress.end().await;
        verdict.add(problems);
    }
    print(context, &verdict, arguments.format)?;
    Ok(verdict.exit())
}

fn checked(contents: &BTreeMap<Place, planner::Contents>) -> Checked {
    Checked {
        places: contents.len(),
        tags: contents.values().map(|held| held.tags.len()).sum(),
        manifests: contents.values().map(|held| held.manifests.len()).sum(),
        blobs: contents.values().map(|held| held.blobs.len()).sum(),
    }
}

/// Whatever a plan would still do is what is missing, and so is what it can't do for an attachment.
fn verdict(plan: Plan, contents: &BTreeMap<Place, planner::Contents>) -> Verdict {
    let drift = plan
        .ops
        .iter()
        .flat_map(|op| op.at.iter().map(|at| drift(op, at)));
    let apart = contents.iter().flat_map(|(place, held)| {
        let apart = held.apart.iter();
        apart.map(move |(tag, reason)| Drift::apart(place, tag, reason))
    });
    let mut drift: Vec<Drift> = drift.chain(apart).collect();
    // What was selected by name comes before what stands behind it.
    drift.sort_by_key(|drift| drift.tag.is_none());
    Verdict {
        checked: checked(contents),
        drift,
        blocked: plan.blocked,
        notes: plan.notes,
    }
}

fn drift(op: &Op, at: &OpPlace) -> Drift {
    let what = match op.kind {
        OpKind::CreateRepository => "the repository is missing".to_owned(),
        OpKind::UpdateRepository => format!("the repository's settings differ: {}", op.reason),
        OpKind::ImportImage => "an image is missing".to_owned(),
        OpKind::UploadBlob | OpKind::MountBlob => "a blob is missing".to_owned(),
        OpKind::PutManifest => "a manifest is missing".to_owned(),
        OpKind::MergeReferrers => "the fallback tag lacks entries".to_owned(),
        OpKind::MergeSignatures => format!("the cosign tag lacks {}", counted(op.entries.len(), "layer")),
        OpKind::PutTag => match &at.expect {
            Some(Expect::Digest(found)) => format!("the tag stands at {found}"),
            Some(Expect::Absent) | None => "the tag is missing".to_owned(),
        },
    };
    Drift {
        registry: at.registry.to_string(),
        repository: at.repository.to_string(),
        tag: op.tag.as_ref().map(ToString::to_string),
        digest: op.digest.as_ref().map(ToString::to_string),
        what,
    }
}

impl Verdict {
    /// Takes what hashing found: wrong bytes are drift, an unanswered question is not.
    fn add(&mut self, problems: Vec<Problem>) {
        for problem in problems {
            if matches!(problem.kind, ProblemKind::Integrity | ProblemKind::NotFound) {
                self.drift.push(Drift {
                    registry: problem.registry.to_string(),
                    repository: problem
                        .repository
                        .map(|name| name.to_string())
                        .unwrap_or_default(),
                    tag: problem.tag.map(|tag| tag.to_string()),
                    digest: None,
                    what: problem.error,
                });
            } else {
                self.blocked.push(problem);
            }
        }
    }

    fn exit(&self) -> Exit {
        match Exit::of_causes(self.blocked.iter().map(|problem| problem.kind)) {
            Exit::Done if !self.drift.is_empty() => Exit::Changes,
            exit => exit,
        }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        for drift in &self.drift {
            let _ = writeln!(out, "~ {}", drift.line());
        }
        for problem in &self.blocked {
            let _ = writeln!(out, "! {}", problem::problem(problem));
        }
        for note in &self.notes {
            let _ = writeln!(out, "{note}");
        }
        let Checked {
            places,
            tags,
            manifests,
            blobs,
        } = &self.checked;
        let _ = match (self.drift.len(), self.blocked.len()) {
            (0, 0) => writeln!(
                out,
                "No drift. {}, {} and {} stand in {} as they should.",
                counted(*tags, "tag"),
                counted(*manifests, "manifest"),
                counted(*blobs, "blob"),
                counted(*places, "place"),
            ),
            (drift, 0) => writeln!(out, "Drift: {drift} found."),
            (drift, blocked) => writeln!(out, "Drift: {drift} found; {blocked} blocked."),
        };
        out
    }
}

impl Drift {
    fn apart(place: &Place, tag: &Tag, reason: &str) -> Self {
        Self {
            registry: place.registry.to_string(),
            repository: place.repository.to_string(),
            tag: Some(tag.to_string()),
            digest: None,
            what: format!("the tag lacks what the source's holds, which can't be added: {reason}"),
        }
    }

    fn line(&self) -> String {
        let mut line = format!("{}/{}", self.registry, self.repository);
        if let Some(tag) = &self.tag {
            let _ = write!(line, ":{tag}");
        }
        if let Some(digest) = &self.digest {
            let _ = write!(line, "  {digest}");
        }
        let _ = write!(line, "  {}", self.what);
        line
    }
}

/// Counts with a plural in `s`.
fn counted(n: usize, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

fn print(context: &Context, verdict: &Verdict, format: Format) -> Result<(), Failure> {
    match format {
        Format::Text => context.brief(&verdict.text()),
        Format::Json => {
            let json = serde_json::to_string_pretty(verdict).expect("a verdict has text keys alone");
            context.data(&format!("{json}\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use planner::Side;

    fn problem(kind: ProblemKind) -> Problem {
        Problem {
            registry: "site".parse().unwrap(),
            repository: None,
            tag: None,
            side: Side::Target,
            kind,
            error: "it is so".to_owned(),
            hint: None,
            tags: 0,
        }
    }

    #[test]
    fn wrong_bytes_are_drift() {
        let mut verdict = Verdict::default();
        assert_eq!(verdict.exit(), Exit::Done);
        verdict.add(vec![problem(ProblemKind::Integrity)]);
        assert_eq!(verdict.exit(), Exit::Changes);
        assert!(verdict.text().ends_with("Drift: 1 found.\n"));
    }

    #[test]
    fn an_attachment_that_can_not_be_added_is_drift_and_is_told() {
        let place = Place {
            registry: "site".parse().unwrap(),
            repository: "app".parse().unwrap(),
        };
        let verdict = Verdict {
            drift: vec![Drift::apart(&place, &"x.sig".parse().unwrap(), "it is full")],
            notes: vec![Note {
                place: Some(place),
                text: "left as it is".to_owned(),
            }],
            ..Verdict::default()
        };
        assert_eq!(verdict.exit(), Exit::Changes);
        let text = "~ site/app:x.sig  the tag lacks what the source's holds, which can't be added: it is full\n\
                    note: site/app: left as it is\n\
                    Drift: 1 found.\n";
        assert_eq!(verdict.text(), text);
    }

    #[test]
    fn what_could_not_be_asked_decides_over_drift() {
        let mut verdict = Verdict::default();
        verdict.add(vec![
            problem(ProblemKind::Integrity),
            problem(ProblemKind::Network),
        ]);
        assert_eq!(verdict.exit(), Exit::Failed);
        assert!(verdict.text().contains("! target site: it is so\n"));
    }
}
