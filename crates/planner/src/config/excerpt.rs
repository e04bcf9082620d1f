//! Excerpts of a configuration that never show a secret.

use super::auth::AUTH_KEYS;
use super::diagnostic::Span;
use super::yaml::Node;

/// Keys whose values are hidden wherever they stand: a secret may stand at the wrong place.
const SECRET_KEYS: [&str; 6] = [
    "auth",
    "password",
    "token",
    "client_secret",
    "secret",
    "passphrase",
];

/// The longest line that is shown whole, in characters.
const MAX_WIDTH: usize = 160;

/// Columns of one line that are shown as `***`, from 1, the end excluded.
#[derive(Clone, Copy, Debug)]
struct Mask {
    line: usize,
    start: usize,
    end: usize,
}

/// The lines of a configuration and what of them is hidden.
#[derive(Clone, Debug)]
pub(crate) struct Excerpt {
    lines: Vec<String>,
    masks: Vec<Mask>,
}

/// A line as it is shown, and where the caret stands below it.
pub(crate) struct Shown {
    pub(crate) text: String,
    pub(crate) column: usize,
    pub(crate) length: usize,
}

impl Excerpt {
    /// Takes the lines of `text` and hides what stands under `auth` in `tree`.
    ///
    /// Without a tree, as after an error of syntax, everything that may stand under `auth` is hidden.
    pub(crate) fn new(text: &str, tree: Option<&Node>) -> Self {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut masks = Vec::new();
        match tree {
            Some(tree) => hide_under(tree, false, &mut masks),
            None => masks = guess(&lines),
        }
        masks.sort_by_key(|mask| (mask.line, mask.start));
        Self { lines, masks }
    }

    fn line(&self, line: usize) -> &str {
        self.lines.get(line.saturating_sub(1)).map_or("", String::as_str)
    }

    /// Returns the length of the word that starts at a place.
    pub(crate) fn word(&self, line: usize, column: usize) -> usize {
        let rest: String = self.line(line).chars().skip(column.saturating_sub(1)).collect();
        let end = match rest.strip_prefix(['"', '\'']) {
            Some(quoted) => quoted.find(['"', '\'']).map_or(rest.len(), |end| end + 2),
            None => rest.find([' ', ',', ']', '}', '\t']).unwrap_or(rest.len()),
        };
        rest[..end]
            .strip_suffix(':')
            .unwrap_or(&rest[..end])
            .chars()
            .count()
            .max(1)
    }

    pub(crate) fn show(&self, span: Span) -> Shown {
        let masks: Vec<&Mask> = self.masks.iter().filter(|mask| mask.line == span.line).collect();
        let mut text = Vec::new();
        let mut columns = Vec::new();
        for (index, c) in self.line(span.line).trim_end().chars().enumerate() {
            let column = index + 1;
            let Some(mask) = masks.iter().find(|mask| (mask.start..mask.end).contains(&column)) else {
                columns.push(text.len() + 1);
                text.push(if c.is_control() { ' ' } else { c });
                continue;
            };
            if column == mask.start {
                text.extend("***".chars());
            }
            columns.push(text.len() - 2);
        }
        let end_of_line = text.len() + 1;
        let at = |column: usize| {
            columns
                .get(column.saturating_sub(1))
                .copied()
                .unwrap_or(end_of_line)
        };
        let start = at(span.column);
        let end = at(span.column + span.length).max(start + 1);
        let length = if start == end_of_line {
            1
        } else {
            end.min(end_of_line) - start
        };
        window(&text, start, length)
    }
}

/// Cuts a long line to what stands around the caret.
fn window(text: &[char], column: usize, length: usize) -> Shown {
    if text.len() <= MAX_WIDTH {
        return Shown {
            text: text.iter().collect(),
            column,
            length,
        };
    }
    let start = column.saturating_sub(MAX_WIDTH / 2).min(text.len() - MAX_WIDTH);
    let shown: String = text[start..start + MAX_WIDTH].iter().collect();
    let length = length.min((start + MAX_WIDTH + 1).saturating_sub(column)).max(1);
    Shown {
        text: shown,
        column: column - start,
        length,
    }
}

fn hide_under(node: &Node, secret: bool, masks: &mut Vec<Mask>) {
    if let Some(items) = node.list() {
        for item in items {
            hide_under(item, secret, masks);
        }
    } else if let Some(entries) = node.map() {
        for entry in entries {
            if secret && entry.value.is_null() && !AUTH_KEYS.contains(&entry.key.as_str()) {
                // A text in braces that lacks its quotes reads as a key.
                let Span { line, column, length } = entry.key_span;
                masks.push(Mask {
                    line,
                    start: column,
                    end: column + length,
                });
            }
            hide_under(
                &entry.value,
                secret || SECRET_KEYS.contains(&entry.key.as_str()),
                masks,
            );
        }
    } else if secret {
        hide(node, masks);
    }
}

fn hide(node: &Node, masks: &mut Vec<Mask>) {
    let (last, end) = node.end;
    for line in node.span.line..=last {
        let start = if line == node.span.line {
            node.span.column
        } else {
            1
        };
        let end = if line == last { end } else { usize::MAX };
        if start < end {
            masks.push(Mask { line, start, end });
        }
    }
}

/// Hides the rest of each line with `auth:` (or a key like it), and the values of all lines that are indented deeper.
fn guess(lines: &[String]) -> Vec<Mask> {
    let mut masks = Vec::new();
    let mut under: Option<usize> = None;
    for (index, line) in lines.iter().enumerate() {
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        if line.trim().is_empty() {
            continue;
        }
        if under
            .is_some_and(|auth| indent <= auth && !line.trim_start().starts_with(['}', ']', ',', '"', '\'']))
        {
            under = None;
        }
        let value = match (under, secret_key(line)) {
            (Some(_), _) => after_colon(line).unwrap_or(indent + 1),
            (None, Some(value)) => {
                under = Some(indent);
                value
            }
            (None, None) => continue,
        };
        if value <= line.chars().count() {
            masks.push(Mask {
                line: index + 1,
                start: value,
                end: usize::MAX,
            });
        }
    }
    masks
}

/// Returns the column behind the colon of the first key of `line` that may hold a secret.
fn secret_key(line: &str) -> Option<usize> {
    let ends = SECRET_KEYS
        .iter()
        .flat_map(|key| line.match_indices(key).map(|(at, key)| at + key.len()));
    let value = |end: usize| {
        let rest = line[end..].strip_prefix(['"', '\'']).unwrap_or(&line[end..]);
        let rest = rest.trim_start().strip_prefix(':')?.trim_start();
        Some(line[..line.len() - rest.len()].chars().count() + 1)
    };
    ends.filter_map(value).min()
}

fn after_colon(line: &str) -> Option<usize> {
    let (key, rest) = line.split_once(':')?;
    let spaces = rest.chars().take_while(|c| c.is_whitespace()).count();
    Some(key.chars().count() + 2 + spaces)
}
