//! Expressions for repositories as globs, where globs can say the same.

/// Returns globs that match exactly the repositories that an anchored expression matches; nothing where there are none.
///
/// Understood are plain text, escaped signs, `[^/]+` and `[^/]*`, `.*` and `.+` at the end, and groups and alternatives of these.
pub(super) fn globs(anchored: &str) -> Option<Vec<String>> {
    let inner = anchored.strip_prefix('^').unwrap_or(anchored);
    let inner = match inner.strip_suffix('$') {
        Some(before) if !before.ends_with('\\') => before,
        _ => inner,
    };
    let mut globs = Vec::new();
    for choice in choices(inner)? {
        globs.extend(glob(&choice)?);
    }
    globs.dedup();
    Some(globs)
}

/// Multiplies one level of alternatives out: `a(b|c)` is `ab` or `ac`. Alternatives outside a group are bound by one anchor
/// only, which no glob says.
fn choices(text: &str) -> Option<Vec<String>> {
    let Some((before, rest)) = text.split_once('(') else {
        return (!text.contains(['|', ')'])).then(|| vec![text.to_owned()]);
    };
    let rest = rest.strip_prefix("?:").unwrap_or(rest);
    let (group, after) = rest.split_once(')')?;
    if before.ends_with('\\')
        || before.contains('|')
        || group.contains(['(', '\\', '?']) && group.contains('|')
    {
        return None;
    }
    if group.contains('(') || after.starts_with(['*', '+', '?', '{']) {
        return None;
    }
    let tails = choices(after)?;
    let mut all = Vec::new();
    for choice in group.split('|') {
        all.extend(tails.iter().map(|tail| format!("{before}{choice}{tail}")));
    }
    Some(all)
}

fn glob(text: &str) -> Option<Vec<String>> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let starts_segment = out.is_empty() || out.ends_with('/');
        if let "[^/]*" | "[^/]+" = rest.get(..5).unwrap_or_default() {
            if rest.starts_with("[^/]+") && !starts_segment {
                return None;
            }
            out.push('*');
            rest = &rest[5..];
        } else if let ".*" | ".+" = rest {
            return match (starts_segment, rest) {
                (true, _) => Some(vec![format!("{out}**")]),
                (false, ".*") => Some(vec![format!("{out}*"), format!("{out}*/**")]),
                _ => None,
            };
        } else if let Some(escaped) = rest.strip_prefix('\\') {
            let sign = escaped.chars().next().filter(|sign| "./-_".contains(*sign))?;
            out.push(sign);
            rest = &escaped[1..];
        } else if c.is_ascii_lowercase() || c.is_ascii_digit() || "/-_".contains(c) {
            out.push(c);
            rest = &rest[1..];
            if rest.starts_with(['*', '+', '?', '{']) {
                return None;
            }
        } else {
            return None;
        }
    }
    (!out.is_empty()).then(|| vec![out])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_that_globs_can_say() {
        for (expression, expected) in [
            ("library/alpine", &["library/alpine"][..]),
            ("team/.*", &["team/**"]),
            ("team/(.*)", &["team/**"]),
            ("^team/.+$", &["team/**"]),
            (".*", &["**"]),
            ("team-.*", &["team-*", "team-*/**"]),
            ("team/[^/]+", &["team/*"]),
            ("team/([^/]+)", &["team/*"]),
            ("(a|b)/.*", &["a/**", "b/**"]),
            ("team/(?:web|app)", &["team/web", "team/app"]),
            (r"team/a\.b", &["team/a.b"]),
        ] {
            assert_eq!(
                globs(expression).as_deref(),
                Some(&expected.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>()[..]),
                "{expression}"
            );
        }
    }

    #[test]
    fn other_expressions_have_none() {
        for expression in [
            "a|b",
            "team/.*/x",
            "team/.?",
            "te.m",
            "team/[a-c]+",
            "x.+",
            "a+",
            "(a)?",
            "((a)|b)",
            r"\d+",
            "(?i)a",
            "",
        ] {
            assert_eq!(globs(expression), None, "{expression}");
        }
    }
}
