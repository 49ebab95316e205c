//! Cases of Sigstore's conformance suite: a folder each, of which the name says whether it must be refused.
//!
//! `PLIMSOLL_SIGSTORE_CASES` names a folder of cases (`test/assets/bundle-verify` of
//! `https://github.com/sigstore/sigstore-conformance`). Those of `testdata/sigstore` always run.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use plimsoll_core::evidence::{Place, Scheme, Standing};
use plimsoll_trust::bundle;
use plimsoll_trust::keys::TrustedKey;
use plimsoll_trust::root::{Trust, TrustRoot};

#[test]
fn every_case_is_right() {
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/sigstore")];
    folders.extend(std::env::var_os("PLIMSOLL_SIGSTORE_CASES").map(PathBuf::from));
    for folder in folders {
        let mut cases: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        cases.retain(|case| case.is_dir());
        cases.sort();
        assert!(cases.len() >= 4, "{} has cases", folder.display());
        let artifact = fs::read(folder.join("a.txt")).unwrap();
        let wrong: Vec<_> = cases.iter().filter_map(|case| wrong(case, &artifact)).collect();
        assert!(wrong.is_empty(), "of {} cases:\n{}", cases.len(), wrong.join("\n"));
    }
}

/// What is wrong with a case. Identity is not demanded here: the command does that.
fn wrong(case: &Path, artifact: &[u8]) -> Option<String> {
    let root = case.join("trusted_root.json");
    let root =
        if root.exists() { TrustRoot::Pinned { file: root, digest: None } } else { TrustRoot::Bundled };
    let mut trust = Trust::load(&root, 1_780_000_000).unwrap();
    if let Ok(pem) = fs::read_to_string(case.join("key.pub")) {
        trust = trust.with_keys(vec![TrustedKey::from_pem(None, &pem).unwrap()]);
    }
    let bytes = fs::read(case.join("bundle.sigstore.json")).unwrap();
    let artifact = fs::read(case.join("artifact")).unwrap_or_else(|_| artifact.to_vec());
    let place = Place { scheme: Scheme::File, name: String::new() };
    let item = bundle::verify_bytes(&bytes, &artifact, place, &trust);
    let refused = !matches!(item.standing, Standing::Proven(_));
    let must_be = case.to_str().unwrap().ends_with("_fail");
    (refused != must_be).then(|| format!("{}: {:?}", case.display(), item.standing))
}
