//! From the configurations of other tools to ours: `transship import-config`.
//!
//! ```text
//! files --skopeo, regsync, image_syncer, dregsy--> Draft --write--> transship.yaml, read back by the parser --> Imported
//!                                   \-> notes: whatever means something else here, or is not here at all
//! ```
//! What cannot be expressed is left out, as a comment in the configuration and a line in the report: never silently.

mod book;
mod draft;
mod dregsy;
mod dregsy_tags;
mod format;
mod globs;
mod go_template;
mod image_syncer;
mod importer;
mod pattern;
mod place;
mod quote;
mod ranges;
mod reading;
mod recognition;
mod regsync;
mod regsync_creds;
mod regsync_tags;
mod report;
mod skopeo;
mod write;

pub use format::{Format, UnknownFormat};
pub use importer::{Destination, ForeignFile, Imported, import};
pub use report::{Kind, Note, Report};
