//! Evidence that nobody made. A PKI of our own signed a few texts, and whatever the bytes are, nothing else is ever proven.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use plimsoll_core::digest::Digest;
use plimsoll_core::evidence::{Content, Item, Place, Scheme, Standing};
use plimsoll_testkit::image;
use plimsoll_testkit::pki::Pki;
use plimsoll_testkit::pki::samples::{AT, DIGEST, GCB_KEY_ID, KEY, Sample, SampleKind, samples};
use plimsoll_trust::gcb::{GcbKey, SignedForm};
use plimsoll_trust::keys::TrustedKey;
use plimsoll_trust::root::{Demands, Trust};
use plimsoll_trust::{bundle, claim, cosign, gcb};
use serde_json::Value;

/// What is trusted, and the digests of what was signed.
struct Known {
    trusts: Vec<Trust>,
    keys: Vec<GcbKey>,
    signed: BTreeSet<String>,
}

fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let pki = Pki::new(1);
        let pem = pki.key(KEY).public_pem();
        let trust = |demands, needs_log| {
            let mut key = TrustedKey::from_pem(Some(KEY), &pem).expect("it is a key");
            key.needs_log = needs_log;
            let trust = Trust::from_bytes(pki.trusted_root().as_bytes(), AT + 1_000_000);
            trust.expect("it is a root").with_demands(demands).with_keys(vec![key])
        };
        let nothing = Demands { log: false, sct: false };
        let forms = [SignedForm::Payload, SignedForm::Pae];
        let keys = forms.map(|form| GcbKey::from_pem(GCB_KEY_ID, form, &pem).expect("it is a key"));
        Known {
            trusts: vec![trust(Demands::default(), true), trust(nothing, false)],
            keys: keys.into(),
            signed: samples(&pki).iter().filter(|sample| is_signed(sample)).map(digest_of_text).collect(),
        }
    })
}

fn is_signed(sample: &Sample) -> bool {
    sample.kind != SampleKind::Statement
}

fn digest_of_text(sample: &Sample) -> String {
    image::digest(sample.text.as_bytes())
}

fn digest() -> Digest {
    DIGEST.parse().expect("it is a digest")
}

fn place() -> Place {
    Place { scheme: Scheme::Referrer, name: String::new() }
}

fn hold(item: &Item, layer: Option<&[u8]>) {
    let Standing::Proven(_) = &item.standing else { return };
    let proven = match &item.content {
        Content::Statement(statement) => statement.digest.as_str().to_owned(),
        Content::Signature { .. } => image::digest(layer.unwrap_or_default()),
        Content::Unread => panic!("nothing was read, and it is proven"),
    };
    assert!(known().signed.contains(&proven), "nobody signed {proven}: {item:?}");
}

/// A bundle of Sigstore's.
pub fn evidence_bundle(data: &[u8]) {
    for trust in &known().trusts {
        hold(&bundle::verify(data, &digest(), place(), trust), None);
        // A signature over bytes holds over those that were signed alone, and these are not.
        let over_bytes = bundle::verify_bytes(data, b"nobody signed this", place(), trust);
        assert!(!matches!(over_bytes.standing, Standing::Proven(_)), "{over_bytes:?}");
    }
}

/// A layer of an object of cosign's: `{"layer": TEXT, "annotations": {NAME: TEXT}}`.
pub fn cosign_object(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    let layer = value.get("layer").and_then(Value::as_str).unwrap_or_default().as_bytes();
    let annotations = value.get("annotations").and_then(Value::as_object).into_iter().flatten();
    let annotations: BTreeMap<String, String> =
        annotations.filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned()))).collect();
    for trust in &known().trusts {
        for verify in [cosign::verify_signature, cosign::verify_attestation] {
            hold(&verify(layer, &annotations, &digest(), place(), trust), Some(layer));
        }
    }
}

/// A statement that nobody signed.
pub fn statement(data: &[u8]) {
    let item = claim::read_claim(data, &digest(), place());
    assert!(!matches!(item.standing, Standing::Proven(_)), "nobody signed it");
}

/// A file of Google Cloud Build, with a key that signs the one form and then the other.
pub fn gcb_file(data: &[u8]) {
    for item in of_google(data) {
        hold(&item, None);
    }
}

fn of_google(data: &[u8]) -> Vec<Item> {
    let keys = known().keys.iter();
    keys.flat_map(|key| gcb::verify(data, &digest(), &place(), std::slice::from_ref(key), AT)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the targets hold is worth something only where the samples themselves are proven.
    #[test]
    fn the_samples_are_proven() {
        for sample in samples(&Pki::new(1)) {
            let items: Vec<Item> = match sample.kind {
                SampleKind::Bundle => known()
                    .trusts
                    .iter()
                    .map(|trust| bundle::verify(&sample.bytes, &digest(), place(), trust))
                    .collect(),
                SampleKind::GcbPayload | SampleKind::GcbPae => of_google(&sample.bytes),
                SampleKind::Cosign | SampleKind::Statement => Vec::new(),
            };
            let is_proven = items.iter().any(|item| matches!(item.standing, Standing::Proven(_)));
            assert!(is_proven || items.is_empty(), "{}: {items:?}", sample.name);
            for target in [evidence_bundle, cosign_object, statement, gcb_file] {
                target(&sample.bytes);
            }
        }
    }
}
