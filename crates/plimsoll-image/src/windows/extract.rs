//! Taking the facts out of a hive.
//!
//! The hive is walked along the paths that are wanted and nowhere else. A part that cannot be read is a problem, and what is
//! wanted elsewhere is still taken.

use super::hive::{Hive, HiveError, Key, Semantics};
use super::registry::{FoundHive, FoundKey, FoundValue, Mark, WANTED, Wanted};
use crate::catalogers::Problem;

/// Most keys that are taken of one hive. The largest list that is wanted, servicing's, has some hundreds that are.
const KEYS_MAX: usize = 100_000;

/// Most problems that are told of one hive.
const PROBLEMS_MAX: usize = 20;

/// Longest text of a value that is taken, in characters.
const TEXT_CHARS_MAX: usize = 1024;

/// Takes the wanted keys of a hive, and what could not be read of it.
pub fn extract(bytes: &[u8]) -> (FoundHive, Vec<Problem>) {
    let hive = match Hive::open(bytes) {
        Ok(hive) => hive,
        Err(error) => return (FoundHive::default(), vec![problem("", &error)]),
    };
    let mut taken = Taken::default();
    if hive.is_dirty() {
        let detail = "was not written to its end; it was read as it is, and its log may know better";
        taken.problems.push(Problem::unreadable(detail));
    }
    match hive.root() {
        Ok(root) => WANTED.iter().for_each(|wanted| taken.wanted(&root, wanted)),
        Err(error) => taken.failed("", &error),
    }
    taken.keys.sort_by(|a, b| a.path.cmp(&b.path));
    taken.keys.dedup_by(|a, b| a.path.eq_ignore_ascii_case(&b.path));
    (FoundHive { keys: taken.keys }, taken.problems)
}

#[derive(Default)]
struct Taken {
    keys: Vec<FoundKey>,
    problems: Vec<Problem>,
}

impl Taken {
    fn failed(&mut self, path: &str, error: &HiveError) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem(path, error));
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
            self.keys.len() <= KEYS_MAX
        });
        if let Err(error) = walked {
            self.failed(path, &error);
        }
    }

    fn take(&mut self, key: &Key<'_>, path: String, wanted: &[&str]) {
        let mut values = Vec::new();
        match key.values() {
            Ok(all) => {
                for value in all {
                    let taken = value.name().and_then(|name| {
                        let is_wanted = wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(&name));
                        Ok(if is_wanted { of_value(&value)?.map(|value| (name, value)) } else { None })
                    });
                    match taken {
                        Ok(taken) => values.extend(taken),
                        Err(error) => self.failed(&path, &error),
                    }
                }
            }
            Err(error) => self.failed(&path, &error),
        }
        self.push(FoundKey { path, mark: mark(key.semantics()), values });
    }

    fn push(&mut self, key: FoundKey) {
        if self.keys.len() < KEYS_MAX {
            self.keys.push(key);
        } else if self.keys.len() == KEYS_MAX {
            let detail = format!("{}: this and what follows is beyond {KEYS_MAX} keys", key.path);
            self.problems.push(Problem::limit(detail));
            self.keys.push(FoundKey::default());
        }
    }
}

/// A value of a type that is read; others say nothing.
fn of_value(value: &super::hive::Value<'_>) -> Result<Option<FoundValue>, HiveError> {
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
