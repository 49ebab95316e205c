//! Requests and responses.

use std::fmt;
use std::io::{self, Read};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ureq::http::HeaderMap;

use crate::body::WireBody;
use crate::error::{ERROR_BODY_BYTES_MAX, NetError, StatusError};
use crate::url::redacted;

/// What is asked of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read it.
    Get,
    /// Read its head.
    Head,
    /// Hand something to it. Not repeated after an error.
    Post,
    /// Replace it.
    Put,
    /// Remove it.
    Delete,
}

impl Method {
    /// The method's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }

    /// Whether sending it twice does no more than sending it once (RFC 9110 section 9.2.2).
    pub(crate) fn is_idempotent(self) -> bool {
        !matches!(self, Method::Post)
    }

    /// Whether it only reads.
    pub(crate) fn is_safe(self) -> bool {
        matches!(self, Method::Get | Method::Head)
    }
}

/// One request.
#[derive(Clone)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// Of which URL. Credentials in it become `Authorization`.
    pub url: String,
    /// Headers; `Accept-Encoding`, `User-Agent` and lengths are added.
    pub headers: Vec<(String, String)>,
    /// Headers for the scheme, host and port of `url` alone: a redirect to another is not sent them.
    pub origin_headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, url: impl Into<String>) -> Request {
        Request { method, url: url.into(), headers: Vec::new(), origin_headers: Vec::new(), body: None }
    }

    /// Reads `url`.
    pub fn get(url: impl Into<String>) -> Request {
        Request::new(Method::Get, url)
    }

    /// Reads the head of `url`.
    pub fn head(url: impl Into<String>) -> Request {
        Request::new(Method::Head, url)
    }

    /// Hands `body` to `url`.
    pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Request {
        Request { body: Some(body.into()), ..Request::new(Method::Post, url) }
    }

    /// Replaces `url` by `body`.
    pub fn put(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Request {
        Request { body: Some(body.into()), ..Request::new(Method::Put, url) }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Request {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a header that is for the scheme, host and port of the URL alone, whatever its name.
    #[must_use]
    pub fn origin_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Request {
        self.origin_headers.push((name.into(), value.into()));
        self
    }

    /// Adds `Authorization: Basic` (RFC 7617).
    #[must_use]
    pub fn basic_auth(self, user: &str, password: &str) -> Request {
        self.header("Authorization", Authorization::basic(user, password).0)
    }
}

impl fmt::Debug for Request {
    /// Without secrets: of the headers only the names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers = self.headers.iter().chain(&self.origin_headers);
        let names: Vec<&str> = headers.map(|(name, _)| name.as_str()).collect();
        write!(f, "{} {} {names:?}", self.method.as_str(), redacted(&self.url))
    }
}

/// A value for the header `Authorization`. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization(pub(crate) String);

impl Authorization {
    /// User and password (RFC 7617).
    pub fn basic(user: &str, password: &str) -> Authorization {
        Authorization(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))
    }

    /// A bearer token (RFC 6750).
    pub fn bearer(token: &str) -> Authorization {
        Authorization(format!("Bearer {token}"))
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorization(…)")
    }
}

/// The headers of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    pub(crate) fn from_map(map: &HeaderMap) -> Headers {
        // Bytes beyond ASCII are legal and mean nothing; they must not make a header vanish.
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Headers(map.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect())
    }

    /// The first value of a header; case of the name does not matter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a header.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// One answer: the head, and a body that is still to be read.
pub struct Response {
    /// The status.
    pub status: u16,
    /// The URL that answered, after redirects. Not redacted.
    pub url: String,
    /// Whether a redirect led to another host or port, whose answer this is.
    pub is_foreign: bool,
    pub(crate) headers: Headers,
    pub(crate) body: WireBody,
}

impl Response {
    /// The first value of a header; case of the name does not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// All headers.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body, as a stream that fails once it is longer than `bytes_max`.
    pub fn into_reader(self, bytes_max: u64) -> Body {
        Body { url: redacted(&self.url), bytes_max, remaining: bytes_max, wire: self.body }
    }

    /// The whole body; longer than `bytes_max` is an error.
    pub fn bytes(self, bytes_max: u64) -> Result<Vec<u8>, NetError> {
        let mut body = self.into_reader(bytes_max);
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 16 << 10];
        loop {
            match body.read_some(&mut buffer)? {
                0 => return Ok(bytes),
                count => bytes.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            }
        }
    }

    /// The response as an error, with the beginning of its body.
    pub fn into_status_error(self) -> StatusError {
        let (status, is_foreign) = (self.status, self.is_foreign);
        let (url, headers) = (self.url.clone(), self.headers.clone());
        let mut body = Vec::new();
        // A body that breaks off says less, but the status is what matters.
        let _ = self.into_reader(u64::MAX).take(ERROR_BODY_BYTES_MAX).read_to_end(&mut body);
        StatusError { status, url, is_foreign, headers, body }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.status, redacted(&self.url))
    }
}

/// A body as a stream with a limit.
pub struct Body {
    url: String,
    bytes_max: u64,
    remaining: u64,
    wire: WireBody,
}

impl Body {
    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, NetError> {
        let count = self.wire.read(buffer)?;
        match self.remaining.checked_sub(count as u64) {
            Some(remaining) => self.remaining = remaining,
            None => return Err(NetError::BodyTooLarge { url: self.url.clone(), bytes_max: self.bytes_max }),
        }
        Ok(count)
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_some(buffer)?)
    }
}
