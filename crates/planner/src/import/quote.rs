//! Texts as our configuration writes them.

use std::fmt::Write as _;

/// Words that YAML does not read as text.
const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];

/// Returns a foreign text so that nothing of it is expanded: `$$` stands for a `$` that would start a variable.
pub(super) fn literal(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        escaped.push(c);
        if c == '$' && matches!(rest.peek(), Some('$' | '{')) {
            escaped.push('$');
        }
    }
    escaped
}

/// Writes a text as a YAML scalar, for block and flow alike.
pub(super) fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    if text.chars().any(|c| c.is_control() || is_break(c)) {
        return escaped(text);
    }
    match text.contains(['\\', '"']) {
        true => format!("'{}'", text.replace('\'', "''")),
        false => format!("\"{text}\""),
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Plain where nobody can take it for anything but text.
fn is_plain(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || "/_".contains(c));
    let fits = |c: char| c.is_ascii_alphanumeric() || "/_.-@".contains(c);
    starts && text.chars().all(fits) && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

fn escaped(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || is_break(c) => {
                // A string takes everything.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Writes a list on one line.
pub(super) fn list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| scalar(item)).collect();
    format!("[{}]", items.join(", "))
}

/// Makes one line of a text for a comment or a report, and takes out what no comment can hold.
pub(super) fn one_line(text: &str) -> String {
    let spaced = text.chars().map(|c| match c {
        c if c.is_control() || is_break(c) => ' ',
        c => c,
    });
    spaced.collect()
}

/// Shows a foreign text in a comment or a report: on one line, and without the user and password that a reference may start with.
pub(super) fn shown(text: &str) -> String {
    let text = one_line(text);
    let start = text.find("://").map_or(0, |at| at + 3);
    let first = text[start..].split('/').next().unwrap_or_default();
    match first.rsplit_once('@') {
        Some((user, host)) if !host.starts_with("sha256:") && !host.starts_with("sha512:") => {
            format!("{}***{}", &text[..start], &text[start + user.len()..])
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_dollar_is_never_a_variable() {
        for (text, escaped) in [
            ("v.*$", "v.*$"),
            ("${HOME}", "$${HOME}"),
            ("$$", "$$$"),
            ("a$$b", "a$$$b"),
            ("$${X}", "$$$${X}"),
        ] {
            assert_eq!(literal(text), escaped);
            let back = crate::config::expand::expand(escaped, &|_| None);
            assert_eq!(back.as_deref(), Ok(text));
        }
    }

    #[test]
    fn a_user_and_a_password_are_never_shown() {
        for (text, expected) in [
            ("robot:hunter2@quay.io/a:1", "***@quay.io/a:1"),
            ("docker://robot:hunter2@quay.io/a", "docker://***@quay.io/a"),
            ("quay.io/a@sha256:12", "quay.io/a@sha256:12"),
            ("busybox@sha256:12", "busybox@sha256:12"),
            ("a\nb", "a b"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn scalars_read_back_as_they_were() {
        for text in [
            "plain/path",
            "a:b",
            "1.0",
            "007",
            "true",
            "Null",
            "~",
            "",
            " ",
            "it's",
            r"\d+",
            r#"say "x""#,
            "a\nb",
            "tab\there",
            "# no comment",
            "- no list",
            "{name}",
            "*",
            "&a",
            "!x",
            "a: b",
            "a #b",
            "größe",
            "\u{85}x",
            "both ' and \" and \\",
        ] {
            let yaml = format!("key: {}\nlist: {}\n", scalar(text), list(&[text.to_owned()]));
            let mut problems = Vec::new();
            let tree = crate::config::yaml::read(&yaml, &mut problems).unwrap_or_else(|| panic!("{yaml}"));
            assert!(problems.is_empty(), "{yaml}");
            let entries = tree.map().unwrap();
            assert_eq!(
                entries[0].value.text().map(|(text, _)| text),
                Some(text),
                "{yaml}"
            );
            let items = entries[1].value.list().unwrap();
            assert_eq!(items[0].text().map(|(text, _)| text), Some(text), "{yaml}");
        }
    }
}
