//! The end of a run that moves bytes: what is printed, and the report.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use planner::size;
use serde::Serialize;
use transfer::{Report, RunOutcome};

use crate::arguments::{Format, Run};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::problem;

/// What sort of run it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// A plan was applied.
    Apply,
    /// An artifact was copied.
    Copy,
}

/// Whether what is blocked was shown with the plan, on the same screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocked {
    /// It was, and is not told again.
    Shown,
    /// Nothing showed it.
    Untold,
}

/// Ends a run: fills in how and when it ended, writes the report, prints the outcome.
///
/// # Errors
/// What ended the run early, and a report that can't be written.
pub(crate) fn conclude(
    context: &Context,
    run: &Run,
    verb: Verb,
    blocked: Blocked,
    report: Report,
    ended: Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let exit = ended.as_ref().map_or_else(Failure::exit, |exit| *exit);
    if exit == Exit::Usage {
        return ended;
    }
    let report = closed(report, exit, context.started, Timestamp::now());
    let json = json(&report, ended.as_ref().err());
    if let Some(path) = &run.report {
        write(path, &json)?;
    }
    if run.format == Format::Json {
        context.data(&json)?;
    }
    let exit = ended?;
    tell(context, run.format, verb, blocked, &report)?;
    Ok(exit)
}

/// Fills in how and when a run ended.
fn closed(report: Report, exit: Exit, started: Timestamp, finished: Timestamp) -> Report {
    let outcome = match (exit, report.outcome) {
        (Exit::Done, _) => RunOutcome::Succeeded,
        (Exit::Interrupted, _) => RunOutcome::Interrupted,
        // Ended before anything could fail by itself.
        (_, RunOutcome::Succeeded) => RunOutcome::Failed,
        (_, outcome) => outcome,
    };
    Report {
        outcome,
        exit_code: exit.code(),
        started: Some(started.to_string()),
        finished: Some(finished.to_string()),
        elapsed_seconds: Some(finished.duration_since(started).as_secs_f64()),
        ..report
    }
}

/// A report, and what ended the run where that was no failure of an op.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

fn json(report: &Report, early: Option<&Failure>) -> String {
    let error = early.map(Failure::message);
    let json =
        serde_json::to_string_pretty(&Written { report, error }).expect("a report has text keys alone");
    format!("{json}\n")
}

/// Finds out beforehand whether the report can be written where it was asked for.
///
/// # Errors
/// Where it can't.
pub(crate) fn can_be_written(run: &Run) -> Result<(), Failure> {
    match &run.report {
        Some(path) => files::can_be_written(path).map_err(|error| unwritten(path, &error)),
        None => Ok(()),
    }
}

fn write(path: &Path, json: &str) -> Result<(), Failure> {
    files::write_whole(path, json.as_bytes()).map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("can't write the report to {}", path.display())).because(error)
}

/// Names root causes on standard error, then says the sums.
fn tell(
    context: &Context,
    format: Format,
    verb: Verb,
    blocked: Blocked,
    report: &Report,
) -> Result<(), Failure> {
    for failure in problem::failures(&report.failures) {
        context.terminal.error(&format!("error: {failure}"));
    }
    let untold = report.blocked.iter().filter(|_| blocked == Blocked::Untold);
    for problem in untold {
        context
            .terminal
            .error(&format!("! {}", problem::problem(problem)));
    }
    match (format, verb) {
        (Format::Text, Verb::Apply) => context.text(&summary(verb, report))?,
        // Standard output has the copies, a line each.
        (Format::Text, Verb::Copy) => context.terminal.say(summary(verb, report).trim_end()),
        (Format::Json, _) => {}
    }
    Ok(())
}

fn summary(verb: Verb, report: &Report) -> String {
    let ended = match report.outcome {
        RunOutcome::Succeeded => "complete",
        RunOutcome::Failed | RunOutcome::Partial => "incomplete",
        RunOutcome::Interrupted => "interrupted",
    };
    let mut out = format!("{verb:?} {ended}:");
    let tags = &report.tags;
    let blocked = report.blocked.len() as u64;
    let _ = write!(out, " {}", counted(tags.written, "tag", "tags"));
    out.push_str(" written");
    for (count, what) in [
        (tags.unchanged, "unchanged"),
        (tags.kept, "kept"),
        (tags.failed, "failed"),
        (blocked, "blocked"),
    ] {
        if count > 0 {
            let _ = write!(out, ", {count} {what}");
        }
    }
    let repositories = &report.repositories;
    for (count, what) in [
        (repositories.created, "created"),
        (repositories.updated, "updated"),
    ] {
        if count > 0 {
            let _ = write!(out, "; {} {what}", counted(count, "repository", "repositories"));
        }
    }
    let sum = |bytes: &BTreeMap<_, u64>| size(bytes.values().sum());
    let bytes = &report.bytes;
    let _ = write!(
        out,
        "; read {}, sent {}, mounted {}",
        sum(&bytes.read),
        sum(&bytes.written),
        sum(&bytes.mounted)
    );
    if let Some(seconds) = report.elapsed_seconds {
        let _ = write!(out, " in {seconds:.1} s");
    }
    out.push_str(".\n");
    out
}

fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use planner::{Problem, ProblemKind, Side};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn a_report_says_when_the_run_was_in_rfc_3339() {
        let report = closed(Report::new(), Exit::Done, at(0), at(3));
        assert_eq!(report.started.as_deref(), Some("2023-11-14T22:13:20Z"));
        assert_eq!(report.finished.as_deref(), Some("2023-11-14T22:13:23Z"));
        assert_eq!(report.elapsed_seconds, Some(3.0));
        assert_eq!((report.exit_code, report.outcome), (0, RunOutcome::Succeeded));
    }

    #[test]
    fn a_refused_plan_is_reported_as_a_failure() {
        let report = closed(Report::new(), Exit::Refused, at(0), at(1));
        assert_eq!((report.exit_code, report.outcome), (65, RunOutcome::Failed));
    }

    #[test]
    fn a_report_says_what_ended_a_run_early() {
        let report = closed(Report::new(), Exit::Refused, at(0), at(1));
        let written = json(&report, Some(&Failure::refused("the plan p.json is refused")));
        let read: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!(read["error"], "the plan p.json is refused");
    }

    #[test]
    fn an_interrupted_run_is_reported_as_such() {
        let report = closed(Report::new(), Exit::Interrupted, at(0), at(1));
        assert_eq!((report.exit_code, report.outcome), (130, RunOutcome::Interrupted));
    }

    #[test]
    fn a_report_file_is_the_json_of_the_report() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        let report = closed(Report::new(), Exit::Refused, at(0), at(1));
        write(&path, &json(&report, None)).unwrap();
        let read: Report = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(read, report);
    }

    #[test]
    fn the_sums_are_one_sentence() {
        let mut report = closed(Report::new(), Exit::Done, at(0), at(1));
        report.tags.written = 1;
        assert!(summary(Verb::Apply, &report).starts_with("Apply complete: 1 tag written; read "));
        report.blocked.push(Problem {
            registry: "site".parse().unwrap(),
            repository: None,
            tag: None,
            side: Side::Target,
            kind: ProblemKind::Auth,
            error: "refused".to_owned(),
            hint: None,
            tags: 3,
        });
        let report = closed(report, Exit::Denied, at(0), at(1));
        assert!(summary(Verb::Copy, &report).starts_with("Copy incomplete: 1 tag written, 1 blocked; read "));
    }
}
