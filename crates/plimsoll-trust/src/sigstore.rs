//! The only place that knows `sigstore-verify`: its interface changes with nearly every release, so the version is
//! pinned and its types end here. It verifies with the clock of the machine, for "is this time in the future".

use plimsoll_core::digest::{Algorithm, Digest};
use plimsoll_core::evidence::{
    Checked, Claim, Identity, LogProof, Proof, Refusal, RefusalKind, Signer, Witness, WitnessedTime,
};
use sigstore_trust_root::{SIGSTORE_PRODUCTION_TRUSTED_ROOT, TrustedRoot};
use sigstore_types::bundle::VerificationMaterialContent;
use sigstore_types::{
    Artifact, ArtifactDigest, Bundle, DerPublicKey, HashAlgorithm, SignatureBytes, SignatureContent,
};
use sigstore_verify::crypto::{CertificateInfo, KeyAlgorithm, verify_signature};
use sigstore_verify::{
    CertificateError, Error, PublicKeyVerificationPolicy, TransparencyLogError, VerificationPolicy,
    VerificationResult, Verifier,
};

use crate::keys::{BadKey, TrustedKey, raw};
use crate::limits::{LOG_ENTRIES_MAX, TIMESTAMPS_MAX, at_most};
use crate::root::Demands;

/// Roots of trust, ready to verify with.
pub(crate) struct Roots(Verifier);

impl Roots {
    /// Sigstore's public instance.
    pub(crate) fn bundled() -> Roots {
        Roots::read(SIGSTORE_PRODUCTION_TRUSTED_ROOT.as_bytes())
            .expect("the root that comes with the crate can be read")
    }

    /// Reads a `trusted_root.json`, or says why it is none.
    pub(crate) fn read(json: &[u8]) -> Result<Roots, String> {
        let json = std::str::from_utf8(json).map_err(|error| error.to_string())?;
        let root = TrustedRoot::from_json(json).map_err(|error| error.to_string())?;
        Verifier::new(&root).map(Roots).map_err(|error| error.to_string())
    }
}

/// A public key.
#[derive(Clone, Debug)]
pub(crate) struct SignatureKey {
    der: DerPublicKey,
    algorithm: KeyAlgorithm,
}

impl SignatureKey {
    pub(crate) fn from_pem(pem: &str) -> Result<SignatureKey, BadKey> {
        let der = DerPublicKey::from_pem(pem).map_err(|error| BadKey::NotPem(error.to_string()))?;
        let algorithm =
            KeyAlgorithm::from_spki(&der).map_err(|error| BadKey::UnknownKind(error.to_string()))?;
        Ok(SignatureKey { der, algorithm })
    }

    pub(crate) fn der(&self) -> &[u8] {
        self.der.as_bytes()
    }

    /// Whether `signature` is this key's over `message`.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let signature = SignatureBytes::new(signature.to_vec());
        verify_signature(&self.der, message, &signature, self.algorithm.default_signing_scheme()).is_ok()
    }
}

/// A bundle that follows its format. Nothing of it is verified.
pub(crate) struct ParsedBundle(Bundle);

/// What a bundle is signed with.
pub(crate) enum SignedWith {
    Certificate,
    Key,
}

/// What is signed: the bytes, or what they hash to.
#[derive(Clone, Copy)]
pub(crate) enum Signed<'a> {
    Bytes(&'a [u8]),
    Digest(&'a Digest),
}

impl ParsedBundle {
    pub(crate) fn read(json: &str) -> Result<ParsedBundle, Refusal> {
        let bundle = Bundle::from_json(json).map_err(|error| {
            let detail = error.to_string();
            let kind = if detail.contains("unsupported Rekor entry format") {
                RefusalKind::Unsupported
            } else {
                RefusalKind::Malformed
            };
            Refusal::new(kind, detail)
        })?;
        let material = &bundle.verification_material;
        at_most("entries of transparency logs", material.tlog_entries.len(), LOG_ENTRIES_MAX)?;
        let stamps = material.timestamp_verification_data.rfc3161_timestamps.len();
        at_most("time stamps", stamps, TIMESTAMPS_MAX)?;
        Ok(ParsedBundle(bundle))
    }

    pub(crate) fn signed_with(&self) -> SignedWith {
        match self.0.verification_material.content {
            VerificationMaterialContent::PublicKey(_) => SignedWith::Key,
            _ => SignedWith::Certificate,
        }
    }

    /// The payload and its type, if the bundle holds an envelope.
    pub(crate) fn payload(&self) -> Option<(&str, &[u8])> {
        match &self.0.content {
            SignatureContent::DsseEnvelope(envelope) => {
                Some((envelope.payload_type.as_str(), envelope.payload.as_bytes()))
            }
            _ => None,
        }
    }

    /// Verifies a bundle that is signed with a certificate.
    pub(crate) fn verify_keyless(
        &self,
        signed: Signed<'_>,
        roots: &Roots,
        demands: Demands,
    ) -> Result<Proof, Refusal> {
        let mut policy = VerificationPolicy::any_identity();
        if !demands.log {
            policy = policy.skip_tlog_unsafe();
        }
        if !demands.sct {
            policy = policy.skip_sct();
        }
        let result = roots.0.verify(artifact(signed)?, &self.0, &policy).map_err(refusal)?;
        // Each of these follows from success today; a release that relaxes one must not pass unseen.
        let all = result.certificate_verified()
            && (result.tlog_verified() || !demands.log)
            && (result.sct_verified() || !demands.sct);
        let (true, Some(certificate)) = (all, result.certificate()) else {
            return Err(Refusal::new(
                RefusalKind::Certificate,
                "not everything that is demanded was verified",
            ));
        };
        let signer = Signer::Keyless(Box::new(identity(certificate)?));
        Ok(Proof { signer, times: self.times(&result), checked: self.checked(&result) })
    }

    /// Verifies a bundle that is signed with `key`.
    pub(crate) fn verify_with_key(
        &self,
        signed: Signed<'_>,
        roots: &Roots,
        key: &TrustedKey,
    ) -> Result<Proof, Refusal> {
        let signer = Signer::Key { fingerprint: key.fingerprint().clone(), name: key.name.clone() };
        let material = &self.0.verification_material;
        let bare = material.tlog_entries.is_empty()
            && material.timestamp_verification_data.rfc3161_timestamps.is_empty();
        if bare {
            // The crate refuses what nobody else vouches for, which for a key without a log is as it should be.
            if key.needs_log {
                let detail = "there is no entry of a transparency log, and the key demands one";
                return Err(Refusal::new(RefusalKind::Log, detail));
            }
            self.verify_bare(signed, &key.key)?;
            return Ok(Proof { signer, times: Vec::new(), checked: Checked::default() });
        }
        let has_entries = !material.tlog_entries.is_empty();
        let mut policy = PublicKeyVerificationPolicy::new(key.key.der.clone());
        if !key.needs_log && !has_entries {
            policy = policy.skip_tlog_unsafe();
        }
        let result = roots.0.verify(artifact(signed)?, &self.0, &policy).map_err(refusal)?;
        Ok(Proof { signer, times: self.times(&result), checked: self.checked(&result) })
    }

    fn verify_bare(&self, signed: Signed<'_>, key: &SignatureKey) -> Result<(), Refusal> {
        let (message, signature) = match (&self.0.content, signed) {
            (SignatureContent::DsseEnvelope(envelope), _) => (envelope.pae(), &envelope.signature.sig),
            (SignatureContent::MessageSignature(message), Signed::Bytes(bytes)) => {
                (bytes.to_vec(), &message.signature)
            }
            _ => {
                let detail =
                    "a signature by a key alone is verified over bytes, and only their digest is known";
                return Err(Refusal::new(RefusalKind::Unsupported, detail));
            }
        };
        if key.signed(&message, signature.as_bytes()) {
            Ok(())
        } else {
            Err(Refusal::new(RefusalKind::Signature, "the signature does not hold"))
        }
    }

    /// The times that were verified. The crate gives them without their witness: those that an entry of a log
    /// states are the log's.
    fn times(&self, result: &VerificationResult) -> Vec<WitnessedTime> {
        let entries = &self.0.verification_material.tlog_entries;
        let mut integrated: Vec<i64> = entries
            .iter()
            .filter(|entry| entry.inclusion_promise.is_some())
            .filter_map(|entry| Some(entry.integrated_time?.as_second()))
            .collect();
        let mut times = Vec::new();
        for time in result.verified_timestamps() {
            let at = time.as_second();
            let witness = match integrated.iter().position(|known| *known == at) {
                Some(position) => {
                    integrated.swap_remove(position);
                    Witness::Log
                }
                None => Witness::TimestampAuthority,
            };
            times.push(WitnessedTime { at, witness });
        }
        times.sort();
        times
    }

    fn checked(&self, result: &VerificationResult) -> Checked {
        let log = match (result.tlog_verified(), self.0.has_inclusion_proof(), self.0.has_inclusion_promise())
        {
            (true, true, true) => Some(LogProof::Both),
            (true, true, false) => Some(LogProof::Inclusion),
            (true, false, true) => Some(LogProof::Promise),
            _ => None,
        };
        Checked { certificate: result.certificate_verified(), sct: result.sct_verified(), log }
    }
}

fn artifact(signed: Signed<'_>) -> Result<Artifact<'_>, Refusal> {
    let digest = match signed {
        Signed::Bytes(bytes) => return Ok(Artifact::from_blob(bytes)),
        Signed::Digest(digest) => digest,
    };
    let algorithm = match digest.algorithm() {
        Algorithm::Sha256 => HashAlgorithm::Sha2256,
        Algorithm::Sha512 => HashAlgorithm::Sha2512,
    };
    ArtifactDigest::new(algorithm, raw(digest))
        .map(Artifact::from_digest)
        .map_err(|error| Refusal::new(RefusalKind::Unsupported, error.to_string()))
}

fn identity(certificate: &CertificateInfo) -> Result<Identity, Refusal> {
    let missing =
        |what: &str| Refusal::new(RefusalKind::Identity, format!("the certificate states no {what}"));
    let san = certificate.identity.as_ref().ok_or_else(|| missing("subject"))?.as_str().to_owned();
    let issuer = certificate.issuer.clone().ok_or_else(|| missing("issuer"))?;
    let ci = &certificate.ci_claims;
    let claims = Claim::ALL
        .into_iter()
        .filter_map(|claim| {
            let value = match claim {
                Claim::BuildSignerUri => &ci.build_signer_uri,
                Claim::BuildSignerDigest => &ci.build_signer_digest,
                Claim::RunnerEnvironment => &ci.runner_environment,
                Claim::SourceRepositoryUri => &ci.source_repository_uri,
                Claim::SourceRepositoryDigest => &ci.source_repository_digest,
                Claim::SourceRepositoryRef => &ci.source_repository_ref,
                Claim::SourceRepositoryIdentifier => &ci.source_repository_identifier,
                Claim::SourceRepositoryOwnerUri => &ci.source_repository_owner_uri,
                Claim::SourceRepositoryOwnerIdentifier => &ci.source_repository_owner_identifier,
                Claim::BuildConfigUri => &ci.build_config_uri,
                Claim::BuildConfigDigest => &ci.build_config_digest,
                Claim::BuildTrigger => &ci.build_trigger,
                Claim::RunInvocationUri => &ci.run_invocation_uri,
                Claim::SourceRepositoryVisibility => &ci.source_repository_visibility_at_signing,
                Claim::DeploymentEnvironment => &ci.deployment_environment,
            };
            Some((claim, value.clone()?))
        })
        .collect();
    Ok(Identity { san, issuer, claims })
}

fn refusal(error: Error) -> Refusal {
    let kind = match &error {
        Error::IdentityMismatch { .. } | Error::IssuerMismatch { .. } => RefusalKind::Identity,
        Error::SignatureInvalid(_) => RefusalKind::Signature,
        Error::ArtifactMismatch(_) => RefusalKind::Subject,
        Error::UnsupportedArtifact(_) | Error::UnsupportedBundle(_) => RefusalKind::Unsupported,
        // What is wrong with the root by itself was told when it was read: here it has no log of certificates.
        Error::Certificate(CertificateError::Sct(_)) | Error::InvalidTrustRoot(_) => RefusalKind::Sct,
        Error::Certificate(CertificateError::NotYetValid { .. } | CertificateError::Expired { .. }) => {
            RefusalKind::Time
        }
        Error::Certificate(_) => RefusalKind::Certificate,
        Error::TransparencyLog(TransparencyLogError::EntryMismatch(_)) => RefusalKind::LogEntry,
        Error::TransparencyLog(TransparencyLogError::IntegratedTime(_)) | Error::Timestamp(_) => {
            RefusalKind::Time
        }
        Error::TransparencyLog(_) => RefusalKind::Log,
        Error::Bundle(error) => bundle_kind(error),
        _ => RefusalKind::Malformed,
    };
    Refusal::new(kind, error.to_string())
}

/// What a bundle lacks, by what its absence leaves unproven.
fn bundle_kind(error: &sigstore_verify::bundle::Error) -> RefusalKind {
    use sigstore_verify::bundle::Error as Bundle;
    match error {
        Bundle::MissingInclusionPromise(_) | Bundle::MissingInclusionProof(_) | Bundle::MissingCheckpoint => {
            RefusalKind::Log
        }
        Bundle::MissingSigningTimeEvidence => RefusalKind::Log,
        Bundle::CheckpointRootMismatch | Bundle::LogIndexOutOfRange { .. } => RefusalKind::Log,
        Bundle::MissingTimestamp => RefusalKind::Time,
        _ => RefusalKind::Malformed,
    }
}
