//! From the events of a YAML parser to a tree, within bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle, Tag};

use super::diagnostic::{Diagnostic, Span};
use super::node::{End, Entry, Node, Value};
use super::syntax::{place, syntax};

/// The most nodes a document may have once its aliases are followed. Ten thousand mirrors with conditions have 200,000.
const MAX_NODES: usize = 1_000_000;

/// The deepest nesting once aliases are followed. A real configuration stays below ten.
const MAX_DEPTH: usize = 64;

/// The key that brings the entries of other maps.
const MERGE: &str = "<<";

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
        documents += usize::from(matches!(event, Event::DocumentStart(..)));
        if documents == 2 {
            let help = "a configuration is one document; use one file for each";
            let at = place(span.start, 3);
            builder
                .problems
                .push(Diagnostic::new(at, "a second document starts here", help));
            break;
        }
        builder.event(&event, span);
        if let Some((message, help)) = builder.too_much() {
            builder
                .problems
                .push(Diagnostic::new(place(span.start, 1), message, help));
            return None;
        }
    }
    builder.root
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
    Map(OpenMap),
}

#[derive(Default)]
struct OpenMap {
    entries: Vec<Entry>,
    aside: Vec<Entry>,
    places: BTreeMap<String, Span>,
    key: Option<Key>,
}

/// A key whose value is not read yet.
struct Key {
    text: String,
    kind: KeyKind,
    span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    Plain,
    Merge,
    Refused,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TagKind {
    None,
    Text,
    Unknown,
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
                let value = match self.tag(tag.as_deref(), at) {
                    TagKind::Unknown => Value::Broken,
                    kind => Value::Scalar {
                        text: text.clone().into_owned(),
                        plain: *style == ScalarStyle::Plain && kind != TagKind::Text,
                    },
                };
                self.put(Rc::new(Node::leaf(at, end, value)), *anchor);
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.tag(tag.as_deref(), at);
                self.open(at, *anchor, *style, Content::List(Vec::new()));
            }
            Event::MappingStart(style, anchor, tag) => {
                self.tag(tag.as_deref(), at);
                let content = Content::Map(OpenMap::default());
                self.open(at, *anchor, *style, content);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(end),
            Event::Alias(id) => self.alias(*id, at, end),
            Event::UnresolvedAlias(_) => {
                let help = "define it above with `&`, or quote text that starts with `*`";
                let message = "no anchor of this name stands before this alias";
                self.refuse(Diagnostic::new(at, message, help), at, end);
            }
            _ => {}
        }
    }

    /// Reads a tag: `!!str` makes text of a plain scalar, the other tags of YAML change nothing, any other is told.
    fn tag(&mut self, tag: Option<&Tag>, at: Span) -> TagKind {
        let Some(tag) = tag else { return TagKind::None };
        if tag.original() == "!" || tag.is_yaml_core_schema_tag("str") {
            return TagKind::Text;
        }
        if tag.is_yaml_core_schema() {
            return TagKind::None;
        }
        let help = "leave it out, or quote text that starts with `!`";
        let message = "the tag of this value, `!` and a name, is not understood";
        self.problems.push(Diagnostic::new(at, message, help));
        TagKind::Unknown
    }

    fn open(&mut self, span: Span, anchor: usize, style: StructureStyle, content: Content) {
        self.stack.push(Frame {
            span: Span { length: 1, ..span },
            anchor,
            block: style == StructureStyle::Block,
            nodes: 1,
            depth: 1,
            content,
        });
    }

    fn alias(&mut self, id: usize, at: Span, end: End) {
        match self.anchors.get(&id).cloned() {
            None => {
                let message = "this alias refers to what it stands in";
                self.refuse(Diagnostic::new(at, message, "write out what is meant"), at, end);
            }
            Some(node) if self.stack.len() + node.depth > MAX_DEPTH => {
                let message = format!("nested deeper than {MAX_DEPTH}, its aliases followed");
                self.refuse(Diagnostic::new(at, message, "write out what is meant"), at, end);
            }
            Some(node) => self.put(node, 0),
        }
    }

    fn refuse(&mut self, problem: Diagnostic, at: Span, end: End) {
        self.problems.push(problem);
        self.put(Rc::new(Node::leaf(at, end, Value::Broken)), 0);
    }

    /// Says which bound the document breaks.
    fn too_much(&self) -> Option<(String, &'static str)> {
        if self.stack.len() > MAX_DEPTH {
            let help = "a configuration needs less than ten levels; is a bracket open?";
            return Some((format!("nested deeper than {MAX_DEPTH}"), help));
        }
        let message = format!("the document has more than {MAX_NODES} values, its aliases followed");
        (self.nodes > MAX_NODES).then_some((message, "split it into several files, or use fewer aliases"))
    }

    fn close(&mut self, end: End) {
        let Some(frame) = self.stack.pop() else { return };
        let mut span = frame.span;
        let value = match frame.content {
            Content::List(items) => Value::List(items),
            Content::Map(OpenMap {
                mut entries, aside, ..
            }) => {
                if let (true, Some(first)) = (frame.block, entries.first()) {
                    span = first.key_span;
                }
                self.merge(&mut entries, &aside);
                Value::Map { entries, aside }
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
    fn merge(&mut self, entries: &mut Vec<Entry>, aside: &[Entry]) {
        let mut known: BTreeSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
        let Some(merge) = aside.iter().find(|entry| entry.key == MERGE) else {
            return;
        };
        let one = [Rc::clone(&merge.value)];
        for part in merge.value.list().unwrap_or(&one) {
            if let Some(more) = part.map() {
                let new = more.iter().filter(|entry| known.insert(entry.key.clone()));
                entries.extend(new.cloned());
            } else if !part.is_broken() {
                let message = format!("`<<` takes a map or a list of maps, here stands {}", part.kind());
                let help = "write it as in <<: *name";
                self.problems.push(Diagnostic::new(merge.key_span, message, help));
            }
        }
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
            Content::Map(map) => map.put(node, self.problems),
        }
    }
}

impl OpenMap {
    /// Takes a key, or the value of the key before.
    fn put(&mut self, node: Rc<Node>, problems: &mut Vec<Diagnostic>) {
        let Some(key) = self.key.take() else {
            self.key = Some(read_key(&node, problems));
            return;
        };
        let entry = Entry {
            key: key.text,
            key_span: key.span,
            value: node,
        };
        if key.kind == KeyKind::Refused {
            self.aside.push(entry);
        } else if let Some(first) = self.places.get(&entry.key) {
            problems.push(duplicate(&entry, *first));
            self.aside.push(entry);
        } else {
            self.places.insert(entry.key.clone(), entry.key_span);
            match key.kind {
                KeyKind::Merge => self.aside.push(entry),
                _ => self.entries.push(entry),
            }
        }
    }
}

fn read_key(node: &Node, problems: &mut Vec<Diagnostic>) -> Key {
    let (text, kind) = match &node.value {
        Value::Scalar { text, plain: true } if text == MERGE => (text.clone(), KeyKind::Merge),
        Value::Scalar { text, .. } => (text.clone(), KeyKind::Plain),
        Value::Broken => (String::new(), KeyKind::Refused),
        Value::List(_) | Value::Map { .. } => {
            let message = format!("a key is text, here stands {}", node.kind());
            let help = "quote text that holds `{` or `}`: \"{name}\"";
            problems.push(Diagnostic::new(node.span, message, help));
            (String::new(), KeyKind::Refused)
        }
    };
    Key {
        text,
        kind,
        span: node.span,
    }
}

fn duplicate(entry: &Entry, first: Span) -> Diagnostic {
    let (message, help) = match entry.key.as_str() {
        // A text in braces that lacks its quotes reads as a key, and may be a secret.
        _ if entry.value.is_null() => ("a key stands twice in this map".to_owned(), "leave one out"),
        MERGE => (
            "`<<` stands twice in this map".to_owned(),
            "one takes a list: <<: [*one, *two]",
        ),
        key => (
            format!("the key `{key}` stands twice in this map"),
            "leave one out",
        ),
    };
    Diagnostic::new(entry.key_span, message, help).also(first)
}
