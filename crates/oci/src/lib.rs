//! References, digests, descriptors, manifests and platforms, as the OCI and Docker specifications define them.
//!
//! Pure: no I/O. The *bytes* of a manifest are the truth; what is parsed from them is a view.

mod attachment;
mod descriptor;
mod digest;
mod json;
mod manifest;
mod media_type;
mod name;
mod platform;
mod reference;
mod signature;

pub use attachment::{AttachmentTag, CosignKind};
pub use descriptor::Descriptor;
pub use digest::{Algorithm, Digest, Hasher, ParseDigestError};
pub use json::{JsonError, read as read_json};
pub use manifest::{Content, MAX_CHILDREN, MAX_MANIFEST, Manifest, ManifestError};
pub use media_type::{MediaKind, MediaType};
pub use name::{Host, NameError, RepositoryName, Tag};
pub use platform::{ParsePlatformError, Platform};
pub use reference::{ManifestReference, Reference, ReferenceError, docker_name};
pub use signature::{Load, MAX_SIGNATURES, Overload, Signatures};
