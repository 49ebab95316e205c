//! How each kind of version is ordered: one row a file.
//!
//! A scheme turns a version into a *sort key*: bytes whose plain order is the scheme's order. Keys are what
//! the advisory database stores and what matching compares, so no comparator runs on the hot path. Each
//! scheme also has a direct comparator, written from the upstream rules without the key; a property test
//! holds the two together, and `testdata/schemes/NAME.txt` holds both to the upstream's own cases.

use std::cmp::Ordering;

pub mod apk;
pub mod deb;
pub mod go;
pub mod maven;
pub mod npm;
pub mod nuget;
mod numbers;
pub mod packagist;
pub mod pep440;
pub mod rpm;
pub mod rubygems;
pub mod semver;
pub mod windows;

/// How one kind of version is ordered.
#[derive(Debug)]
pub struct Scheme {
    /// Name, kebab-case; also the name of the table in `testdata/schemes`.
    pub name: &'static str,
    /// Where the rules are written down, for people.
    pub source: &'static str,
    /// Encodes a version: for all versions that parse, `key(a).cmp(&key(b)) == compare(a, b)`. No key is a
    /// special value: what is below or above all versions is said by [`Interval`](crate::advisory::Interval).
    pub key: fn(&str) -> Result<Vec<u8>, BadVersion>,
    /// Compares two versions without going through keys.
    pub compare: fn(&str, &str) -> Result<Ordering, BadVersion>,
}

/// A version that does not follow its scheme.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{version}` is not a {scheme} version: {reason}")]
pub struct BadVersion {
    /// Name of the scheme.
    pub scheme: &'static str,
    /// The version, shortened where it is very long.
    pub version: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Longest version that any scheme reads, in bytes. Real ones stay below 200.
pub const VERSION_BYTES_MAX: usize = 512;

/// All schemes, sorted by name.
pub static SCHEMES: &[&Scheme] = &[
    &apk::SCHEME,
    &deb::SCHEME,
    &go::SCHEME,
    &maven::SCHEME,
    &npm::SCHEME,
    &nuget::SCHEME,
    &packagist::SCHEME,
    &pep440::SCHEME,
    &rpm::SCHEME,
    &rubygems::SCHEME,
    &semver::SCHEME,
    &windows::SCHEME,
];

/// The scheme with a name.
pub fn by_name(name: &str) -> Option<&'static Scheme> {
    SCHEMES.iter().copied().find(|row| row.name == name)
}

/// Refuses what no scheme reads: an empty version and one above [`VERSION_BYTES_MAX`].
pub(crate) fn check(scheme: &'static str, version: &str) -> Result<(), BadVersion> {
    if version.is_empty() {
        return Err(bad(scheme, version, "it is empty"));
    }
    if version.len() > VERSION_BYTES_MAX {
        return Err(bad(scheme, version, "it is longer than 512 bytes"));
    }
    Ok(())
}

/// Builds the error, shortening the version for people.
pub(crate) fn bad(scheme: &'static str, version: &str, reason: &'static str) -> BadVersion {
    let version = version.chars().take(80).collect();
    BadVersion { scheme, version, reason }
}
