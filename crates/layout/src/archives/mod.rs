//! Images in a tar file: OCI image layouts, read and written, and what `docker save` writes, read alone.

mod archive;
mod assembly;
mod compression;
mod docker;
mod headers;
mod held;
mod members;
mod name;
mod section;
mod sparse;
mod spool;

pub use archive::Archive;
pub(crate) use section::SectionReader;
