//! A YAML document as a tree in which every key and value knows its place.

use std::rc::Rc;

use super::diagnostic::Span;

/// The line and column just behind a value.
pub(crate) type End = (usize, usize);

/// One value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) end: End,
    pub(crate) value: Value,
    /// How many values it has, itself and those behind its aliases included.
    pub(crate) nodes: usize,
    /// How deep it is, its aliases followed.
    pub(crate) depth: usize,
}

#[derive(Debug)]
pub(crate) enum Value {
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Rc<Node>>),
    Map {
        entries: Vec<Entry>,
        /// What was not taken: repeated keys, what is no key, and what `<<` names.
        aside: Vec<Entry>,
    },
    /// Something that was already told.
    Broken,
}

/// One key of a map, and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Rc<Node>,
}

impl Node {
    /// Makes a value that holds no others.
    pub(crate) fn leaf(span: Span, end: End, value: Value) -> Self {
        Self {
            span,
            end,
            value,
            nodes: 1,
            depth: 1,
        }
    }

    /// Returns the text of a scalar that is not null, and whether it stands without quotes.
    pub(crate) fn text(&self) -> Option<(&str, bool)> {
        match &self.value {
            Value::Scalar { text, plain } if !self.is_null() => Some((text, *plain)),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    pub(crate) fn list(&self) -> Option<&[Rc<Self>]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn map(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map { entries, .. } => Some(entries),
            _ => None,
        }
    }

    /// Returns what stands in a map and was not taken.
    pub(crate) fn aside(&self) -> &[Entry] {
        match &self.value {
            Value::Map { aside, .. } => aside,
            _ => &[],
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.value, Value::Broken)
    }

    /// Says what stands here, for errors.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar { .. } if self.is_null() => "nothing",
            Value::Scalar { .. } => "text",
            Value::List(_) => "a list",
            Value::Map { .. } => "a map",
            Value::Broken => "an error",
        }
    }
}
