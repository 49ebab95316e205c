//! Versions of Python packages (PEP 440): `[N!]N(.N)*[{a|b|rc}N][.postN][.devN][+local]`.
//!
//! Reading, with all the spellings that the PEP normalizes (`1.0-ALPHA.1`, `v1.0`, `1.0-1`), is done by
//! `pep440_rs`, and so is the direct comparison. What surprises: trailing zeros of the release do not
//! count, `1.0.dev1` is below `1.0a1`, but `1.0a1.dev1` stands between `1.0a0` and `1.0a1`; a local version
//! sorts after the same version without it. A number above 2^64 is refused, as `pep440_rs` cannot hold it.
//!
//! Key: the epoch; the numbers of the release without trailing zeros; the phase; the post release, `01`
//! without; the development release, `ff` without; the segments of the local version, closed with `01`.
//!
//! | byte | phase | | byte | local segment |
//! |---|---|---|---|---|
//! | `01` | only `.dev` | | `01` | none left |
//! | `02` `03` `04` | `a` `b` `rc`, then its number | | `02` | text, then `00` |
//! | `05` | final or post release | | `20`..`9f` | number |

use std::cmp::Ordering;
use std::str::FromStr;

use pep440_rs::{LocalSegment, PrereleaseKind, Version};

use super::{BadVersion, Scheme, bad, check, numbers};

/// The row.
pub static SCHEME: Scheme = Scheme {
    name: "pep440",
    source: "https://packaging.python.org/en/latest/specifications/version-specifiers/",
    key,
    compare,
};

fn parse(version: &str) -> Result<Version, BadVersion> {
    check(SCHEME.name, version)?;
    Version::from_str(version).map_err(|_| {
        let is_too_big = version
            .split(|c: char| !c.is_ascii_digit())
            .any(|digits| !digits.is_empty() && digits.parse::<u64>().is_err());
        let reason =
            if is_too_big { "a number in it does not fit 64 bits" } else { "it does not follow PEP 440" };
        bad(SCHEME.name, version, reason)
    })
}

fn key(version: &str) -> Result<Vec<u8>, BadVersion> {
    let parsed = parse(version)?;
    let mut key = Vec::with_capacity(version.len() + 8);
    numbers::push_u64(&mut key, parsed.epoch());
    let release = parsed.release();
    let zeros = release.iter().rev().take_while(|number| **number == 0).count();
    for number in release.iter().take(release.len() - zeros) {
        numbers::push_u64(&mut key, *number);
    }
    push_phase(&mut key, &parsed);
    match parsed.post() {
        None => key.push(0x01),
        Some(number) => numbers::push_u64(&mut key, number),
    }
    match parsed.dev() {
        None => key.push(0xff),
        Some(number) => numbers::push_u64(&mut key, number),
    }
    for segment in parsed.local() {
        match segment {
            LocalSegment::Number(number) => numbers::push_u64(&mut key, *number),
            LocalSegment::String(text) => {
                key.push(0x02);
                key.extend_from_slice(text.as_bytes());
                key.push(0x00);
            }
        }
    }
    key.push(0x01);
    Ok(key)
}

fn push_phase(key: &mut Vec<u8>, version: &Version) {
    match version.pre() {
        Some(pre) => {
            key.push(match pre.kind {
                PrereleaseKind::Alpha => 0x02,
                PrereleaseKind::Beta => 0x03,
                PrereleaseKind::Rc => 0x04,
            });
            numbers::push_u64(key, pre.number);
        }
        None if version.dev().is_some() && version.post().is_none() => key.push(0x01),
        None => key.push(0x05),
    }
}

fn compare(a: &str, b: &str) -> Result<Ordering, BadVersion> {
    Ok(parse(a)?.cmp(&parse(b)?))
}
