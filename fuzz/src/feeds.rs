//! Every feed. The input of [`feeds`] is a line with the feed's name, then files of its upstream as `files.rs` reads
//! them: they are planned, read together, and written to a database.

use std::collections::BTreeSet;
use std::io::{self, Cursor};

use plimsoll_core::advisory::{Advisory, Affected, Cvss, EndOfLife, Epss, FeedRecord, Kev, Status};
use plimsoll_feeds::database::{Builder, FeedSink};
use plimsoll_feeds::feeds::{FEEDS, Feed, Index, Part, PlanError, Reading, Sink, Snapshot, Source, by_name};

use crate::bytes::first_line;
use crate::files::Files;
use crate::place::place;

/// Longest name of a record that is refused, in bytes: the input must not be repeated whole.
const RECORD_BYTES_MAX: usize = 400;

struct Upstream<'a>(&'a Files<'a>);

impl Index for Upstream<'_> {
    fn get(&mut self, path: &str) -> Result<Option<Vec<u8>>, PlanError> {
        Ok(self.0.upstream(path))
    }

    fn held(&self) -> Vec<String> {
        let names: BTreeSet<&str> = self.0.0.iter().map(|(path, _)| *path).collect();
        names.into_iter().filter(|name| !name.contains('/')).map(str::to_owned).collect()
    }
}

struct Parts<'a>(&'a Files<'a>, &'a [Part]);

impl Snapshot for Parts<'_> {
    fn names(&self) -> Vec<String> {
        let present = self.1.iter().filter(|part| self.0.upstream(&part.path).is_some());
        present.map(|part| part.name.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Source>>> {
        let part = self.1.iter().find(|part| part.name == name);
        let bytes = part.and_then(|part| self.0.upstream(&part.path));
        Ok(bytes.map(|bytes| Box::new(Cursor::new(bytes)) as Box<dyn Source>))
    }
}

/// Holds what a parser says to what every sink may rely on, and hands it on.
struct Checked<'a> {
    sink: FeedSink<'a>,
    records: usize,
}

impl Sink for Checked<'_> {
    fn advisory(&mut self, advisory: &Advisory, affected: &[Affected]) {
        for one in affected {
            assert!(one.status == Status::NotAffected || !one.ranges.is_empty(), "{one:?}");
        }
        self.records += 1;
        self.sink.advisory(advisory, affected);
    }

    fn kev(&mut self, cve: &str, kev: Kev) {
        self.records += 1;
        self.sink.kev(cve, kev);
    }

    fn epss(&mut self, cve: &str, epss: Epss) {
        self.records += 1;
        self.sink.epss(cve, epss);
    }

    fn cvss(&mut self, cve: &str, vectors: &[Cvss]) {
        self.records += 1;
        self.sink.cvss(cve, vectors);
    }

    fn end_of_life(&mut self, namespace: &str, end: EndOfLife) {
        self.records += 1;
        self.sink.end_of_life(namespace, end);
    }

    fn repository(&mut self, id: &str, products: &[&str]) {
        self.records += 1;
        self.sink.repository(id, products);
    }

    fn refuse(&mut self, record: &str, reason: &str) {
        assert!(record.len() < RECORD_BYTES_MAX, "the record is not shortened: {} bytes", record.len());
        self.sink.refuse(record, reason);
    }

    fn skip(&mut self, reason: &str) {
        self.sink.skip(reason);
    }

    fn data_date(&mut self, date: &str) {
        self.sink.data_date(date);
    }

    fn namespace_date(&mut self, namespace: &str, date: &str) {
        self.sink.namespace_date(namespace, date);
    }

    fn namespace(&mut self, namespace: &str) {
        self.sink.namespace(namespace);
    }
}

/// The files of one feed.
pub fn feeds(data: &[u8]) {
    read_files(data);
}

/// The same. Gives the feed, and how many records it had.
fn read_files(data: &[u8]) -> Option<(&'static Feed, usize)> {
    let (name, rest) = first_line(data)?;
    let feed = by_name(name)?;
    Some((feed, read(feed, &Files::read(rest))))
}

/// One record of OSV, in a zip as its parser is given it. The first line is the part's path.
pub fn feed_osv_record(data: &[u8]) {
    read_osv_record(data);
}

/// The same. Gives the feed, and how many records it had.
fn read_osv_record(data: &[u8]) -> Option<(&'static Feed, usize)> {
    let (path, bytes) = first_line(data)?;
    let has_it = |feed: &&'static Feed| {
        let plan = (feed.plan)(feed, &mut Upstream(&Files(Vec::new())));
        feed.name.starts_with("osv-") && plan.is_ok_and(|parts| parts.iter().any(|part| part.path == path))
    };
    let feed = FEEDS.iter().copied().find(has_it)?;
    let file = format!("{}/record.json", path.trim_end_matches("/all.zip").replace("%20", " "));
    Some((feed, read(feed, &Files(vec![(&file, bytes)]))))
}

/// Reads what the plan leads to, all as one database. Gives how many records there were.
fn read(feed: &Feed, files: &Files<'_>) -> usize {
    let parts = parts(feed, files);
    let snapshot = Parts(files, &parts);
    let mut builder = Builder::new();
    let record = FeedRecord { name: feed.name.to_owned(), ..FeedRecord::default() };
    let mut sink = Checked { sink: builder.begin_feed(record), records: 0 };
    for part in &parts {
        let Some(bytes) = files.upstream(&part.path) else { continue };
        let reading = Reading { feed, part, snapshot: &snapshot };
        drop((feed.parse)(&reading, &mut Cursor::new(bytes), &mut sink));
    }
    let records = sink.records;
    let built = builder.write(&place("built"), "2024-05-01T00:00:00Z");
    assert!(built.is_ok(), "what a feed says can be written and read: {built:?}");
    records
}

/// The parts of the plan. Where it leads to none of the files, each of them is a part by the last segment of its path,
/// so that a parser is reached without the index files in front of it.
fn parts(feed: &Feed, files: &Files<'_>) -> Vec<Part> {
    let parts = (feed.plan)(feed, &mut Upstream(files)).unwrap_or_default();
    let mut names = BTreeSet::new();
    for part in &parts {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        assert!(!part.name.starts_with('.') && part.name.bytes().all(is_plain), "{part:?}");
        assert!(names.insert(part.name.as_str()), "two parts have the name of {part:?}");
        assert!(!part.path.starts_with('/') && part.path.split('/').all(|name| name != ".."), "{part:?}");
    }
    if parts.iter().any(|part| files.upstream(&part.path).is_some()) {
        return parts;
    }
    let name = |path: &'_ str| path.rsplit('/').next().unwrap_or_default().to_owned();
    files.0.iter().map(|(path, _)| Part::new(name(path), (*path).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The feeds of a target's seeds that led to a record.
    fn reached(
        target: &str,
        read: fn(&[u8]) -> Option<(&'static Feed, usize)>,
    ) -> impl Iterator<Item = &'static str> {
        let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        // What a run has found by itself lies beside them, and comes and goes.
        let is_seed = |path: &std::path::PathBuf| {
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"seed-"))
        };
        let seeds = std::fs::read_dir(seeds).expect("`seeds.sh` has laid them out");
        let seeds = seeds.map(|seed| seed.expect("it is listed").path()).filter(is_seed);
        let seeds = seeds.map(|path| std::fs::read(path).expect("it is a file"));
        seeds
            .filter_map(move |seed| read(&seed))
            .filter(|(_, records)| *records > 0)
            .map(|(feed, _)| feed.name)
    }

    #[test]
    fn a_seed_leads_to_records_of_each_row() {
        let made =
            std::process::Command::new("sh").arg("seeds.sh").current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert!(made.is_ok_and(|status| status.success()));
        let reached: BTreeSet<&str> =
            reached("feeds", read_files).chain(reached("feed_osv_record", read_osv_record)).collect();
        assert_eq!(reached, FEEDS.iter().map(|feed| feed.name).collect());
    }
}
