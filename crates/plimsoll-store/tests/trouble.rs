//! What the store says when its database is in the way: conflicts are tried again or told, what is lost is told and
//! comes back, what is not understood is refused.
//!
//! The conflicts are real ones of a real PostgreSQL, of sessions that lock what a method needs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/postgres.rs"]
#[allow(dead_code, reason = "not all tests stop their server")]
mod postgres;
#[path = "support/scenes.rs"]
#[allow(dead_code, reason = "each test needs a part of it")]
mod scenes;

use std::process::Command;
use std::time::Duration;

use ::postgres::error::SqlState;
use ::postgres::{Client, NoTls};
use plimsoll_core::scan::ScanState;
use plimsoll_store::{Store, StoreError};
use scenes::{any, asked, at, claimed, completed, deb, digest, done, inventory};

fn raw(place: &str) -> Client {
    Client::connect(place, NoTls).expect("the server answers")
}

/// Waits until so many sessions of a database wait for a lock.
fn wait_for_waiting(place: &str, sessions: i64) {
    let mut client = raw(place);
    let waiting = "SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while client.query_one(waiting, &[]).expect("it answers").get::<_, i64>(0) < sessions {
        std::thread::yield_now();
    }
}

fn is_conflict<T>(done: &Result<T, StoreError>) -> bool {
    matches!(done, Err(error @ StoreError::Conflict(_)) if error.is_transient())
}

/// The store locks a scan and then the events' number; another session locks them the other way round. PostgreSQL
/// ends the one of the two that looks first. Whichever it is, the store's work is done in the end, and once.
#[test]
fn a_deadlock_is_tried_again() {
    let Some(server) = postgres::server() else { return };
    for (patience, is_store_ended) in [("1h", true), ("1ms", false)] {
        let place = server.database();
        let store = Store::open(&place).unwrap();
        let lease = claimed(&store, 1).lease;
        let mut other = raw(&place);
        let mut crosswise = other.transaction().unwrap();
        crosswise
            .batch_execute(&format!(
                "SET LOCAL deadlock_timeout = '{patience}'; UPDATE event_numbers SET last = last"
            ))
            .unwrap();
        let outcome = completed(inventory(1, vec![deb("a", "1")]));
        std::thread::scope(|scope| {
            let finishing = scope.spawn(|| store.finish(&lease, &outcome, at(5)));
            wait_for_waiting(&place, 1);
            // Now each waits for the other: the store has this row and does not give it back by itself.
            let id = digest(1);
            match crosswise.execute("UPDATE scans SET detail = 'x' WHERE id = $1", &[&id.as_str()]) {
                Ok(_) => {
                    assert!(is_store_ended);
                    crosswise.commit().unwrap();
                }
                Err(error) => {
                    assert!(!is_store_ended);
                    assert_eq!(error.code(), Some(&SqlState::T_R_DEADLOCK_DETECTED));
                    crosswise.rollback().unwrap();
                }
            }
            assert!(finishing.join().unwrap().unwrap());
        });
        let scan = store.scan(digest(1).as_str()).unwrap().unwrap();
        assert_eq!((scan.state, scan.detail.as_str()), (ScanState::Completed, ""));
        assert_eq!(store.counts().unwrap().packages, 1);
        let events = store.events(0, 10, Duration::ZERO).unwrap();
        assert_eq!(events.iter().map(|event| event.number).collect::<Vec<u64>>(), [1, 2, 3]);
    }
}

/// What somebody else is just changing is waited for and kept, not written over.
#[test]
fn a_change_that_is_under_way_is_kept() {
    let Some(server) = postgres::server() else { return };
    let place = server.database();
    let store = Store::open(&place).unwrap();
    let lease = claimed(&store, 1).lease;
    let mut other = raw(&place);
    let mut before = other.transaction().unwrap();
    before.execute("UPDATE scans SET cancelled = 1 WHERE id = $1", &[&digest(1).as_str()]).unwrap();
    let change = plimsoll_store::Change { state: ScanState::Indexing, detail: String::new(), kind: None };
    std::thread::scope(|scope| {
        let advancing = scope.spawn(|| store.advance(&lease, &change, at(3)));
        wait_for_waiting(&place, 1);
        before.commit().unwrap();
        assert!(advancing.join().unwrap().unwrap());
    });
    assert!(store.beat(&lease, at(60), None, at(4)).unwrap().is_cancelled);
}

/// A lock that is held for longer than anybody waits is a conflict, and nothing has changed.
#[test]
fn a_lock_that_is_held_is_told() {
    let Some(server) = postgres::server() else { return };
    let place = server.database();
    let store = Store::open(&place).unwrap();
    let lease = claimed(&store, 1).lease;
    let mut other = raw(&place);
    let mut holding = other.transaction().unwrap();
    holding.batch_execute("UPDATE event_numbers SET last = last").unwrap();
    let done = store.finish(&lease, &completed(inventory(1, Vec::new())), at(5));
    assert!(is_conflict(&done), "{done:?}");
    assert_eq!(store.scan(digest(1).as_str()).unwrap().unwrap().state, ScanState::Fetching);
    assert!(store.inventory(&digest(1)).unwrap().is_none());
    holding.rollback().unwrap();
    assert!(store.finish(&lease, &completed(inventory(1, Vec::new())), at(6)).unwrap());
}

/// In a database whose transactions are serializable, those that touch the same rows fail. All are done in the end.
#[test]
fn serialization_failures_are_tried_again() {
    let Some(server) = postgres::server() else { return };
    let place = server.database();
    drop(Store::open(&place).unwrap());
    let name = place.rsplit('/').next().unwrap();
    raw(&place)
        .batch_execute(&format!("ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"))
        .unwrap();
    let store = Store::open(&place).unwrap();
    // One that certainly fails the first time: what it reads is changed before it writes.
    let lease = claimed(&store, 1).lease;
    let mut other = raw(&place);
    let mut before = other.transaction().unwrap();
    before.execute("UPDATE scans SET detail = 'x' WHERE id = $1", &[&digest(1).as_str()]).unwrap();
    std::thread::scope(|scope| {
        let change = plimsoll_store::Change { state: ScanState::Indexing, detail: String::new(), kind: None };
        let advancing = scope.spawn({
            let (store, lease) = (&store, &lease);
            move || store.advance(lease, &change, at(3))
        });
        wait_for_waiting(&place, 1);
        before.commit().unwrap();
        assert!(advancing.join().unwrap().unwrap());
    });
    std::thread::scope(|scope| {
        for worker in 0..3_u8 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..4 {
                    let mut tries = 0;
                    while let Err(error) = store.submit(&asked(10 + worker * 4 + number), at(0)) {
                        tries += 1;
                        assert!(error.is_transient() && tries < 100, "{error}");
                    }
                }
            });
        }
    });
    assert_eq!(store.counts().unwrap().scans[&ScanState::Queued], 12);
    assert_eq!(store.last_event().unwrap(), 15);
    let mut claims = 0;
    while store.claim(&any("w", 60), at(1)).unwrap().is_some() {
        claims += 1;
    }
    assert_eq!(claims, 12);
}

#[test]
fn a_server_that_stops_is_told_and_comes_back() {
    let Some(server) = postgres::Server::start_new() else { return };
    let place = server.database();
    let store = Store::open(&place).unwrap();
    done(&store, 1, vec![deb("a", "1")]);
    let seen = store.last_event().unwrap();
    std::thread::scope(|scope| {
        // Somebody waits for events all the while.
        let store = &store;
        let waiting = scope.spawn(move || {
            loop {
                match store.events(seen, 10, Duration::from_secs(60)) {
                    Ok(events) => return events,
                    Err(error) => assert!(matches!(error, StoreError::Unavailable(_)), "{error}"),
                }
            }
        });
        server.stop();
        for done in [
            store.ping(),
            store.submit(&asked(2), at(0)).map(drop),
            store.claim(&any("w", 60), at(0)).map(drop),
            store.scan("x").map(drop),
            Store::open(&place).map(drop),
        ] {
            assert!(
                matches!(&done, Err(error @ StoreError::Unavailable(_)) if error.is_transient()),
                "{done:?}"
            );
        }
        server.start();
        store.ping().unwrap();
        assert!(store.inventory(&digest(1)).unwrap().is_some());
        assert!(store.submit(&asked(2), at(0)).unwrap().is_new);
        assert_eq!(waiting.join().unwrap().len(), 1);
    });
}

/// Connections that an administrator ends one by one are not noticed where nobody uses them.
#[test]
fn idle_connections_that_are_ended_are_replaced() {
    let Some(server) = postgres::server() else { return };
    let place = server.database();
    let store = Store::open(&place).unwrap();
    for _ in 0..3 {
        raw(&place)
            .batch_execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .unwrap();
        store.set_setting("a", "1").unwrap();
        raw(&place)
            .batch_execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .unwrap();
        assert_eq!(store.setting("a").unwrap().as_deref(), Some("1"));
    }
}

#[test]
fn nobody_shows_a_password() {
    let Some(server) = postgres::server() else { return };
    let place = server.database();
    let store = Store::open(&place).unwrap();
    assert!(place.contains("no-secret") && !format!("{store:?}").contains("no-secret"));
    let elsewhere = place.replace("/test", "/other");
    let nowhere = "postgres://u:no-secret@127.0.0.1:1/d";
    let twisted = "postgres://u:no-secret?x@127.0.0.1/d";
    for place in [elsewhere.as_str(), nowhere, twisted] {
        let error = Store::open(place).unwrap_err();
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains("no-secret"), "{text}");
        }
    }
    assert!(matches!(Store::open(nowhere), Err(StoreError::Unavailable(_))));
    assert!(matches!(Store::open(&elsewhere), Err(StoreError::Refused(_))));
}

#[test]
fn encryption_that_is_demanded_and_not_there_is_told() {
    let Some(server) = postgres::server() else { return };
    let place = server.database();
    for mode in ["disable", "prefer"] {
        Store::open(&format!("{place}?sslmode={mode}")).unwrap().ping().unwrap();
    }
    for mode in ["require", "verify-full"] {
        let error = Store::open(&format!("{place}?sslmode={mode}")).unwrap_err();
        assert!(error.to_string().contains("TLS"), "{error}");
    }
}

/// An authority and a server's certificate for `localhost` of it.
const CERTIFICATES: &str = "
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=authority -days 30 \
    -keyout ca.key -out ca.crt &&
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server -keyout server.key -out server.csr &&
echo subjectAltName=DNS:localhost >names &&
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile names -out server.crt";

/// A server that takes nobody without encryption.
#[test]
fn encryption_means_what_the_mode_says() {
    let Some(server) = postgres::Server::start_new() else { return };
    let place = server.database();
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("sh").args(["-c", CERTIFICATES]).current_dir(folder.path()).output();
    let Some(made) = made.ok().filter(|made| made.status.success()) else {
        println!("skipped: needs `openssl`");
        return;
    };
    drop(made);
    for name in ["server.key", "server.crt"] {
        server.put(name, &std::fs::read(folder.path().join(name)).unwrap());
    }
    server.put("postgresql.auto.conf", b"ssl = on\n");
    server.put("pg_hba.conf", b"hostssl all all 127.0.0.1/32 trust\n");
    server.stop();
    server.start();
    let named = place.replace("127.0.0.1", "localhost");
    let authority = format!("&sslrootcert={}", folder.path().join("ca.crt").display());
    for (place, mode, authority, is_open) in [
        (&place, "disable", "", false),
        (&place, "prefer", "", true),
        (&place, "require", "", true),
        (&named, "require", &authority, true),
        (&place, "require", &authority, false),
        (&named, "verify-full", &authority, true),
        (&place, "verify-full", &authority, false),
        (&named, "verify-full", "", false),
        (&named, "verify-full", "&sslrootcert=/nowhere", false),
    ] {
        let opened = Store::open(&format!("{place}?sslmode={mode}{authority}"));
        assert_eq!(opened.is_ok(), is_open, "{mode} {place} {authority}: {opened:?}");
    }
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let place = path.to_str().unwrap();
    drop(Store::open(place).unwrap());
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute("INSERT INTO migrations VALUES (99, 'x')", []).unwrap();
    insta::assert_snapshot!(Store::open(place).unwrap_err(), @"the database refuses: it has form 99 of a newer version of Plimsoll, and this version knows forms up to 4; run that version, or restore a copy from before it");
    raw.execute("DELETE FROM migrations WHERE number = 99", []).unwrap();
    raw.execute("UPDATE migrations SET checksum = 'x'", []).unwrap();
    insta::assert_snapshot!(Store::open(place).unwrap_err(), @"the database holds what cannot be understood: its form 1 was made by another text than this version has");
}

#[test]
fn what_is_no_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.db");
    std::fs::write(&path, "this is no database, although it is long enough to be taken for one".repeat(20))
        .unwrap();
    assert!(matches!(Store::open(path.to_str().unwrap()), Err(StoreError::Damaged(_))));
    assert!(matches!(Store::open(folder.path().to_str().unwrap()), Err(StoreError::BadPlace { .. })));
}

/// A name that this version does not have is damage, not nothing.
#[test]
fn what_is_not_understood_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = Store::open(path.to_str().unwrap()).unwrap();
    done(&store, 1, vec![deb("a", "1")]);
    let raw = rusqlite::Connection::open(&path).unwrap();
    for (change, back) in [
        ("UPDATE scans SET state = 'asleep'", "UPDATE scans SET state = 'completed'"),
        ("UPDATE scans SET judged = '{}'", "UPDATE scans SET judged = NULL"),
        ("UPDATE scans SET priority = 9", "UPDATE scans SET priority = 0"),
    ] {
        raw.execute(change, []).unwrap();
        let found = store.scan(digest(1).as_str());
        assert!(matches!(found, Err(StoreError::Damaged(_))), "{change}: {found:?}");
        raw.execute(back, []).unwrap();
        assert!(store.scan(digest(1).as_str()).unwrap().is_some());
    }
    for change in ["UPDATE inventories SET format = 9", "UPDATE inventories SET format = 1, body = x'00'"] {
        raw.execute(change, []).unwrap();
        assert!(matches!(store.inventory(&digest(1)), Err(StoreError::Damaged(_))), "{change}");
    }
    raw.execute("UPDATE image_packages SET numbers = x'80'", []).unwrap();
    assert!(matches!(store.images_with(&[1], &mut |_, _| ()), Err(StoreError::Damaged(_))));
}

/// Another process has the file for longer than anybody waits: it is told, and nothing has changed.
#[test]
fn another_writer_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = Store::open(path.to_str().unwrap()).unwrap();
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| store.set_setting("a", "1"));
        // Readers do not wait.
        assert_eq!(store.setting("a").unwrap(), None);
        raw.execute_batch("COMMIT").unwrap();
        writing.join().unwrap().unwrap();
    });
    assert_eq!(store.setting("a").unwrap().as_deref(), Some("1"));
}

#[cfg(unix)]
#[test]
fn nobody_else_reads_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folder/store.db");
    let store = Store::open(path.to_str().unwrap()).unwrap();
    store.set_setting("a", "1").unwrap();
    for end in ["", "-wal", "-shm"] {
        let mode = std::fs::metadata(format!("{}{end}", path.display())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{end}");
    }
}

/// What the server does with it: one store for all threads.
#[test]
fn a_store_is_shared() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Store>();
}
