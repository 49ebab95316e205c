//! The advisory database: edits of a real one, its digest set right, since nothing else gets past it.

use std::fs;
use std::sync::OnceLock;

use plimsoll_core::advisory::{
    Advisories, Advisory, Affected, Cvss, EndOfLife, Epss, FeedRecord, FixState, Kev, LookupError, Range,
    RangeEnd, Severity, Status,
};
use plimsoll_feeds::database::{Builder, Database, diff};
use plimsoll_feeds::feeds::Sink;
use sha2::{Digest, Sha256};

use crate::bytes::edited;
use crate::place::place;

/// Where the digest of the body stands, and where the body begins.
const DIGEST: std::ops::Range<usize> = 24..56;
const BODY: usize = 128;

/// Opens, verifies and asks. An input that begins with the magic is a file, any other is edits of one.
pub fn advisory_database(data: &[u8]) {
    let mut bytes = if data.starts_with(b"PLIMSDB\n") { data.to_vec() } else { edited(real(), data) };
    if bytes.len() > BODY {
        let digest = Sha256::digest(&bytes[BODY..]);
        bytes[DIGEST].copy_from_slice(&digest);
    }
    let path = place("mutated");
    fs::write(&path, &bytes).expect("the directory for temporary files can be written to");
    let Ok(database) = Database::open(&path) else { return };
    let is_sound = database.verify().is_ok();
    let asked = ask(&database);
    assert!(!is_sound || asked.is_ok(), "what was verified can be read: {asked:?}");
    drop(diff(&database, &database));
}

fn ask(database: &Database) -> Result<(), LookupError> {
    let mut seen = Vec::new();
    database.each_row(|_, _, row| {
        seen.push(row.advisory);
        Ok::<_, LookupError>(())
    })?;
    for (namespace, package) in [("alpine:3.20", "p3"), ("pypi", "p7"), ("", ""), ("npm", "absent")] {
        database.rows(namespace, package, &mut |row| {
            row.interval.contains(b"1");
        })?;
    }
    for advisory in seen.into_iter().chain([0, u32::MAX]).take(50) {
        let read = database.advisory(advisory);
        if advisory < database.advisory_count() {
            read?;
        }
    }
    for cve in ["CVE-2024-0001", "CVE-2024-0003", "CVE-2024-0005", "CVE-1", ""] {
        database.enrichment(cve)?;
    }
    for repository in ["r-1", "r-2", "r", ""] {
        database.products(repository)?;
    }
    for namespace in ["alpine:3.20", "debian:12", ""] {
        database.end_of_life(namespace);
    }
    Ok(())
}

fn real() -> &'static [u8] {
    static REAL: OnceLock<Vec<u8>> = OnceLock::new();
    REAL.get_or_init(|| {
        let directory = tempfile::tempdir().expect("the directory for temporary files can be written to");
        let path = directory.path().join("database");
        build().write(&path, "2024-05-01T00:00:00Z").expect("the database can be written");
        fs::read(&path).expect("it was just written")
    })
}

fn build() -> Builder {
    let mut builder = Builder::new();
    for (feed, namespaces) in [("first", ["alpine:3.20", "debian:12"]), ("second", ["npm", "pypi"])] {
        let record = FeedRecord { name: feed.to_owned(), ..FeedRecord::default() };
        let mut sink = builder.begin_feed(record);
        for nth in 0..20 {
            let advisory = Advisory {
                id: format!("CVE-2024-{nth:04}"),
                summary: format!("summary {nth}"),
                severity: Some(Severity::High),
                ..Advisory::default()
            };
            let affected = namespaces.map(|namespace| affected(namespace, nth));
            sink.advisory(&advisory, &affected);
        }
        let kev = Kev {
            date_added: "2024-01-01".to_owned(),
            due_date: "2024-02-01".to_owned(),
            is_used_by_ransomware: true,
        };
        sink.kev("CVE-2024-0003", kev);
        sink.epss("CVE-2024-0001", Epss { score: 0.5, percentile: 0.25 });
        let vectors = ["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "AV:N/AC:L/Au:N/C:C/I:C/A:C"];
        let vectors = vectors.map(|vector| Cvss::read(feed, vector).expect("it is a vector"));
        for cve in ["CVE-2024-0001", "CVE-2024-0005"] {
            sink.cvss(cve, &vectors);
        }
        for (nth, repository) in ["r-1", "r-2", "r-3"].into_iter().enumerate() {
            sink.repository(repository, &["a:9::x", "b:9", "c:9"][nth..]);
        }
        let end = EndOfLife {
            date: Some("2026-04-01".to_owned()),
            is_over: false,
            extended_until: Some("2028-04-01".to_owned()),
        };
        sink.end_of_life(namespaces[0], end);
        sink.end_of_life(namespaces[1], EndOfLife { date: None, is_over: true, extended_until: None });
        sink.refuse("record", "reason");
    }
    builder
}

fn affected(namespace: &str, nth: usize) -> Affected {
    let ends = [
        RangeEnd::Open,
        RangeEnd::Fixed("1.2.3".to_owned()),
        RangeEnd::Before("2".to_owned()),
        RangeEnd::Last("1.9".to_owned()),
    ];
    Affected {
        namespace: namespace.to_owned(),
        package: format!("p{}", nth % 9),
        status: Status::Affected,
        fix: FixState::default(),
        ranges: vec![Range {
            introduced: (nth.is_multiple_of(3)).then(|| "1.0".to_owned()),
            end: ends[nth % ends.len()].clone(),
        }],
        module: (nth.is_multiple_of(5)).then(|| "m:1".to_owned()),
        architectures: if nth.is_multiple_of(7) { vec!["x86_64".to_owned()] } else { Vec::new() },
        severity: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_one_has_all_sections() {
        let path = place("real");
        fs::write(&path, real()).expect("the directory for temporary files can be written to");
        let database = Database::open(&path).expect("it is one");
        database.verify().expect("it is sound");
        ask(&database).expect("it can be read");
        assert_eq!(database.enrichment("CVE-2024-0001").map(|known| known.cvss.len()), Ok(4));
        assert_eq!(database.products("r-2").map(|products| products.len()), Ok(2));
        assert!(database.end_of_life("alpine:3.20").is_some());
    }
}
