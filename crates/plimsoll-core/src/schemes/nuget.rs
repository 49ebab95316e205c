//! Versions of NuGet packages: Semantic Versioning with one to four numbers.
//!
//! What surprises: missing numbers and leading zeros do not count (`1` equals `1.0.0.0` and `1.00`), labels
//! of the pre-release have no case, and a label is a number when it is one of 32 bits, with a sign if it
//! has one (`1.0.0--5`), so that a longer run of digits (`1.0.0-20240101120000`) is text and sorts as such.
//! Build metadata does not count.
//!
//! Key: four numbers, then `ff` for a release, or the labels of the pre-release closed with `01`.
//!
//! | byte | label |
//! |---|---|
//! | `01` | none left |
//! | `02` | number below zero, 4 bytes of two's complement |
//! | `20`..`9f` | number |
//! | `a0` | text in upper case, then `00` |

use std::cmp::Ordering;

use super::{BadVersion, Scheme, bad, check, numbers};

/// The row.
pub static SCHEME: Scheme = Scheme {
    name: "nuget",
    source: "https://learn.microsoft.com/nuget/concepts/package-versioning",
    key,
    compare,
};

/// A version, build metadata left out.
struct Parts<'a> {
    numbers: [i32; 4],
    labels: Option<&'a str>,
}

fn parse(version: &str) -> Result<Parts<'_>, BadVersion> {
    check(SCHEME.name, version)?;
    read(version.trim()).map_err(|reason| bad(SCHEME.name, version, reason))
}

fn read(version: &str) -> Result<Parts<'_>, &'static str> {
    let (version, metadata) = match version.split_once('+') {
        None => (version, None),
        Some((version, metadata)) => (version, Some(metadata)),
    };
    let (release, labels) = match version.split_once('-') {
        None => (version, None),
        Some((release, labels)) => (release, Some(labels)),
    };
    for label in [labels, metadata].into_iter().flatten().flat_map(|labels| labels.split('.')) {
        if label.is_empty() {
            return Err("a label in it is empty");
        }
        if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err("a label in it holds a character other than letters, digits and `-`");
        }
    }
    let mut numbers = [0; 4];
    for (index, digits) in release.split('.').enumerate() {
        let slot = numbers.get_mut(index).ok_or("it has more than four numbers")?;
        if !numbers::is_number(digits) {
            return Err("one of its parts is not a number");
        }
        *slot = digits.parse().map_err(|_| "a number in it is above 2147483647")?;
    }
    Ok(Parts { numbers, labels })
}

fn key(version: &str) -> Result<Vec<u8>, BadVersion> {
    let parts = parse(version)?;
    let mut key = Vec::with_capacity(version.len() + 16);
    for number in parts.numbers {
        numbers::push_u64(&mut key, number.unsigned_abs().into());
    }
    let Some(labels) = parts.labels else {
        key.push(0xff);
        return Ok(key);
    };
    for label in labels.split('.') {
        match label.parse::<i32>() {
            Ok(number) if number < 0 => {
                key.push(0x02);
                key.extend_from_slice(&number.to_be_bytes());
            }
            Ok(number) => numbers::push_u64(&mut key, number.unsigned_abs().into()),
            Err(_) => {
                key.push(0xa0);
                key.extend(label.bytes().map(|byte| byte.to_ascii_uppercase()));
                key.push(0x00);
            }
        }
    }
    key.push(0x01);
    Ok(key)
}

fn compare(a: &str, b: &str) -> Result<Ordering, BadVersion> {
    let (a, b) = (parse(a)?, parse(b)?);
    Ok(a.numbers.cmp(&b.numbers).then_with(|| match (a.labels, b.labels) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => compare_labels(a, b),
    }))
}

fn compare_labels(a: &str, b: &str) -> Ordering {
    let both = a.split('.').zip(b.split('.')).map(|(a, b)| match (a.parse::<i32>(), b.parse::<i32>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.to_ascii_uppercase().cmp(&b.to_ascii_uppercase()),
    });
    let first = both.into_iter().find(|ordering| ordering.is_ne());
    first.unwrap_or_else(|| a.split('.').count().cmp(&b.split('.').count()))
}
