//! What a real registry lacks of a cloud's, in front of it.
//!
//! Each front passes requests on to a registry, ministack's or docker-registry for example, and adds the rules by which
//! a cloud's differs. They are fakes by public evidence: each rule is an option of its own that names its source, and
//! what no source tells, such as the words of a refusal, is said to be ours.

pub mod acr;
mod door;
pub mod ecr;
pub mod ecr_api;
pub mod gar;
mod parts;
mod storage;
mod tally;
mod upstream;
mod visit;

pub use registry::Operation;
pub use tally::Tally;
