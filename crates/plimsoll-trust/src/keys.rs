//! Public keys that the user trusts by themselves.

use aws_lc_rs::digest;
use plimsoll_core::digest::Digest;

use crate::limits::CERTIFICATE_BYTES_MAX;
use crate::sigstore::SignatureKey;

/// A key that the user trusts.
#[derive(Clone, Debug)]
pub struct TrustedKey {
    /// The user's name for it.
    pub name: Option<String>,
    /// The first second at which it is trusted, since 1970.
    pub from: Option<i64>,
    /// The last second at which it is trusted, since 1970.
    pub until: Option<i64>,
    /// Whether its signatures must stand in a trusted transparency log.
    pub needs_log: bool,
    pub(crate) key: SignatureKey,
    fingerprint: Digest,
}

/// Why a text is not a public key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// It is not PEM with a block `PUBLIC KEY`.
    #[error("it is not a public key: {0}; write PEM with one block `PUBLIC KEY`")]
    NotPem(String),
    /// It is too large to be a key.
    #[error("it has {0} bytes, and a public key has at most {CERTIFICATE_BYTES_MAX}")]
    TooLarge(usize),
    /// The kind of key cannot be verified with.
    #[error("the kind of key is not known: {0}; use ECDSA, Ed25519 or RSA")]
    UnknownKind(String),
}

impl TrustedKey {
    /// Reads a key in PEM (`SubjectPublicKeyInfo`). It holds at all times, and its signatures must stand in a log,
    /// until the fields say otherwise.
    pub fn from_pem(name: Option<&str>, pem: &str) -> Result<TrustedKey, BadKey> {
        if pem.len() > CERTIFICATE_BYTES_MAX {
            return Err(BadKey::TooLarge(pem.len()));
        }
        let key = SignatureKey::from_pem(pem)?;
        let fingerprint = sha256(key.der());
        let name = name.map(str::to_owned);
        Ok(TrustedKey { name, from: None, until: None, needs_log: true, key, fingerprint })
    }

    /// SHA-256 of the key's `SubjectPublicKeyInfo` in DER.
    pub fn fingerprint(&self) -> &Digest {
        &self.fingerprint
    }

    /// Whether the key is trusted at `time`, in seconds since 1970.
    pub fn holds_at(&self, time: i64) -> bool {
        self.from.is_none_or(|from| from <= time) && self.until.is_none_or(|until| time <= until)
    }
}

/// The SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    let hash = digest::digest(&digest::SHA256, bytes);
    let hash: &[u8; 32] = hash.as_ref().try_into().expect("SHA-256 has 32 bytes");
    Digest::sha256(hash)
}

/// The bytes of a digest.
pub(crate) fn raw(digest: &Digest) -> Vec<u8> {
    let pairs = digest.hex().as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("a digest's digits are ASCII");
            u8::from_str_radix(pair, 16).expect("a digest's digits are hexadecimal")
        })
        .collect()
}
