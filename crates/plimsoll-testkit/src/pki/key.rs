//! Keys of the curve P-256 that follow from a seed, and whose signatures are the same each time (RFC 6979).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use sha2::{Digest as _, Sha256};

use super::der;

const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const P_256: &str = "1.2.840.10045.3.1.7";

/// A pair of keys.
#[derive(Clone)]
pub struct Key(SigningKey);

impl Key {
    /// The key that follows from a seed and a name.
    ///
    /// # Panics
    ///
    /// For one seed of 2^32, which nobody has found.
    pub fn new(seed: u64, name: &str) -> Key {
        let scalar = Sha256::digest(format!("plimsoll test key {seed} {name}"));
        Key(SigningKey::from_slice(&scalar).expect("nearly every number of 256 bits is a key"))
    }

    /// Signs a message: ECDSA with SHA-256, in DER.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = self.0.sign(message);
        signature.to_der().as_bytes().to_vec()
    }

    /// The public key as `SubjectPublicKeyInfo`, DER.
    pub fn public_der(&self) -> Vec<u8> {
        let algorithm = der::sequence(&[der::oid(EC_PUBLIC_KEY), der::oid(P_256)]);
        der::sequence(&[algorithm, der::bits(&self.point())])
    }

    /// The public key in PEM.
    pub fn public_pem(&self) -> String {
        der::pem("PUBLIC KEY", &self.public_der())
    }

    /// The private key as PKCS #8 in PEM.
    pub fn private_pem(&self) -> String {
        let algorithm = der::sequence(&[der::oid(EC_PUBLIC_KEY), der::oid(P_256)]);
        let scalar = self.0.to_bytes();
        let key = der::sequence(&[
            der::small(1),
            der::octets(scalar.as_slice()),
            der::context(1, &der::bits(&self.point())),
        ]);
        der::pem("PRIVATE KEY", &der::sequence(&[der::small(0), algorithm, der::octets(&key)]))
    }

    /// SHA-256 of the public key, by which logs and verifiers name it.
    pub fn id(&self) -> [u8; 32] {
        Sha256::digest(self.public_der()).into()
    }

    /// [`Key::id`] as hexadecimal digits.
    pub fn id_hex(&self) -> String {
        super::hex(&self.id())
    }

    /// [`Key::id`] in base64.
    pub fn id_base64(&self) -> String {
        BASE64_STANDARD.encode(self.id())
    }

    /// The public point, not compressed.
    pub(super) fn point(&self) -> Vec<u8> {
        self.0.verifying_key().to_sec1_point(false).as_bytes().to_vec()
    }
}
