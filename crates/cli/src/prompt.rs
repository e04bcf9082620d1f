//! Questions to a person.

use std::io::{self, BufRead, IsTerminal};

use console::Term;

use crate::context::Context;
use crate::failure::Failure;

/// What is asked before anything is written.
const QUESTION: &str = "\nDo you want to apply this plan? Only \"yes\" is accepted: ";

/// Makes sure that somebody can be asked.
///
/// # Errors
/// Where standard input is no terminal (64).
pub(crate) fn need_a_person() -> Result<(), Failure> {
    person(io::stdin().is_terminal())
}

fn person(terminal: bool) -> Result<(), Failure> {
    if terminal {
        return Ok(());
    }
    Err(
        Failure::usage("nobody can be asked: standard input is no terminal")
            .hint("give `--auto-approve`, or save a plan with `transship plan --out PLAN` and apply that"),
    )
}

/// Asks whether the plan that was shown is to be applied.
///
/// # Errors
/// A signal while nobody answers.
pub(crate) async fn approve(context: &Context) -> Result<bool, Failure> {
    context.terminal.ask(QUESTION);
    let answer = tokio::task::spawn_blocking(|| answer(&mut io::stdin().lock()));
    let answer = context.unless_interrupted(answer).await?;
    Ok(answer.is_ok_and(|answer| answer.is_ok_and(|answer| says_yes(&answer))))
}

/// Asks for a password, which is not shown.
///
/// # Errors
/// Where standard error is no terminal (64).
pub(crate) fn password(flag: &str, username: &str) -> Result<String, Failure> {
    let terminal = Term::stderr();
    if !terminal.is_term() || !io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "{flag}: nobody can be asked for the password of {username}"
        ))
        .hint(format!(
            "give `{flag} USER:PASSWORD`, or keep the credential in a file and name it by `--authfile`"
        )));
    }
    let ask = || {
        terminal
            .write_str(&format!("Password of {username}: "))
            .and_then(|()| terminal.read_secure_line())
    };
    ask().map_err(|error| Failure::usage(format!("{flag}: read the password")).because(&error))
}

fn answer(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    Ok(line)
}

fn says_yes(answer: &str) -> bool {
    answer.trim() == "yes"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn only_yes_is_yes() {
        assert!(says_yes("yes\n"));
        for other in ["y\n", "YES\n", "", "no\n", "yes please\n"] {
            assert!(!says_yes(other), "{other:?}");
        }
    }

    #[test]
    fn an_answer_is_one_line() {
        let mut input: &[u8] = b"yes\nno\n";
        assert_eq!(answer(&mut input).unwrap(), "yes\n");
    }

    #[test]
    fn without_a_person_the_flag_is_asked_for() {
        let failure = person(false).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        assert!(failure.render().contains("--auto-approve"));
        assert!(person(true).is_ok());
    }
}
