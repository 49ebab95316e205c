//! What Plimsoll itself says of what was promoted: SLSA's verification summaries (<https://slsa.dev/spec/v1.0/verification_summary>),
//! signed with a key of the operator's and kept as an artifact that refers to the manifest.
//!
//! What surprises: whether one is there already is told by verifying what is there, not by its annotations, which anybody can
//! write.

use std::collections::BTreeMap;

use anyhow::Context as _;
use plimsoll_core::digest::{Digest, hex};
use plimsoll_core::evidence::{Content, Item, Predicate, Standing, VerificationSummary};
use plimsoll_image::attached::{Attached, Form};
use plimsoll_image::open::documents::Descriptor;
use plimsoll_trust::bundle;
use plimsoll_trust::keys::TrustedKey;
use plimsoll_trust::root::Trust;
use plimsoll_trust::sign::SigningKey;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::policy::nobody;

/// The type of statement.
const PREDICATE: &str = "https://slsa.dev/verification_summary/v1";
/// The type of bundle, which is the type of artifact too.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// What no level of SLSA was looked at is called.
const UNEVALUATED: &str = "SLSA_BUILD_LEVEL_UNEVALUATED";

/// Who signs summaries.
pub(crate) struct Summaries {
    key: SigningKey,
    /// Trusts that key and nobody else.
    trust: Trust,
    verifier: String,
}

/// What is said of everything that one entry promotes.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    /// The policy's file, and the digest of its bytes.
    pub(crate) policy: (String, Digest),
    /// When it was cleared (RFC 3339).
    pub(crate) asked: String,
    /// Digests of the evidence that counted.
    pub(crate) evidence: Vec<Digest>,
}

/// An artifact, and the blobs that it names.
pub(crate) struct Artifact {
    pub(crate) manifest: Vec<u8>,
    pub(crate) blobs: Vec<(Digest, Vec<u8>)>,
}

impl Summaries {
    /// Signs with a private key in PEM, under the name of a verifier (a URI).
    pub(crate) fn new(pem: &str, verifier: &str) -> anyhow::Result<Summaries> {
        let key = SigningKey::from_pem(pem)?;
        let mut public = TrustedKey::from_pem(None, &key.public_pem())?;
        public.needs_log = false;
        let trust = nobody(0)?.with_keys(vec![public]);
        Ok(Summaries { key, trust, verifier: verifier.to_owned() })
    }

    /// A summary of what `subject` points to, as an artifact for the repository that it was promoted to.
    pub(crate) fn artifact(
        &self,
        subject: &Descriptor,
        repository: &str,
        passed: &Passed,
    ) -> anyhow::Result<Artifact> {
        let bundle =
            self.key.sign_statement(&self.statement(&subject.digest, repository, passed))?.into_bytes();
        let config = b"{}".to_vec();
        let blob = |media_type: &str, bytes: &[u8]| json!({"mediaType": media_type, "digest": sha256(bytes).as_str(), "size": bytes.len()});
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": BUNDLE,
            "config": blob(EMPTY, &config),
            "layers": [blob(BUNDLE, &bundle)],
            "subject": {
                "mediaType": subject.media_type,
                "digest": subject.digest.as_str(),
                "size": subject.size,
            },
            "annotations": {
                "dev.sigstore.bundle.content": "dsse-envelope",
                "dev.sigstore.bundle.predicateType": PREDICATE,
            },
        });
        let blobs = [config, bundle].map(|bytes| (sha256(&bytes), bytes)).to_vec();
        Ok(Artifact { manifest: manifest.to_string().into_bytes(), blobs })
    }

    fn statement(&self, digest: &Digest, repository: &str, passed: &Passed) -> String {
        let named = |digest: &Digest| {
            let algorithm = digest.as_str().split(':').next().unwrap_or_default();
            BTreeMap::from([(algorithm.to_owned(), digest.hex().to_owned())])
        };
        let evidence = passed.evidence.iter().map(|one| json!({"digest": named(one)}));
        json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": repository, "digest": named(digest)}],
            "predicateType": PREDICATE,
            "predicate": {
                "verifier": {"id": self.verifier},
                "timeVerified": passed.asked,
                "resourceUri": resource(repository, digest),
                "policy": {"uri": passed.policy.0, "digest": named(&passed.policy.1)},
                "inputAttestations": evidence.collect::<Vec<_>>(),
                "verificationResult": "PASSED",
                "verifiedLevels": [UNEVALUATED],
            },
        })
        .to_string()
    }

    /// Whether one of these says of `subject` what would be said, signed with the same key.
    pub(crate) fn is_among(
        &self,
        found: &[Attached],
        subject: &Digest,
        repository: &str,
        passed: &Passed,
    ) -> bool {
        let says_it = |summary: &VerificationSummary| {
            summary.passed
                && summary.verifier == self.verifier
                && summary.resource == resource(repository, subject)
                && summary.policy_digest.as_ref() == Some(&passed.policy.1)
        };
        found.iter().filter(|one| one.subject == *subject).any(|one| match &one.form {
            Form::Bundle(bytes) => {
                let item = bundle::verify(bytes, subject, one.place.clone(), &self.trust);
                summary_of(&item).is_some_and(says_it)
            }
            _ => false,
        })
    }
}

/// What a proven item says, if it is a summary.
fn summary_of(item: &Item) -> Option<&VerificationSummary> {
    match (&item.standing, &item.content) {
        (Standing::Proven(_), Content::Statement(statement)) => match &statement.predicate {
            Predicate::VerificationSummary(summary) => Some(summary),
            _ => None,
        },
        _ => None,
    }
}

fn resource(repository: &str, digest: &Digest) -> String {
    format!("{repository}@{digest}")
}

fn sha256(bytes: &[u8]) -> Digest {
    Digest::sha256(&Sha256::digest(bytes).into())
}

/// Reads the digests of evidence that counted: pieces that are proven to be by a signer of the policy, named by the digest of
/// their object, or else of their statement.
pub(crate) fn evidence_of(place: &str, statement: Option<&str>) -> Option<Digest> {
    place.parse().ok().or_else(|| statement?.parse().ok())
}

/// The key's file as text.
pub(crate) fn pem(bytes: Vec<u8>) -> anyhow::Result<String> {
    String::from_utf8(bytes)
        .map_err(|error| {
            let start = hex(error.as_bytes().get(..4).unwrap_or_default());
            anyhow::anyhow!("it begins with the bytes {start}, which is no PEM")
        })
        .context("the key cannot be read")
}
