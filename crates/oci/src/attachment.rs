//! Tags that are no tags: the fallback tag of a subject, and cosign's.

use crate::{Digest, Tag};

/// What cosign stores under a tag made from a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CosignKind {
    /// Signatures.
    Signature,
    /// Attestations.
    Attestation,
    /// A software bill of materials.
    Sbom,
}

impl CosignKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Signature, Self::Attestation, Self::Sbom];

    fn suffix(self) -> &'static str {
        match self {
            Self::Signature => "sig",
            Self::Attestation => "att",
            Self::Sbom => "sbom",
        }
    }
}

/// The tag schemes by which something is attached to a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttachmentTag {
    /// The referrers tag schema: an index of what refers to the subject.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema>
    Fallback,
    /// Cosign's tag scheme.
    Cosign(CosignKind),
}

impl AttachmentTag {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Fallback,
        Self::Cosign(CosignKind::Signature),
        Self::Cosign(CosignKind::Attestation),
        Self::Cosign(CosignKind::Sbom),
    ];

    /// Returns the tag that attaches to `subject`, such as `sha256-<64 hex>` or `sha256-<64 hex>.sig`.
    ///
    /// A SHA-512 digest is cut to 64 digits, as the referrers tag schema says.
    ///
    /// # Panics
    /// Never: the text is within the grammar of tags.
    #[must_use]
    pub fn of(self, subject: &Digest) -> Tag {
        let hex = subject.hex();
        let base = format!("{}-{}", subject.algorithm().as_str(), &hex[..64]);
        let text = match self {
            Self::Fallback => base,
            Self::Cosign(kind) => format!("{base}.{}", kind.suffix()),
        };
        text.parse()
            .expect("an algorithm, a dash, 64 digits and a suffix are a tag")
    }

    /// Says which scheme a tag's text follows, if any.
    #[must_use]
    pub fn scheme(tag: &Tag) -> Option<Self> {
        let text = tag.as_str();
        let rest = text
            .strip_prefix("sha256-")
            .or_else(|| text.strip_prefix("sha512-"))?;
        let (hex, suffix) = rest
            .split_once('.')
            .map_or((rest, None), |(hex, suffix)| (hex, Some(suffix)));
        if hex.len() != 64
            || !hex
                .bytes()
                .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        {
            return None;
        }
        match suffix {
            None => Some(Self::Fallback),
            Some(suffix) => CosignKind::ALL
                .into_iter()
                .find(|kind| kind.suffix() == suffix)
                .map(Self::Cosign),
        }
    }
}
