//! Diagnostics: every problem of a configuration, with its place.

use std::fmt;

use super::excerpt::Excerpt;

/// What sort of answer a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiagnosticKind {
    /// The configuration is wrong.
    Invalid,
    /// The configuration asks for something that the contract promises and this build lacks.
    Unimplemented,
}

/// A stretch of one line. Lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) length: usize,
}

/// What to do about a problem. Every diagnostic has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// What was probably meant; stands beside the caret.
    Meant(Box<str>),
    /// A sentence below the excerpt.
    Help(Box<str>),
}

impl Next {
    pub(crate) fn meant(name: impl Into<Box<str>>) -> Self {
        Self::Meant(name.into())
    }

    /// Offers the name that was meant, and where none is near, `help`.
    pub(crate) fn meant_or(name: Option<&str>, help: impl Into<Self>) -> Self {
        name.map_or_else(|| help.into(), Self::meant)
    }
}

impl From<&str> for Next {
    fn from(help: &str) -> Self {
        Self::Help(help.into())
    }
}

impl From<String> for Next {
    fn from(help: String) -> Self {
        Self::Help(help.into())
    }
}

/// One problem of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it is wrong or not built yet.
    pub kind: DiagnosticKind,
    /// What is wrong, as a sentence fragment.
    pub message: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// How many characters the caret underlines.
    pub length: usize,
    /// What to do about it.
    pub next: Next,
    /// Other places that have part in it, as line and column.
    pub also: Vec<(usize, usize)>,
}

impl Diagnostic {
    pub(crate) fn new(at: Span, message: impl Into<String>, next: impl Into<Next>) -> Self {
        Self {
            kind: DiagnosticKind::Invalid,
            message: message.into(),
            line: at.line,
            column: at.column,
            length: at.length.max(1),
            next: next.into(),
            also: Vec::new(),
        }
    }

    pub(crate) fn unimplemented(at: Span, what: impl fmt::Display, next: impl Into<Next>) -> Self {
        Self {
            kind: DiagnosticKind::Unimplemented,
            ..Self::new(at, format!("{what} is not implemented yet"), next)
        }
    }

    pub(crate) fn also(mut self, span: Span) -> Self {
        self.also.push((span.line, span.column));
        self
    }
}

/// All problems of one configuration, in the order of the file. Displays as the whole text with carets.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    name: String,
    items: Vec<Diagnostic>,
    excerpt: Excerpt,
}

impl Diagnostics {
    pub(crate) fn new(name: &str, mut items: Vec<Diagnostic>, excerpt: Excerpt) -> Self {
        items.sort_by_key(|item| (item.line, item.column));
        let mut unique: Vec<Diagnostic> = Vec::with_capacity(items.len());
        for item in items {
            // A default or an anchor is read once per mirror; its problems are told once.
            let same = |other: &&Diagnostic| (other.line, other.column) == (item.line, item.column);
            if !unique.iter().rev().take_while(same).any(|other| *other == item) {
                unique.push(item);
            }
        }
        Self {
            name: name.to_owned(),
            items: unique,
            excerpt,
        }
    }

    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns true where there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns them in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.items.iter()
    }

    /// Returns true where nothing is wrong and something is not built yet: exit code 64, not 65.
    #[must_use]
    pub fn only_unimplemented(&self) -> bool {
        self.items
            .iter()
            .all(|item| item.kind == DiagnosticKind::Unimplemented)
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl std::error::Error for Diagnostics {}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, item) in self.items.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            self.render(item, f)?;
        }
        Ok(())
    }
}

impl Diagnostics {
    fn render(&self, item: &Diagnostic, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = item.also.iter().map(|(line, _)| *line).chain([item.line]);
        let width = lines.max().unwrap_or(1).to_string().len();
        writeln!(f, "error: {}", item.message)?;
        let place = Span {
            line: item.line,
            column: item.column,
            length: item.length,
        };
        self.place(f, width, "-->", place)?;
        match &item.next {
            Next::Meant(name) => writeln!(f, " did you mean `{name}`?")?,
            Next::Help(_) => writeln!(f)?,
        }
        for &(line, column) in &item.also {
            let length = self.excerpt.word(line, column);
            self.place(f, width, ":::", Span { line, column, length })?;
            writeln!(f)?;
        }
        if let Next::Help(help) = &item.next {
            writeln!(f, "{:width$} |", "")?;
            writeln!(f, "{:width$} = help: {help}", "")?;
        }
        Ok(())
    }

    /// Writes a place with its line and carets, all but the last line's end.
    fn place(&self, f: &mut fmt::Formatter<'_>, width: usize, arrow: &str, span: Span) -> fmt::Result {
        let Span { line, column, .. } = span;
        writeln!(f, "{:width$}{arrow} {}:{line}:{column}", "", self.name)?;
        let shown = self.excerpt.show(span);
        writeln!(f, "{:width$} |", "")?;
        writeln!(f, "{line:width$} | {}", shown.text)?;
        let carets = "^".repeat(shown.length);
        write!(
            f,
            "{:width$} | {:indent$}{carets}",
            "",
            "",
            indent = shown.column - 1
        )
    }
}
