//! The configuration, `transship.yaml`: read strictly, every problem with its place.

mod age;
mod amazon;
mod auth;
mod clashes;
mod collisions;
mod conditions;
mod connection;
mod copy;
mod creation;
mod decode;
pub(crate) mod diagnostic;
mod discovered;
mod discovery;
pub(crate) mod excerpt;
pub(crate) mod expand;
mod file;
mod google;
mod groups;
mod hide;
mod json;
mod mirrors;
mod names;
mod newest;
pub(crate) mod node;
mod only;
mod overrides;
mod places;
mod profile;
pub(crate) mod provider;
mod range;
mod rate;
mod registries;
mod resolve;
mod schema;
pub(crate) mod suggest;
mod syntax;
pub(crate) mod tags;
mod template;
mod version;
mod wanted;
pub(crate) mod yaml;

pub use age::{Age, ParseAgeError};
pub use connection::{Auth, Connection, Limits, SecretReference, Tls};
pub use copy::{CopyError, CopyOptions, copy, reference};
pub use diagnostic::{Diagnostic, DiagnosticKind, Diagnostics, Next};
pub use discovered::Listings;
pub use file::{Input, parse, parse_offline};
pub use overrides::{ProfileOverrides, Rated, ReferrersRule, UploadRule};
pub use provider::{infer_provider, is_ecr_public};
pub use resolve::Resolved;
pub use schema::{STARTER, json_schema};
pub use tags::{
    ConditionError, Conditions, Count, Latest, Selection, SelectionProblem, TagSet, Youth, select, shortfalls,
};
