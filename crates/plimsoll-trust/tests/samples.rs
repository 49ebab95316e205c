//! Provenance that builders made: it verifies where it is good, and where it is spoilt each is refused for its own reason.
//!
//! `PLIMSOLL_TRUST_LAYOUTS` names a folder of `VERSION/NAME/` OCI layouts with cosign's attestations, and `NAME.digest` beside
//! each (`cli/slsa-verifier/testdata/gha_generic_container` of `https://github.com/slsa-framework/slsa-verifier`).

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use plimsoll_core::digest::Digest;
use plimsoll_core::evidence::{Content, Item, Place, Predicate, RefusalKind, Scheme, Standing};
use plimsoll_trust::cosign::{self, Annotations};
use plimsoll_trust::gcb::{self, GcbKey};
use plimsoll_trust::root::{Trust, TrustRoot};
use serde_json::Value;

const NOW: i64 = 1_780_000_000;

fn place() -> Place {
    Place { scheme: Scheme::File, name: String::new() }
}

/// How each provenance of a file stands: `proven`, or the kind of its refusal.
fn standings(items: &[Item]) -> Vec<&'static str> {
    let name = |item: &Item| match &item.standing {
        Standing::Proven(_) => "proven",
        Standing::Refused(refusal) => refusal.kind.name(),
        other => other.name(),
    };
    items.iter().map(name).collect()
}

#[test]
fn files_of_google_cloud_build() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/gcb");
    let digest: Digest =
        "sha256:1a033b002f89ed2b8ea733162497fb70f1a4049a7f8602d6a33682b4ad9921fd".parse().unwrap();
    let keys = GcbKey::bundled();
    let mut told = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let items = gcb::verify(&fs::read(&path).unwrap(), &digest, &place(), &keys, NOW);
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            told.push(format!("{name}: {}", standings(&items).join(", ")));
        }
    }
    told.sort();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn layouts_of_cosigns_attestations() {
    let Some(folder) = std::env::var_os("PLIMSOLL_TRUST_LAYOUTS") else { return };
    let trust = Trust::load(&TrustRoot::Bundled, NOW).unwrap();
    let mut seen = 0;
    for version in fs::read_dir(folder).unwrap() {
        for layout in fs::read_dir(version.unwrap().path()).unwrap() {
            let layout = layout.unwrap().path();
            if layout.is_dir() {
                seen += attestations(&layout, &trust);
            }
        }
    }
    assert!(seen > 0, "there are attestations");
}

fn attestations(layout: &Path, trust: &Trust) -> usize {
    let digest: Digest = fs::read_to_string(layout.with_extension("digest")).unwrap().trim().parse().unwrap();
    let other = Digest::sha256(&[0; 32]);
    let blobs = layout.join("blobs/sha256");
    let mut seen = 0;
    for blob in fs::read_dir(&blobs).unwrap() {
        let Ok(manifest) = serde_json::from_slice::<Value>(&fs::read(blob.unwrap().path()).unwrap()) else {
            continue;
        };
        for layer in manifest["layers"].as_array().into_iter().flatten() {
            if layer["mediaType"] != cosign::ATTESTATION_LAYER {
                continue;
            }
            seen += 1;
            let annotations: Annotations = serde_json::from_value(layer["annotations"].clone()).unwrap();
            let bytes = fs::read(blobs.join(&layer["digest"].as_str().unwrap()["sha256:".len()..])).unwrap();
            let verify = |bytes: &[u8], annotations: &Annotations, digest: &Digest| {
                cosign::verify_attestation(bytes, annotations, digest, place(), trust)
            };
            let item = verify(&bytes, &annotations, &digest);
            let (Standing::Proven(proof), Content::Statement(statement)) = (&item.standing, &item.content)
            else {
                panic!("{}: {:?}", layout.display(), item.standing)
            };
            assert!(proof.checked.sct && proof.checked.certificate && proof.checked.log.is_some());
            let Predicate::Provenance(provenance) = &statement.predicate else { panic!("no provenance") };
            let differing: Vec<_> = provenance.disagreeing().collect();
            assert!(differing.is_empty() && provenance.agreement.len() >= 4, "{:?}", provenance.agreement);
            let kind = |item: Item| match item.standing {
                Standing::Refused(refusal) => refusal.kind,
                standing => panic!("{standing:?}"),
            };
            assert_eq!(kind(verify(&bytes, &annotations, &other)), RefusalKind::Subject);
            let mut without = annotations.clone();
            without.remove("dev.sigstore.cosign/bundle");
            assert_eq!(kind(verify(&bytes, &without, &digest)), RefusalKind::Log);
            without = annotations.clone();
            without.remove("dev.sigstore.cosign/certificate");
            assert_eq!(kind(verify(&bytes, &without, &digest)), RefusalKind::KeyUnknown);
        }
    }
    seen
}
