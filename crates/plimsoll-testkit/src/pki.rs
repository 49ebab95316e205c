//! A PKI of our own, which makes positive and negative evidence for any identity and any predicate.
//!
//! It has what Sigstore's public instance has: an authority that issues certificates for ten minutes, a log of certificates,
//! transparency logs of both versions, a time authority. All keys follow from a seed and all times are arguments, so that
//! the same call gives the same bytes. Verifiers refuse times that lie ahead of their machine's clock.
//!
//! ```
//! use plimsoll_testkit::pki::{Pki, Workflow, statements};
//!
//! let pki = Pki::new(1);
//! let workflow = Workflow::release("example/app", "refs/tags/v1.0.0");
//! let (digest, at) = (format!("sha256:{}", "11".repeat(32)), 1_770_000_000);
//! let provenance = statements::provenance_v1(&workflow);
//! let statement = statements::statement("registry.example/app", &digest, statements::PROVENANCE_V1, &provenance);
//!
//! // What is to be verified, what with, and how it is kept in a registry.
//! let bundle = pki.sign_statement(&workflow.identity(), &statement, at);
//! let (text, root) = (bundle.json(), pki.trusted_root());
//! let attestation = pki::cosign_object(&[bundle.cosign_layer()]);
//!
//! // Parts can be taken away, spoilt, or made by a stranger.
//! let mut without = bundle.clone();
//! without.stamps.clear();
//! let stranger = Pki::new(2);
//! let makers = pki::Makers { log: Some(&stranger.log), ..pki.makers() };
//! let logged_elsewhere = makers.sign(&workflow.identity(), &pki::Signed::Statement(&statement), at);
//! # use plimsoll_testkit::pki;
//! # assert!(text != without.json() && text != logged_elsewhere.json() && root.contains("tlogs"));
//! # assert_eq!(attestation.blobs.len(), 2);
//! ```

mod bundle;
mod certificate;
mod der;
mod gcb;
mod identity;
mod key;
mod log;
pub mod samples;
pub mod statements;
mod time;
mod tuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use bundle::envelope;
pub use bundle::{
    BUNDLE, Bundle, BundleVersion, Content, CosignLayer, Object, STATEMENT, Signer, cosign_object,
};
pub use certificate::{Authority, CertificateLog, EPOCH, LEAF_SECONDS};
pub use gcb::{GcbForm, gcb_file};
pub use identity::{ClaimNumber, Identity, Subject, Workflow};
pub use key::Key;
pub use log::{Entered, Entry, Log, LogVersion, Proof, Verifier};
pub use time::TimeAuthority;

/// Everybody who is trusted.
#[derive(Clone)]
pub struct Pki {
    /// Who issues certificates.
    pub authority: Authority,
    /// The log of certificates.
    pub certificates: CertificateLog,
    /// The transparency log of the first version.
    pub log: Log,
    /// The transparency log of the second version.
    pub log_v2: Log,
    /// Who stamps.
    pub time: TimeAuthority,
    seed: u64,
}

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub enum Signed<'a> {
    /// A statement, JSON text, in an envelope.
    Statement(&'a str),
    /// Bytes.
    Message(&'a [u8]),
}

/// Who makes which part of a bundle. A part whose maker is `None` is not there.
#[derive(Clone)]
pub struct Makers<'a> {
    /// Who issues the certificate.
    pub authority: &'a Authority,
    /// Who vouches that the certificate was published.
    pub certificates: Option<&'a CertificateLog>,
    /// Where the signature is entered.
    pub log: Option<&'a Log>,
    /// Who stamps the signature.
    pub time: Option<&'a TimeAuthority>,
    /// The key that the certificate is for.
    pub signer: Key,
    /// Seconds from when the certificate is issued to when the signature is entered.
    pub log_delay: i64,
    /// Seconds from when the certificate is issued to when the signature is stamped.
    pub time_delay: i64,
}

impl Pki {
    /// The PKI of a seed. Those of two seeds have the same names and no key in common.
    pub fn new(seed: u64) -> Pki {
        Pki {
            authority: Authority::new(seed),
            certificates: CertificateLog::new(seed),
            log: Log::new(seed, LogVersion::V1),
            log_v2: Log::new(seed, LogVersion::V2),
            time: TimeAuthority::new(seed),
            seed,
        }
    }

    /// A key of this name, of which nobody has a certificate.
    pub fn key(&self, name: &str) -> Key {
        Key::new(self.seed, &format!("key {name}"))
    }

    /// All makers of this PKI, with the log of the first version.
    pub fn makers(&self) -> Makers<'_> {
        Makers {
            authority: &self.authority,
            certificates: Some(&self.certificates),
            log: Some(&self.log),
            time: Some(&self.time),
            signer: Key::new(self.seed, "signer"),
            log_delay: 1,
            time_delay: 1,
        }
    }

    /// Signs a statement as `identity` at `at`, in seconds since 1970: a bundle of version 0.3 with everything.
    pub fn sign_statement(&self, identity: &Identity, statement: &str, at: i64) -> Bundle {
        self.makers().sign(identity, &Signed::Statement(statement), at)
    }

    /// Signs an image as cosign before version 3 did. What is kept in a registry is [`Bundle::cosign_layer`].
    pub fn sign_image(&self, identity: &Identity, name: &str, digest: &str, at: i64) -> Bundle {
        let text = statements::simple_signing(name, digest);
        self.makers().sign(identity, &Signed::Message(text.as_bytes()), at)
    }

    /// `trusted_root.json`: who is trusted from [`EPOCH`] on
    /// (`https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto`).
    pub fn trusted_root(&self) -> String {
        self.trusted_root_value().to_string()
    }

    /// [`Pki::trusted_root`] as JSON, of which parts can be taken away.
    pub fn trusted_root_value(&self) -> Value {
        let valid = json!({"start": Timestamp::from_second(EPOCH).expect("it is a time").to_string()});
        let log = |url: &str, key: &Key| {
            json!({
                "baseUrl": url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": BASE64_STANDARD.encode(key.public_der()),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": valid,
                },
                "logId": {"keyId": key.id_base64()},
            })
        };
        let authority = |name: &str, chain: [&[u8]; 2]| {
            let certificates = chain.map(|der| json!({"rawBytes": BASE64_STANDARD.encode(der)}));
            json!({
                "subject": {"organization": "plimsoll.test", "commonName": name},
                "uri": format!("https://{name}.plimsoll.test"),
                "certChain": {"certificates": certificates},
                "validFor": valid,
            })
        };
        let named = |log: &Log| format!("https://{}", log.name());
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [
                log(&named(&self.log), self.log.key()),
                log(&named(&self.log_v2), self.log_v2.key()),
            ],
            "certificateAuthorities": [authority("authority", self.authority.chain())],
            "ctlogs": [log("https://certificates.plimsoll.test", self.certificates.key())],
            "timestampAuthorities": [authority("time", self.time.chain())],
        })
    }
}

impl Makers<'_> {
    /// Signs as an identity, with a certificate that is issued at `at`, in seconds since 1970.
    pub fn sign(&self, identity: &Identity, signed: &Signed<'_>, at: i64) -> Bundle {
        let certificate = self.authority.issue(identity, &self.signer.public_der(), at, self.certificates);
        let content = self.signature(&self.signer, signed);
        let mut bundle = self.vouched(content, Verifier::Certificate(&certificate), at);
        bundle.signer = Some(Signer::Certificate(certificate));
        bundle
    }

    /// Signs with a key that whoever verifies has.
    pub fn sign_with_key(&self, key: &Key, signed: &Signed<'_>, at: i64) -> Bundle {
        let content = self.signature(key, signed);
        let mut bundle = self.vouched(content, Verifier::Key(&key.public_der()), at);
        bundle.signer = Some(Signer::Key { hint: key.id_base64() });
        bundle
    }

    fn signature(&self, key: &Key, signed: &Signed<'_>) -> Content {
        match signed {
            Signed::Message(bytes) => Content::Message { bytes: bytes.to_vec(), signature: key.sign(bytes) },
            Signed::Statement(text) => {
                let payload = text.as_bytes().to_vec();
                let signature = key.sign(&pae(STATEMENT, &payload));
                Content::Envelope { payload_type: STATEMENT.to_owned(), payload, signature }
            }
        }
    }

    fn vouched(&self, content: Content, verifier: Verifier<'_>, at: i64) -> Bundle {
        let (entered, signature) = match &content {
            Content::Message { bytes, signature } => (Entered::Message(bytes), signature),
            Content::Envelope { payload_type, payload, signature } => {
                (Entered::Envelope { payload_type, payload }, signature)
            }
        };
        let entries = self.log.map(|log| log.enter(entered, signature, verifier, at + self.log_delay));
        let stamps = self.time.map(|time| time.stamp(signature, at + self.time_delay));
        Bundle {
            version: BundleVersion::V03,
            signer: None,
            entries: entries.into_iter().collect(),
            stamps: stamps.into_iter().collect(),
            content,
        }
    }
}

/// DSSE's pre-authentication encoding: what is signed of a payload and its type.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// Hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_evidence_each_time_and_another_seed_none_of_it() {
        let signed = |seed| {
            let pki = Pki::new(seed);
            let identity = Identity::person("ada@example.test", "https://accounts.example.test");
            let statement =
                statements::statement("app", "sha256:11", "https://example.test/kind", &json!({}));
            (pki.trusted_root(), pki.sign_statement(&identity, &statement, 1_770_000_000).json())
        };
        assert_eq!(signed(1), signed(1));
        let ((root, bundle), (other_root, other_bundle)) = (signed(1), signed(2));
        assert!(root != other_root && bundle != other_bundle);
    }

    #[test]
    fn objects_name_every_blob_that_they_bring() {
        let pki = Pki::new(1);
        let identity = Workflow::release("example/app", "refs/tags/v1").identity();
        let bundle = pki.sign_image(&identity, "registry.example/app", "sha256:11", 1_770_000_000);
        let subject = json!({"mediaType": crate::image::MANIFEST, "digest": "sha256:11", "size": 2});
        for object in [bundle.referrer(&subject), cosign_object(&[bundle.cosign_layer()])] {
            let manifest = String::from_utf8(object.manifest.clone()).expect("it is JSON");
            assert_eq!(object.blobs.len(), 2);
            assert!(object.blobs.keys().all(|digest| manifest.contains(digest)), "{manifest}");
        }
    }
}
