//! Roots out of a TUF repository: those that are whole are trusted as what they hold, and every file that is spoilt, missing or
//! out of date is told.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use plimsoll_core::evidence::{Place, Scheme, Standing};
use plimsoll_testkit::pki::{Pki, Workflow, statements};
use plimsoll_trust::bundle;
use plimsoll_trust::root::Trust;

const EXPIRES: &str = "2026-03-01T00:00:00Z";
/// Before and after that day, in seconds since 1970.
const BEFORE: i64 = 1_770_000_000;
const AFTER: i64 = 1_780_000_000;

type Files = std::collections::BTreeMap<String, Vec<u8>>;

fn load(files: &Files, at: i64) -> Result<Trust, String> {
    let anchor = Pki::new(1).tuf_repository(EXPIRES)["1.root.json"].clone();
    Trust::from_tuf(&anchor, &|name| files.get(name).cloned(), at, at).map_err(|error| error.to_string())
}

#[test]
fn what_a_whole_repository_holds_is_trusted() {
    let pki = Pki::new(1);
    let trust = load(&pki.tuf_repository(EXPIRES), BEFORE).unwrap();
    let digest = format!("sha256:{}", "1".repeat(64));
    let text = statements::statement("app", &digest, statements::SIGNED, &serde_json::json!({}));
    let workflow = Workflow::release("example/app", "refs/tags/v1");
    for (pki, is_proven) in [(pki, true), (Pki::new(2), false)] {
        let signed = pki.sign_statement(&workflow.identity(), &text, BEFORE);
        let place = Place { scheme: Scheme::File, name: String::new() };
        let item = bundle::verify(signed.json().as_bytes(), &digest.parse().unwrap(), place, &trust);
        assert_eq!(matches!(item.standing, Standing::Proven(_)), is_proven, "{:?}", item.standing);
    }
}

#[test]
fn what_is_spoilt_missing_or_out_of_date_is_told() {
    let whole = Pki::new(1).tuf_repository(EXPIRES);
    let late = load(&whole, AFTER).err().unwrap();
    assert!(late.contains("root") && late.contains("expired"), "{late}");
    for name in whole.keys().filter(|name| *name != "1.root.json") {
        let mut files = whole.clone();
        let bytes = files.get_mut(name).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        assert!(load(&files, BEFORE).is_err(), "{name} is spoilt");
        files.remove(name);
        // The newest root may be any: one that is not there is none.
        assert_eq!(load(&files, BEFORE).is_ok(), name == "2.root.json", "{name} is missing");
    }
    let other = Pki::new(2).tuf_repository(EXPIRES);
    for name in ["timestamp.json", "1.snapshot.json", "1.targets.json"] {
        let mut files = whole.clone();
        files.insert(name.to_owned(), other[name].clone());
        assert!(load(&files, BEFORE).is_err(), "{name} is by another key");
    }
}
