//! Finding out how a registry behaves, by harmless questions to one repository.
//!
//! Reading asks for what any pull asks for. Writing opens upload sessions and cancels them: nothing is committed, and
//! nothing is deleted but these sessions.

mod asker;
mod facts;
mod reads;
mod writes;

pub use asker::Prober;
pub use facts::{
    BlobFacts, ChallengeFacts, ChunkFacts, LimitFacts, LocationFacts, ManifestFacts, MountFacts, PatchFacts,
    RangeFacts, Reads, RedirectFacts, ReferrersFacts, SessionFacts, SignInFacts, TagsFacts, Told, Writes,
};
