//! What changes when a configuration is taken over.

use std::fmt;

/// What sort of change a note is about. In the order in which a report tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Something to do before the configuration can be used.
    ToDo,
    /// Something the tool did and the configuration does not.
    LeftOut,
    /// Something that means another thing here.
    Changed,
    /// Something that is written in other words and means the same.
    Rewritten,
    /// Something the tool itself ignores.
    Ignored,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::ToDo,
        Self::LeftOut,
        Self::Changed,
        Self::Rewritten,
        Self::Ignored,
    ];

    fn heading(self) -> &'static str {
        match self {
            Self::ToDo => "To do before the first plan:",
            Self::LeftOut => "Left out, and marked so in the configuration:",
            Self::Changed => "What means something else here:",
            Self::Rewritten => "Written in other words, with the same meaning:",
            Self::Ignored => "What the tool ignores, and so does the configuration:",
        }
    }
}

/// Where something stands in a file that was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct At {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One thing to know, and every place that it is true of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What sort of change it is.
    pub kind: Kind,
    /// What changes, in a sentence without its full stop. Never has a secret in it.
    pub text: String,
    at: Vec<At>,
}

impl Note {
    /// Returns the places it is true of, as `file:line:column`; none where it is true of the whole.
    pub fn places(&self) -> impl Iterator<Item = String> {
        self.at.iter().map(ToString::to_string)
    }
}

/// How many places a note names before it counts them.
const NAMED: usize = 3;

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<String> = self.places().take(NAMED).collect();
        if !named.is_empty() {
            f.write_str(&named.join(", "))?;
            if let more @ 1.. = self.at.len().saturating_sub(NAMED) {
                write!(f, " and {more} more")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.text)
    }
}

/// Everything that changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    notes: Vec<Note>,
}

impl Report {
    /// Adds a note; one that says the same already gets another place.
    pub(crate) fn tell(&mut self, kind: Kind, at: Option<At>, text: impl Into<String>) {
        let text = text.into();
        if let Some(note) = self
            .notes
            .iter_mut()
            .find(|note| note.kind == kind && note.text == text)
        {
            note.at.extend(at.filter(|at| !note.at.contains(at)));
            return;
        }
        let at = at.into_iter().collect();
        self.notes.push(Note { kind, text, at });
    }

    /// Returns what there is to know, in the order in which it was found.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for kind in Kind::ALL {
            let mut notes = self.notes.iter().filter(|note| note.kind == kind).peekable();
            if notes.peek().is_some() {
                writeln!(f, "\n{}", kind.heading())?;
            }
            for note in notes {
                writeln!(f, "  {note}")?;
            }
        }
        Ok(())
    }
}
