//! Reading registry hives: those of every shape that are written by the rules, and those that are not.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

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
        .value(CURRENT, "Blob", vec![7; 40_000])
        .value(CURRENT, "BuildLabEx", "x".repeat(20_000).as_str());
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
    assert_eq!(key.value("buildlabex").unwrap().unwrap().text().unwrap().unwrap().len(), 20_000);
    let blob = key.value("blob").unwrap().unwrap();
    assert_eq!((blob.number().unwrap(), blob.text().unwrap()), (None, None));
}

/// Each key of servicing lists the same values, and each value of the list is the same one: a few kibibytes that say a lot.
#[test]
fn w21_what_is_said_over_and_over_is_bounded() {
    let mut hive = kit::Hive::base();
    let name = format!(r"{PACKAGES}\Package_for_KB5036909~x");
    for number in 0..2_000 {
        hive = hive.value(&name, &format!("Other{number}"), number);
    }
    let mut bytes = hive.build();
    // The list of keys names this one key a thousand times.
    let at = |text: &[u8]| bytes.windows(text.len()).position(|window| window == text).unwrap();
    let key = at(b"Package_for_KB5036909~x") - 80 - 4096;
    let list = bytes.len();
    let entries = 1_000_u32;
    let offset = u32::try_from(list - 4096).unwrap();
    let parent = at(b"Packages") - 76;
    bytes[parent + 20..parent + 24].copy_from_slice(&entries.to_le_bytes());
    bytes[parent + 28..parent + 32].copy_from_slice(&offset.to_le_bytes());
    let length = i32::try_from(8 + 4 * entries).unwrap();
    bytes.extend_from_slice(&(-length).to_le_bytes());
    bytes.extend_from_slice(b"li");
    bytes.extend_from_slice(&u16::try_from(entries).unwrap().to_le_bytes());
    for _ in 0..entries {
        bytes.extend_from_slice(&u32::try_from(key).unwrap().to_le_bytes());
    }
    let (found, problems) = extract(&bytes);
    assert_eq!(found.keys.iter().filter(|key| key.path == name).count(), 1);
    let said: Vec<&str> = problems.iter().map(|problem| problem.detail.as_str()).collect();
    assert!(
        problems.iter().any(|problem| problem.is_limit && problem.detail.contains("1,000,000 values")),
        "{said:?}"
    );
}

/// A part that is said to be there and is not is no absence.
#[test]
fn w21_what_is_said_to_be_there_and_is_not_is_told() {
    let good = sample().build();
    let key = good.windows(14).rposition(|window| window == b"CurrentVersion").unwrap() - 76;
    let nowhere = u32::MAX.to_le_bytes();
    for (what, at, bytes) in [
        ("a list of values that is nowhere", key + 40, nowhere),
        ("a key with more keys than are listed", key + 20, 9_u32.to_le_bytes()),
    ] {
        let mut bad = good.clone();
        bad[at..at + 4].copy_from_slice(&bytes);
        let hive = Hive::open(&bad).unwrap();
        let key = hive.key(CURRENT).unwrap().unwrap();
        let is_told = key.value("UBR").is_err() || key.each_subkey(&mut |_| true).is_err();
        assert!(is_told, "{what}");
    }
}

#[test]
fn w21_a_value_that_is_damaged_hides_no_other() {
    let mut bytes = sample().build();
    let key = bytes.windows(14).rposition(|window| window == b"CurrentVersion").unwrap() - 76;
    let number = |bytes: &[u8], at: usize| {
        usize::try_from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap()
    };
    // The second value of the key is no value any more.
    let list = number(&bytes, key + 40) + 4096 + 4;
    let value = number(&bytes, list + 4) + 4096 + 4;
    bytes[value..value + 2].copy_from_slice(b"xx");
    let (revision, build, _, problems) = said(&bytes);
    assert_eq!((revision, build, problems.len()), (Some(2402), None, 1), "{problems:?}");
}

#[test]
fn w4_the_mark_of_a_root_is_a_fact() {
    let bytes = kit::Hive::differencing().semantics("", kit::Semantics::SupersedeTree).build();
    assert_eq!(extract(&bytes).0.keys.len(), 1);
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

/// The sample, written once.
static SAMPLE: LazyLock<Vec<u8>> = LazyLock::new(|| sample().build());

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn w21_whatever_is_changed_in_a_hive_is_read_or_told(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut bytes = SAMPLE.clone();
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
