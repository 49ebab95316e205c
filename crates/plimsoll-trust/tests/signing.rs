//! What is signed here verifies here, with the key alone, and nothing else does.

#![allow(clippy::unwrap_used)]

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use plimsoll_core::digest::Digest;
use plimsoll_core::evidence::{Content, Place, Predicate, Refusal, RefusalKind, Scheme, Standing};
use plimsoll_trust::bundle;
use plimsoll_trust::keys::TrustedKey;
use plimsoll_trust::root::{Trust, TrustRoot};
use plimsoll_trust::sign::{SignError, SigningKey};

const NOW: i64 = 1_780_000_000;

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64_STANDARD.encode(der))
}

fn keys() -> Vec<SigningKey> {
    let random = aws_lc_rs::rand::SystemRandom::new();
    let ecdsa = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    [ecdsa.as_ref(), ed25519.as_ref()].map(|der| SigningKey::from_pem(&pem(der)).unwrap()).into()
}

fn summary(digest: &Digest) -> String {
    serde_json::json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "registry.example/app", "digest": {"sha256": digest.hex()}}],
        "predicateType": "https://slsa.dev/verification_summary/v1",
        "predicate": {
            "verifier": {"id": "https://plimsoll.example"},
            "timeVerified": "2026-05-28T00:00:00Z",
            "resourceUri": "registry.example/app",
            "policy": {"uri": "policy.yaml", "digest": {"sha256": "11".repeat(32)}},
            "verificationResult": "PASSED",
            "verifiedLevels": ["SLSA_BUILD_LEVEL_2"],
        },
    })
    .to_string()
}

fn refusal(bundle: &str, digest: &Digest, keys: Vec<TrustedKey>) -> Result<Predicate, Refusal> {
    let trust = Trust::load(&TrustRoot::Bundled, NOW).unwrap().with_keys(keys);
    let place = Place { scheme: Scheme::Referrer, name: String::new() };
    let item = bundle::verify(bundle.as_bytes(), digest, place, &trust);
    match (item.standing, item.content) {
        (Standing::Refused(refusal), _) => Err(refusal),
        (Standing::Proven(_), Content::Statement(statement)) => Ok(statement.predicate),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_summary_verifies_with_its_key_and_is_refused_otherwise() {
    let (digest, other) = (Digest::sha256(&[1; 32]), Digest::sha256(&[2; 32]));
    let all = keys();
    for (index, key) in all.iter().enumerate() {
        let bundle = key.sign_statement(&summary(&digest)).unwrap();
        let mut trusted = TrustedKey::from_pem(Some("release"), &key.public_pem()).unwrap();
        assert_eq!(*trusted.fingerprint(), key.fingerprint());
        let kind = |bundle: &str, digest: &Digest, keys: Vec<TrustedKey>| {
            refusal(bundle, digest, keys).unwrap_err().kind
        };
        assert_eq!(
            kind(&bundle, &digest, vec![trusted.clone()]),
            RefusalKind::Log,
            "a log is demanded by default"
        );
        trusted.needs_log = false;
        let predicate = refusal(&bundle, &digest, vec![trusted.clone()]).unwrap();
        assert!(matches!(predicate, Predicate::VerificationSummary(summary) if summary.passed));
        assert_eq!(kind(&bundle, &other, vec![trusted.clone()]), RefusalKind::Subject);
        assert_eq!(kind(&bundle, &digest, Vec::new()), RefusalKind::KeyUnknown);
        let mut stranger = TrustedKey::from_pem(None, &all[1 - index].public_pem()).unwrap();
        stranger.needs_log = false;
        assert_eq!(kind(&bundle, &digest, vec![stranger]), RefusalKind::Signature);
        let mut retired = trusted.clone();
        retired.until = Some(NOW - 1);
        assert_eq!(kind(&bundle, &digest, vec![retired]), RefusalKind::KeyExpired);
        let mut newer = trusted;
        newer.from = Some(0);
        assert_eq!(kind(&bundle, &digest, vec![newer]), RefusalKind::Time);
    }
}

#[test]
fn what_is_no_private_key_is_refused() {
    for (text, error) in [
        ("", SignError::NotPem),
        ("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----", SignError::NotPem),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", SignError::UnknownKind),
    ] {
        assert_eq!(SigningKey::from_pem(text).err(), Some(error), "{text}");
    }
}
