//! The configuration, `transship.yaml`: read strictly, every problem with its place.

mod auth;
mod conditions;
mod connection;
mod copy;
mod decode;
mod diagnostic;
mod excerpt;
mod expand;
mod file;
mod groups;
mod mirrors;
mod names;
mod only;
mod places;
mod provider;
mod range;
mod rate;
mod registries;
mod resolve;
mod schema;
mod suggest;
mod tags;
mod template;
mod version;
mod wanted;
mod yaml;

pub use connection::{Auth, Connection, Limits, SecretReference, Tls};
pub use copy::{CopyError, CopyOptions, copy, reference};
pub use diagnostic::{Diagnostic, DiagnosticKind, Diagnostics};
pub use file::{Input, parse, parse_offline};
pub use provider::infer_provider;
pub use resolve::Resolved;
pub use schema::{STARTER, json_schema};
pub use tags::{ConditionError, Conditions, Latest, Selection, SelectionProblem, TagSet, select};
