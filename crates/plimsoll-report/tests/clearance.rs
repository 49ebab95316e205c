//! The schema of our own clearance is the committed one, and clearances follow it.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::io::Write;

use plimsoll_core::clearance::{
    Candidate, Clearance, Demands, Entry, Inputs, Level, Observed, Trouble, manifest_checks,
};
use plimsoll_core::promotion::{Change, ChangeKind};
use plimsoll_report::clearance::{FORMATS, json};
use plimsoll_report::html::clearance::{Told, clearance};
use serde_json::Value;

/// Where the schema is kept.
const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schema/clearance-1.json");
/// Set to anything, this makes the test write the file instead of comparing it.
const UPDATE: &str = "PLIMSOLL_UPDATE_SCHEMA";

fn sample() -> Clearance {
    let digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
    let changes = vec![Change {
        project: "p".to_owned(),
        image: "app".to_owned(),
        kind: ChangeKind::TagMoved { tag: "1".to_owned(), from: digest, to: digest_of('b') },
    }];
    let candidate = Candidate {
        name: "app</summary>@everyone".to_owned(),
        project: "p".to_owned(),
        source: "h.example/from/app".to_owned(),
        digest: Some(digest_of('b')),
        tags: vec!["1".to_owned()],
        destinations: vec!["h.example/to/app".to_owned()],
    };
    let says = "a registry says\n# CLEARED | <b>all well</b>\u{1b}[31m".to_owned();
    let observed = Observed { top: Err(Trouble::Unknown(says)), ..Observed::nothing(Level::Content) };
    Clearance {
        inputs: Inputs { base: Some("81ab77d".to_owned()), ..Inputs::default() },
        checks: manifest_checks(&[], Some(&changes), 1),
        changes,
        entries: vec![Entry::judge(candidate, observed, &Demands::default())],
    }
}

fn digest_of(of: char) -> plimsoll_core::digest::Digest {
    format!("sha256:{}", of.to_string().repeat(64)).parse().unwrap()
}

fn written(format: &str) -> String {
    let format = FORMATS.iter().find(|row| row.name == format).expect("the format is on the list");
    let mut out = Vec::new();
    (format.write)(&sample(), "0.0.0", &mut out).unwrap();
    out.flush().unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_format_of_a_refusal() {
    for format in FORMATS {
        insta::assert_snapshot!(format!("refused-{}", format.name), written(format.name));
    }
}

/// The page is made of the document that is kept.
#[test]
fn the_page_of_a_refusal() {
    let told = Told::read(written("json").as_bytes()).unwrap();
    insta::assert_snapshot!("refused-page", clearance(&told).into_string().replace("><", ">\n<"));
}

#[test]
fn what_a_registry_says_forges_nothing() {
    let text = written("markdown");
    assert!(!text.contains("<b>") && !text.contains('\u{1b}') && !text.contains("\n# CLEARED"), "{text}");
    assert!(!text.contains("app</summary>@everyone"), "{text}");
}

#[test]
fn the_schema_is_the_committed_one_and_is_followed() {
    let schema = json::schema();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(SCHEMA, &schema).unwrap();
    }
    let committed = std::fs::read_to_string(SCHEMA).unwrap_or_default();
    assert!(committed == schema, "run `{UPDATE}=1 cargo test -p plimsoll-report` and commit the file");
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let document: Value = serde_json::from_str(&written("json")).unwrap();
    let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}
