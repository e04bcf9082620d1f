//! Where Google keeps what a path names.

use oci::{Host, RepositoryName};
use registry::{Error, ErrorKind};

/// How a registry's host maps to Google's resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    /// `LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE`.
    Location(String),
    /// `gcr.io/PROJECT/IMAGE`: one repository, called as the host, holds the images of a project.
    ///
    /// <https://docs.cloud.google.com/artifact-registry/docs/transition/setup-gcr-repo>
    Container {
        /// The repository.
        repository: String,
        /// Where it is kept.
        location: &'static str,
    },
    /// Any other host in front of it, with paths as at `pkg.dev`; the location is not part of its name.
    Other,
}

/// What one call creates, or holds an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Unit {
    pub(crate) project: String,
    pub(crate) location: String,
    pub(crate) repository: String,
}

impl Site {
    pub(crate) fn of(host: &Host) -> Self {
        let name = host.name();
        if let Some(location) = name.strip_suffix("-docker.pkg.dev") {
            return Self::Location(location.to_owned());
        }
        let location = match name {
            "gcr.io" | "us.gcr.io" => "us",
            "eu.gcr.io" => "europe",
            "asia.gcr.io" => "asia",
            _ => return Self::Other,
        };
        Self::Container {
            repository: name.to_owned(),
            location,
        }
    }

    /// Returns how many segments of a path name what a call creates.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::Container { .. } => 1,
            Self::Location(_) | Self::Other => 2,
        }
    }

    /// Returns the location, where the host tells it.
    pub(crate) fn location(&self) -> Option<&str> {
        match self {
            Self::Location(location) => Some(location),
            Self::Container { location, .. } => Some(location),
            Self::Other => None,
        }
    }

    /// Says whether a path is the beginning of one in a domain's project, cut where other projects' repositories end.
    pub(crate) fn cuts(&self, path: &RepositoryName) -> bool {
        let segments = path.as_str().split('/').count();
        path.as_str()
            .split('/')
            .next()
            .is_some_and(|first| first.contains('.'))
            && segments <= self.depth()
    }

    /// Reads the unit that a path lies in, and the image in it; the image is empty where the path is the unit itself.
    ///
    /// # Errors
    /// A path that is too short, and a host whose location nobody told.
    pub(crate) fn unit<'a>(
        &self,
        path: &'a RepositoryName,
        location: Option<&str>,
    ) -> Result<(Unit, &'a str), Error> {
        if self.cuts(path) {
            return Err(too_short(path));
        }
        let (project, rest) = project(path.as_str());
        let location = self.location().or(location).ok_or_else(unlocated)?.to_owned();
        let (repository, image) = match self {
            Self::Container { repository, .. } => (repository.as_str(), rest),
            Self::Location(_) | Self::Other => rest.split_once('/').unwrap_or((rest, "")),
        };
        if repository.is_empty() {
            return Err(too_short(path));
        }
        let unit = Unit {
            project,
            location,
            repository: repository.to_owned(),
        };
        Ok((unit, image))
    }
}

/// Takes the project off a path. A project of a domain, `example.com:project`, takes two segments.
///
/// <https://docs.cloud.google.com/artifact-registry/docs/docker/names>
fn project(path: &str) -> (String, &str) {
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    if !first.contains('.') {
        return (first.to_owned(), rest);
    }
    let (second, rest) = rest.split_once('/').unwrap_or((rest, ""));
    (format!("{first}:{second}"), rest)
}

fn too_short(path: &RepositoryName) -> Error {
    let error = Error::new(
        ErrorKind::Other,
        format!("{path} names no repository of Artifact Registry"),
    );
    error.with_hint("images stand at PROJECT/REPOSITORY/IMAGE; a project of a domain takes two segments")
}

fn unlocated() -> Error {
    Error::new(
        ErrorKind::Other,
        "the host does not tell where Google keeps its repositories",
    )
    .with_hint("say `create_repositories: { location: europe-west1 }`, or where else they are")
}

impl Unit {
    /// Returns the parent of repositories.
    pub(crate) fn parent(&self) -> String {
        format!("projects/{}/locations/{}", self.project, self.location)
    }

    /// Returns the name of the resource.
    pub(crate) fn name(&self) -> String {
        format!("{}/repositories/{}", self.parent(), self.repository)
    }

    /// Returns the name of an image's package: slashes within it are escaped.
    pub(crate) fn package(&self, image: &str) -> String {
        format!("{}/packages/{}", self.name(), image.replace('/', "%2F"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(host: &str, path: &str) -> (String, String) {
        let site = Site::of(&host.parse().unwrap());
        let path = path.parse().unwrap();
        let (unit, image) = site.unit(&path, Some("us-east1")).unwrap();
        (unit.name(), image.to_owned())
    }

    #[test]
    fn hosts_and_paths_tell_the_repository() {
        for (host, path, name, image) in [
            (
                "europe-west1-docker.pkg.dev",
                "my-project/base/team/app",
                "projects/my-project/locations/europe-west1/repositories/base",
                "team/app",
            ),
            (
                "us-docker.pkg.dev",
                "my-project/base",
                "projects/my-project/locations/us/repositories/base",
                "",
            ),
            (
                "us-docker.pkg.dev",
                "example.com/my-project/base/app",
                "projects/example.com:my-project/locations/us/repositories/base",
                "app",
            ),
            (
                "gcr.io",
                "my-project/app",
                "projects/my-project/locations/us/repositories/gcr.io",
                "app",
            ),
            (
                "eu.gcr.io",
                "example.com/my-project/a/b",
                "projects/example.com:my-project/locations/europe/repositories/eu.gcr.io",
                "a/b",
            ),
            (
                "us.gcr.io",
                "my-project",
                "projects/my-project/locations/us/repositories/us.gcr.io",
                "",
            ),
            (
                "asia.gcr.io",
                "p/a",
                "projects/p/locations/asia/repositories/asia.gcr.io",
                "a",
            ),
            (
                "127.0.0.1:5000",
                "p/r/a",
                "projects/p/locations/us-east1/repositories/r",
                "a",
            ),
        ] {
            assert_eq!(
                unit(host, path),
                (name.to_owned(), image.to_owned()),
                "{host}/{path}"
            );
        }
    }

    #[test]
    fn a_path_without_a_repository_says_so() {
        for (host, path) in [
            ("us-docker.pkg.dev", "project"),
            ("us-docker.pkg.dev", "example.com/project"),
            ("gcr.io", "example.com"),
        ] {
            let site = Site::of(&host.parse().unwrap());
            let error = site.unit(&path.parse().unwrap(), None).unwrap_err();
            assert!(
                error.hint().unwrap().contains("PROJECT/REPOSITORY/IMAGE"),
                "{host}/{path}"
            );
        }
    }

    #[test]
    fn another_host_needs_its_location() {
        let site = Site::of(&"registry.example".parse().unwrap());
        let error = site.unit(&"p/r/a".parse().unwrap(), None).unwrap_err();
        assert!(
            error.hint().unwrap().contains("location: europe-west1"),
            "{error:?}"
        );
    }

    #[test]
    fn slashes_of_an_image_are_escaped() {
        let (unit, image) = Site::Location("us".to_owned())
            .unit(&"p/r/a/b/c".parse().unwrap(), None)
            .map(|(unit, image)| (unit, image.to_owned()))
            .unwrap();
        assert_eq!(
            unit.package(&image),
            "projects/p/locations/us/repositories/r/packages/a%2Fb%2Fc"
        );
    }
}
