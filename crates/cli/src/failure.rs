//! Why a command ends early, and what to do next.

use std::error::Error;
use std::fmt::Write as _;

use crate::exit::Exit;

/// An end that is not success: the exit code, what happened, and hints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    exit: Exit,
    text: Text,
    hints: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Text {
    /// What failed, and why, outermost first.
    Chain(Vec<String>),
    /// Already laid out for people, with its own `error:` lines.
    Rendered(String),
}

impl Failure {
    /// Ends with `exit` because of `message`.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            text: Text::Chain(vec![message.into()]),
            hints: Vec::new(),
        }
    }

    /// The command line is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The words are taken, the work is not done.
    pub(crate) fn not_yet(what: &str) -> Self {
        Self::usage(format!("{what} is not implemented yet"))
    }

    /// The configuration or the plan is refused.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    /// Something failed that has no code of its own.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Ends with text that is laid out already.
    pub(crate) fn rendered(exit: Exit, text: String) -> Self {
        Self {
            exit,
            text: Text::Rendered(text),
            hints: Vec::new(),
        }
    }

    /// Adds an error and its sources below what stands there.
    pub(crate) fn because(mut self, error: &dyn Error) -> Self {
        if let Text::Chain(chain) = &mut self.text {
            let mut next = Some(error);
            while let Some(error) = next {
                let text = without_number(&error.to_string());
                // Some libraries repeat their source in their own text.
                if chain.last().is_none_or(|last| !last.ends_with(&text)) {
                    chain.push(text);
                }
                next = error.source();
            }
        }
        self
    }

    /// Adds another failure's text and hints below what stands there.
    pub(crate) fn followed_by(mut self, other: Self) -> Self {
        if let (Text::Chain(chain), Text::Chain(causes)) = (&mut self.text, other.text) {
            chain.extend(causes);
        }
        self.hints.extend(other.hints);
        self
    }

    /// Adds what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds what to do next, where that is known.
    pub(crate) fn maybe_hint(self, hint: Option<&str>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Returns what happened and why in one line, for programs.
    pub(crate) fn message(&self) -> String {
        match &self.text {
            Text::Chain(chain) => chain.join(": "),
            Text::Rendered(text) => text.trim_end().to_owned(),
        }
    }

    /// Returns how the process ends.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Lays the failure out: `error:`, what caused it, and `hint:` lines.
    pub(crate) fn render(&self) -> String {
        let mut out = String::new();
        match &self.text {
            Text::Rendered(text) => {
                out.push_str(text.trim_end());
                out.push('\n');
            }
            Text::Chain(chain) => {
                for (depth, text) in chain.iter().enumerate() {
                    let lead = if depth == 0 { "error: " } else { "  because: " };
                    let _ = writeln!(out, "{lead}{text}");
                }
            }
        }
        for hint in &self.hints {
            let _ = writeln!(out, "hint: {hint}");
        }
        out
    }
}

/// Takes the number of a system error off its text: the words say the same.
fn without_number(text: &str) -> String {
    match text.rsplit_once(" (os error ") {
        Some((words, number)) if number.trim_end_matches(')').parse::<i32>().is_ok() => words.to_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_error_is_told_without_its_number() {
        let failure = Failure::failed("can't read it").because(&std::io::Error::from_raw_os_error(2));
        assert_eq!(failure.message(), "can't read it: No such file or directory");
    }

    #[test]
    fn a_chain_reads_from_what_failed_to_why() {
        let cause = std::io::Error::other("no such luck");
        let failure = Failure::failed("read `plan.json`")
            .because(&cause)
            .hint("look elsewhere");
        assert_eq!(
            failure.render(),
            "error: read `plan.json`\n  because: no such luck\nhint: look elsewhere\n"
        );
    }

    #[test]
    fn what_is_not_there_yet_is_a_usage_error() {
        let failure = Failure::not_yet("`transship delete`");
        assert_eq!(failure.exit(), Exit::Usage);
        assert_eq!(
            failure.render(),
            "error: `transship delete` is not implemented yet\n"
        );
    }

    #[test]
    fn rendered_text_is_not_prefixed_again() {
        let failure = Failure::rendered(Exit::Refused, "error: unknown key\n".to_owned());
        assert_eq!(failure.render(), "error: unknown key\n");
    }
}
