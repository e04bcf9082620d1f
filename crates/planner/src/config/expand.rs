//! `${NAME}`, `${NAME:-default}` and `$$`.

/// Looks a variable up.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Why a text can't be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ExpandError {
    #[error("`${{{0}}}` is not set in the environment")]
    Missing(String),
    #[error("`${{` without its `}}`")]
    Unclosed,
    #[error("`${{{0}}}` does not name a variable: letters, digits and `_`, no digit first")]
    Name(String),
}

/// Replaces the variables of `text`; a `$` before anything but `{` and `$` stays.
///
/// # Errors
/// Every variable that is neither set nor has a default, and every malformed one.
pub(crate) fn expand(text: &str, environment: Environment<'_>) -> Result<String, Vec<ExpandError>> {
    let mut expanded = String::with_capacity(text.len());
    let mut errors = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let Some((variable, after)) = after.split_once('}') else {
                errors.push(ExpandError::Unclosed);
                break;
            };
            match value(variable, environment) {
                Ok(value) => expanded.push_str(&value),
                Err(error) => errors.push(error),
            }
            rest = after;
        } else {
            expanded.push('$');
        }
    }
    expanded.push_str(rest);
    if errors.is_empty() {
        Ok(expanded)
    } else {
        Err(errors)
    }
}

fn value(variable: &str, environment: Environment<'_>) -> Result<String, ExpandError> {
    let (name, default) = match variable.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (variable, None),
    };
    if !is_name(name) {
        return Err(ExpandError::Name(name.to_owned()));
    }
    // As in a shell, `:-` takes the default for an empty variable too.
    match (environment(name), default) {
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(ExpandError::Missing(name.to_owned())),
    }
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("quay.io".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn variables_defaults_and_dollars_expand() {
        for (text, expected) in [
            ("plain", "plain"),
            ("${HOST}/x", "quay.io/x"),
            ("a${HOST}${HOST}b", "aquay.ioquay.iob"),
            ("${NONE:-docker.io}", "docker.io"),
            ("${EMPTY:-docker.io}", "docker.io"),
            ("${EMPTY}", ""),
            ("${NONE:-}", ""),
            ("${NONE:-a:-b}", "a:-b"),
            ("$${HOST}", "${HOST}"),
            ("$$$$", "$$"),
            ("v.*$", "v.*$"),
            ("a$|b$", "a$|b$"),
            ("{name}", "{name}"),
        ] {
            assert_eq!(expand(text, &environment), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn every_broken_variable_is_told() {
        let errors = expand("${A}${HOST}${B}${1X}${", &environment).expect_err("four are broken");
        let missing = |name: &str| ExpandError::Missing(name.to_owned());
        assert_eq!(
            errors,
            [
                missing("A"),
                missing("B"),
                ExpandError::Name("1X".to_owned()),
                ExpandError::Unclosed
            ]
        );
    }
}
