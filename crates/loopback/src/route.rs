//! Which resource a path names.

use oci::RepositoryName;
use percent_encoding::percent_decode_str;

use crate::failure::{Code, Failure};

/// A resource of the API. References and digests are still as the client wrote them.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints>
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/v2/`
    Base,
    /// `/v2/_catalog`
    Catalog,
    /// `/token`
    Token,
    /// Something within a repository.
    In(RepositoryName, Resource),
}

/// A resource of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// `tags/list`
    Tags,
    /// `manifests/<reference>`
    Manifest(String),
    /// `blobs/<digest>`
    Blob(String),
    /// `blobs/uploads/`
    Uploads,
    /// `blobs/uploads/<session>`
    Session(String),
    /// `referrers/<digest>`
    Referrers(String),
}

impl Route {
    /// Reads a request's path.
    pub(crate) fn parse(path: &str) -> Result<Self, Failure> {
        let path = percent_decode_str(path).decode_utf8_lossy();
        let rest = match path.as_ref() {
            "/token" => return Ok(Self::Token),
            "/v2" | "/v2/" => return Ok(Self::Base),
            "/v2/_catalog" => return Ok(Self::Catalog),
            path => path.strip_prefix("/v2/").ok_or_else(no_such_path)?,
        };
        let (name, resource) = resource(rest).ok_or_else(no_such_path)?;
        let name = name
            .parse()
            .map_err(|error: oci::NameError| Failure::new(Code::NameInvalid, error.to_string()))?;
        Ok(Self::In(name, resource))
    }
}

/// Splits a path from its end: a repository's name may itself have segments such as `blobs`.
fn resource(path: &str) -> Option<(&str, Resource)> {
    let (head, last) = path.rsplit_once('/')?;
    let (name, kind) = head.rsplit_once('/')?;
    let owned = last.to_owned();
    match (kind, last) {
        ("tags", "list") => Some((name, Resource::Tags)),
        ("manifests", _) => Some((name, Resource::Manifest(owned))),
        ("referrers", _) => Some((name, Resource::Referrers(owned))),
        ("blobs", "uploads") => Some((name, Resource::Uploads)),
        ("blobs", _) => Some((name, Resource::Blob(owned))),
        ("uploads", "") => Some((name.strip_suffix("/blobs")?, Resource::Uploads)),
        ("uploads", _) => Some((name.strip_suffix("/blobs")?, Resource::Session(owned))),
        _ => None,
    }
}

fn no_such_path() -> Failure {
    Failure::new(Code::NameUnknown, "no such path in the distribution API")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(name: &str, resource: Resource) -> Route {
        Route::In(name.parse().unwrap(), resource)
    }

    #[test]
    fn a_repository_may_be_named_like_a_resource() {
        let cases = [
            ("/v2/a/tags/list", within("a", Resource::Tags)),
            (
                "/v2/a/b/manifests/v1",
                within("a/b", Resource::Manifest("v1".into())),
            ),
            (
                "/v2/a/blobs/manifests/list",
                within("a/blobs", Resource::Manifest("list".into())),
            ),
            (
                "/v2/blobs/uploads/blobs/uploads/",
                within("blobs/uploads", Resource::Uploads),
            ),
            ("/v2/a/blobs/uploads", within("a", Resource::Uploads)),
            (
                "/v2/a/blobs/uploads/7",
                within("a", Resource::Session("7".into())),
            ),
            (
                "/v2/a/blobs/sha256%3A00",
                within("a", Resource::Blob("sha256:00".into())),
            ),
            ("/v2/a/referrers/x", within("a", Resource::Referrers("x".into()))),
            ("/v2", Route::Base),
        ];
        for (path, route) in cases {
            assert_eq!(Route::parse(path).unwrap(), route, "{path}");
        }
    }

    #[test]
    fn other_paths_are_no_routes() {
        for path in [
            "/",
            "/v1/",
            "/v2/a",
            "/v2/a/b",
            "/v2/uploads/7",
            "/v2//tags/list",
            "/v2/A/tags/list",
        ] {
            assert!(Route::parse(path).is_err(), "{path}");
        }
    }
}
