//! Versions of Debian packages: `[epoch:]upstream[-revision]`.
//!
//! A part is compared in turns: a run of non-digits, a run of digits, and so on. In the non-digits `~`
//! sorts before the end of the run, the end before letters, letters before `.`, `+`, `-` and `:`. What
//! surprises: a missing digit run is zero (`1.` equals `1.0`), a missing revision equals `-0`, and the
//! revision starts at the *last* hyphen. A version need not start with a digit: dpkg warns about it and
//! compares it all the same, and so do we. Characters that dpkg calls invalid are refused.
//!
//! Key: the epoch as a number; the upstream part; the revision. A part is non-digit bytes and numbers in
//! turns, beginning with a possibly empty run of non-digits, and closes with `END`. One byte a non-digit:
//!
//! | byte | means |
//! |---|---|
//! | `01` | `~` |
//! | `02` | end of the part |
//! | `20`..`9f` | first byte of a number, which ends the run of non-digits |
//! | `a0`..`d3` | `A`..`Z`, `a`..`z` |
//! | `e0`..`e3` | `+` `-` `.` `:` |

use std::cmp::Ordering;

use super::{BadVersion, Scheme, bad, check, numbers};

/// The row.
pub static SCHEME: Scheme = Scheme {
    name: "deb",
    source: "https://manpages.debian.org/deb-version.7 and dpkg's lib/dpkg/version.c",
    key,
    compare,
};

/// Largest epoch that dpkg reads.
const EPOCH_MAX: u32 = i32::MAX as u32;

const TILDE: u8 = 0x01;
const END: u8 = 0x02;

/// A version in its parts.
struct Parts<'a> {
    epoch: u32,
    upstream: &'a str,
    revision: &'a str,
}

fn parse(version: &str) -> Result<Parts<'_>, BadVersion> {
    check(SCHEME.name, version)?;
    let bad = |reason| bad(SCHEME.name, version, reason);
    let (epoch, rest) = match version.split_once(':') {
        None => (0, version),
        Some((epoch, rest)) => (read_epoch(epoch).map_err(bad)?, rest),
    };
    let (upstream, revision) = match rest.rsplit_once('-') {
        None => (rest, ""),
        Some((_, "")) => return Err(bad("its revision is empty")),
        Some(parts) => parts,
    };
    if upstream.is_empty() {
        return Err(bad("its upstream part is empty"));
    }
    if !upstream.bytes().all(|byte| rank(byte).is_some() || byte.is_ascii_digit()) {
        return Err(bad("its upstream part holds a character other than letters, digits and `.-+~:`"));
    }
    if !revision.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+~".contains(&byte)) {
        return Err(bad("its revision holds a character other than letters, digits and `.+~`"));
    }
    Ok(Parts { epoch, upstream, revision })
}

fn read_epoch(epoch: &str) -> Result<u32, &'static str> {
    if epoch.is_empty() {
        return Err("its epoch is empty");
    }
    if !numbers::is_number(epoch) {
        return Err("its epoch is not a number");
    }
    match numbers::significant(epoch) {
        "" => Ok(0),
        digits => digits.parse().ok().filter(|epoch| *epoch <= EPOCH_MAX).ok_or("its epoch is too big"),
    }
}

/// The byte of a non-digit in a key, which is also its rank. `None` for digits and invalid characters.
fn rank(byte: u8) -> Option<u8> {
    match byte {
        b'~' => Some(TILDE),
        b'A'..=b'Z' => Some(0xa0 + (byte - b'A')),
        b'a'..=b'z' => Some(0xba + (byte - b'a')),
        b'+' => Some(0xe0),
        b'-' => Some(0xe1),
        b'.' => Some(0xe2),
        b':' => Some(0xe3),
        _ => None,
    }
}

fn key(version: &str) -> Result<Vec<u8>, BadVersion> {
    let parts = parse(version)?;
    let mut key = Vec::with_capacity(version.len() + 8);
    numbers::push_u64(&mut key, parts.epoch.into());
    push_part(&mut key, parts.upstream);
    push_part(&mut key, parts.revision);
    Ok(key)
}

fn push_part(key: &mut Vec<u8>, part: &str) {
    let mut rest = part;
    loop {
        let end = rest.bytes().position(|byte| byte.is_ascii_digit()).unwrap_or(rest.len());
        let (text, tail) = rest.split_at(end);
        key.extend(text.bytes().filter_map(rank));
        let (digits, tail) = numbers::split(tail);
        numbers::push(key, digits);
        if tail.is_empty() {
            break;
        }
        rest = tail;
    }
    key.push(END);
}

fn compare(a: &str, b: &str) -> Result<Ordering, BadVersion> {
    let (a, b) = (parse(a)?, parse(b)?);
    Ok(a.epoch
        .cmp(&b.epoch)
        .then_with(|| compare_parts(a.upstream, b.upstream))
        .then_with(|| compare_parts(a.revision, b.revision)))
}

fn compare_parts(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (text_a, rest_a) = split_text(a);
        let (text_b, rest_b) = split_text(b);
        let (digits_a, rest_a) = numbers::split(rest_a);
        let (digits_b, rest_b) = numbers::split(rest_b);
        let ordering = compare_texts(text_a, text_b).then_with(|| numbers::compare(digits_a, digits_b));
        if ordering.is_ne() {
            return ordering;
        }
        (a, b) = (rest_a, rest_b);
    }
    Ordering::Equal
}

fn split_text(part: &str) -> (&str, &str) {
    part.split_at(part.find(|c: char| c.is_ascii_digit()).unwrap_or(part.len()))
}

/// Compares two runs of non-digits, each character by the weight that policy gives it.
fn compare_texts(a: &str, b: &str) -> Ordering {
    let weights = |text: &str, index: usize| match text.as_bytes().get(index) {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) => i32::from(*byte) + 256,
    };
    (0..a.len().max(b.len()))
        .map(|index| weights(a, index).cmp(&weights(b, index)))
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
}
