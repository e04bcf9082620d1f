//! Lists that come in pages.

use std::collections::HashSet;

use http::HeaderValue;
use oci::Digest;
use url::Url;

use super::link;
use super::repository::{Answer, Document, Query, RemoteRepository};
use crate::call::{Reply, Target};
use crate::{Error, ErrorKind};

/// The bounds of a list.
pub(super) struct Bounds {
    /// The most pages that are asked for.
    pub(super) pages: usize,
    /// The most bytes of one page.
    pub(super) page: usize,
}

/// Walks through a list's pages.
pub(super) struct Pages<'a> {
    repository: &'a RemoteRepository,
    action: &'a str,
    accept: HeaderValue,
    bounds: Bounds,
    read: usize,
    /// The addresses that were asked for, as digests: a registry may make them long.
    seen: HashSet<Digest>,
    next: Option<Target>,
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
    pub(super) fn new(
        repository: &'a RemoteRepository,
        action: &'a str,
        first: Target,
        accept: HeaderValue,
        bounds: Bounds,
    ) -> Self {
        Self {
            repository,
            action,
            accept,
            bounds,
            read: 0,
            seen: HashSet::new(),
            next: Some(first),
        }
    }

    /// Gets the next page. Only the first may be refused.
    pub(super) async fn next(&mut self) -> Result<Page, Error> {
        let Some(target) = self.next.take() else {
            return Ok(Page::End);
        };
        let query = Query {
            target,
            accept: self.accept.clone(),
            limit: self.bounds.page,
        };
        let document = match self.repository.document(self.action, query).await? {
            Answer::Document(document) => document,
            Answer::Refused(reply) if self.seen.is_empty() => return Ok(Page::Refused(reply)),
            Answer::Refused(reply) => return Err(Error::from_reply(self.action, reply).await),
        };
        self.seen.insert(known(&document.url));
        self.next = self.after(&document)?;
        Ok(Page::Document(document))
    }

    fn after(&mut self, document: &Document) -> Result<Option<Target>, Error> {
        let Some(location) = link::next(&document.headers) else {
            return Ok(None);
        };
        let url = self
            .repository
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

fn known(url: &Url) -> Digest {
    Digest::sha256(url.as_str().as_bytes())
}
