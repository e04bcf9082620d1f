//! The forms a plan is printed in.

use planner::Plan;

use crate::arguments::PlanFormat;
use crate::context::Context;
use crate::failure::Failure;

/// Says whether plans are printed in `format` at all.
///
/// # Errors
/// A form that is not there yet (64).
pub(super) fn known(format: PlanFormat) -> Result<(), Failure> {
    match format {
        PlanFormat::Html => Err(Failure::not_yet("`--format html`")),
        PlanFormat::Text | PlanFormat::Json | PlanFormat::Markdown => Ok(()),
    }
}

/// Prints a plan on standard output.
///
/// # Errors
/// Where standard output can't be written, and a form that is not there yet.
pub(super) fn print(context: &Context, plan: &Plan, format: PlanFormat) -> Result<(), Failure> {
    match format {
        PlanFormat::Text => context.text(&ended(plan.text())),
        PlanFormat::Json => context.data(&ended(plan.to_json())),
        PlanFormat::Markdown => context.text(&markdown(plan)),
        PlanFormat::Html => known(format),
    }
}

fn ended(mut text: String) -> String {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// The last line of the text as a heading's sentence, and all of it as a coloured block.
fn markdown(plan: &Plan) -> String {
    let text = plan.text();
    let body = text.trim_end();
    let summary = body.lines().next_back().unwrap_or_default();
    let fence = fence(body);
    format!("### transship plan\n\n{summary}\n\n{fence}diff\n{body}\n{fence}\n")
}

/// A fence that nothing in the text can close.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_longer_than_any_in_the_text() {
        assert_eq!(fence("plain"), "```");
        assert_eq!(fence("a ```` b"), "`````");
    }
}
