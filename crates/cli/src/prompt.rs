//! Questions to a person.

use std::io::{self, BufRead, IsTerminal};

use console::Term;

use crate::context::Context;
use crate::failure::Failure;

/// Makes sure that somebody can be asked; `hint` says how to do without.
///
/// # Errors
/// Where standard input is no terminal (64).
pub(crate) fn need_a_person(hint: &str) -> Result<(), Failure> {
    person(io::stdin().is_terminal(), hint)
}

fn person(terminal: bool, hint: &str) -> Result<(), Failure> {
    if terminal {
        return Ok(());
    }
    Err(Failure::usage("nobody can be asked: standard input is no terminal").hint(hint))
}

/// Asks whether to do what was shown: `apply this plan`.
///
/// # Errors
/// A signal while nobody answers.
pub(crate) async fn approve(context: &Context, what: &str) -> Result<bool, Failure> {
    context
        .terminal
        .ask(&format!("\nDo you want to {what}? Only \"yes\" is accepted: "));
    let answer = tokio::task::spawn_blocking(|| answer(&mut io::stdin().lock()));
    let answer = context.unless_interrupted(answer).await?;
    Ok(answer.is_ok_and(|answer| answer.is_ok_and(|answer| says_yes(&answer))))
}

/// Says what is about to be done, and asks whether to do it.
///
/// # Errors
/// As [`approve`].
pub(crate) async fn confirm(context: &Context, said: &str, what: &str) -> Result<bool, Failure> {
    context.terminal.ask(&format!("{said}\n"));
    approve(context, what).await
}

/// Asks for a line; `None` where there is nobody to be asked. A secret is not shown while it is typed.
///
/// # Errors
/// A terminal that breaks off.
pub(crate) fn line(question: &str, shown: Shown) -> io::Result<Option<String>> {
    let terminal = Term::stderr();
    if !terminal.is_term() || !io::stdin().is_terminal() {
        return Ok(None);
    }
    terminal.write_str(question)?;
    let line = match shown {
        Shown::Yes => terminal.read_line(),
        Shown::No => terminal.read_secure_line(),
    };
    line.map(Some)
}

/// Whether what is typed is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// It is.
    Yes,
    /// It is a secret.
    No,
}

/// Asks for a password, which is not shown.
///
/// # Errors
/// Where standard error is no terminal (64).
pub(crate) fn password(flag: &str, username: &str) -> Result<String, Failure> {
    let typed = line(&format!("Password of {username}: "), Shown::No);
    let typed =
        typed.map_err(|error| Failure::usage(format!("{flag}: read the password")).because(&error))?;
    typed.ok_or_else(|| {
        Failure::usage(format!(
            "{flag}: nobody can be asked for the password of {username}"
        ))
        .hint(format!(
            "give `{flag} USER:PASSWORD`, or keep the credential in a file and name it by `--authfile`"
        ))
    })
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
        let failure = person(false, "give `--auto-approve`").unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        assert!(failure.render().contains("--auto-approve"));
        assert!(person(true, "").is_ok());
    }
}
