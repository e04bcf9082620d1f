//! Lists that come in pages.

use std::collections::HashSet;
use std::mem;

use http::StatusCode;
use oci::Digest;
use url::Url;

use super::document::{Answer, Document, Query};
use super::link;
use crate::call::{Reply, Target};
use crate::{Client, Error, ErrorKind};

/// The bounds of a list.
pub(super) struct Bounds {
    /// The most pages that are asked for.
    pub(super) pages: usize,
    /// The most bytes of one page.
    pub(super) page: usize,
}

/// Walks through a list's pages.
pub(super) struct Pages<'a> {
    client: &'a Client,
    action: &'a str,
    query: Query,
    bounds: Bounds,
    read: usize,
    /// The addresses that were asked for, as digests: a registry may make them long.
    seen: HashSet<Digest>,
    ended: bool,
}

/// What the next page is.
pub(super) enum Page {
    Document(Document),
    /// The first page was answered with another status than 200.
    Refused(Reply),
    /// There is none.
    End,
}

impl<'a> Pages<'a> {
    /// Starts at the page that `query` asks for; the ones after it are asked for in the same way.
    pub(super) fn new(client: &'a Client, action: &'a str, query: Query, bounds: Bounds) -> Self {
        Self {
            client,
            action,
            query,
            bounds,
            read: 0,
            seen: HashSet::new(),
            ended: false,
        }
    }

    /// Gets the next page. Only the first may be refused.
    pub(super) async fn next(&mut self) -> Result<Page, Error> {
        if mem::replace(&mut self.ended, true) {
            return Ok(Page::End);
        }
        let answer = Document::get(self.client, self.action, self.query.clone(), self.bounds.page);
        let document = match answer.await? {
            Answer::Document(document) => document,
            Answer::Refused(reply) if self.seen.is_empty() => return Ok(Page::Refused(reply)),
            Answer::Refused(reply) => return Err(Error::from_reply(self.action, reply).await),
        };
        self.seen.insert(known(&document.url));
        if let Some(next) = self.after(&document)? {
            self.query.target = next;
            self.ended = false;
        }
        Ok(Page::Document(document))
    }

    fn after(&mut self, document: &Document) -> Result<Option<Target>, Error> {
        let Some(location) = link::next(&document.headers) else {
            return Ok(None);
        };
        let url = self
            .client
            .resolve(&document.url, &location)
            .map_err(|error| error.during(self.action))?;
        self.read += 1;
        if self.read >= self.bounds.pages {
            let pages = self.bounds.pages;
            return Err(self.endless(&format!("the registry has more than {pages} pages")));
        }
        if !self.seen.insert(known(&url)) {
            return Err(self.endless("the registry's pages go in a circle"));
        }
        Ok(Some(Target::Url(url)))
    }

    fn endless(&self, what: &str) -> Error {
        Error::new(ErrorKind::Integrity, what).during(self.action)
    }
}

/// Returns true for statuses with which registries refuse a page size.
pub(super) fn is_about_the_size(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 405 | 406 | 416 | 422 | 501)
}

fn known(url: &Url) -> Digest {
    Digest::sha256(url.as_str().as_bytes())
}
