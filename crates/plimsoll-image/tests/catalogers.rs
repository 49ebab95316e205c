//! Every cataloger over its fixtures, and over bytes that nobody wrote.
//!
//! A case is a folder `testdata/catalogers/NAME/CASE`; below it lie files at their paths in the image. Every file
//! that the row NAME wants is read, and what was found is the snapshot `NAME__CASE`. Files that it does not want
//! show by not being in the snapshot.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use plimsoll_image::catalogers::{CATALOGERS, Cataloger, Entry, File, Found, WHOLE_BYTES_MAX};
use proptest::prelude::*;

/// Rows whose fixtures are made by tests of their own.
const TESTED_ELSEWHERE: &[&str] = &["rpm"];

/// One file of a case.
struct Fixture {
    path: String,
    bytes: Vec<u8>,
    is_executable: bool,
}

impl Fixture {
    fn entry(&self) -> Entry<'_> {
        let size = u64::try_from(self.bytes.len()).expect("a file's size fits");
        Entry { path: &self.path, size, is_executable: self.is_executable }
    }

    fn read_by(&self, row: &Cataloger) -> Found {
        let mut content = self.bytes.as_slice();
        (row.read)(&mut File { entry: self.entry(), content: &mut content, whole_bytes_max: WHOLE_BYTES_MAX })
    }
}

#[test]
fn fixtures_are_read_as_expected() {
    for row in CATALOGERS.iter().filter(|row| !TESTED_ELSEWHERE.contains(&row.name)) {
        for case in folders(&fixtures_of(row.name)) {
            let found: Vec<_> = wanted(row, &case)
                .iter()
                .map(|fixture| serde_json::json!({ "path": fixture.path, "found": fixture.read_by(row) }))
                .collect();
            let name = format!("{}__{}", row.name, name_of(&case));
            insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
                insta::assert_json_snapshot!(name, found);
            });
        }
    }
}

#[test]
fn every_row_has_fixtures_and_every_fixture_a_row() {
    let root = fixtures_root();
    let folders_here = folders(&root);
    let names_here = folders_here.iter().map(|folder| name_of(folder));
    let with_fixtures: BTreeSet<String> =
        names_here.filter(|name| !TESTED_ELSEWHERE.contains(&name.as_str())).collect();
    let rows: BTreeSet<String> = CATALOGERS.iter().map(|row| row.name.to_owned()).collect();
    let elsewhere: BTreeSet<String> = TESTED_ELSEWHERE.iter().map(|name| (*name).to_owned()).collect();

    let expected: BTreeSet<String> = rows.difference(&elsewhere).cloned().collect();
    assert_eq!(with_fixtures, expected, "folders in {} and rows without tests of their own", root.display());
    assert!(elsewhere.is_subset(&rows), "a row that is tested elsewhere is not listed");
    for row in CATALOGERS.iter().filter(|row| !elsewhere.contains(row.name)) {
        let cases = folders(&fixtures_of(row.name));
        assert!(cases.iter().any(|case| !wanted(row, case).is_empty()), "`{}` wants no fixture", row.name);
    }
}

#[test]
fn names_are_kebab_case_unique_and_sorted() {
    for row in CATALOGERS {
        let is_kebab = row.name.split('-').all(|word| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        });
        assert!(is_kebab, "`{}`", row.name);
        assert!(!row.title.is_empty() && !row.reads.is_empty() && row.version > 0, "`{}`", row.name);
    }
    for pair in CATALOGERS.windows(2) {
        assert!(pair[0].name < pair[1].name, "`{}` before `{}`", pair[0].name, pair[1].name);
    }
}

/// A file goes to the first row that wants it, so a file that two rows want would depend on their names.
#[test]
fn no_fixture_is_wanted_by_two_rows() {
    for row in CATALOGERS {
        for case in folders(&fixtures_of(row.name)) {
            for fixture in wanted(row, &case) {
                let names: Vec<&str> = CATALOGERS
                    .iter()
                    .filter(|row| (row.wants)(&fixture.entry()))
                    .map(|row| row.name)
                    .collect();
                assert_eq!(names, [row.name], "{} of {}", fixture.path, case.display());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        for (row, fixtures) in all_wanted() {
            let path = fixtures.first().map_or("x", |fixture| fixture.path.as_str()).to_owned();
            Fixture { path, bytes: bytes.clone(), is_executable: true }.read_by(row);
        }
    }

    #[test]
    fn damaged_fixtures_never_panic(
        chosen in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        for (row, mut fixtures) in all_wanted() {
            if fixtures.is_empty() {
                continue;
            }
            let mut fixture = fixtures.swap_remove(chosen.index(fixtures.len()));
            for (at, byte) in &changes {
                if !fixture.bytes.is_empty() {
                    let at = at.index(fixture.bytes.len());
                    fixture.bytes[at] = *byte;
                }
            }
            fixture.read_by(row);
            fixture.bytes.truncate(cut.index(fixture.bytes.len() + 1));
            fixture.read_by(row);
        }
    }
}

/// Every row with all its fixtures.
fn all_wanted() -> Vec<(&'static Cataloger, Vec<Fixture>)> {
    let fixtures = |row: &'static Cataloger| {
        folders(&fixtures_of(row.name)).iter().flat_map(|case| wanted(row, case)).collect()
    };
    CATALOGERS.iter().map(|row| (*row, fixtures(row))).collect()
}

/// The files of a case that a row wants, sorted by path.
fn wanted(row: &Cataloger, case: &Path) -> Vec<Fixture> {
    let mut files = Vec::new();
    collect_files(case, case, &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.retain(|fixture| (row.wants)(&fixture.entry()));
    files
}

fn collect_files(case: &Path, folder: &Path, files: &mut Vec<Fixture>) {
    for path in entries(folder) {
        if path.is_dir() {
            collect_files(case, &path, files);
            continue;
        }
        let inner = path.strip_prefix(case).expect("the folder lies in the case");
        files.push(Fixture {
            path: inner.to_str().expect("fixtures have UTF-8 names").replace('\\', "/"),
            bytes: fs::read(&path).expect("a fixture can be read"),
            is_executable: is_executable(&path),
        });
    }
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("a fixture has a mode").permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &Path) -> bool {
    false
}

fn fixtures_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/catalogers")
}

fn fixtures_of(row: &str) -> PathBuf {
    fixtures_root().join(row)
}

/// The folders in a folder, sorted; none if it does not exist.
fn folders(folder: &Path) -> Vec<PathBuf> {
    if !folder.exists() {
        return Vec::new();
    }
    entries(folder).into_iter().filter(|path| path.is_dir()).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a folder can be listed").path()).collect();
    paths.sort();
    paths
}

fn name_of(folder: &Path) -> String {
    folder.file_name().and_then(|name| name.to_str()).expect("fixtures have UTF-8 names").to_owned()
}
