//! Semantic Versioning 2.0.0, as crates.io demands it: exactly three numbers, `-pre.release`, `+build`.
//!
//! What surprises: build metadata does not count, an identifier of digits alone is a number and sorts below
//! every other, and `0`, which OSV writes for "from the very beginning", is read as `0.0.0-0`, the lowest
//! version that there is. Numbers may be of any length.
//!
//! [`npm`](super::npm) and [`go`](super::go) read more spellings and order them in the same way, with
//! `Parts`.
//!
//! Key: three numbers, then `ff` for a release, or the identifiers of the pre-release closed with `01`.
//!
//! | byte | identifier |
//! |---|---|
//! | `01` | none left |
//! | `20`..`9f` | number |
//! | `a0` | text, then `00` |

use std::borrow::Cow;
use std::cmp::Ordering;

use super::{BadVersion, Scheme, bad, check, numbers};

/// The row.
pub static SCHEME: Scheme =
    Scheme { name: "semver", source: "https://semver.org/spec/v2.0.0.html", key, compare };

/// A version as the specification sees it, build metadata left out.
pub(super) struct Parts<'a> {
    /// Major, minor and patch, as digits.
    pub(super) core: [&'a str; 3],
    /// Identifiers, separated by dots.
    pub(super) pre_release: Option<Cow<'a, str>>,
}

impl Parts<'_> {
    /// What `0` means to OSV: the lowest version.
    pub(super) const LOWEST: Parts<'static> = Parts { core: ["0"; 3], pre_release: Some(Cow::Borrowed("0")) };

    /// Encodes it as this file's header says.
    pub(super) fn key(&self) -> Vec<u8> {
        let pre_release = self.pre_release.as_deref();
        let mut key = Vec::with_capacity(16 + pre_release.map_or(0, str::len));
        for digits in self.core {
            numbers::push(&mut key, digits);
        }
        let Some(pre_release) = pre_release else {
            key.push(0xff);
            return key;
        };
        for identifier in pre_release.split('.') {
            if numbers::is_number(identifier) {
                numbers::push(&mut key, identifier);
            } else {
                key.push(0xa0);
                key.extend_from_slice(identifier.as_bytes());
                key.push(0x00);
            }
        }
        key.push(0x01);
        key
    }

    /// Compares by precedence (section 11).
    pub(super) fn compare(&self, other: &Parts<'_>) -> Ordering {
        let cores = self.core.iter().zip(other.core).map(|(a, b)| numbers::compare(a, b));
        let core = cores.into_iter().find(|ordering| ordering.is_ne());
        core.unwrap_or_else(|| match (&self.pre_release, &other.pre_release) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => compare_pre_releases(a, b),
        })
    }
}

fn compare_pre_releases(a: &str, b: &str) -> Ordering {
    let (mut rest_a, mut rest_b) = (a.split('.'), b.split('.'));
    loop {
        let ordering = match (rest_a.next(), rest_b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (numbers::is_number(a), numbers::is_number(b)) {
                (true, true) => numbers::compare(a, b),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) => a.cmp(b),
            },
        };
        if ordering.is_ne() {
            return ordering;
        }
    }
}

/// Whether leading zeros in numbers are let through.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Zeros {
    Refused,
    Allowed,
}

/// Splits `N.N.N` off, or `N.N`, or `N`; the missing numbers are zero. Tells how many there are.
pub(super) fn split_core(version: &str, zeros: Zeros) -> Result<([&str; 3], usize, &str), &'static str> {
    let mut core = ["0"; 3];
    let mut rest = version;
    let mut count = 0;
    for slot in &mut core {
        let after_dot = if count == 0 { Some(rest) } else { rest.strip_prefix('.') };
        let Some(text) = after_dot else { break };
        let (digits, tail) = numbers::split(text);
        match digits {
            "" if count == 0 => return Err("it does not start with a number"),
            "" => return Err("no number follows a `.`"),
            _ if zeros == Zeros::Refused && has_leading_zero(digits) => {
                return Err("a number in it has a leading zero");
            }
            _ => *slot = digits,
        }
        rest = tail;
        count += 1;
    }
    Ok((core, count, rest))
}

/// Reads `-pre.release` and `+build`, of which the latter is checked and dropped.
pub(super) fn split_tail(tail: &str, zeros: Zeros) -> Result<Option<&str>, &'static str> {
    let (tail, build) = match tail.split_once('+') {
        None => (tail, None),
        Some((tail, build)) => (tail, Some(build)),
    };
    if let Some(build) = build {
        check_identifiers(build, Zeros::Allowed)?;
    }
    match tail.strip_prefix('-') {
        Some(pre_release) => check_identifiers(pre_release, zeros).map(Some),
        None if tail.is_empty() => Ok(None),
        None => Err("what follows its numbers is neither `-` nor `+`"),
    }
}

/// Checks identifiers separated by dots.
pub(super) fn check_identifiers(text: &str, zeros: Zeros) -> Result<&str, &'static str> {
    for identifier in text.split('.') {
        if identifier.is_empty() {
            return Err("an identifier in it is empty");
        }
        if !identifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err("an identifier in it holds a character other than letters, digits and `-`");
        }
        if zeros == Zeros::Refused && numbers::is_number(identifier) && has_leading_zero(identifier) {
            return Err("a number in its pre-release has a leading zero");
        }
    }
    Ok(text)
}

fn has_leading_zero(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0')
}

fn parse(version: &str) -> Result<Parts<'_>, BadVersion> {
    check(SCHEME.name, version)?;
    if version == "0" {
        return Ok(Parts::LOWEST);
    }
    let read = || {
        let (core, count, tail) = split_core(version, Zeros::Refused)?;
        if count < 3 {
            return Err("it has fewer than three numbers");
        }
        let pre_release = split_tail(tail, Zeros::Refused)?.map(Cow::Borrowed);
        Ok(Parts { core, pre_release })
    };
    read().map_err(|reason| bad(SCHEME.name, version, reason))
}

fn key(version: &str) -> Result<Vec<u8>, BadVersion> {
    Ok(parse(version)?.key())
}

fn compare(a: &str, b: &str) -> Result<Ordering, BadVersion> {
    Ok(parse(a)?.compare(&parse(b)?))
}
