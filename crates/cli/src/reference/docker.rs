//! Names of images in archives of `docker save`: by name and tag, by either alone, or by position.

use std::borrow::Cow;
use std::path::Path;

use layout::{Archive, Entry, Store};
use oci::{Digest, RepositoryName, Tag};
use planner::config::LayoutForm;

use super::{choose, name};
use crate::connect::on_disk::unreadable;
use crate::failure::Failure;

/// What follows the path: `:@INDEX`, `:TAG` and `:NAME` depend on what the archive holds.
enum Selector<'a> {
    Position(&'a str),
    Word(&'a str),
}

impl<'a> Selector<'a> {
    fn split(rest: &'a str) -> Option<(&'a Path, Self)> {
        let (path, word) = rest.split_once(':').filter(|(path, _)| !path.contains('@'))?;
        let selector = match word.strip_prefix('@') {
            Some(position) => Self::Position(position),
            None if word.contains(':') => return None,
            None => Self::Word(word),
        };
        Some((Path::new(path), selector))
    }
}

/// Completes a reference to an image of an archive where what it holds decides. Others are left as they are.
///
/// # Errors
/// An archive that can't be read (1), and a selector that no image, or more than one, answers to (64).
pub(super) fn selected(text: &str) -> Result<Cow<'_, str>, Failure> {
    let split = LayoutForm::split(text).filter(|(form, _)| *form == LayoutForm::DockerArchive);
    let Some((path, selector)) = split.and_then(|(_, rest)| Selector::split(rest)) else {
        return Ok(Cow::Borrowed(text));
    };
    let refuse = |error| unreadable(LayoutForm::DockerArchive, path, &error);
    let archive = Archive::open_docker(path).map_err(refuse)?;
    let entries = archive.entries().map_err(refuse)?;
    let whole = format!("docker-archive:{}", path.display());
    match selector {
        Selector::Position(position) => at(&whole, position, &archive.images(), &entries),
        Selector::Word(word) => called(text, &whole, word, &entries),
    }
    .map(Cow::Owned)
}

fn at(whole: &str, position: &str, images: &[Digest], entries: &[Entry]) -> Result<String, Failure> {
    let digest = position
        .parse::<usize>()
        .ok()
        .and_then(|position| images.get(position));
    let Some(digest) = digest else {
        let count = images.len();
        return Err(
            Failure::usage(format!("{whole} has no image `@{position}`: it holds {count}"))
                .hint("images are counted from 0, as in docker-archive:FILE:@0"),
        );
    };
    let named = entries.iter().find(|entry| entry.descriptor.digest == *digest);
    Ok(match named.and_then(name) {
        Some(name) => format!("{whole}:{name}"),
        None => format!("{whole}@{digest}"),
    })
}

/// A name alone means its `latest`, as for docker; else it is a tag.
fn called(text: &str, whole: &str, word: &str, entries: &[Entry]) -> Result<String, Failure> {
    let latest: Option<(RepositoryName, Tag)> = oci::docker_name(&format!("{word}:latest"));
    let is_latest = |entry: &&Entry| match (&entry.repository, &entry.tag, &latest) {
        (Some(repository), Some(tag), Some(latest)) => (repository, tag) == (&latest.0, &latest.1),
        _ => false,
    };
    let is_tagged = |entry: &&Entry| entry.tag.as_ref().is_some_and(|tag| tag.as_str() == word);
    let names = |of: &dyn Fn(&&Entry) -> bool| -> Vec<String> {
        let names = entries.iter().filter(of).filter_map(name);
        names.map(|name| format!("{whole}:{name}")).collect()
    };
    let mut found = names(&is_latest);
    if found.is_empty() {
        found = names(&is_tagged);
    }
    found.dedup();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => {
            let failure = Failure::failed(format!("there is no `{text}`"));
            Err(match names(&|_| true).as_slice() {
                [] => failure.hint(format!("its images have no names: {whole}:@0 is the first")),
                held => failure.hint(format!("it holds {}", super::offered(held))),
            })
        }
        several => Err(choose(whole, several)),
    }
}
