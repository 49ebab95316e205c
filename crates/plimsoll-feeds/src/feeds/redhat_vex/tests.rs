//! Which parts are planned, and how parts bear on each other.

use super::*;

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
