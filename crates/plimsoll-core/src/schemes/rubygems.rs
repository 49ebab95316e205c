//! Versions of Ruby gems: numbers and letters, separated by dots.
//!
//! Any letter makes a pre-release (`1.0.a` is below `1.0`). What surprises: `-` stands for `.pre.`, letters
//! and digits part without a dot (`1.0.b10` is 1, 0, b, 10), text has case, and missing segments are zeros,
//! so zeros before the end or before the first text do not count, while zeros between later text do
//! (`1.a.0.b` is above `1.a.b` and below `1.a`).
//!
//! Key: one entry a segment, closed with `END`. Zeros are counted, since a run of them means nothing until
//! something follows it: before text, more zeros are nearer to the end from below; before a number, from
//! above.
//!
//! | byte | means |
//! |---|---|
//! | `02` | text, then `00` |
//! | `03` | zeros before text: how many, in one byte |
//! | `04` | end |
//! | `05` | zeros before a number: 255 less how many, in one byte |
//! | `21`..`9f` | first byte of a number above zero |

use std::cmp::Ordering;

use super::{BadVersion, Scheme, bad, check, numbers};

/// The row.
pub static SCHEME: Scheme = Scheme {
    name: "rubygems",
    source: "https://docs.ruby-lang.org/en/master/Gem/Version.html",
    key,
    compare,
};

/// A run of digits or of letters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment<'a> {
    /// Without leading zeros.
    Number(&'a str),
    Text(&'a str),
}

const ZERO: Segment<'static> = Segment::Number("");

/// Checks a version as `Gem::Version` does and drops the blanks around it.
fn checked(version: &str) -> Result<&str, BadVersion> {
    check(SCHEME.name, version)?;
    let bad = |reason| bad(SCHEME.name, version, reason);
    let trimmed = version.trim_matches(|c: char| c.is_ascii_whitespace());
    let (release, rest) = match trimmed.split_once('-') {
        None => (trimmed, None),
        Some((release, rest)) => (release, Some(rest)),
    };
    if !numbers::is_number(release.split('.').next().unwrap_or_default()) {
        return Err(bad("its first segment is not a number"));
    }
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !release.split('.').chain(rest.iter().flat_map(|rest| rest.split('.'))).all(is_word) {
        return Err(bad("it holds a character other than letters, digits, `.` and `-`"));
    }
    let has_gap = |text: &str| text.split('.').any(str::is_empty);
    if has_gap(release) || rest.is_some_and(has_gap) {
        return Err(bad("a segment in it is empty"));
    }
    Ok(trimmed)
}

/// Hands out the segments of a checked version.
fn segments<'a>(version: &'a str, mut each: impl FnMut(Segment<'a>)) {
    let mut rest = version;
    while let Some(first) = rest.bytes().next() {
        let is_end: fn(char) -> bool = match first {
            b'0'..=b'9' => |c| !c.is_ascii_digit(),
            b'a'..=b'z' | b'A'..=b'Z' => |c| !c.is_ascii_alphabetic(),
            _ => {
                if first == b'-' {
                    each(Segment::Text("pre"));
                }
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
        };
        let (segment, tail) = rest.split_at(rest.find(is_end).unwrap_or(rest.len()));
        each(if first.is_ascii_digit() {
            Segment::Number(numbers::significant(segment))
        } else {
            Segment::Text(segment)
        });
        rest = tail;
    }
}

fn key(version: &str) -> Result<Vec<u8>, BadVersion> {
    let checked = checked(version)?;
    let mut key = Vec::with_capacity(checked.len() + 8);
    let (mut zeros, mut has_text) = (0_u8, false);
    segments(checked, |segment| match segment {
        // A version that fits the limit has no room for 256 of them and something after.
        ZERO => zeros = zeros.saturating_add(1),
        Segment::Number(digits) => {
            if zeros > 0 {
                key.extend_from_slice(&[0x05, u8::MAX - zeros]);
            }
            numbers::push(&mut key, digits);
            zeros = 0;
        }
        Segment::Text(text) => {
            if zeros > 0 && has_text {
                key.extend_from_slice(&[0x03, zeros]);
            }
            key.push(0x02);
            key.extend_from_slice(text.as_bytes());
            key.push(0x00);
            (zeros, has_text) = (0, true);
        }
    });
    key.push(0x04);
    Ok(key)
}

fn compare(a: &str, b: &str) -> Result<Ordering, BadVersion> {
    let (a, b) = (canonical(checked(a)?), canonical(checked(b)?));
    for index in 0..a.len().max(b.len()) {
        let ordering = compare_segments(a.get(index).unwrap_or(&ZERO), b.get(index).unwrap_or(&ZERO));
        if ordering.is_ne() {
            return Ok(ordering);
        }
    }
    Ok(Ordering::Equal)
}

/// The segments without the zeros before the first text and before the end.
fn canonical(version: &str) -> Vec<Segment<'_>> {
    let (mut release, mut pre_release) = (Vec::new(), Vec::new());
    segments(version, |segment| {
        if matches!(segment, Segment::Text(_)) || !pre_release.is_empty() {
            pre_release.push(segment);
        } else {
            release.push(segment);
        }
    });
    for part in [&mut release, &mut pre_release] {
        while part.last() == Some(&ZERO) {
            part.pop();
        }
    }
    release.append(&mut pre_release);
    release
}

fn compare_segments(a: &Segment<'_>, b: &Segment<'_>) -> Ordering {
    match (a, b) {
        (Segment::Text(a), Segment::Text(b)) => a.cmp(b),
        (Segment::Text(_), Segment::Number(_)) => Ordering::Less,
        (Segment::Number(_), Segment::Text(_)) => Ordering::Greater,
        (Segment::Number(a), Segment::Number(b)) => numbers::compare(a, b),
    }
}
