//! How a small job ends.

use oci::Digest;
use registry::UploadSession;

use crate::fault::Fault;

/// How a small job ended that did not fail.
#[derive(Debug)]
pub(crate) enum Landing {
    /// It was done.
    Done,
    /// It stood there already.
    AlreadyDone,
    /// The blob was mounted.
    Mounted,
    /// The tag was written.
    TagWritten {
        /// What stood there before.
        before: Option<Digest>,
        /// Why it could not be sealed afterwards, if that was to be done.
        unsealed: Option<Fault>,
    },
    /// The manifest stands there, the tag could not be moved.
    TagKept(Fault),
    /// The mount was refused: the blob is to be uploaded, into the session if there is one.
    Upload(Option<UploadSession>),
}

/// How the requests before an upload ended.
#[derive(Debug)]
pub(crate) enum Opening {
    /// The blob stands there already.
    Stands,
    /// It is missing, and this session takes it.
    Open(UploadSession),
}
