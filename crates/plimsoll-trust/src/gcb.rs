//! Provenance of Google Cloud Build, as `gcloud artifacts docker images describe --show-provenance --format json`
//! writes it (`https://cloud.google.com/build/docs/securing-builds/view-build-provenance`).
//!
//! A file holds several provenances, each signed with a key of Google's that its key id names. Older ones are signed over
//! the payload itself by a key of the build's region, newer ones over DSSE's encoding. Beside the signed payload
//! stands the same as text, which nobody signed and people read: the two must say the same.
//!
//! The rules are those of `slsa-verifier` (`verifiers/internal/gcb`, Apache-2.0), as are the public keys in `data/gcb`.

use plimsoll_core::digest::Digest;
use plimsoll_core::evidence::{
    Checked, Content, Item, Place, Proof, Refusal, RefusalKind, Signer, Standing, Statement,
};
use serde_json::Value;

use crate::bundle::in_time;
use crate::json::{any_base64, list, text};
use crate::keys::{BadKey, TrustedKey};
use crate::limits::{GCB_BYTES_MAX, GCB_PROVENANCES_MAX, GCB_SIGNATURES_MAX, at_most, within};
use crate::sign::pae;
use crate::statement;

mod bundled;

/// Whether a key signs the payload or DSSE's encoding of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedForm {
    /// The payload's bytes.
    Payload,
    /// The pre-authentication encoding of payload and type.
    Pae,
}

/// A key of Google's.
#[derive(Clone, Debug)]
pub struct GcbKey {
    /// The key id that signatures name it by: a path of Google's key management.
    pub id: String,
    /// What it signs.
    pub form: SignedForm,
    /// The key.
    pub key: TrustedKey,
}

impl GcbKey {
    /// Reads a key in PEM.
    pub fn from_pem(id: &str, form: SignedForm, pem: &str) -> Result<GcbKey, BadKey> {
        let mut key = TrustedKey::from_pem(Some(id), pem)?;
        key.needs_log = false;
        Ok(GcbKey { id: id.to_owned(), form, key })
    }

    /// The keys that Google published, as they were when this build was made.
    pub fn bundled() -> Vec<GcbKey> {
        bundled::KEYS
            .iter()
            .map(|row| {
                GcbKey::from_pem(&row.id(), row.form, row.pem)
                    .expect("a key that comes with the build can be read")
            })
            .collect()
    }
}

/// Verifies a file for the image that `digest` names: one item for each provenance in it. `now` is in seconds since 1970.
pub fn verify(bytes: &[u8], digest: &Digest, place: &Place, keys: &[GcbKey], now: i64) -> Vec<Item> {
    let refused = |refusal| {
        vec![Item { place: place.clone(), standing: Standing::Refused(refusal), content: Content::Unread }]
    };
    let value = match read(bytes) {
        Ok(value) => value,
        Err(refusal) => return refused(refusal),
    };
    let provenances = list(&value, "/provenance_summary/provenance");
    if provenances.is_empty() {
        return refused(malformed("the file has no provenance"));
    }
    if let Err(refusal) = at_most("provenances", provenances.len(), GCB_PROVENANCES_MAX) {
        return refused(refusal);
    }
    let summary = text(&value, "/image_summary/digest");
    let items = provenances.iter().map(|provenance| {
        let (content, outcome) = match statement_of(provenance) {
            Ok((payload, statement)) => {
                let outcome = examine(provenance, &payload, &statement, keys, now).and_then(|proof| {
                    agrees(provenance, &payload, &statement, digest, summary.as_deref()).map(|()| proof)
                });
                (Content::Statement(Box::new(statement)), outcome)
            }
            Err(refusal) => (Content::Unread, Err(refusal)),
        };
        let standing = match outcome {
            Ok(proof) => Standing::Proven(Box::new(proof)),
            Err(refusal) => Standing::Refused(refusal),
        };
        Item { place: place.clone(), standing, content }
    });
    items.collect()
}

fn read(bytes: &[u8]) -> Result<Value, Refusal> {
    within("the provenance file", bytes.len(), GCB_BYTES_MAX)?;
    serde_json::from_slice(bytes)
        .map_err(|error| malformed(format!("the provenance file is not JSON: {error}")))
}

fn statement_of(provenance: &Value) -> Result<(Vec<u8>, Statement), Refusal> {
    let missing = |what: &str| malformed(format!("the provenance has no {what}"));
    let payload = text(provenance, "/envelope/payload").ok_or_else(|| missing("payload"))?;
    let payload = any_base64(&payload).ok_or_else(|| malformed("the payload is not base64"))?;
    let payload_type = text(provenance, "/envelope/payloadType").ok_or_else(|| missing("type of payload"))?;
    let statement = statement::read(&payload_type, &payload)?;
    Ok((payload, statement))
}

/// Finds a signature that holds. Others beside it do no harm: each is by a key of its own.
fn examine(
    provenance: &Value,
    payload: &[u8],
    statement: &Statement,
    keys: &[GcbKey],
    now: i64,
) -> Result<Proof, Refusal> {
    let signatures = list(provenance, "/envelope/signatures");
    at_most("signatures", signatures.len(), GCB_SIGNATURES_MAX)?;
    let mut refused = Refusal::new(RefusalKind::Signature, "the provenance has no signature");
    for signature in signatures {
        match by_its_key(signature, payload, keys) {
            Ok(key) => {
                let signer =
                    Signer::Key { fingerprint: key.key.fingerprint().clone(), name: key.key.name.clone() };
                is_of_build(provenance, statement)?;
                let proof = Proof { signer, times: Vec::new(), checked: Checked::default() };
                return in_time(&key.key, proof, now);
            }
            Err(refusal) => refused = refusal,
        }
    }
    Err(refused)
}

fn by_its_key<'a>(signature: &Value, payload: &[u8], keys: &'a [GcbKey]) -> Result<&'a GcbKey, Refusal> {
    let id = text(signature, "/keyid")
        .ok_or_else(|| Refusal::new(RefusalKind::KeyUnknown, "the signature names no key"))?;
    let key = keys.iter().find(|key| key.id == id).ok_or_else(|| {
        Refusal::new(
            RefusalKind::KeyUnknown,
            format!("the signature names the key `{id}`, which is not trusted"),
        )
    })?;
    let bytes = text(signature, "/sig")
        .and_then(|sig| any_base64(&sig))
        .ok_or_else(|| malformed("the signature is not base64"))?;
    let message = match key.form {
        SignedForm::Payload => payload.to_vec(),
        SignedForm::Pae => pae(statement::PAYLOAD_TYPE, payload),
    };
    if key.key.key.signed(&message, &bytes) {
        Ok(key)
    } else {
        Err(Refusal::new(RefusalKind::Signature, format!("the signature of the key `{id}` does not hold")))
    }
}

fn is_of_build(provenance: &Value, statement: &Statement) -> Result<(), Refusal> {
    let kind = text(provenance, "/kind").unwrap_or_default();
    if kind != "BUILD" {
        return Err(disagreement(format!("the provenance is of kind `{kind}`, not `BUILD`")));
    }
    if !statement.predicate_type.starts_with("https://slsa.dev/provenance/") {
        let detail = format!("the statement is a `{}`, no provenance", statement.predicate_type);
        return Err(Refusal::new(RefusalKind::Unsupported, detail));
    }
    Ok(())
}

/// Holds what is signed against the digest in question and against what stands beside it unsigned.
fn agrees(
    provenance: &Value,
    payload: &[u8],
    statement: &Statement,
    digest: &Digest,
    summary: Option<&str>,
) -> Result<(), Refusal> {
    statement::is_about(statement, digest)?;
    if summary != Some(digest.as_str()) {
        let summary = summary.unwrap_or("no digest");
        return Err(disagreement(format!("the file's summary names {summary}, not {digest}")));
    }
    let uri = text(provenance, "/resourceUri").unwrap_or_default();
    if uri.rsplit_once('@').is_none_or(|(_, named)| named != digest.as_str()) {
        return Err(disagreement(format!("the provenance is of the resource `{uri}`, not of {digest}")));
    }
    let signed: Value = serde_json::from_slice(payload)
        .map_err(|error| malformed(format!("the statement is not JSON: {error}")))?;
    // Which of them a file has depends on the version of its provenance; it has one at least.
    let beside = ["/build/intotoStatement", "/build/inTotoSlsaProvenanceV1"];
    let beside: Vec<_> = beside.into_iter().filter_map(|pointer| provenance.pointer(pointer)).collect();
    if beside.is_empty() {
        return Err(malformed("the provenance does not stand as text beside what is signed"));
    }
    for text in beside {
        same_text(text, &signed)?;
    }
    Ok(())
}

/// Every field of the text must be in what is signed. What is signed may hold the predicate under a second name.
fn same_text(text: &Value, signed: &Value) -> Result<(), Refusal> {
    let fields = text.as_object().ok_or_else(|| malformed("the text beside what is signed is no object"))?;
    for (name, value) in fields {
        let found = match name.as_str() {
            "slsaProvenance" | "slsaProvenanceZeroTwo" => signed.get("predicate"),
            _ => signed.get(name),
        };
        if found != Some(value) {
            return Err(disagreement(format!("`{name}` beside what is signed differs from what is signed")));
        }
    }
    Ok(())
}

fn malformed(detail: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Malformed, detail)
}

fn disagreement(detail: String) -> Refusal {
    Refusal::new(RefusalKind::Disagreement, detail)
}
