//! Versions of Go modules and of the Go toolchain: Semantic Versioning with a `v` in front.
//!
//! The order is that of [`semver`](super::semver), as is the key; pseudo-versions
//! (`v0.0.0-20240101000000-abcdef012345`) and `+incompatible` need nothing beyond it. What surprises:
//! - the `v` may be missing, as advisories write `1.22.0-0` for the first pre-release of 1.22;
//! - `v1` and `v1.2` are `v1.0.0` and `v1.2.0`, but only when nothing follows;
//! - the toolchain calls itself `go1.21.3` and its pre-releases `go1.21rc2`, which is `1.21.0-rc.2` to the
//!   Go vulnerability database; what a vendor appends (`go1.21.3-bigcorp`, `go1.21.3 X:nocoverageredesign`)
//!   does not count;
//! - `go1.21` is `1.21.0` as it is to that database, though `go/version` puts the bare language version
//!   below `go1.21rc1`;
//! - `0` is the lowest version of all, while `v0` is `v0.0.0`.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::semver::{Parts, Zeros, split_core, split_tail};
use super::{BadVersion, Scheme, bad, check, numbers};

/// The row.
pub static SCHEME: Scheme = Scheme {
    name: "go",
    source: "https://go.dev/ref/mod#versions and https://go.dev/doc/toolchain#version",
    key,
    compare,
};

/// What the toolchain calls its pre-releases.
const PRE_RELEASES: [&str; 3] = ["alpha", "beta", "rc"];

fn parse(version: &str) -> Result<Parts<'_>, BadVersion> {
    check(SCHEME.name, version)?;
    if version == "0" {
        return Ok(Parts::LOWEST);
    }
    let parts = match version.strip_prefix("go") {
        Some(toolchain) => read_toolchain(toolchain),
        None => read_module(version.strip_prefix('v').unwrap_or(version)),
    };
    parts.map_err(|reason| bad(SCHEME.name, version, reason))
}

fn read_toolchain(version: &str) -> Result<Parts<'_>, &'static str> {
    let version = version.split([' ', '-']).next().unwrap_or_default();
    let (core, count, tail) = split_core(version, Zeros::Refused)?;
    if tail.is_empty() { Ok(Parts { core, pre_release: None }) } else { with_pre_release(core, count, tail) }
}

fn read_module(version: &str) -> Result<Parts<'_>, &'static str> {
    let (core, count, tail) = split_core(version, Zeros::Refused)?;
    if tail.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return with_pre_release(core, count, tail);
    }
    if count < 3 && !tail.is_empty() {
        return Err("it has fewer than three numbers, and something follows them");
    }
    let pre_release = split_tail(tail, Zeros::Refused)?.map(Cow::Borrowed);
    Ok(Parts { core, pre_release })
}

/// Reads the `rc2` of `1.21rc2`.
fn with_pre_release<'a>(core: [&'a str; 3], count: usize, tail: &str) -> Result<Parts<'a>, &'static str> {
    if count != 2 {
        return Err("letters follow its numbers, which is a Go release only after two of them");
    }
    let split = |word: &'static str| Some((word, tail.strip_prefix(word)?));
    let (word, digits) = PRE_RELEASES
        .into_iter()
        .find_map(split)
        .ok_or("the letters that follow its numbers are none of `alpha`, `beta`, `rc`")?;
    if !numbers::is_number(digits) {
        return Err("no number follows `alpha`, `beta` or `rc`");
    }
    Ok(Parts { core, pre_release: Some(Cow::Owned(format!("{word}.{digits}"))) })
}

fn key(version: &str) -> Result<Vec<u8>, BadVersion> {
    Ok(parse(version)?.key())
}

fn compare(a: &str, b: &str) -> Result<Ordering, BadVersion> {
    Ok(parse(a)?.compare(&parse(b)?))
}
