//! Listings in pages.

use http::HeaderMap;
use http::header::LINK;
use registry::{Error, ErrorKind, RestReply, RestRequest};
use serde::de::DeserializeOwned;
use url::Url;

use crate::data_plane::{DataPlane, Scope};

/// How many entries a page has. The registry sends no more, whatever it is asked for.
///
/// <https://github.com/Azure/acr/issues/749>
pub(crate) const PAGE: usize = 1_000;
/// More pages than this are a registry that goes round in circles.
const MAX_PAGES: usize = 10_000;

/// A page of a listing.
pub(crate) trait Listed: DeserializeOwned {
    /// Returns how many entries it has.
    fn length(&self) -> usize;
    /// Returns the name of its last entry.
    fn last(&self) -> Option<String>;
}

/// How a listing ended.
pub(crate) enum Pages<P> {
    /// All of it.
    All(Vec<P>),
    /// The registry refused.
    Refused(RestReply),
    /// Nobody is signed in.
    Nobody,
}

/// Reads all pages of the listing at `first`.
///
/// # Errors
/// No token, no answer, a malformed one, and a listing without end.
pub(crate) async fn read<P: Listed>(
    plane: &DataPlane,
    first: Url,
    scope: Scope<'_>,
    what: &str,
) -> Result<Pages<P>, Error> {
    let mut url = first;
    url.query_pairs_mut().append_pair("n", &PAGE.to_string());
    let mut pages: Vec<P> = Vec::new();
    while pages.len() < MAX_PAGES {
        let Some(reply) = plane.send(&RestRequest::get(url.clone()), scope).await? else {
            return Ok(Pages::Nobody);
        };
        if !reply.status.is_success() {
            return Ok(Pages::Refused(reply));
        }
        let page: P = reply.json(what)?;
        let next = next(&reply, &page)?;
        pages.push(page);
        match next {
            Some(next) if next != url => url = next,
            Some(_) => return Err(endless(what)),
            None => return Ok(Pages::All(pages)),
        }
    }
    Err(endless(what))
}

fn endless(what: &str) -> Error {
    Error::new(ErrorKind::Integrity, format!("{what} has no end"))
}

/// Finds the next page: where the registry says, or after the last entry of a full page.
fn next<P: Listed>(reply: &RestReply, page: &P) -> Result<Option<Url>, Error> {
    if let Some(target) = link(&reply.headers) {
        let next = reply.url.join(target).ok();
        return match next.filter(|next| next.origin() == reply.url.origin()) {
            Some(next) => Ok(Some(next)),
            None => Err(Error::new(
                ErrorKind::Policy,
                "the next page is said to be at another host; the token does not follow there",
            )),
        };
    }
    let Some(last) = page.last().filter(|_| page.length() >= PAGE) else {
        return Ok(None);
    };
    let mut url = reply.url.clone();
    url.query_pairs_mut()
        .clear()
        .append_pair("n", &PAGE.to_string())
        .append_pair("last", &last);
    Ok(Some(url))
}

/// The registry writes one link and no other parameter: `</acr/v1/..>; rel="next"`.
fn link(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(LINK)?.to_str().ok()?;
    let (target, parameters) = value.trim().strip_prefix('<')?.split_once('>')?;
    parameters.contains("next").then_some(target)
}
