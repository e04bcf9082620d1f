//! What is said about a text that is no YAML. Nothing here repeats the text: a secret may stand anywhere in it.

use granit_parser::{ErrorKind, Marker, ScanError};

use super::diagnostic::{Diagnostic, Span};

/// Returns the place of a marker.
pub(crate) fn place(mark: Marker, length: usize) -> Span {
    Span {
        line: mark.line(),
        column: mark.col() + 1,
        length: length.max(1),
    }
}

pub(crate) fn syntax(error: &ScanError, text: &str) -> Diagnostic {
    let at = place(*error.marker(), 1);
    if is_tab(error.kind()) {
        return Diagnostic::new(at, "a tab can't stand here", "YAML is indented with spaces");
    }
    let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
    let help = match error.kind() {
        _ if has_placeholder(line) => "quote text that holds `{` or `}`: \"base/{name}\"",
        ErrorKind::UnexpectedCharacter { .. } => "quote text that starts with a sign: \"@...\"",
        _ if line.contains(['{', '[', '}', ']', '"', '\'']) => {
            "look for a bracket, a quote or a comma that is missing or too many"
        }
        _ => "look at the indentation, and quote text that holds `: ` or ` #`",
    };
    Diagnostic::new(at, format!("not YAML: {}", error.kind()), help)
}

fn is_tab(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar
    )
}

/// Returns true where a word stands in braces, as the placeholders of templates do.
fn has_placeholder(line: &str) -> bool {
    line.split('{').skip(1).any(|rest| {
        rest.split_once('}')
            .is_some_and(|(word, _)| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic()))
    })
}
