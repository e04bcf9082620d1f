//! Problems and failures as lines for people.

use std::fmt::{Display, Write as _};

use planner::{Problem, ProblemKind, Side};
use transfer::Failure;

/// Lays a problem out as one line, with its hint below.
pub(crate) fn problem(problem: &Problem) -> String {
    let mut place = problem.registry.to_string();
    if let Some(repository) = &problem.repository {
        let _ = write!(place, "/{repository}");
    }
    line(
        place,
        problem.tag.as_ref(),
        problem.side,
        &problem.error,
        problem.hint.as_deref(),
    )
}

/// Lays a failure out as one line, with its hint below.
pub(crate) fn failure(failure: &Failure) -> String {
    let place = format!("{}/{}", failure.registry, failure.repository);
    line(
        place,
        failure.tag.as_ref(),
        failure.side,
        &failure.error,
        failure.hint.as_deref(),
    )
}

/// Lays failures out, one line for all that are of one kind at one place: a wrong password fails every blob.
pub(crate) fn failures(failures: &[Failure]) -> Vec<String> {
    let mut folded: Vec<(&Failure, usize)> = Vec::new();
    for one in failures {
        match folded.iter_mut().find(|(first, _)| alike(first, one)) {
            Some((_, more)) => *more += 1,
            None => folded.push((one, 0)),
        }
    }
    let line = |(first, more): (&Failure, usize)| match more {
        0 => failure(first),
        more => format!(
            "{}\n  and {more} more like it at {}",
            failure(first),
            first.place()
        ),
    };
    folded.into_iter().map(line).collect()
}

/// Whoever is told one knows the others. What has a tag is named, as is what differs from blob to blob.
fn alike(one: &Failure, other: &Failure) -> bool {
    use ProblemKind::{Integrity, NotFound};
    let named = |failure: &Failure| failure.tag.is_some() || matches!(failure.kind, Integrity | NotFound);
    let same = (one.kind, one.side, &one.hint) == (other.kind, other.side, &other.hint);
    same && one.place() == other.place() && !named(one) && !named(other)
}

fn line(
    mut place: String,
    tag: Option<&impl Display>,
    side: Side,
    error: &str,
    hint: Option<&str>,
) -> String {
    if let Some(tag) = tag {
        let _ = write!(place, ":{tag}");
    }
    let side = match side {
        Side::Source => "source",
        Side::Target => "target",
    };
    let hint = hint.map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
    format!("{side} {place}: {error}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(op: &str, kind: ProblemKind) -> Failure {
        Failure {
            op: planner::OpId(op.to_owned()),
            registry: "site".parse().unwrap(),
            repository: "base/redis".parse().unwrap(),
            tag: None,
            side: Side::Target,
            kind,
            error: format!("{op} failed"),
            hint: None,
            affected: 1,
        }
    }

    #[test]
    fn a_wrong_password_is_told_once_and_broken_bytes_each_time() {
        use ProblemKind::{Auth, Integrity};
        let told = failures(&[
            failed("upload-1", Auth),
            failed("upload-2", Integrity),
            failed("upload-3", Auth),
            failed("upload-4", Integrity),
        ]);
        assert_eq!(
            told,
            [
                "target site/base/redis: upload-1 failed\n  and 1 more like it at site/base/redis",
                "target site/base/redis: upload-2 failed",
                "target site/base/redis: upload-4 failed",
            ]
        );
    }

    #[test]
    fn a_line_names_the_side_the_place_and_what_to_do() {
        let problem_of = Problem {
            registry: "site".parse().unwrap(),
            repository: Some("base/redis".parse().unwrap()),
            tag: Some("7.4.1".parse().unwrap()),
            side: Side::Target,
            kind: ProblemKind::Auth,
            error: "who are you".to_owned(),
            hint: Some("sign in".to_owned()),
            tags: 1,
        };
        assert_eq!(
            problem(&problem_of),
            "target site/base/redis:7.4.1: who are you\n  hint: sign in"
        );
    }
}
