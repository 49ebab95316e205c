//! Files that are not what they should be: never opened or never verified, and never a panic.

use std::fs;

use plimsoll_core::advisory::{Advisories, Cvss, Epss, LookupError, Row};
use plimsoll_feeds::database::{Database, Names, OpenError, diff};
use plimsoll_feeds::feeds::Sink;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sha2::{Digest, Sha256};

use super::{feed, fill_small, kev, store};

#[test]
fn other_files_are_not_opened() {
    let stored = store(fill_small);
    let good = fs::read(stored.path()).unwrap();
    let edited = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let other = stored.directory.path().join("other.db");
    let open = |bytes: &[u8]| {
        fs::write(&other, bytes).unwrap();
        Database::open(&other).map(drop)
    };
    assert!(matches!(open(b""), Err(OpenError::NotOne(_))));
    assert!(matches!(open(&[0; 4096]), Err(OpenError::NotOne(_))));
    assert!(matches!(open(&edited(8, 1)), Err(OpenError::Version { found: 1, .. })));
    assert!(matches!(open(&edited(128, 0xff)), Err(OpenError::Damaged { .. })));
    assert!(matches!(open(&good[..good.len() - 1]), Err(OpenError::Damaged { .. })));
    let absent = Database::open(&stored.directory.path().join("absent.db")).unwrap_err();
    assert!(absent.to_string().ends_with("run `plimsoll feeds update` to make one"), "{absent}");
    assert!(matches!(Database::open(stored.directory.path()), Err(OpenError::NotOne(_))));
}

/// Asks a database everything. Whatever it answers, it answers.
fn ask_everything(database: &Database, intact: &Database) {
    let _ = database.verify();
    let mut names = vec![("pypi", "absent")];
    intact
        .each_row(|namespace, package, _| {
            names.push((namespace, package));
            Ok::<_, LookupError>(())
        })
        .unwrap();
    for (namespace, package) in names {
        let mut numbers = Vec::new();
        let mut each = |row: Row<'_>| {
            let _ = row.interval.contains(b"2");
            numbers.push(row.advisory);
        };
        let _ = database.rows(namespace, package, &mut each);
        for number in numbers {
            let _ = database.advisory(number);
        }
    }
    for cve in ["CVE-2024-0001", "CVE-2024-0002"] {
        let _ = database.enrichment(cve);
    }
    for names in [Names::of(database), Names::of(intact)].into_iter().flatten() {
        // Of names that are another database's, too.
        let _ = names.advisories(database, "S-7");
    }
    let _ = database.packages_of_advisories(&(0..50).collect());
    let _ = diff(intact, database);
}

/// Makes the digest in the header that of the body, as somebody would who forges a file.
fn seal(bytes: &mut [u8]) {
    if let Some((header, body)) = bytes.split_at_mut_checked(128) {
        header[24..56].copy_from_slice(&Sha256::digest(body));
    }
}

/// Bytes of the section table: thirteen lengths.
const TABLE_BYTES: usize = 13 * 8;

/// Where a section begins.
fn section(bytes: &[u8], section: usize) -> usize {
    let lengths = bytes[128..128 + TABLE_BYTES].as_chunks::<8>().0;
    128 + TABLE_BYTES
        + lengths[..section].iter().map(|length| u64::from_le_bytes(*length) as usize).sum::<usize>()
}

#[test]
fn tables_that_are_out_of_order_do_not_verify_whatever_the_digest() {
    let stored = store(|builder| {
        fill_small(builder);
        let mut sink = builder.begin_feed(feed("third"));
        sink.epss("CVE-2024-0002", Epss { score: 0.1, percentile: 0.1 });
        sink.kev("CVE-2024-0002", kev());
        let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
        sink.cvss("CVE-2024-0003", &[Cvss::read("nvd", vector).unwrap()]);
        sink.repository("rhel-9-source", &["enterprise_linux:9::crb"]);
    });
    let good = fs::read(stored.path()).unwrap();
    let other = stored.directory.path().join("other.db");
    // Section, bytes of the part that is exchanged between its first or second record and the next.
    for (what, number, skip, record, part) in [
        ("nothing", 2, 0, 8, 0),
        ("names of namespaces", 2, 0, 8, 4),
        ("names of packages of one namespace", 3, 8, 8, 4),
        ("rows of packages", 3, 12, 8, 4),
        ("epss entries", 7, 0, 16, 16),
        ("kev entries", 8, 0, 20, 20),
        ("cvss entries", 9, 0, 16, 16),
        ("repositories", 10, 0, 8, 4),
    ] {
        let mut bytes = good.clone();
        let at = section(&good, number) + skip;
        for byte in at..at + part {
            bytes.swap(byte, byte + record);
        }
        seal(&mut bytes);
        fs::write(&other, &bytes).unwrap();
        let verified = Database::open(&other).and_then(|database| database.verify());
        assert_eq!(verified.is_ok(), part == 0, "{what}: {verified:?}");
        fs::remove_file(&other).unwrap();
    }
}

#[test]
fn a_flipped_bit_anywhere_in_the_body_does_not_verify() {
    let stored = store(fill_small);
    let good = fs::read(stored.path()).unwrap();
    let other = stored.directory.path().join("other.db");
    for at in (24..56).chain(128..good.len()) {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&other, &bytes).unwrap();
        let verified = Database::open(&other).and_then(|database| database.verify());
        assert!(verified.is_err(), "byte {at}");
    }
}

#[test]
fn damage_is_an_error_or_an_answer_and_never_a_panic() {
    let stored = store(fill_small);
    let (intact, good) = (stored.open(), fs::read(stored.path()).unwrap());
    let other = stored.directory.path().join("other.db");
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6);
    let keep = prop::option::weighted(0.2, any::<prop::sample::Index>());
    let config = ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() };
    let checked = TestRunner::new(config).run(&(edits, keep, any::<bool>()), |(edits, keep, is_sealed)| {
        let mut bytes = good.clone();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(keep) = keep {
            bytes.truncate(keep.index(bytes.len()));
        }
        if is_sealed {
            seal(&mut bytes);
        }
        fs::remove_file(&other).ok();
        fs::write(&other, &bytes).unwrap();
        if let Ok(database) = Database::open(&other) {
            ask_everything(&database, &intact);
        }
        Ok(())
    });
    checked.unwrap();
}
