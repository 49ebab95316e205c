//! What was decided: found again, and never changed without its being told.

use std::collections::BTreeMap;

use plimsoll_core::clearance::Verdict;
use plimsoll_store::{Ended, RecordHead, Store, StoreError};

use crate::hearings::{decision, done};
use crate::scenes::{at, digest};

crate::scenarios! {
    records_are_chained,
    records_are_found_by_digest,
    the_newest_of_many_digests_are_found_at_once,
    reports_are_kept_as_they_were,
    nothing_is_changed_or_deleted,
    what_was_changed_all_the_same_is_told,
}

const NOTHING: RecordHead = RecordHead { number: 0, digest: None };

fn three(store: &Store) {
    done(store, "a", 1, Verdict::Cleared);
    done(store, "b", 2, Verdict::Undecided);
    done(store, "c", 1, Verdict::Refused);
}

fn records_are_chained(store: &Store, _: &str) {
    assert_eq!(store.record_head().unwrap(), NOTHING);
    assert_eq!(store.check_records(&NOTHING, 9).unwrap().ended, Ended::Whole);
    three(store);
    let records: Vec<_> = (1..=3).map(|number| store.record(number).unwrap().unwrap()).collect();
    assert_eq!(records[0].previous, None);
    assert_eq!(records[1].previous.as_ref(), Some(&records[0].digest));
    assert_eq!(records[2].previous.as_ref(), Some(&records[1].digest));
    assert_eq!((records[0].decided_at, &records[0].decision), (at(3), &decision(1, Verdict::Cleared)));
    assert!(store.record(4).unwrap().is_none());
    let head = store.record_head().unwrap();
    assert_eq!((head.number, head.digest.as_ref()), (3, Some(&records[2].digest)));
    let checked = store.check_records(&NOTHING, 9).unwrap();
    assert_eq!((&checked.head, checked.ended), (&head, Ended::Whole));
    // Page by page.
    let checked = store.check_records(&NOTHING, 2).unwrap();
    assert_eq!((checked.head.number, &checked.ended), (2, &Ended::More));
    let checked = store.check_records(&checked.head, 2).unwrap();
    assert_eq!((checked.head, checked.ended), (head, Ended::Whole));
}

fn records_are_found_by_digest(store: &Store, _: &str) {
    three(store);
    let of = |byte: u8, policy: &str, repository: Option<&str>| {
        store.record_of(&digest(byte), policy, repository).unwrap().map(|record| record.number)
    };
    assert_eq!(of(1, "production", None), Some(3));
    assert_eq!(of(2, "production", Some("r:5000/shop/web")), Some(2));
    assert_eq!(of(2, "production", Some("r:5000/prod/web")), None, "of another repository");
    assert_eq!(of(102, "production", Some("r:5000/prod/web")), Some(2), "a child");
    assert_eq!(of(1, "lax", None), None, "under another policy");
    assert_eq!(of(7, "production", None), None);
    let all = |before| -> Vec<u64> {
        let records = store.records_of(&digest(1), before, 9).unwrap();
        records.into_iter().map(|record| record.number).collect()
    };
    assert_eq!((all(None), all(Some(3))), (vec![3, 1], vec![1]));
    // An image is not cleared for what its index is not.
    let record = store.record(3).unwrap().unwrap();
    let image = plimsoll_store::Spoken { why: Vec::new(), ..record.decision.spoken[1].clone() };
    assert_eq!(record.why(&image), record.decision.spoken[0].why);
}

fn the_newest_of_many_digests_are_found_at_once(store: &Store, _: &str) {
    three(store);
    let digests = [digest(1), digest(102), digest(7)];
    let digests: Vec<&str> = digests.iter().map(|digest| digest.as_str()).collect();
    let newest = store.newest_records(&digests).unwrap();
    let newest: BTreeMap<_, _> =
        newest.into_iter().map(|(digest, record)| (digest, record.unwrap())).collect();
    let numbers: Vec<_> = newest.iter().map(|(digest, record)| (digest.as_str(), record.number)).collect();
    assert_eq!(numbers, [(digests[0], 3), (digests[1], 2)]);
    assert_eq!(newest[digests[0]].as_ref(), &store.record(3).unwrap().unwrap());
    assert!(store.newest_records(&[]).unwrap().is_empty());
    // Who may see them is asked at once, too.
    let hearings: Vec<&str> = newest.values().map(|record| record.hearing.as_str()).collect();
    let places = store.hearings_places(&hearings).unwrap();
    assert_eq!(places.len(), 2);
    for (id, places) in places {
        assert_eq!(places, store.hearing_places(&id).unwrap());
        assert_eq!(places.len(), 2);
    }
}

fn reports_are_kept_as_they_were(store: &Store, _: &str) {
    three(store);
    let record = store.record(2).unwrap().unwrap();
    let report = store.record_report(&record, "markdown").unwrap().unwrap();
    assert_eq!((report.media_type.as_str(), report.body.as_slice()), ("text/plain", &b"markdown 2\0"[..]));
    assert!(store.record_report(&record, "sarif").unwrap().is_none());
}

/// Runs a statement past the store.
fn raw(place: &str, sql: &str) -> Result<(), String> {
    if !place.starts_with("postgres://") {
        let connection = rusqlite::Connection::open(place).unwrap();
        return connection.execute_batch(sql).map_err(|error| error.to_string());
    }
    let mut client = ::postgres::Client::connect(place, ::postgres::NoTls).unwrap();
    client
        .batch_execute(sql)
        .map_err(|error| error.as_db_error().map_or(String::new(), |told| told.to_string()))
}

const TABLES: [&str; 3] = ["records", "record_digests", "record_reports"];

fn nothing_is_changed_or_deleted(store: &Store, place: &str) {
    three(store);
    for table in TABLES {
        let column = if table == "records" { "number" } else { "record" };
        let mut statements =
            vec![format!("UPDATE {table} SET {column} = {column}"), format!("DELETE FROM {table}")];
        if store.engine() == "postgresql" {
            statements.push(format!("TRUNCATE {table} CASCADE"));
        }
        for sql in statements {
            let error = raw(place, &sql).unwrap_err();
            assert!(error.contains("records are only ever added"), "{sql}: {error}");
        }
    }
    store.prune(at(100_000)).unwrap();
    assert_eq!(store.check_records(&NOTHING, 9).unwrap().head.number, 3);
}

/// Whoever owns the database can take the triggers away. Each row: what is done, which record is the first that is not
/// as it was, what is said of it.
fn what_was_changed_all_the_same_is_told(store: &Store, place: &str) {
    three(store);
    let whole = store.check_records(&NOTHING, 9).unwrap().head;
    for table in TABLES {
        let on = if store.engine() == "sqlite" { String::new() } else { format!(" ON {table}") };
        raw(place, &format!("DROP TRIGGER {table}_change{on}; DROP TRIGGER {table}_delete{on}")).unwrap();
    }
    raw(place, "CREATE TABLE kept AS SELECT * FROM record_digests").unwrap();
    let again = "DELETE FROM record_digests; INSERT INTO record_digests SELECT * FROM kept";
    for (change, undo, number, said) in [
        (
            "UPDATE record_digests SET repository = 'r:5000/x' WHERE record = 2",
            again,
            2,
            "record 2 is not found by the digests that it speaks of",
        ),
        (
            "DELETE FROM record_digests WHERE record = 3",
            again,
            3,
            "record 3 is not found by the digests that it speaks of",
        ),
        (
            "UPDATE record_reports SET format = 'x' WHERE record = 1 AND format = 'json'",
            "UPDATE record_reports SET format = 'json' WHERE format = 'x'",
            1,
            "record 1 has other reports than it had",
        ),
        (
            "UPDATE records SET body = replace(body, 'refused', 'cleared') WHERE number = 3",
            "UPDATE records SET body = replace(body, 'cleared', 'refused') WHERE number = 3",
            3,
            "record 3 is not what its digest says",
        ),
        (
            // One that is whole, of another record.
            "UPDATE record_reports SET body = (SELECT body FROM record_reports WHERE record = 2 AND format = 'json')
             WHERE record = 3 AND format = 'json'",
            "",
            3,
            "the report `json` of record 3 is not what it was",
        ),
        (
            "DELETE FROM record_digests WHERE record = 2; DELETE FROM record_reports WHERE record = 2;
             DELETE FROM records WHERE number = 2",
            "",
            2,
            "record 2 is gone; 3 follows 1",
        ),
    ] {
        raw(place, change).unwrap();
        let checked = store.check_records(&NOTHING, 9).unwrap();
        assert_eq!(checked.ended, Ended::Broken(number, said.to_owned()), "{change}");
        assert_eq!(checked.head.number, number - 1);
        if said.contains("its digest") {
            let error = store.record_of(&digest(1), "production", None).unwrap_err();
            assert!(matches!(error, StoreError::Damaged(_)), "{error}");
        }
        raw(place, undo).unwrap();
    }
    cut_off(store, place, &whole);
}

/// Who knows where the end was sees that it was cut off.
fn cut_off(store: &Store, place: &str, whole: &RecordHead) {
    for table in ["record_digests", "record_reports"] {
        raw(place, &format!("DELETE FROM {table} WHERE record = 3")).unwrap();
    }
    raw(place, "DELETE FROM records WHERE number = 3").unwrap();
    let checked = store.check_records(whole, 9).unwrap();
    let said = "there were 3 records, and the last of them is gone".to_owned();
    assert_eq!(checked.ended, Ended::Broken(3, said));
}
