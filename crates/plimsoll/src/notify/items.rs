//! What changed as Clair's notifications have it: for clients that page through `/notifier/api/v1/notification/`.
//!
//! One item for the worst finding of each image and each sort of change, so that what is gone never hides what came;
//! or one for each finding. Both spellings are there of what Clair writes one way and its clients read another:
//! `severity` and `normalized_severity`, `repo` and `repository`. Findings that changed are not told: the clients know
//! `added` and `removed`.

use plimsoll_store::NoticeItem;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::severity::capitalized;
use super::topics::{Occurrence, What};
use crate::rematch::changes::{Change, ChangeKind};

/// The items of what happened, in its order.
pub(crate) fn items(happened: &[(String, Occurrence)], is_each: bool) -> Vec<NoticeItem> {
    let mut items = Vec::new();
    for (_, occurrence) in happened {
        let What::Findings(changes) = &occurrence.what else { continue };
        for kind in [ChangeKind::Added, ChangeKind::Removed] {
            // The worst of each sort comes first.
            let of_kind = changes.findings.iter().filter(|finding| finding.change == kind);
            let taken = of_kind.take(if is_each { usize::MAX } else { 1 });
            items.extend(taken.enumerate().map(|(at, finding)| item(occurrence, finding, at)));
        }
    }
    items
}

fn item(occurrence: &Occurrence, finding: &Change, at: usize) -> NoticeItem {
    let id = uuid(&["item", &occurrence.number.to_string(), finding.change.name(), &at.to_string()]);
    let severity = capitalized(finding.rating());
    let repository = json!({"id": "", "name": "", "key": "", "uri": "", "cpe": ""});
    let body = json!({
        "id": id,
        "manifest": occurrence.subject,
        "reason": finding.change.name(),
        "vulnerability": {
            "name": finding.id,
            "description": finding.summary,
            "package": {
                "id": "",
                "name": finding.package,
                "version": finding.version,
                "kind": "binary",
                "normalized_version": "",
                "arch": "",
                "cpe": "",
            },
            "distribution": distribution(finding),
            "repo": repository,
            "repository": repository,
            "severity": severity,
            "normalized_severity": severity,
            "fixed_in_version": finding.fixed_in.as_deref().unwrap_or_default(),
            "links": finding.link,
        },
    });
    NoticeItem { id, body: body.to_string() }
}

/// All nine fields, as the clients' schema demands; empty for a package of a language.
fn distribution(finding: &Change) -> Value {
    json!({
        "id": "",
        "did": finding.distro,
        "name": finding.distro,
        "version": finding.release,
        "version_code_name": "",
        "version_id": finding.release,
        "arch": "",
        "cpe": "",
        "pretty_name": format!("{} {}", finding.distro, finding.release).trim(),
    })
}

/// What tells one notice from all others: which target, and which events it is of.
pub(crate) fn notice_id(target: &str, happened: &[(String, Occurrence)]) -> String {
    let number =
        |of: Option<&(String, Occurrence)>| of.map_or(0, |(_, happened)| happened.number).to_string();
    uuid(&["notice", target, &number(happened.first()), &number(happened.last())])
}

/// A UUID made of what it stands for (RFC 9562 section 5.8), so that making it again gives the same.
fn uuid(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = plimsoll_core::digest::hex(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
