//! Problems and failures as lines for people.

use std::fmt::{Display, Write as _};

use planner::{Problem, Side};
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
    use planner::ProblemKind;

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
