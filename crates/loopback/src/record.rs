//! What was asked of a registry, for tests to count.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::response::Response;
use futures_util::StreamExt;
use http::request::Parts;

use crate::service::Incoming;

/// A request, and how much of it and of its answer passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// The method.
    pub method: String,
    /// The path, with the query if there is one.
    pub path: String,
    /// The answer's status; none while there is no answer yet.
    pub status: Option<u16>,
    /// How many bytes of the request's body were read.
    pub received: u64,
    /// How many bytes of the answer's body were handed over to be sent.
    pub sent: u64,
}

/// Remembers requests, where the options ask for it.
#[derive(Default)]
pub(crate) struct Recorder {
    entries: Option<Mutex<Vec<Arc<Entry>>>>,
}

/// A request that is counted, or not.
#[derive(Clone, Default)]
pub(crate) struct Recording(Option<Arc<Entry>>);

struct Entry {
    method: String,
    path: String,
    /// 0 before the answer.
    status: AtomicU16,
    received: AtomicU64,
    sent: AtomicU64,
}

impl Entry {
    fn read(&self) -> RequestRecord {
        let status = self.status.load(Ordering::Acquire);
        RequestRecord {
            method: self.method.clone(),
            path: self.path.clone(),
            status: (status != 0).then_some(status),
            received: self.received.load(Ordering::Acquire),
            sent: self.sent.load(Ordering::Acquire),
        }
    }
}

impl Recorder {
    pub(crate) fn new(record: bool) -> Self {
        Self {
            entries: record.then(Mutex::default),
        }
    }

    /// Remembers a request that has come in.
    pub(crate) fn start(&self, parts: &Parts) -> Recording {
        let Some(entries) = &self.entries else {
            return Recording::default();
        };
        let entry = Arc::new(Entry {
            method: parts.method.to_string(),
            path: parts
                .uri
                .path_and_query()
                .map(ToString::to_string)
                .unwrap_or_default(),
            status: AtomicU16::new(0),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        });
        entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&entry));
        Recording(Some(entry))
    }

    pub(crate) fn requests(&self) -> Vec<RequestRecord> {
        let entries = self
            .entries
            .as_ref()
            .map(|entries| entries.lock().unwrap_or_else(PoisonError::into_inner));
        entries
            .map(|entries| entries.iter().map(|entry| entry.read()).collect())
            .unwrap_or_default()
    }

    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for request in self.requests() {
            *counts.entry(request.method).or_default() += 1;
        }
        counts
    }

    pub(crate) fn clear(&self) {
        if let Some(entries) = &self.entries {
            entries.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

impl Recording {
    pub(crate) fn count_received(&self, body: Body) -> Incoming {
        let stream = body.into_data_stream();
        let Some(entry) = self.0.clone() else {
            return Box::pin(stream);
        };
        Box::pin(stream.inspect(move |bytes| add(&entry.received, bytes)))
    }

    pub(crate) fn count_sent(&self, response: Response) -> Response {
        let Some(entry) = self.0.clone() else {
            return response;
        };
        entry.status.store(response.status().as_u16(), Ordering::Release);
        // An empty body must stay one: that of a HEAD has a length of its own in the headers.
        if axum::body::HttpBody::is_end_stream(response.body()) {
            return response;
        }
        let count = move |body: Body| {
            Body::from_stream(
                body.into_data_stream()
                    .inspect(move |bytes| add(&entry.sent, bytes)),
            )
        };
        response.map(count)
    }
}

fn add<E>(counter: &AtomicU64, bytes: &Result<bytes::Bytes, E>) {
    if let Ok(bytes) = bytes {
        counter.fetch_add(bytes.len() as u64, Ordering::AcqRel);
    }
}
