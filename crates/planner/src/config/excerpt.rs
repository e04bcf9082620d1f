//! Excerpts of a configuration that never show a secret.

use std::fmt;
use std::ops::Range;

use super::diagnostic::Span;
use super::hide::{self, Masks};
use super::node::Node;

/// The longest line that is shown whole, in characters.
const MAX_WIDTH: usize = 160;

/// How much of a line is looked at on either side of a caret, in characters: enough to fill the width.
const CONTEXT: usize = 2 * MAX_WIDTH;

/// The lines of a configuration and what of them is hidden.
#[derive(Clone)]
pub(crate) struct Excerpt {
    lines: Vec<String>,
    masks: Masks,
}

/// A line as it is shown, and where the caret stands below it.
pub(crate) struct Shown {
    pub(crate) text: String,
    pub(crate) column: usize,
    pub(crate) length: usize,
}

impl Excerpt {
    /// Takes the lines of a configuration and hides what may be secret in `tree`.
    ///
    /// Without a tree, as after an error of syntax, more than that is hidden.
    pub(crate) fn new(lines: Vec<String>, tree: Option<&Node>) -> Self {
        let masks = match tree {
            Some(tree) => hide::in_tree(tree, &lines),
            None => hide::in_lines(&lines),
        };
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
        let from = span.column.saturating_sub(CONTEXT);
        let (text, columns) = self.masked(span.line, from..from + 2 * CONTEXT + span.length);
        let end_of_line = text.len() + 1;
        let shown = |column: usize| {
            let shown = columns.get(column.saturating_sub(1 + from));
            shown.cloned().unwrap_or(end_of_line..end_of_line + 1)
        };
        let start = shown(span.column).start;
        let end = shown(span.column + span.length - 1).end;
        let length = match start == end_of_line {
            true => 1,
            false => end.min(end_of_line) - start,
        };
        window(&text, start, length)
    }

    /// Returns a part of a line with `***` for what is hidden, and the columns that each of its characters got.
    fn masked(&self, line: usize, part: Range<usize>) -> (Vec<char>, Vec<Range<usize>>) {
        let hidden = self.masks.of(line);
        let mut text = Vec::new();
        let mut columns = Vec::new();
        let mut within = false;
        let characters = self.line(line).trim_end().chars().enumerate();
        for (index, c) in characters.skip(part.start).take(part.len()) {
            if !hidden.iter().any(|range| range.contains(&(index + 1))) {
                within = false;
                text.push(if c.is_control() { ' ' } else { c });
                columns.push(text.len()..text.len() + 1);
                continue;
            }
            if !within {
                text.extend("***".chars());
            }
            within = true;
            columns.push(text.len() - 2..text.len() + 1);
        }
        (text, columns)
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Excerpt({} lines)", self.lines.len())
    }
}

/// Splits a text into the lines that YAML sees: one carriage return ends a line too.
pub(crate) fn split(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.replace("\r\n", "\n")
        .split(['\n', '\r'])
        .map(str::to_owned)
        .collect()
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
