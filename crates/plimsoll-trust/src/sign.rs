//! Signing statements of our own with a key: an envelope (DSSE, `https://github.com/secure-systems-lab/dsse`) in a bundle
//! of version 0.3, without a certificate and without an entry of a log.
//!
//! Keys are PKCS #8 in PEM: ECDSA on P-256 with SHA-256, or Ed25519.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use plimsoll_core::digest::Digest;
use serde_json::json;

use crate::json::BASE64;
use crate::keys::sha256;
use crate::limits::CERTIFICATE_BYTES_MAX;
use crate::statement::PAYLOAD_TYPE;

/// A private key.
pub struct SigningKey {
    pair: Pair,
    public: Vec<u8>,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Why nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The text is not PEM with a block `PRIVATE KEY`.
    #[error("it is not a private key; write PKCS #8 in PEM with one block `PRIVATE KEY`, not encrypted")]
    NotPem,
    /// The key is of another kind.
    #[error("the kind of private key is not known; use ECDSA on P-256, or Ed25519")]
    UnknownKind,
    /// The library refused to sign.
    #[error("the signature could not be made")]
    Failed,
}

impl SigningKey {
    /// Reads a key from PEM.
    pub fn from_pem(pem: &str) -> Result<SigningKey, SignError> {
        if pem.len() > CERTIFICATE_BYTES_MAX {
            return Err(SignError::NotPem);
        }
        let body = pem
            .split_once("-----BEGIN PRIVATE KEY-----")
            .and_then(|(_, rest)| rest.split_once("-----END PRIVATE KEY-----"))
            .ok_or(SignError::NotPem)?;
        let body: String = body.0.split_whitespace().collect();
        let der = BASE64.decode(body).map_err(|_| SignError::NotPem)?;
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der) {
            let public = pair.public_key().as_der().map_err(|_| SignError::UnknownKind)?.as_ref().to_vec();
            return Ok(SigningKey { pair: Pair::Ecdsa(pair), public });
        }
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| SignError::UnknownKind)?;
        let public = pair.public_key().as_der().map_err(|_| SignError::UnknownKind)?.as_ref().to_vec();
        Ok(SigningKey { pair: Pair::Ed25519(pair), public })
    }

    /// SHA-256 of the public key's `SubjectPublicKeyInfo` in DER, by which verifiers know the key.
    pub fn fingerprint(&self) -> Digest {
        sha256(&self.public)
    }

    /// The public key in PEM, for those who verify.
    pub fn public_pem(&self) -> String {
        let text = BASE64.encode(&self.public);
        let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
        for (index, letter) in text.chars().enumerate() {
            if index > 0 && index % 64 == 0 {
                pem.push('\n');
            }
            pem.push(letter);
        }
        pem.push_str("\n-----END PUBLIC KEY-----\n");
        pem
    }

    /// Signs an in-toto statement, JSON text, and gives the bundle as JSON text.
    pub fn sign_statement(&self, statement: &str) -> Result<String, SignError> {
        let signature = self.sign(&pae(PAYLOAD_TYPE, statement.as_bytes()))?;
        let bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": self.fingerprint().hex()}},
            "dsseEnvelope": {
                "payload": BASE64.encode(statement),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": BASE64.encode(signature)}],
            },
        });
        Ok(bundle.to_string())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.pair {
            Pair::Ecdsa(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).map_err(|_| SignError::Failed)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

/// DSSE's pre-authentication encoding: what is signed of a payload and its type.
pub(crate) fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut encoded = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    encoded.extend_from_slice(payload);
    encoded
}

#[cfg(test)]
mod tests {
    use super::pae;

    #[test]
    fn encodings_are_those_of_the_specification() {
        for (payload_type, payload, expected) in [
            // The example of `protocol.md`.
            (
                "http://example.com/HelloWorld",
                "hello world",
                "DSSEv1 29 http://example.com/HelloWorld 11 hello world",
            ),
            ("", "", "DSSEv1 0  0 "),
            // Lengths are of bytes.
            ("t", "\u{e9}", "DSSEv1 1 t 2 \u{e9}"),
            ("a b", "c d", "DSSEv1 3 a b 3 c d"),
        ] {
            assert_eq!(pae(payload_type, payload.as_bytes()), expected.as_bytes());
        }
    }
}
