//! `transship init`.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use planner::config::STARTER;

use crate::arguments::Init;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Writes a commented configuration; a file that exists is left as it is.
///
/// # Errors
/// Where the file exists or can't be written (1).
pub(crate) fn run(context: &Context, arguments: &Init) -> Result<Exit, Failure> {
    let path = &arguments.file;
    if path == Path::new("-") {
        context.data(STARTER)?;
        return Ok(Exit::Done);
    }
    write_new(path, STARTER).map_err(|error| refused(path, &error))?;
    context.terminal.say(&format!(
        "Wrote {}. Edit it, then run `transship plan`.",
        path.display()
    ));
    Ok(Exit::Done)
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    File::create_new(path)?.write_all(text.as_bytes())
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::failed(format!("{path} exists, and is left as it is"))
            .hint("`transship init -f FILE` writes another"),
        _ => Failure::failed(format!("can't write {path}")).because(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_file_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("transship.yaml");
        write_new(&path, "mine").unwrap();
        let error = write_new(&path, "starter").unwrap_err();
        assert_eq!(refused(&path, &error).exit(), Exit::Failed);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }
}
