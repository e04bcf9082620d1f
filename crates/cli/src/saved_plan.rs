//! Reads and writes saved plans.

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
    let refuse = || Failure::refused(format!("read the plan from {}", source.name()));
    let bytes = source.read(MAX_PLAN).map_err(|error| refuse().because(&error))?;
    Plan::from_json(&bytes).map_err(|error| {
        refuse()
            .because(&error)
            .hint("make a new one: `transship plan --out PLAN`")
    })
}

/// Writes a plan whole or not at all, for its owner alone: it lists the names of private repositories.
///
/// # Errors
/// Where it can't be written.
pub(crate) fn write(path: &Path, plan: &Plan) -> Result<(), Failure> {
    files::write_whole(path, plan.to_json().as_bytes())
        .map_err(|error| Failure::failed(format!("write the plan to {}", path.display())).because(&error))
}
