//! Certificates (RFC 5280) of an authority of Fulcio's kind: a root, an authority below it, and leaves that live for ten
//! minutes; and the log that vouches for them (RFC 6962).

use sha2::{Digest as _, Sha256};

use super::der;
use super::identity::{Identity, Subject};
use super::key::Key;

/// Seconds for which a leaf is valid.
pub const LEAF_SECONDS: i64 = 600;
/// When authorities begin to be valid: 2021-01-01.
pub const EPOCH: i64 = 1_609_459_200;
/// When authorities end: 2041-01-01.
pub(super) const END: i64 = 2_240_524_800;

pub(super) const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";
const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";
const TIME_STAMPING: &str = "1.3.6.1.5.5.7.3.8";
const SCT_LIST: &str = "1.3.6.1.4.1.11129.2.4.2";
const FULCIO: &str = "1.3.6.1.4.1.57264.1";

/// What of a certificate differs between its kinds.
struct Template {
    /// The common name; a leaf for an identity has none.
    name: Option<&'static str>,
    subject_key: Vec<u8>,
    from: i64,
    until: i64,
    extensions: Vec<Vec<u8>>,
}

/// Who signs certificates.
struct Issuer<'a> {
    name: &'static str,
    key: &'a Key,
}

/// An authority for certificates: a root and one below it, which issues.
#[derive(Clone)]
pub struct Authority {
    root: Vec<u8>,
    intermediate: Vec<u8>,
    key: Key,
}

const ROOT_NAME: &str = "plimsoll test root";
const INTERMEDIATE_NAME: &str = "plimsoll test authority";

impl Authority {
    pub(super) fn new(seed: u64) -> Authority {
        let (root_key, key) = (Key::new(seed, "root"), Key::new(seed, "authority"));
        let root = authority(ROOT_NAME, &root_key, &Issuer { name: ROOT_NAME, key: &root_key });
        let intermediate = authority(INTERMEDIATE_NAME, &key, &Issuer { name: ROOT_NAME, key: &root_key });
        Authority { root, intermediate, key }
    }

    /// The chain, the issuing one first, DER.
    pub fn chain(&self) -> [&[u8]; 2] {
        [&self.intermediate, &self.root]
    }

    /// Issues a certificate for an identity and a key, DER, valid for [`LEAF_SECONDS`] from `at`. With a log, its promise stands in the
    /// certificate.
    pub fn issue(
        &self,
        identity: &Identity,
        public_der: &[u8],
        at: i64,
        log: Option<&CertificateLog>,
    ) -> Vec<u8> {
        let issuer = Issuer { name: INTERMEDIATE_NAME, key: &self.key };
        let mut template = Template {
            name: None,
            subject_key: public_der.to_vec(),
            from: at,
            until: at + LEAF_SECONDS,
            extensions: leaf_extensions(identity, public_der, &self.key),
        };
        if let Some(log) = log {
            let precertificate = to_be_signed(&template, &issuer);
            let promise = log.promise(&precertificate, &self.key.id(), at);
            template.extensions.push(extension(SCT_LIST, false, &der::octets(&promise)));
        }
        signed(&template, &issuer)
    }
}

/// A log of certificates.
#[derive(Clone)]
pub struct CertificateLog {
    key: Key,
}

impl CertificateLog {
    pub(super) fn new(seed: u64) -> CertificateLog {
        CertificateLog { key: Key::new(seed, "certificate log") }
    }

    /// The log's key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// A list with one signed certificate timestamp for what a certificate is before it has one (RFC 6962, 3.2 and 3.3).
    fn promise(&self, precertificate: &[u8], issuer: &[u8; 32], at: i64) -> Vec<u8> {
        let milliseconds = u64::try_from(at).expect("the time is after 1970") * 1000;
        let mut message = vec![0, 0];
        message.extend_from_slice(&milliseconds.to_be_bytes());
        // An entry of a precertificate.
        message.extend_from_slice(&[0, 1]);
        message.extend_from_slice(issuer);
        let length = u32::try_from(precertificate.len()).expect("a certificate is small").to_be_bytes();
        message.extend_from_slice(&length[1..]);
        message.extend_from_slice(precertificate);
        message.extend_from_slice(&[0, 0]);
        let signature = self.key.sign(&message);

        let mut timestamp = vec![0];
        timestamp.extend_from_slice(&self.key.id());
        timestamp.extend_from_slice(&milliseconds.to_be_bytes());
        // No extensions; SHA-256 and ECDSA.
        timestamp.extend_from_slice(&[0, 0, 4, 3]);
        timestamp.extend_from_slice(&with_length(&signature));
        with_length(&with_length(&timestamp))
    }
}

/// An authority for time stamps: a root, and the certificate that signs.
pub(super) fn time_authority(name: &'static str, key: &Key, root_key: &Key) -> [Vec<u8>; 2] {
    const ROOT: &str = "plimsoll test time root";
    let root_issuer = Issuer { name: ROOT, key: root_key };
    let root = signed(
        &Template {
            name: Some(ROOT),
            subject_key: root_key.public_der(),
            from: EPOCH,
            until: END,
            extensions: vec![authority_constraint(), key_usage(0x06)],
        },
        &root_issuer,
    );
    let leaf = signed(
        &Template {
            name: Some(name),
            subject_key: key.public_der(),
            from: EPOCH,
            until: END,
            extensions: vec![key_usage(0x80), purpose(TIME_STAMPING, true)],
        },
        &root_issuer,
    );
    [leaf, root]
}

/// Who issued a certificate of a time authority, and its number: by these a time stamp names it.
pub(super) fn time_signer(key: &Key) -> Vec<u8> {
    der::sequence(&[name(Some("plimsoll test time root")), serial(&key.public_der())])
}

fn authority(name: &'static str, key: &Key, issuer: &Issuer<'_>) -> Vec<u8> {
    signed(
        &Template {
            name: Some(name),
            subject_key: key.public_der(),
            from: EPOCH,
            until: END,
            extensions: vec![
                authority_constraint(),
                key_usage(0x06),
                purpose(CODE_SIGNING, false),
                subject_key_id(&key.public_der()),
                issuer_key_id(issuer.key),
            ],
        },
        issuer,
    )
}

fn leaf_extensions(identity: &Identity, public_der: &[u8], issuer: &Key) -> Vec<Vec<u8>> {
    let subject = match &identity.subject {
        Subject::Mail(mail) => der::tagged(0x81, mail.as_bytes()),
        Subject::Uri(uri) => der::tagged(0x86, uri.as_bytes()),
    };
    let mut extensions = vec![
        key_usage(0x80),
        purpose(CODE_SIGNING, false),
        subject_key_id(public_der),
        issuer_key_id(issuer),
        extension("2.5.29.17", true, &der::sequence(&[subject])),
        // The older of the two ways to name the issuer is text that is no DER.
        extension(&format!("{FULCIO}.1"), false, identity.issuer.as_bytes()),
        extension(&format!("{FULCIO}.8"), false, &der::utf8(&identity.issuer)),
    ];
    let claims = identity.claims.iter();
    extensions.extend(
        claims.map(|(number, value)| extension(&format!("{FULCIO}.{number}"), false, &der::utf8(value))),
    );
    extensions
}

fn to_be_signed(template: &Template, issuer: &Issuer<'_>) -> Vec<u8> {
    der::sequence(&[
        der::context(0, &der::small(2)),
        serial(&template.subject_key),
        algorithm(),
        name(Some(issuer.name)),
        der::sequence(&[der::utc_time(template.from), der::utc_time(template.until)]),
        name(template.name),
        template.subject_key.clone(),
        der::context(3, &der::sequence(&template.extensions)),
    ])
}

fn signed(template: &Template, issuer: &Issuer<'_>) -> Vec<u8> {
    let message = to_be_signed(template, issuer);
    let signature = issuer.key.sign(&message);
    der::sequence(&[message, algorithm(), der::bits(&signature)])
}

/// The identifier of ECDSA with SHA-256.
pub(super) fn algorithm() -> Vec<u8> {
    der::sequence(&[der::oid(ECDSA_SHA256)])
}

/// A certificate's number: it follows from the key, which no two share.
fn serial(public_der: &[u8]) -> Vec<u8> {
    let hash = Sha256::digest(public_der);
    der::unsigned(hash.get(..16).expect("SHA-256 has 32 bytes"))
}

fn name(common: Option<&str>) -> Vec<u8> {
    let Some(common) = common else { return der::sequence(&[]) };
    let attribute = der::sequence(&[der::oid("2.5.4.3"), der::utf8(common)]);
    der::sequence(&[der::set(vec![attribute])])
}

fn extension(oid: &str, critical: bool, content: &[u8]) -> Vec<u8> {
    let mut parts = vec![der::oid(oid)];
    if critical {
        parts.push(der::truth());
    }
    parts.push(der::octets(content));
    der::sequence(&parts)
}

fn authority_constraint() -> Vec<u8> {
    extension("2.5.29.19", true, &der::sequence(&[der::truth()]))
}

/// `bits` counts from the highest: 0x80 signs, 0x06 issues.
fn key_usage(bits: u8) -> Vec<u8> {
    let unused = u8::try_from(bits.trailing_zeros()).expect("it is below eight");
    extension("2.5.29.15", true, &der::tagged(0x03, &[unused, bits]))
}

fn purpose(oid: &str, critical: bool) -> Vec<u8> {
    extension("2.5.29.37", critical, &der::sequence(&[der::oid(oid)]))
}

fn subject_key_id(public_der: &[u8]) -> Vec<u8> {
    extension("2.5.29.14", false, &der::octets(&short_id(public_der)))
}

fn issuer_key_id(issuer: &Key) -> Vec<u8> {
    let id = der::tagged(0x80, &short_id(&issuer.public_der()));
    extension("2.5.29.35", false, &der::sequence(&[id]))
}

fn short_id(public_der: &[u8]) -> Vec<u8> {
    Sha256::digest(public_der).iter().copied().take(20).collect()
}

/// Bytes after their count, as TLS writes it in two bytes.
fn with_length(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("it is small").to_be_bytes();
    [&length, bytes].concat()
}
