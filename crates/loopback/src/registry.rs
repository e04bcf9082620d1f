//! The registry itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use layout::Layout;
use oci::RepositoryName;
use tokio::net::TcpListener;

use crate::layout_store::LayoutStore;
use crate::memory::Memory;
use crate::options::Options;
use crate::record::{Recorder, RequestRecord};
use crate::server::Server;
use crate::service::{self, Service};
use crate::session::Sessions;
use crate::store::Storage;
use crate::token::Tokens;

/// A registry. Clones share everything: content, uploads, tokens and records.
#[derive(Clone)]
pub struct Registry {
    service: Arc<Service>,
}

impl Registry {
    /// Makes an empty registry in memory.
    ///
    /// A blob is visible in the repositories it was uploaded to or mounted into, and nowhere else.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::over(Storage::Memory(Arc::new(Memory::default())), Options::default())
    }

    /// Makes a registry of an OCI image layout: its entries named `REPOSITORY:TAG` are the tags of repositories.
    ///
    /// Entries that name no repository are served under the layout's own name, see [`Registry::bare`]. Uploads are
    /// written to a temporary file of the layout, pushed manifests become entries of its index. A layout does not
    /// record which repository a blob belongs to, so every blob is visible in every repository, a mount always
    /// succeeds where the blob is there, and deleting a blob deletes it everywhere.
    #[must_use]
    pub fn over_layout(layout: Layout) -> Self {
        Self::over(
            Storage::Layout(Arc::new(LayoutStore::new(layout))),
            Options::default(),
        )
    }

    /// Serves a layout's entries that name no repository under `name`, instead of the name of its directory in lower
    /// case. A registry in memory has no such entries.
    #[must_use]
    pub fn bare(self, name: RepositoryName) -> Self {
        let storage = match &self.service.storage {
            Storage::Memory(memory) => Storage::Memory(Arc::clone(memory)),
            Storage::Layout(layout) => Storage::Layout(Arc::new(layout.with_bare(name))),
        };
        Self::over(storage, self.service.options.clone())
    }

    /// Changes what the registry supports and asks for. Content stays; uploads, tokens and records start anew.
    #[must_use]
    pub fn with_options(self, options: Options) -> Self {
        Self::over(self.service.storage.clone(), options)
    }

    fn over(storage: Storage, options: Options) -> Self {
        let service = Service {
            storage,
            sessions: Sessions::new(options.seed),
            tokens: Tokens::new(options.seed),
            recorder: Recorder::new(options.record),
            options,
        };
        Self {
            service: Arc::new(service),
        }
    }

    /// Listens at an address and serves until the [`Server`] is stopped or dropped. Port 0 takes a free one.
    ///
    /// # Errors
    /// An address that can't be listened at.
    pub async fn serve(&self, address: SocketAddr) -> std::io::Result<Server> {
        Server::start(TcpListener::bind(address).await?, self.router())
    }

    /// Returns the registry as a router, to wrap in layers or to serve in another way.
    pub fn router(&self) -> Router {
        let service = Arc::clone(&self.service);
        Router::new().fallback(move |request: Request| service::answer(Arc::clone(&service), request))
    }

    /// Returns the requests so far, in the order they came in, where [`Options::record`] is set.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.service.recorder.requests()
    }

    /// Returns how many requests of each method came in, where [`Options::record`] is set.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.service.recorder.counts()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.service.recorder.clear();
    }
}
