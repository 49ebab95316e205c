//! Who signed a bundle: Ed25519 keys and signatures, and the files that they stand in.
//!
//! A key file is one line: `plimsoll-public-key ed25519 ID BASE64`, or `plimsoll-private-key` with the seed. The id is
//! the first 8 bytes of the SHA-256 of the public key, in hex: what messages call a key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsBigEndian, Curve25519SeedBin};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{BundleError, hex};

/// Largest `bundle.sig`.
pub const SIGNATURE_BYTES_MAX: u64 = 4 << 10;

/// Largest key file.
const KEY_FILE_BYTES_MAX: u64 = 4 << 10;

/// Bytes of a public key, and of the seed that is the private one (RFC 8032).
const KEY_BYTES: usize = 32;

const PUBLIC: &str = "plimsoll-public-key";
const PRIVATE: &str = "plimsoll-private-key";
const ALGORITHM: &str = "ed25519";

/// What `bundle.sig` calls the algorithm.
const SIGNATURE_ALGORITHM: &str = "Ed25519";

/// A key file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It could not be read.
    #[error("cannot read the key `{path}`")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is not a key.
    #[error("`{path}` is not a {wanted} key: {reason}")]
    NotOne {
        /// Which file.
        path: PathBuf,
        /// `public` or `private`.
        wanted: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// A key is never overwritten.
    #[error("`{0}` is there already and is not overwritten; name another with `--out`")]
    Exists(PathBuf),
    /// It could not be written.
    #[error("cannot write the key `{path}`")]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No key could be made.
    #[error("cannot make a key: the system has no randomness")]
    Generate,
}

/// A key that verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    id: String,
    bytes: [u8; KEY_BYTES],
}

/// A key that signs.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public.id).finish()
    }
}

impl PublicKey {
    fn new(bytes: [u8; KEY_BYTES]) -> PublicKey {
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        PublicKey { id: hex(digest.first_chunk::<8>().expect("32 bytes have 8")), bytes }
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<PublicKey, KeyError> {
        let (id, bytes) = read_line(path, PUBLIC)?;
        let key = PublicKey::new(bytes);
        match key.id == id {
            true => Ok(key),
            false => Err(not_one(path, PUBLIC, "its id is not that of the key; it was changed or cut")),
        }
    }

    /// What messages call it.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn line(&self) -> String {
        format!("{PUBLIC} {ALGORITHM} {} {}\n", self.id, STANDARD.encode(self.bytes))
    }
}

impl SigningKey {
    /// Makes a new key.
    pub fn generate() -> Result<SigningKey, KeyError> {
        SigningKey::new(Ed25519KeyPair::generate().map_err(|_| KeyError::Generate)?)
    }

    fn new(pair: Ed25519KeyPair) -> Result<SigningKey, KeyError> {
        let bytes = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Generate)?;
        Ok(SigningKey { pair, public: PublicKey::new(bytes) })
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<SigningKey, KeyError> {
        let (id, seed) = read_line(path, PRIVATE)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed);
        let pair = pair.map_err(|_| not_one(path, PRIVATE, "it cannot sign"))?;
        let key = SigningKey::new(pair)?;
        match key.public.id == id {
            true => Ok(key),
            false => Err(not_one(path, PRIVATE, "its id is not that of the key; it was changed or cut")),
        }
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    fn line(&self) -> Result<String, KeyError> {
        let seed = self.pair.seed().map_err(|_| KeyError::Generate)?;
        let seed: Curve25519SeedBin<'_> = seed.as_be_bytes().map_err(|_| KeyError::Generate)?;
        Ok(format!("{PRIVATE} {ALGORITHM} {} {}\n", self.public.id, STANDARD.encode(seed.as_ref())))
    }

    /// Signs a manifest: the bytes of `bundle.sig`.
    pub(super) fn sign(&self, manifest: &[u8]) -> Vec<u8> {
        let signature = Signature {
            key: self.public.id.clone(),
            algorithm: SIGNATURE_ALGORITHM.to_owned(),
            signature: STANDARD.encode(self.pair.sign(manifest)),
        };
        signature.bytes()
    }
}

/// The content of `bundle.sig`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    key: String,
    algorithm: String,
    signature: String,
}

impl Signature {
    fn bytes(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("three texts are JSON");
        text.push(b'\n');
        text
    }

    fn read(bytes: &[u8]) -> Result<Signature, BundleError> {
        let damaged = |what: &str| BundleError::Damaged(format!("`bundle.sig` {what}"));
        let signature: Signature =
            serde_json::from_slice(bytes).map_err(|_| damaged("is not a signature"))?;
        let is_id = signature.key.len() == 16 && signature.key.bytes().all(|b| b.is_ascii_hexdigit());
        match is_id && signature.algorithm == SIGNATURE_ALGORITHM && signature.bytes() == bytes {
            true => Ok(signature),
            false => Err(damaged("is not a signature that this program writes")),
        }
    }
}

/// Verifies a manifest. Gives the id of the key that vouches for it; `None` where nobody does and that is allowed.
/// Allowing it lets in what is not signed or signed by a key that is not known; a signature that is wrong never passes.
pub(super) fn verify(
    manifest: &[u8],
    signature: Option<&[u8]>,
    keys: &[PublicKey],
    allows_unsigned: bool,
) -> Result<Option<String>, BundleError> {
    let Some(signature) = signature else {
        return if allows_unsigned { Ok(None) } else { Err(BundleError::Unsigned) };
    };
    let Signature { key, signature, .. } = Signature::read(signature)?;
    let Some(known) = keys.iter().find(|known| known.id == key) else {
        return match keys {
            _ if allows_unsigned => Ok(None),
            [] => Err(BundleError::NoKeys { key }),
            _ => {
                let known: Vec<String> = keys.iter().map(|key| format!("`{}`", key.id)).collect();
                Err(BundleError::UnknownKey { key, known: known.join(", ") })
            }
        };
    };
    let is_right = STANDARD
        .decode(&signature)
        .is_ok_and(|bytes| UnparsedPublicKey::new(&ED25519, known.bytes).verify(manifest, &bytes).is_ok());
    if is_right { Ok(Some(key)) } else { Err(BundleError::WrongSignature { key }) }
}

/// Makes a key and writes `NAME.key`, for its owner alone, and `NAME.pub`. Nothing is ever overwritten.
pub fn write_pair(name: &Path) -> Result<(PublicKey, PathBuf, PathBuf), KeyError> {
    let file = |ending: &str| {
        let mut path = name.as_os_str().to_owned();
        path.push(ending);
        PathBuf::from(path)
    };
    let (private_path, public_path) = (file(".key"), file(".pub"));
    for path in [&private_path, &public_path] {
        if fs::symlink_metadata(path).is_ok() {
            return Err(KeyError::Exists(path.clone()));
        }
    }
    let key = SigningKey::generate()?;
    write_new(&private_path, &key.line()?, 0o600)?;
    if let Err(error) = write_new(&public_path, &key.public.line(), 0o644) {
        // Half a pair is of no use, and in the way of the next attempt.
        let _ = fs::remove_file(&private_path);
        return Err(error);
    }
    Ok((key.public, private_path, public_path))
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), KeyError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let written = options.open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| KeyError::Write { path: path.to_owned(), source })
}

fn not_one(path: &Path, word: &str, reason: &'static str) -> KeyError {
    let wanted = if word == PUBLIC { "public" } else { "private" };
    KeyError::NotOne { path: path.to_owned(), wanted, reason }
}

/// Reads a key file: id and bytes.
fn read_line(path: &Path, word: &str) -> Result<(String, [u8; KEY_BYTES]), KeyError> {
    let unread = |source| KeyError::Read { path: path.to_owned(), source };
    let mut text = Vec::new();
    File::open(path).map_err(unread)?.take(KEY_FILE_BYTES_MAX).read_to_end(&mut text).map_err(unread)?;
    let text = String::from_utf8_lossy(&text);
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    let [found, algorithm, id, key] = fields[..] else {
        return Err(not_one(path, word, "it is not one line as `plimsoll feeds keygen` writes it"));
    };
    match found {
        _ if found == word => {}
        PRIVATE => return Err(not_one(path, word, "it is the private key; give the `.pub` file")),
        PUBLIC => return Err(not_one(path, word, "it is the public key; give the `.key` file")),
        _ => return Err(not_one(path, word, "it is not one line as `plimsoll feeds keygen` writes it")),
    }
    let key: Option<[u8; KEY_BYTES]> = STANDARD.decode(key).ok().and_then(|key| key.try_into().ok());
    match key.filter(|_| algorithm == ALGORITHM) {
        Some(key) => Ok((id.to_owned(), key)),
        None => Err(not_one(path, word, "it is no Ed25519 key of 32 bytes in base64")),
    }
}
