//! Writes DER (ITU-T X.690), as much of it as certificates and time stamps are made of.
//!
//! It is written here, not taken from a crate: what verifies reads with such crates, and must not be tested with itself.

use jiff::Timestamp;

/// A value that has a tag, its length and its content.
pub(super) fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length) if length < 0x80 => out.push(length),
        _ => {
            let length = content.len().to_be_bytes();
            let used: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            out.push(0x80 | u8::try_from(used.len()).expect("a length has at most eight bytes"));
            out.extend_from_slice(&used);
        }
    }
    out.extend_from_slice(content);
    out
}

/// `SEQUENCE` of values.
pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tagged(0x30, &parts.concat())
}

/// `SET OF` values, which DER sorts.
pub(super) fn set(mut parts: Vec<Vec<u8>>) -> Vec<u8> {
    parts.sort();
    tagged(0x31, &parts.concat())
}

/// A constructed value with a number of the context.
pub(super) fn context(number: u8, content: &[u8]) -> Vec<u8> {
    tagged(0xa0 | number, content)
}

/// `INTEGER` that is not negative, from its bytes.
pub(super) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let mut content: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    if content.first().is_none_or(|first| *first >= 0x80) {
        content.insert(0, 0);
    }
    tagged(0x02, &content)
}

/// `INTEGER` below 256.
pub(super) fn small(number: u8) -> Vec<u8> {
    unsigned(&[number])
}

/// `BOOLEAN` that is true.
pub(super) fn truth() -> Vec<u8> {
    vec![0x01, 0x01, 0xff]
}

/// `OCTET STRING`.
pub(super) fn octets(bytes: &[u8]) -> Vec<u8> {
    tagged(0x04, bytes)
}

/// `BIT STRING` of whole bytes.
pub(super) fn bits(bytes: &[u8]) -> Vec<u8> {
    tagged(0x03, &[&[0], bytes].concat())
}

/// `UTF8String`.
pub(super) fn utf8(text: &str) -> Vec<u8> {
    tagged(0x0c, text.as_bytes())
}

/// `OBJECT IDENTIFIER`, from its numbers between dots.
pub(super) fn oid(dotted: &str) -> Vec<u8> {
    let mut numbers = dotted.split('.').map(|part| part.parse::<u64>().expect("an identifier has numbers"));
    let mut next = || numbers.next().expect("an identifier has two numbers at least");
    let first = next() * 40 + next();
    let mut content = base128(first);
    for number in numbers {
        content.extend(base128(number));
    }
    tagged(0x06, &content)
}

fn base128(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).expect("it has seven bits");
        out.push(if out.is_empty() { low } else { 0x80 | low });
        number >>= 7;
        if number == 0 {
            out.reverse();
            return out;
        }
    }
}

/// `UTCTime` of seconds since 1970.
pub(super) fn utc_time(at: i64) -> Vec<u8> {
    tagged(0x17, written(at, "%y%m%d%H%M%SZ").as_bytes())
}

/// `GeneralizedTime` of seconds since 1970.
pub(super) fn generalized_time(at: i64) -> Vec<u8> {
    tagged(0x18, written(at, "%Y%m%d%H%M%SZ").as_bytes())
}

fn written(at: i64, format: &str) -> String {
    Timestamp::from_second(at).expect("the time is one of the calendar").strftime(format).to_string()
}

/// PEM with lines of 64 letters.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::prelude::BASE64_STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----");
    for (index, letter) in text.chars().enumerate() {
        if index % 64 == 0 {
            out.push('\n');
        }
        out.push(letter);
    }
    out.push_str(&format!("\n-----END {label}-----\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_the_standard_says() {
        for (written, expected) in [
            (oid("1.2.840.113549"), vec![6, 6, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]),
            (oid("2.5.29.15"), vec![6, 3, 0x55, 0x1d, 0x0f]),
            (small(0), vec![2, 1, 0]),
            (small(0x80), vec![2, 2, 0, 0x80]),
            (unsigned(&[0, 0, 1, 0]), vec![2, 2, 1, 0]),
            (set(vec![small(2), small(1)]), vec![0x31, 6, 2, 1, 1, 2, 1, 2]),
            (utc_time(0), b"\x17\x0d700101000000Z".to_vec()),
            (generalized_time(1_700_000_000), b"\x18\x0f20231114221320Z".to_vec()),
        ] {
            assert_eq!(written, expected);
        }
        assert_eq!(octets(&[7; 0x80])[..3], [4, 0x81, 0x80]);
        assert_eq!(octets(&[7; 0x100])[..4], [4, 0x82, 1, 0]);
    }
}
