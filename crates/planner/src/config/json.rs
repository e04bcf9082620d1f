//! Documents of a vendor's, such as policies: a part of the configuration that is kept as JSON.

use serde_json::{Map, Value};

use super::decode::Decoder;
use super::node::Node;

/// A document as written and as expanded; the latter is none where a variable is unknown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Document {
    pub(crate) written: Value,
    pub(crate) value: Option<Value>,
}

impl Document {
    fn known(value: Value) -> Self {
        Self {
            written: value.clone(),
            value: Some(value),
        }
    }
}

impl Decoder<'_> {
    /// Reads what stands here as JSON. JSON is YAML, so that a document may be pasted.
    ///
    /// Texts stay as written. A number or a truth value that a variable brings without quotes is one, expanded: no text could
    /// become one later. None where something was told.
    pub(crate) fn document(&mut self, node: &Node) -> Option<Document> {
        if node.is_null() {
            return Some(Document::known(Value::Null));
        }
        if let Some(items) = node.list() {
            let items: Vec<_> = items.iter().map(|item| self.document(item)).collect();
            return items.into_iter().collect::<Option<Vec<_>>>().map(list);
        }
        if let Some(entries) = node.map() {
            let entries: Vec<_> = entries
                .iter()
                .map(|entry| Some((entry.key.clone(), self.document(&entry.value)?)))
                .collect();
            return entries.into_iter().collect::<Option<Vec<_>>>().map(map);
        }
        self.scalar(node)
    }

    fn scalar(&mut self, node: &Node) -> Option<Document> {
        let (_, plain) = node.text()?;
        let text = self.text(node, "text", "\"...\"")?;
        let typed = text.value.as_deref().filter(|_| plain).and_then(plain_scalar);
        Some(match typed {
            Some(typed) => Document::known(typed),
            None => Document {
                written: text.written.into(),
                value: text.value.map(Value::from),
            },
        })
    }
}

fn list(items: Vec<Document>) -> Document {
    let values: Option<Vec<Value>> = items.iter().map(|item| item.value.clone()).collect();
    Document {
        written: items.into_iter().map(|item| item.written).collect(),
        value: values.map(Value::Array),
    }
}

fn map(entries: Vec<(String, Document)>) -> Document {
    let values: Option<Map<String, Value>> = entries
        .iter()
        .map(|(key, document)| Some((key.clone(), document.value.clone()?)))
        .collect();
    let written = entries
        .into_iter()
        .map(|(key, document)| (key, document.written))
        .collect();
    Document {
        written: Value::Object(written),
        value: values.map(Value::Object),
    }
}

/// Reads a number or a truth value. What YAML calls a number and JSON does not, such as `007` and `0x1`, is text.
fn plain_scalar(text: &str) -> Option<Value> {
    match text {
        "true" | "True" | "TRUE" => Some(true.into()),
        "false" | "False" | "FALSE" => Some(false.into()),
        _ => serde_json::from_str(text).ok().map(Value::Number),
    }
}
