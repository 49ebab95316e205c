//! Reading registry hives: those of every shape that are written by the rules, and those that are not.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use plimsoll_image::windows::extract::extract;
use plimsoll_image::windows::hive::{Hive, Semantics};
use plimsoll_image::windows::registry::{FoundValue, Registry};
use plimsoll_testkit::hive as kit;
use proptest::prelude::*;

const CURRENT: &str = r"Microsoft\Windows NT\CurrentVersion";
const PACKAGES: &str = r"Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages";

fn sample() -> kit::Hive {
    let mut hive = kit::Hive::base()
        .value(CURRENT, "UBR", 2402_u32)
        .value(CURRENT, "CurrentBuild", "20348")
        .value(CURRENT, "Blob", vec![7; 40_000]);
    for number in 0..40 {
        let name = format!(r"{PACKAGES}\Package_for_KB50{number:05}~31bf3856ad364e35~amd64~~10.0.1.1");
        hive = hive.value(&name, "CurrentState", 0x70_u32);
    }
    hive
}

/// What a hive says of the sample's facts.
fn said(bytes: &[u8]) -> (Option<u32>, Option<String>, usize, Vec<String>) {
    let (found, problems) = extract(bytes);
    let registry = Registry::new([(0, &found)]);
    (
        registry.number(CURRENT, "UBR").map(|stated| stated.what),
        registry.text(CURRENT, "CurrentBuild").map(|stated| stated.what.to_owned()),
        registry.keys_below(PACKAGES).len(),
        problems.into_iter().map(|problem| problem.detail).collect(),
    )
}

#[test]
fn w21_every_shape_that_is_allowed_says_the_same() {
    let expected = (Some(2402), Some("20348".to_owned()), 40, Vec::new());
    for (shape, hive) in [
        ("as it is usual", sample()),
        ("version 1.3", sample().minor(3)),
        ("version 1.6", sample().minor(6)),
        ("lists with letters", sample().lists(kit::Lists::Fast)),
        ("lists of offsets", sample().lists(kit::Lists::Index)),
        ("lists of lists", sample().lists(kit::Lists::Root)),
        ("names in UTF-16", sample().wide_names()),
    ] {
        assert_eq!(said(&hive.build()), expected, "{shape}");
    }
}

#[test]
fn w21_a_hive_that_was_not_written_to_its_end_is_read_and_told() {
    let (revision, _, packages, problems) = said(&sample().dirty().build());
    assert_eq!((revision, packages, problems.len()), (Some(2402), 40, 1), "{problems:?}");
}

#[test]
fn w21_large_values_are_joined() {
    let bytes = sample().build();
    let key = Hive::open(&bytes).unwrap().key(CURRENT).unwrap().unwrap();
    let value = key.value("blob").unwrap().unwrap();
    assert_eq!((value.number().unwrap(), value.text().unwrap()), (None, None));
}

#[test]
fn w4_marks_are_read() {
    let bytes = kit::Hive::differencing()
        .semantics("Local", kit::Semantics::SupersedeLocal)
        .semantics("Tree", kit::Semantics::SupersedeTree)
        .tombstone_key("Gone")
        .tombstone_value("Plain", "Value")
        .build();
    let hive = Hive::open(&bytes).unwrap();
    for (path, expected) in [
        ("local", Semantics::SupersedeLocal),
        ("TREE", Semantics::SupersedeTree),
        ("Gone", Semantics::Tombstone),
        ("Plain", Semantics::Merge),
    ] {
        assert_eq!(hive.key(path).unwrap().unwrap().semantics(), expected, "{path}");
    }
    let value = hive.key("Plain").unwrap().unwrap().value("Value").unwrap().unwrap();
    assert!(value.is_tombstone());
}

#[test]
fn w4_marks_on_the_way_to_what_is_wanted_are_facts() {
    let base = kit::Hive::base().value(CURRENT, "UBR", 1_u32).value(CURRENT, "EditionID", "x").build();
    let above = kit::Hive::differencing()
        .semantics(r"Microsoft\Windows NT", kit::Semantics::SupersedeTree)
        .value(CURRENT, "UBR", 2_u32)
        .build();
    let (base, above) = (extract(&base).0, extract(&above).0);
    let registry = Registry::new([(0, &base), (1, &above)]);
    assert_eq!(registry.number(CURRENT, "UBR").map(|stated| (stated.what, stated.layer)), Some((2, 1)));
    assert_eq!(registry.text(CURRENT, "EditionID"), None);
}

/// Each says what is wrong, and that it is not known is no answer.
#[test]
fn w21_what_is_damaged_is_told() {
    let good = sample().build();
    let with = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        bad
    };
    // The root's cell is the first of the bin; its list of keys stands at 28 of its content.
    let root = 4096 + 32 + 4;
    let list = usize::try_from(u32::from_le_bytes(good[root + 28..root + 32].try_into().unwrap())).unwrap();
    let itself = u32::try_from(list).unwrap().to_le_bytes();
    let cycle: Vec<u8> = [b"ri\x01\x00".as_slice(), &itself].concat();
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("something else", b"MZ".repeat(4096)),
        ("half a base block", good[..2000].to_vec()),
        ("no bins", good[..4096].to_vec()),
        ("version 2", with(20, &[2])),
        ("a root outside of the hive", with(36, &[0xf0, 0xff, 0xff, 0x7f])),
        ("a root that is none", with(root, b"vk")),
        ("a list of lists that names itself", with(4096 + list + 4, &cycle)),
        ("a list that is cut short", with(4096 + list + 4, b"lh\xff\xff")),
        ("a cell that is free", with(4096 + list, &[8, 0, 0, 0])),
    ] {
        let (revision, _, _, problems) = said(&bytes);
        assert_eq!(revision, None, "{what}");
        assert!(!problems.is_empty(), "{what}");
    }
}

#[test]
fn a_text_is_cut_and_a_tombstone_is_a_fact() {
    let long = "x".repeat(5000);
    let bytes =
        kit::Hive::differencing().value(CURRENT, "EditionID", long.as_str()).tombstone_value(CURRENT, "UBR");
    let (found, problems) = extract(&bytes.build());
    assert!(problems.is_empty());
    let values = &found.keys[0].values;
    assert!(matches!(&values[0].1, FoundValue::Text(text) if text.len() == 1024));
    assert_eq!(values[1].1, FoundValue::Tombstone);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn w21_whatever_is_changed_in_a_hive_is_read_or_told(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut bytes = sample().build();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        extract(&bytes);
    }
}
