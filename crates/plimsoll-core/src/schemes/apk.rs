//! Versions of Alpine's apk: `digits{.digits}{letter}{_suffix{digits}}{~hash}{-rN}`.
//!
//! Follows apk-tools 3. Two versions are compared token by token; where they part in *kind* of token, the
//! kind decides: a suffix of a pre-release (`_alpha`, `_beta`, `_pre`, `_rc`) sorts before everything, the
//! end comes next, then `-rN`, `~hash`, a suffix's number, a later suffix (`_cvs`, `_svn`, `_git`, `_hg`,
//! `_p`), the letter, another component. What surprises: components after the first that have a leading
//! zero are compared as text (`1.09` is below `1.1`, and `1.0` below `1.00`), and `1.0` is below `1.0-r0`.
//!
//! Key: one entry a token, closed with `END`.
//!
//! | byte | token | followed by |
//! |---|---|---|
//! | `01`..`04` | `_alpha` `_beta` `_pre` `_rc` | |
//! | `05` | end | |
//! | `06` | `-r` | number |
//! | `07` | `~` | hash, `00` |
//! | `08` | number of a suffix | number |
//! | `09`..`0d` | `_cvs` `_svn` `_git` `_hg` `_p` | |
//! | `0e` | letter | letter |
//! | `0f` | component with a leading zero | digits, `00` |
//! | `20`..`9f` | component | |

use std::cmp::Ordering;

use super::{BadVersion, Scheme, bad, check, numbers};

/// The row.
pub static SCHEME: Scheme = Scheme {
    name: "apk",
    source: "https://gitlab.alpinelinux.org/alpine/apk-tools/-/blob/master/src/version.c",
    key,
    compare,
};

/// Every suffix with its byte in a key, lowest first.
const SUFFIXES: [(&str, u8); 9] = [
    ("alpha", 0x01),
    ("beta", 0x02),
    ("pre", 0x03),
    ("rc", 0x04),
    ("cvs", 0x09),
    ("svn", 0x0a),
    ("git", 0x0b),
    ("hg", 0x0c),
    ("p", 0x0d),
];
/// Byte of the end; suffixes below it are those of pre-releases.
const END: u8 = 0x05;

/// A piece of a version. The order of the variants is the order in which they may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    First(&'a str),
    Component(&'a str),
    Letter(u8),
    /// Its byte in a key, as in [`SUFFIXES`].
    Suffix(u8),
    SuffixNumber(&'a str),
    Hash(&'a str),
    Revision(&'a str),
    End,
}

impl Token<'_> {
    fn kind(&self) -> u8 {
        match self {
            Token::First(_) => 0,
            Token::Component(_) => 1,
            Token::Letter(_) => 2,
            Token::Suffix(_) => 3,
            Token::SuffixNumber(_) => 4,
            Token::Hash(_) => 5,
            Token::Revision(_) => 6,
            Token::End => 7,
        }
    }
}

/// Takes the next token off `rest`, given the one before it.
fn next<'a>(before: Option<Token<'a>>, rest: &mut &'a str) -> Result<Token<'a>, &'static str> {
    let Some(before) = before else {
        return Ok(Token::First(take_digits(rest, "it does not start with a digit")?));
    };
    let kind = before.kind();
    let Some(first) = rest.bytes().next() else { return Ok(Token::End) };
    match first {
        b'a'..=b'z' if kind <= 1 => {
            *rest = rest.get(1..).unwrap_or_default();
            Ok(Token::Letter(first))
        }
        b'a'..=b'z' => Err("a letter stands where none may"),
        b'.' if kind <= 1 => {
            *rest = rest.get(1..).unwrap_or_default();
            Ok(Token::Component(take_digits(rest, "no digit follows a `.`")?))
        }
        b'.' => Err("a `.` follows a letter, a suffix, a hash or a revision"),
        b'0'..=b'9' if kind == 3 => Ok(Token::SuffixNumber(take_digits(rest, "no digit")?)),
        b'0'..=b'9' => Err("a digit stands where none may"),
        b'_' if kind <= 4 => {
            let text = rest.get(1..).unwrap_or_default();
            let (name, tail) = take_while(text, |byte| byte.is_ascii_lowercase());
            *rest = tail;
            let known = SUFFIXES.into_iter().find(|(suffix, _)| *suffix == name);
            known.map(|(_, byte)| Token::Suffix(byte)).ok_or("it has an unknown suffix")
        }
        b'~' if kind < 5 => {
            let text = rest.get(1..).unwrap_or_default();
            let (hash, tail) = take_while(text, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            *rest = tail;
            if hash.is_empty() { Err("no hash follows the `~`") } else { Ok(Token::Hash(hash)) }
        }
        b'-' if kind < 6 => {
            *rest = rest.strip_prefix("-r").ok_or("a `-` is not followed by `r`")?;
            Ok(Token::Revision(take_digits(rest, "no digit follows `-r`")?))
        }
        b'_' | b'~' | b'-' => Err("a suffix, a hash or a revision stands where none may"),
        _ => Err("it holds a character that no version has"),
    }
}

fn take_digits<'a>(rest: &mut &'a str, missing: &'static str) -> Result<&'a str, &'static str> {
    let (digits, tail) = numbers::split(rest);
    *rest = tail;
    if digits.is_empty() { Err(missing) } else { Ok(digits) }
}

fn take_while(text: &str, is_in: impl Fn(u8) -> bool) -> (&str, &str) {
    text.split_at(text.bytes().position(|byte| !is_in(byte)).unwrap_or(text.len()))
}

/// Hands out every token, the end included.
fn tokens<'a>(version: &'a str, mut each: impl FnMut(Token<'a>)) -> Result<(), BadVersion> {
    check(SCHEME.name, version)?;
    let mut rest = version;
    let mut before = None;
    while before != Some(Token::End) {
        let token = next(before, &mut rest).map_err(|reason| bad(SCHEME.name, version, reason))?;
        each(token);
        before = Some(token);
    }
    Ok(())
}

fn key(version: &str) -> Result<Vec<u8>, BadVersion> {
    let mut key = Vec::with_capacity(version.len() + 8);
    tokens(version, |token| push(&mut key, token))?;
    Ok(key)
}

fn push(key: &mut Vec<u8>, token: Token<'_>) {
    let text = |key: &mut Vec<u8>, tag: u8, text: &str| {
        key.push(tag);
        key.extend_from_slice(text.as_bytes());
        key.push(0);
    };
    match token {
        Token::Component(digits) if digits.starts_with('0') => text(key, 0x0f, digits),
        Token::First(digits) | Token::Component(digits) => numbers::push(key, digits),
        Token::Letter(letter) => key.extend_from_slice(&[0x0e, letter]),
        Token::Suffix(byte) => key.push(byte),
        Token::SuffixNumber(digits) => {
            key.push(0x08);
            numbers::push(key, digits);
        }
        Token::Hash(hash) => text(key, 0x07, hash),
        Token::Revision(digits) => {
            key.push(0x06);
            numbers::push(key, digits);
        }
        Token::End => key.push(END),
    }
}

fn compare(a: &str, b: &str) -> Result<Ordering, BadVersion> {
    let (mut tokens_a, mut tokens_b) = (Vec::new(), Vec::new());
    tokens(a, |token| tokens_a.push(token))?;
    tokens(b, |token| tokens_b.push(token))?;
    let pairs = tokens_a.iter().zip(&tokens_b).map(|(a, b)| compare_tokens(a, b));
    Ok(pairs.into_iter().find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal))
}

fn compare_tokens(a: &Token<'_>, b: &Token<'_>) -> Ordering {
    let is_pre = |token: &Token<'_>| matches!(token, Token::Suffix(byte) if *byte < END);
    match (a, b) {
        (Token::Component(a), Token::Component(b)) if a.starts_with('0') || b.starts_with('0') => a.cmp(b),
        (Token::First(a), Token::First(b))
        | (Token::Component(a), Token::Component(b))
        | (Token::SuffixNumber(a), Token::SuffixNumber(b))
        | (Token::Revision(a), Token::Revision(b)) => numbers::compare(a, b),
        (Token::Letter(a), Token::Letter(b)) => a.cmp(b),
        (Token::Suffix(a), Token::Suffix(b)) => a.cmp(b),
        (Token::Hash(a), Token::Hash(b)) => a.cmp(b),
        _ if is_pre(a) => Ordering::Less,
        _ if is_pre(b) => Ordering::Greater,
        _ => b.kind().cmp(&a.kind()),
    }
}
