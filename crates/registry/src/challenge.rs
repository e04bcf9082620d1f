//! What a registry asks for: `WWW-Authenticate`.

use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// One challenge: a scheme and its parameters. Keys and scheme are lower case.
///
/// <https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1>
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) scheme: String,
    parameters: BTreeMap<String, String>,
}

impl Challenge {
    /// Returns a parameter. Where a server repeats one, the first counts.
    pub(crate) fn parameter(&self, key: &str) -> Option<&str> {
        self.parameters.get(key).map(String::as_str)
    }
}

/// Reads all challenges of a response. What can't be read is left out.
pub(crate) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(parse)
        .collect()
}

/// Reads one header value, which may hold several challenges.
fn parse(text: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let word = take_while(&mut rest, is_token);
        if word.is_empty() {
            return challenges;
        }
        let after = rest.trim_start_matches([' ', '\t']);
        if let Some(value) = after.strip_prefix('=') {
            rest = value.trim_start_matches([' ', '\t']);
            let value = take_value(&mut rest);
            if let Some(challenge) = challenges.last_mut() {
                challenge
                    .parameters
                    .entry(word.to_ascii_lowercase())
                    .or_insert(value);
            }
        } else {
            challenges.push(Challenge {
                scheme: word.to_ascii_lowercase(),
                parameters: BTreeMap::new(),
            });
        }
    }
}

fn take_value(rest: &mut &str) -> String {
    let Some(quoted) = rest.strip_prefix('"') else {
        // Some servers leave quotes out around addresses, whose characters no token has.
        return take_while(rest, |c| !matches!(c, ',' | ' ' | '\t' | '"')).to_owned();
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                *rest = &quoted[at + 1..];
                return value;
            }
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    *rest = "";
    value
}

fn take_while<'a>(rest: &mut &'a str, fits: impl Fn(char) -> bool) -> &'a str {
    let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
    let (taken, left) = rest.split_at(end);
    *rest = left;
    taken
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Challenge {
        let mut all = parse(text);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn a_bearer_challenge_is_read() {
        let challenge = one(
            r#"Bearer realm="https://a.example/token",service="r.example",scope="repository:a/b:pull,push""#,
        );
        assert_eq!(challenge.scheme, "bearer");
        assert_eq!(challenge.parameter("realm"), Some("https://a.example/token"));
        assert_eq!(challenge.parameter("scope"), Some("repository:a/b:pull,push"));
        assert_eq!(challenge.parameter("error"), None);
    }

    #[test]
    fn several_challenges_in_one_value_are_told_apart() {
        let all =
            parse(r#"Negotiate, Basic realm="a, b=\"c\"" , Bearer Realm=https://x.example/t , service = y"#);
        let schemes: Vec<&str> = all.iter().map(|challenge| challenge.scheme.as_str()).collect();
        assert_eq!(schemes, ["negotiate", "basic", "bearer"]);
        assert_eq!(all[1].parameter("realm"), Some("a, b=\"c\""));
        assert_eq!(all[2].parameter("realm"), Some("https://x.example/t"));
        assert_eq!(all[2].parameter("service"), Some("y"));
    }

    #[test]
    fn several_headers_are_read() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, "Basic realm=x".parse().unwrap());
        headers.append(WWW_AUTHENTICATE, "Bearer realm=y".parse().unwrap());
        assert_eq!(challenges(&headers).len(), 2);
    }

    #[test]
    fn the_first_of_a_repeated_parameter_counts() {
        assert_eq!(one("Bearer realm=a,realm=b").parameter("realm"), Some("a"));
    }

    #[test]
    fn nonsense_ends_quietly() {
        for text in [
            "",
            ",",
            "=",
            "\"",
            "Bearer realm=\"",
            "Bearer realm=\"\\",
            "Bearer =,=,\"\"",
            "a=b",
            "Bearer \u{e9}=1",
            "Bearer realm",
            "Bearer realm=\"x\" \"y\"",
            ",,,,Bearer,,,,realm==",
            "\\",
            "Bearer realm=\"\u{1f600}\\\u{1f600}\"",
        ] {
            let _ = parse(text);
        }
        assert_eq!(parse("realm=\"x\""), []);
    }

    #[test]
    fn every_cut_of_a_challenge_ends_quietly() {
        let text =
            r#"Basic realm="a\"b", Bearer realm="https://a.example/t",service=x, error="insufficient_scope""#;
        for end in 0..=text.len() {
            assert!(parse(&text[..end]).len() <= 3);
        }
    }
}
