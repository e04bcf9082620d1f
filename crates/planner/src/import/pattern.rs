//! Expressions of Go as ours: the syntax of RE2 in the regex crate, and what matches anywhere as what matches the whole.

use regex::Regex;

/// An expression of Go that may match any part of a text, as one that matches the whole of it.
///
/// # Errors
/// Why it can't be one.
pub(super) fn anywhere(go: &str) -> Result<String, String> {
    let portable = portable(go)?;
    Regex::new(&portable).map_err(|error| last_line(&error))?;
    let parts: Vec<String> = alternatives(&portable).into_iter().map(open_ends).collect();
    Ok(parts.join("|"))
}

/// regsync's: `^` before and `$` behind, whatever stands between, so that `a|b` is `^a` or `b$`.
///
/// # Errors
/// As [`anywhere`].
pub(super) fn between_anchors(go: &str) -> Result<String, String> {
    anywhere(&format!("^{go}$"))
}

/// dregsy's: a `^` where none starts it and a `$` where none ends it.
///
/// # Errors
/// As [`anywhere`].
pub(super) fn with_anchors(go: &str) -> Result<String, String> {
    let start = if go.starts_with('^') { "" } else { "^" };
    let end = if go.ends_with('$') { "" } else { "$" };
    anywhere(&format!("{start}{go}{end}"))
}

/// Returns true where an anchored expression has alternatives that only one anchor binds, which is rarely meant.
pub(super) fn has_loose_alternatives(go: &str) -> bool {
    alternatives(go).len() > 1
}

fn last_line(error: &regex::Error) -> String {
    let message = error.to_string();
    let last = message.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

/// Opens one alternative at the ends that no anchor closes.
fn open_ends(part: &str) -> String {
    let quantified = |rest: &str| rest.starts_with(['*', '+', '?', '{']);
    let (start, rest) = match part.strip_prefix('^') {
        Some(rest) if !quantified(rest) => ("", rest),
        _ if part.starts_with(".*") && !part.starts_with(".*?") => ("", part),
        _ => (".*", part),
    };
    let (rest, end) = match rest.strip_suffix('$') {
        Some(before) if !is_escaped(before) => (before, ""),
        _ if rest.ends_with(".*") && !is_escaped(&rest[..rest.len() - 2]) => (rest, ""),
        _ if rest.is_empty() && start == ".*" => (rest, ""),
        _ => (rest, ".*"),
    };
    format!("{start}{rest}{end}")
}

/// Returns true where a sign behind `before` is escaped.
fn is_escaped(before: &str) -> bool {
    before.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
}

/// Splits at the `|` that stand in no group and no class.
fn alternatives(expression: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    let mut at = 0;
    let bytes = expression.as_bytes();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'[' => at += class_end(&expression[at..]),
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'|' if depth == 0 => {
                parts.push(&expression[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(&expression[start..]);
    parts
}

/// Returns where the `]` of a class stands that `text` starts with; at its end where there is none.
fn class_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    if bytes.get(at) == Some(&b'^') {
        at += 1;
    }
    // A `]` that comes first is a member.
    if bytes.get(at) == Some(&b']') {
        at += 1;
    }
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'[' if bytes.get(at + 1) == Some(&b':') => {
                at += text[at..].find(":]").map_or(0, |end| end + 1);
            }
            b']' => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len().saturating_sub(1)
}

/// Rewrites what Go and the regex crate read differently.
fn portable(go: &str) -> Result<String, String> {
    let mut out = String::with_capacity(go.len());
    let mut rest = go;
    while let Some(c) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix(r"\Q") {
            let (plain, after) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
            out.push_str(&regex::escape(plain));
            rest = after;
        } else if let Some(after) = rest.strip_prefix('\\') {
            let escaped = after.chars().next().ok_or("it ends with a backslash")?;
            // `\<` and `\>` are edges of words there, and plain signs in Go.
            match escaped {
                '<' | '>' => out.push(escaped),
                _ => out.extend(['\\', escaped]),
            }
            rest = &after[escaped.len_utf8()..];
        } else if let Some(after) = group_name(rest) {
            // Go has no backreferences, so that a name says nothing; `version` would here.
            out.push('(');
            rest = after;
        } else if c == '[' {
            let end = class_end(rest) + 1;
            out.push_str(&class(&rest[..end])?);
            rest = &rest[end..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    Ok(out)
}

/// Returns what follows the name of a group.
fn group_name(text: &str) -> Option<&str> {
    let named = text.strip_prefix("(?P<").or_else(|| text.strip_prefix("(?<"))?;
    let (name, after) = named.split_once('>')?;
    name.chars()
        .all(|c| c.is_alphanumeric() || c == '_')
        .then_some(after)
}

/// Escapes what makes sets of classes there, and is plain in Go.
fn class(text: &str) -> Result<String, String> {
    let mut out = "[".to_owned();
    let mut rest = &text[1..];
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '\\' => rest.chars().take(2).map(char::len_utf8).sum(),
            '[' if rest.starts_with("[:") => rest.find(":]").map_or(1, |end| end + 2),
            '-' if rest.starts_with("--") => {
                return Err("`--` in a class has another meaning here".to_owned());
            }
            '[' | '&' | '~' => {
                out.push('\\');
                1
            }
            c => c.len_utf8(),
        };
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_that_match_anywhere_are_opened_at_their_ends() {
        for (go, ours) in [
            ("1.1", ".*1.1.*"),
            (r"^v3\.5\.\d+$", r"v3\.5\.\d+"),
            ("^v1", "v1.*"),
            ("alpine$", ".*alpine"),
            ("a|b", ".*a.*|.*b.*"),
            ("^a|b$", "a.*|.*b"),
            ("^(a|b)$", "(a|b)"),
            ("(a|b)", ".*(a|b).*"),
            ("[|]", ".*[|].*"),
            (r"a\|b", r".*a\|b.*"),
            (r"a\$", r".*a\$.*"),
            (r"a\\$", r".*a\\"),
            (".*", ".*"),
            (".*-rc.*", ".*-rc.*"),
            (r"a\.*", r".*a\.*.*"),
            ("", ".*"),
            ("^", ".*"),
            ("$", ".*"),
            ("^$", ""),
            ("(?i)^RC$", ".*(?i)^RC"),
            ("(?P<version>1)", ".*(1).*"),
            ("(?<v>1)", ".*(1).*"),
            (r"\Qa.b\E", r".*a\.b.*"),
            ("[a[]", r".*[a\[].*"),
            ("[[:digit:]]", ".*[[:digit:]].*"),
            ("[a&&b~]", r".*[a\&\&b\~].*"),
            (r"[\]|]", r".*[\]|].*"),
            ("[]|a]", ".*[]|a].*"),
        ] {
            assert_eq!(anywhere(go).as_deref(), Ok(ours), "{go}");
        }
    }

    #[test]
    fn the_whole_tag_matches_ours_where_a_part_matches_theirs() {
        let tags = [
            "",
            "1.1",
            "v1.10",
            "a",
            "b",
            "ab",
            "ba",
            "xay",
            "xby",
            "v3.5.12",
            "v3.5.12-rc.1",
            "3.18-alpine",
            "latest",
            "rc",
            "RC1",
            "1",
            "11",
            "a.b",
            "axb",
            "sha256-ab",
            "1.13.1-alpine-perl",
            "-",
            "_",
        ];
        for go in [
            "1.1",
            "^1",
            "1$",
            "^1$",
            "a|b",
            "^a|b$",
            "^(a|b)",
            "(?i)rc",
            "a||b",
            r"\.",
            "[0-9]+$",
            r"^v?\d+\.\d+",
            ".+",
            "^.*$",
            "x?a",
            "(a|b)$",
            "^a.|.b$",
            r"^1\.13\.[12]-alpine-perl$",
            "^",
            "$",
            "",
        ] {
            let theirs = Regex::new(go).unwrap();
            let ours = Regex::new(&format!("^(?:{})$", anywhere(go).unwrap())).unwrap();
            for tag in tags {
                assert_eq!(ours.is_match(tag), theirs.is_match(tag), "{go} on {tag:?}");
            }
        }
    }

    #[test]
    fn anchors_that_are_put_around_bind_the_first_and_the_last_alternative() {
        assert_eq!(between_anchors("latest").as_deref(), Ok("latest"));
        assert_eq!(between_anchors("a|b").as_deref(), Ok("a.*|.*b"));
        assert_eq!(between_anchors("a|b|c").as_deref(), Ok("a.*|.*b.*|.*c"));
        assert_eq!(between_anchors("(a|b)").as_deref(), Ok("(a|b)"));
        assert_eq!(between_anchors("^a$").as_deref(), Ok("^a$"));
        assert_eq!(with_anchors("^a$").as_deref(), Ok("a"));
        assert_eq!(with_anchors("^a|b").as_deref(), Ok("a.*|.*b"));
        assert_eq!(
            with_anchors(r"1\.26\.[0-9]-(glibc|musl)").as_deref(),
            Ok(r"1\.26\.[0-9]-(glibc|musl)")
        );
        assert!(has_loose_alternatives("a|b") && !has_loose_alternatives("(a|b)"));
    }

    #[test]
    fn what_go_refuses_or_reads_otherwise_is_refused() {
        for go in ["(", "[", "a**b)", r"a\", r"\8", "[!--]", "(?=a)", "(?z)"] {
            assert!(anywhere(go).is_err(), "{go}");
        }
    }
}
