//! Entries of `index.json`: a descriptor, and the repository and tag it stands under.

use oci::{Descriptor, RepositoryName, Tag};

/// The annotation that names an entry: `REPOSITORY:TAG` or `TAG`.
///
/// <https://github.com/opencontainers/image-spec/blob/main/annotations.md#pre-defined-annotation-keys>
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The annotation that says which repository an entry without a tag belongs to.
pub const REPOSITORY: &str = "land.transship.repository";

/// A descriptor of `index.json` and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The repository, or none where the entry's name is a bare tag or absent.
    pub repository: Option<RepositoryName>,
    /// The tag, if the entry has one.
    pub tag: Option<Tag>,
    /// The descriptor, without the annotations that `repository` and `tag` were read from.
    pub descriptor: Descriptor,
}

impl Entry {
    /// Reads the place of a descriptor from its annotations. A name outside the grammar stays an annotation.
    pub(crate) fn new(mut descriptor: Descriptor) -> Self {
        if let Some(name) = descriptor.annotations.get(REF_NAME) {
            let Some((repository, tag)) = parse_name(name) else {
                return Self {
                    repository: None,
                    tag: None,
                    descriptor,
                };
            };
            descriptor.annotations.remove(REF_NAME);
            return Self {
                repository,
                tag: Some(tag),
                descriptor,
            };
        }
        let repository = descriptor
            .annotations
            .get(REPOSITORY)
            .and_then(|name| name.parse().ok());
        if repository.is_some() {
            descriptor.annotations.remove(REPOSITORY);
        }
        Self {
            repository,
            tag: None,
            descriptor,
        }
    }

    /// Returns the descriptor with the annotations that say where it belongs.
    pub(crate) fn annotated(&self) -> Descriptor {
        let mut descriptor = self.descriptor.clone();
        let place = match (&self.repository, &self.tag) {
            (repository, Some(tag)) => Some((REF_NAME, ref_name(repository.as_ref(), tag))),
            (Some(repository), None) => Some((REPOSITORY, repository.to_string())),
            (None, None) => None,
        };
        descriptor.annotations.remove(REF_NAME);
        descriptor.annotations.remove(REPOSITORY);
        descriptor
            .annotations
            .extend(place.map(|(key, value)| (key.to_owned(), value)));
        descriptor
    }

    /// Returns true for the entry of this very repository and tag.
    pub(crate) fn is(&self, repository: Option<&RepositoryName>, tag: &Tag) -> bool {
        self.repository.as_ref() == repository && self.tag.as_ref() == Some(tag)
    }
}

/// Returns the text that names a tag in a layout.
pub(crate) fn ref_name(repository: Option<&RepositoryName>, tag: &Tag) -> String {
    match repository {
        Some(repository) => format!("{repository}:{tag}"),
        None => tag.to_string(),
    }
}

fn parse_name(name: &str) -> Option<(Option<RepositoryName>, Tag)> {
    match name.rsplit_once(':') {
        Some((repository, tag)) => Some((Some(repository.parse().ok()?), tag.parse().ok()?)),
        None => Some((None, name.parse().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci::{Digest, MediaType};

    fn named(key: &str, value: &str) -> Descriptor {
        let mut descriptor = Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256(b"x"), 1);
        descriptor.annotations.insert(key.to_owned(), value.to_owned());
        descriptor
    }

    fn place(key: &str, value: &str) -> (Option<String>, Option<String>) {
        let entry = Entry::new(named(key, value));
        (
            entry.repository.map(|name| name.to_string()),
            entry.tag.map(|tag| tag.to_string()),
        )
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn the_name_of_an_entry_is_a_tag_or_a_repository_and_a_tag() {
        assert_eq!(place(REF_NAME, "v1.2"), (None, some("v1.2")));
        assert_eq!(
            place(REF_NAME, "library/alpine:3"),
            (some("library/alpine"), some("3"))
        );
        assert_eq!(
            place(REF_NAME, "docker.io/library/alpine:3"),
            (some("docker.io/library/alpine"), some("3"))
        );
        assert_eq!(place(REPOSITORY, "base/app"), (some("base/app"), None));
    }

    #[test]
    fn a_name_outside_the_grammar_stays_an_annotation() {
        for name in [
            "",
            ":",
            "a:",
            ":v1",
            "Upper:v1",
            "localhost:5000/a:v1",
            "a/b",
            "v1+meta",
            "../x:v1",
        ] {
            let descriptor = named(REF_NAME, name);
            let entry = Entry::new(descriptor.clone());
            assert_eq!((entry.repository, entry.tag), (None, None), "{name}");
            assert_eq!(entry.descriptor, descriptor, "{name}");
        }
        assert_eq!(place(REPOSITORY, "No Name"), (None, None));
    }

    #[test]
    fn annotating_an_entry_gives_back_what_was_read() {
        for (key, value) in [
            (REF_NAME, "v1"),
            (REF_NAME, "a/b:v1"),
            (REPOSITORY, "a/b"),
            ("other", "kept"),
        ] {
            let descriptor = named(key, value);
            assert_eq!(Entry::new(descriptor.clone()).annotated(), descriptor);
        }
    }
}
