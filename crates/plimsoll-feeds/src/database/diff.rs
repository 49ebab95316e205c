//! Compares two databases: which advisories came, went or changed, and which packages they touch.
//!
//! An advisory is the same when feed and id are, and unchanged when its body and all its rows are, whatever
//! their numbers and order in the two files. So an inventory that has none of the touched packages need not
//! be matched again.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::advisory::{Advisories, High, Interval, LookupError, Row};
use sha2::{Digest, Sha256};

use super::format::{self, Body};
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

/// Compares two databases. Reads both from end to end, which takes a second or two for a million rows.
pub fn diff(old: &Database, new: &Database) -> Result<Diff, LookupError> {
    let (before, after) = (contents(old)?, contents(new)?);
    let mut found = Diff::default();
    let mut is_touched = [vec![false; before.len()], vec![false; after.len()]];
    merge(&before, &after, &mut found, &mut is_touched);
    drop((before, after));
    let mut packages = BTreeSet::new();
    for (database, is_touched) in [old, new].into_iter().zip(&is_touched) {
        let mut last = None;
        database.each_row(|namespace, package, row| {
            let is_touched = is_touched.get(row.advisory as usize).is_some_and(|is_touched| *is_touched);
            if is_touched && last != Some((namespace, package)) {
                last = Some((namespace, package));
                packages.insert((namespace, package));
            }
            Ok::<_, LookupError>(())
        })?;
    }
    found.packages =
        packages.into_iter().map(|(namespace, name)| (namespace.to_owned(), name.to_owned())).collect();
    Ok(found)
}

/// The packages of flaws of which something else is said by now beside advisories: that they are exploited, or how they
/// are scored. [`diff`] says nothing of these. EPSS, which says something else of every flaw every day, does not count.
///
/// Sorted pairs of namespace and name, as in [`Diff::packages`].
pub fn packages_rated_anew(old: &Database, new: &Database) -> Result<Vec<(String, String)>, LookupError> {
    let (before, after) = (ratings(old)?, ratings(new)?);
    let is_same = |cve: &u64| before.get(cve) == after.get(cve);
    let anew: BTreeSet<u64> =
        before.keys().chain(after.keys()).filter(|cve| !is_same(cve)).copied().collect();
    let mut packages = BTreeSet::new();
    if anew.is_empty() {
        return Ok(Vec::new());
    }
    // What only the old one has an advisory of is in the other diff.
    let mut is_touched = Vec::new();
    new.each_body(|number, body| {
        let unreadable = || new.damaged(&format!("advisory {number} cannot be read"));
        let body = Body::read(body).ok_or_else(unreadable)?;
        let mut names = std::iter::once(body.id).chain(body.aliases).chain(body.flaws);
        is_touched.push(names.any(|name| format::pack_cve(name).is_some_and(|cve| anew.contains(&cve))));
        Ok::<_, LookupError>(())
    })?;
    new.each_row(|namespace, package, row| {
        if is_touched.get(row.advisory as usize).is_some_and(|is_touched| *is_touched) {
            packages.insert((namespace, package));
        }
        Ok::<_, LookupError>(())
    })?;
    let owned = packages.into_iter().map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
    Ok(owned.collect())
}

/// A hash of what is said of each CVE beside advisories and EPSS.
fn ratings(database: &Database) -> Result<BTreeMap<u64, u128>, LookupError> {
    let mut ratings: BTreeMap<u64, u128> = BTreeMap::new();
    let mut note = |cve: u64, fields: [&str; 3]| {
        let mut hasher = Sha256::new();
        for field in fields {
            hasher.update((field.len() as u64).to_le_bytes());
            hasher.update(field);
        }
        let rating = ratings.entry(cve).or_default();
        *rating = rating.wrapping_add(truncate(hasher));
    };
    database.each_kev(|cve, _| {
        // That it is listed is what counts, not until when somebody must act.
        note(cve, ["listed", "", ""]);
        Ok::<_, LookupError>(())
    })?;
    database.each_cvss(|cve, cvss| {
        note(cve, ["scored", &cvss.source, &cvss.vector]);
        Ok::<_, LookupError>(())
    })?;
    Ok(ratings)
}

/// What a database says in one advisory.
struct Content<'a> {
    feed: &'a str,
    id: Box<str>,
    number: u32,
    /// Of the body and all rows.
    hash: u128,
}

impl Content<'_> {
    fn name(&self) -> (&str, &str) {
        (self.feed, &self.id)
    }
}

/// What a database says, sorted by feed and id. Those may repeat: a feed may state several bodies under one
/// id.
fn contents(database: &Database) -> Result<Vec<Content<'_>>, LookupError> {
    // The advisories are counted by what is read, not by what the file claims.
    let mut contents: Vec<Content<'_>> = Vec::new();
    database.each_body(|number, body| {
        let unreadable = || database.damaged(&format!("advisory {number} cannot be read"));
        let id = Body::read(body).ok_or_else(unreadable)?.id.into();
        let feed = database.feeds().get(database.feed_of(number)?).ok_or_else(unreadable)?;
        let hash = truncate(Sha256::new_with_prefix(body));
        contents.push(Content { feed: &feed.name, id, number, hash });
        Ok::<_, LookupError>(())
    })?;
    database.each_row(|namespace, package, row| {
        let content = contents.get_mut(row.advisory as usize);
        let content = content.ok_or_else(|| database.damaged("a row is of no advisory"))?;
        // Rows are summed, so that their order, which follows the order of building, does not matter.
        content.hash = content.hash.wrapping_add(hash_row(namespace, package, &row));
        Ok::<_, LookupError>(())
    })?;
    contents.sort_unstable_by(|a, b| a.name().cmp(&b.name()).then(a.number.cmp(&b.number)));
    Ok(contents)
}

/// Walks both sorted lists at once, all of a name together, and notes what is different and its numbers.
fn merge(old: &[Content<'_>], new: &[Content<'_>], found: &mut Diff, is_touched: &mut [Vec<bool>; 2]) {
    let is_one = |a: &Content<'_>, b: &Content<'_>| a.name() == b.name();
    let mut old = old.chunk_by(is_one).peekable();
    let mut new = new.chunk_by(is_one).peekable();
    let hash =
        |group: &[Content<'_>]| group.iter().fold(0u128, |sum, content| sum.wrapping_add(content.hash));
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(before), Some(after)) => {
                before.first().map(Content::name).cmp(&after.first().map(Content::name))
            }
        };
        let before = if order.is_le() { old.next().unwrap_or(&[]) } else { &[] };
        let after = if order.is_ge() { new.next().unwrap_or(&[]) } else { &[] };
        let list = match order {
            Ordering::Less => &mut found.removed,
            Ordering::Greater => &mut found.added,
            Ordering::Equal if hash(before) == hash(after) => continue,
            Ordering::Equal => &mut found.changed,
        };
        if let Some(content) = before.first().or(after.first()) {
            list.push(AdvisoryName { feed: content.feed.to_owned(), id: content.id.to_string() });
        }
        for (group, is_touched) in [before, after].into_iter().zip(is_touched.iter_mut()) {
            for content in group {
                if let Some(is_touched) = is_touched.get_mut(content.number as usize) {
                    *is_touched = true;
                }
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
