//! What is told of a new database, held against matching every image with both.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use plimsoll_core::finding::Finding;
use plimsoll_core::inventory::Inventory;
use plimsoll_core::matching::find;
use plimsoll_feeds::update::database_path;
use plimsoll_store::Event;

use self::fleet::{Aboard, Statement, digest, inventory, now, scan, server, store, write_database};
use super::changes::ChangeKind;
use super::*;

pub(crate) mod fleet;

const OLD: &str = "2029-12-01T00:00:00Z";
const NEW: &str = "2029-12-02T00:00:00Z";

/// A look of a replica that asks for its duty anew.
fn look(server: &Server) -> anyhow::Result<Looked> {
    super::look(server, &mut duty())
}

fn told(store: &Store) -> Vec<Event> {
    let events = store.events(0, 10_000, Duration::ZERO).unwrap();
    events.into_iter().filter(|event| event.kind == EventKind::FindingsChanged).collect()
}

fn changes(event: &Event) -> Changes {
    serde_json::from_str(&event.body).unwrap()
}

/// A server whose first database is told of, and its images.
struct Port {
    folder: tempfile::TempDir,
    store: Arc<Store>,
}

impl Port {
    fn new(statements: &[Statement<'_>], exploited: &[&str], images: &[&[Aboard<'_>]]) -> Port {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        write_database(folder.path(), OLD, statements, exploited);
        for (number, aboard) in images.iter().enumerate() {
            scan(&store, folder.path(), u8::try_from(number).unwrap() + 1, inventory(aboard));
        }
        let port = Port { folder, store };
        assert!(matches!(look(&port.server("first")).unwrap(), Looked::First(_)));
        assert_eq!(look(&port.server("first")).unwrap(), Looked::Nothing);
        port
    }

    fn data(&self) -> &Path {
        self.folder.path()
    }

    fn server(&self, replica: &str) -> Server {
        server(self.data(), &self.store, replica, now)
    }

    fn judged(&self, number: u8) -> Judged {
        self.store.judged(&[digest(number)]).unwrap().pop().unwrap().1
    }
}

const FIRST: &[Statement<'_>] = &[
    ("debian-tracker", "CVE-2029-0001", "debian:12", "openssl", "3.0.2", Some(Severity::High)),
    ("debian-tracker", "CVE-2029-0002", "debian:12", "zlib", "", Some(Severity::Low)),
    ("debian-tracker", "CVE-2029-0003", "debian:12", "bash", "6", Some(Severity::Medium)),
    ("osv-pypi", "CVE-2029-0004", "pypi", "requests", "2.1", None),
];

const SECOND: &[Statement<'_>] = &[
    // Worse.
    ("debian-tracker", "CVE-2029-0001", "debian:12", "openssl", "3.0.2", Some(Severity::Critical)),
    // zlib's is gone; of bash nothing is said otherwise.
    ("debian-tracker", "CVE-2029-0003", "debian:12", "bash", "6", Some(Severity::Medium)),
    ("debian-tracker", "CVE-2029-0005", "debian:12", "openssl", "3.0.3", Some(Severity::Medium)),
    // Not of the version that anybody has.
    ("debian-tracker", "CVE-2029-0006", "debian:12", "bash", "1", Some(Severity::Critical)),
    ("osv-pypi", "CVE-2029-0004", "pypi", "requests", "2.1", None),
];

const IMAGES: &[&[Aboard<'_>]] = &[
    &[
        ("deb", "openssl", "3.0.1", "/a", ""),
        ("deb", "zlib", "1.2", "/a", ""),
        ("deb", "bash", "5", "/a", ""),
    ],
    &[("deb", "bash", "5", "/a", "")],
    // Twice, and once where the distribution answers for it.
    &[
        ("deb", "python3-requests", "2.0", "/a", ""),
        ("pypi", "requests", "2.0", "/one", ""),
        ("pypi", "requests", "2.0", "/two", ""),
        ("pypi", "requests", "1.0", "/three", "python3-requests"),
    ],
];

#[test]
fn each_image_is_told_once_what_a_new_database_changes() {
    let port = Port::new(FIRST, &[], IMAGES);
    write_database(port.data(), NEW, SECOND, &["CVE-2029-0004"]);
    let server = port.server("first");
    let Looked::Compared(compared) = look(&server).unwrap() else { panic!() };
    assert_eq!((compared.images, compared.told_before, compared.approximate), (2, 0, 0));
    let events = told(&port.store);
    let subjects: Vec<&str> = events.iter().map(|event| event.subject.as_str()).collect();
    assert_eq!(subjects, [digest(1).as_str(), digest(3).as_str()]);
    let bodies = events.iter().map(|event| {
        let (mut body, server) = (changes(event), server.advised());
        assert_eq!(std::mem::replace(&mut body.new_database, "new".to_owned()), server.database_id());
        assert!(std::mem::replace(&mut body.old_database, "old".to_owned()).starts_with("sha256:"));
        body
    });
    insta::assert_json_snapshot!("bodies", bodies.collect::<Vec<Changes>>());
    assert_eq!(look(&server).unwrap(), Looked::Nothing);
    assert_eq!(told(&port.store).len(), 2);
    // What is noted of each is what judging it anew gives.
    let new = server.advised().database_id().to_owned();
    for number in [1, 3] {
        let assessed = server.assessed(&digest(number)).unwrap().unwrap();
        let exact = judging::judged(&assessed.assessment, now());
        let noted = port.judged(number);
        assert_eq!((&noted.database, noted.findings, noted.fixable), (&new, exact.findings, exact.fixable));
        assert_eq!(noted.exploited, exact.exploited);
    }
    assert_ne!(port.judged(2).database, new, "nothing changed, and nothing is written");
}

#[test]
fn an_image_that_was_scanned_with_the_new_database_is_not_told() {
    let port = Port::new(FIRST, &[], IMAGES);
    write_database(port.data(), NEW, SECOND, &[]);
    scan(&port.store, port.data(), 1, inventory(IMAGES[0]));
    let Looked::Compared(compared) = look(&port.server("first")).unwrap() else { panic!() };
    assert_eq!((compared.images, compared.told_before), (0, 1));
    assert!(told(&port.store).is_empty());
}

/// A scan that began with the old database and ended when all images were told of the new one.
#[test]
fn an_image_that_comes_too_late_is_told_too_and_once() {
    let port = Port::new(FIRST, &[], &IMAGES[..1]);
    let old = tempfile::tempdir().unwrap();
    write_database(old.path(), OLD, FIRST, &[]);
    let used = Database::open(&database_path(old.path())).unwrap();
    write_database(port.data(), NEW, SECOND, &[]);
    let server = port.server("first");
    let late = |number: u8| {
        let row = port.store.inventory(&digest(number)).unwrap().unwrap();
        catch_up(&server, &port.store, &row, &port.judged(number), &used).unwrap()
    };
    scan(&port.store, old.path(), 2, inventory(IMAGES[0]));
    assert!(!late(2), "a comparison comes by it");
    assert!(matches!(look(&server).unwrap(), Looked::Compared(Compared { images: 2, .. })));
    scan(&port.store, old.path(), 3, inventory(IMAGES[0]));
    assert_eq!(look(&server).unwrap(), Looked::Nothing);
    assert!(late(3) && !late(3));
    let told = told(&port.store);
    let subjects: Vec<&str> = told.iter().map(|event| event.subject.as_str()).collect();
    assert_eq!(subjects.len(), 3);
    assert_eq!(subjects[2], digest(3).as_str());
    assert_eq!(changes(&told[2]), changes(&told[0]), "it is told the same as the others");
    let [first, third] = [1, 3].map(|number| port.judged(number));
    assert_eq!(
        (third.database, third.findings, third.fixable),
        (first.database, first.findings, first.fixable)
    );
}

#[test]
fn a_replica_goes_on_where_another_was_killed() {
    let images: Vec<&[Aboard<'_>]> = vec![IMAGES[0]; 5];
    let port = Port::new(FIRST, &[], &images);
    write_database(port.data(), NEW, SECOND, &[]);
    {
        // The first tells two images and is seen no more.
        let server = port.server("first");
        let files = Files::of(port.data());
        let advised = server.advised();
        let current = advised.database.as_ref().unwrap();
        let standing = Standing::read(&port.store.setting(SETTING).unwrap().unwrap()).unwrap();
        let standing = begin(&server, &port.store, &files, &standing, current).unwrap().unwrap();
        let old = files.open(&standing.compared).unwrap();
        let pair = Pair { old: &old, new: current, standings: &advised.standings };
        let mut compared = Compared::default();
        let deltas = compare(&port.store, pair, &mut compared).unwrap();
        let numbers = deltas.numbers();
        let mut waiting = Vec::new();
        port.store.images_with(&numbers, &mut |digest, numbers| waiting.push((digest, numbers))).unwrap();
        waiting.truncate(2);
        let mut duty = duty();
        let mut telling = Telling {
            server: &server,
            store: &port.store,
            duty: &mut duty,
            pair,
            deltas: &deltas,
            standing,
            compared,
            waiting,
            anew: Vec::new(),
        };
        assert!(telling.tell_waiting(false).is_ok());
    }
    assert_eq!(told(&port.store).len(), 2);
    // Yet another database has come since. First the one that was begun with is told to its end.
    write_database(port.data(), "2029-12-03T00:00:00Z", FIRST, &[]);
    fn later() -> Timestamp {
        now() + jiff::SignedDuration::from_mins(11)
    }
    assert_eq!(look(&server(port.data(), &port.store, "other", now)).unwrap(), Looked::Elsewhere, "its duty");
    let other = server(port.data(), &port.store, "other", later);
    assert!(matches!(look(&other).unwrap(), Looked::Compared(Compared { images: 3, .. })));
    let subjects =
        |events: &[Event]| -> Vec<String> { events.iter().map(|event| event.subject.clone()).collect() };
    let all: Vec<String> = (1..=5).map(|number| digest(number).as_str().to_owned()).collect();
    assert_eq!(subjects(&told(&port.store)), all);
    assert!(matches!(look(&other).unwrap(), Looked::Compared(Compared { images: 5, .. })));
    assert_eq!(subjects(&told(&port.store)[5..]), all);
    let last = changes(&told(&port.store)[9]);
    assert_eq!((last.added.all.low, last.removed.all.medium, last.changed.all.high), (1, 1, 1));
}

#[test]
fn a_replica_without_the_old_database_makes_nothing_up() {
    let port = Port::new(FIRST, &[], IMAGES);
    write_database(port.data(), NEW, SECOND, &[]);
    std::fs::remove_dir_all(port.data().join("server")).unwrap();
    assert_eq!(look(&port.server("poor")).unwrap(), Looked::Elsewhere, "another one may have it");
    fn later() -> Timestamp {
        now() + jiff::SignedDuration::from_mins(10)
    }
    assert!(port.store.take_duty(DUTY, "first", now(), now()).unwrap(), "whoever compared first is gone");
    let poor = server(port.data(), &port.store, "poor", later);
    let Looked::First(why) = look(&poor).unwrap() else { panic!() };
    assert!(why.starts_with("this replica lacks the database `sha256:"), "{why}");
    assert!(told(&port.store).is_empty());
    assert!(port.store.setting(SETTING).unwrap().unwrap().contains("lacks the database"));
    assert_eq!(look(&poor).unwrap(), Looked::Nothing);
}

/// Two replicas, each with a data directory of its own, of which the second has always other databases.
#[test]
fn replicas_with_databases_of_their_own_do_not_compare_them_with_each_other() {
    let (port, other) = (Port::new(FIRST, &[], IMAGES), tempfile::tempdir().unwrap());
    let second = |built_at: &str, clock: fn() -> Timestamp| {
        write_database(other.path(), built_at, SECOND, &[]);
        server(other.path(), &port.store, "second", clock)
    };
    fn later() -> Timestamp {
        now() + jiff::SignedDuration::from_mins(11)
    }
    fn much_later() -> Timestamp {
        now() + jiff::SignedDuration::from_mins(30)
    }
    // It is newer, but the first is the one that compares.
    assert_eq!(look(&second(NEW, now)).unwrap(), Looked::Elsewhere);
    assert_eq!(look(&server(port.data(), &port.store, "first", later)).unwrap(), Looked::Nothing);
    assert_eq!(look(&second(NEW, later)).unwrap(), Looked::Elsewhere);
    // The first is gone.
    let newer = second(NEW, much_later);
    assert!(matches!(look(&newer).unwrap(), Looked::First(_)));
    // It comes again, and what it has is older.
    let first = server(port.data(), &port.store, "first", much_later);
    let Looked::Older(why) = look(&first).unwrap() else { panic!() };
    assert!(
        why.ends_with("older than the one that all images are told of; update the feeds of this replica")
    );
    assert_eq!(look(&newer).unwrap(), Looked::Nothing);
    assert!(told(&port.store).is_empty());
    // Nor does it take the duty from who can go on.
    let again = second("2029-12-03T00:00:00Z", much_later);
    assert!(matches!(look(&again).unwrap(), Looked::Compared(_)));
}

/// Many small fleets: what is told is the difference of what matching every image with both databases gives.
#[test]
fn what_is_told_is_what_matching_the_fleet_gives() {
    for seed in 0..12 {
        let mut dice = Dice(seed);
        let names = ["openssl", "zlib", "bash", "requests", "flask"];
        let ids: Vec<String> = (1000..1008).map(|number| format!("CVE-2029-{number}")).collect();
        let mut statements = || -> Vec<Statement<'_>> {
            let mut statements = BTreeMap::new();
            for _ in 0..dice.roll(12) {
                let (id, name) = (dice.roll(ids.len()), dice.roll(names.len()));
                let (feed, namespace) =
                    if name < 3 { ("debian-tracker", "debian:12") } else { ("osv-pypi", "pypi") };
                let fixed = ["", "1", "2", "5", "11"][dice.roll(5)];
                let severity = Severity::ALL.get(dice.roll(6)).copied();
                statements
                    .insert((id, name), (feed, ids[id].as_str(), namespace, names[name], fixed, severity));
            }
            statements.into_values().collect()
        };
        let (first, second) = (statements(), statements());
        let images: Vec<Vec<Aboard<'_>>> = (0..6)
            .map(|_| {
                (0..dice.roll(6))
                    .map(|_| {
                        let name = dice.roll(names.len());
                        let version = ["1", "2", "10"][dice.roll(3)];
                        // A language's package may be there twice, the distribution's is not.
                        let evidence = if name < 3 { "/one" } else { ["/one", "/two"][dice.roll(2)] };
                        let owner = if name >= 3 && dice.roll(4) == 0 { "openssl" } else { "" };
                        (if name < 3 { "deb" } else { "pypi" }, names[name], version, evidence, owner)
                    })
                    .collect::<std::collections::BTreeSet<_>>()
                    .into_iter()
                    .collect()
            })
            .collect();
        let images: Vec<&[Aboard<'_>]> = images.iter().map(Vec::as_slice).collect();
        check_against_matching(&first, &second, &images);
    }
}

type Rated = BTreeMap<(String, String, String), (Option<Severity>, Option<String>, bool)>;

fn rated_all(inventory: &Inventory, findings: &[Finding]) -> Rated {
    let rated = findings.iter().map(|finding| {
        let package = &inventory.packages[finding.package];
        let key = (finding.id.clone(), package.name.clone(), package.version.clone());
        (key, (finding.severity, finding.fixed_in.clone(), finding.kev.is_some()))
    });
    rated.collect()
}

#[track_caller]
fn check_against_matching(first: &[Statement<'_>], second: &[Statement<'_>], images: &[&[Aboard<'_>]]) {
    let port = Port::new(first, &["CVE-2029-1001"], images);
    let standings = port.server("first").advised().standings.clone();
    let old = Database::open(&database_path(port.data())).unwrap();
    write_database(port.data(), NEW, second, &["CVE-2029-1002"]);
    let new = Database::open(&database_path(port.data())).unwrap();
    look(&port.server("first")).unwrap();
    let events: BTreeMap<String, Changes> =
        told(&port.store).iter().map(|event| (event.subject.clone(), changes(event))).collect();
    for (number, aboard) in images.iter().enumerate() {
        let number = u8::try_from(number).unwrap() + 1;
        let inventory = inventory(aboard);
        let before = rated_all(&inventory, &find(&inventory, &old, &standings).findings);
        let after = rated_all(&inventory, &find(&inventory, &new, &standings).findings);
        let mut wanted = Vec::new();
        for (key, rated) in &after {
            match before.get(key) {
                None => wanted.push((ChangeKind::Added, key.clone())),
                Some(old) if old != rated => wanted.push((ChangeKind::Changed, key.clone())),
                Some(_) => {}
            }
        }
        wanted.extend(
            before
                .keys()
                .filter(|key| !after.contains_key(*key))
                .map(|key| (ChangeKind::Removed, key.clone())),
        );
        wanted.sort();
        let mut told: Vec<_> = events
            .get(digest(number).as_str())
            .into_iter()
            .flat_map(|changes| &changes.findings)
            .map(|one| (one.change, (one.id.clone(), one.package.clone(), one.version.clone())))
            .collect();
        told.sort();
        assert_eq!(told, wanted, "{aboard:?}\n{first:?}\n{second:?}");
        let assessed = port.server("first").assessed(&digest(number)).unwrap().unwrap();
        let exact = judging::judged(&assessed.assessment, now());
        assert_eq!(port.judged(number).findings, exact.findings, "{aboard:?}");
    }
}

/// Numbers that look thrown and are the same each time (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(sides).unwrap()).unwrap()
    }
}
