//! Bundles: feeds in one file, for sites that carry them in by hand.
//!
//! ```text
//! bundle.json               what is in it, and every digest: see `manifest.rs`
//! bundle.sig                signature over the bytes of bundle.json; missing where it is not signed
//! feeds/NAME/PART[.zst]     one file of an upstream, as it was fetched
//! database.plimsoll[.zst]   the database that was built of them
//! trust/..                  files of that folder of the data directory
//! ```
//!
//! A tar file whose entries have this order and nothing but name and size, so that equal content gives equal bytes.
//! Its reader knows from the manifest which bytes must come next and takes no others: whatever is flipped, missing
//! or too much is refused. Signed is the manifest alone; it vouches for the rest.
//!
//! What a bundle brings keeps its dates: when it was fetched, when the upstream last confirmed it, what the data says
//! of itself. Nothing looks fresher for having been carried.
//!
//! The tar file is one way to carry it: [`Export`] hands out manifest, signature and payloads one by one, and
//! [`import()`] takes them from whatever implements [`Incoming`].

use std::io;

use crate::snapshots::DirectoryError;
use crate::update::UpdateError;

mod clair;
mod export;
mod held;
mod import;
pub(crate) mod journal;
mod keys;
mod manifest;
mod tar;
mod unpack;

pub use export::{Export, ExportOptions, OpenPayload, remembered};
pub use import::{
    Arrived, ImportOptions, ImportReport, ImportedDatabase, ImportedFeed, import, import_stream, inspect,
};
pub use keys::{KeyError, PublicKey, SIGNATURE_BYTES_MAX, SigningKey, write_pair};
pub use manifest::{Content, DatabaseEntry, FeedEntry, FileEntry, Manifest, PartEntry, Payload};
pub use tar::{MANIFEST_ENTRY, SIGNATURE_ENTRY, TarBundle};

/// Largest `bundle.json`. One of all feeds has about 2 MB.
pub const MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// Largest payload, as stored and inflated: what the size field of a tar header can say.
pub const PAYLOAD_BYTES_MAX: u64 = (8 << 30) - 1;

/// Most feeds in a bundle.
pub const FEEDS_MAX: usize = 1_000;

/// Most files of the data directory in a bundle, and the largest of them.
pub const FILES_MAX: usize = 1_000;
/// See [`FILES_MAX`].
pub const FILE_BYTES_MAX: u64 = 64 << 20;

/// Folders of the data directory that go into bundles beside the feeds.
pub const FOLDERS: &[&str] = &["trust"];

/// How deep files lie below them.
const FOLDER_DEPTH_MAX: usize = 8;

/// What comes before the payloads of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The bytes of `bundle.json`.
    pub manifest: Vec<u8>,
    /// The bytes of `bundle.sig`, where it is signed.
    pub signature: Option<Vec<u8>>,
}

/// A bundle that is being read, however it is carried.
pub trait Incoming {
    /// Reads what comes first. Called once, before all else.
    fn head(&mut self) -> Result<Head, BundleError>;
    /// Opens a payload, as it is stored. Called in the manifest's order, each payload once; the one before was read
    /// to its end. Nothing that it says is believed: size and digest are held to the manifest.
    fn payload<'a>(&'a mut self, payload: &Payload) -> Result<Box<dyn io::Read + 'a>, BundleError>;
    /// Verifies that nothing comes behind the last payload.
    fn end(&mut self) -> Result<(), BundleError>;
}

/// A feed of which a bundle has older data than is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Older {
    /// Name of the feed.
    pub feed: String,
    /// What was compared, for people: `data of`.
    pub what: &'static str,
    /// The date of what is held, RFC 3339.
    pub held: String,
    /// The date in the bundle, RFC 3339; `None` where the bundle has nothing of the feed.
    pub bundled: Option<String>,
}

impl std::fmt::Display for Older {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Older { feed, what, held, .. } = self;
        match &self.bundled {
            Some(bundled) => write!(f, "`{feed}` is here with {what} {held}, the bundle's is of {bundled}"),
            None => write!(f, "`{feed}` is here with {what} {held}, the bundle's database has none"),
        }
    }
}

/// A bundle could not be written, or is refused. What was held is still there, unchanged.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It is something else.
    #[error("it is not a bundle of feeds: {0}; make one with `plimsoll feeds export`")]
    NotOne(&'static str),
    /// The version of its format is not one that this program reads.
    #[error("it has bundle format {found} and this program reads {known}; use the same version of plimsoll on both sides", known = manifest::FORMAT)]
    Version {
        /// Its version.
        found: u64,
    },
    /// It is not what was written.
    #[error("the bundle is damaged: {0}; carry it over again")]
    Damaged(String),
    /// Its manifest asks for something that no bundle has.
    #[error("the bundle's `bundle.json` is not valid: {0}")]
    Manifest(String),
    /// Nobody signed it.
    #[error(
        "the bundle is not signed; export it with `--key`, or import it with `--allow-unsigned` if you trust how it came"
    )]
    Unsigned,
    /// It is signed, and no key says who may sign.
    #[error(
        "the bundle is signed with key `{key}` and no keys are configured; name its public key with `--key FILE` or \
         in the configuration: `[bundles] keys = [\"FILE\"]`"
    )]
    NoKeys {
        /// Id of the key.
        key: String,
    },
    /// It is signed by somebody else.
    #[error(
        "the bundle is signed with key `{key}`, which is not among those that may sign: {known}; \
         name its public key with `--key FILE` if it should be"
    )]
    UnknownKey {
        /// Id of the key.
        key: String,
        /// The keys that may, for people.
        known: String,
    },
    /// The signature is not by the key that it names.
    #[error(
        "the bundle's signature is not by key `{key}`, whose id it has: `bundle.json` was changed after it was signed, or the bundle is forged"
    )]
    WrongSignature {
        /// Id of the key.
        key: String,
    },
    /// It leaves out what is not held.
    #[error(
        "the bundle only has what has changed since bundle {base}, and {missing} is not held; \
         import that bundle first, or export without `--since`"
    )]
    Base {
        /// Id of the bundle that must come first.
        base: String,
        /// What is missing, for people.
        missing: String,
    },
    /// It would replace newer data.
    #[error("the bundle is older than what is held: {}; import it with `--allow-older` if that is what you want", list(.0))]
    Older(Vec<Older>),
    /// Something of it does not parse.
    #[error("`{part}` of `{feed}` is not what this version of plimsoll reads: {error}")]
    Parse {
        /// Name of the feed.
        feed: String,
        /// Name of the part.
        part: String,
        /// Why not.
        error: String,
    },
    /// Its database cannot be used here.
    #[error("the bundle's database cannot be used: {0}; export with `--raw`, from which it is built here")]
    Database(String),
    /// A database alone would not last beside snapshots.
    #[error(
        "the bundle has a database and no snapshots, and the data directory has snapshots of {0}, from which the next \
         update would build another; export with `--raw` or `--both`, or import into another data directory"
    )]
    Snapshots(String),
    /// What is held came as a database alone, and the bundle has only some of its feeds.
    #[error(
        "the database here was imported without snapshots, and building one from this bundle would lose {0}; \
         import a bundle that has them too"
    )]
    Imported(String),
    /// Clair's export cannot be read by this version.
    #[error("it is an export of Clair's updaters, which this version of plimsoll does not read")]
    Clair,
    /// Clair's exports carry no signature.
    #[error(
        "exports of Clair's updaters are not signed; import it with `--allow-unsigned` if you trust how it came"
    )]
    ClairUnsigned,
    /// There is nothing to export.
    #[error("{0}")]
    Nothing(String),
    /// It could not be read.
    #[error("cannot read the bundle")]
    Read(#[source] io::Error),
    /// It could not be written.
    #[error("cannot write the bundle")]
    Write(#[source] io::Error),
    /// A key is of no use.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The data directory failed.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The lock, or the database that is built at the end.
    #[error(transparent)]
    Update(#[from] UpdateError),
}

fn list(older: &[Older]) -> String {
    older.iter().map(Older::to_string).collect::<Vec<_>>().join("; ")
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
