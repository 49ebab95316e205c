//! Fixtures of all three databases against what rpm says of them; headers tag by tag; damage.
//!
//! `testdata/rpm/README.md` says how the fixtures were made.

use std::fmt::Write;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

const TYPE_INT32: u32 = 4;
const TYPE_STRING: u32 = 6;
const TYPE_STRING_ARRAY: u32 = 8;

fn testdata(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/rpm").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The header blobs of the three packages, by number.
fn three_blobs() -> Vec<(u32, Vec<u8>)> {
    let mut blobs = Vec::new();
    sqlite::read(&testdata("three-packages.sqlite"), &mut |next| {
        let blob = next.expect("the fixture is whole");
        blobs.push((u32::try_from(blob.number).expect("it is small"), blob.bytes.to_vec()));
    });
    blobs
}

/// Every database of the fixtures, and what it is called.
fn databases() -> Vec<(&'static str, Vec<u8>)> {
    let mut all: Vec<_> = [
        "three-packages.sqlite",
        "three-packages-little-endian.bdb",
        "three-packages-big-endian.bdb",
        "forty-packages.sqlite",
    ]
    .map(|name| (name, testdata(name)))
    .into();
    all.push(("three-packages.ndb", ndb_of(&three_blobs())));
    all
}

/// Writes an NDB database with one page of slots, the second slot being that of a deleted package.
fn ndb_of(blobs: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let mut slots = [b"RpmP".to_vec(), words(&[0, 7, 1, 9, 0, 0, 0])].concat();
    let mut body = Vec::new();
    for (at, (number, blob)) in blobs.iter().enumerate() {
        let start = u32::try_from((4096 + body.len()) / 16).expect("it is small");
        let length = u32::try_from(blob.len()).expect("it is small");
        let mut record = [b"BlbS".to_vec(), words(&[*number, 7, length]), blob.clone()].concat();
        record.resize((record.len() + 12).next_multiple_of(16) - 12, 0);
        let (low, high) = record.iter().fold((1_u64, 0_u64), |(low, high), byte| {
            ((low + u64::from(*byte)) % 65521, (high + low + u64::from(*byte)) % 65521)
        });
        record.extend(words(&[u32::try_from(high << 16 | low).expect("both are 16 bits"), length]));
        record.extend(b"BlbE");
        let blocks = u32::try_from(record.len() / 16).expect("it is small");
        slots.extend([b"Slot".to_vec(), words(&[*number, start, blocks])].concat());
        if at == 0 {
            slots.extend([b"Slot".to_vec(), words(&[0, 0, 0])].concat());
        }
        body.extend(record);
    }
    while slots.len() < 4096 {
        slots.extend([b"Slot".to_vec(), words(&[0, 0, 0])].concat());
    }
    [slots, body].concat()
}

/// Writes a header blob of tags, types, counts and values.
fn header_of(entries: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
    let (mut index, mut data) = (Vec::new(), Vec::new());
    for (tag, kind, count, value) in entries {
        let offset = u32::try_from(data.len()).expect("it is small");
        index.extend([*tag, *kind, offset, *count].iter().flat_map(|word| word.to_be_bytes()));
        data.extend_from_slice(value);
    }
    let counts = [entries.len(), data.len()].map(|count| u32::try_from(count).expect("it is small"));
    [counts.iter().flat_map(|word| word.to_be_bytes()).collect(), index, data].concat()
}

/// The entries that every package has.
const NEVR: [(u32, u32, u32, &[u8]); 3] =
    [(1000, TYPE_STRING, 1, b"demo\0"), (1001, TYPE_STRING, 1, b"1.0\0"), (1002, TYPE_STRING, 1, b"2.el9\0")];

/// What is found in one header with these entries beside name, version and release.
fn found_in(more: &[(u32, u32, u32, &[u8])]) -> Found {
    found_in_blob(&header_of(&[&NEVR, more].concat()))
}

fn found_in_blob(blob: &[u8]) -> Found {
    let mut reading = Reading::default();
    reading.take(Ok(Blob { number: 1, bytes: blob }));
    reading.finish()
}

/// What is found, a package a line, with the same fields as rpm was asked for.
fn lines(found: &Found) -> Vec<String> {
    let mut lines = Vec::new();
    for package in &found.packages {
        let mut line = format!("{}|{}", package.name, package.version);
        let source = package.source.as_ref();
        let source = source.map_or("(none)".into(), |(name, version)| format!("{name}-{version}.src.rpm"));
        let architecture = package.architecture.as_deref().unwrap_or("(none)");
        let module = package.module.as_deref().filter(|module| !module.is_empty()).unwrap_or("(none)");
        write!(line, "|{architecture}|{source}|{module}|{}", package.licenses.join("; "))
            .expect("it is a text");
        let owned = found.owned.iter().filter(|owned| owned.package == package.name);
        owned.flat_map(|owned| &owned.paths).for_each(|path| write!(line, "|/{path}").expect("it is a text"));
        lines.push(line);
    }
    lines.sort_unstable();
    lines
}

#[test]
fn every_kind_of_database_says_what_rpm_says() {
    // rpm shows an epoch of 0 where it is stated and the whole of a module's label.
    let expected = String::from_utf8(testdata("three-packages.txt")).expect("it is text");
    let expected =
        expected.replace("|0:9.9", "|9.9").replace("nodejs:18:8080020230607:63b34585", "nodejs:18");
    let mut expected: Vec<&str> = expected.lines().collect();
    expected.sort_unstable();
    for (name, database) in databases().into_iter().filter(|(name, _)| name.starts_with("three")) {
        let found = parse(&database);
        assert_eq!(found.problems, [], "{name}");
        assert_eq!(lines(&found), expected, "{name}");
    }
}

#[test]
fn a_table_of_many_pages_is_read_in_order() {
    let found = parse(&testdata("forty-packages.sqlite"));
    assert_eq!(found.problems, []);
    let expected: Vec<String> = (1..=40).map(|number| format!("package-{number:02} 1-{number}")).collect();
    let packages = found.packages.iter().map(|package| format!("{} {}", package.name, package.version));
    assert_eq!(packages.collect::<Vec<_>>(), expected);
}

#[test]
fn wanted_are_databases_where_rpm_keeps_them() {
    for (path, size, expected) in [
        ("var/lib/rpm/Packages", 1, true),
        ("var/lib/rpm/Packages.db", 1, true),
        ("var/lib/rpm/rpmdb.sqlite", 1, true),
        ("usr/lib/sysimage/rpm/rpmdb.sqlite", 1, true),
        ("usr/share/rpm/rpmdb.sqlite", 1, true),
        ("usr/share/rpm/rpmdb.sqlite-wal", 1, true),
        ("usr/share/rpm/rpmdb.sqlite-wal", 0, false),
        ("var/lib/rpmmanifest/container-manifest-2", 1, true),
        ("var/lib/rpm/Name", 1, false),
        ("srv/var/lib/rpm/Packages", 1, false),
        ("Packages", 1, false),
    ] {
        assert_eq!(wants(&Entry { path, size, is_executable: false }), expected, "{path}");
    }
}

#[test]
fn a_write_ahead_log_is_a_problem() {
    let mut content: &[u8] = b"pages";
    let found = read(&mut File::new("var/lib/rpm/rpmdb.sqlite-wal", 5, &mut content));
    assert_eq!(found.problems.len(), 1);
}

#[test]
fn source_packages_are_split_from_the_end() {
    for (file_name, expected) in [
        ("glibc-2.34-2.cm2.src.rpm", Some(("glibc", "2.34-2.cm2"))),
        ("perl-Term-ANSIColor-5.01-1.el9.nosrc.rpm", Some(("perl-Term-ANSIColor", "5.01-1.el9"))),
        ("(none)", None),
        ("glibc.src.rpm", None),
        ("-1-2.src.rpm", None),
        ("é-1-2.src.rpm", Some(("é", "1-2"))),
        ("glibc-2.34-2.cm2.x86_64.rpm", None),
    ] {
        let expected = expected.map(|(name, version)| (name.to_owned(), version.to_owned()));
        assert_eq!(source_package(file_name), expected, "{file_name}");
    }
}

#[test]
fn headers_are_read_tag_by_tag() {
    let zero = 0_u32.to_be_bytes();
    let one = 1_u32.to_be_bytes();
    let indexes = [one, zero].concat();
    for (more, expected) in [
        (vec![], "demo|1.0-2.el9|(none)|(none)|(none)|"),
        (vec![(1003, TYPE_INT32, 1, &zero[..])], "demo|1.0-2.el9|(none)|(none)|(none)|"),
        (vec![(1003, TYPE_INT32, 1, &one[..])], "demo|1:1.0-2.el9|(none)|(none)|(none)|"),
        // The later entry of a tag counts.
        (
            vec![(1022, TYPE_STRING, 1, &b"i686\0"[..]), (1022, TYPE_STRING, 1, b"x86_64\0")],
            "demo|1.0-2.el9|x86_64|(none)|(none)|",
        ),
        (vec![(5096, TYPE_STRING, 1, b"perl:5.30:80:f\0")], "demo|1.0-2.el9|(none)|(none)|perl:5.30|"),
        (vec![(5096, TYPE_STRING, 1, b"perl:5.30\0")], "demo|1.0-2.el9|(none)|(none)|perl:5.30|"),
        (vec![(1014, TYPE_STRING, 1, b"caf\xe9\0")], "demo|1.0-2.el9|(none)|(none)|(none)|caf\u{fffd}"),
        (
            vec![
                (1117, TYPE_STRING_ARRAY, 2, b"a\0b c\0"),
                (1118, TYPE_STRING_ARRAY, 2, b"/etc/\0/\0"),
                (1116, TYPE_INT32, 2, &indexes),
            ],
            "demo|1.0-2.el9|(none)|(none)|(none)||/a|/etc/b c",
        ),
        (
            vec![(1027, TYPE_STRING_ARRAY, 2, b"/etc/x\0/usr/y\0")],
            "demo|1.0-2.el9|(none)|(none)|(none)||/etc/x|/usr/y",
        ),
    ] {
        let found = found_in(&more);
        assert_eq!(found.problems, []);
        assert_eq!(lines(&found), [expected]);
    }
}

#[test]
fn a_key_is_not_a_package() {
    let mut entries = NEVR;
    entries[0] = (1000, TYPE_STRING, 1, b"gpg-pubkey\0");
    assert_eq!(found_in_blob(&header_of(&entries)), Found::default());
}

#[test]
fn a_module_that_is_absent_is_stated_as_absent() {
    assert_eq!(found_in(&[]).packages[0].module.as_deref(), Some(""));
}

#[test]
fn a_bad_field_costs_that_field_alone() {
    let two = 2_u32.to_be_bytes();
    let long = [vec![b'x'; header::TEXT_LENGTH_MAX + 1], vec![0]].concat();
    for more in [
        vec![(1022, TYPE_INT32, 1, &two[..])],
        vec![(1044, TYPE_STRING, 1, b"no end")],
        vec![(1014, TYPE_STRING, 1, &long[..])],
        // More names than there are bytes, more than there are indexes, a directory that is not there.
        vec![(1117, TYPE_STRING_ARRAY, u32::MAX, b"a\0")],
        vec![(1117, TYPE_STRING_ARRAY, 1, b"a\0"), (1118, TYPE_STRING_ARRAY, 1, b"/\0")],
        vec![
            (1117, TYPE_STRING_ARRAY, 1, b"a\0"),
            (1118, TYPE_STRING_ARRAY, 1, b"/\0"),
            (1116, TYPE_INT32, 1, &two),
        ],
    ] {
        let found = found_in(&more);
        assert_eq!(lines(&found), ["demo|1.0-2.el9|(none)|(none)|(none)|"]);
        assert_eq!(found.problems.len(), 1, "{more:?}");
    }
}

#[test]
fn a_header_that_lacks_what_names_a_package_is_a_problem() {
    let mut nameless = NEVR;
    nameless[0] = (1000, TYPE_STRING, 1, b"\0");
    let whole = header_of(&NEVR);
    let mut huge = whole.clone();
    huge[..4].copy_from_slice(&u32::MAX.to_be_bytes());
    let blobs =
        [header_of(&nameless), header_of(&NEVR[..2]), whole[..whole.len() - 1].to_vec(), huge, Vec::new()];
    for blob in blobs {
        let found = found_in_blob(&blob);
        assert_eq!((found.packages.len(), found.problems.len()), (0, 1), "{blob:?}");
    }
}

#[test]
fn paths_that_would_fill_the_memory_are_limited() {
    // 20,000 files in one directory whose name is as long as a path may be.
    let directory = [vec![b'/'; 4000], vec![0]].concat();
    let names = vec![0; 20_000];
    let indexes = vec![0; 80_000];
    let entries: [(u32, u32, u32, &[u8]); 3] = [
        (1117, TYPE_STRING_ARRAY, 20_000, &names),
        (1118, TYPE_STRING_ARRAY, 1, &directory),
        (1116, TYPE_INT32, 20_000, &indexes),
    ];
    let blob = header_of(&[&NEVR, &entries[..]].concat());
    let mut reading = Reading::default();
    for number in 0..2 {
        reading.take(Ok(Blob { number, bytes: &blob }));
    }
    let found = reading.finish();
    let bytes: usize = found.owned.iter().flat_map(|owned| &owned.paths).map(String::len).sum();
    assert!(bytes <= PATH_BYTES_MAX + header::PATH_LENGTH_MAX, "{bytes}");
    assert_eq!(found.packages.len(), 2);
    assert!(matches!(found.problems.as_slice(), [problem] if problem.is_limit));
}

#[test]
fn problems_are_counted_where_they_are_too_many_to_tell() {
    let mut reading = Reading::default();
    for number in 0..200 {
        reading.take(Ok(Blob { number, bytes: b"" }));
    }
    let found = reading.finish();
    assert_eq!(found.problems.len(), PROBLEMS_MAX + 1);
    assert_eq!(
        found.problems.last().map(|problem| problem.detail.as_str()),
        Some("150 further problems of the rpm database are not told")
    );
}

#[test]
fn manifests_are_read_line_by_line() {
    let found = manifest::parse(
        b"bash\t5.1.8-1.cm2\t1\t2\tMicrosoft Corporation\t(none)\t3\tx86_64\t0\tbash-5.1.8-1.cm2.src.rpm\n\
          ca-certificates\t2.0.0-1.cm2\t1\t2\tMicrosoft Corporation\t1\t3\tnoarch\t1\tca-certificates-2.0.0-1.cm2.src.rpm\n\
          half a line\n",
    );
    assert_eq!(
        lines(&found),
        [
            "bash|5.1.8-1.cm2|x86_64|bash-5.1.8-1.cm2.src.rpm|(none)|",
            "ca-certificates|1:2.0.0-1.cm2|noarch|ca-certificates-2.0.0-1.cm2.src.rpm|(none)|",
        ]
    );
    assert_eq!(found.packages[0].module, None);
    assert_eq!(found.problems, [Problem::unreadable("line 3 does not describe a package in 10 fields")]);
    assert_eq!(manifest::parse(b"").problems.len(), 1);
}

/// Replaces bytes of a database.
fn damaged(database: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut damaged = database.to_vec();
    damaged[at..at + bytes.len()].copy_from_slice(bytes);
    damaged
}

#[test]
fn problems_say_what_is_wrong() {
    let databases = databases();
    let of = |name: &str| &databases.iter().find(|(known, _)| *known == name).expect("it is in the list").1;
    let (sqlite, bdb) = (of("three-packages.sqlite"), of("three-packages-little-endian.bdb"));
    let (forty, ndb) = (of("forty-packages.sqlite"), of("three-packages.ndb"));
    let mut told = String::new();
    for (what, database) in [
        ("sqlite, page size 513", damaged(sqlite, 16, &[2, 1])),
        ("sqlite, cut within a page", sqlite[..5000].to_vec()),
        ("sqlite, an overflow page leads to itself", damaged(sqlite, 4 * 512, &[0, 0, 0, 5])),
        ("sqlite, a page of the table is zeros", damaged(forty, 5 * 512, &[0; 512])),
        ("sqlite, the table has fewer pages", damaged(forty, 512 + 3, &[0, 2])),
        ("bdb, page size 3", damaged(bdb, 20, &[3, 0, 0, 0])),
        ("bdb, encrypted", damaged(bdb, 24, &[1])),
        ("bdb, cut", bdb[..6000].to_vec()),
        ("bdb, an overflow page leads to itself", damaged(bdb, 5 * 512 + 16, &[5, 0, 0, 0])),
        ("ndb, two slots for one blob", damaged(ndb, 64, &ndb[32..48])),
        ("ndb, a slot overwritten", damaged(ndb, 64, b"none")),
        ("ndb, a byte of a header", damaged(ndb, 4096 + 700, b"~")),
        ("ndb, three pages of slots", damaged(ndb, 12, &[3])),
        ("ndb, cut in its header", ndb[..10].to_vec()),
        ("a text", b"Packages".to_vec()),
    ] {
        let found = parse(&database);
        assert!(!found.problems.is_empty(), "{what}");
        writeln!(told, "{what}: {} packages", found.packages.len()).expect("it is a text");
        for problem in &found.problems[..found.problems.len().min(3)] {
            writeln!(told, "    {}", problem.detail).expect("it is a text");
        }
    }
    insta::assert_snapshot!(told);
}

/// Asserts that packages are lost only where it is said so.
#[track_caller]
fn check_nothing_is_lost_silently(what: &str, packages: usize, database: &[u8]) {
    let found = parse(database);
    assert!(found.packages.len() >= packages || !found.problems.is_empty(), "{what} loses packages silently");
}

#[test]
fn no_damaged_byte_makes_a_package_vanish() {
    for (name, database) in databases() {
        let packages = parse(&database).packages.len();
        for at in (0..database.len()).step_by(3) {
            // Another damage at each place; which does not matter.
            let mask = [0x01, 0x80, 0xff, 0x10, 0x04][at % 5];
            let damaged = damaged(&database, at, &[database[at] ^ mask]);
            check_nothing_is_lost_silently(&format!("{name}, byte {at} ^ {mask}"), packages, &damaged);
        }
    }
}

#[test]
fn no_truncation_makes_a_package_vanish() {
    for (name, database) in databases() {
        let packages = parse(&database).packages.len();
        for length in (0..database.len()).step_by(11) {
            check_nothing_is_lost_silently(&format!("{name}, {length} bytes"), packages, &database[..length]);
        }
    }
}

proptest! {
    /// Damage in many places at once ends, and stays within what the file can hold.
    #[test]
    fn damage_is_survived(
        which in 0_usize..5,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        length in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut database = databases().swap_remove(which).1;
        for (at, byte) in damage {
            let at = at.index(database.len());
            database[at] = byte;
        }
        if is_cut {
            database.truncate(length.index(database.len()));
        }
        let found = parse(&database);
        prop_assert!(found.packages.len() <= 40);
        prop_assert!(found.problems.len() <= PROBLEMS_MAX + 3);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        found_in_blob(&bytes);
        manifest::parse(&bytes);
        bdb::read(&bytes, &mut |_| {});
        ndb::read(&bytes, &mut |_| {});
        sqlite::read(&bytes, &mut |_| {});
    }
}
