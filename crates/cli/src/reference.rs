//! References on the command line: what is wrong with them, and what one to a whole layout means.

mod docker;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

use layout::Entry;
use oci::{AttachmentTag, Digest, RepositoryName};
use planner::config::{CopyError, LayoutForm};

use crate::connect::on_disk;
use crate::failure::Failure;

/// What other tools read and this one does not.
const ELSEWHERE: [&str; 6] = [
    "dir:",
    "docker-daemon:",
    "containers-storage:",
    "ostree:",
    "sif:",
    "tarball:",
];

/// So many entries are offered where one must be chosen.
const OFFERED: usize = 5;

/// Says what is wrong with a reference, and what may have been meant.
pub(crate) fn refused(error: &CopyError) -> Failure {
    match error {
        CopyError::Reference { text, .. } => match ELSEWHERE.iter().find(|kind| text.starts_with(**kind)) {
            Some(kind) => Failure::usage(format!("`{kind}` is no place that can be read or written")).hint(
                "registries are, as HOST/REPOSITORY, and OCI image layouts, as oci:PATH or oci-archive:FILE",
            ),
            None => because(error).maybe_hint(meant(text).as_deref()),
        },
        CopyError::ReadOnly { .. } => {
            because(error).hint("write an OCI image layout in a tar file instead: oci-archive:FILE")
        }
        _ => because(error),
    }
}

fn because(error: &CopyError) -> Failure {
    let failure = Failure::usage(error.to_string());
    match std::error::Error::source(error) {
        Some(source) => failure.because(source),
        None => failure,
    }
}

/// Guesses what a text that is no reference was meant to be.
fn meant(text: &str) -> Option<String> {
    if let Some((_, rest)) = text
        .split_once("://")
        .filter(|(scheme, _)| scheme.starts_with("http"))
    {
        return Some(format!("leave the scheme out: {rest}"));
    }
    let bare = text.strip_prefix("docker://").unwrap_or(text);
    let first = bare.split('/').next()?;
    let named = bare.contains('/') && (first.contains(['.', ':']) || first == "localhost");
    let hub = format!("docker.io/{bare}");
    let fits = !named && hub.parse::<oci::Reference>().is_ok();
    fits.then(|| format!("if Docker Hub is meant: {hub}"))
}

/// Adds to each target the same place under other tags, and whatever else is named by a whole reference.
pub(crate) fn with_tags(targets: &[String], additional: &[String]) -> Vec<String> {
    let (tags, references): (Vec<&String>, Vec<&String>) = additional
        .iter()
        .partition(|text| text.parse::<oci::Tag>().is_ok());
    let each = targets.iter().flat_map(|target| {
        let others = tags.iter().map(|tag| tagged(target, tag));
        std::iter::once(target.clone()).chain(others)
    });
    each.chain(references.into_iter().cloned()).collect()
}

/// Puts a tag in place of what stands behind a repository.
fn tagged(target: &str, tag: &str) -> String {
    if let Some((form, rest)) = LayoutForm::split(target) {
        let transport = form.transport();
        let (path, entry) = rest.split_once(':').unwrap_or((rest, ""));
        return match entry.rsplit_once(':') {
            Some((repository, _)) => format!("{transport}{path}:{repository}:{tag}"),
            None => format!("{transport}{path}:{tag}"),
        };
    }
    let last = target.rfind('/').map_or(0, |slash| slash + 1);
    let end = target[last..]
        .find([':', '@'])
        .map_or(target.len(), |at| last + at);
    format!("{}:{tag}", &target[..end])
}

/// A layout or an archive as a whole, `oci:PATH` and the like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole<'a> {
    form: LayoutForm,
    path: &'a Path,
}

/// Reads a reference to a whole layout or archive.
pub(crate) fn whole_layout(text: &str) -> Option<Whole<'_>> {
    let (form, path) = LayoutForm::split(text)?;
    let whole = !path.is_empty() && !path.contains([':', '@']);
    whole.then(|| Whole {
        form,
        path: Path::new(path),
    })
}

impl Whole<'_> {
    /// Names all that it holds under a tag, as it is written behind its path, in order.
    ///
    /// # Errors
    /// A layout that can't be read.
    pub(crate) fn names(self) -> Result<Vec<String>, Failure> {
        let mut names: Vec<String> = self.entries()?.iter().filter_map(name).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn entries(self) -> Result<Vec<Entry>, Failure> {
        let store = on_disk::store(self.form, self.path)?;
        let entries = store.entries();
        entries.map_err(|error| on_disk::unreadable(self.form, self.path, &error))
    }
}

/// A digest in a layout or an archive, `oci:PATH@DIGEST` and the like.
pub(crate) struct InLayout<'a> {
    whole: Whole<'a>,
    digest: Digest,
}

/// Reads a reference to a digest in a layout or archive that leaves the repository out.
pub(crate) fn in_layout(text: &str) -> Option<InLayout<'_>> {
    let (layout, digest) = text.rsplit_once('@')?;
    let digest = digest.parse().ok()?;
    whole_layout(layout).map(|whole| InLayout { whole, digest })
}

impl InLayout<'_> {
    /// Returns the repositories with an entry of the digest, sorted; `None` among them stands for entries without one.
    ///
    /// # Errors
    /// A layout that can't be read.
    pub(crate) fn repositories(&self) -> Result<BTreeSet<Option<RepositoryName>>, Failure> {
        let entries = self.whole.entries()?.into_iter();
        let of_digest = entries.filter(|entry| entry.descriptor.digest == self.digest);
        Ok(of_digest.map(|entry| entry.repository).collect())
    }

    /// Names the repository that shows the digest with what is attached to it: the first with an entry of it.
    fn in_repository<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, Failure> {
        Ok(match self.repositories()?.into_iter().next() {
            Some(Some(repository)) => {
                let (layout, digest) = text.rsplit_once('@').unwrap_or((text, ""));
                Cow::Owned(format!("{layout}:{repository}@{digest}"))
            }
            Some(None) | None => Cow::Borrowed(text),
        })
    }
}

/// Completes a reference to a whole layout or archive by the one artifact in it, one to a digest by its repository, and one
/// to an image of `docker save` that is not named in full. Others are left as they are.
///
/// # Errors
/// A layout that can't be read, and one that holds nothing (1) or several artifacts (64).
pub(crate) fn only_entry(text: &str) -> Result<Cow<'_, str>, Failure> {
    if let Some(in_layout) = in_layout(text) {
        return in_layout.in_repository(text);
    }
    let Some(whole) = whole_layout(text) else {
        return docker::selected(text);
    };
    let held = whole.entries()?;
    let is_attachment = |entry: &&Entry| {
        entry
            .tag
            .as_ref()
            .is_some_and(|tag| AttachmentTag::scheme(tag).is_some())
    };
    let tagged: Vec<String> = held
        .iter()
        .filter(|entry| !is_attachment(entry))
        .filter_map(name)
        .collect();
    let untagged = held
        .iter()
        .filter(|entry| entry.repository.is_none() && entry.tag.is_none());
    let found = match tagged.as_slice() {
        [] => untagged
            .map(|entry| format!("{text}@{}", entry.descriptor.digest))
            .collect(),
        names => names
            .iter()
            .map(|name| format!("{text}:{name}"))
            .collect::<Vec<String>>(),
    };
    let latest = format!("{text}:latest");
    match found.as_slice() {
        [one] => Ok(Cow::Owned(one.clone())),
        [] => Err(Failure::failed(format!("{text} holds no artifact"))),
        several if several.contains(&latest) => Ok(Cow::Owned(latest)),
        several => Err(choose(text, several)),
    }
}

fn choose(text: &str, several: &[String]) -> Failure {
    Failure::usage(format!("{text} holds {} artifacts: name one", several.len())).hint(offered(several))
}

/// Names the first of several, so that one can be chosen.
fn offered(several: &[String]) -> String {
    let (offered, more) = several.split_at(several.len().min(OFFERED));
    let end = if more.is_empty() { "" } else { ", ..." };
    format!("{}{end}", offered.join(", "))
}

fn name(entry: &Entry) -> Option<String> {
    let tag = entry.tag.as_ref()?;
    Some(match &entry.repository {
        Some(repository) => format!("{repository}:{tag}"),
        None => tag.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use layout::Layout;
    use oci::MediaType;
    use planner::config;

    use super::*;
    use crate::exit::Exit;

    fn told(text: &str) -> String {
        refused(&config::reference(text).map(drop).unwrap_err()).render()
    }

    #[test]
    fn a_short_name_gets_the_long_one_as_a_hint() {
        assert!(told("alpine:3").ends_with("hint: if Docker Hub is meant: docker.io/alpine:3\n"));
        assert!(told("docker://team/app").ends_with("hint: if Docker Hub is meant: docker.io/team/app\n"));
        assert!(!told("localhost:5000/Upper").contains("hint:"));
    }

    #[test]
    fn a_reference_is_no_address_of_a_page() {
        assert!(told("https://site.example/app").ends_with("hint: leave the scheme out: site.example/app\n"));
    }

    #[test]
    fn what_only_other_tools_read_is_named() {
        let told = told("containers-storage:app");
        assert!(
            told.starts_with("error: `containers-storage:` is no place"),
            "{told}"
        );
    }

    #[test]
    fn a_target_gets_more_tags_and_whole_references_are_targets() {
        let all = |targets: &[&str], additional: &[&str]| {
            let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            with_tags(&texts(targets), &texts(additional))
        };
        assert_eq!(
            all(&["docker://a.b:5000/c:1", "oci:kept:c:1"], &["2", "d.e/f:3"]),
            [
                "docker://a.b:5000/c:1",
                "docker://a.b:5000/c:2",
                "oci:kept:c:1",
                "oci:kept:c:2",
                "d.e/f:3",
            ]
        );
        assert_eq!(
            all(&["a.b/c", "oci:kept"], &["2"]),
            ["a.b/c", "a.b/c:2", "oci:kept", "oci:kept:2"]
        );
        assert_eq!(all(&["a.b/c"], &[]), ["a.b/c"]);
        assert_eq!(
            all(&["oci-archive:x.tar:c:1"], &["2"]),
            ["oci-archive:x.tar:c:1", "oci-archive:x.tar:c:2"]
        );
    }

    fn layout(names: &[&str]) -> (tempfile::TempDir, String) {
        let directory = tempfile::tempdir().unwrap();
        let path: PathBuf = directory.path().join("layout");
        let layout = Layout::open_or_create(&path).unwrap();
        for name in names {
            let digest = Digest::sha256(name.as_bytes());
            layout.write_blob(&digest, name.as_bytes()).unwrap();
            let descriptor = oci::Descriptor::new(
                MediaType::new("application/vnd.oci.image.manifest.v1+json"),
                digest,
                name.len() as u64,
            );
            let (repository, tag) = match name.rsplit_once(':') {
                Some((repository, tag)) => (Some(repository.parse().unwrap()), tag),
                None => (None, *name),
            };
            layout
                .tag(repository.as_ref(), &tag.parse().unwrap(), &descriptor)
                .unwrap();
        }
        let text = format!("oci:{}", path.display());
        (directory, text)
    }

    #[test]
    fn the_only_artifact_of_a_layout_needs_no_tag() {
        let signature = format!("app:sha256-{}.sig", "a".repeat(64));
        let (_directory, text) = layout(&["app:1.0", &signature]);
        assert_eq!(only_entry(&text).unwrap(), format!("{text}:app:1.0"));
    }

    #[test]
    fn among_several_artifacts_one_is_chosen_by_name() {
        let (_directory, text) = layout(&["app:1.0", "app:1.1"]);
        let refused = only_entry(&text).unwrap_err();
        assert_eq!(refused.exit(), Exit::Usage);
        assert!(refused.render().contains(&format!("{text}:app:1.1")));
        let (_directory, text) = layout(&["1.0", "latest"]);
        assert_eq!(only_entry(&text).unwrap(), format!("{text}:latest"));
    }

    #[test]
    fn a_digest_is_looked_for_where_an_entry_has_it() {
        let (_directory, text) = layout(&["app:1.0", "app:1.1", "2.0"]);
        let at = |name: &str| format!("{text}@{}", Digest::sha256(name.as_bytes()));
        let in_app = only_entry(&at("app:1.1")).unwrap().into_owned();
        assert_eq!(in_app, at("app:1.1").replace('@', ":app@"));
        assert_eq!(only_entry(&at("2.0")).unwrap(), at("2.0"));
        assert_eq!(only_entry(&at("none")).unwrap(), at("none"));
    }

    #[test]
    fn a_layout_lists_what_can_be_written_behind_its_path() {
        let (_directory, text) = layout(&["b", "a:1"]);
        assert_eq!(whole_layout(&text).unwrap().names().unwrap(), ["a:1", "b"]);
    }
}
