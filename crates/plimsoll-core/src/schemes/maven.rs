//! Versions of maven.

use std::cmp::Ordering;

use super::{BadVersion, Scheme, check};

/// The row.
pub static SCHEME: Scheme = Scheme { name: "maven", source: "", key, compare };

fn key(version: &str) -> Result<Vec<u8>, BadVersion> {
    check(SCHEME.name, version)?;
    Ok(version.as_bytes().to_vec())
}

fn compare(a: &str, b: &str) -> Result<Ordering, BadVersion> {
    Ok(key(a)?.cmp(&key(b)?))
}
