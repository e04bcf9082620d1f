//! OCI image layouts on disk: blobs by digest, and an `index.json` whose entries name repositories and tags. In a
//! directory, or in a tar file.
//!
//! Synchronous. One layout may be read and written by several threads and processes at once: `index.json` changes
//! under an advisory lock on `oci-layout`, and every file appears whole or not at all.
//!
//! <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>

mod archives;
mod blob;
mod entry;
mod error;
mod index;
mod layout;
mod lock;
mod settled;
mod store;
mod temporary;

pub use archives::Archive;
pub use blob::BlobWriter;
pub use entry::{Entry, REF_NAME, REPOSITORY};
pub use error::LayoutError;
pub use layout::Layout;
pub use settled::settled;
pub use store::{BlobReader, Store, Version};
