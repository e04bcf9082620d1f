//! Where credentials come from. Paths, secrets and names arrive as arguments: nothing here looks around by itself.

mod anonymous;
mod chain;
mod docker_config;
mod docker_document;
mod docker_files;
mod fixed;
mod helper;
mod nobody;
mod ordered;
mod token_source;

pub use anonymous::Anonymous;
pub use chain::Chain;
pub use docker_document::{DockerDocument, DocumentError};
pub use docker_files::DockerFiles;
pub use fixed::{SecretSource, Static};
pub use helper::Helper;
pub use nobody::Nobody;
pub use token_source::TokenSource;
