//! Which parts are planned, and how parts bear on each other.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use plimsoll_core::advisory::{Advisories as _, FixState};

use super::super::archive::tests::entry;
use super::super::tests::{parsed, tarred};
use super::*;
use crate::database::Database;
use crate::update::{FeedOutcome, UpdateOptions, Upstream, database_path, update};

/// Index files by path, and what is here from before.
struct Files(Vec<(&'static str, String)>, Vec<String>);

impl Index for Files {
    fn get(&mut self, path: &str) -> Result<Option<Vec<u8>>, PlanError> {
        Ok(self.0.iter().find(|(name, _)| *name == path).map(|(_, text)| text.clone().into_bytes()))
    }

    fn held(&self) -> Vec<String> {
        self.1.clone()
    }
}

fn changes_of(day: u32, count: usize) -> String {
    let line = |n| format!("\"2024/cve-2024-{}.json\",\"2024-11-{day:02}T10:00:00+00:00\"\n", 10_000 + n);
    (0..count).map(line).collect()
}

#[track_caller]
fn planned(changes: String, deletions: &str, held: &[&str]) -> Vec<Part> {
    let files = vec![
        ("archive_latest.txt", "csaf_vex_2024-11-20.tar.zst\n".to_owned()),
        ("changes.csv", changes),
        ("deletions.csv", deletions.to_owned()),
    ];
    let held = held.iter().map(|name| (*name).to_owned()).collect();
    plan(&FEED, &mut Files(files, held)).unwrap()
}

#[test]
fn an_archive_is_kept_while_little_has_changed() {
    for (changed, held, archive, documents) in [
        (10, &["csaf_vex_2024-11-13.tar.zst"][..], "csaf_vex_2024-11-13.tar.zst", 10),
        (2_999, &["csaf_vex_2024-11-13.tar.zst"], "csaf_vex_2024-11-13.tar.zst", 2_999),
        (3_000, &["csaf_vex_2024-11-13.tar.zst"], "csaf_vex_2024-11-20.tar.zst", 0),
        (10, &["csaf_vex_2024-11-16.tar.zst"], "csaf_vex_2024-11-16.tar.zst", 0),
        (
            10,
            &["csaf_vex_2024-11-13.tar.zst", "csaf_vex_2024-11-16.tar.zst"],
            "csaf_vex_2024-11-16.tar.zst",
            0,
        ),
        (10, &["csaf_vex_2024-11-20.tar.zst"], "csaf_vex_2024-11-20.tar.zst", 0),
        (10, &["2024-cve-2024-10001.json"], "csaf_vex_2024-11-20.tar.zst", 0),
        (10, &[], "csaf_vex_2024-11-20.tar.zst", 0),
    ] {
        let parts = planned(changes_of(15, changed), "", held);
        assert_eq!(parts[0].name, archive, "{changed} {held:?}");
        assert_eq!(parts.len() - 3, documents, "{changed} {held:?}");
    }
}

#[test]
fn there_are_never_more_parts_than_a_feed_may_have() {
    let parts = planned(changes_of(20, 20_000), "", &[]);
    assert_eq!(parts.len(), 9_003);
}

#[test]
fn a_document_that_was_deleted_is_not_asked_for() {
    let deletions = "\"2024/cve-2024-10001.json\",\"2024-11-21T00:00:00+00:00\"\n\
                     \"2024/cve-2024-10002.json\",\"2024-11-01T00:00:00+00:00\"\n";
    let parts = planned(changes_of(20, 3), deletions, &[]);
    let names: Vec<&str> = parts[3..].iter().map(|part| part.name.as_str()).collect();
    // The second came back after it was deleted.
    assert_eq!(names, ["2024-cve-2024-10002.json", "2024-cve-2024-10000.json"]);
    assert!(parts[3..].iter().all(|part| part.may_be_absent));
    assert_eq!(parts[3].revision.as_deref(), Some("2024-11-20T10:00:00Z"));
}

#[test]
fn odd_index_files_are_no_plan() {
    for latest in ["", "../../etc/passwd", "csaf_vex_2024-13-40.tar.zst", "csaf_vex_2024-11-20.tar.zst.asc"] {
        let files = vec![("archive_latest.txt", latest.to_owned()), ("changes.csv", String::new())];
        assert!(plan(&FEED, &mut Files(files, Vec::new())).is_err(), "{latest}");
    }
    assert!(plan(&FEED, &mut Files(Vec::new(), Vec::new())).is_err());
}

#[test]
fn only_paths_of_documents_are_taken() {
    for (path, expected) in [
        ("2024/cve-2024-1234.json", true),
        ("2024/cve-2024-1234.json.asc", false),
        ("2024/rhsa-2024_1234.json", false),
        ("../cve-2024-1234.json", false),
        ("2024/cve-2024-../1234.json", false),
        ("2024/x/cve-2024-1234.json", false),
    ] {
        assert_eq!(is_document(path), expected, "{path}");
    }
}

fn archive_of(case: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/feeds/redhat-vex");
    tarred(&Path::new(folder).join(case).join("csaf_vex_2024-11-20"))
}

const ARCHIVE: &str = "csaf_vex_2024-11-20.tar.zst";

#[test]
fn a_tar_that_is_cut_short_is_no_part() {
    let whole = archive_of("modules");
    assert!(parsed("redhat-vex", ARCHIVE, &whole).0.is_ok(), "mirrors may keep it plain");
    let ends = [0, 1, 511, 512, 700, whole.len() / 2, whole.len() - 1100, whole.len() - 1024];
    for length in ends {
        assert!(
            parsed("redhat-vex", ARCHIVE, &whole[..length]).0.is_err(),
            "cut to {length} of {}",
            whole.len()
        );
    }
    let compressed = zstd::encode_all(whole.as_slice(), 0).unwrap();
    for length in [4, compressed.len() / 2, compressed.len() - 1] {
        assert!(parsed("redhat-vex", ARCHIVE, &compressed[..length]).0.is_err(), "cut to {length}");
    }
}

#[test]
fn what_is_no_tar_is_no_part() {
    for bytes in [&b"<html></html>"[..], &[b'x'; 2048], b"{}"] {
        assert!(parsed("redhat-vex", ARCHIVE, bytes).0.is_err());
    }
    assert!(parsed("redhat-vex", CHANGES, b"<html></html>").0.is_err());
    assert!(parsed("redhat-vex", CHANGES, b"").0.is_ok());
}

#[test]
fn a_document_that_is_too_large_is_refused_alone() {
    let size = usize::try_from(DOCUMENT_BYTES_MAX).unwrap() + 1;
    let tar = [entry(b'0', "2024/cve-2024-0001.json", &vec![b' '; size]), archive_of("modules")].concat();
    let bytes = zstd::encode_all(tar.as_slice(), 0).unwrap();
    let (result, received) = parsed("redhat-vex", ARCHIVE, &bytes);
    assert!(result.is_ok());
    assert!(
        received.contains("refused `2024/cve-2024-0001.json`: the document is larger than 96 MiB"),
        "{received}"
    );
    assert!(received.contains("advisory CVE-2021-33621"), "{received}");
}

#[test]
fn depth_does_not_exhaust_the_stack() {
    for (open, start) in [("{\"branches\":[", "{\"product_tree\":"), ("[", "{\"document\":")] {
        let (_, received) = parsed(
            "redhat-vex",
            "2024/cve-2024-0001.json",
            (start.to_owned() + &open.repeat(500_000)).as_bytes(),
        );
        assert!(received.starts_with("refused `2024/cve-2024-0001.json`: it is not "), "{received}");
    }
}

#[test]
fn damage_anywhere_in_a_plain_tar_is_borne() {
    let mut seed = 7_u64;
    let mut below = |end: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % end
    };
    for case in ["streams", "states", "modules", "malformed"] {
        let whole = archive_of(case);
        for _ in 0..60 {
            let mut damaged = whole.clone();
            for _ in 0..=below(5) {
                let at = below(damaged.len());
                damaged[at] = b"\"{}[],:@-%_\0"[below(12)];
            }
            // Whatever comes of it, it comes without a panic.
            drop(parsed("redhat-vex", ARCHIVE, &damaged));
        }
    }
}

/// An upstream in a folder, and what an update of day `n` makes of it: parts fetched and kept, and what the database
/// then says of fixes of the kernel, by CVE.
fn updated(root: &Path, n: i64) -> (String, Vec<(String, FixState)>) {
    let options = UpdateOptions::new(root.join("data"));
    let client = plimsoll_net::Client::new(plimsoll_net::Settings::default()).unwrap();
    let url = format!("file://{}", root.join("upstream").display());
    let upstream = Upstream { urls: vec![url], transport: Arc::new(client), part_bytes_max: 1 << 20 };
    let now = Timestamp::from_second(1_732_200_000 + n * 86_400).unwrap();
    let report = update(&options, &[&FEED], &|_| Ok(upstream.clone()), now, &mut |_| {}).unwrap();
    let outcome = match &report.feeds[0].outcome {
        FeedOutcome::Updated { changed, unchanged, absent, .. } => {
            format!("{changed} new, {unchanged} old, {absent} absent")
        }
        other => format!("{other:?}"),
    };
    let database = Database::open(&database_path(&options.data_dir)).unwrap();
    let (mut rows, mut fixes) = (Vec::new(), Vec::new());
    database.rows("rhel:9", "kernel", &mut |row| rows.push((row.advisory, row.fix))).unwrap();
    for (advisory, fix) in rows {
        fixes.push((database.advisory(advisory).unwrap().id, fix));
    }
    fixes.sort();
    (outcome, fixes)
}

#[test]
fn an_update_takes_what_has_changed_and_goes_on_with_the_tar_that_is_here() {
    let root = tempfile::tempdir().unwrap();
    let upstream = root.path().join("upstream");
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/feeds/redhat-vex/changes");
    fs::create_dir_all(upstream.join("2024")).unwrap();
    for name in ["archive_latest.txt", "changes.csv", "deletions.csv", "2024/cve-2024-0001.json"] {
        fs::copy(case.join(name), upstream.join(name)).unwrap();
    }
    let tar = zstd::encode_all(archive_of("changes").as_slice(), 0).unwrap();
    fs::write(upstream.join(ARCHIVE), tar).unwrap();
    let fixes = |first| {
        let all = [
            ("CVE-2024-0001", first),
            ("CVE-2024-0003", FixState::WillNotFix),
            ("CVE-2024-0004", FixState::WillNotFix),
        ];
        all.map(|(id, fix)| (id.to_owned(), fix)).to_vec()
    };
    let first = updated(root.path(), 1);
    assert_eq!(first, ("4 new, 0 old, 1 absent".to_owned(), fixes(FixState::Deferred)));

    // A newer tar is named, and the one that is here is gone from the upstream: it is not asked for.
    fs::write(upstream.join("archive_latest.txt"), "csaf_vex_2024-11-27.tar.zst\n").unwrap();
    fs::remove_file(upstream.join(ARCHIVE)).unwrap();
    let document = fs::read_to_string(case.join("2024/cve-2024-0001.json")).unwrap();
    let document = document.replace("Fix deferred", "Will not fix");
    fs::write(upstream.join("2024/cve-2024-0001.json"), document).unwrap();
    let changes = fs::read_to_string(case.join("changes.csv")).unwrap();
    let changes = changes.replace("2024-11-21T08:00:00+00:00", "2024-11-22T08:00:00+00:00");
    fs::write(upstream.join("changes.csv"), changes).unwrap();
    let second = updated(root.path(), 2);
    assert_eq!(second, ("2 new, 2 old, 1 absent".to_owned(), fixes(FixState::WillNotFix)));
}
