//! Holds every scheme to its table, `testdata/schemes/NAME.txt`, and to being an order.
//!
//! Lines of a table:
//! - `a < b`, `a = b`: a comparison, checked both ways with the comparator and with the keys. A version
//!   that begins or ends with a blank stands in `<>`;
//! - `! version`: a version that must be refused;
//! - `@ a b c`: fragments that versions are generated from, beside the versions of the table;
//! - `# ..`: where the facts come from.

use std::cell::Cell;
use std::cmp::Ordering;
use std::path::Path;

use plimsoll_core::schemes::{SCHEMES, Scheme};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// Comparisons that a table must hold at the least.
const COMPARISONS_MIN: usize = 40;
/// Refusals that a table must hold at the least.
const REFUSALS_MIN: usize = 3;

#[derive(Default)]
struct Table {
    comparisons: Vec<(String, Ordering, String)>,
    refusals: Vec<String>,
    fragments: Vec<String>,
}

impl Table {
    fn read(scheme: &Scheme) -> Table {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("testdata/schemes")
            .join(format!("{}.txt", scheme.name));
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("cannot read `{}`: {error}", path.display()));
        let mut table = Table::default();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(version) = line.strip_prefix("! ") {
                table.refusals.push(unquoted(version));
            } else if let Some(fragments) = line.strip_prefix("@ ") {
                table.fragments.extend(fragments.split(' ').map(str::to_owned));
            } else {
                table.comparisons.push(comparison(line));
            }
        }
        table
    }

    /// Everything that versions are generated from.
    fn versions(&self) -> Vec<String> {
        self.comparisons.iter().flat_map(|(a, _, b)| [a.clone(), b.clone()]).collect()
    }
}

fn comparison(line: &str) -> (String, Ordering, String) {
    let signs = [(" < ", Ordering::Less), (" = ", Ordering::Equal)];
    let split = |(sign, ordering)| line.split_once(sign).map(|(a, b)| (a, ordering, b));
    let (a, ordering, b) =
        signs.into_iter().find_map(split).unwrap_or_else(|| panic!("`{line}` is not a line of a table"));
    (unquoted(a), ordering, unquoted(b))
}

fn unquoted(version: &str) -> String {
    version.strip_prefix('<').and_then(|v| v.strip_suffix('>')).unwrap_or(version).to_owned()
}

fn key(scheme: &Scheme, version: &str) -> Vec<u8> {
    (scheme.key)(version).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn check(scheme: &Scheme, a: &str, expected: Ordering, b: &str) {
    let name = scheme.name;
    assert_eq!((scheme.compare)(a, b), Ok(expected), "{name}: compare `{a}` with `{b}`");
    assert_eq!((scheme.compare)(b, a), Ok(expected.reverse()), "{name}: compare `{b}` with `{a}`");
    let keys = (key(scheme, a), key(scheme, b));
    assert_eq!(keys.0.cmp(&keys.1), expected, "{name}: keys of `{a}` and `{b}`: {keys:02x?}");
    assert!(
        expected.is_eq() || !keys.0.starts_with(&keys.1) && !keys.1.starts_with(&keys.0),
        "{name}: one key of `{a}` and `{b}` begins with the other: {keys:02x?}"
    );
}

#[test]
fn every_table_holds() {
    for scheme in SCHEMES {
        let table = Table::read(scheme);
        for (a, expected, b) in &table.comparisons {
            check(scheme, a, *expected, b);
        }
        for version in &table.refusals {
            let refused = (scheme.key)(version).expect_err(&format!("{}: `{version}`", scheme.name));
            assert_eq!(refused.scheme, scheme.name);
            assert_eq!((scheme.compare)(version, "0"), Err(refused.clone()));
            assert_eq!((scheme.compare)("0", version), Err(refused));
        }
        assert!(table.comparisons.len() >= COMPARISONS_MIN, "{}: too few comparisons", scheme.name);
        assert!(table.refusals.len() >= REFUSALS_MIN, "{}: too few refusals", scheme.name);
    }
}

#[test]
fn every_row_has_a_source_and_reads_zero() {
    for scheme in SCHEMES {
        assert!(scheme.source.starts_with("https://"), "{}", scheme.name);
        check(scheme, "0", Ordering::Equal, "0");
        for version in ["", " ", "\0", "é"] {
            assert!((scheme.key)(version).is_err(), "{}: {version:?}", scheme.name);
        }
        assert!((scheme.key)(&"1".repeat(513)).is_err(), "{}", scheme.name);
    }
}

#[test]
fn names_are_unique_and_sorted_and_every_table_has_a_row() {
    let names: Vec<&str> = SCHEMES.iter().map(|scheme| scheme.name).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/schemes");
    let files = std::fs::read_dir(folder).expect("the folder of tables can be read");
    let mut tables: Vec<String> = files
        .map(|file| file.expect("an entry of the folder can be read").path())
        .map(|path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    tables.sort();
    assert_eq!(tables, names);
}

#[test]
fn a_refused_version_is_named_and_shortened() {
    for scheme in SCHEMES {
        let refused = (scheme.key)(&"é ".repeat(200)).expect_err(scheme.name);
        assert_eq!(refused.version.chars().count(), 80);
        assert!(refused.to_string().contains(&format!("is not a {} version: ", scheme.name)));
    }
}

/// Versions made of a table's own versions and fragments.
fn version(table: &Table) -> impl Strategy<Value = String> {
    let versions = select(table.versions());
    let fragments = proptest::collection::vec(select(table.fragments.clone()), 1..8);
    prop_oneof![
        1 => versions.clone(),
        2 => (versions.clone(), fragments.clone()).prop_map(|(version, more)| version + &more.concat()),
        2 => fragments.prop_map(|fragments| fragments.concat()),
        1 => (versions.clone(), any::<proptest::sample::Index>(), select(table.fragments.clone())).prop_map(
            |(mut version, index, fragment)| {
                let at = index.index(version.len() + 1);
                let at = (0..=at).rev().find(|at| version.is_char_boundary(*at)).unwrap_or(0);
                version.insert_str(at, &fragment);
                version
            }
        ),
    ]
}

/// Fails unless the versions among `pool` are in a total order that the keys have too.
fn is_an_order(scheme: &Scheme, pool: &[&String]) -> Result<(), TestCaseError> {
    let compare = |a: &str, b: &str| (scheme.compare)(a, b).expect("both were read");
    for a in pool {
        for b in pool {
            let ordering = compare(a, b);
            prop_assert_eq!(ordering, compare(b, a).reverse(), "`{}` and `{}`", a, b);
            let keys = (key(scheme, a), key(scheme, b));
            prop_assert_eq!(ordering, keys.0.cmp(&keys.1), "keys of `{}` and `{}`: {:02x?}", a, b, keys);
            prop_assert!(ordering.is_eq() || !keys.0.starts_with(&keys.1), "`{}` and `{}`", a, b);
            for c in pool {
                if ordering.is_le() && compare(b, c).is_le() {
                    prop_assert!(compare(a, c).is_le(), "`{}`, `{}`, `{}`", a, b, c);
                }
            }
        }
    }
    Ok(())
}

#[test]
fn every_scheme_is_a_total_order_and_keys_have_it() {
    for scheme in SCHEMES {
        let table = Table::read(scheme);
        let pools = proptest::collection::vec(version(&table), 6);
        let (generated, read) = (Cell::new(0_u32), Cell::new(0_u32));
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(300) });
        let result = runner.run(&pools, |pool| {
            let parsed: Vec<&String> = pool.iter().filter(|version| (scheme.key)(version).is_ok()).collect();
            generated.set(generated.get() + pool.len() as u32);
            read.set(read.get() + parsed.len() as u32);
            is_an_order(scheme, &parsed)
        });
        result.unwrap_or_else(|error| panic!("{}: {error}", scheme.name));
        assert!(
            read.get() * 3 > generated.get(),
            "{}: only {} of {} generated versions follow the scheme",
            scheme.name,
            read.get(),
            generated.get()
        );
    }
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn no_text_panics_and_both_refuse_the_same(
        a in "\\PC{0,24}",
        b in "[0-9a-zA-Z.~^_+:=! -]{0,24}",
        c in any::<String>(),
    ) {
        for scheme in SCHEMES {
            for text in [&a, &b, &c] {
                let key = (scheme.key)(text).map(|_| Ordering::Equal);
                prop_assert_eq!(key, (scheme.compare)(text, text));
            }
            let _ = (scheme.compare)(&a, &b);
        }
    }

    #[test]
    fn numbers_of_any_length_are_read_or_refused(digits in "[1-9][0-9]{0,500}") {
        for scheme in SCHEMES {
            let longer = format!("{digits}0");
            if (scheme.key)(&longer).is_ok() {
                check(scheme, &digits, Ordering::Less, &longer);
            }
        }
    }
}
