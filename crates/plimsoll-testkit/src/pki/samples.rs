//! One of each kind of evidence, all good: what fuzzing begins with.

use serde_json::json;

use super::{
    BundleVersion, GcbForm, Makers, Pki, Signed, Workflow, bundle::CosignLayer, gcb_file, statements,
};

/// When the samples are signed.
pub const AT: i64 = 1_770_000_000;
/// The digest that all samples are about.
pub const DIGEST: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
/// The name of the key that samples without a certificate are signed with, and of Google's among ours.
pub const KEY: &str = "release";
/// The name that files of Google Cloud Build have for it.
pub const GCB_KEY_ID: &str =
    "projects/verified-builder/locations/global/keyRings/attestor/cryptoKeys/test/cryptoKeyVersions/1";

const IMAGE: &str = "registry.example/app";

/// A kind of sample, by what reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleKind {
    /// A bundle.
    Bundle,
    /// A layer of a cosign object: `{"layer": .., "annotations": ..}`.
    Cosign,
    /// A statement that nobody signed.
    Statement,
    /// A file of Google Cloud Build, whose provenance is signed over its payload.
    GcbPayload,
    /// A file of Google Cloud Build, whose provenance is signed over DSSE's encoding.
    GcbPae,
}

/// One good piece of evidence.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What reads it.
    pub kind: SampleKind,
    /// Its name among those of its kind.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What is signed in it, or stated by it.
    pub text: String,
}

/// All samples.
pub fn samples(pki: &Pki) -> Vec<Sample> {
    let workflow = Workflow::release("example/app", "refs/tags/v1.0.0");
    let all: Vec<(&str, String)> = vec![
        ("provenance-v1", statement(statements::PROVENANCE_V1, &statements::provenance_v1(&workflow))),
        ("provenance-v0.2", statement(statements::PROVENANCE_V0_2, &statements::provenance_v0_2(&workflow))),
        ("provenance-v0.1", statement(statements::PROVENANCE_V0_1, &statements::provenance_v0_1(&workflow))),
        (
            "openvex",
            statement(
                statements::OPENVEX,
                &statements::openvex("ada", "CVE-2026-1", "pkg:oci/app", "not_affected"),
            ),
        ),
        (
            "summary",
            statement(
                statements::VERIFICATION_SUMMARY,
                &statements::verification_summary("https://verifier.example", IMAGE, &["SLSA_BUILD_LEVEL_2"]),
            ),
        ),
        ("components", statement(statements::CYCLONEDX, &json!({"bomFormat": "CycloneDX"}))),
    ];
    let mut found: Vec<Sample> = all
        .iter()
        .map(|(name, text)| sample(SampleKind::Statement, name, text.clone().into_bytes(), text))
        .collect();
    if let Some((_, provenance)) = all.first() {
        found.extend(signed(pki, &workflow, provenance));
    }
    found.extend(of_google(pki, &workflow));
    found
}

fn statement(kind: &str, predicate: &serde_json::Value) -> String {
    statements::statement(IMAGE, DIGEST, kind, predicate)
}

fn sample(kind: SampleKind, name: &str, bytes: Vec<u8>, text: &str) -> Sample {
    Sample { kind, name: name.to_owned(), bytes, text: text.to_owned() }
}

fn signed(pki: &Pki, workflow: &Workflow, provenance: &str) -> Vec<Sample> {
    let identity = workflow.identity();
    let makers = pki.makers();
    let second = Makers { log: Some(&pki.log_v2), ..makers.clone() };
    let alone = Makers { log: None, time: None, ..makers.clone() };
    let statement = Signed::Statement(provenance);
    let image = statements::simple_signing(IMAGE, DIGEST);
    let bundle = makers.sign(&identity, &statement, AT);
    let keyed = makers.sign_with_key(&pki.key(KEY), &statement, AT);
    let of_image = makers.sign(&identity, &Signed::Message(image.as_bytes()), AT);
    let bundles = [
        ("v0.3", bundle.clone()),
        ("v0.1", bundle.clone().in_version(BundleVersion::V01)),
        ("second-log", second.sign(&identity, &statement, AT)),
        ("key", keyed.clone()),
        ("key-alone", alone.sign_with_key(&pki.key(KEY), &statement, AT)),
    ];
    let bundles = bundles
        .map(|(name, bundle)| sample(SampleKind::Bundle, name, bundle.json().into_bytes(), provenance));
    let layers =
        [("att", bundle, provenance), ("att-key", keyed, provenance), ("sig", of_image, image.as_str())];
    let layers = layers.map(|(name, bundle, text)| {
        sample(SampleKind::Cosign, name, layer_json(&bundle.cosign_layer()), text)
    });
    bundles.into_iter().chain(layers).collect()
}

fn layer_json(layer: &CosignLayer) -> Vec<u8> {
    let text = String::from_utf8_lossy(&layer.bytes);
    json!({"annotations": layer.annotations, "layer": text}).to_string().into_bytes()
}

fn of_google(pki: &Pki, workflow: &Workflow) -> [Sample; 2] {
    let key = pki.key(KEY);
    let older = statement(statements::PROVENANCE_V0_1, &statements::provenance_v0_1(workflow));
    let url = workflow.repository_url();
    let newer = statements::cloud_build_v1(&url, &workflow.reference, &workflow.commit);
    let newer = statement(statements::PROVENANCE_V1, &newer);
    let file =
        |form, text: &str| gcb_file(form, &key, GCB_KEY_ID, IMAGE, DIGEST, text).to_string().into_bytes();
    [
        sample(SampleKind::GcbPayload, "payload", file(GcbForm::V0_1, &older), &older),
        sample(SampleKind::GcbPae, "pae", file(GcbForm::V1, &newer), &newer),
    ]
}
