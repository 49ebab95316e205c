//! Files of Google Cloud Build, as `gcloud artifacts docker images describe --show-provenance --format json` writes them
//! (`https://cloud.google.com/build/docs/securing-builds/view-build-provenance`), with keys of our own.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE;
use serde_json::{Value, json};

use super::bundle::STATEMENT;
use super::key::Key;

/// The two forms that provenance has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GcbForm {
    /// SLSA 0.1: signed over the payload's bytes.
    V0_1,
    /// SLSA 1: signed over DSSE's encoding.
    V1,
}

/// A file with one provenance of the image that `name` and `digest` (`sha256:..`) name, signed by `key` under the name `key_id`.
///
/// # Panics
///
/// Where the statement is not JSON.
pub fn gcb_file(form: GcbForm, key: &Key, key_id: &str, name: &str, digest: &str, statement: &str) -> Value {
    json!({
        "image_summary": {
            "digest": digest,
            "fully_qualified_digest": format!("{name}@{digest}"),
            "registry": name.split('/').next(),
        },
        "provenance_summary": {"provenance": [provenance(form, key, key_id, name, digest, statement)]},
    })
}

fn provenance(form: GcbForm, key: &Key, key_id: &str, name: &str, digest: &str, statement: &str) -> Value {
    let signed: Value = serde_json::from_str(statement).expect("the statement is JSON");
    let mut text = signed.clone();
    let (field, signature) = match form {
        GcbForm::V0_1 => {
            // The text has the predicate under a name of its own.
            if let Some(predicate) = text.as_object_mut().and_then(|fields| fields.remove("predicate")) {
                text["slsaProvenance"] = predicate;
            }
            ("intotoStatement", key.sign(statement.as_bytes()))
        }
        GcbForm::V1 => ("inTotoSlsaProvenanceV1", key.sign(&super::pae(STATEMENT, statement.as_bytes()))),
    };
    json!({
        "build": {field: text},
        "envelope": {
            "payload": BASE64_URL_SAFE.encode(statement),
            "payloadType": STATEMENT,
            "signatures": [{"keyid": key_id, "sig": BASE64_URL_SAFE.encode(signature)}],
        },
        "kind": "BUILD",
        "resourceUri": format!("https://{name}@{digest}"),
    })
}
