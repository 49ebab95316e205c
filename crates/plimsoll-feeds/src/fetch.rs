//! Fetching a feed's files into the data directory, each only if it has changed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use plimsoll_net::{Client, Download, Fetched, NetError, Validators};
use sha2::{Digest, Sha256};

use crate::feeds::{Index, PlanError};

/// Most bytes of a file that says which parts there are.
const INDEX_BYTES_MAX: u64 = 16 << 20;

/// Bytes that are copied at a time.
const BLOCK_BYTES: usize = 256 << 10;

/// What became of a part.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is the one that is here already.
    Unchanged,
    /// The upstream answers that there is none.
    Absent,
    /// It was written.
    Saved(Saved),
}

/// A part that was written.
#[derive(Debug)]
pub(crate) struct Saved {
    /// What the next fetch is asked with.
    pub(crate) validators: Validators,
    /// Its size.
    pub(crate) bytes: u64,
    /// Lower-case hex.
    pub(crate) sha256: String,
}

/// A file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The upstream did not answer as it should.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The body broke off, or is too large.
    #[error("cannot read the body of `{url}`")]
    Body { url: String, source: io::Error },
    /// The disk.
    #[error("cannot write `{path}`")]
    Write { path: PathBuf, source: io::Error },
}

/// The URL of a file below a feed's URL; an empty path is the URL itself.
pub(crate) fn url_of(base: &str, path: &str) -> String {
    match path {
        "" => base.to_owned(),
        path => format!("{}/{path}", base.trim_end_matches('/')),
    }
}

/// Fetches `url` into the new file `to` unless it is still what `validators` were given with. The file is on
/// disk when this returns.
pub(crate) fn fetch(
    client: &Client,
    url: &str,
    validators: &Validators,
    to: &Path,
    bytes_max: u64,
) -> Result<Outcome, FetchError> {
    match client.get_if_changed(url, validators)? {
        Fetched::Unchanged => Ok(Outcome::Unchanged),
        Fetched::Absent => Ok(Outcome::Absent),
        Fetched::Changed(download) => save(download.limit(bytes_max), url, to).map(Outcome::Saved),
    }
}

fn save(mut download: Download, url: &str, to: &Path) -> Result<Saved, FetchError> {
    let unwritten = |source| FetchError::Write { path: to.to_owned(), source };
    let mut file = File::create(to).map_err(unwritten)?;
    let mut digest = Sha256::new();
    let mut block = vec![0; BLOCK_BYTES];
    let mut bytes = 0_u64;
    loop {
        let length = match download.read(&mut block) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(FetchError::Body { url: plimsoll_net::redacted(url), source }),
        };
        let read = block.get(..length).unwrap_or_default();
        digest.update(read);
        file.write_all(read).map_err(unwritten)?;
        bytes += read.len() as u64;
    }
    file.sync_all().map_err(unwritten)?;
    let sha256 = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Saved { validators: download.validators(), bytes, sha256 })
}

/// The index files below a feed's URL.
pub(crate) struct UrlIndex<'a> {
    pub(crate) client: &'a Client,
    pub(crate) base: &'a str,
    /// Names of the parts that are here from before.
    pub(crate) held: Vec<String>,
}

impl Index for UrlIndex<'_> {
    fn get(&mut self, path: &str) -> Result<Option<Vec<u8>>, PlanError> {
        let url = url_of(self.base, path);
        let failed = |error: NetError| PlanError(chain(&error));
        match self.client.get_if_changed(&url, &Validators::default()).map_err(failed)? {
            Fetched::Changed(download) => download.bytes(INDEX_BYTES_MAX).map(Some).map_err(failed),
            Fetched::Absent => Ok(None),
            Fetched::Unchanged => {
                let url = plimsoll_net::redacted(&url);
                Err(PlanError(format!("`{url}` answered `unchanged` to an unconditional request")))
            }
        }
    }

    fn held(&self) -> Vec<String> {
        self.held.clone()
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
