//! From a configuration and a survey to a plan: pure, synchronous, deterministic.
//!
//! ```text
//! transship.yaml --config--> Spec --questions, answers--> Survey --want--> Wanted --lower--> Plan
//! ```
//! Nothing here waits, reads a file, an environment or a clock: the same inputs give the same bytes.

pub mod capabilities;
mod chosen;
pub mod config;
pub mod import;
pub mod inventory;
pub mod place;
pub mod plan;
pub mod problem;
pub mod quota;
pub mod spec;
pub mod standing;
pub mod survey;

mod ask;
mod attachments;
mod blocked;
mod content;
mod contents;
mod created;
mod file;
mod fold;
mod holders;
mod imports;
mod json;
mod lower;
mod make;
mod moment;
mod roots;
mod rules;
mod seeds;
mod signatures;
mod stock;
mod text;
mod want;

pub use capabilities::{Capabilities, Creation, Import, Listing, MountRule, Quotas};
pub use contents::{Contents, closure};
pub use created::{MAX_CONFIG, created};
pub use inventory::{Inventory, Listed, Subject};
pub use make::{plan, questions};
pub use moment::{Moment, ParseMomentError};
pub use place::{Place, RegistryName};
pub use plan::{Op, OpId, OpKind, OpPlace, Plan, PlanError, Summary};
pub use problem::{Problem, ProblemKind, Side};
pub use quota::{Floor, floors};
pub use spec::Spec;
pub use standing::{Change, Drift, Immutable, Standing};
pub use survey::{Answer, Question, Survey};
pub use text::size;
