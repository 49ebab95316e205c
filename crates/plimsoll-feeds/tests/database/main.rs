//! The advisory database from the outside: what goes in comes out, damage never goes unseen or panics,
//! and a file that is replaced disturbs nobody.

// The lint's exception for tests does not reach the functions that tests call.
#![allow(clippy::unwrap_used)]

mod damage;

use std::fs;
use std::path::{Path, PathBuf};

use plimsoll_core::advisory::{
    Advisories, Advisory, Affected, Cvss, EndOfLife, Enrichment, Epss, FeedRecord, FixState, High, Interval,
    Kev, Range, RangeEnd, Row, Severity, Status, VendorUpdate,
};
use plimsoll_core::ecosystems;
use plimsoll_feeds::database::{
    AdvisoryName, BuildError, Builder, Built, DESCRIPTION_CHARS_MAX, Database, Diff, diff, export_sqlite,
};
use plimsoll_feeds::feeds::Sink;

const BUILT_AT: &str = "2026-11-20T10:00:00Z";

fn feed(name: &str) -> FeedRecord {
    FeedRecord {
        name: name.to_owned(),
        fetched_at: "2026-11-20T09:00:00Z".to_owned(),
        ..FeedRecord::default()
    }
}

fn advisory(id: &str) -> Advisory {
    Advisory { id: id.to_owned(), summary: format!("about {id}"), ..Advisory::default() }
}

/// An advisory with every field filled.
fn full_advisory() -> Advisory {
    let vectors = [
        "AV:N/AC:L/Au:N/C:C/I:C/A:C",
        "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H",
        "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
    ];
    Advisory {
        id: "GHSA-full".to_owned(),
        aliases: vec!["CVE-2024-0001".to_owned()],
        flaws: vec!["CVE-2024-0001".to_owned(), "CVE-2024-0002".to_owned()],
        summary: "one line".to_owned(),
        description: "öfter\nmehr".to_owned(),
        severity: Some(Severity::High),
        cvss: vectors.iter().map(|vector| Cvss::read("nvd", vector).unwrap()).collect(),
        references: vec!["https://example.org/1".to_owned()],
        updates: vec![VendorUpdate {
            name: "KB1".to_owned(),
            namespace: "windows-server:2022".to_owned(),
            package: "windows_server_2022".to_owned(),
            version: "10.0.20348.2".to_owned(),
        }],
        component: "Kernel".to_owned(),
        is_exploited: true,
        published: Some("2024-01-01T00:00:00Z".to_owned()),
        modified: None,
    }
}

fn affected(namespace: &str, package: &str, ranges: &[Range]) -> Affected {
    Affected {
        namespace: namespace.to_owned(),
        package: package.to_owned(),
        status: Status::Affected,
        fix: FixState::Unstated,
        ranges: ranges.to_vec(),
        module: None,
        architectures: Vec::new(),
        severity: None,
    }
}

fn range(introduced: &str, end: RangeEnd) -> Range {
    Range { introduced: (!introduced.is_empty()).then(|| introduced.to_owned()), end }
}

fn fixed(introduced: &str, end: &str) -> Range {
    range(introduced, RangeEnd::Fixed(end.to_owned()))
}

fn key(ecosystem: &str, version: &str) -> Vec<u8> {
    (ecosystems::by_name(ecosystem).unwrap().scheme.key)(version).unwrap()
}

/// A directory with a database in it.
struct Stored {
    directory: tempfile::TempDir,
    built: Built,
}

impl Stored {
    fn path(&self) -> PathBuf {
        self.directory.path().join("advisories.db")
    }

    fn open(&self) -> Database {
        let database = Database::open(&self.path()).unwrap();
        database.verify().unwrap();
        database
    }
}

fn store(fill: impl FnOnce(&mut Builder)) -> Stored {
    let directory = tempfile::tempdir().unwrap();
    let mut builder = Builder::new();
    fill(&mut builder);
    let built = builder.write(&directory.path().join("advisories.db"), BUILT_AT).unwrap();
    Stored { directory, built }
}

/// A small database with something of everything.
fn fill_small(builder: &mut Builder) {
    let mut sink = builder.begin_feed(feed("first"));
    sink.advisory(
        &full_advisory(),
        &[
            affected("pypi", "django", &[fixed("", "2"), range("3", RangeEnd::Open)]),
            Affected {
                status: Status::NotAffected,
                module: Some("nodejs:18".to_owned()),
                architectures: vec!["amd64".to_owned(), "arm64".to_owned()],
                severity: Some(Severity::Low),
                ..affected("npm", "react", &[])
            },
        ],
    );
    sink.data_date("2026-11-19T00:00:00Z");
    sink.skip("withdrawn");
    let mut sink = builder.begin_feed(feed("second"));
    for n in 0..40 {
        let id = format!("S-{n}");
        let package = format!("package-{}", n % 7);
        sink.advisory(
            &advisory(&id),
            &[affected("pypi", &package, &[range("1", RangeEnd::Last(format!("{}", 2 + n % 8)))])],
        );
    }
    sink.epss("CVE-2024-0001", Epss { score: 0.943580000, percentile: 0.99957 });
    sink.kev("CVE-2024-0001", kev());
    let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
    sink.cvss("CVE-2024-0002", &[Cvss::read("nvd", vector).unwrap()]);
    sink.end_of_life("pypi", EndOfLife { date: None, is_over: true, extended_until: None });
    sink.repository("rhel-9-rpms", &["enterprise_linux:9::baseos"]);
}

fn kev() -> Kev {
    Kev {
        date_added: "2024-02-01".to_owned(),
        due_date: "2024-02-21".to_owned(),
        is_used_by_ransomware: true,
    }
}

/// The rows of a package in words, which borrow nothing.
fn rows(database: &Database, namespace: &str, package: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut each = |row: Row<'_>| {
        let id = database.advisory(row.advisory).unwrap().id;
        let feed = &database.feeds()[row.feed].name;
        found.push(format!("{feed} {id} {:?} {}..{}", row.status, row.introduced, row.end));
    };
    database.rows(namespace, package, &mut each).unwrap();
    found
}

#[test]
fn every_kind_of_range_reads_back_as_keys_and_as_written() {
    let version = || "3".to_owned();
    let cases = [
        (range("", RangeEnd::Open), None, "open"),
        (range("1", RangeEnd::Open), Some("1"), "open"),
        (range("", RangeEnd::Fixed(version())), None, "fixed"),
        (range("1", RangeEnd::Fixed(version())), Some("1"), "fixed"),
        (range("1", RangeEnd::Before(version())), Some("1"), "before"),
        (range("1", RangeEnd::Last(version())), Some("1"), "last"),
        (range("3", RangeEnd::Last(version())), Some("3"), "last"),
    ];
    for (namespace, ecosystem) in [
        ("pypi", "pypi"),
        ("npm", "npm"),
        ("maven", "maven"),
        ("golang", "golang"),
        ("debian:12", "deb"),
        ("alpine:3.20", "apk"),
        ("wolfi", "apk"),
    ] {
        let stored = store(|builder| {
            let mut sink = builder.begin_feed(feed("one"));
            for (n, (range, ..)) in cases.iter().enumerate() {
                let affected = affected(namespace, "p", std::slice::from_ref(range));
                sink.advisory(&advisory(&format!("A-{n}")), &[affected]);
            }
        });
        let database = stored.open();
        let mut expected = cases.iter();
        let end_key = key(ecosystem, "3");
        let mut each = |row: Row<'_>| {
            let (_, introduced, end) = expected.next().unwrap();
            let low = introduced.map(|version| key(ecosystem, version)).unwrap_or_default();
            let high = match *end {
                "open" => High::Open,
                "last" => High::Through(&end_key),
                _ => High::Before(&end_key),
            };
            assert_eq!(row.interval, Interval::Keys { low: &low, high }, "{namespace} {introduced:?} {end}");
            assert_eq!(row.introduced, introduced.unwrap_or(""));
            assert_eq!(row.end, if *end == "open" { "" } else { "3" });
            assert_eq!(row.has_fix, *end == "fixed");
        };
        database.rows(namespace, "p", &mut each).unwrap();
        assert!(expected.next().is_none());
    }
}

#[test]
fn every_field_of_a_statement_reads_back() {
    let statuses = [Status::Affected, Status::NotAffected, Status::Fixed, Status::UnderInvestigation];
    let fixes =
        [FixState::Unstated, FixState::None, FixState::Deferred, FixState::WillNotFix, FixState::EndOfLife];
    let mut cases = Vec::new();
    for status in statuses {
        for fix in fixes {
            for severity in Severity::ALL.into_iter().map(Some).chain([None]) {
                let n = cases.len();
                cases.push(Affected {
                    status,
                    fix,
                    severity,
                    module: (n % 2 == 0).then(|| format!("module:{}", n % 3)),
                    architectures: ["amd64", "arm64"][..n % 3].iter().map(|&name| name.to_owned()).collect(),
                    ..affected("rpm", &format!("p{n}"), &[fixed("1", "2")])
                });
            }
        }
    }
    let database = store(|builder| builder.begin_feed(feed("one")).advisory(&advisory("A"), &cases)).open();
    for case in &cases {
        let mut count = 0;
        let mut each = |row: Row<'_>| {
            count += 1;
            assert_eq!((row.status, row.fix, row.severity), (case.status, case.fix, case.severity));
            assert_eq!(row.module, case.module.as_deref().unwrap_or(""));
            assert_eq!(row.architectures, case.architectures.join(" "));
        };
        database.rows("rpm", &case.package, &mut each).unwrap();
        assert_eq!(count, 1, "{}", case.package);
    }
}

#[test]
fn advisories_feeds_and_enrichments_read_back() {
    let stored = store(fill_small);
    let database = stored.open();
    assert_eq!(
        rows(&database, "pypi", "django"),
        ["first GHSA-full Affected ..2", "first GHSA-full Affected 3.."]
    );
    assert_eq!(rows(&database, "npm", "react"), ["first GHSA-full NotAffected .."]);
    assert_eq!(rows(&database, "pypi", "package-1").len(), 6);
    let mut number = 0;
    database.rows("npm", "react", &mut |row| number = row.advisory).unwrap();
    assert_eq!(database.advisory(number).unwrap(), full_advisory());
    let enrichment = database.enrichment("CVE-2024-0001").unwrap();
    let epss = Epss { score: 0.94358, percentile: 0.99957 };
    assert_eq!(enrichment, Enrichment { kev: Some(kev()), epss: Some(epss), cvss: Vec::new() });
    let [first, second] = database.feeds() else { panic!("two feeds") };
    assert_eq!(first.namespaces, ["pypi"]);
    assert_eq!(first.data_date.as_deref(), Some("2026-11-19T00:00:00Z"));
    assert_eq!((first.records, second.records), (1, 45));
    assert_eq!(first.skipped, [("withdrawn".to_owned(), 1)]);
    assert_eq!(database.feeds(), stored.built.feeds);
    assert_eq!(database.identity(), &stored.built.identity);
    assert_eq!(database.identity().built_at, BUILT_AT);
    assert_eq!((stored.built.rows, stored.built.advisories), (43, 41));
    assert_eq!(stored.built.bytes, fs::metadata(stored.path()).unwrap().len());
}

/// A list of what does not affect anybody says nothing of what does.
#[test]
fn denials_alone_serve_no_namespace() {
    let stored = store(|builder| {
        let mut sink = builder.begin_feed(feed("denying"));
        let denied = Affected { status: Status::NotAffected, ..affected("alpine:3.20", "dnsmasq", &[]) };
        sink.advisory(&advisory("CVE-2024-0001"), std::slice::from_ref(&denied));
        let mut sink = builder.begin_feed(feed("claiming"));
        sink.advisory(&advisory("CVE-2024-0002"), &[denied]);
        sink.advisory(
            &advisory("CVE-2024-0003"),
            &[affected("alpine:3.20", "dnsmasq", &[fixed("", "2.90-r1")])],
        );
    });
    let database = stored.open();
    let namespaces: Vec<&[String]> = database.feeds().iter().map(|feed| feed.namespaces.as_slice()).collect();
    assert_eq!(namespaces, [&[] as &[String], &["alpine:3.20".to_owned()]]);
    let mut rows = 0;
    database.rows("alpine:3.20", "dnsmasq", &mut |_| rows += 1).unwrap();
    assert_eq!(rows, 3);
}

#[test]
fn vectors_ends_of_life_and_repositories_read_back() {
    let vector = |source: &str, text: &str| Cvss::read(source, text).unwrap();
    let (one, other) = (
        vector("nvd", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"),
        vector("cisa-adp", "CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N"),
    );
    let end = EndOfLife { date: Some("2026-04-01".to_owned()), is_over: false, extended_until: None };
    let over = EndOfLife { date: None, is_over: true, extended_until: Some("2030-01-01".to_owned()) };
    let stored = store(|builder| {
        let mut sink = builder.begin_feed(feed("one"));
        sink.cvss("CVE-2024-0002", std::slice::from_ref(&one));
        sink.cvss("CVE-2024-0001", &[one.clone(), other.clone()]);
        sink.cvss("CVE-2024-0001", std::slice::from_ref(&one));
        sink.cvss("GHSA-1", std::slice::from_ref(&one));
        sink.end_of_life("debian:12", over.clone());
        sink.end_of_life("alpine:3.20", over.clone());
        sink.end_of_life("alpine:3.20", end.clone());
        sink.repository("zz", &["p"]);
        sink.repository("rhel-9-rpms", &["first"]);
        sink.repository("rhel-9-rpms", &["enterprise_linux:9::baseos", "enterprise_linux:9::crb"]);
    });
    let database = stored.open();
    database.verify().unwrap();
    assert_eq!(database.enrichment("CVE-2024-0001").unwrap().cvss, [other, one.clone()]);
    assert_eq!(database.enrichment("CVE-2024-0002").unwrap().cvss, [one]);
    assert_eq!(database.enrichment("CVE-2024-0003").unwrap().cvss, []);
    assert_eq!(database.end_of_life("alpine:3.20"), Some(end));
    assert_eq!(database.end_of_life("debian:12"), Some(over));
    assert_eq!(database.end_of_life("debian:11"), None);
    let products = ["enterprise_linux:9::baseos", "enterprise_linux:9::crb"];
    assert_eq!(database.products("rhel-9-rpms").unwrap(), products);
    assert_eq!(database.products("rhel-8-rpms").unwrap(), [""; 0]);
    assert_eq!(stored.built.feeds[0].refused, [("id is not a CVE".to_owned(), 1)]);
}

#[test]
fn what_is_not_there_is_empty_and_no_failure() {
    for stored in [store(fill_small), store(|_| ())] {
        let database = stored.open();
        for (namespace, package) in [
            ("pypi", "absent"),
            ("pypi", ""),
            ("pypi", "zzz"),
            ("npm", "django"),
            ("", "django"),
            ("alpine:3.20", "zlib"),
            ("zzz", "zzz"),
        ] {
            assert!(rows(&database, namespace, package).is_empty(), "{namespace} {package}");
        }
        for cve in ["CVE-1999-0001", "CVE-2024-0003", "CVE-2099-9999", "GHSA-full", ""] {
            assert_eq!(database.enrichment(cve), Ok(Enrichment::default()), "{cve}");
        }
        assert!(database.advisory(u32::MAX).is_err());
        assert!(database.advisory(database.advisory_count()).is_err());
    }
}

#[test]
fn what_cannot_be_stored_is_refused_counted_and_shown() {
    let long = "x".repeat(3_000);
    let stored = store(|builder| {
        let mut sink = builder.begin_feed(feed("one"));
        let a = advisory("A");
        sink.advisory(&a, &[affected("plan9", "p", &[fixed("", "2")])]);
        sink.advisory(&a, &[affected("pypi", "p", &[])]);
        sink.advisory(&a, &[affected("pypi", "", &[fixed("", "2")])]);
        sink.advisory(&a, &[affected("pypi", "p", &[fixed("2", "2"), fixed("3", "2")])]);
        sink.advisory(&a, &[affected("pypi", "p", &[range("3", RangeEnd::Last("2".to_owned()))])]);
        sink.advisory(&a, &[affected("pypi", &long, &[fixed("", "2")])]);
        sink.advisory(&a, &[]);
        // An empty version follows no scheme, whatever the scheme.
        sink.advisory(&a, &[affected("pypi", "odd", &[fixed("", "")])]);
        sink.epss("GHSA-1", Epss { score: 0.1, percentile: 0.1 });
        sink.epss("CVE-2024-0001", Epss { score: 1.5, percentile: 0.1 });
        sink.data_date("yesterday");
        sink.namespace("plan9");
        for n in 0..100 {
            sink.refuse(&format!("R-{n}"), &format!("reason {n}"));
        }
    });
    let database = stored.open();
    let record = &database.feeds()[0];
    let count = |reason: &str| record.refused.iter().find(|(of, _)| of == reason).map(|(_, count)| *count);
    for (reason, expected) in [
        ("namespace is not known", 2),
        ("no versions are stated", 1),
        ("package has no name", 1),
        ("range is empty", 3),
        ("a text is longer than 2048 bytes", 1),
        ("version does not follow `pep440`", 1),
        ("id is not a CVE", 1),
        ("score is not between 0 and 1", 1),
        ("date is not RFC 3339", 1),
        ("reason 0", 1),
        ("other reasons", 45),
    ] {
        assert_eq!(count(reason), Some(expected), "{reason}: {:?}", record.refused);
    }
    assert_eq!(record.skipped, [("names no package".to_owned(), 1)]);
    assert_eq!(record.examples.len(), 20);
    assert_eq!(record.examples[0], "A: plan9 p: namespace is not known");
    assert_eq!(record.examples[3], "A: pypi p [2, 2): range is empty");
    assert_eq!(record.namespaces, ["pypi"]);
    let mut found = Vec::new();
    database.rows("pypi", "odd", &mut |row| found.push(row.interval)).unwrap();
    assert_eq!(found, [Interval::Unparsable]);
    assert_eq!(stored.built.rows, 1);
}

#[test]
fn equal_bodies_of_a_feed_are_one_advisory_and_equal_rows_one_row() {
    let statement = [affected("pypi", "p", &[fixed("1", "2")])];
    let other = [affected("pypi", "q", &[fixed("1", "2")])];
    let long = Advisory { description: "ß".repeat(DESCRIPTION_CHARS_MAX + 1), ..advisory("B") };
    let stored = store(|builder| {
        let mut sink = builder.begin_feed(feed("one"));
        for statement in [&statement, &other, &statement] {
            sink.advisory(&advisory("A"), statement);
        }
        sink.advisory(&Advisory { summary: "another".to_owned(), ..advisory("A") }, &statement);
        sink.advisory(&long, &statement);
        builder.begin_feed(feed("two")).advisory(&advisory("A"), &statement);
    });
    assert_eq!((stored.built.advisories, stored.built.rows), (4, 5));
    let database = stored.open();
    assert_eq!(rows(&database, "pypi", "q"), ["one A Affected 1..2"]);
    let cut = database.advisory(2).unwrap().description;
    assert_eq!(cut.chars().count(), DESCRIPTION_CHARS_MAX);
    assert!(cut.ends_with('…'));
}

#[test]
fn advisories_of_many_frames_are_found_by_number() {
    let text = |n: u32| {
        // Incompressible enough to fill frames.
        (0..200u32)
            .map(|word| format!("{:x} ", (n * 200 + word).wrapping_mul(2_654_435_761)))
            .collect::<String>()
    };
    let huge = Advisory { references: vec!["r".repeat(600 << 10)], ..advisory("huge") };
    let database = store(|builder| {
        let mut sink = builder.begin_feed(feed("one"));
        for n in 0..500 {
            let body = Advisory { description: text(n), ..advisory(&format!("A-{n}")) };
            sink.advisory(&body, &[affected("npm", &format!("p{n}"), &[fixed("", "2")])]);
        }
        sink.advisory(&huge, &[affected("npm", "huge", &[fixed("", "2")])]);
    })
    .open();
    for n in (0..500).chain((0..500).rev()) {
        let found = database.advisory(n).unwrap();
        assert_eq!((found.id, found.description), (format!("A-{n}"), text(n)));
    }
    assert_eq!(database.feeds()[0].refused, [("it is larger than 512 KiB".to_owned(), 1)]);
    std::thread::scope(|scope| {
        for start in 0..4 {
            let database = &database;
            scope.spawn(move || {
                for n in (start..500).step_by(4) {
                    assert_eq!(database.advisory(n).unwrap().id, format!("A-{n}"));
                }
            });
        }
    });
}

#[test]
fn the_last_enrichment_of_a_cve_counts() {
    let epss = |score| Epss { score, percentile: 0.5 };
    let database = store(|builder| {
        let mut sink = builder.begin_feed(feed("one"));
        for n in (0..300).rev() {
            sink.epss(&format!("CVE-2020-{:04}", n + 1), epss(f64::from(n) / 1_000.0));
        }
        sink.epss("CVE-2020-0007", epss(0.77));
    })
    .open();
    for (cve, expected) in
        [("CVE-2020-0001", Some(0.0)), ("CVE-2020-0007", Some(0.77)), ("CVE-2020-0300", Some(0.299))]
    {
        assert_eq!(database.enrichment(cve).unwrap().epss.map(|epss| epss.score), expected, "{cve}");
    }
}

#[test]
fn equal_input_gives_equal_bytes_and_the_build_time_no_other_identity() {
    let [one, two] = [store(fill_small), store(fill_small)];
    assert_eq!(fs::read(one.path()).unwrap(), fs::read(two.path()).unwrap());
    let mut builder = Builder::new();
    fill_small(&mut builder);
    let later = builder.write(&two.path(), "2026-11-21T10:00:00Z").unwrap();
    assert_eq!(later.identity.id, one.built.identity.id);
    assert_ne!(later.identity.built_at, one.built.identity.built_at);
    let other = store(|builder| {
        builder.begin_feed(FeedRecord { fetched_at: "2026-11-20T09:00:01Z".to_owned(), ..feed("first") });
    });
    let base = store(|builder| {
        builder.begin_feed(feed("first"));
    });
    assert_ne!(other.built.identity.id, base.built.identity.id);
}

#[test]
fn a_build_that_fails_leaves_the_old_database() {
    let stored = store(fill_small);
    let before = fs::read(stored.path()).unwrap();
    let names = |path: &Path| {
        let mut names: Vec<_> = fs::read_dir(path.parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let build = |name: &str, built_at: &str| {
        let mut builder = Builder::new();
        builder.begin_feed(feed("first"));
        builder.begin_feed(feed(name));
        builder.write(&stored.path(), built_at)
    };
    assert!(matches!(build("first", BUILT_AT), Err(BuildError::FeedTwice(_))));
    assert!(matches!(build("second", "noon"), Err(BuildError::BuiltAt(_))));
    let lock = fs::File::open(stored.directory.path().join("advisories.db.lock")).unwrap();
    lock.lock().unwrap();
    assert!(matches!(build("second", BUILT_AT), Err(BuildError::Busy(_))));
    drop(lock);
    // What a killed build leaves.
    fs::write(stored.directory.path().join("advisories.db.building"), b"half").unwrap();
    assert_eq!(fs::read(stored.path()).unwrap(), before);
    stored.open();
    build("second", BUILT_AT).unwrap();
    assert_ne!(fs::read(stored.path()).unwrap(), before);
    assert_eq!(names(&stored.path()), ["advisories.db", "advisories.db.lock"]);
    #[cfg(unix)]
    {
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(stored.path()).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn readers_keep_the_database_that_they_opened() {
    let stored = store(fill_small);
    let old = stored.open();
    let expected = rows(&old, "pypi", "package-1");
    std::thread::scope(|scope| {
        let (old, expected) = (&old, &expected);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(move || {
                    for _ in 0..200 {
                        assert_eq!(&rows(old, "pypi", "package-1"), expected);
                    }
                })
            })
            .collect();
        for n in 0..3 {
            let mut builder = Builder::new();
            builder.begin_feed(feed(&format!("new-{n}")));
            builder.write(&stored.path(), BUILT_AT).unwrap();
        }
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    assert_eq!(rows(&old, "pypi", "package-1"), expected);
    assert!(rows(&stored.open(), "pypi", "package-1").is_empty());
}

#[test]
fn diffs_name_what_came_went_and_changed() {
    let name = |feed: &str, id: &str| AdvisoryName { feed: feed.to_owned(), id: id.to_owned() };
    let package = |name: &str| ("pypi".to_owned(), name.to_owned());
    type Statement = (&'static str, &'static str, &'static str, &'static str);
    // Feed, advisory, package, fixed version.
    let base: &[Statement] = &[("f", "A", "p", "2"), ("f", "B", "q", "2"), ("g", "A", "r", "2")];
    let of = |statements: &[Statement], summary: &str| {
        store(|builder| {
            for feed_name in ["f", "g"] {
                let mut sink = builder.begin_feed(feed(feed_name));
                for (_, id, package, end) in statements.iter().filter(|(feed, ..)| *feed == feed_name) {
                    let body = Advisory { summary: summary.to_owned(), ..advisory(id) };
                    sink.advisory(&body, &[affected("pypi", package, &[fixed("", end)])]);
                }
            }
        })
    };
    let cases: [(&str, &[Statement], &str, Diff); 6] = [
        ("equal", base, "s", Diff::default()),
        (
            "another order",
            &[("g", "A", "r", "2"), ("f", "B", "q", "2"), ("f", "A", "p", "2")],
            "s",
            Diff::default(),
        ),
        (
            "one more",
            &[base[0], base[1], base[2], ("g", "C", "p", "3")],
            "s",
            Diff { added: vec![name("g", "C")], packages: vec![package("p")], ..Diff::default() },
        ),
        (
            "one less",
            &base[1..],
            "s",
            Diff { removed: vec![name("f", "A")], packages: vec![package("p")], ..Diff::default() },
        ),
        (
            "another package and version",
            &[("f", "A", "p", "3"), ("f", "B", "z", "2"), base[2]],
            "s",
            Diff {
                changed: vec![name("f", "A"), name("f", "B")],
                packages: vec![package("p"), package("q"), package("z")],
                ..Diff::default()
            },
        ),
        (
            "other bodies",
            base,
            "t",
            Diff {
                changed: vec![name("f", "A"), name("f", "B"), name("g", "A")],
                packages: vec![package("p"), package("q"), package("r")],
                ..Diff::default()
            },
        ),
    ];
    let old = of(base, "s");
    for (what, statements, summary, expected) in cases {
        let new = of(statements, summary);
        assert_eq!(diff(&old.open(), &new.open()).unwrap(), expected, "{what}");
    }
}

#[test]
fn the_sqlite_export_has_the_same_content() {
    let stored = store(fill_small);
    let path = stored.directory.path().join("export.sqlite");
    fs::write(&path, b"an older export").unwrap();
    export_sqlite(&stored.open(), &path).unwrap();
    assert!(!stored.directory.path().join("export.sqlite.exporting").exists());
    let connection = rusqlite::Connection::open(&path).unwrap();
    let count = |table: &str| -> i64 {
        connection.query_row(&format!("select count(*) from {table}"), [], |row| row.get(0)).unwrap()
    };
    for (table, expected) in [
        ("feeds", 2),
        ("feed_namespaces", 2),
        ("feed_counts", 1),
        ("feed_examples", 0),
        ("advisories", 41),
        ("aliases", 1),
        ("flaws", 2),
        ("cvss", 4),
        ("links", 1),
        ("affected", 43),
        ("kev", 1),
        ("epss", 1),
    ] {
        assert_eq!(count(table), expected, "{table}");
    }
    let text = |sql: &str| -> String { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(text("select value from meta where key = 'id'"), stored.built.identity.id);
    assert_eq!(text("select description from advisories where id = 'GHSA-full'"), "öfter\nmehr");
    assert_eq!(text("select architectures from affected where package = 'react'"), "amd64 arm64");
    assert_eq!(
        text("select cve || date_added || is_used_by_ransomware from kev"),
        "CVE-2024-00012024-02-011"
    );
    // The keys find what a version is affected by, as the database itself does.
    let found: i64 = connection
        .query_row(
            "select count(*) from affected where namespace = 'pypi' and package = 'django'
             and low <= ?1 and (high is null or ?1 < high or (high_is_included and ?1 = high))",
            [key("pypi", "1")],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(found, 1);
}
