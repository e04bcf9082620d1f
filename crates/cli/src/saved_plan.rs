//! Reads and writes saved plans.

use std::io;
use std::path::Path;

use planner::Plan;

use crate::failure::Failure;
use crate::files::{self, Input};

/// More than a plan of a hundred thousand images needs.
const MAX_PLAN: u64 = 256 << 20;

/// Reads a plan and checks its schema, its digest and its rules.
///
/// # Errors
/// A file that can't be read, and a plan that is refused (65).
pub(crate) fn read(path: &Path) -> Result<Plan, Failure> {
    let source = Input::new(path);
    let name = source.name();
    let bytes = source
        .read(MAX_PLAN)
        .map_err(|error| Failure::refused(format!("can't read the plan {name}")).because(&error))?;
    Plan::from_json(&bytes).map_err(|error| {
        Failure::refused(format!("the plan {name} is refused"))
            .because(&error)
            .hint(instead(path))
    })
}

/// What to do about a plan that is refused.
fn instead(path: &Path) -> String {
    let yaml = path
        .extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml");
    if yaml {
        format!(
            "a configuration is named by `-f`: `transship apply -f {}`",
            path.display()
        )
    } else {
        "make a new one: `transship plan --out PLAN`".to_owned()
    }
}

/// Finds out beforehand whether a plan can be written there.
///
/// # Errors
/// Where it can't.
pub(crate) fn can_be_written(path: &Path) -> Result<(), Failure> {
    files::can_be_written(path).map_err(|error| unwritten(path, &error))
}

/// Writes a plan whole or not at all, for its owner alone: it lists the names of private repositories.
///
/// # Errors
/// Where it can't be written.
pub(crate) fn write(path: &Path, plan: &Plan) -> Result<(), Failure> {
    files::write_whole(path, plan.to_json().as_bytes()).map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("can't write the plan to {}", path.display())).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_in_the_place_of_a_plan_is_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        for (name, hint) in [("transship.yaml", "apply -f"), ("plan.json", "plan --out")] {
            let path = directory.path().join(name);
            std::fs::write(&path, "version: 1\n").unwrap();
            let refused = read(&path).unwrap_err().render();
            assert!(refused.contains(hint), "{refused}");
        }
    }
}
