//! Upload sessions that are opened, fed and cancelled.

use bytes::Bytes;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, RANGE};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use oci::Digest;
use url::Url;

use super::asker::{Head, Prober};
use super::facts::{ChunkFacts, MountFacts, PatchFacts, SessionFacts, Told, Writes};
use crate::call::{CallBody, Target};

const LEAST: HeaderName = HeaderName::from_static("oci-chunk-min-length");

impl Prober {
    /// Opens upload sessions, sends two bytes into one, mounts `sample` into the repository that it stands in, and cancels
    /// every session. Nothing is committed.
    ///
    /// A session at an address that is not the registry's can't be cancelled: it ends by itself.
    pub async fn writes(&self, sample: &Told<Digest>) -> Writes {
        Writes {
            session: self.session().await,
            mount: match sample {
                Ok(sample) => self.mount(sample).await,
                Err(why) => Err(why.clone()),
            },
            chunks: self.chunks().await,
        }
    }

    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#post-then-put>
    async fn session(&self) -> Told<SessionFacts> {
        let head = self.open("").await?;
        Ok(SessionFacts {
            status: head.status.as_u16(),
            location: head
                .location()
                .and_then(|location| self.location(&head.url, location)),
            cancelled: self.cancel(self.session_of(&head)).await?,
        })
    }

    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#mounting-a-blob-from-another-repository>
    async fn mount(&self, sample: &Digest) -> Told<MountFacts> {
        let head = self.open(&format!("?mount={sample}&from={}", self.name)).await?;
        Ok(MountFacts {
            status: head.status.as_u16(),
            cancelled: self.cancel(self.session_of(&head)).await?,
        })
    }

    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks>
    async fn chunks(&self) -> Told<ChunkFacts> {
        let opened = self.open("").await?;
        let Some(mut session) = self.session_of(&opened) else {
            return Err(match opened.status {
                StatusCode::ACCEPTED => "the session's address is not the registry's".to_owned(),
                status => format!("no session was opened: {}", status.as_u16()),
            });
        };
        let mut sent = Vec::new();
        let mut failed = None;
        for at in 0..2 {
            match self.patch(&session, at).await {
                Ok(head) => {
                    sent.push(patched(&head));
                    session = self.moved(&head).unwrap_or(session);
                }
                Err(why) => failed = Some(why),
            }
            if failed.is_some() || sent.last().is_none_or(|patch| !patch.is_taken()) {
                break;
            }
        }
        let cancelled = self.cancel(Some(session)).await;
        let mut sent = sent.into_iter();
        let Some(first) = sent.next() else {
            return Err(failed.unwrap_or_else(|| "nothing was sent".to_owned()));
        };
        Ok(ChunkFacts {
            least: opened.header(LEAST).and_then(|text| text.trim().parse().ok()),
            first,
            second: sent.next(),
            cancelled: cancelled.ok().flatten(),
        })
    }

    async fn open(&self, query: &str) -> Told<Head> {
        let target = self.path(format_args!("blobs/uploads/{query}"));
        self.head(self.write(Method::POST, target, CallBody::Empty)).await
    }

    async fn patch(&self, session: &Url, at: u64) -> Told<Head> {
        let body = CallBody::Bytes(Bytes::from_static(b"0"));
        let mut call = self.write(Method::PATCH, Target::Url(session.clone()), body);
        let octets = HeaderValue::from_static("application/octet-stream");
        call.headers.insert(CONTENT_TYPE, octets);
        let range = HeaderValue::from_str(&format!("{at}-{at}")).map_err(|error| error.to_string())?;
        call.headers.insert(CONTENT_RANGE, range);
        self.head(call).await
    }

    /// Cancels a session, where there is one; the status is told.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#cancel-a-blob-upload>
    async fn cancel(&self, session: Option<Url>) -> Told<Option<u16>> {
        let Some(session) = session else { return Ok(None) };
        let call = self.write(Method::DELETE, Target::Url(session), CallBody::Empty);
        let head = self.head(call).await?;
        Ok(Some(head.status.as_u16()))
    }

    /// Returns the session that an answer opened, where it is the registry's own.
    fn session_of(&self, head: &Head) -> Option<Url> {
        if head.status != StatusCode::ACCEPTED {
            return None;
        }
        self.moved(head)
    }

    fn moved(&self, head: &Head) -> Option<Url> {
        let url = self.client.resolve(&head.url, head.location()?).ok()?;
        // Whatever is deleted here is an upload and nothing else.
        let mut segments = url.path_segments()?;
        let names_content = segments
            .any(|segment| matches!(segment, "manifests" | "tags") || segment.parse::<Digest>().is_ok());
        (!names_content).then_some(url)
    }
}

fn patched(head: &Head) -> PatchFacts {
    PatchFacts {
        status: head.status.as_u16(),
        range: head.shown(&RANGE),
    }
}
