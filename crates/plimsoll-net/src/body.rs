//! A response's body on the wire, with the limit that ends a trickle.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use crate::error::{NetError, TOTAL_TIMEOUT};
use crate::settings::Settings;

/// Counts what arrives in the time that is spent waiting for it.
///
/// An idle timeout alone would let a server send one byte a minute for ever.
#[derive(Debug)]
pub(crate) struct Pace {
    window: Duration,
    bytes_min: u64,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    pub(crate) fn new(settings: &Settings) -> Pace {
        Pace {
            window: settings.progress_window,
            bytes_min: settings.progress_bytes_min,
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    /// Whether the body is still fast enough after one more read.
    fn record(&mut self, waited: Duration, bytes: usize) -> bool {
        self.waited += waited;
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.waited < self.window {
            return true;
        }
        let is_enough = self.bytes >= self.bytes_min;
        self.waited = Duration::ZERO;
        self.bytes = 0;
        is_enough
    }
}

/// The bytes of one response as they come.
pub(crate) struct WireBody {
    reader: ureq::BodyReader<'static>,
    pace: Pace,
    /// Of the `Content-Length`, what is still to come.
    remaining: Option<u64>,
    url: String,
    settings: std::sync::Arc<Settings>,
}

impl WireBody {
    pub(crate) fn new(body: ureq::Body, url: String, settings: std::sync::Arc<Settings>) -> WireBody {
        let remaining = body.content_length();
        // Every user of a wire body sets a limit of its own.
        let reader = body.into_with_config().limit(u64::MAX).reader();
        WireBody { reader, pace: Pace::new(&settings), remaining, url, settings }
    }

    /// Bytes that are still to come, where the server said it.
    pub(crate) fn remaining(&self) -> Option<u64> {
        self.remaining
    }

    /// Reads some bytes; 0 only at the true end of the body.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, NetError> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let begun = Instant::now();
        let count = self
            .reader
            .read(buffer)
            .map_err(|error| from_ureq(ureq::Error::from(error), &self.url, &self.settings))?;
        if !self.pace.record(begun.elapsed(), count) {
            return Err(NetError::TooSlow {
                url: self.url.clone(),
                bytes_min: self.settings.progress_bytes_min,
                window: self.settings.progress_window,
            });
        }
        if count == 0 && self.remaining.is_some_and(|remaining| remaining > 0) {
            let source = io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed too early");
            return Err(NetError::Connection { url: self.url.clone(), source });
        }
        if let Some(remaining) = &mut self.remaining {
            *remaining = remaining.saturating_sub(count as u64);
        }
        Ok(count)
    }
}

/// Says in our words what `ureq` says in its own.
pub(crate) fn from_ureq(error: ureq::Error, url: &str, settings: &Settings) -> NetError {
    let url = url.to_owned();
    match error {
        ureq::Error::Io(error) if is_tls(&error) => NetError::Tls { url, source: Box::new(error) },
        ureq::Error::Io(source) if source.kind() == io::ErrorKind::TimedOut => {
            NetError::TimedOut { url, limit: "connect_timeout", after: settings.connect_timeout }
        }
        ureq::Error::Io(source) => NetError::Connection { url, source },
        ureq::Error::Rustls(error) => NetError::Tls { url, source: Box::new(error) },
        ureq::Error::Tls(reason) => NetError::Tls { url, source: reason.into() },
        ureq::Error::Timeout(timeout) => timed_out(timeout, url, settings),
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => {
            NetError::Connection { url, source: io::Error::other(error.to_string()) }
        }
        ureq::Error::LargeResponseHeader(..) => {
            NetError::HeadersTooLarge { url, bytes_max: settings.header_bytes_max }
        }
        ureq::Error::ConnectProxyFailed(reason) => NetError::Proxy { url, reason },
        ureq::Error::BadUri(reason) => NetError::BadUrl { url, reason },
        ureq::Error::Other(error) => match error.downcast::<crate::guard::RefusedAddress>() {
            Ok(refused) => NetError::AddressRefused { url, address: refused.0 },
            Err(error) => NetError::Protocol { url, reason: error.to_string() },
        },
        error => NetError::Protocol { url, reason: error.to_string() },
    }
}

/// The TLS library reports its own errors as invalid data.
fn is_tls(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
        && error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

fn timed_out(timeout: ureq::Timeout, url: String, settings: &Settings) -> NetError {
    let (limit, after) = match timeout {
        ureq::Timeout::Resolve | ureq::Timeout::Connect => ("connect_timeout", settings.connect_timeout),
        ureq::Timeout::RecvResponse => ("response_timeout", settings.response_timeout),
        ureq::Timeout::PerRead | ureq::Timeout::PerWrite => ("idle_timeout", settings.idle_timeout),
        _ => (TOTAL_TIMEOUT, settings.total_timeout),
    };
    NetError::TimedOut { url, limit, after }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trickle_ends() {
        let mut pace = Pace::new(&Settings {
            progress_window: Duration::from_secs(10),
            progress_bytes_min: 100,
            ..Settings::default()
        });
        let second = Duration::from_secs(1);
        assert!((0..9).all(|_| pace.record(second, 10)), "the window is not over");
        assert!(pace.record(second, 10), "100 bytes in 10 s are enough");
        assert!((0..9).all(|_| pace.record(second, 9)));
        assert!(!pace.record(second, 9), "90 bytes are not");
    }
}
