//! Numbers in versions: of any length, compared as text, encoded so that bytes order as they do.
//!
//! Versions hold digit runs that fit no machine type (`1.0+20240101123456789012345`), so a number is never
//! parsed for a comparison. The encoding is self-delimiting, and its first byte lies between [`LEAD_MIN`]
//! and [`LEAD_MAX`]: a scheme has the bytes below for what sorts before every number and the bytes above
//! for what sorts after. Leading zeros carry no meaning in it.
//!
//! Layout, `v` being the number:
//! - below 112: one byte, `0x20 + v`;
//! - below 2^64: `0x90 + n`, then `v` in `n` bytes, big-endian, without leading zero bytes;
//! - above: `0x9f`, the count of significant digits in two bytes, the digits as ASCII.

use std::cmp::Ordering;

/// Smallest first byte of an encoded number.
pub(super) const LEAD_MIN: u8 = 0x20;
/// Largest first byte of an encoded number.
pub(super) const LEAD_MAX: u8 = 0x9f;

/// First byte of numbers in several bytes, less their count of bytes.
const LEAD_BYTES: u8 = 0x90;

/// Drops leading zeros; nothing is left of zero.
pub(super) fn significant(digits: &str) -> &str {
    digits.trim_start_matches('0')
}

/// Compares two runs of ASCII digits by value. An empty run is zero.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (significant(a), significant(b));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Appends a run of ASCII digits. An empty run is zero.
pub(super) fn push(key: &mut Vec<u8>, digits: &str) {
    let digits = significant(digits);
    let parsed = if digits.is_empty() { Ok(0) } else { digits.parse::<u64>() };
    match parsed {
        Ok(value) => push_u64(key, value),
        Err(_) => {
            let count = u16::try_from(digits.len()).expect("a version is no longer than VERSION_BYTES_MAX");
            key.push(LEAD_MAX);
            key.extend_from_slice(&count.to_be_bytes());
            key.extend_from_slice(digits.as_bytes());
        }
    }
}

/// Appends a number.
pub(super) fn push_u64(key: &mut Vec<u8>, value: u64) {
    match u8::try_from(value) {
        Ok(value) if value < LEAD_BYTES - LEAD_MIN => key.push(LEAD_MIN + value),
        _ => {
            let bytes = value.to_be_bytes();
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let bytes = bytes.get(zeros..).unwrap_or_default();
            key.push(bytes.iter().fold(LEAD_BYTES, |lead, _| lead + 1));
            key.extend_from_slice(bytes);
        }
    }
}

/// Splits off the digits that a text starts with.
pub(super) fn split(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// Whether a text is a number: digits, and at least one.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_order_as_the_numbers_do() {
        let long = "9".repeat(300);
        let longer = "1".repeat(301);
        let ascending = [
            "",
            "1",
            "42",
            "111",
            "112",
            "255",
            "256",
            "65535",
            "65536",
            "20240101",
            "18446744073709551615",
            "18446744073709551616",
            "99999999999999999999",
            "100000000000000000000",
            &long,
            &longer,
        ];
        let keys = ascending.map(|digits| {
            let mut key = Vec::new();
            push(&mut key, digits);
            assert!((LEAD_MIN..=LEAD_MAX).contains(&key[0]));
            let mut padded = Vec::new();
            push(&mut padded, &format!("000{digits}"));
            assert_eq!(key, padded);
            key
        });
        for (pair, digits) in keys.windows(2).zip(ascending.windows(2)) {
            assert!(pair[0] < pair[1], "{digits:?}");
            assert_eq!(compare(digits[0], digits[1]), Ordering::Less);
        }
        assert_eq!(compare("007", "7"), Ordering::Equal);
    }
}
