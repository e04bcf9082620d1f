//! The OCI distribution protocol over HTTP, and OCI image layouts behind the same traits.
//!
//! Reading, writing and deleting are powers of their own: who holds a [`ReadRepository`] can't write, and who writes can't delete.

mod address;
mod auth;
mod call;
mod challenge;
mod client;
pub mod credentials;
mod error;
mod exchange;
mod failure;
mod flight;
mod gate;
mod home;
mod http;
mod lease;
mod on_disk;
mod pace;
mod printable;
pub mod probe;
mod progress;
mod realm;
mod redirect;
mod refusal;
mod remote;
mod repository;
mod resolver;
mod rest;
mod retry;
mod safe_url;
mod secret;
mod settings;
mod sign_in;
mod token;
mod traffic;
mod transport;
mod verified;
mod wire;

pub use call::Effort;
pub use client::Client;
pub use error::{Error, ErrorKind};
pub use flight::Flight;
pub use http::{HttpTransport, TlsSettings};
pub use on_disk::LayoutRegistry;
pub use printable::printable;
pub use repository::{
    ByteStream, DeleteRepository, Deletion, ManifestPut, Mount, MountFrom, ReadRepository, Referrers,
    Registry, Traffic, UploadSession, WriteRepository,
};
pub use rest::{Rest, RestBody, RestReply, RestRequest};
pub use safe_url::SafeUrl;
pub use secret::Secret;
pub use settings::ClientSettings;
pub use sign_in::{Credential, CredentialSource, SignIn};
pub use transport::{Reach, Request, RequestBody, Response, Transport, TransportError, TransportErrorKind};
pub use wire::{Operation, Upload, Wire};
