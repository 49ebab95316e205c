//! What can go wrong on the wire: what failed, on which URL, what to do. URLs come without credentials and
//! without the values of their query.

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::message::Headers;
use crate::url::redacted;

/// Why a request brought no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The text is not a URL that can be asked.
    #[error("`{url}` is not a URL that can be fetched: {reason}")]
    BadUrl {
        /// The text, redacted.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A header has characters that no header may have.
    #[error("cannot ask `{url}`: the header `{name}` has a value that cannot be sent")]
    BadHeader {
        /// The URL.
        url: String,
        /// The header's name.
        name: String,
    },
    /// Plain HTTP to a host that is not listed for it.
    #[error(
        "refused to ask `{url}` without TLS; use `https`, or list `{host}` among the hosts for plain HTTP"
    )]
    PlainHttp {
        /// The URL.
        url: String,
        /// Host and port as they would be listed.
        host: String,
    },
    /// The host is, or resolves to, an address that is not public.
    #[error(
        "refused to ask `{url}`: its address {address} is not a public one; allow the host by name if it is yours"
    )]
    AddressRefused {
        /// The URL.
        url: String,
        /// The first such address.
        address: IpAddr,
    },
    /// A host that is not among the only ones that may be asked.
    #[error(
        "refused to ask `{url}`: `offline` is set, and `{host}` is neither a named registry nor the host of a configured mirror; if it may be asked, add it to `[registries]` of the configuration, or its URL to the feed's `url` or `mirrors`"
    )]
    Offline {
        /// The URL.
        url: String,
        /// Host, with its port where it is not the usual one.
        host: String,
    },
    /// A host that is none of those that may be asked for what is wanted.
    #[error("refused to ask `{url}`: `{host}` is not a host that may be asked for this")]
    HostRefused {
        /// The URL.
        url: String,
        /// Host, with its port where it is not the usual one.
        host: String,
    },
    /// No connection, or it broke.
    #[error("cannot reach `{url}`: {source}; check the name, the network and the proxy settings")]
    Connection {
        /// The URL.
        url: String,
        /// The cause.
        source: io::Error,
    },
    /// The TLS handshake failed.
    #[error(
        "no secure connection to `{url}`: {source}; if its certificate is from an authority of yours, give the authority's PEM file"
    )]
    Tls {
        /// The URL.
        url: String,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// No authority to trust.
    #[error(
        "cannot verify `{url}`: no certificate authorities found ({reason}); install `ca-certificates` or give a PEM file"
    )]
    NoAuthorities {
        /// The URL.
        url: String,
        /// Why there are none.
        reason: String,
    },
    /// A file of certificate authorities is of no use.
    #[error("cannot take certificate authorities from `{}`: {reason}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A proxy setting is of no use.
    #[error("the proxy setting `{proxy}` is not usable; write `http://HOST:PORT`")]
    BadProxy {
        /// The setting, redacted.
        proxy: String,
    },
    /// The proxy did not connect us.
    #[error("the proxy did not connect to `{url}`: {reason}; check the proxy settings")]
    Proxy {
        /// The URL.
        url: String,
        /// What the proxy said.
        reason: String,
    },
    /// A time limit was reached.
    #[error("gave up on `{url}`: the limit `{limit}` of {} s was reached", after.as_secs_f64())]
    TimedOut {
        /// The URL.
        url: String,
        /// Name of the limit in [`Settings`](crate::Settings).
        limit: &'static str,
        /// Its value.
        after: Duration,
    },
    /// The body comes too slowly.
    #[error(
        "gave up on `{url}`: fewer than {bytes_min} bytes (`progress_bytes_min`) came in {} s of waiting",
        window.as_secs_f64()
    )]
    TooSlow {
        /// The URL.
        url: String,
        /// See [`Settings::progress_bytes_min`](crate::Settings::progress_bytes_min).
        bytes_min: u64,
        /// See [`Settings::progress_window`](crate::Settings::progress_window).
        window: Duration,
    },
    /// Not HTTP, or not correct HTTP.
    #[error("`{url}` does not answer in correct HTTP: {reason}")]
    Protocol {
        /// The URL.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The response's head is larger than allowed.
    #[error("`{url}` answers with headers of more than {bytes_max} bytes (`header_bytes_max`)")]
    HeadersTooLarge {
        /// The URL.
        url: String,
        /// The limit.
        bytes_max: usize,
    },
    /// The body is larger than allowed.
    #[error("the body of `{url}` is larger than the limit of {bytes_max} bytes")]
    BodyTooLarge {
        /// The URL.
        url: String,
        /// The limit.
        bytes_max: u64,
    },
    /// More redirects than allowed.
    #[error("`{url}` redirects more than {redirects_max} times (`redirects_max`), last to `{last}`")]
    TooManyRedirects {
        /// The URL that was asked first.
        url: String,
        /// The last target.
        last: String,
        /// The limit.
        redirects_max: u32,
    },
    /// A redirect that must not be followed.
    #[error("did not follow the redirect of `{url}` to `{target}`: {reason}")]
    RedirectRefused {
        /// The URL that redirects.
        url: String,
        /// Where to.
        target: String,
        /// Why not.
        reason: &'static str,
    },
    /// A status that is not a success.
    #[error("{0}")]
    Status(Box<StatusError>),
    /// The connection broke in the middle of a body and the rest could not be asked for.
    #[error(
        "the body of `{url}` broke off after {offset} bytes and {attempts} attempts: {source}; try again"
    )]
    BrokenOff {
        /// The URL.
        url: String,
        /// Bytes that had arrived.
        offset: u64,
        /// Attempts made.
        attempts: u32,
        /// The last cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// While a body was resumed the server began to serve another one.
    #[error("the body of `{url}` changed while it was fetched ({what}); try again")]
    Changed {
        /// The URL.
        url: String,
        /// What differs.
        what: String,
    },
    /// A local file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// A status that is not a success, with what the server said about it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{}` answers with status {status}{}", redacted(url), self.hint())]
pub struct StatusError {
    /// The status.
    pub status: u16,
    /// The URL that answered, not redacted.
    pub url: String,
    /// Whether a redirect led to another host or port, whose answer this is. Its challenges are not to be
    /// answered with credentials for the first one.
    pub is_foreign: bool,
    /// The headers.
    pub headers: Headers,
    /// The first 16 KiB of the body.
    pub body: Vec<u8>,
}

/// The one time limit after which no further attempt is made.
pub(crate) const TOTAL_TIMEOUT: &str = "total_timeout";

/// As much of an error's body is kept: enough for a registry's JSON, too little to hurt.
pub(crate) const ERROR_BODY_BYTES_MAX: u64 = 16 << 10;

impl StatusError {
    fn hint(&self) -> String {
        match (self.status, self.headers.get("retry-after")) {
            (401 | 403, _) => "; check the credentials".to_owned(),
            (407, _) => "; check the proxy's credentials".to_owned(),
            (404 | 410, _) => "; check the URL".to_owned(),
            (429 | 503, Some(after)) => format!("; it asks to wait (`Retry-After: {after}`)"),
            (429 | 500.., _) => "; try again later".to_owned(),
            _ => String::new(),
        }
    }
}

impl NetError {
    /// Whether the same request may succeed when it is sent again.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            NetError::Connection { .. } | NetError::TooSlow { .. } => true,
            NetError::TimedOut { limit, .. } => *limit != TOTAL_TIMEOUT,
            _ => false,
        }
    }

    /// The status that the server answered with, where it answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            NetError::Status(error) => Some(error.status),
            _ => None,
        }
    }
}

impl From<NetError> for io::Error {
    fn from(error: NetError) -> io::Error {
        io::Error::other(error)
    }
}
