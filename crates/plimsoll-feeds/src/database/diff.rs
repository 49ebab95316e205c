//! Compares two databases: which advisories came, went or changed, and which packages they touch.
//!
//! An advisory is the same when feed and id are, and unchanged when its body and all its rows are, whatever
//! their numbers and order in the two files. So an inventory that has none of the touched packages need not
//! be matched again.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use plimsoll_core::advisory::{Advisories, High, Interval, LookupError, Row};
use sha2::{Digest, Sha256};

use super::format::Body;
use super::open::Database;

/// What is different between two databases. All sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Advisories that only the new one has.
    pub added: Vec<AdvisoryName>,
    /// Advisories that only the old one has.
    pub removed: Vec<AdvisoryName>,
    /// Advisories whose body or rows differ.
    pub changed: Vec<AdvisoryName>,
    /// Namespace and name of each package that one of these advisories speaks of, in either database.
    pub packages: Vec<(String, String)>,
}

/// Which advisory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AdvisoryName {
    /// Name of the feed that states it.
    pub feed: String,
    /// Its id in that feed.
    pub id: String,
}

/// Compares two databases. Reads both from end to end: about a second for a million rows.
pub fn diff(old: &Database, new: &Database) -> Result<Diff, LookupError> {
    let mut before = Contents::read(old)?;
    let mut after = Contents::read(new)?;
    let mut found = Diff::default();
    merge(&mut before.advisories, &mut after.advisories, &mut found);
    let mut packages = BTreeSet::new();
    for (database, contents) in [(old, &before), (new, &after)] {
        let mut is_touched = vec![false; contents.hashes.len()];
        for advisory in contents.advisories.iter().filter(|advisory| advisory.is_different) {
            advisory.numbers.iter().for_each(|number| is_touched[*number as usize] = true);
        }
        database.each_row(|namespace, package, row| {
            if is_touched.get(row.advisory as usize).is_some_and(|is_touched| *is_touched) {
                packages.insert((namespace, package));
            }
            Ok::<_, LookupError>(())
        })?;
    }
    found.packages =
        packages.into_iter().map(|(namespace, name)| (namespace.to_owned(), name.to_owned())).collect();
    Ok(found)
}

/// What a database says of each advisory.
struct Contents {
    /// By number.
    hashes: Vec<u128>,
    /// Sorted by name.
    advisories: Vec<Content>,
}

struct Content {
    name: AdvisoryName,
    /// Several where a feed states different bodies under one id.
    numbers: Vec<u32>,
    hash: u128,
    is_different: bool,
}

impl Contents {
    fn read(database: &Database) -> Result<Contents, LookupError> {
        // The advisories are counted by what is read, not by what the file claims.
        let mut hashes: Vec<u128> = Vec::new();
        let mut advisories: Vec<Content> = Vec::new();
        database.each_body(|number, body| {
            let unreadable = || database.damaged(&format!("advisory {number} cannot be read"));
            let id = Body::read(body).ok_or_else(unreadable)?.id.to_owned();
            let feed = database.feeds().get(database.feed_of(number)?).ok_or_else(unreadable)?;
            let name = AdvisoryName { feed: feed.name.clone(), id };
            hashes.push(truncate(Sha256::new_with_prefix(body)));
            advisories.push(Content { name, numbers: vec![number], hash: 0, is_different: false });
            Ok::<_, LookupError>(())
        })?;
        database.each_row(|namespace, package, row| {
            let hash = hashes.get_mut(row.advisory as usize);
            let hash = hash.ok_or_else(|| database.damaged("a row is of no advisory"))?;
            // Rows are summed, so that their order, which follows the order of building, does not matter.
            *hash = hash.wrapping_add(hash_row(namespace, package, &row));
            Ok::<_, LookupError>(())
        })?;
        for (content, hash) in advisories.iter_mut().zip(&hashes) {
            content.hash = *hash;
        }
        advisories.sort_by(|a, b| a.name.cmp(&b.name));
        advisories.dedup_by(|later, kept| {
            let is_same = later.name == kept.name;
            if is_same {
                kept.numbers.append(&mut later.numbers);
                kept.hash = kept.hash.wrapping_add(later.hash);
            }
            is_same
        });
        Ok(Contents { hashes, advisories })
    }
}

/// Walks both sorted lists at once and marks what is different.
fn merge(old: &mut [Content], new: &mut [Content], found: &mut Diff) {
    let (mut old, mut new) = (old.iter_mut().peekable(), new.iter_mut().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(before), Some(after)) => before.name.cmp(&after.name),
        };
        let before = if order.is_le() { old.next() } else { None };
        let after = if order.is_ge() { new.next() } else { None };
        let list = match (&before, &after) {
            (Some(before), Some(after)) if before.hash == after.hash => continue,
            (Some(_), Some(_)) => &mut found.changed,
            (Some(_), None) => &mut found.removed,
            _ => &mut found.added,
        };
        for (place, content) in [before, after].into_iter().flatten().enumerate() {
            content.is_different = true;
            if place == 0 {
                list.push(content.name.clone());
            }
        }
    }
}

/// 128 bits of a SHA-256.
fn truncate(hasher: Sha256) -> u128 {
    let digest: [u8; 32] = hasher.finalize().into();
    digest.first_chunk().map_or(0, |bytes| u128::from_le_bytes(*bytes))
}

/// Hashes all that a row states, with its package, but for its numbers in the file.
fn hash_row(namespace: &str, package: &str, row: &Row<'_>) -> u128 {
    let mut hasher = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    field(namespace.as_bytes());
    field(package.as_bytes());
    field(row.introduced.as_bytes());
    field(row.end.as_bytes());
    field(row.module.as_bytes());
    field(row.architectures.as_bytes());
    field(row.status.name().as_bytes());
    field(row.fix.name().as_bytes());
    field(row.severity.map_or("", |severity| severity.name()).as_bytes());
    field(&[u8::from(row.has_fix)]);
    match row.interval {
        Interval::Unparsable => field(&[0]),
        Interval::Keys { low, high } => {
            field(low);
            match high {
                High::Open => field(&[1]),
                High::Before(key) => {
                    field(&[2]);
                    field(key);
                }
                High::Through(key) => {
                    field(&[3]);
                    field(key);
                }
            }
        }
    }
    truncate(hasher)
}
