//! The names that advisories go by, in memory: which advisories speak of a flaw.
//!
//! No table of the file is sorted by them, since no scan asks for them. Reading all advisories takes a second where there are
//! some hundred thousand, so whoever asks more than once keeps what was read. What is kept is a hash and a number for each
//! name; what has the hash is read and held against the name.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};

use plimsoll_core::advisory::LookupError;

use super::format::{Body, Reader};
use super::open::Database;
use super::rows::{Base, StoredRow};

/// Most names that are kept: 64 MiB of them, four times what the public feeds have. Of a database with more, all advisories are
/// read each time.
const NAMES_MAX: usize = 4_000_000;

/// The names of all advisories of one database.
#[derive(Debug)]
pub struct Names {
    /// Hash of the name in lower case and number of the advisory, sorted; `None` where there are too many.
    entries: Option<Vec<(u64, u32)>>,
    hasher: RandomState,
}

impl Names {
    /// Reads all advisories.
    pub fn of(database: &Database) -> Result<Names, LookupError> {
        Names::of_at_most(database, NAMES_MAX)
    }

    fn of_at_most(database: &Database, names_max: usize) -> Result<Names, LookupError> {
        let hasher = RandomState::new();
        let mut entries = Some(Vec::new());
        database.each_read_body(|number, body| {
            let Some(some) = &mut entries else { return };
            some.extend(names(body).map(|name| (hash(&hasher, name), number)));
            if some.len() > names_max {
                entries = None;
            }
        })?;
        if let Some(some) = &mut entries {
            some.sort_unstable();
            some.dedup();
            some.shrink_to_fit();
        }
        Ok(Names { entries, hasher })
    }

    /// The numbers of the advisories that go by a name, whatever its case, in the database that these are the names of.
    pub fn advisories(&self, database: &Database, name: &str) -> Result<BTreeSet<u32>, LookupError> {
        let mut numbers = BTreeSet::new();
        let Some(entries) = &self.entries else {
            database.each_read_body(|number, body| {
                if names(body).any(|known| known.eq_ignore_ascii_case(name)) {
                    numbers.insert(number);
                }
            })?;
            return Ok(numbers);
        };
        let wanted = hash(&self.hasher, name);
        let first = entries.partition_point(|(hash, _)| *hash < wanted);
        for (_, number) in entries.iter().skip(first).take_while(|(hash, _)| *hash == wanted) {
            let is_named = database
                .with_body(*number, |body| names(&body).any(|known| known.eq_ignore_ascii_case(name)))?;
            if is_named {
                numbers.insert(*number);
            }
        }
        Ok(numbers)
    }
}

fn hash(hasher: &RandomState, name: &str) -> u64 {
    hasher.hash_one(name.to_ascii_lowercase())
}

/// Its own name and those of what it speaks of.
fn names<'b>(body: &'b Body<'_>) -> impl Iterator<Item = &'b str> {
    std::iter::once(body.id).chain(body.aliases.iter().copied()).chain(body.flaws.iter().copied())
}

impl Database {
    /// The packages that some advisories speak of, as pairs of namespace and name. Looks at every row, and at nothing of it but
    /// its number.
    pub fn packages_of_advisories(
        &self,
        advisories: &BTreeSet<u32>,
    ) -> Result<BTreeSet<(String, String)>, LookupError> {
        let mut packages = BTreeSet::new();
        if advisories.is_empty() {
            return Ok(packages);
        }
        for namespace in 0..self.namespace_count() {
            for package in self.packages_of(namespace)? {
                let (mut reader, mut base) = (Reader(self.package_rows(package)?), Base::default());
                let mut is_spoken_of = false;
                while !reader.is_empty() && !is_spoken_of {
                    let row = StoredRow::read(&mut reader, &mut base);
                    let row = row.ok_or_else(|| self.damaged("a row makes no sense"))?;
                    is_spoken_of = advisories.contains(&row.advisory);
                }
                if is_spoken_of {
                    let name = self.package_name(package)?.to_owned();
                    packages.insert((self.namespace_name(namespace)?.to_owned(), name));
                }
            }
        }
        Ok(packages)
    }

    /// Hands out every advisory as it is stored, by its number.
    fn each_read_body(&self, mut each: impl FnMut(u32, &Body<'_>)) -> Result<(), LookupError> {
        self.each_body(|number, bytes| {
            let body = Body::read(bytes);
            let body = body.ok_or_else(|| self.damaged(&format!("advisory {number} cannot be read")))?;
            each(number, &body);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::advisory::{Advisory, Affected, FeedRecord, FixState, Range, RangeEnd, Status};

    use super::*;
    use crate::database::Builder;
    use crate::feeds::Sink as _;

    /// Advisories of three feeds, some with names in common.
    fn database(folder: &std::path::Path) -> Database {
        let mut builder = Builder::new();
        let affected = |namespace: &str, package: &str| Affected {
            namespace: namespace.to_owned(),
            package: package.to_owned(),
            status: Status::Affected,
            fix: FixState::Unstated,
            ranges: vec![Range { introduced: None, end: RangeEnd::Open }],
            module: None,
            architectures: Vec::new(),
            severity: None,
        };
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        for (feed, id, aliases, flaws, packages) in [
            ("a", "CVE-2030-1", [].as_slice(), [].as_slice(), [("npm", "one"), ("pypi", "one")].as_slice()),
            ("b", "GHSA-abcd", &["CVE-2030-1"], &[], &[("npm", "one"), ("npm", "two")]),
            ("c", "ERRATA:7", &["cve-2030-1"], &["CVE-2030-2", "CVE-2030-1"], &[("gem", "Three")]),
            ("d", "CVE-2030-10", &[], &["CVE-2030-2"], &[("gem", "four")]),
        ] {
            let mut sink = builder.begin_feed(FeedRecord { name: feed.to_owned(), ..FeedRecord::default() });
            let advisory = Advisory {
                id: id.to_owned(),
                aliases: texts(aliases),
                flaws: texts(flaws),
                ..Advisory::default()
            };
            let packages: Vec<Affected> = packages.iter().map(|(a, b)| affected(a, b)).collect();
            sink.advisory(&advisory, &packages);
        }
        let path = folder.join("advisories.db");
        builder.write(&path, "2030-01-01T00:00:00Z").unwrap();
        Database::open(&path).unwrap()
    }

    #[test]
    fn advisories_are_found_by_each_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(folder.path());
        // With all names in memory, and where there are too many for that.
        for names_max in [NAMES_MAX, 3] {
            let names = Names::of_at_most(&database, names_max).unwrap();
            assert_eq!(names.entries.is_some(), names_max > 3);
            for (name, numbers, packages) in [
                ("CVE-2030-1", [0, 1, 2].as_slice(), "gem Three, npm one, npm two, pypi one"),
                ("cve-2030-1", &[0, 1, 2], "gem Three, npm one, npm two, pypi one"),
                ("CVE-2030-2", &[2, 3], "gem Three, gem four"),
                ("ghsa-ABCD", &[1], "npm one, npm two"),
                ("errata:7", &[2], "gem Three"),
                ("CVE-2030", &[], ""),
                ("", &[], ""),
            ] {
                let found = names.advisories(&database, name).unwrap();
                assert_eq!(found.iter().copied().collect::<Vec<_>>(), numbers, "{name}");
                let found = database.packages_of_advisories(&found).unwrap();
                let found: Vec<String> = found.iter().map(|(a, b)| format!("{a} {b}")).collect();
                assert_eq!(found.join(", "), packages, "{name}");
            }
        }
    }

    #[test]
    fn whatever_has_the_hash_of_a_name_is_held_against_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(folder.path());
        let mut names = Names::of(&database).unwrap();
        let wanted = hash(&names.hasher, "CVE-2030-1");
        // As if all names had one hash.
        names.entries.iter_mut().flatten().for_each(|entry| entry.0 = wanted);
        names.entries.iter_mut().for_each(|entries| entries.sort_unstable());
        assert_eq!(names.advisories(&database, "CVE-2030-1").unwrap(), BTreeSet::from([0, 1, 2]));
    }
}
