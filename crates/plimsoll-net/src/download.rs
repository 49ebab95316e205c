//! A body that survives broken connections.
//!
//! What was handed to the reader cannot be taken back, so going on is only right if the server still serves
//! the same bytes: by a strong `ETag` or a `Last-Modified` through `If-Range`, else at least by the length.
//! A server that ignores the range and sends everything again is accepted where it proves sameness; the
//! part that is already here is skipped.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::body::WireBody;
use crate::client::Client;
use crate::error::{NetError, StatusError, TOTAL_TIMEOUT};
use crate::fetch::Validators;
use crate::message::{Request, Response};
use crate::retry::wait_before;
use crate::url::redacted;

/// A body that is being fetched. Ends with an error rather than too early.
///
/// The `io::Error`s of reading carry a [`NetError`]. After one of them every further read fails too.
pub struct Download {
    source: Source,
    length: Option<u64>,
    validators: Validators,
    offset: u64,
    bytes_max: u64,
    url: String,
    has_failed: bool,
}

enum Source {
    File(File, PathBuf),
    Http(Box<Transfer>),
}

struct Transfer {
    client: Client,
    request: Request,
    body: WireBody,
    attempts: u32,
    begun: Instant,
    renew: Option<Renew>,
}

/// See [`Download::renewing`].
type Renew = Box<dyn FnMut(&StatusError) -> Option<String> + Send>;

impl Client {
    /// Fetches a body of any size. Any status but 2xx is an error.
    pub fn download(&self, request: &Request) -> Result<Download, NetError> {
        let mut attempts = 0;
        let response = self.send_counted(request, &mut attempts)?;
        if !response.is_success() {
            return Err(NetError::Status(Box::new(response.into_status_error())));
        }
        Ok(Download::from_response(self, request, response, attempts))
    }
}

impl Download {
    pub(crate) fn from_response(
        client: &Client,
        request: &Request,
        response: Response,
        attempts: u32,
    ) -> Download {
        let transfer = Transfer {
            client: client.clone(),
            request: request.clone(),
            attempts,
            begun: Instant::now(),
            renew: None,
            body: response.body,
        };
        Download {
            length: transfer.body.remaining(),
            validators: Validators::of(&response.headers),
            source: Source::Http(Box::new(transfer)),
            offset: 0,
            bytes_max: client.settings().download_bytes_max,
            url: redacted(&request.url),
            has_failed: false,
        }
    }

    pub(crate) fn from_file(
        file: File,
        path: PathBuf,
        length: u64,
        validators: Validators,
        bytes_max: u64,
    ) -> Download {
        Download {
            url: path.display().to_string(),
            source: Source::File(file, path),
            length: Some(length),
            validators,
            offset: 0,
            bytes_max,
            has_failed: false,
        }
    }

    /// Sets the largest size, in bytes, that is read. More is an error.
    #[must_use]
    pub fn limit(self, bytes_max: u64) -> Download {
        Download { bytes_max, ..self }
    }

    /// Sets what finds new credentials when, while going on after a break, the old ones are refused with 401:
    /// a value for `Authorization`. Registry tokens live for minutes, large layers may take longer.
    #[must_use]
    pub fn renewing(
        mut self,
        renew: impl FnMut(&StatusError) -> Option<String> + Send + 'static,
    ) -> Download {
        if let Source::Http(transfer) = &mut self.source {
            transfer.renew = Some(Box::new(renew));
        }
        self
    }

    /// Length of the whole body in bytes, where the server says it.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// What to send to learn whether the body has changed.
    pub fn validators(&self) -> Validators {
        self.validators.clone()
    }

    /// The whole body; longer than `bytes_max` is an error.
    pub fn bytes(self, bytes_max: u64) -> Result<Vec<u8>, NetError> {
        let mut download = self.limit(bytes_max);
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            match download.read_some(&mut buffer)? {
                0 => return Ok(bytes),
                count => bytes.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            }
        }
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, NetError> {
        if self.has_failed {
            // Reading on after an error must not look like a body that simply ends.
            let source = io::Error::other("an earlier read failed");
            return Err(NetError::Connection { url: self.url.clone(), source });
        }
        let result = self.read_or_resume(buffer);
        self.has_failed = result.is_err();
        result
    }

    fn read_or_resume(&mut self, buffer: &mut [u8]) -> Result<usize, NetError> {
        if self.length.is_some_and(|length| length > self.bytes_max) {
            return Err(self.too_large());
        }
        let count = match &mut self.source {
            Source::File(file, path) => {
                let count =
                    file.read(buffer).map_err(|source| NetError::File { path: path.clone(), source })?;
                let now = self.offset.saturating_add(count as u64);
                let is_end = count == 0 && !buffer.is_empty();
                if self.length.is_some_and(|length| now > length || (is_end && now < length)) {
                    let what = "its length is another".to_owned();
                    return Err(NetError::Changed { url: self.url.clone(), what });
                }
                count
            }
            Source::Http(transfer) => loop {
                match transfer.read(buffer) {
                    Ok(count) => break count,
                    Err(error) if error.is_transient() => {
                        let known =
                            Known { length: self.length, validators: &self.validators, url: &self.url };
                        transfer.resume(self.offset, &known, error)?;
                    }
                    Err(error) => return Err(error),
                }
            },
        };
        self.offset = self.offset.saturating_add(count as u64);
        if self.offset > self.bytes_max {
            return Err(self.too_large());
        }
        Ok(count)
    }

    fn too_large(&self) -> NetError {
        NetError::BodyTooLarge { url: self.url.clone(), bytes_max: self.bytes_max }
    }
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_some(buffer)?)
    }
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {} of {:?} bytes", self.url, self.offset, self.length)
    }
}

/// What the first response said about the body.
struct Known<'a> {
    length: Option<u64>,
    validators: &'a Validators,
    url: &'a str,
}

impl Transfer {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, NetError> {
        let total_timeout = self.client.settings().total_timeout;
        if self.begun.elapsed() > total_timeout {
            let url = redacted(&self.request.url);
            return Err(NetError::TimedOut { url, limit: TOTAL_TIMEOUT, after: total_timeout });
        }
        self.body.read(buffer)
    }

    /// Asks for the rest from `offset` on, after `cause` broke the body off.
    fn resume(&mut self, offset: u64, known: &Known<'_>, mut cause: NetError) -> Result<(), NetError> {
        let settings = Arc::clone(&self.client.shared.settings);
        let has_sameness = known.length.is_some() || known.validators.if_range().is_some();
        loop {
            let is_over = self.begun.elapsed() > settings.total_timeout;
            if is_over || !has_sameness || self.attempts >= settings.attempts_max {
                return Err(NetError::BrokenOff {
                    url: known.url.to_owned(),
                    offset,
                    attempts: self.attempts,
                    source: Box::new(cause),
                });
            }
            let wait = wait_before(&settings, self.attempts, None, SystemTime::now());
            std::thread::sleep(wait.unwrap_or(Duration::ZERO));
            match self.ask_from(offset, known) {
                Err(error) if error.is_transient() => cause = error,
                result => return result,
            }
        }
    }

    fn ask_from(&mut self, offset: u64, known: &Known<'_>) -> Result<(), NetError> {
        let mut response = self.send_from(offset, known)?;
        if response.status == 401
            && let Some(renew) = &mut self.renew
        {
            let refusal = response.into_status_error();
            let Some(authorization) = renew(&refusal) else {
                return Err(NetError::Status(Box::new(refusal)));
            };
            self.request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
            self.request.headers.push(("Authorization".to_owned(), authorization));
            response = self.send_from(offset, known)?;
        }
        let skip = known.bytes_to_skip(&response, offset)?;
        if !response.is_success() {
            return Err(NetError::Status(Box::new(response.into_status_error())));
        }
        self.body = response.body;
        self.skip(skip, known)
    }

    fn send_from(&mut self, offset: u64, known: &Known<'_>) -> Result<Response, NetError> {
        let mut request = self.request.clone().header("Range", format!("bytes={offset}-"));
        if let Some(validator) = known.validators.if_range() {
            request = request.header("If-Range", validator);
        }
        self.client.send_counted(&request, &mut self.attempts)
    }

    /// Reads bytes that the reader already has.
    fn skip(&mut self, mut count: u64, known: &Known<'_>) -> Result<(), NetError> {
        let mut buffer = vec![0; 64 << 10];
        while count > 0 {
            let wanted = usize::try_from(count).unwrap_or(usize::MAX).min(buffer.len());
            match self.read(buffer.get_mut(..wanted).unwrap_or_default())? {
                0 => return Err(known.changed("it is shorter".to_owned())),
                read => count -= read as u64,
            }
        }
        Ok(())
    }
}

impl Known<'_> {
    /// How many bytes of a resumed response are known already; an error if it is of another body.
    fn bytes_to_skip(&self, response: &Response, offset: u64) -> Result<u64, NetError> {
        let (skip, length) = match response.status {
            206 => {
                let range = response.header("content-range").unwrap_or_default();
                match parse_content_range(range) {
                    Some((first, total)) if first == offset => (0, total),
                    _ => return Err(self.changed(format!("it answers with the range `{range}`"))),
                }
            }
            200 => (offset, response.body.remaining()),
            // The range lies outside: the body has become shorter.
            416 => return Err(self.changed("it is shorter".to_owned())),
            _ => return Ok(0),
        };
        let now = Validators::of(&response.headers);
        if let (Some(then), Some(now)) = (&self.validators.etag, &now.etag)
            && then != now
        {
            return Err(self.changed(format!("`ETag` was `{then}` and is `{now}`")));
        }
        if let (Some(then), Some(now)) = (&self.validators.last_modified, &now.last_modified)
            && then != now
        {
            return Err(self.changed(format!("`Last-Modified` was `{then}` and is `{now}`")));
        }
        match (self.length, length) {
            (Some(then), Some(now)) if then != now => {
                Err(self.changed(format!("its length was {then} bytes and is {now}")))
            }
            // A full answer to `If-Range` means "changed" unless it shows the very same validator.
            _ if response.status == 200 && !self.is_same(&now) => {
                Err(self.changed("it does not say that it is the same".to_owned()))
            }
            _ => Ok(skip),
        }
    }

    fn is_same(&self, now: &Validators) -> bool {
        let has_no_validators = self.validators.etag.is_none() && self.validators.last_modified.is_none();
        match &self.validators.etag {
            Some(etag) => now.etag.as_ref() == Some(etag),
            None if has_no_validators => true,
            None => now.last_modified == self.validators.last_modified,
        }
    }

    fn changed(&self, what: String) -> NetError {
        NetError::Changed { url: self.url.to_owned(), what }
    }
}

/// `Content-Range: bytes FIRST-LAST/TOTAL`, where the total may be `*` (RFC 9110 section 14.4).
fn parse_content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    let is_whole = total.is_none_or(|total: u64| last.checked_add(1) == Some(total));
    (first <= last && is_whole).then_some((first, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        for (text, wanted) in [
            ("bytes 5-9/10", Some((5, Some(10)))),
            ("bytes 5-9/*", Some((5, None))),
            ("bytes 5-8/10", None),
            ("bytes 9-5/10", None),
            ("bytes */10", None),
            ("items 5-9/10", None),
            ("bytes 5-18446744073709551615/10", None),
            ("", None),
        ] {
            assert_eq!(parse_content_range(text), wanted, "{text}");
        }
    }
}
