//! The objects of cosign before version 3: a manifest under a tag that ends in `.sig` or `.att`, one layer for each
//! signature, with what proves it in the layer's annotations
//! (`https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md`).
//!
//! Each is made into a bundle of version 0.1, which holds the same things. The chain beside the certificate is
//! left away: roots come from the trust root alone.

use std::collections::BTreeMap;

use base64::Engine;
use plimsoll_core::digest::Digest;
use plimsoll_core::evidence::{Content, Item, Place, Refusal, RefusalKind};
use serde_json::{Value, json};

use crate::bundle::{Examined, examine, item};
use crate::json::{BASE64, text};
use crate::keys::{raw, sha256};
use crate::limits::{
    BUNDLE_BYTES_MAX, CERTIFICATE_BYTES_MAX, LOG_ENTRY_BYTES_MAX, SIMPLE_SIGNING_BYTES_MAX, within,
};
use crate::root::Trust;
use crate::sigstore::Signed;

/// The media type of a layer that is a signature.
pub const SIGNATURE_LAYER: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The media type of a layer that is an attestation.
pub const ATTESTATION_LAYER: &str = "application/vnd.dsse.envelope.v1+json";

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const LOG_ENTRY: &str = "dev.sigstore.cosign/bundle";
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";

/// Annotations of a layer's descriptor.
pub type Annotations = BTreeMap<String, String>;

/// Verifies a layer of a `.sig` object for the image that `digest` names.
pub fn verify_signature(
    layer: &[u8],
    annotations: &Annotations,
    digest: &Digest,
    place: Place,
    trust: &Trust,
) -> Item {
    item(place, signature(layer, annotations, digest, trust).unwrap_or_else(Examined::refused))
}

/// Verifies a layer of an `.att` object for the image that `digest` names.
pub fn verify_attestation(
    layer: &[u8],
    annotations: &Annotations,
    digest: &Digest,
    place: Place,
    trust: &Trust,
) -> Item {
    item(place, attestation(layer, annotations, digest, trust).unwrap_or_else(Examined::refused))
}

fn signature(
    layer: &[u8],
    annotations: &Annotations,
    digest: &Digest,
    trust: &Trust,
) -> Result<Examined, Refusal> {
    within("the signed payload", layer.len(), SIMPLE_SIGNING_BYTES_MAX)?;
    let value: Value = serde_json::from_slice(layer)
        .map_err(|error| malformed(format!("the signed payload is not JSON: {error}")))?;
    let signature =
        annotations.get(SIGNATURE).ok_or_else(|| malformed(format!("there is no `{SIGNATURE}`")))?;
    let content = json!({
        "messageDigest": {"algorithm": "SHA2_256", "digest": BASE64.encode(raw(&sha256(layer)))},
        "signature": signature,
    });
    let bundle = bundle(annotations, "messageSignature", content)?;
    let mut examined = examine(&bundle, Signed::Bytes(layer), None, trust);
    examined.content = Content::Signature { image_name: text(&value, "/critical/identity/docker-reference") };
    examined.outcome = examined.outcome.and_then(|proof| {
        is_of_image(&value, digest)?;
        Ok(proof)
    });
    Ok(examined)
}

/// The signature is over a text that names the image.
fn is_of_image(payload: &Value, digest: &Digest) -> Result<(), Refusal> {
    // Both spellings were written, and no other type is a signature of an image.
    let kinds = ["cosign container image signature", "atomic container signature"];
    match text(payload, "/critical/type") {
        Some(kind) if kinds.contains(&kind.as_str()) => {}
        other => {
            let detail = format!("the payload's type is `{}`", other.unwrap_or_default());
            return Err(Refusal::new(RefusalKind::Unsupported, detail));
        }
    }
    match text(payload, "/critical/image/docker-manifest-digest") {
        Some(named) if named == digest.as_str() => Ok(()),
        Some(other) => {
            let detail = format!("the signature is of `{other}`, not of {digest}");
            Err(Refusal::new(RefusalKind::Subject, detail))
        }
        None => Err(malformed("the payload names no image".to_owned())),
    }
}

fn attestation(
    layer: &[u8],
    annotations: &Annotations,
    digest: &Digest,
    trust: &Trust,
) -> Result<Examined, Refusal> {
    within("the envelope", layer.len(), BUNDLE_BYTES_MAX)?;
    let envelope: Value = serde_json::from_slice(layer)
        .map_err(|error| malformed(format!("the envelope is not JSON: {error}")))?;
    let bundle = bundle(annotations, "dsseEnvelope", envelope)?;
    Ok(examine(&bundle, Signed::Digest(digest), Some(digest), trust))
}

fn bundle(annotations: &Annotations, kind: &str, content: Value) -> Result<Vec<u8>, Refusal> {
    let mut material = match annotations.get(CERTIFICATE).filter(|pem| !pem.is_empty()) {
        Some(pem) => json!({"x509CertificateChain": {"certificates": [{"rawBytes": leaf(pem)?}]}}),
        None => json!({"publicKey": {"hint": ""}}),
    };
    let mut version = "0.1";
    match annotations.get(LOG_ENTRY).filter(|entry| !entry.is_empty()) {
        Some(entry) => material["tlogEntries"] = json!([log_entry(entry)?]),
        // Version 0.1 demands an entry. Without one, whether that is enough is for what is demanded.
        None => version = "0.2",
    }
    if let Some(stamp) = annotations.get(TIMESTAMP).filter(|stamp| !stamp.is_empty()) {
        within("the time stamp", stamp.len(), CERTIFICATE_BYTES_MAX)?;
        let value: Value = serde_json::from_str(stamp)
            .map_err(|error| malformed(format!("`{TIMESTAMP}` is not JSON: {error}")))?;
        let token = text(&value, "/SignedRFC3161Timestamp")
            .ok_or_else(|| malformed(format!("`{TIMESTAMP}` has no `SignedRFC3161Timestamp`")))?;
        material["timestampVerificationData"] = json!({"rfc3161Timestamps": [{"signedTimestamp": token}]});
    }
    let bundle = json!({
        "mediaType": format!("application/vnd.dev.sigstore.bundle+json;version={version}"),
        "verificationMaterial": material,
        kind: content,
    });
    Ok(bundle.to_string().into_bytes())
}

/// The first certificate of `pem`, as base64 of DER.
fn leaf(pem: &str) -> Result<String, Refusal> {
    within("the certificate", pem.len(), CERTIFICATE_BYTES_MAX)?;
    let body = pem
        .split_once("-----BEGIN CERTIFICATE-----")
        .and_then(|(_, rest)| rest.split_once("-----END CERTIFICATE-----"))
        .ok_or_else(|| malformed(format!("`{CERTIFICATE}` is not PEM")))?;
    Ok(body.0.split_whitespace().collect())
}

/// The log's entry of a bundle, from the entry of cosign's annotation.
fn log_entry(annotation: &str) -> Result<Value, Refusal> {
    within("the log's entry", annotation.len(), LOG_ENTRY_BYTES_MAX)?;
    let value: Value = serde_json::from_str(annotation)
        .map_err(|error| malformed(format!("`{LOG_ENTRY}` is not JSON: {error}")))?;
    let missing = |field: &str| malformed(format!("`{LOG_ENTRY}` has no `{field}`"));
    let number = |field: &str| {
        value.pointer(&format!("/Payload/{field}")).and_then(Value::as_i64).ok_or_else(|| missing(field))
    };
    let body = text(&value, "/Payload/body").ok_or_else(|| missing("body"))?;
    let decoded = BASE64.decode(&body).map_err(|error| malformed(format!("the entry's body: {error}")))?;
    let entry: Value =
        serde_json::from_slice(&decoded).map_err(|error| malformed(format!("the entry's body: {error}")))?;
    let log = text(&value, "/Payload/logID").ok_or_else(|| missing("logID"))?;
    let log: Digest =
        format!("sha256:{log}").parse().map_err(|_| malformed("`logID` is no SHA-256".to_owned()))?;
    let promise = text(&value, "/SignedEntryTimestamp").ok_or_else(|| missing("SignedEntryTimestamp"))?;
    Ok(json!({
        "logIndex": number("logIndex")?.to_string(),
        "integratedTime": number("integratedTime")?.to_string(),
        "logId": {"keyId": BASE64.encode(raw(&log))},
        "kindVersion": {
            "kind": text(&entry, "/kind").ok_or_else(|| missing("kind"))?,
            "version": text(&entry, "/apiVersion").ok_or_else(|| missing("apiVersion"))?,
        },
        "inclusionPromise": {"signedEntryTimestamp": promise},
        "canonicalizedBody": body,
    }))
}

fn malformed(detail: String) -> Refusal {
    Refusal::new(RefusalKind::Malformed, detail)
}
