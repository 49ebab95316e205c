//! The hidden command that Sigstore's conformance suite calls, on the suite's own cases.
//!
//! `PLIMSOLL_SIGSTORE_CASES` names a folder of cases (`test/assets/bundle-verify` of
//! `https://github.com/sigstore/sigstore-conformance`); those that are kept with `plimsoll-trust` always run. The name of a
//! case says whether it must be refused.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use plimsoll_core::digest::Digest;
use sha2::{Digest as _, Sha256};

use support::{Ran, World};

mod support;

/// Who signed the suite's cases, unless files beside them say otherwise.
const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/\
                        extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// The folders that hold cases.
fn folders() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plimsoll-trust/testdata/sigstore");
    std::iter::once(own).chain(std::env::var_os("PLIMSOLL_SIGSTORE_CASES").map(PathBuf::from)).collect()
}

/// Runs a case as the suite does: by the file, and by its digest.
fn run(world: &World, case: &Path) -> [Ran; 2] {
    let text = |name: &str| fs::read_to_string(case.join(name)).ok();
    let path = |name: &str| case.join(name).display().to_string();
    let mut arguments = vec!["verify-bundle".to_owned(), "--bundle".to_owned(), path("bundle.sigstore.json")];
    if case.join("key.pub").exists() {
        arguments.extend(["--key".to_owned(), path("key.pub")]);
    } else {
        let identity = text("identity").unwrap_or_else(|| IDENTITY.to_owned());
        let issuer = text("issuer").unwrap_or_else(|| ISSUER.to_owned());
        let demanded =
            ["--certificate-identity", identity.trim(), "--certificate-oidc-issuer", issuer.trim()];
        arguments.extend(demanded.map(str::to_owned));
    }
    if case.join("trusted_root.json").exists() {
        arguments.extend(["--trusted-root".to_owned(), path("trusted_root.json")]);
    }
    let artifact = Some(case.join("artifact")).filter(|file| file.exists());
    let artifact = artifact.unwrap_or_else(|| case.with_file_name("a.txt"));
    let digest = Digest::sha256(&Sha256::digest(fs::read(&artifact).unwrap()).into()).to_string();
    [artifact.display().to_string(), digest].map(|signed| {
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        arguments.push(&signed);
        world.plimsoll(&arguments)
    })
}

#[test]
fn every_case_of_the_suite_is_right() {
    let world = World::new();
    for folder in folders() {
        let cases = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let mut seen = 0;
        for case in cases.filter(|case| case.is_dir()) {
            let must_be_refused = case.to_str().unwrap().ends_with("_fail");
            for ran in run(&world, &case) {
                let expected = i32::from(must_be_refused);
                assert_eq!(ran.code, expected, "{}: {ran}", case.display());
            }
            seen += 1;
        }
        assert!(seen >= 4, "{} has cases", folder.display());
    }
}

/// A good bundle is refused for anybody but who signed it, and what was demanded decides by what it is verified.
#[test]
fn who_signed_must_be_who_was_demanded() {
    let world = World::new();
    let own = &folders()[0];
    let verify = |case: &str, arguments: &[&str]| {
        let bundle = own.join(case).join("bundle.sigstore.json").display().to_string();
        let artifact = own.join("a.txt").display().to_string();
        let ran =
            world.plimsoll(&[&["verify-bundle", "--bundle", &bundle], arguments, &[&artifact]].concat());
        (ran.code, ran.stderr)
    };
    let identity =
        |identity, issuer| ["--certificate-identity", identity, "--certificate-oidc-issuer", issuer];
    let key = own.join("managed-key-and-trusted-root/key.pub").display().to_string();
    let root = own.join("managed-key-and-trusted-root/trusted_root.json").display().to_string();
    let (keyless, keyed) = ("happy-path-v0.3-new-mediaType", "managed-key-and-trusted-root");

    assert_eq!(verify(keyless, &identity(IDENTITY, ISSUER)).0, 0);
    for wrong in [identity("someone@example.com", ISSUER), identity(IDENTITY, "https://issuer.example")] {
        let (code, told) = verify(keyless, &wrong);
        assert!(
            code == 1 && told.starts_with("refused: identity: it is signed by `https://github.com/"),
            "{told}"
        );
    }
    let (code, told) = verify(keyless, &["--key", &key]);
    assert!(code == 1 && told.contains("and a key is demanded"), "{told}");
    let by_identity = [identity(IDENTITY, ISSUER).as_slice(), &["--trusted-root", &root]].concat();
    let (code, told) = verify(keyed, &by_identity);
    assert!(code == 1 && told.starts_with("refused: key-unknown"), "{told}");
    assert_eq!(verify(keyed, &["--key", &key, "--trusted-root", &root]).0, 0);
}

/// What cannot be read is not a refusal, and what was not said is not guessed.
#[test]
fn what_is_missing_is_said() {
    let world = World::new();
    world.write("key.pub", "no key");
    for (arguments, code) in [
        (["--bundle", "gone", "--key", "key.pub", "sha256:00"].as_slice(), 2),
        (&["--bundle", "gone", "sha256:00"], 3),
        (&["--bundle", "gone", "--certificate-identity", "somebody", "sha256:00"], 3),
        (&["--staging", "--bundle", "gone", "--key", "key.pub", "sha256:00"], 3),
    ] {
        let ran = world.plimsoll(&[&["verify-bundle"], arguments].concat());
        assert_eq!(ran.code, code, "{ran}");
    }
    assert!(!world.plimsoll(&["--help"]).stdout.contains("verify-bundle"), "it is hidden");
}
