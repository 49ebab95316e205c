//! Versions of rpm packages: `[epoch:]version[-release]`.
//!
//! Version and release are runs of digits and runs of letters; every other character only separates. `~`
//! sorts before everything, even the end, and `^` after the end but before anything else. What surprises:
//! separators do not count (`1.0` equals `1_0` and `1.0.`), a letter sorts below a number (`1.a` is below
//! `1.0`), and the release starts at the *last* hyphen. A missing epoch is 0.
//!
//! rpm itself leaves the release out where one side of a dependency has none. That is no order (`1-1` would
//! equal `1` and `1` would equal `1-2`), so here a version without release has an empty one: it sorts below
//! every release but one that starts with `~`. Installed packages and advisories both state the release.
//!
//! Key: the epoch as a number; the version; the release. Both are segments, closed with `END`.
//!
//! | byte | means |
//! |---|---|
//! | `01` | `~` |
//! | `02` | end |
//! | `03` | `^` |
//! | `04` | letters follow, then `00` |
//! | `20`..`9f` | first byte of a number |

use std::cmp::Ordering;

use rpm_version::Evr;

use super::{BadVersion, Scheme, bad, check, numbers};

/// The row.
pub static SCHEME: Scheme = Scheme {
    name: "rpm",
    source: "https://rpm-software-management.github.io/rpm/man/rpm-version.7 and rpm's rpmio/rpmvercmp.c",
    key,
    compare,
};

/// A version in its parts.
struct Parts<'a> {
    epoch: u32,
    version: &'a str,
    release: &'a str,
}

fn parse(version: &str) -> Result<Parts<'_>, BadVersion> {
    check(SCHEME.name, version)?;
    let bad = |reason| bad(SCHEME.name, version, reason);
    if version.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(bad("it holds a blank or a control character"));
    }
    let (epoch, rest) = match version.split_once(':') {
        None => (0, version),
        Some((epoch, rest)) => (read_epoch(epoch).map_err(bad)?, rest),
    };
    if rest.contains(':') {
        return Err(bad("it holds more than one `:`"));
    }
    let (version, release) = match rest.rsplit_once('-') {
        None => (rest, ""),
        Some((_, "")) => return Err(bad("its release is empty")),
        Some(parts) => parts,
    };
    if !version.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
        return Err(bad("its version part has neither letter nor digit"));
    }
    Ok(Parts { epoch, version, release })
}

fn read_epoch(epoch: &str) -> Result<u32, &'static str> {
    if !numbers::is_number(epoch) {
        return Err("its epoch is not a number");
    }
    match numbers::significant(epoch) {
        "" => Ok(0),
        digits => digits.parse().map_err(|_| "its epoch does not fit 32 bits"),
    }
}

fn key(version: &str) -> Result<Vec<u8>, BadVersion> {
    let parts = parse(version)?;
    let mut key = Vec::with_capacity(version.len() + 8);
    numbers::push_u64(&mut key, parts.epoch.into());
    push_segments(&mut key, parts.version);
    push_segments(&mut key, parts.release);
    Ok(key)
}

fn push_segments(key: &mut Vec<u8>, part: &str) {
    let mut rest = part;
    while let Some(first) = rest.chars().next() {
        let is_kind: fn(char) -> bool = match first {
            '0'..='9' => |c| c.is_ascii_digit(),
            'A'..='Z' | 'a'..='z' => |c| c.is_ascii_alphabetic(),
            _ => {
                match first {
                    '~' => key.push(0x01),
                    '^' => key.push(0x03),
                    _ => {}
                }
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
                continue;
            }
        };
        let (segment, tail) = rest.split_at(rest.find(|c| !is_kind(c)).unwrap_or(rest.len()));
        if first.is_ascii_digit() {
            numbers::push(key, segment);
        } else {
            key.push(0x04);
            key.extend_from_slice(segment.as_bytes());
            key.push(0x00);
        }
        rest = tail;
    }
    key.push(0x02);
}

fn compare(a: &str, b: &str) -> Result<Ordering, BadVersion> {
    let (a, b) = (parse(a)?, parse(b)?);
    let parts = Evr::new("", a.version, a.release).cmp(&Evr::new("", b.version, b.release));
    Ok(a.epoch.cmp(&b.epoch).then(parts))
}
