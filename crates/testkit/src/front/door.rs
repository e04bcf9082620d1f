//! What all fronts are: a port, a set of rules, and a registry behind.

use std::io;
use std::sync::Arc;

use http::Response;

use super::tally::Tally;
use super::upstream::Upstream;
use super::visit::Visit;
use crate::listening::{Body, Listening};

/// The rules of a front.
pub(crate) trait Door: Send + Sync + 'static {
    /// Answers a request, by the registry behind or without it. An error closes the connection.
    fn answer(
        &self,
        visit: Visit,
        upstream: &Upstream,
    ) -> impl Future<Output = io::Result<Response<Body>>> + Send;
}

/// A front that is listened on; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Front {
    listening: Listening,
    tally: Tally,
}

impl Front {
    pub(crate) async fn open<D: Door>(upstream: &str, door: Arc<D>) -> Self {
        let upstream = Arc::new(Upstream::new(upstream));
        let tally = Tally::default();
        let counting = tally.clone();
        let listening = Listening::start(move |request| {
            let (door, upstream, tally) = (Arc::clone(&door), Arc::clone(&upstream), counting.clone());
            async move {
                let visit = Visit::new(request);
                let running = tally.enter(visit.operation);
                let answer = door.answer(visit, &upstream).await?;
                running.answered(answer.status().as_u16());
                Ok(answer)
            }
        })
        .await;
        Self { listening, tally }
    }

    pub(crate) fn host(&self) -> String {
        self.listening.host()
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally.clone()
    }
}
