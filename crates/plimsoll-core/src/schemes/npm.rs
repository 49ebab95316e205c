//! Versions of npm packages: Semantic Versioning, read as loosely as node-semver does with `loose`.
//!
//! What that lets through: blanks, `v` and `=` in front, leading zeros, a pre-release without its hyphen
//! (`1.2.3beta`). Beyond it, `1` and `1.2` are `1.0.0` and `1.2.0`, as manifests and advisories hold such,
//! and `0` is the lowest version of all, as in [`semver`](super::semver), whose key and order these are.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::semver::{Parts, Zeros, check_identifiers, split_core, split_tail};
use super::{BadVersion, Scheme, bad, check};

/// The row.
pub static SCHEME: Scheme =
    Scheme { name: "npm", source: "https://github.com/npm/node-semver#versions", key, compare };

fn parse(version: &str) -> Result<Parts<'_>, BadVersion> {
    check(SCHEME.name, version)?;
    if version == "0" {
        return Ok(Parts::LOWEST);
    }
    let trimmed = version.trim_end().trim_start_matches(|c: char| c.is_whitespace() || c == 'v' || c == '=');
    read(trimmed).map_err(|reason| bad(SCHEME.name, version, reason))
}

fn read(version: &str) -> Result<Parts<'_>, &'static str> {
    let (core, count, tail) = split_core(version, Zeros::Allowed)?;
    if count < 3 && !tail.is_empty() {
        return Err("it has fewer than three numbers, and something follows them");
    }
    // node-semver's hyphen is optional, and where no identifier follows it, it is one itself.
    let is_bare = tail.starts_with(|c: char| c.is_ascii_alphabetic())
        || tail.strip_prefix('-').is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '+']));
    let pre_release = if is_bare {
        let (pre_release, build) = tail.split_at(tail.find('+').unwrap_or(tail.len()));
        split_tail(build, Zeros::Allowed)?;
        Some(check_identifiers(pre_release, Zeros::Allowed)?)
    } else {
        split_tail(tail, Zeros::Allowed)?
    };
    Ok(Parts { core, pre_release: pre_release.map(Cow::Borrowed) })
}

fn key(version: &str) -> Result<Vec<u8>, BadVersion> {
    Ok(parse(version)?.key())
}

fn compare(a: &str, b: &str) -> Result<Ordering, BadVersion> {
    Ok(parse(a)?.compare(&parse(b)?))
}
