//! One path for one file.

use std::fs;
use std::path::{Path, PathBuf};

/// So many links may lead to one another; more are taken for a circle, as the operating system does.
const MOST_LINKS: usize = 40;

/// Returns the one path of a file or directory, whoever names it; it may be missing yet, also where a link leads to.
#[must_use]
pub fn settled(path: &Path) -> PathBuf {
    within(path, MOST_LINKS)
}

fn within(path: &Path, links: usize) -> PathBuf {
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    let absolute = || std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return absolute();
    };
    let parent = match parent.as_os_str().is_empty() {
        true => Path::new("."),
        false => parent,
    };
    match fs::read_link(path) {
        Ok(target) if links > 0 => within(&parent.join(target), links - 1),
        Ok(_) => absolute(),
        Err(_) => within(parent, links).join(name),
    }
}
