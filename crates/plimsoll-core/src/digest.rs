//! Content digests, as the OCI image specification writes them (`descriptor.md`, "Digests").

use std::fmt;
use std::str::FromStr;

/// A content digest, `sha256:` or `sha512:` and lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

/// The hash functions that a digest may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-256, the one that every registry uses.
    Sha256,
    /// SHA-512, registered by the specification and rarely seen.
    Sha512,
}

/// Why a text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest; write `sha256:` and 64 hexadecimal digits")]
pub struct BadDigest(pub String);

impl Digest {
    /// Builds a SHA-256 digest from its 32 bytes.
    pub fn sha256(bytes: &[u8; 32]) -> Digest {
        Digest(format!("sha256:{}", hex(bytes)))
    }

    /// Builds a SHA-512 digest from its 64 bytes.
    pub fn sha512(bytes: &[u8; 64]) -> Digest {
        Digest(format!("sha512:{}", hex(bytes)))
    }

    /// The whole digest, algorithm included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hash function.
    pub fn algorithm(&self) -> Algorithm {
        if self.0.starts_with("sha512:") { Algorithm::Sha512 } else { Algorithm::Sha256 }
    }

    /// The hexadecimal digits alone.
    pub fn hex(&self) -> &str {
        &self.0["sha256:".len()..]
    }

    /// The first twelve hexadecimal digits, for people.
    pub fn short(&self) -> &str {
        &self.hex()[..12]
    }
}

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Digest, BadDigest> {
        let digits = match text.split_once(':') {
            Some(("sha256", digits)) if digits.len() == 64 => digits,
            Some(("sha512", digits)) if digits.len() == 128 => digits,
            _ => return Err(BadDigest(text.to_owned())),
        };
        if digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Digest(text.to_owned()))
        } else {
            Err(BadDigest(text.to_owned()))
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Lower-case hexadecimal digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_digests_parse() {
        let good = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(good.parse::<Digest>().unwrap().short(), "0a0a0a0a0a0a");
        for bad in ["", "sha256:", "sha256:0A", "md5:00", &good.to_uppercase(), &format!("{good}0")] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn bytes_become_digits() {
        assert_eq!(Digest::sha256(&[0xf0; 32]).hex(), "f0".repeat(32));
    }
}
