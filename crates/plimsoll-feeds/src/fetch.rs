//! Fetching a feed's files into the data directory, each only if it has changed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use plimsoll_net::{Client, Fetched, Validators};
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

/// How files of an upstream are read. HTTP and `file` are read by a [`Client`]; who has other kinds of URLs
/// brings his own.
pub trait Transport: Send + Sync {
    /// Reads `url` unless it is still what `validators` were given with. A body of more than `bytes_max` bytes is
    /// an error, at the latest where it is read.
    fn get_if_changed(
        &self,
        url: &str,
        validators: &Validators,
        bytes_max: u64,
    ) -> Result<Answer, TransportError>;
}

/// What a transport says of a file.
pub enum Answer {
    /// It is what the validators were given with.
    Unchanged,
    /// There is none.
    Absent,
    /// It is another, or there were no validators.
    Changed {
        /// Its bytes.
        body: Box<dyn Read + Send>,
        /// What the next request is asked with.
        validators: Validators,
    },
}

/// A file could not be read.
pub type TransportError = Box<dyn std::error::Error + Send + Sync>;

impl Transport for Client {
    fn get_if_changed(
        &self,
        url: &str,
        validators: &Validators,
        bytes_max: u64,
    ) -> Result<Answer, TransportError> {
        Ok(match Client::get_if_changed(self, url, validators)? {
            Fetched::Unchanged => Answer::Unchanged,
            Fetched::Absent => Answer::Absent,
            Fetched::Changed(download) => {
                let validators = download.validators();
                Answer::Changed { body: Box::new(download.limit(bytes_max)), validators }
            }
        })
    }
}

/// A file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The upstream did not answer as it should.
    #[error(transparent)]
    Transport(#[from] TransportError),
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
    transport: &dyn Transport,
    url: &str,
    validators: &Validators,
    to: &Path,
    bytes_max: u64,
) -> Result<Outcome, FetchError> {
    match transport.get_if_changed(url, validators, bytes_max)? {
        Answer::Unchanged => Ok(Outcome::Unchanged),
        Answer::Absent => Ok(Outcome::Absent),
        Answer::Changed { mut body, validators } => {
            let (bytes, sha256) = save(&mut *body, url, to)?;
            Ok(Outcome::Saved(Saved { validators, bytes, sha256 }))
        }
    }
}

/// Writes a body to a new file; its size and digest.
fn save(body: &mut dyn Read, url: &str, to: &Path) -> Result<(u64, String), FetchError> {
    let unwritten = |source| FetchError::Write { path: to.to_owned(), source };
    let mut file = File::create(to).map_err(unwritten)?;
    let mut digest = Sha256::new();
    let mut block = vec![0; BLOCK_BYTES];
    let mut bytes = 0_u64;
    loop {
        let length = match body.read(&mut block) {
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
    Ok((bytes, sha256))
}

/// The index files below a feed's URL.
pub(crate) struct UrlIndex<'a> {
    pub(crate) transport: &'a dyn Transport,
    pub(crate) base: &'a str,
    /// Names of the parts that are here from before.
    pub(crate) held: Vec<String>,
}

impl Index for UrlIndex<'_> {
    fn get(&mut self, path: &str) -> Result<Option<Vec<u8>>, PlanError> {
        let url = url_of(self.base, path);
        let shown = || plimsoll_net::redacted(&url);
        let answer = self.transport.get_if_changed(&url, &Validators::default(), INDEX_BYTES_MAX);
        match answer.map_err(|error| PlanError(chain(&*error)))? {
            Answer::Changed { mut body, .. } => {
                let mut bytes = Vec::new();
                let read = body.read_to_end(&mut bytes);
                read.map_err(|error| PlanError(format!("cannot read the body of `{}`: {error}", shown())))?;
                Ok(Some(bytes))
            }
            Answer::Absent => Ok(None),
            Answer::Unchanged => {
                Err(PlanError(format!("`{}` answered `unchanged` to an unconditional request", shown())))
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
