//! Sending one blob to many places.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::BoxStream;
use oci::Descriptor;
use planner::{Place, ProblemKind, Side};
use registry::{ByteStream, Error, UploadSession, WriteRepository};

use crate::context::Context;
use crate::fanout::{self, Lane};
use crate::fault::Fault;
use crate::landing::Opening;
use crate::node::NodeId;

/// One place that a blob is sent to.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) node: NodeId,
    pub(crate) place: Place,
    pub(crate) session: UploadSession,
}

/// How a read and its uploads ended.
#[derive(Debug)]
pub(crate) struct Sent {
    /// Why the source failed, if it did.
    pub(crate) source: Option<Fault>,
    /// How each upload ended; `None` for one that failed with the source.
    pub(crate) uploads: Vec<(NodeId, Option<Result<(), Fault>>)>,
}

/// What is told of a read while it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Milestone {
    /// The source was read to its end.
    Fed,
    /// One of the places has the blob.
    Landed(NodeId),
}

/// Asks whether the blob is missing, and opens a session for it if so. A session that a refused mount left is taken.
pub(crate) async fn open(context: &Context, place: &Place, blob: &Descriptor) -> Result<Opening, Fault> {
    let mut patience = context.newborns.patience(place);
    loop {
        match open_once(context, place, blob).await {
            Err(fault) if patience.permits(&fault) => patience.wait().await,
            end => return end,
        }
    }
}

async fn open_once(context: &Context, place: &Place, blob: &Descriptor) -> Result<Opening, Fault> {
    let repository = context.writer(place)?;
    let failed = |error: Error| Fault::target(place, &error);
    match repository.head_blob(&blob.digest).await.map_err(failed)? {
        Some(size) if size == blob.size => return Ok(Opening::Stands),
        Some(_) => context.damaged.note(place, &blob.digest),
        None => {}
    }
    Ok(Opening::Open(repository.start_upload().await.map_err(failed)?))
}

/// Reads a blob once and sends it to every destination. `tell` hears what is done before all is.
pub(crate) async fn send(
    context: &Context,
    blob: &Descriptor,
    from: &Place,
    destinations: Vec<Destination>,
    tell: impl Fn(Milestone),
) -> Sent {
    let nodes: Vec<NodeId> = destinations.iter().map(|destination| destination.node).collect();
    let source = match read(context, blob, from).await {
        Ok(source) => source,
        Err(fault) => {
            let uploads = nodes.into_iter().map(|node| (node, None)).collect();
            return Sent {
                source: Some(fault),
                uploads,
            };
        }
    };
    let (feed, lanes) = fanout::lanes(destinations.len(), context.window);
    let counters = context.counters.of(&from.registry);
    let mut feeding = pin!(feed.run(source, |bytes| counters.add_read(bytes)));
    let uploads = destinations.into_iter().zip(lanes).map(|(to, lane)| async {
        let node = to.node;
        let end = upload(context, blob, to, lane).await;
        if end.is_ok() {
            tell(Milestone::Landed(node));
        }
        end
    });
    let mut uploading = pin!(join_all(uploads));
    let mut fed = None;
    let ends = loop {
        tokio::select! {
            end = &mut feeding, if fed.is_none() => {
                if end.is_ok() {
                    tell(Milestone::Fed);
                }
                fed = Some(end);
            }
            ends = &mut uploading => break ends,
        }
    };
    let source = fed.and_then(Result::err).map(|error| Fault::source(from, &error));
    let with_source = |end: Result<(), Fault>| (source.is_none() || end.is_ok()).then_some(end);
    let uploads = nodes.into_iter().zip(ends.into_iter().map(with_source)).collect();
    Sent { source, uploads }
}

async fn read(context: &Context, blob: &Descriptor, from: &Place) -> Result<ByteStream, Fault> {
    let repository = context.reader(from)?;
    repository
        .read_blob(blob)
        .await
        .map_err(|error| Fault::source(from, &error))
}

async fn upload(context: &Context, blob: &Descriptor, to: Destination, lane: Lane) -> Result<(), Fault> {
    let Lane { body, watch } = lane;
    let repository = context.writer(&to.place)?;
    let patience = context.patience_with(&to.place)?;
    let counters = context.counters.of(&to.place.registry);
    let body: BoxStream<'static, _> = body
        .inspect(move |piece| counters.add_written(piece.as_ref().map_or(0, bytes::Bytes::len)))
        .boxed();
    tokio::select! {
        end = repository.upload_blob(to.session, blob, body) => end.map_err(|error| Fault::target(&to.place, &error))?,
        () = watch.stalled(patience) => return Err(stalled(patience, &to.place)),
    }
    if context.damaged.has(&to.place, &blob.digest) {
        mended(repository.as_ref(), &to.place, blob).await?;
    }
    Ok(())
}

/// Makes sure that a blob was replaced: some registries take the bytes of one that they have and keep their own.
async fn mended(repository: &dyn WriteRepository, place: &Place, blob: &Descriptor) -> Result<(), Fault> {
    let found = repository.head_blob(&blob.digest).await;
    let found = found.map_err(|error| Fault::target(place, &error))?;
    if found == Some(blob.size) {
        return Ok(());
    }
    let Descriptor { digest, size, .. } = blob;
    let found = found.map_or_else(|| "none".to_owned(), |found| format!("{found} bytes"));
    let text = format!(
        "{place} keeps {found} of the blob {digest}, which has {size} bytes, though it was sent again"
    );
    let hint = "delete the blob at the registry, then run `transship apply --check blobs`";
    Err(Fault::new(Side::Target, place, ProblemKind::Other, text).hinted(hint))
}

fn stalled(patience: Duration, place: &Place) -> Fault {
    let seconds = patience.as_secs();
    let text = format!("{place} took no byte of a blob for {seconds} seconds");
    Fault::new(Side::Target, place, ProblemKind::Network, text)
}

/// Describes a blob by what the plan knows of it.
pub(crate) fn descriptor(digest: &oci::Digest, size: u64) -> Arc<Descriptor> {
    let media_type = oci::MediaType::new("application/octet-stream");
    Arc::new(Descriptor::new(media_type, digest.clone(), size))
}
