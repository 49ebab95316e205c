//! Versions, references, challenges, links, and text on its way to a screen.

use plimsoll_core::schemes::SCHEMES;
use plimsoll_image::open::registry::auth::parse_challenges;
use plimsoll_image::open::registry::listing::next_link;
use plimsoll_image::open::registry::reference::{RegistryReference, RepositoryName};
use plimsoll_report::printable::{one_line, printable};

/// Two versions, a line each, of the scheme that the first byte picks: the keys' order is the comparator's.
pub fn schemes(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let Some((a, b)) = text.split_once('\n') else { return };
    let row = SCHEMES[usize::from(first) % SCHEMES.len()];
    let (key_a, key_b, compared) = ((row.key)(a), (row.key)(b), (row.compare)(a, b));
    match (key_a, key_b) {
        (Ok(key_a), Ok(key_b)) => {
            let compared = compared.expect("what has a key can be compared");
            assert_eq!(key_a.cmp(&key_b), compared, "{}: `{a}` and `{b}`", row.name);
            let back = (row.compare)(b, a).expect("what has a key can be compared");
            assert_eq!(back, compared.reverse(), "{}: `{a}` and `{b}`", row.name);
        }
        _ => assert!(compared.is_err(), "{}: `{a}` and `{b}` have no keys and an order", row.name),
    }
}

/// A reference and a challenge. What is read is written as it would be read again.
pub fn registry(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    drop(parse_challenges(&text));
    next_link(&text);
    if let Ok(reference) = text.parse::<RegistryReference>() {
        assert_eq!(reference.to_string().parse().as_ref(), Ok(&reference), "`{text}`");
    }
    if let Ok(name) = text.parse::<RepositoryName>() {
        assert_eq!(name.to_string().parse().as_ref(), Ok(&name), "`{text}`");
    }
}

/// Nothing that a terminal obeys is left, and what is safe stays as it is.
pub fn report_text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for shown in [printable(&text), one_line(&text)] {
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        assert_eq!(printable(&shown), shown);
    }
    assert!(!one_line(&text).contains("  "));
}
