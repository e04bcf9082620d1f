//! `transship man`.

use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man as Page;

use crate::arguments::{Arguments, Man};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// The name of the program, which every page's begins with.
const PROGRAM: &str = "transship";

/// Prints a manual page, or writes all of them into a directory.
///
/// # Errors
/// A command that there is not (64), and what can't be written.
pub(crate) fn run(context: &Context, arguments: &Man) -> Result<Exit, Failure> {
    let pages = pages();
    if let Some(directory) = &arguments.directory {
        write_all(&pages, directory)?;
        return Ok(Exit::Done);
    }
    let wanted = match &arguments.command {
        Some(command) => format!("{PROGRAM}-{command}"),
        None => PROGRAM.to_owned(),
    };
    let page = pages.into_iter().find(|page| name(page) == wanted);
    let page = page.ok_or_else(|| {
        Failure::usage(format!("there is no page {wanted}")).hint("`transship help` lists the commands")
    })?;
    let roff = render(page).map_err(|error| Failure::failed("make the page").because(&error))?;
    context.bytes(&roff)?;
    Ok(Exit::Done)
}

/// Returns the program and its commands, each with the name of its page.
fn pages() -> Vec<Command> {
    let mut program = Arguments::command();
    program.build();
    let commands: Vec<Command> = program
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
        .cloned()
        .collect();
    std::iter::once(program).chain(commands).collect()
}

/// Returns how a page is called: `transship-plan`.
fn name(page: &Command) -> &str {
    page.get_display_name().unwrap_or_else(|| page.get_name())
}

fn render(page: Command) -> io::Result<Vec<u8>> {
    let mut roff = Vec::new();
    Page::new(page).render(&mut roff)?;
    Ok(roff)
}

fn write_all(pages: &[Command], directory: &Path) -> Result<(), Failure> {
    for page in pages {
        let path = directory.join(format!("{}.1", name(page)));
        let written = render(page.clone()).and_then(|roff| std::fs::write(&path, roff));
        written
            .map_err(|error| Failure::failed(format!("can't write {}", path.display())).because(&error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_that_names_its_flags() {
        let pages = pages();
        for (wanted, flag) in [
            ("transship", "completion"),
            ("transship-plan", "detailed"),
            ("transship-login", "password"),
        ] {
            let page = pages.iter().find(|page| name(page) == wanted).unwrap();
            let roff = String::from_utf8(render(page.clone()).unwrap()).unwrap();
            assert!(
                roff.contains(".SH OPTIONS") && roff.contains(flag),
                "{wanted}\n{roff}"
            );
        }
        assert_eq!(pages.len(), Arguments::command().get_subcommands().count() + 1);
    }
}
