//! Configurations of other tools: what becomes of them, and what is said about it.

#[path = "import/dregsy.rs"]
mod dregsy;
#[path = "import/image_syncer.rs"]
mod image_syncer;
#[path = "import/refused.rs"]
mod refused;
#[path = "import/regsync.rs"]
mod regsync;
#[path = "import/secrets.rs"]
mod secrets;
#[path = "import/skopeo.rs"]
mod skopeo;

use std::collections::BTreeSet;

use transship_planner::Spec;
use transship_planner::config::{self, Input, Youth, select};
use transship_planner::import::{Destination, ForeignFile, Format, Imported, Kind, import};

/// Imports files, and asserts that the parser takes what comes out.
#[track_caller]
fn imported(format: Format, files: &[(&str, &str)], destination: &Destination) -> Imported {
    let files: Vec<ForeignFile<'_>> = files
        .iter()
        .map(|(name, text)| ForeignFile { name, text })
        .collect();
    let imported = import(format, &files, destination).unwrap_or_else(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", problems.join("\n"))
    });
    let spec = spec(&imported.text);
    assert_eq!(spec.mirrors.len(), imported.mirrors, "{}", imported.text);
    imported
}

/// Reads a configuration as the parser does without its environment.
#[track_caller]
fn spec(text: &str) -> Spec {
    let input = Input {
        name: "transship.yaml",
        text,
        environment: &|_| None,
    };
    config::parse_offline(&input).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

/// Writes the configuration, and the report behind it.
fn shown(imported: &Imported) -> String {
    format!("{}---{}", imported.text, imported.report)
}

/// Returns what a mirror of the configuration takes of a listing.
#[track_caller]
fn taken(imported: &Imported, mirror: usize, tags: &[&str]) -> Vec<String> {
    let spec = spec(&imported.text);
    let listing: BTreeSet<_> = tags.iter().map(|tag| tag.parse().expect("a tag")).collect();
    let selection = select(&spec.mirrors[mirror].tags, &listing, &mut |_, _| Youth::Young);
    selection.tags.iter().map(ToString::to_string).collect()
}

/// Returns the notes of a kind.
fn notes(imported: &Imported, kind: Kind) -> Vec<String> {
    let notes = imported.report.notes().iter().filter(|note| note.kind == kind);
    notes.map(ToString::to_string).collect()
}

/// Asserts that one note of a kind has each of these texts in it.
#[track_caller]
fn assert_told(imported: &Imported, kind: Kind, texts: &[&str]) {
    let notes = notes(imported, kind);
    let tells = |note: &String| texts.iter().all(|text| note.contains(text));
    assert!(
        notes.iter().any(tells),
        "{texts:?} is not among {notes:#?}\n{}",
        imported.text
    );
}
