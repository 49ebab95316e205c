//! Identities that follow from what a report is about, so that the same report has the same one.

use plimsoll_core::assessment::Assessment;
use plimsoll_core::digest::hex;
use sha2::{Digest, Sha256};

use crate::formats::Context;

/// A UUID of version 8 (RFC 9562 section 5.8): the first bits of a SHA-256 over Plimsoll's version, each
/// image's digest and platform, and the database that was asked. What has no digest is told apart by its
/// reference and its packages.
pub(crate) fn uuid(assessments: &[Assessment], context: &Context) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update(text.as_bytes());
        hash.update([0]);
    };
    add(&context.version);
    for assessment in assessments {
        add(&assessment.image.platform.to_string());
        add(assessment.database.as_ref().map_or("", |database| &database.id));
        if let Some(digest) = &assessment.image.digest {
            add(digest.as_str());
            continue;
        }
        add(&assessment.image.reference);
        for package in &assessment.inventory.packages {
            add(&package.purl);
            add(&package.evidence_path);
        }
    }
    let hash = hash.finalize();
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(hash.iter()) {
        *to = *from;
    }
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let digits = hex(&bytes);
    let (a, rest) = digits.split_at(8);
    let (b, rest) = rest.split_at(4);
    let (c, rest) = rest.split_at(4);
    let (d, e) = rest.split_at(4);
    format!("{a}-{b}-{c}-{d}-{e}")
}

/// A fingerprint of texts that no other texts have: 32 hexadecimal digits.
pub(crate) fn fingerprint(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let mut digits = hex(&hash.finalize());
    digits.truncate(32);
    digits
}
