//! What is trusted: roots that the user chose, keys, and what a signature has to be vouched for by.
//!
//! There are three places for roots, and one never stands in for another: a file that the user pins, what came with this
//! build, and the files of a TUF repository, which are verified and never fetched here.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use jiff::Timestamp;
use plimsoll_core::digest::Digest;

use crate::keys::{TrustedKey, sha256};
use crate::limits::ROOT_BYTES_MAX;
use crate::sigstore::Roots;
use crate::tuf::{self, ReadFile};

/// Where the roots of trust come from.
#[derive(Clone, Debug)]
pub enum TrustRoot {
    /// A `trusted_root.json` that the user has, held to its digest if the user gives one.
    Pinned {
        /// The file.
        file: PathBuf,
        /// What its bytes must hash to.
        digest: Option<Digest>,
    },
    /// Sigstore's public instance, as it was when this build was made.
    Bundled,
}

/// Why there are no roots of trust.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The file cannot be read.
    #[error("the trusted root `{file}` cannot be read: {error}")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What happened.
        error: std::io::Error,
    },
    /// The file is too large.
    #[error("the trusted root `{0}` has more than {ROOT_BYTES_MAX} bytes")]
    TooLarge(PathBuf),
    /// The file is not the one that was pinned.
    #[error("the trusted root `{file}` is {found}, and {pinned} is pinned; check the file, then the pin")]
    OtherDigest {
        /// The file.
        file: PathBuf,
        /// The digest of its bytes.
        found: Digest,
        /// The digest that was demanded.
        pinned: Digest,
    },
    /// It is not a trusted root.
    #[error("{0} is no trusted root: {1}")]
    Malformed(String, String),
}

/// What evidence is held against.
pub struct Trust {
    pub(crate) roots: Roots,
    pub(crate) keys: Vec<TrustedKey>,
    pub(crate) demands: Demands,
    pub(crate) now: i64,
}

/// What a certificate's signature has to be vouched for by. The public instance has all; an instance inside a
/// company, or GitHub's, may have neither log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demands {
    /// An entry in a transparency log.
    pub log: bool,
    /// A signed certificate timestamp.
    pub sct: bool,
}

impl Default for Demands {
    fn default() -> Demands {
        Demands { log: true, sct: true }
    }
}

impl Trust {
    /// Loads the roots. `now`, in seconds since 1970, is when signatures of keys without a witnessed time are
    /// judged at.
    pub fn load(root: &TrustRoot, now: i64) -> Result<Trust, RootError> {
        let roots = match root {
            TrustRoot::Bundled => Roots::bundled(),
            TrustRoot::Pinned { file, digest } => {
                let bytes = read(file)?;
                let found = sha256(&bytes);
                if let Some(pinned) = digest.clone().filter(|pinned| *pinned != found) {
                    return Err(RootError::OtherDigest { file: file.clone(), found, pinned });
                }
                Roots::read(&bytes)
                    .map_err(|why| RootError::Malformed(format!("`{}`", file.display()), why))?
            }
        };
        Ok(Trust { roots, keys: Vec::new(), demands: Demands::default(), now })
    }

    /// Takes roots from the files of a TUF repository, from `anchor`, the `root.json` that the user pins, as they were at
    /// `at`, in seconds since 1970.
    pub fn from_tuf(anchor: &[u8], read: ReadFile<'_>, at: i64, now: i64) -> Result<Trust, RootError> {
        let of_tuf = |why| RootError::Malformed("what the TUF repository has".to_owned(), why);
        let at = Timestamp::from_second(at).map_err(|error| of_tuf(error.to_string()))?;
        Trust::from_bytes(&tuf::trusted_root(anchor, read, at).map_err(of_tuf)?, now)
    }

    /// Takes roots from the bytes of a `trusted_root.json`.
    pub fn from_bytes(bytes: &[u8], now: i64) -> Result<Trust, RootError> {
        let roots =
            Roots::read(bytes).map_err(|why| RootError::Malformed("what was given".to_owned(), why))?;
        Ok(Trust { roots, keys: Vec::new(), demands: Demands::default(), now })
    }

    /// Trusts `keys` besides.
    #[must_use]
    pub fn with_keys(mut self, keys: Vec<TrustedKey>) -> Trust {
        self.keys = keys;
        self
    }

    /// Demands `demands` of certificates' signatures.
    #[must_use]
    pub fn with_demands(mut self, demands: Demands) -> Trust {
        self.demands = demands;
        self
    }
}

fn read(file: &PathBuf) -> Result<Vec<u8>, RootError> {
    let unreadable = |error| RootError::Unreadable { file: file.clone(), error };
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(unreadable)?;
    let read = opened.take(ROOT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(read).is_ok_and(|read| read <= ROOT_BYTES_MAX) {
        Ok(bytes)
    } else {
        Err(RootError::TooLarge(file.clone()))
    }
}
