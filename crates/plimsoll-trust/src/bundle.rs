//! Sigstore's bundles, versions 0.1 to 0.3
//! (`https://github.com/sigstore/protobuf-specs`, `sigstore_bundle.proto`), by a certificate or by a key.

use plimsoll_core::digest::Digest;
use plimsoll_core::evidence::{
    Content, Item, Place, Predicate, Proof, Refusal, RefusalKind, Signer, Standing,
};

use crate::keys::TrustedKey;
use crate::limits::{BUNDLE_BYTES_MAX, within};
use crate::predicates::agree;
use crate::root::Trust;
use crate::sigstore::{ParsedBundle, Signed, SignedWith};
use crate::statement;

/// Reads the bundle in `bytes` and verifies it for the image or manifest that `digest` names.
pub fn verify(bytes: &[u8], digest: &Digest, place: Place, trust: &Trust) -> Item {
    item(place, examine(bytes, Signed::Digest(digest), Some(digest), trust))
}

/// As [`verify`], of a file of which the bytes are at hand: some signatures hold over bytes alone.
pub fn verify_bytes(bytes: &[u8], signed: &[u8], place: Place, trust: &Trust) -> Item {
    let digest = crate::keys::sha256(signed);
    item(place, examine(bytes, Signed::Bytes(signed), Some(&digest), trust))
}

/// What was read, even where it must not be believed, and whether it holds.
pub(crate) struct Examined {
    pub(crate) content: Content,
    pub(crate) outcome: Result<Proof, Refusal>,
}

impl Examined {
    pub(crate) fn refused(refusal: Refusal) -> Examined {
        Examined { content: Content::Unread, outcome: Err(refusal) }
    }
}

/// Makes an item of what was read, and holds a provenance against the certificate.
pub(crate) fn item(place: Place, examined: Examined) -> Item {
    let Examined { mut content, outcome } = examined;
    let standing = match outcome {
        Ok(proof) => {
            if let (Content::Statement(statement), Signer::Keyless(identity)) = (&mut content, &proof.signer)
                && let Predicate::Provenance(provenance) = &mut statement.predicate
            {
                provenance.agreement = agree::compare(provenance, identity);
            }
            Standing::Proven(Box::new(proof))
        }
        Err(refusal) => Standing::Refused(refusal),
    };
    Item { place, standing, content }
}

/// Reads and verifies a bundle over `signed`. A statement must be about `subject`.
pub(crate) fn examine(bytes: &[u8], signed: Signed<'_>, subject: Option<&Digest>, trust: &Trust) -> Examined {
    let bundle = match read(bytes) {
        Ok(bundle) => bundle,
        Err(refusal) => return Examined::refused(refusal),
    };
    let content = match bundle.payload() {
        None => Content::Signature { image_name: None },
        Some((payload_type, payload)) => match statement::read(payload_type, payload) {
            Ok(statement) => Content::Statement(Box::new(statement)),
            Err(refusal) => return Examined::refused(refusal),
        },
    };
    let outcome = verify_signature(&bundle, signed, trust).and_then(|proof| {
        if let (Content::Statement(statement), Some(subject)) = (&content, subject) {
            statement::is_about(statement, subject)?;
        }
        Ok(proof)
    });
    Examined { content, outcome }
}

fn read(bytes: &[u8]) -> Result<ParsedBundle, Refusal> {
    within("the bundle", bytes.len(), BUNDLE_BYTES_MAX)?;
    let json = std::str::from_utf8(bytes)
        .map_err(|_| Refusal::new(RefusalKind::Malformed, "the bundle is not UTF-8"))?;
    ParsedBundle::read(json)
}

fn verify_signature(bundle: &ParsedBundle, signed: Signed<'_>, trust: &Trust) -> Result<Proof, Refusal> {
    match bundle.signed_with() {
        SignedWith::Certificate => bundle.verify_keyless(signed, &trust.roots, trust.demands),
        SignedWith::Key => verify_with_keys(bundle, signed, trust),
    }
}

/// Tries each trusted key. A key that signed, but whose proof lacks something else, decides.
fn verify_with_keys(bundle: &ParsedBundle, signed: Signed<'_>, trust: &Trust) -> Result<Proof, Refusal> {
    let mut refused = Refusal::new(RefusalKind::KeyUnknown, "it is signed with a key, and no key is trusted");
    for key in &trust.keys {
        match bundle.verify_with_key(signed, &trust.roots, key) {
            Ok(proof) => return in_time(key, proof, trust.now),
            Err(refusal) if refusal.kind == RefusalKind::Signature && trust.keys.len() > 1 => {
                let detail =
                    format!("the signature holds with none of the {} trusted keys", trust.keys.len());
                refused = Refusal::new(RefusalKind::Signature, detail);
            }
            Err(refusal) => refused = refusal,
        }
    }
    Err(refused)
}

/// A key must be trusted at every time that is witnessed, or now where none is. Where the key is trusted only from
/// some time on, a witness is demanded: without it, a signature from before could drop its witness and pass.
pub(crate) fn in_time(key: &TrustedKey, proof: Proof, now: i64) -> Result<Proof, Refusal> {
    let mut times: Vec<i64> = proof.times.iter().map(|time| time.at).collect();
    if times.is_empty() {
        if key.from.is_some() {
            let detail = "the key is trusted from a time on, and nobody vouches for when it signed";
            return Err(Refusal::new(RefusalKind::Time, detail));
        }
        times.push(now);
    }
    match times.iter().find(|time| !key.holds_at(**time)) {
        None => Ok(proof),
        Some(time) => {
            let name = key.name.as_deref().unwrap_or(key.fingerprint().as_str());
            let detail = format!("the key `{name}` is not trusted at second {time} since 1970");
            Err(Refusal::new(RefusalKind::KeyExpired, detail))
        }
    }
}
