//! Harbor's API, version 2.0.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use oci::{Digest, RepositoryName};
use registry::{Credential, CredentialSource, Error, ErrorKind, Rest, RestReply, RestRequest};
use serde::de::DeserializeOwned;
use url::Url;

use super::Place;
use super::artifact::{Artifact, Project, Repository};
use super::found::Found;

/// How many entries are asked for at once: no page has more.
const PAGE: usize = 100;

/// The most pages of one listing that are read.
const MAX_PAGES: usize = 10_000;

/// How many empty pages in a row are passed over. A Harbor that leaves artifacts out after it has cut the pages has such.
const MAX_EMPTY: usize = 5;

/// What a listing needs of a robot account.
const LISTING: &str = "a robot account needs \"List Repository\", \"List Artifact\" and \"Read Artifact\", a user any role in the project";

/// How many there are in all.
const TOTAL: HeaderName = HeaderName::from_static("x-total-count");
/// Says that the project is named, and its name no number.
const BY_NAME: HeaderName = HeaderName::from_static("x-is-resource-name");

/// Asks one Harbor.
#[derive(Debug)]
pub(super) struct Api {
    rest: Rest,
    address: Url,
    credentials: Arc<dyn CredentialSource>,
    identity: Mutex<Option<String>>,
}

/// What a question came to.
pub(super) enum Asked<T> {
    Answer(T),
    /// It can't be used, and why.
    Refused(String),
}

/// How far a listing was read.
struct Progress {
    /// How many entries there were.
    read: usize,
    empty: usize,
}

/// What comes after a page.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Page,
    End,
    Never,
}

impl Api {
    pub(super) fn new(rest: Rest, address: Url, credentials: Arc<dyn CredentialSource>) -> Self {
        Self {
            rest,
            address,
            credentials,
            identity: Mutex::default(),
        }
    }

    /// Names who signed in last.
    pub(super) fn identity(&self) -> String {
        let identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        identity.clone().unwrap_or_else(|| "whoever signs in".to_owned())
    }

    /// Adds all artifacts of a repository to what was found; the answer says why they can't be relied on, if so.
    ///
    /// `q=base=*` lists the children of indexes too. The order is that of pushes, so that new ones push nothing off a page.
    pub(super) async fn artifacts(
        &self,
        place: &Place<'_>,
        found: &mut Found,
    ) -> Result<Option<String>, Error> {
        let query = format!("{OPTIONS}&q=base%3D%2A&sort=push_time&page_size={PAGE}");
        let mut progress = Progress { read: 0, empty: 0 };
        for number in 1..=MAX_PAGES {
            let path = format!("{}?{query}&page={number}", artifacts(place));
            let reply = self.get(&path).await?;
            let page = match read::<Option<Vec<Artifact>>>(&reply)? {
                Asked::Answer(page) => page.unwrap_or_default(),
                Asked::Refused(why) => return Ok(Some(why)),
            };
            let before = found.len();
            page.iter().for_each(|artifact| found.add(artifact));
            if !page.is_empty() && found.len() == before {
                return Ok(Some("the pages of Harbor's listing go in a circle".to_owned()));
            }
            match progress.after(page.len(), total(&reply)) {
                Next::Page => {}
                Next::End => return Ok(None),
                Next::Never => return Ok(Some("Harbor's listing ends before its end".to_owned())),
            }
        }
        Ok(Some(format!("Harbor's listing has more than {MAX_PAGES} pages")))
    }

    /// Reads one artifact.
    pub(super) async fn artifact(
        &self,
        place: &Place<'_>,
        digest: &Digest,
    ) -> Result<Asked<Artifact>, Error> {
        let reply = self
            .get(&format!("{}/{digest}?{OPTIONS}", artifacts(place)))
            .await?;
        Ok(match read::<Artifact>(&reply)? {
            Asked::Answer(artifact) if artifact.digest == *digest => Asked::Answer(artifact),
            Asked::Answer(_) => Asked::Refused(format!("Harbor answers with another artifact than {digest}")),
            Asked::Refused(why) => Asked::Refused(why),
        })
    }

    /// Describes a project; nothing where there is none.
    pub(super) async fn project(&self, name: &str) -> Result<Option<Project>, Error> {
        let action = format!("look for project {name}");
        let request = self.request(&format!("/api/v2.0/projects/{name}")).await?;
        let reply = self
            .rest
            .send(&request.with(BY_NAME, HeaderValue::from_static("true")))
            .await?;
        match reply.status {
            StatusCode::OK => reply
                .json("a project")
                .map(Some)
                .map_err(|error| error.during(&action)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(reply.refusal(&action).with_hint(format!(
                "{} lacks \"Read Project\": give the robot account that permission for project {name}",
                self.identity()
            ))),
        }
    }

    /// Lists the repositories of all projects that are shown to us.
    pub(super) async fn repositories(&self) -> Result<Vec<RepositoryName>, Error> {
        const ACTION: &str = "list repositories";
        let mut names = Vec::new();
        let mut progress = Progress { read: 0, empty: 0 };
        for number in 1..=MAX_PAGES {
            let path = format!("/api/v2.0/repositories?page={number}&page_size={PAGE}&sort=name");
            let reply = self.get(&path).await?;
            if reply.status != StatusCode::OK {
                return Err(reply.refusal(ACTION).with_hint(LISTING));
            }
            let page: Option<Vec<Repository>> = reply
                .json("the list of repositories")
                .map_err(|error| error.during(ACTION))?;
            let page = page.unwrap_or_default();
            let read = page.len();
            names.extend(page.into_iter().map(|repository| repository.name));
            match progress.after(read, total(&reply)) {
                Next::Page => {}
                Next::End => {
                    names.sort_unstable();
                    names.dedup();
                    return Ok(names);
                }
                Next::Never => break,
            }
        }
        let message = format!("{ACTION}: the pages of Harbor's listing do not end where it says");
        Err(Error::new(ErrorKind::Integrity, message))
    }

    async fn get(&self, path: &str) -> Result<RestReply, Error> {
        self.rest.send(&self.request(path).await?).await
    }

    async fn request(&self, path: &str) -> Result<RestRequest, Error> {
        let url = self.address.join(path).map_err(|error| {
            Error::new(ErrorKind::Other, format!("{} has no such address", self.address)).caused_by(error)
        })?;
        let request = RestRequest::get(url);
        Ok(match self.authorization().await? {
            Some(header) => request.with(AUTHORIZATION, header),
            None => request,
        })
    }

    /// User and password, `robot$name` for a robot account. Other credentials are the registry's alone.
    async fn authorization(&self) -> Result<Option<HeaderValue>, Error> {
        let sign_in = self.credentials.sign_in().await?;
        let Credential::Basic { username, password } = sign_in.credential else {
            return Ok(None);
        };
        let pair = STANDARD.encode(format!("{username}:{}", password.expose()));
        let mut header = HeaderValue::from_str(&format!("Basic {pair}")).map_err(|error| {
            Error::new(ErrorKind::Auth, format!("{} can't be sent", sign_in.origin)).caused_by(error)
        })?;
        header.set_sensitive(true);
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = Some(username);
        Ok(Some(header))
    }
}

impl Progress {
    /// Tells what comes after a page of `count` entries, where there are `total` in all.
    fn after(&mut self, count: usize, total: Option<usize>) -> Next {
        self.read += count;
        self.empty = if count == 0 { self.empty + 1 } else { 0 };
        match total {
            Some(total) if self.read >= total => Next::End,
            None if count == 0 => Next::End,
            Some(_) if self.empty > MAX_EMPTY => Next::Never,
            Some(_) | None => Next::Page,
        }
    }
}

const OPTIONS: &str = "with_tag=true&with_accessory=true&with_immutable_status=true";

/// A repository's name is encoded twice: the API's own router takes a slash for its own after the first.
fn artifacts(place: &Place<'_>) -> String {
    let name = place.name.replace('/', "%252F");
    format!(
        "/api/v2.0/projects/{}/repositories/{name}/artifacts",
        place.project
    )
}

fn total(reply: &RestReply) -> Option<usize> {
    reply.headers.get(TOTAL)?.to_str().ok()?.trim().parse().ok()
}

/// Reads an answer whose refusal leaves the protocol's own listing to be asked.
fn read<T: DeserializeOwned>(reply: &RestReply) -> Result<Asked<T>, Error> {
    match reply.status {
        StatusCode::OK => Ok(serde_json::from_slice(&reply.body).map_or_else(
            |_| Asked::Refused("Harbor's API answers with something else than artifacts".to_owned()),
            Asked::Answer,
        )),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(Asked::Refused(format!(
            "Harbor's API does not list artifacts to us: {LISTING}"
        ))),
        // A registry that is no Harbor, or one before 2.0.
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::BAD_REQUEST => Ok(
            Asked::Refused(format!("Harbor's API answers {}", reply.status.as_u16())),
        ),
        _ => Err(reply.refusal("list artifacts").with_hint(LISTING)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(pages: &[usize], total: Option<usize>) -> Next {
        let mut progress = Progress { read: 0, empty: 0 };
        let mut next = Next::Page;
        for count in pages {
            assert_eq!(next, Next::Page, "{pages:?}");
            next = progress.after(*count, total);
        }
        next
    }

    #[test]
    fn a_listing_ends_where_all_that_there_is_was_read() {
        assert_eq!(ends(&[0], Some(0)), Next::End);
        assert_eq!(ends(&[100, 50], Some(150)), Next::End);
        assert_eq!(ends(&[100], Some(150)), Next::Page);
        // Attached manifests that were left out of a page make it short, or empty.
        assert_eq!(ends(&[40, 0, 60], Some(100)), Next::End);
        assert_eq!(ends(&[100, 0], None), Next::End);
        assert_eq!(ends(&[1], None), Next::Page);
    }

    #[test]
    fn a_listing_that_promises_more_than_it_has_is_given_up() {
        assert_eq!(ends(&[10, 0, 0, 0, 0, 0, 0], Some(usize::MAX)), Next::Never);
    }

    #[test]
    fn the_slashes_of_a_name_are_encoded_twice() {
        let place = Place {
            project: "team",
            name: "a/b/c",
        };
        let path = artifacts(&place);
        assert_eq!(
            path,
            "/api/v2.0/projects/team/repositories/a%252Fb%252Fc/artifacts"
        );
        let url = Url::parse("https://harbor.example/")
            .unwrap()
            .join(&path)
            .unwrap();
        assert_eq!(url.path(), path, "nothing encodes it a third time");
    }
}
