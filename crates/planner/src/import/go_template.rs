//! Go templates as regsync's files have them: `{{env "NAME"}}` and `{{file "PATH"}}`.

use super::book::{Secret, own};
use super::quote::literal;

/// One action of a template.
enum Action<'a> {
    Env(&'a str),
    File(&'a str),
    Other,
}

/// Writes a text in our syntax: variables stay variables.
///
/// # Errors
/// Where it has an action that has no counterpart.
pub(super) fn text(go: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = go;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inner, after) = after
            .split_once("}}")
            .ok_or_else(|| "its template lacks the closing braces".to_owned())?;
        out.push_str(&literal(before));
        match action(inner) {
            Action::Env(name) => out.push_str(&format!("${{{name}}}")),
            Action::File(_) => return Err("a template that reads a file has no counterpart here".to_owned()),
            Action::Other => {
                return Err("its template has no counterpart; variables are written as ${NAME}".to_owned());
            }
        }
        rest = after;
    }
    out.push_str(&literal(rest));
    Ok(out)
}

/// Returns where a secret stands. One that stands in the file, or is put together there, gets a variable of its own.
pub(super) fn secret(go: &str) -> Secret {
    match whole(go) {
        Some(Action::Env(name)) => Secret::Env(name.to_owned()),
        Some(Action::File(path)) => Secret::File(literal(path)),
        _ => own(go),
    }
}

/// Returns the path of a file that is the whole text.
pub(super) fn file(go: &str) -> Option<String> {
    match whole(go) {
        Some(Action::File(path)) => Some(literal(path)),
        _ => None,
    }
}

fn whole(go: &str) -> Option<Action<'_>> {
    let inner = go.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("{{")).then(|| action(inner))
}

fn action(inner: &str) -> Action<'_> {
    let inner = inner.trim_matches('-').trim();
    let Some((word, rest)) = inner.split_once(char::is_whitespace) else {
        return Action::Other;
    };
    let rest = rest.trim();
    let quoted = |quote: char| rest.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    let Some(text) = quoted('"')
        .or_else(|| quoted('`'))
        .filter(|text| !text.contains(['"', '`', '\\']))
    else {
        return Action::Other;
    };
    let is_name = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match word {
        "env" if is_name(text) => Action::Env(text),
        "file" => Action::File(text),
        _ => Action::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_stay_variables_and_files_stay_files() {
        assert_eq!(text(r#"{{env "HOST"}}/a:${X}"#).as_deref(), Ok("${HOST}/a:$${X}"));
        assert_eq!(text("{{- env `A` -}}").as_deref(), Ok("${A}"));
        assert!(text("bkp-{{.Ref.Tag}}").is_err());
        assert!(text(r#"{{file "a"}}"#).is_err());
        assert!(text("{{env").is_err());
        assert_eq!(secret(r#" {{ env "A" }} "#), Secret::Env("A".to_owned()));
        assert_eq!(secret(r#"{{file "/run/x"}}"#), Secret::File("/run/x".to_owned()));
        assert!(matches!(secret("hunter2"), Secret::Own(_)));
        assert!(matches!(secret(r#"x{{env "A"}}"#), Secret::Own(_)));
        assert!(matches!(secret(r#"{{env "A"}}{{env "B"}}"#), Secret::Own(_)));
    }
}
