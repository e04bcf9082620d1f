//! Surveys registries and executes plans.
//!
//! The surveyor only reads: it holds a [`Reader`]. The executor makes no meaningful choice: it runs the graph that the
//! plan holds, streams each blob from one source to all its targets at once, and reports what happened.
//!
//! Nothing here prints. What happens is sent as [`Event`]s, how far it is stands in [`Counters`].

mod attach;
mod cache;
mod connections;
mod contention;
mod context;
mod counters;
mod damaged;
mod discover;
mod dispatcher;
mod event;
mod execute;
mod fanout;
mod fault;
mod finish;
mod gates;
mod graph;
mod job;
mod landing;
mod ledger;
mod locks;
mod manifests;
mod merge;
mod newborns;
mod node;
mod progress;
mod reads;
mod rehash;
mod report;
mod signatures;
mod stop;
mod survey;
mod upload;

pub use cache::ManifestCache;
pub use connections::{Connected, Connections, Reader};
pub use counters::{ByteCounts, Counters};
pub use discover::discover;
pub use event::{Event, Events};
pub use execute::{ExecuteOptions, execute};
pub use locks::Locks;
pub use node::Outcome;
pub use rehash::rehash;
pub use report::{Change, Failure, OpTally, Report, RepositoryTally, RunOutcome, TagTally, TransferredBytes};
pub use stop::{Stop, StopReason, Stopper};
pub use survey::survey;
