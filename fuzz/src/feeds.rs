//! Every feed. The input of [`feeds`] is a line `FEED PATH`, then that part; with `plan` as its path it is every
//! index file instead.

use std::io::{self, Cursor};

use plimsoll_core::advisory::FeedRecord;
use plimsoll_feeds::database::Builder;
use plimsoll_feeds::feeds::{FEEDS, Feed, Index, Part, PlanError, Reading, Snapshot, Source};

use crate::bytes::{first_line, zip_of};

struct Same<'a>(&'a [u8]);

impl Index for Same<'_> {
    fn get(&mut self, _: &str) -> Result<Option<Vec<u8>>, PlanError> {
        Ok(Some(self.0.to_vec()))
    }

    fn held(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The part that is read has no other beside it.
struct Alone;

impl Snapshot for Alone {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn open(&self, _: &str) -> io::Result<Option<Box<dyn Source>>> {
        Ok(None)
    }
}

/// One part of one feed, or its index files.
pub fn feeds(data: &[u8]) {
    let Some((line, bytes)) = first_line(data) else { return };
    let Some((name, path)) = line.split_once(' ') else { return };
    let Some(feed) = FEEDS.iter().find(|feed| feed.name == name) else { return };
    if path == "plan" {
        if let Ok(parts) = (feed.plan)(feed, &mut Same(bytes)) {
            assert!(parts.iter().all(|part| !part.name.contains('/')), "{parts:?}");
        }
    } else {
        parse(feed, path, bytes);
    }
}

/// One record of OSV, in a zip as its parser is given it. The first line is the part's path.
pub fn feed_osv_record(data: &[u8]) {
    let Some((path, bytes)) = first_line(data) else { return };
    let has_it = |feed: &&&Feed| {
        let plan = (feed.plan)(feed, &mut Same(&[]));
        feed.name.starts_with("osv-") && plan.is_ok_and(|parts| parts.iter().any(|part| part.path == path))
    };
    let Some(feed) = FEEDS.iter().find(has_it) else { return };
    parse(feed, path, &zip_of("record.json", bytes));
}

/// Reads a part into a database under construction, which is where every record goes.
fn parse(feed: &Feed, path: &str, bytes: &[u8]) {
    let mut builder = Builder::new();
    let record = FeedRecord { name: feed.name.to_owned(), ..FeedRecord::default() };
    let part = Part::new("part", path);
    let reading = Reading { feed, part: &part, snapshot: &Alone };
    drop((feed.parse)(&reading, &mut Cursor::new(bytes.to_vec()), &mut builder.begin_feed(record)));
}
