//! `transship import-config`.

use std::path::Path;

use planner::import::{Destination, ForeignFile, Format, Imported, Kind, import};

use crate::arguments::{ImportConfig, SkopeoSync};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::Input;

/// More than any file of these tools needs, and little enough to hold in memory.
const MAX_FILE: u64 = 8 << 20;

/// Reads another tool's files, writes a configuration to standard output and says on standard error what changes.
///
/// # Errors
/// A file that can't be read or is none of the tool's (65), and flags that another tool's file has no use for (64).
pub(crate) fn run(context: &Context, arguments: &ImportConfig) -> Result<Exit, Failure> {
    if arguments.format != Format::SkopeoSync && arguments.skopeo.says_anything() {
        let message = format!("the destination stands in the files of {}", arguments.format);
        return Err(Failure::usage(message).hint("--dest and its like are for skopeo-sync"));
    }
    let destination = destination(&arguments.skopeo);
    if let (Some(problem), Some(reference)) = (destination.problem(), &destination.reference) {
        let message = format!("`--dest {reference}` names no destination: {problem}");
        return Err(Failure::usage(message).hint("a destination is HOST or HOST/PATH"));
    }
    let texts = read_all(arguments)?;
    let files: Vec<ForeignFile<'_>> = texts
        .iter()
        .map(|(name, text)| ForeignFile { name, text })
        .collect();
    let imported = import(arguments.format, &files, &destination).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::rendered(Exit::Refused, problems.join("\n"))
    })?;
    context.data(&imported.text)?;
    context.terminal.say(&format!(
        "{}{}",
        summary(&imported, arguments.format),
        imported.report
    ));
    Ok(Exit::Done)
}

fn read_all(arguments: &ImportConfig) -> Result<Vec<(String, String)>, Failure> {
    let standard = arguments
        .files
        .iter()
        .filter(|file| *file == Path::new("-"))
        .count();
    if standard > 1 {
        return Err(Failure::usage("standard input can be read once"));
    }
    arguments
        .files
        .iter()
        .map(|file| read(&Input::new(file)))
        .collect()
}

fn read(input: &Input) -> Result<(String, String), Failure> {
    let name = input.name();
    let bytes = input
        .read(MAX_FILE)
        .map_err(|error| Failure::refused(format!("can't read {name}")).because(&error))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
            Err(Failure::refused(format!("{name}:{line}: the file is not UTF-8")))
        }
    }
}

fn destination(flags: &SkopeoSync) -> Destination {
    Destination {
        reference: flags.dest.clone(),
        scoped: flags.scoped,
        suffix: flags.append_suffix.clone(),
        all: flags.all,
        unverified: flags.dest_tls_verify == Some(false),
    }
}

fn summary(imported: &Imported, format: Format) -> String {
    let notes = imported.report.notes();
    let left_out = notes.iter().filter(|note| note.kind == Kind::LeftOut).count();
    let mirrors = match imported.mirrors {
        1 => "1 mirror".to_owned(),
        several => format!("{several} mirrors"),
    };
    format!("From {format}: {mirrors} written, {left_out} left out. What changes:\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_text_is_refused_with_its_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sync.yaml");
        std::fs::write(&path, b"a: b\nc: \xff\n").unwrap();
        let failure = read(&Input::new(&path)).unwrap_err();
        assert_eq!(failure.exit(), Exit::Refused);
        assert!(
            failure.message().ends_with("sync.yaml:2: the file is not UTF-8"),
            "{}",
            failure.message()
        );
    }
}
