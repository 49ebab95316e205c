//! A blob that is hashed as it is read, for whoever passes it on without keeping it.

use std::io::{self, Read};

use super::documents::Descriptor;
use crate::layers::Hasher;

/// The blob's bytes. The last of them are given only if all are what the descriptor says, so that nobody takes for whole
/// what is not.
pub fn verified(input: Box<dyn Read + Send>, blob: &Descriptor) -> impl Read + Send + use<> {
    Verified {
        input,
        hasher: Some(Hasher::new(blob.digest.algorithm())),
        left: blob.size,
        blob: blob.clone(),
    }
}

struct Verified {
    input: Box<dyn Read + Send>,
    /// `None` once all bytes are given.
    hasher: Option<Hasher>,
    left: u64,
    blob: Descriptor,
}

impl Read for Verified {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(hasher) = &mut self.hasher else { return Ok(0) };
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let part = buffer.get_mut(..room).unwrap_or_default();
        let count = self.input.read(part)?;
        hasher.update(part.get(..count).unwrap_or_default());
        self.left = self.left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(self.broken(format!("it ends {} bytes early", self.left)));
        }
        if self.left == 0
            && let Some(hasher) = self.hasher.take()
        {
            let actual = hasher.digest();
            if actual != self.blob.digest {
                return Err(self.broken(format!("its bytes are {actual}")));
            }
        }
        Ok(count)
    }
}

impl Verified {
    fn broken(&self, detail: String) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, format!("blob {}: {detail}", self.blob.digest))
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::digest::Digest;
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn what_is_not_the_blob_is_never_given_whole() {
        let bytes = b"stowed".repeat(10_000);
        let blob = Descriptor::new("", Digest::sha256(&Sha256::digest(&bytes).into()), bytes.len() as u64);
        let read = |bytes: Vec<u8>| {
            let mut out = Vec::new();
            let result = verified(Box::new(io::Cursor::new(bytes)), &blob).read_to_end(&mut out);
            (result.map_err(|error| error.to_string()), out.len())
        };
        assert_eq!(read(bytes.clone()), (Ok(bytes.len()), bytes.len()));
        let mut flipped = bytes.clone();
        flipped[3] ^= 1;
        let (result, count) = read(flipped);
        assert!(result.unwrap_err().contains("its bytes are sha256:") && count < bytes.len());
        assert!(read(bytes[..100].to_vec()).0.unwrap_err().contains("ends 59900 bytes early"));
        // More than there should be is cut.
        assert_eq!(read([bytes.clone(), b"x".to_vec()].concat()).1, bytes.len());
    }
}
