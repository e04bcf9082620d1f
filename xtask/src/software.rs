//! What the tests need and we did not write: looked for, and installed where that is allowed.

mod debian;
mod go;
mod python;
mod quiet;

use std::env;
use std::path::PathBuf;

/// Installs what is missing where it may; what stays missing is said, and left to the tests that need it.
///
/// Returns the interpreter of the Python environment, where there is one.
pub(crate) fn provide() -> Option<PathBuf> {
    debian::provide();
    go::provide();
    python::provide()
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/bin".into()])
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}
