//! Taking the facts out of a hive.
//!
//! The hive is walked along the paths that are wanted and nowhere else. A part that cannot be read is a problem, and what is
//! wanted elsewhere is still taken. A hive of a few kibibytes may list the same value a million times under a thousand
//! names, so what is looked at of one hive is bounded as a whole.

use super::hive::{Hive, HiveError, Key, Semantics, Value};
use super::registry::{FoundHive, FoundKey, FoundValue, Mark, WANTED, Wanted};
use crate::catalogers::Problem;

/// Most keys that are taken of one hive. The largest list that is wanted, servicing's, has some hundreds that are.
const KEYS_MAX: usize = 100_000;

/// Most values that are looked at in one hive.
const VALUES_MAX: usize = 1_000_000;

/// Most bytes of texts that are decoded of one hive. What is wanted is short.
const TEXT_BYTES_MAX: usize = 64 << 20;

/// Most problems that are told of one hive one by one.
const PROBLEMS_MAX: usize = 20;

/// Longest text of a value that is taken, in characters.
const TEXT_CHARS_MAX: usize = 1024;

/// Takes the wanted keys of a hive, and what could not be read of it.
pub fn extract(bytes: &[u8]) -> (FoundHive, Vec<Problem>) {
    let hive = match Hive::open(bytes) {
        Ok(hive) => hive,
        Err(error) => return (FoundHive::default(), vec![problem("", &error)]),
    };
    let mut taken = Taken { values_left: VALUES_MAX, text_bytes_left: TEXT_BYTES_MAX, ..Taken::default() };
    if hive.is_dirty() {
        let detail = "was not written to its end; it was read as it is, and its log may know better";
        taken.problems.push(Problem::unreadable(detail));
    }
    if !hive.has_right_sum() {
        taken.problems.push(Problem::unreadable("has a wrong checksum; it was read as it is"));
    }
    match hive.root() {
        Ok(root) => taken.all(&root),
        Err(error) => taken.failed("", &error),
    }
    taken.finish()
}

#[derive(Default)]
struct Taken {
    keys: Vec<FoundKey>,
    problems: Vec<Problem>,
    problems_left_out: usize,
    values_left: usize,
    text_bytes_left: usize,
    /// A limit of the whole hive was reached, so that nothing more is taken.
    is_full: bool,
}

impl Taken {
    fn all(&mut self, root: &Key<'_>) {
        if root.semantics() != Semantics::Merge {
            self.push(FoundKey { path: String::new(), mark: mark(root.semantics()), values: Vec::new() });
        }
        WANTED.iter().for_each(|wanted| self.wanted(root, wanted));
    }

    fn finish(mut self) -> (FoundHive, Vec<Problem>) {
        self.keys.sort_by(|a, b| a.path.cmp(&b.path));
        self.keys.dedup_by(|a, b| a.path.eq_ignore_ascii_case(&b.path));
        if self.problems_left_out > 0 {
            let detail = format!("{} more problems with it are not listed", self.problems_left_out);
            self.problems.push(Problem::limit(detail));
        }
        (FoundHive { keys: self.keys }, self.problems)
    }

    fn failed(&mut self, path: &str, error: &HiveError) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem(path, error));
        } else {
            self.problems_left_out += 1;
        }
    }

    /// Tells, once, that nothing more is taken.
    fn fill(&mut self, path: &str, what: &str) {
        if !self.is_full {
            self.is_full = true;
            self.problems.push(Problem::limit(format!("{path}: this and what follows is beyond {what}")));
        }
    }

    fn wanted(&mut self, root: &Key<'_>, wanted: &Wanted) {
        let (path, is_each) = match wanted.path.strip_suffix(r"\*") {
            Some(path) => (path, true),
            None => (wanted.path, false),
        };
        match self.walk(root, path) {
            Ok(Some(key)) if is_each => self.each(&key, path, wanted),
            Ok(Some(key)) => self.take(&key, path.to_owned(), wanted.values),
            Ok(None) => {}
            Err(error) => self.failed(path, &error),
        }
    }

    /// Goes to a key; those on the way that mark something are taken.
    fn walk<'b>(&mut self, root: &Key<'b>, path: &str) -> Result<Option<Key<'b>>, HiveError> {
        let mut key = *root;
        let mut at = String::new();
        for name in path.split('\\') {
            let Some(next) = key.subkey(name)? else { return Ok(None) };
            if !at.is_empty() {
                at.push('\\');
            }
            at.push_str(name);
            if next.semantics() != Semantics::Merge && at.len() < path.len() {
                self.push(FoundKey { path: at.clone(), mark: mark(next.semantics()), values: Vec::new() });
            }
            key = next;
        }
        Ok(Some(key))
    }

    fn each(&mut self, key: &Key<'_>, path: &str, wanted: &Wanted) {
        if key.semantics() != Semantics::Merge {
            self.push(FoundKey { path: path.to_owned(), mark: mark(key.semantics()), values: Vec::new() });
        }
        let walked = key.each_subkey(&mut |below| {
            match below.and_then(|below| Ok((below.name()?, below))) {
                Ok((name, below)) if wanted.takes(&name) => {
                    self.take(&below, format!("{path}\\{name}"), wanted.values);
                }
                Ok(_) => {}
                Err(error) => self.failed(path, &error),
            }
            !self.is_full
        });
        if let Err(error) = walked {
            self.failed(path, &error);
        }
    }

    /// Takes a key with the wanted of its values, each name once.
    fn take(&mut self, key: &Key<'_>, path: String, wanted: &[&str]) {
        let mut values: Vec<(String, FoundValue)> = Vec::new();
        match key.values() {
            Ok(all) => {
                for value in all {
                    if self.values_left == 0 {
                        self.fill(&path, "1,000,000 values");
                        break;
                    }
                    self.values_left -= 1;
                    match value.and_then(|value| self.value(&value, wanted, &values)) {
                        Ok(taken) => values.extend(taken),
                        Err(error) => self.failed(&path, &error),
                    }
                }
            }
            Err(error) => self.failed(&path, &error),
        }
        self.push(FoundKey { path, mark: mark(key.semantics()), values });
    }

    /// A value with its name, if it is wanted and not there yet.
    fn value(
        &mut self,
        value: &Value<'_>,
        wanted: &[&str],
        known: &[(String, FoundValue)],
    ) -> Result<Option<(String, FoundValue)>, HiveError> {
        for name in wanted {
            if value.is_named(name)? {
                let is_known = known.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
                let taken = if is_known { None } else { of_value(value)? };
                if let Some(FoundValue::Text(text)) = &taken {
                    self.text_bytes_left = self.text_bytes_left.saturating_sub(text.len());
                    if self.text_bytes_left == 0 {
                        self.fill(name, "64 MiB of texts");
                    }
                }
                return Ok(taken.map(|taken| ((*name).to_owned(), taken)));
            }
        }
        Ok(None)
    }

    fn push(&mut self, key: FoundKey) {
        if self.keys.len() < KEYS_MAX {
            self.keys.push(key);
        } else {
            self.fill(&key.path, "100,000 keys");
        }
    }
}

/// A value of a type that is read; others say nothing.
fn of_value(value: &Value<'_>) -> Result<Option<FoundValue>, HiveError> {
    if value.is_tombstone() {
        return Ok(Some(FoundValue::Tombstone));
    }
    if let Some(number) = value.number()? {
        return Ok(Some(FoundValue::Number(number)));
    }
    let text = value.text()?;
    Ok(text.map(|text| FoundValue::Text(text.chars().take(TEXT_CHARS_MAX).collect())))
}

fn mark(semantics: Semantics) -> Mark {
    match semantics {
        Semantics::Merge => Mark::Merge,
        Semantics::Tombstone => Mark::Tombstone,
        Semantics::SupersedeLocal => Mark::SupersedeLocal,
        Semantics::SupersedeTree => Mark::SupersedeTree,
    }
}

fn problem(path: &str, error: &HiveError) -> Problem {
    let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
    Problem { is_limit: error.is_limit, detail: format!("{place}{error}") }
}
