//! The forms a plan is printed in.

use planner::{Floor, Plan};

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

/// Prints a plan on standard output; as text, with what quotas cost at least.
///
/// # Errors
/// Where standard output can't be written, and a form that is not there yet.
pub(super) fn print(
    context: &Context,
    plan: &Plan,
    floors: &[Floor],
    format: PlanFormat,
) -> Result<(), Failure> {
    match format {
        PlanFormat::Text => context.text(&ended(plan.text_with(floors))),
        PlanFormat::Json => context.data(&ended(plan.to_json())),
        PlanFormat::Markdown => context.text(&markdown(&plan.text_with(floors))),
        PlanFormat::Html => known(format),
    }
}

fn ended(mut text: String) -> String {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// The last line of the text as a sentence, and what stands before it as a coloured block.
fn markdown(text: &str) -> String {
    let text = text.trim_end();
    let (changes, summary) = text.rsplit_once('\n').unwrap_or(("", text));
    let changes = changes.trim_end();
    let heading = format!("### transship plan\n\n{summary}\n");
    if changes.is_empty() {
        return heading;
    }
    let fence = fence(changes);
    format!("{heading}\n{fence}diff\n{changes}\n{fence}\n")
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
    fn a_comment_says_the_sums_once() {
        assert_eq!(
            markdown("+ a/b:1\n\nPlan: 1.\n"),
            "### transship plan\n\nPlan: 1.\n\n```diff\n+ a/b:1\n```\n"
        );
        assert_eq!(markdown("No changes.\n"), "### transship plan\n\nNo changes.\n");
    }

    #[test]
    fn a_fence_is_longer_than_any_in_the_text() {
        assert_eq!(fence("plain"), "```");
        assert_eq!(fence("a ```` b"), "`````");
    }
}
