//! Fetching a document again only if it has changed, from the web or from a local file alike.
//!
//! A local file stands in for a feed's server at a site without internet. Its validator is made of its size
//! and modification time, as web servers make theirs.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::client::Client;
use crate::download::Download;
use crate::error::NetError;
use crate::message::{Headers, Request};
use crate::url::redacted;

/// What tells two versions of a body apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`, with its quotes and `W/`.
    pub etag: Option<String>,
    /// `Last-Modified` as the server wrote it.
    pub last_modified: Option<String>,
}

impl Validators {
    pub(crate) fn of(headers: &Headers) -> Validators {
        Validators {
            etag: headers.get("etag").map(str::to_owned),
            last_modified: headers.get("last-modified").map(str::to_owned),
        }
    }

    /// What `If-Range` may say: weak tags are not allowed there (RFC 9110 section 13.1.5).
    pub(crate) fn if_range(&self) -> Option<&str> {
        let strong = self.etag.as_deref().filter(|etag| etag.starts_with('"'));
        strong.or(self.last_modified.as_deref().filter(|_| self.etag.is_none()))
    }

    fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// What became of a document.
#[derive(Debug)]
pub enum Fetched {
    /// It is what the validators say.
    Unchanged,
    /// The server itself says that there is none, and not one that it redirects to: 404 or 410. The folder
    /// has no such file.
    Absent,
    /// It is new.
    Changed(Download),
}

impl Client {
    /// Fetches a document unless it is still the one that `validators` were given with.
    ///
    /// Takes `https://`, `http://` and `file:///` URLs. Whatever is not a plain yes, no or unchanged is an
    /// error: a lookup that failed is never the same as one that found nothing.
    pub fn get_if_changed(&self, url: &str, validators: &Validators) -> Result<Fetched, NetError> {
        match url.get(..5) {
            Some(scheme) if scheme.eq_ignore_ascii_case("file:") => self.read_if_changed(url, validators),
            _ => self.fetch_if_changed(url, validators),
        }
    }

    fn fetch_if_changed(&self, url: &str, validators: &Validators) -> Result<Fetched, NetError> {
        // APIs that give a document in several forms give it as JSON; all others give what they have.
        let request = Request::get(url).header("Accept", "application/json, */*;q=0.9");
        let mut conditional = request.clone();
        if let Some(etag) = &validators.etag {
            conditional = conditional.header("If-None-Match", etag);
        }
        if let Some(date) = &validators.last_modified {
            conditional = conditional.header("If-Modified-Since", date);
        }
        let mut attempts = 0;
        let response = self.send_counted(&conditional, &mut attempts)?;
        match response.status {
            304 if !validators.is_empty() => Ok(Fetched::Unchanged),
            404 | 410 if !response.is_foreign => Ok(Fetched::Absent),
            // The rest is asked for without the conditions: they would be met by the version that is coming.
            200 => Ok(Fetched::Changed(Download::from_response(self, &request, response, attempts))),
            _ => Err(NetError::Status(Box::new(response.into_status_error()))),
        }
    }

    fn read_if_changed(&self, url: &str, validators: &Validators) -> Result<Fetched, NetError> {
        let path = file_path(url)?;
        let failed = |source| NetError::File { path: path.clone(), source };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Fetched::Absent),
            Err(error) => return Err(failed(error)),
        };
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(failed(io::Error::other("it is not a file")));
        }
        let found = Validators { etag: Some(file_etag(&metadata)), last_modified: None };
        if validators.etag == found.etag {
            return Ok(Fetched::Unchanged);
        }
        let bytes_max = self.settings().download_bytes_max;
        Ok(Fetched::Changed(Download::from_file(file, path, metadata.len(), found, bytes_max)))
    }
}

fn file_etag(metadata: &fs::Metadata) -> String {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    format!("\"{:x}-{:x}\"", metadata.len(), modified.unwrap_or_default().as_nanos())
}

/// The path of `file:///PATH` or `file://localhost/PATH`, percent-decoded (RFC 8089).
fn file_path(url: &str) -> Result<PathBuf, NetError> {
    let bad = |reason: &str| NetError::BadUrl { url: redacted(url), reason: reason.to_owned() };
    let rest = url.get(5..).unwrap_or_default();
    let path = rest.strip_prefix("//localhost").or_else(|| rest.strip_prefix("//")).unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(bad("write `file:///` and an absolute path"));
    }
    let decoded = percent_encoding::percent_decode_str(path);
    let text = decoded.decode_utf8().map_err(|_| bad("its path is not UTF-8"))?;
    if text.contains('\0') {
        return Err(bad("its path has a zero byte"));
    }
    Ok(PathBuf::from(text.into_owned()))
}
