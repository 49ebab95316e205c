//! What `postgres://..` says, as far as the driver does not read it itself.

use std::path::PathBuf;

use crate::StoreError;

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    /// Not at all.
    Disable,
    /// Encrypted where the server can, whoever it is.
    Prefer,
    /// Encrypted, whoever the server is, unless `sslrootcert` says whom to trust.
    Require,
    /// Encrypted, with a server that proves its name.
    VerifyFull,
}

/// Where a PostgreSQL database is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// For the driver.
    pub(super) url: String,
    pub(super) protection: Protection,
    /// A PEM file with the authorities to trust instead of the system's.
    pub(super) authorities: Option<PathBuf>,
}

/// Whether a place is in PostgreSQL.
pub(super) fn is_postgres(place: &str) -> bool {
    place.starts_with("postgres://") || place.starts_with("postgresql://")
}

/// Whether a place is one of another kind of database, so that no file is made of it.
pub(super) fn is_of_another_kind(place: &str) -> bool {
    let is_word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    !is_postgres(place) && place.split_once("://").is_some_and(|(scheme, _)| is_word(scheme))
}

impl Place {
    pub(super) fn of(place: &str) -> Result<Place, StoreError> {
        // A question mark before the first `@` is the password's, as the driver reads it.
        let host = place.find('@').unwrap_or_default();
        let (address, query) = match place[host..].find('?') {
            Some(mark) => (&place[..host + mark], &place[host + mark + 1..]),
            None => (place, ""),
        };
        let (mut protection, mut authorities, mut rest) = (Protection::Prefer, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", mode)) => {
                    protection = match mode {
                        "disable" => Protection::Disable,
                        "prefer" => Protection::Prefer,
                        "require" => Protection::Require,
                        "verify-full" => Protection::VerifyFull,
                        _ => {
                            let modes = "`disable`, `prefer`, `require` or `verify-full`";
                            return Err(bad(place, format!("`sslmode` is {modes}")));
                        }
                    };
                }
                Some(("sslrootcert", path)) => authorities = Some(PathBuf::from(decoded(path))),
                _ => rest.push(pair),
            }
        }
        let separator = if rest.is_empty() { "" } else { "?" };
        let url = format!("{address}{separator}{}", rest.join("&"));
        Ok(Place { url, protection, authorities })
    }
}

/// A text with its escapes resolved; what is no escape stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = after.get(..2).filter(|_| *first == b'%').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 16).ok()
        });
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// That a place is none, without what may be a password.
pub(super) fn bad(place: &str, reason: String) -> StoreError {
    StoreError::BadPlace { place: without_password(place), reason }
}

/// A place without user and password, wherever a password that is not escaped may seem to end.
fn without_password(place: &str) -> String {
    let (scheme, rest) = place.split_once("://").unwrap_or(("", place));
    let (address, query) = match rest.rsplit_once('@') {
        Some((_, after)) => after.split_once('?').unwrap_or((after, "")),
        None => rest.split_once('?').unwrap_or((rest, "")),
    };
    let query: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("password")).collect();
    let query = query.join("&");
    let user = if rest.contains('@') { "..@" } else { "" };
    let separator = if query.is_empty() { "" } else { "?" };
    format!("{scheme}://{user}{address}{separator}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_driver_does_not_know_is_taken_out() {
        for (place, url, protection, authorities) in [
            ("postgres://h/d", "postgres://h/d", Protection::Prefer, None),
            ("postgres://h/d?sslmode=disable", "postgres://h/d", Protection::Disable, None),
            (
                "postgresql://u:p@h:1/d?connect_timeout=3&sslmode=verify-full&sslrootcert=%2Fetc%2Fca%20.pem&user=x",
                "postgresql://u:p@h:1/d?connect_timeout=3&user=x",
                Protection::VerifyFull,
                Some("/etc/ca .pem"),
            ),
            (
                "postgres://h/d?sslmode=require&sslrootcert=100%",
                "postgres://h/d",
                Protection::Require,
                Some("100%"),
            ),
        ] {
            let authorities = authorities.map(PathBuf::from);
            let expected = Place { url: url.to_owned(), protection, authorities };
            assert_eq!(Place::of(place).unwrap(), expected, "{place}");
        }
    }

    #[test]
    fn no_error_has_a_password() {
        for place in [
            "postgres://u:secret@h/d?sslmode=none",
            "postgres://u:se?cret@h/d?sslmode=none",
            "postgres://u:x@secret@h/d?sslmode=none",
            "postgres://h/d?password=secret&sslmode=none",
        ] {
            let error = Place::of(place).unwrap_err();
            for text in [error.to_string(), format!("{error:?}")] {
                assert!(!text.contains("cret"), "{text}");
                assert!(text.contains("h/d"), "{text}");
            }
        }
    }
}
