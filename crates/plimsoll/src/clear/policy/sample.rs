//! One candidate and one flaw with every field that expressions may name: what policies are checked against when they are
//! read, and what their cases start from.

use serde_json::{Value, json};

/// Words of `v.severity`.
pub(crate) const SEVERITIES: [&str; 5] = ["negligible", "low", "medium", "high", "critical"];

/// Fields that have a few words alone, by the path that leads to them. A word that is none of them never matches.
pub(crate) static WORDS: [(&str, &[&str]); 1] = [("v.severity", &SEVERITIES)];

/// A candidate.
pub(crate) fn entry() -> Value {
    json!({
        "name": "app",
        "project": "team",
        "source": "registry.example/staging/app",
        "digest": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "tags": ["v1.2.3"],
        "destinations": ["registry.example/production/app"],
        "platforms": ["linux/amd64"],
        "layers": 3,
        "bytes": 1_000_000,
    })
}

/// A candidate as `require` sees it, when evidence was verified and what it replaces was looked at.
pub(crate) fn judged_entry() -> Value {
    let mut facts = entry();
    let fields = facts.as_object_mut().expect("it was made as an object");
    fields.insert("signers".to_owned(), json!(["builder"]));
    fields.insert("users".to_owned(), json!(["65532"]));
    fields.insert("growth".to_owned(), json!(0.25));
    facts
}

/// A flaw.
pub(crate) fn flaw() -> Value {
    json!({
        "id": "CVE-2026-0001",
        "aliases": ["GHSA-aaaa-bbbb-cccc"],
        "package": "hull",
        "ecosystem": "apk",
        "version": "1.0",
        "severity": "high",
        "fixed": true,
        "fixedIn": "1.1",
        "kev": false,
        "epss": 0.5,
        "new": true,
    })
}
