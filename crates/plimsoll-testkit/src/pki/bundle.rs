//! A signature with everything that vouches for it, in parts that can be taken away or spoilt, and the forms in which it is kept: a
//! bundle of Sigstore's, a layer of cosign's older objects, and the manifests that hold them in a registry.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::der;
use super::log::Entry;
use crate::image::{MANIFEST, digest};

/// The type of payload that in-toto statements have.
pub const STATEMENT: &str = "application/vnd.in-toto+json";
/// The media type of a bundle in a registry.
pub const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Versions of the bundle's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleVersion {
    /// With a chain and a promise.
    V01,
    /// With a chain and a proof.
    V02,
    /// With one certificate and a proof.
    V03,
}

/// A signature and what vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The version in which it is written as JSON.
    pub version: BundleVersion,
    /// What signed.
    pub signer: Option<Signer>,
    /// What is signed.
    pub content: Content,
    /// Entries in logs.
    pub entries: Vec<Entry>,
    /// Time stamps.
    pub stamps: Vec<Vec<u8>>,
}

/// What signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// A certificate, DER.
    Certificate(Vec<u8>),
    /// A key that whoever verifies has.
    Key {
        /// By which it may be found.
        hint: String,
    },
}

/// What is signed, and the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bytes, which a bundle knows by their digest.
    Message {
        /// The bytes.
        bytes: Vec<u8>,
        /// The signature over them.
        signature: Vec<u8>,
    },
    /// An envelope (DSSE).
    Envelope {
        /// The payload's type.
        payload_type: String,
        /// The payload.
        payload: Vec<u8>,
        /// The signature over [`super::pae`].
        signature: Vec<u8>,
    },
}

/// A layer of an object that cosign before version 3 wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignLayer {
    /// The media type.
    pub media_type: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The annotations of its descriptor.
    pub annotations: BTreeMap<String, String>,
}

/// A manifest and the blobs that it names, for a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The manifest.
    pub manifest: Vec<u8>,
    /// Config and layers, by digest.
    pub blobs: BTreeMap<String, Vec<u8>>,
}

impl Object {
    /// The manifest's digest.
    pub fn digest(&self) -> String {
        digest(&self.manifest)
    }
}

impl Bundle {
    /// The bundle in another version of its format.
    #[must_use]
    pub fn in_version(mut self, version: BundleVersion) -> Bundle {
        self.version = version;
        self
    }

    /// The bundle as JSON text.
    pub fn json(&self) -> String {
        self.value().to_string()
    }

    /// The bundle as JSON.
    pub fn value(&self) -> Value {
        let media_type = match self.version {
            BundleVersion::V01 => "application/vnd.dev.sigstore.bundle+json;version=0.1",
            BundleVersion::V02 => "application/vnd.dev.sigstore.bundle+json;version=0.2",
            BundleVersion::V03 => BUNDLE,
        };
        let mut material = match &self.signer {
            Some(Signer::Certificate(certificate)) => {
                let certificate = json!({"rawBytes": BASE64_STANDARD.encode(certificate)});
                match self.version {
                    BundleVersion::V03 => json!({"certificate": certificate}),
                    _ => json!({"x509CertificateChain": {"certificates": [certificate]}}),
                }
            }
            Some(Signer::Key { hint }) => json!({"publicKey": {"hint": hint}}),
            None => json!({}),
        };
        if !self.entries.is_empty() {
            material["tlogEntries"] = self.entries.iter().map(entry).collect();
        }
        if !self.stamps.is_empty() {
            let stamps =
                self.stamps.iter().map(|stamp| json!({"signedTimestamp": BASE64_STANDARD.encode(stamp)}));
            material["timestampVerificationData"] = json!({"rfc3161Timestamps": stamps.collect::<Value>()});
        }
        let mut bundle = json!({"mediaType": media_type, "verificationMaterial": material});
        match &self.content {
            Content::Message { bytes, signature } => {
                bundle["messageSignature"] = json!({
                    "messageDigest": {
                        "algorithm": "SHA2_256",
                        "digest": BASE64_STANDARD.encode(Sha256::digest(bytes)),
                    },
                    "signature": BASE64_STANDARD.encode(signature),
                });
            }
            Content::Envelope { payload_type, payload, signature } => {
                bundle["dsseEnvelope"] = envelope(payload_type, payload, signature);
            }
        }
        bundle
    }

    /// The signature, as a layer of cosign's older objects: a `.sig` of a message, an `.att` of an envelope.
    pub fn cosign_layer(&self) -> CosignLayer {
        let mut annotations = BTreeMap::new();
        let (media_type, bytes) = match &self.content {
            Content::Message { bytes, signature } => {
                annotations.insert(
                    "dev.cosignproject.cosign/signature".to_owned(),
                    BASE64_STANDARD.encode(signature),
                );
                ("application/vnd.dev.cosign.simplesigning.v1+json", bytes.clone())
            }
            Content::Envelope { payload_type, payload, signature } => {
                // cosign writes the annotation for attestations too, and nothing in it.
                annotations.insert("dev.cosignproject.cosign/signature".to_owned(), String::new());
                let envelope = envelope(payload_type, payload, signature).to_string();
                ("application/vnd.dsse.envelope.v1+json", envelope.into_bytes())
            }
        };
        if let Some(Signer::Certificate(certificate)) = &self.signer {
            let pem = der::pem("CERTIFICATE", certificate);
            annotations.insert("dev.sigstore.cosign/certificate".to_owned(), pem);
        }
        if let Some(entry) = self.entries.first() {
            annotations.insert("dev.sigstore.cosign/bundle".to_owned(), cosign_entry(entry).to_string());
        }
        if let Some(stamp) = self.stamps.first() {
            let stamp = json!({"SignedRFC3161Timestamp": BASE64_STANDARD.encode(stamp)});
            annotations.insert("dev.sigstore.cosign/rfc3161timestamp".to_owned(), stamp.to_string());
        }
        CosignLayer { media_type, bytes, annotations }
    }

    /// The bundle as an artifact that refers to a manifest (`https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md`).
    /// `subject` is the descriptor of what it is about.
    pub fn referrer(&self, subject: &Value) -> Object {
        let mut annotations = BTreeMap::new();
        let content = match &self.content {
            Content::Message { .. } => "message-signature",
            Content::Envelope { payload, .. } => {
                let statement: Value = serde_json::from_slice(payload).unwrap_or_default();
                if let Some(kind) = statement.get("predicateType").and_then(Value::as_str) {
                    annotations.insert("dev.sigstore.bundle.predicateType", kind.to_owned());
                }
                "dsse-envelope"
            }
        };
        annotations.insert("dev.sigstore.bundle.content", content.to_owned());
        let (bytes, config) = (self.json().into_bytes(), b"{}".to_vec());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": BUNDLE,
            "config": {
                "mediaType": "application/vnd.oci.empty.v1+json",
                "digest": digest(&config),
                "size": config.len(),
            },
            "layers": [{"mediaType": BUNDLE, "digest": digest(&bytes), "size": bytes.len()}],
            "subject": subject,
            "annotations": annotations,
        });
        object(&manifest, [config, bytes])
    }
}

/// The object under a tag that ends in `.sig` or `.att`, with one layer for each signature.
pub fn cosign_object(layers: &[CosignLayer]) -> Object {
    let diff_ids: Vec<String> = layers.iter().map(|layer| digest(&layer.bytes)).collect();
    let config = json!({
        "architecture": "",
        "os": "",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    })
    .to_string()
    .into_bytes();
    let descriptors: Vec<Value> = layers
        .iter()
        .map(|layer| {
            json!({
                "mediaType": layer.media_type,
                "digest": digest(&layer.bytes),
                "size": layer.bytes.len(),
                "annotations": layer.annotations,
            })
        })
        .collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest(&config),
            "size": config.len(),
        },
        "layers": descriptors,
    });
    object(&manifest, layers.iter().map(|layer| layer.bytes.clone()).chain([config]))
}

fn object(manifest: &Value, blobs: impl IntoIterator<Item = Vec<u8>>) -> Object {
    let blobs = blobs.into_iter().map(|bytes| (digest(&bytes), bytes)).collect();
    Object { manifest: manifest.to_string().into_bytes(), blobs }
}

/// An envelope with one signature (`https://github.com/secure-systems-lab/dsse/blob/master/envelope.md`).
pub(super) fn envelope(payload_type: &str, payload: &[u8], signature: &[u8]) -> Value {
    json!({
        "payload": BASE64_STANDARD.encode(payload),
        "payloadType": payload_type,
        "signatures": [{"sig": BASE64_STANDARD.encode(signature)}],
    })
}

fn entry(entry: &Entry) -> Value {
    let mut value = json!({
        "logIndex": entry.index.to_string(),
        "logId": {"keyId": BASE64_STANDARD.encode(&entry.log)},
        "kindVersion": {"kind": entry.kind, "version": entry.kind_version},
        "canonicalizedBody": BASE64_STANDARD.encode(&entry.body),
    });
    if let Some(time) = entry.time {
        value["integratedTime"] = json!(time.to_string());
    }
    if let Some(promise) = &entry.promise {
        value["inclusionPromise"] = json!({"signedEntryTimestamp": BASE64_STANDARD.encode(promise)});
    }
    if let Some(proof) = &entry.proof {
        let hashes: Vec<String> = proof.hashes.iter().map(|hash| BASE64_STANDARD.encode(hash)).collect();
        value["inclusionProof"] = json!({
            "logIndex": proof.index.to_string(),
            "treeSize": proof.size.to_string(),
            "rootHash": BASE64_STANDARD.encode(&proof.root),
            "hashes": hashes,
        });
        if let Some(checkpoint) = &proof.checkpoint {
            value["inclusionProof"]["checkpoint"] = json!({"envelope": checkpoint});
        }
    }
    value
}

/// An entry as cosign's annotation has it, which holds no proof.
fn cosign_entry(entry: &Entry) -> Value {
    let mut value = json!({
        "Payload": {
            "body": BASE64_STANDARD.encode(&entry.body),
            "logID": super::hex(&entry.log),
            "logIndex": entry.index,
        },
    });
    if let Some(time) = entry.time {
        value["Payload"]["integratedTime"] = json!(time);
    }
    if let Some(promise) = &entry.promise {
        value["SignedEntryTimestamp"] = json!(BASE64_STANDARD.encode(promise));
    }
    value
}
