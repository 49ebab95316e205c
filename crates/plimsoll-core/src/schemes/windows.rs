//! Versions of Windows and of what it brings: one to four numbers, as files and builds have them
//! (`10.0.20348.2527`, `4.8.04584.08`).
//!
//! Leading zeros do not count and a number that is missing is 0. There are no labels: what has one is no such version.
//! Two versions are only comparable within one product: builds of a server and of a client that share their third
//! number are revised apart (`windows.rs`).
//!
//! Key: the four numbers.

use std::cmp::Ordering;

use super::{BadVersion, Scheme, bad, check, numbers};

/// The row.
pub static SCHEME: Scheme = Scheme {
    name: "windows-version",
    source: "https://learn.microsoft.com/windows/win32/menurc/versioninfo-resource",
    key,
    compare,
};

/// How many numbers there are at most.
const NUMBERS: usize = 4;

/// The digits of each number, those that are missing being empty, which is zero.
fn parse(version: &str) -> Result<[&str; NUMBERS], BadVersion> {
    check(SCHEME.name, version)?;
    let mut numbers = [""; NUMBERS];
    for (index, digits) in version.split('.').enumerate() {
        let slot = numbers
            .get_mut(index)
            .ok_or_else(|| bad(SCHEME.name, version, "it has more than four numbers"))?;
        if !numbers::is_number(digits) {
            return Err(bad(SCHEME.name, version, "one of its parts is not a number"));
        }
        *slot = digits;
    }
    Ok(numbers)
}

fn key(version: &str) -> Result<Vec<u8>, BadVersion> {
    let mut key = Vec::with_capacity(version.len());
    for digits in parse(version)? {
        numbers::push(&mut key, digits);
    }
    Ok(key)
}

fn compare(a: &str, b: &str) -> Result<Ordering, BadVersion> {
    let (a, b) = (parse(a)?, parse(b)?);
    let pairs = a.iter().zip(b.iter());
    Ok(pairs.map(|(a, b)| numbers::compare(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal))
}
