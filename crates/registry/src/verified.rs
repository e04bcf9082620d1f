//! Bytes that are handed out only as part of the right blob.

use bytes::Bytes;
use oci::{Descriptor, Hasher};

use crate::{Error, ErrorKind};

/// A blob on its way in. Its last bytes are held back until size and digest of the whole are known to be right.
pub(crate) struct Verified {
    blob: Descriptor,
    hasher: Hasher,
    received: u64,
    held: Option<Bytes>,
}

impl Verified {
    pub(crate) fn new(blob: &Descriptor) -> Self {
        Self {
            hasher: Hasher::new(blob.digest.algorithm()),
            blob: blob.clone(),
            received: 0,
            held: None,
        }
    }

    pub(crate) fn blob(&self) -> &Descriptor {
        &self.blob
    }

    /// Returns how many bytes came so far.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Returns true when as many bytes came as the blob has.
    pub(crate) fn is_whole(&self) -> bool {
        self.received == self.blob.size
    }

    /// Takes the next bytes and gives those that came before.
    ///
    /// # Errors
    /// More bytes than the blob has.
    pub(crate) fn push(&mut self, bytes: Bytes) -> Result<Option<Bytes>, Error> {
        self.received += bytes.len() as u64;
        if self.received > self.blob.size {
            let message = format!("it has more than {} bytes", self.blob.size);
            return Err(Error::new(ErrorKind::Integrity, message));
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        self.hasher.update(&bytes);
        Ok(self.held.replace(bytes))
    }

    /// Gives the last bytes, if there were any.
    ///
    /// # Errors
    /// Fewer bytes than the blob has, or those of another blob.
    pub(crate) fn finish(self) -> Result<Option<Bytes>, Error> {
        let message = if self.is_whole() {
            let actual = self.hasher.finish();
            if actual == self.blob.digest {
                return Ok(self.held);
            }
            format!("its bytes are {actual}")
        } else {
            format!("it ended after {} of {} bytes", self.received, self.blob.size)
        };
        Err(Error::new(ErrorKind::Integrity, message))
    }
}

#[cfg(test)]
mod tests {
    use oci::{Digest, MediaType};

    use super::*;

    fn verified(content: &'static [u8], size: u64) -> Verified {
        Verified::new(&Descriptor::new(
            MediaType::OCI_LAYER,
            Digest::sha256(content),
            size,
        ))
    }

    #[test]
    fn the_last_bytes_come_when_all_are_verified() {
        let mut blob = verified(b"abc", 3);
        assert_eq!(blob.push(Bytes::from_static(b"ab")).unwrap(), None);
        assert_eq!(blob.push(Bytes::new()).unwrap(), None);
        assert_eq!(blob.push(Bytes::from_static(b"c")).unwrap().unwrap(), "ab");
        assert_eq!(blob.finish().unwrap().unwrap(), "c");
    }

    #[test]
    fn an_empty_blob_is_verified_too() {
        assert_eq!(verified(b"", 0).finish().unwrap(), None);
        assert_eq!(
            verified(b"x", 0).finish().unwrap_err().kind(),
            ErrorKind::Integrity
        );
    }

    #[test]
    fn too_many_too_few_and_other_bytes_are_errors() {
        let long = verified(b"abc", 3).push(Bytes::from_static(b"abcd"));
        assert_eq!(long.unwrap_err().to_string(), "it has more than 3 bytes");
        let mut short = verified(b"abc", 3);
        short.push(Bytes::from_static(b"ab")).unwrap();
        assert_eq!(
            short.finish().unwrap_err().to_string(),
            "it ended after 2 of 3 bytes"
        );
        let mut other = verified(b"abc", 3);
        other.push(Bytes::from_static(b"abd")).unwrap();
        let error = other.finish().unwrap_err().to_string();
        assert_eq!(error, format!("its bytes are {}", Digest::sha256(b"abd")));
    }
}
