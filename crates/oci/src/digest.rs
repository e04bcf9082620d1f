//! Digests: an algorithm and the hash of some bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256, Sha512};

/// The hash algorithms the specification registers.
///
/// <https://github.com/opencontainers/image-spec/blob/main/descriptor.md#registered-algorithms>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, the one every implementation supports.
    Sha256,
    /// SHA-512, optional for implementations.
    Sha512,
}

impl Algorithm {
    /// Returns the algorithm's name in a digest, `sha256` or `sha512`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

/// A content address: `sha256:<64 hex>` or `sha512:<128 hex>`, lower case only.
///
/// Orders as its text does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(Repr);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Repr {
    Sha256([u8; 32]),
    // Rare: boxed, so that the common digest stays at 33 bytes.
    Sha512(Box<[u8; 64]>),
}

/// Why a text is not a digest. The text itself is not echoed: it may be megabytes from a hostile peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDigestError {
    /// No `algorithm:` in front.
    #[error("a digest is `sha256:<64 hex>` or `sha512:<128 hex>`")]
    Shape,
    /// An algorithm other than sha256 and sha512.
    #[error("unknown digest algorithm, expected sha256 or sha512")]
    Algorithm,
    /// Not the algorithm's number of lower-case hexadecimal digits.
    #[error("{} digests have {expected} lower-case hexadecimal digits", .algorithm.as_str())]
    Hex {
        /// The algorithm named in the text.
        algorithm: Algorithm,
        /// How many digits it takes.
        expected: usize,
    },
}

impl Digest {
    /// Hashes `bytes` with `algorithm`.
    #[must_use]
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Hashes `bytes` with SHA-256.
    #[must_use]
    pub fn sha256(bytes: &[u8]) -> Self {
        Self::of(Algorithm::Sha256, bytes)
    }

    /// Returns the digest's algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Repr::Sha256(_) => Algorithm::Sha256,
            Repr::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Returns the hash itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Sha256(hash) => hash,
            Repr::Sha512(hash) => hash.as_slice(),
        }
    }

    /// Returns the hash in lower-case hexadecimal, without the algorithm.
    #[must_use]
    pub fn hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(self.as_bytes().len() * 2);
        for byte in self.as_bytes() {
            text.push(DIGITS[usize::from(byte >> 4)] as char);
            text.push(DIGITS[usize::from(byte & 15)] as char);
        }
        text
    }

    /// Returns `sha256:` and the first 12 hexadecimal digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{}:{}", self.algorithm().as_str(), &self.hex()[..12])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm().as_str(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (algorithm, hex) = text.split_once(':').ok_or(ParseDigestError::Shape)?;
        match algorithm {
            "sha256" => decode(hex, Algorithm::Sha256).map(|hash| Self(Repr::Sha256(hash))),
            "sha512" => decode(hex, Algorithm::Sha512).map(|hash| Self(Repr::Sha512(Box::new(hash)))),
            _ => Err(ParseDigestError::Algorithm),
        }
    }
}

fn decode<const N: usize>(hex: &str, algorithm: Algorithm) -> Result<[u8; N], ParseDigestError> {
    let wrong = ParseDigestError::Hex {
        algorithm,
        expected: N * 2,
    };
    if hex.len() != N * 2 {
        return Err(wrong);
    }
    let mut hash = [0; N];
    for (byte, pair) in hash.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = nibble(pair[0]).ok_or(wrong)? << 4 | nibble(pair[1]).ok_or(wrong)?;
    }
    Ok(hash)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Hashes bytes as they pass.
#[derive(Clone, Debug)]
pub struct Hasher(State);

#[derive(Clone, Debug)]
enum State {
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl Hasher {
    /// Starts a hash.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Box::default()),
        })
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// Returns the digest of all bytes added.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(match self.0 {
            State::Sha256(state) => Repr::Sha256(state.finalize().into()),
            State::Sha512(state) => Repr::Sha512(Box::new(state.finalize().into())),
        })
    }
}
