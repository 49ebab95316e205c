//! Time stamps (RFC 3161) over signatures, in a signed message (RFC 5652).

use sha2::{Digest as _, Sha256};

use super::certificate::{algorithm, time_authority, time_signer};
use super::der;
use super::key::Key;

const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
const TIME_STAMP: &str = "1.2.840.113549.1.9.16.1.4";
const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
const SHA_256: &str = "2.16.840.1.101.3.4.2.1";
/// The policy of Sigstore's time authority.
const POLICY: &str = "1.3.6.1.4.1.57264.2";

/// Who stamps.
#[derive(Clone)]
pub struct TimeAuthority {
    key: Key,
    chain: [Vec<u8>; 2],
}

impl TimeAuthority {
    pub(super) fn new(seed: u64) -> TimeAuthority {
        let (key, root) = (Key::new(seed, "time"), Key::new(seed, "time root"));
        let chain = time_authority("plimsoll test time", &key, &root);
        TimeAuthority { key, chain }
    }

    /// The certificates, the one that signs first, DER.
    pub fn chain(&self) -> [&[u8]; 2] {
        let [leaf, root] = &self.chain;
        [leaf, root]
    }

    /// Vouches that `signature` was there at `at`: a `TimeStampResp`, DER.
    pub fn stamp(&self, signature: &[u8], at: i64) -> Vec<u8> {
        let sha_256 = der::sequence(&[der::oid(SHA_256)]);
        let imprint = der::sequence(&[sha_256.clone(), der::octets(&Sha256::digest(signature))]);
        let info = der::sequence(&[
            der::small(1),
            der::oid(POLICY),
            imprint,
            der::small(7),
            der::generalized_time(at),
        ]);
        let attributes = der::set(vec![
            attribute(CONTENT_TYPE, der::oid(TIME_STAMP)),
            attribute(MESSAGE_DIGEST, der::octets(&Sha256::digest(&info))),
        ]);
        let signature = self.key.sign(&attributes);
        let mut tagged_attributes = attributes;
        // What is signed has the tag of a set, and stands in the message with one of the context.
        if let Some(tag) = tagged_attributes.first_mut() {
            *tag = 0xa0;
        }
        let signer = der::sequence(&[
            der::small(1),
            time_signer(&self.key),
            sha_256.clone(),
            tagged_attributes,
            algorithm(),
            der::octets(&signature),
        ]);
        let content = der::sequence(&[der::oid(TIME_STAMP), der::context(0, &der::octets(&info))]);
        let message =
            der::sequence(&[der::small(3), der::set(vec![sha_256]), content, der::set(vec![signer])]);
        let token = der::sequence(&[der::oid(SIGNED_DATA), der::context(0, &message)]);
        der::sequence(&[der::sequence(&[der::small(0)]), token])
    }
}

fn attribute(oid: &str, value: Vec<u8>) -> Vec<u8> {
    der::sequence(&[der::oid(oid), der::set(vec![value])])
}
