//! `transship probe`.

mod comparison;
mod words;

use std::fmt::Write as _;

use oci::Host;
use planner::config;
use provider::{Class, Profile};
use registry::probe::{Prober, Writes};
use serde_json::{Value, json};

use self::comparison::{Row, rows};
use crate::arguments::{Format, Probe};
use crate::connect::{self, Manner};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::reference;

/// The number of the JSON form.
const SCHEMA: u32 = 1;

/// Asks a registry how it behaves, and prints that beside what is built in.
///
/// # Errors
/// A reference that names no repository of a registry (64), and whatever the registry answers to the first questions.
pub(crate) async fn run(context: &Context, arguments: &Probe) -> Result<Exit, Failure> {
    let text = &arguments.repository;
    let (place, manifest, registry) = config::reference(text).map_err(|error| reference::refused(&error))?;
    if manifest.is_some() {
        return Err(Failure::usage(format!("`{text}` names more than a repository"))
            .hint("leave out the tag and the digest"));
    }
    let manner = Manner::one_shot(&arguments.access, &arguments.one)?;
    let client = connect::client(context, &place.registry, &registry, &manner).await?;
    let prober = Prober::new(client, place.repository.clone());
    let reads = context
        .unless_interrupted(prober.reads())
        .await?
        .map_err(|error| connect::answered(&error))?;
    // Not to be interrupted: a session that was opened is cancelled.
    let writes: Option<Writes> = match arguments.write {
        true => Some(prober.writes(&reads.sample).await),
        false => None,
    };
    let class = class(registry.connection.host.as_deref());
    let rows = rows(&reads, writes.as_ref(), &prober.limits(), &Profile::of(class));
    match arguments.format {
        Format::Text => context.text(&screen(&place.to_string(), class, &rows))?,
        Format::Json => {
            let json = document(&place.to_string(), class, arguments.write, &rows);
            context.data(&format!("{json:#}\n"))?;
        }
    }
    Ok(Exit::Done)
}

fn class(host: Option<&str>) -> Class {
    let host = host.and_then(|host| host.parse::<Host>().ok());
    host.as_ref().map_or(Class::Other, |host| Class::of(host, None))
}

/// The name of a class in snake case: `docker_hub`.
fn name(class: Class) -> String {
    let mut name = String::new();
    for character in format!("{class:?}").chars() {
        if character.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(character.to_lowercase());
    }
    name
}

fn screen(place: &str, class: Class, rows: &[Row]) -> String {
    let mut text = format!("{place}, class {}\n\n", name(class));
    let width = rows.iter().map(|row| row.probe.len()).max().unwrap_or(0);
    for row in rows {
        let mark = match (&row.found, row.agrees) {
            (None, _) => '?',
            (Some(_), Some(true)) => '=',
            (Some(_), Some(false)) => '!',
            (Some(_), None) => ' ',
        };
        let found = row
            .found
            .as_deref()
            .or(row.note.as_deref())
            .unwrap_or("not known");
        let _ = write!(text, "{mark} {:width$}  {found}", row.probe);
        if let Some(built_in) = &row.built_in {
            let _ = write!(text, "  (built in: {built_in})");
        }
        if let (Some(_), Some(note)) = (&row.found, &row.note) {
            let _ = write!(text, "; {note}");
        }
        text.push('\n');
    }
    text.push_str("\n= as built in, ! not as built in, ? not found out\n");
    text
}

fn document(place: &str, class: Class, write: bool, rows: &[Row]) -> Value {
    let probes: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "probe": row.probe,
                "found": row.found,
                "built_in": row.built_in,
                "agrees": row.agrees,
                "note": row.note,
                "facts": row.facts,
            })
        })
        .collect();
    json!({
        "schema": SCHEMA,
        "repository": place,
        "class": name(class),
        "write": write,
        "probes": probes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_named_in_snake_case() {
        assert_eq!(name(Class::DockerHub), "docker_hub");
        assert_eq!(name(Class::Ecr), "ecr");
        assert_eq!(name(Class::EcrPublic), "ecr_public");
    }

    #[test]
    fn every_row_is_a_line_with_its_mark() {
        let row = |probe, found: Option<&str>, built_in: Option<&str>, agrees, note: Option<&str>| Row {
            probe,
            found: found.map(str::to_owned),
            built_in: built_in.map(str::to_owned),
            agrees,
            note: note.map(str::to_owned),
            facts: Value::Null,
        };
        let rows = [
            row("sign_in", Some("basic"), None, None, None),
            row("referrers_api", Some("no (404)"), Some("no"), Some(true), None),
            row("mount", Some("no (202)"), Some("any blob"), Some(false), None),
            row("chunks", None, Some("one PUT"), None, Some("give --write")),
            row("tags_page", Some("5 tags"), None, None, Some("n is not honoured")),
        ];
        assert_eq!(
            screen("r.example/a", Class::Other, &rows),
            "r.example/a, class other\n\n  sign_in        basic\n= referrers_api  no (404)  (built in: no)\n\
             ! mount          no (202)  (built in: any blob)\n? chunks         give --write  (built in: one PUT)\n  \
             tags_page      5 tags; n is not honoured\n\n= as built in, ! not as built in, ? not found out\n"
        );
    }
}
