//! A YAML document as a tree in which every key and value knows its place.

use std::collections::BTreeMap;
use std::rc::Rc;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::diagnostic::{Diagnostic, Span};

/// The most nodes a document may have once its aliases are followed. A real configuration has thousands.
const MAX_NODES: usize = 100_000;

/// The deepest nesting once aliases are followed. A real configuration stays below ten.
const MAX_DEPTH: usize = 64;

/// One value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    /// The line and column just behind the value.
    pub(crate) end: (usize, usize),
    value: Value,
    nodes: usize,
    depth: usize,
}

#[derive(Debug)]
enum Value {
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Rc<Node>>),
    Map(Vec<Entry>),
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
            Value::Map(entries) => Some(entries),
            _ => None,
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
            Value::Map(_) => "a map",
            Value::Broken => "an error",
        }
    }
}

/// Reads one document. Returns nothing where the syntax is broken; duplicate keys and the like leave a tree.
pub(crate) fn read(text: &str, problems: &mut Vec<Diagnostic>) -> Option<Rc<Node>> {
    let mut options = granit_parser::options! { emit_unresolved_aliases: true };
    options.set_emit_comments(false);
    let mut builder = Builder {
        stack: Vec::new(),
        anchors: BTreeMap::new(),
        root: None,
        nodes: 0,
        problems,
    };
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                builder.problems.push(syntax(&error, text));
                return None;
            }
        };
        if matches!(event, Event::DocumentStart(..)) {
            documents += 1;
            if documents == 2 {
                let problem = Diagnostic::new(place(span.start, 3), "a second document starts here")
                    .help("a configuration is one document; use one file for each");
                builder.problems.push(problem);
                break;
            }
        }
        builder.event(&event, span);
        if builder.stack.len() > MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH}");
            builder
                .problems
                .push(Diagnostic::new(place(span.start, 1), message));
            return None;
        }
        if builder.nodes > MAX_NODES {
            let message = format!("the document has more than {MAX_NODES} values, its aliases followed");
            builder
                .problems
                .push(Diagnostic::new(place(span.start, 1), message));
            return None;
        }
    }
    builder.root
}

fn place(mark: Marker, length: usize) -> Span {
    Span {
        line: mark.line(),
        column: mark.col() + 1,
        length: length.max(1),
    }
}

fn syntax(error: &ScanError, text: &str) -> Diagnostic {
    let at = place(*error.marker(), 1);
    let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
    match error.kind() {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => {
            Diagnostic::new(at, "a tab can't stand here").help("YAML is indented with spaces")
        }
        kind => {
            let problem = Diagnostic::new(at, format!("not YAML: {kind}"));
            if line.contains('{') && line.contains('}') {
                problem.help("quote text that holds `{` or `}`: \"base/{name}\"")
            } else {
                problem
            }
        }
    }
}

/// A collection whose end is not reached.
struct Frame {
    span: Span,
    anchor: usize,
    block: bool,
    nodes: usize,
    depth: usize,
    content: Content,
}

enum Content {
    List(Vec<Rc<Node>>),
    Map {
        entries: Vec<Entry>,
        places: BTreeMap<String, Span>,
        merges: Vec<(Span, Rc<Node>)>,
        key: Option<Key>,
    },
}

/// A key whose value is not read yet. `text` is none where the key was refused.
struct Key {
    text: Option<String>,
    span: Span,
}

struct Builder<'p> {
    stack: Vec<Frame>,
    anchors: BTreeMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
    nodes: usize,
    problems: &'p mut Vec<Diagnostic>,
}

impl Builder<'_> {
    fn event(&mut self, event: &Event<'_>, span: granit_parser::Span) {
        let length = match span.start.line() == span.end.line() {
            true => span.end.col().saturating_sub(span.start.col()),
            false => 1,
        };
        let at = place(span.start, length);
        let end = (span.end.line(), span.end.col() + 1);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = *style == ScalarStyle::Plain && !self.is_text(tag.as_deref(), at);
                let value = Value::Scalar {
                    text: text.clone().into_owned(),
                    plain,
                };
                self.put(
                    Rc::new(Node {
                        span: at,
                        end,
                        value,
                        nodes: 1,
                        depth: 1,
                    }),
                    *anchor,
                );
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.is_text(tag.as_deref(), at);
                self.open(at, *anchor, *style, Content::List(Vec::new()));
            }
            Event::MappingStart(style, anchor, tag) => {
                self.is_text(tag.as_deref(), at);
                let content = Content::Map {
                    entries: Vec::new(),
                    places: BTreeMap::new(),
                    merges: Vec::new(),
                    key: None,
                };
                self.open(at, *anchor, *style, content);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(end),
            Event::Alias(id) => self.alias(*id, at, end),
            Event::UnresolvedAlias(name) => {
                self.problems.push(Diagnostic::new(
                    at,
                    format!("no anchor `&{name}` stands before this alias"),
                ));
                self.put_broken(at, end);
            }
            _ => {}
        }
    }

    /// Reads a tag: `!!str` makes text of a plain scalar, the other tags of YAML change nothing, any other is told.
    fn is_text(&mut self, tag: Option<&Tag>, at: Span) -> bool {
        let Some(tag) = tag else { return false };
        if !tag.is_yaml_core_schema() && tag.original() != "!" {
            self.problems.push(Diagnostic::new(
                at,
                format!("the tag `{}` is not understood", tag.original()),
            ));
        }
        tag.is_yaml_core_schema_tag("str") || tag.original() == "!"
    }

    fn open(&mut self, span: Span, anchor: usize, style: granit_parser::StructureStyle, content: Content) {
        let block = style == granit_parser::StructureStyle::Block;
        let span = Span { length: 1, ..span };
        self.stack.push(Frame {
            span,
            anchor,
            block,
            nodes: 1,
            depth: 1,
            content,
        });
    }

    fn alias(&mut self, id: usize, at: Span, end: (usize, usize)) {
        let Some(node) = self.anchors.get(&id).cloned() else {
            self.problems
                .push(Diagnostic::new(at, "this alias refers to what it stands in"));
            return self.put_broken(at, end);
        };
        if self.stack.len() + node.depth > MAX_DEPTH {
            self.problems.push(Diagnostic::new(
                at,
                format!("nested deeper than {MAX_DEPTH}, its aliases followed"),
            ));
            return self.put_broken(at, end);
        }
        self.put(node, 0);
    }

    fn put_broken(&mut self, span: Span, end: (usize, usize)) {
        self.put(
            Rc::new(Node {
                span,
                end,
                value: Value::Broken,
                nodes: 1,
                depth: 1,
            }),
            0,
        );
    }

    fn close(&mut self, end: (usize, usize)) {
        let Some(frame) = self.stack.pop() else { return };
        let mut span = frame.span;
        let value = match frame.content {
            Content::List(items) => Value::List(items),
            Content::Map { entries, merges, .. } => {
                if let (true, Some(first)) = (frame.block, entries.first()) {
                    span = first.key_span;
                }
                Value::Map(self.merged(entries, merges))
            }
        };
        let node = Node {
            span,
            end,
            value,
            nodes: frame.nodes,
            depth: frame.depth,
        };
        self.put(Rc::new(node), frame.anchor);
    }

    /// Adds what `<<` brings and the map itself lacks; the first of several wins.
    fn merged(&mut self, mut entries: Vec<Entry>, merges: Vec<(Span, Rc<Node>)>) -> Vec<Entry> {
        let mut known: std::collections::BTreeSet<String> =
            entries.iter().map(|entry| entry.key.clone()).collect();
        for (span, node) in merges {
            let parts = node
                .list()
                .map_or_else(|| vec![Rc::clone(&node)], <[Rc<Node>]>::to_vec);
            for part in parts {
                if part.is_broken() {
                    continue;
                }
                let Some(more) = part.map() else {
                    let message = format!("`<<` takes a map or a list of maps, here stands {}", part.kind());
                    self.problems.push(Diagnostic::new(span, message));
                    continue;
                };
                let new = more.iter().filter(|entry| known.insert(entry.key.clone()));
                entries.extend(new.cloned());
            }
        }
        entries
    }

    fn put(&mut self, node: Rc<Node>, anchor: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        let Some(frame) = self.stack.last_mut() else {
            self.nodes = self.nodes.saturating_add(node.nodes);
            self.root = Some(node);
            return;
        };
        frame.nodes = frame.nodes.saturating_add(node.nodes);
        frame.depth = frame.depth.max(node.depth + 1);
        self.nodes = self.nodes.max(frame.nodes);
        match &mut frame.content {
            Content::List(items) => items.push(node),
            Content::Map {
                entries,
                places,
                merges,
                key,
            } => match key.take() {
                None => *key = Some(read_key(&node, self.problems)),
                Some(Key {
                    text: Some(text),
                    span,
                }) if text == "<<" => merges.push((span, node)),
                Some(Key {
                    text: Some(text),
                    span,
                }) => match places.insert(text.clone(), span) {
                    None => entries.push(Entry {
                        key: text,
                        key_span: span,
                        value: node,
                    }),
                    Some(first) => self.problems.push(duplicate(&text, span, first)),
                },
                Some(Key { text: None, .. }) => {}
            },
        }
    }
}

fn read_key(node: &Node, problems: &mut Vec<Diagnostic>) -> Key {
    let text = match &node.value {
        Value::Scalar { text, .. } => Some(text.clone()),
        Value::Broken => None,
        Value::List(_) | Value::Map(_) => {
            let problem = Diagnostic::new(node.span, format!("a key is text, here stands {}", node.kind()));
            problems.push(problem.help("quote text that holds `{` or `}`: \"{name}\""));
            None
        }
    };
    Key {
        text,
        span: node.span,
    }
}

fn duplicate(key: &str, at: Span, first: Span) -> Diagnostic {
    Diagnostic::new(at, format!("the key `{key}` stands twice in this map")).also(first)
}
