//! Why an image cannot be indexed, as a closed list that callers decide by; the words are in the errors.
//!
//! What surprises: a layer in the middle of which the connection broke is [`Cause::BrokenOff`], and a layer whose
//! bytes arrived whole and are no archive is [`Cause::Corrupt`]. Only the first is worth another attempt.

use std::error::Error;
use std::io;

use plimsoll_net::NetError;

use crate::catalog::Cancelled;
use crate::open::OpenError;
use crate::open::registry::RegistryError;

/// Why something was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The reference, a URL or a header is not one.
    BadReference,
    /// It is not there.
    NotFound,
    /// Who asks may not see it.
    Unauthorized,
    /// The registry was asked too often.
    RateLimited {
        /// Its `Retry-After`, as it wrote it.
        retry_after: Option<String>,
    },
    /// The registry could not be reached, or has trouble of its own.
    Unavailable,
    /// The connection broke in the middle, and the rest could not be had.
    BrokenOff,
    /// The host, its address or the way to it is one that may not be asked.
    AddressRefused,
    /// The host's certificate is not trusted.
    NotTrusted,
    /// An answer that cannot be right.
    BadAnswer,
    /// What was configured is of no use: logins, mirrors, certificates, proxies.
    Configuration,
    /// A local file could not be read.
    File,
    /// The bytes are not those that the digest or the size names.
    Mismatch,
    /// A document does not follow its format.
    Malformed,
    /// Docker's image format of before 2016.
    Schema1,
    /// It is an artifact of this type, not a container image.
    Artifact(String),
    /// It has no platform that was asked for.
    NoSuchPlatform,
    /// The image has no layers.
    NoLayers,
    /// It has more layers than the limit.
    TooManyLayers,
    /// A layer is larger than the limit.
    LayerTooLarge,
    /// A layer is encrypted.
    EncryptedLayer,
    /// A layer of Windows is not to be had: no registry need have it, and nobody else gave it; or it is not to be fetched.
    ForeignLayer,
    /// A layer of this media type, which is no filesystem diff, and whose bytes are none.
    LayerType(String),
    /// A layer's bytes are no archive, or a damaged one.
    Corrupt,
    /// Another named limit was reached.
    Limit,
    /// The image was not read within its time, which may be the network's or the machine's fault.
    TimeLimit,
    /// It was told to stop.
    Cancelled,
}

impl Cause {
    /// The cause's stable name, snake_case.
    pub fn name(&self) -> &'static str {
        match self {
            Cause::BadReference => "bad_reference",
            Cause::NotFound => "not_found",
            Cause::Unauthorized => "unauthorized",
            Cause::RateLimited { .. } => "rate_limited",
            Cause::Unavailable => "registry_unavailable",
            Cause::BrokenOff => "broken_off",
            Cause::AddressRefused => "address_refused",
            Cause::NotTrusted => "not_trusted",
            Cause::BadAnswer => "bad_answer",
            Cause::Configuration => "configuration",
            Cause::File => "file",
            Cause::Mismatch => "mismatch",
            Cause::Malformed => "malformed",
            Cause::Schema1 => "schema_1",
            Cause::Artifact(_) => "artifact_type",
            Cause::NoSuchPlatform => "no_such_platform",
            Cause::NoLayers => "no_layers",
            Cause::TooManyLayers => "too_many_layers",
            Cause::LayerTooLarge => "layer_too_large",
            Cause::EncryptedLayer => "encrypted_layer",
            Cause::ForeignLayer => "foreign_layer",
            Cause::LayerType(_) => "layer_type",
            Cause::Corrupt => "corrupt_layer",
            Cause::Limit => "limit",
            Cause::TimeLimit => "time_limit",
            Cause::Cancelled => "cancelled",
        }
    }

    /// Whether the same may succeed later with nobody having changed anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Cause::RateLimited { .. } | Cause::Unavailable | Cause::BrokenOff | Cause::TimeLimit)
    }

    /// Whether it lies in the image itself, so that no attempt will ever succeed. Digests name their content: what
    /// has another one now is damaged at its place, and may be mended there.
    pub fn is_of_the_image(&self) -> bool {
        matches!(
            self,
            Cause::Malformed
                | Cause::Schema1
                | Cause::Artifact(_)
                | Cause::NoLayers
                | Cause::TooManyLayers
                | Cause::LayerTooLarge
                | Cause::EncryptedLayer
                | Cause::ForeignLayer
                | Cause::LayerType(_)
                | Cause::Corrupt
                | Cause::Limit
        )
    }

    /// Whether it lies in the place that was asked for the bytes, so that another one may give them.
    pub(crate) fn is_of_the_place(&self) -> bool {
        matches!(
            self,
            Cause::NotFound
                | Cause::Unauthorized
                | Cause::RateLimited { .. }
                | Cause::Unavailable
                | Cause::BrokenOff
                | Cause::AddressRefused
                | Cause::NotTrusted
                | Cause::BadAnswer
                | Cause::Mismatch
        )
    }

    /// Why a request brought no usable answer.
    pub fn of_net(error: &NetError) -> Cause {
        match error {
            NetError::BadUrl { .. } | NetError::BadHeader { .. } => Cause::BadReference,
            NetError::PlainHttp { .. }
            | NetError::AddressRefused { .. }
            | NetError::Offline { .. }
            | NetError::HostRefused { .. }
            | NetError::RedirectRefused { .. } => Cause::AddressRefused,
            NetError::Connection { .. }
            | NetError::TimedOut { .. }
            | NetError::TooSlow { .. }
            | NetError::Proxy { .. } => Cause::Unavailable,
            NetError::BrokenOff { .. } | NetError::Changed { .. } => Cause::BrokenOff,
            NetError::Tls { .. } | NetError::NoAuthorities { .. } => Cause::NotTrusted,
            NetError::CaFile { .. } | NetError::BadProxy { .. } => Cause::Configuration,
            NetError::File { .. } => Cause::File,
            NetError::Protocol { .. }
            | NetError::HeadersTooLarge { .. }
            | NetError::BodyTooLarge { .. }
            | NetError::TooManyRedirects { .. } => Cause::BadAnswer,
            NetError::Status(status) => match status.status {
                401 | 403 => Cause::Unauthorized,
                // The store that a registry redirects to has lost it: the registry says that it is there.
                404 | 410 if !status.is_foreign => Cause::NotFound,
                429 => {
                    Cause::RateLimited { retry_after: status.headers.get("retry-after").map(str::to_owned) }
                }
                408 | 500.. => Cause::Unavailable,
                _ => Cause::BadAnswer,
            },
        }
    }

    /// Why reading failed in the middle. Errors of the network and of opening come wrapped in those of reading.
    pub fn of_read(error: &io::Error) -> Cause {
        let mut cause: Option<&(dyn Error + 'static)> = error.get_ref().map(|inner| inner as _);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<NetError>() {
                return match Cause::of_net(error) {
                    Cause::Unavailable => Cause::BrokenOff,
                    cause => cause,
                };
            }
            if let Some(error) = error.downcast_ref::<OpenError>() {
                return error.cause();
            }
            if error.is::<Cancelled>() {
                return Cause::Cancelled;
            }
            if let Some(error) = error.downcast_ref::<io::Error>() {
                // Its `source` would leave out the very error that it wraps.
                return Cause::of_read(error);
            }
            cause = error.source();
        }
        match error.kind() {
            io::ErrorKind::NotFound => Cause::NotFound,
            io::ErrorKind::UnexpectedEof => Cause::Mismatch,
            _ => Cause::File,
        }
    }
}

impl RegistryError {
    /// Why, for callers to decide by.
    pub fn cause(&self) -> Cause {
        match self {
            RegistryError::NotFound { .. } => Cause::NotFound,
            RegistryError::Unauthorized { .. } => Cause::Unauthorized,
            RegistryError::RateLimited { retry_after, .. } => {
                Cause::RateLimited { retry_after: retry_after.clone() }
            }
            RegistryError::Unavailable { source, .. } => Cause::of_net(source),
            RegistryError::BadAnswer { .. } => Cause::BadAnswer,
            RegistryError::Mismatch { .. } => Cause::Mismatch,
            RegistryError::Schema1 { .. } => Cause::Schema1,
            RegistryError::BadHost { .. } => Cause::BadReference,
            RegistryError::BadMirror { .. }
            | RegistryError::Unsendable { .. }
            | RegistryError::Credentials(_) => Cause::Configuration,
        }
    }
}

impl OpenError {
    /// Why, for callers to decide by.
    pub fn cause(&self) -> Cause {
        match self {
            OpenError::BadReference { .. } => Cause::BadReference,
            OpenError::NotFound { .. } => Cause::NotFound,
            OpenError::NoSuchPlatform { .. } => Cause::NoSuchPlatform,
            OpenError::Mismatch { .. } => Cause::Mismatch,
            OpenError::Malformed { .. } => Cause::Malformed,
            OpenError::Unsupported { cause, .. } => cause.clone(),
            OpenError::Io { source, .. } => Cause::of_read(source),
            OpenError::Registry(error) => error.cause(),
            OpenError::Fetch { source, .. } => Cause::of_net(source),
            OpenError::Foreign { .. } => Cause::ForeignLayer,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::*;

    fn connection() -> NetError {
        NetError::Connection { url: "https://r.example/".to_owned(), source: io::Error::other("reset") }
    }

    #[test]
    fn what_the_network_says_has_a_cause() {
        let url = || "https://r.example/".to_owned();
        for (error, cause, is_transient) in [
            (connection(), Cause::Unavailable, true),
            (
                NetError::TimedOut { url: url(), limit: "idle_timeout", after: Duration::ZERO },
                Cause::Unavailable,
                true,
            ),
            (NetError::Changed { url: url(), what: String::new() }, Cause::BrokenOff, true),
            (
                NetError::AddressRefused { url: url(), address: std::net::IpAddr::from([127, 0, 0, 1]) },
                Cause::AddressRefused,
                false,
            ),
            (NetError::PlainHttp { url: url(), host: String::new() }, Cause::AddressRefused, false),
            (NetError::Tls { url: url(), source: "expired".into() }, Cause::NotTrusted, false),
            (NetError::BodyTooLarge { url: url(), bytes_max: 1 }, Cause::BadAnswer, false),
            (NetError::BadHeader { url: url(), name: String::new() }, Cause::BadReference, false),
        ] {
            let found = Cause::of_net(&error);
            assert_eq!((&found, found.is_transient()), (&cause, is_transient), "{error}");
        }
    }

    #[test]
    fn errors_of_reading_are_unwrapped() {
        let fetch = OpenError::Fetch { what: "layer".to_owned(), source: connection() };
        let config = OpenError::Io { path: "config".to_owned(), source: connection().into() };
        for (error, cause) in [
            // Before the first byte it is the registry, after it the connection.
            (io::Error::from(fetch), Cause::Unavailable),
            (connection().into(), Cause::BrokenOff),
            (io::Error::other(io::Error::from(connection())), Cause::BrokenOff),
            (io::Error::other(config), Cause::BrokenOff),
            (io::Error::other(Cancelled), Cause::Cancelled),
            (io::ErrorKind::PermissionDenied.into(), Cause::File),
            (io::ErrorKind::NotFound.into(), Cause::NotFound),
        ] {
            assert_eq!(Cause::of_read(&error), cause, "{error:?}");
        }
    }
}
