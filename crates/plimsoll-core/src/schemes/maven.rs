//! Versions of Maven artifacts: the order of `ComparableVersion` in Maven 3.9.
//!
//! A version is cut at `.`, at `-` and between letters and digits. `-` and each change between letters and
//! digits open a list that reaches to the end; zeros and release words (`ga`, `final`, `release`) that
//! stand before a list or before the end do not count. At one place text sorts below a list, a list below a
//! number; against the end `alpha`, `beta`, `milestone`, `rc` or `cr` and `snapshot` sort below it, `sp`
//! and then every other text above it. `a`, `b` and `m` mean `alpha`, `beta` and `milestone` only directly
//! before a digit. Letters have no case.
//!
//! What surprises: Maven's own comparison is no order. Text in the middle of a list (`1.sp.1`) is below
//! `1-alpha`, which is below `1`, which is below `1.sp.1`. So here text always opens a list of its own, as
//! Maven has it for text at the end, a release word in the middle is a zero, and a list that begins with
//! text below the end is below every one that does not. Versions without such text compare as Maven
//! compares them.
//!
//! Key: one entry an item, closed with `END`.
//!
//! | byte | item |
//! |---|---|
//! | `01`..`05` | `alpha` `beta` `milestone` `rc` `snapshot` |
//! | `07` | `sp` |
//! | `08` | other text in lower case, then `00` |
//! | `10` | a list opens whose first text is one of `01`..`05` |
//! | `11` | end |
//! | `12` | any other list opens |
//! | `20`..`9f` | first byte of a number |

use std::cmp::Ordering;

use super::{BadVersion, Scheme, bad, check, numbers};

/// The row.
pub static SCHEME: Scheme = Scheme {
    name: "maven",
    source: "https://maven.apache.org/pom.html#version-order-specification",
    key,
    compare,
};

/// Words with a rank of their own, which is their byte in a key.
const WORDS: [(&str, u8); 7] =
    [("alpha", 1), ("beta", 2), ("milestone", 3), ("rc", 4), ("cr", 4), ("snapshot", 5), ("sp", 7)];
/// Words that mean another directly before a digit.
const SHORT_WORDS: [(&str, u8); 3] = [("a", 1), ("b", 2), ("m", 3)];
/// Words for the release itself.
const RELEASE_WORDS: [&str; 3] = ["ga", "final", "release"];
/// Rank of the release among the words.
const RELEASE: u8 = 6;
/// Rank of all other text.
const OTHER: u8 = 8;
/// Characters of ranges and of properties that nobody filled in.
const FOREIGN: &[u8] = b"$(),[]{}";

/// What a version is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Item<'a> {
    /// From here to the end is a list.
    Open,
    /// Digits.
    Number(&'a str),
    /// A rank, and the text where the rank is [`OTHER`].
    Text(u8, &'a str),
}

impl Item<'_> {
    fn is_zero(&self) -> bool {
        matches!(self, Item::Number(digits) if numbers::significant(digits).is_empty())
    }
}

fn check_characters(version: &str) -> Result<(), BadVersion> {
    check(SCHEME.name, version)?;
    if !version.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(bad(SCHEME.name, version, "it holds a blank or a character beyond ASCII"));
    }
    if version.bytes().any(|byte| FOREIGN.contains(&byte)) {
        return Err(bad(SCHEME.name, version, "it holds a character of a range or of a property"));
    }
    Ok(())
}

/// Reads text as Maven does.
fn text(text: &str, is_before_digit: bool) -> Item<'_> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if RELEASE_WORDS.into_iter().any(is) {
        return Item::Number("0");
    }
    let short = SHORT_WORDS.iter().filter(|_| is_before_digit);
    match WORDS.iter().chain(short).find(|(word, _)| is(word)) {
        Some((_, rank)) => Item::Text(*rank, ""),
        None => Item::Text(OTHER, text),
    }
}

/// Hands out the items of a version; zeros and lists that do not count are still among them.
fn items<'a>(version: &'a str, mut each: impl FnMut(Item<'a>)) {
    let (mut start, mut is_digit) = (0, false);
    // Whether the innermost list has nothing yet. Text at the very start opens a list as well.
    let mut is_empty = false;
    let piece = |start, end| version.get(start..end).unwrap_or_default();
    for (at, byte) in version.bytes().enumerate() {
        let was_digit = is_digit;
        match byte {
            b'.' | b'-' => {
                let item = match piece(start, at) {
                    "" => Item::Number("0"),
                    digits if is_digit => Item::Number(digits),
                    word => text(word, false),
                };
                if matches!(item, Item::Text(..)) && !is_empty {
                    each(Item::Open);
                }
                each(item);
                is_empty = false;
                start = at + 1;
                if byte == b'-' {
                    each(Item::Open);
                    is_empty = true;
                }
                continue;
            }
            _ => is_digit = byte.is_ascii_digit(),
        }
        if is_digit != was_digit && at > start {
            if was_digit {
                each(Item::Number(piece(start, at)));
            } else {
                if !is_empty {
                    each(Item::Open);
                }
                each(text(piece(start, at), true));
            }
            each(Item::Open);
            is_empty = true;
            start = at;
        }
    }
    match piece(start, version.len()) {
        "" => {}
        digits if is_digit => each(Item::Number(digits)),
        word => {
            if !is_empty {
                each(Item::Open);
            }
            each(text(word, false));
        }
    }
}

fn key(version: &str) -> Result<Vec<u8>, BadVersion> {
    check_characters(version)?;
    let mut key = Vec::with_capacity(version.len() + 8);
    // Lists opened and zeros after them that count only if something follows.
    let (mut opened, mut zeros) = (0_usize, 0_usize);
    items(version, |item| match item {
        Item::Open => {
            opened += 1;
            zeros = 0;
        }
        _ if item.is_zero() => zeros += 1,
        Item::Number(_) | Item::Text(..) => {
            let is_below = matches!(item, Item::Text(rank, _) if rank < RELEASE);
            key.extend(std::iter::repeat_n(if is_below { 0x10 } else { 0x12 }, opened));
            key.extend(std::iter::repeat_n(numbers::LEAD_MIN, zeros));
            (opened, zeros) = (0, 0);
            match item {
                Item::Number(digits) => numbers::push(&mut key, digits),
                Item::Text(OTHER, text) => {
                    key.push(OTHER);
                    key.extend(text.bytes().map(|byte| byte.to_ascii_lowercase()));
                    key.push(0x00);
                }
                Item::Text(rank, _) => key.push(rank),
                Item::Open => {}
            }
        }
    });
    key.push(0x11);
    Ok(key)
}

fn compare(a: &str, b: &str) -> Result<Ordering, BadVersion> {
    check_characters(a)?;
    check_characters(b)?;
    let (a, b) = (normalized(a), normalized(b));
    let places = 0..a.len().max(b.len());
    let orderings = places.map(|place| {
        let (a, b) = (a.get(place..).unwrap_or_default(), b.get(place..).unwrap_or_default());
        compare_places(a, b)
    });
    Ok(orderings.into_iter().find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal))
}

/// The items that count.
fn normalized(version: &str) -> Vec<Item<'_>> {
    let mut normalized: Vec<Item<'_>> = Vec::new();
    items(version, |item| {
        if item == Item::Open {
            while normalized.last().is_some_and(Item::is_zero) {
                normalized.pop();
            }
        }
        normalized.push(item);
    });
    while normalized.last().is_some_and(|item| item.is_zero() || *item == Item::Open) {
        normalized.pop();
    }
    normalized
}

/// Compares two versions by the first of the items that are left of them.
fn compare_places(a: &[Item<'_>], b: &[Item<'_>]) -> Ordering {
    match (a.first(), b.first()) {
        (None, None) => Ordering::Equal,
        (Some(_), None) => against_end(a),
        (None, Some(_)) => against_end(b).reverse(),
        (Some(Item::Number(a)), Some(Item::Number(b))) => numbers::compare(a, b),
        (Some(Item::Number(_)), Some(_)) => Ordering::Greater,
        (Some(_), Some(Item::Number(_))) => Ordering::Less,
        (Some(Item::Text(a, text_a)), Some(Item::Text(b, text_b))) => {
            a.cmp(b).then_with(|| text_a.to_ascii_lowercase().cmp(&text_b.to_ascii_lowercase()))
        }
        (Some(Item::Text(..)), Some(Item::Open)) => Ordering::Less,
        (Some(Item::Open), Some(Item::Text(..))) => Ordering::Greater,
        (Some(Item::Open), Some(Item::Open)) => against_end(a).cmp(&against_end(b)),
    }
}

/// Compares what is left of a version with nothing left.
fn against_end(items: &[Item<'_>]) -> Ordering {
    match items.iter().find(|item| **item != Item::Open) {
        Some(Item::Text(rank, _)) => rank.cmp(&RELEASE),
        Some(_) => Ordering::Greater,
        None => Ordering::Equal,
    }
}
