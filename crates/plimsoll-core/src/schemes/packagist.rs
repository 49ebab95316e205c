//! Versions of Composer packages: normalized as Composer does, compared as PHP's `version_compare` does.
//!
//! Up to four numbers, the missing ones zero, then one word of stability with numbers of its own (`-beta2`,
//! `RC1`, `p1`, `pl1`), then `-dev`. Instead of four numbers a date may stand, whose parts are not filled
//! up (`2010-01-02`, `20100102`). What surprises: a branch with a number is one (`1.x-dev` is
//! 1.9999999.9999999.9999999-dev), `-stable` makes all that follows it not count, and the word `patch`
//! sorts above further numbers. A branch with a name (`dev-main`, `master`) is refused: Composer compares
//! it with nothing but itself.
//!
//! Key: one entry a part, closed with `END`.
//!
//! | byte | part |
//! |---|---|
//! | `01`..`04` | `dev` `alpha` `beta` `RC` |
//! | `05` | end |
//! | `20`..`9f` | first byte of a number |
//! | `a0` | `patch` |

use std::cmp::Ordering;

use super::{BadVersion, Scheme, bad, check, numbers};

/// The row.
pub static SCHEME: Scheme = Scheme {
    name: "packagist",
    source: "https://getcomposer.org/doc/articles/versions.md and https://www.php.net/version_compare",
    key,
    compare,
};

/// What Composer writes for the `x` of a branch.
const WILDCARD: &str = "9999999";
/// Every spelling of a stability, longer before shorter where one begins with the other.
const WORDS: [(&str, Word); 9] = [
    ("stable", Word::Stable),
    ("beta", Word::Beta),
    ("b", Word::Beta),
    ("rc", Word::Candidate),
    ("alpha", Word::Alpha),
    ("a", Word::Alpha),
    ("patch", Word::Patch),
    ("pl", Word::Patch),
    ("p", Word::Patch),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Dev,
    Alpha,
    Beta,
    Candidate,
    Stable,
    Patch,
}

/// A part of a normalized version.
#[derive(Clone, Copy)]
enum Part<'a> {
    Number(&'a str),
    Word(Word),
}

/// Hands out the parts of the normalized version.
fn parts<'a>(version: &'a str, mut each: impl FnMut(Part<'a>)) -> Result<(), BadVersion> {
    check(SCHEME.name, version)?;
    read(version.trim(), &mut each).map_err(|reason| bad(SCHEME.name, version, reason))
}

fn read<'a>(version: &'a str, each: &mut dyn FnMut(Part<'a>)) -> Result<(), &'static str> {
    let version = without_flag(version);
    if starts_with(version, "dev-") || ["master", "trunk", "default"].contains(&version) {
        return Err("it is a branch, which Composer orders among no versions");
    }
    let version = without_build(version)?;
    let plain = version.strip_prefix(['v', 'V']).unwrap_or(version);
    let end = plain.bytes().position(|byte| !byte.is_ascii_digit() && !b".:-".contains(&byte));
    let (digits, _) = plain.split_at(end.unwrap_or(plain.len()));
    let digits = digits.trim_end_matches(['.', ':', '-']);
    let modifier = Modifier::read(plain.get(digits.len()..).unwrap_or_default());
    match modifier {
        Some(modifier) if is_classical(digits) => {
            let count = digits.split('.').map(|number| each(Part::Number(number))).count();
            (count..4).for_each(|_| each(Part::Number("0")));
            modifier.hand_out(each);
            Ok(())
        }
        Some(modifier) if is_date(digits) => {
            digits.split(['.', ':', '-']).for_each(|number| each(Part::Number(number)));
            modifier.hand_out(each);
            Ok(())
        }
        _ => read_branch(plain, each),
    }
}

/// Drops `@stability`.
fn without_flag(version: &str) -> &str {
    let flags = ["stable", "rc", "beta", "alpha", "dev"];
    match version.rsplit_once('@') {
        Some((rest, flag)) if flags.iter().any(|known| flag.eq_ignore_ascii_case(known)) => rest,
        _ => version,
    }
}

/// Drops `+build`.
fn without_build(version: &str) -> Result<&str, &'static str> {
    match version.split_once('+') {
        None => Ok(version),
        Some((_, build)) if build.is_empty() || build.contains(char::is_whitespace) => {
            Err("its build metadata is empty or holds a blank")
        }
        Some((version, _)) => Ok(version),
    }
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Up to four numbers, the first of at most five digits.
fn is_classical(digits: &str) -> bool {
    let first = digits.split('.').next().unwrap_or_default();
    first.len() <= 5 && digits.split('.').count() <= 4 && digits.split('.').all(numbers::is_number)
}

/// Four digits, one to six pairs, up to two runs of one to three digits; a separator before each may stand.
fn is_date(digits: &str) -> bool {
    let Some((year, rest)) = digits.split_at_checked(4) else { return false };
    numbers::is_number(year) && is_rest_of_date(rest, 0, 0)
}

/// Matches what follows the year; no deeper than six pairs and two tails.
fn is_rest_of_date(rest: &str, pairs: u8, tails: u8) -> bool {
    if rest.is_empty() {
        return pairs > 0;
    }
    let rest = rest.strip_prefix(['.', ':', '-']).unwrap_or(rest);
    let after = |count| rest.split_at_checked(count).filter(|(run, _)| numbers::is_number(run));
    let is_pair = tails == 0 && pairs < 6;
    if is_pair && after(2).is_some_and(|(_, rest)| is_rest_of_date(rest, pairs + 1, 0)) {
        return true;
    }
    let is_tail = pairs > 0 && tails < 2;
    is_tail
        && [1, 2, 3].into_iter().filter_map(after).any(|(_, rest)| is_rest_of_date(rest, pairs, tails + 1))
}

/// What may follow the numbers.
struct Modifier<'a> {
    word: Option<Word>,
    /// Numbers of the word, separated by `.` or `-` or not at all.
    numbers: &'a str,
    is_dev: bool,
}

impl<'a> Modifier<'a> {
    /// Reads `[._-]word[.-]numbers[.-]dev`, each of which may be missing.
    fn read(text: &'a str) -> Option<Modifier<'a>> {
        let stripped = text.strip_prefix(['.', '_', '-']).unwrap_or(text);
        // The first separator may as well be the one of `dev`.
        let rest = if is_dev(text) { text } else { stripped };
        let found = WORDS.iter().find(|(word, _)| starts_with(rest, word));
        let (word, rest) = match found {
            None => (None, rest),
            Some((text, word)) => (Some(*word), rest.get(text.len()..).unwrap_or_default()),
        };
        let mut end = 0;
        while let Some(tail) = rest.get(end..).filter(|_| word.is_some()) {
            let digits = tail.strip_prefix(['.', '-']).unwrap_or(tail);
            let (run, after) = numbers::split(digits);
            if run.is_empty() {
                break;
            }
            end = rest.len() - after.len();
        }
        let (numbers, rest) = rest.split_at_checked(end)?;
        let is_dev = is_dev(rest);
        (is_dev || rest.is_empty()).then_some(Modifier { word, numbers, is_dev })
    }

    fn hand_out(&self, each: &mut dyn FnMut(Part<'a>)) {
        if self.word == Some(Word::Stable) {
            return;
        }
        if let Some(word) = self.word {
            each(Part::Word(word));
        }
        let runs = self.numbers.split(['.', '-']).filter(|run| !run.is_empty());
        runs.for_each(|run| each(Part::Number(run)));
        if self.is_dev {
            each(Part::Word(Word::Dev));
        }
    }
}

/// Whether a text is `dev`, with or without a separator.
fn is_dev(text: &str) -> bool {
    text.strip_prefix(['.', '-']).unwrap_or(text).eq_ignore_ascii_case("dev")
}

/// Reads a branch with a number: `1.x-dev`, `2.*-dev`.
fn read_branch<'a>(version: &'a str, each: &mut dyn FnMut(Part<'a>)) -> Result<(), &'static str> {
    const NEITHER: &str =
        "it is neither up to four numbers with a stability, nor a date, nor a branch with a number";
    let split = version.len().checked_sub(3).and_then(|at| version.split_at_checked(at));
    let (branch, _) = split.filter(|(_, dev)| dev.eq_ignore_ascii_case("dev")).ok_or(NEITHER)?;
    let branch = branch.strip_suffix(['.', '-']).unwrap_or(branch);
    let is_wildcard = |part: &str| matches!(part, "x" | "X" | "*");
    let is_valid = |(index, part)| numbers::is_number(part) || index > 0 && is_wildcard(part);
    let count = branch.split('.').count();
    if count > 4 || !branch.split('.').enumerate().all(is_valid) {
        return Err(NEITHER);
    }
    for part in branch.split('.') {
        each(Part::Number(if is_wildcard(part) { WILDCARD } else { part }));
    }
    (count..4).for_each(|_| each(Part::Number(WILDCARD)));
    each(Part::Word(Word::Dev));
    Ok(())
}

fn key(version: &str) -> Result<Vec<u8>, BadVersion> {
    let mut key = Vec::with_capacity(version.len() + 16);
    parts(version, |part| match part {
        Part::Number(digits) => numbers::push(&mut key, digits),
        Part::Word(Word::Dev) => key.push(0x01),
        Part::Word(Word::Alpha) => key.push(0x02),
        Part::Word(Word::Beta) => key.push(0x03),
        Part::Word(Word::Candidate) => key.push(0x04),
        Part::Word(Word::Patch) => key.push(0xa0),
        // Never handed out: Composer drops it.
        Part::Word(Word::Stable) => {}
    })?;
    key.push(0x05);
    Ok(key)
}

fn compare(a: &str, b: &str) -> Result<Ordering, BadVersion> {
    let (mut parts_a, mut parts_b) = (Vec::new(), Vec::new());
    parts(a, |part| parts_a.push(part))?;
    parts(b, |part| parts_b.push(part))?;
    let places = 0..parts_a.len().max(parts_b.len());
    let orderings = places.map(|place| match (parts_a.get(place), parts_b.get(place)) {
        (Some(Part::Number(a)), Some(Part::Number(b))) => numbers::compare(a, b),
        (a, b) => weight(a).cmp(&weight(b)),
    });
    Ok(orderings.into_iter().find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal))
}

/// The rank that `version_compare` gives a part, or the lack of one.
fn weight(part: Option<&Part<'_>>) -> u8 {
    match part {
        Some(Part::Word(Word::Dev)) => 0,
        Some(Part::Word(Word::Alpha)) => 1,
        Some(Part::Word(Word::Beta)) => 2,
        Some(Part::Word(Word::Candidate)) => 3,
        None | Some(Part::Word(Word::Stable)) => 4,
        Some(Part::Number(_)) => 5,
        Some(Part::Word(Word::Patch)) => 6,
    }
}
