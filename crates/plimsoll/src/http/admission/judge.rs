//! What records say of images, and what comes of it in a namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;

use jiff::Timestamp;
use plimsoll_core::clearance::Verdict;
use plimsoll_core::digest::Digest;
use plimsoll_image::open::registry::reference::RegistryReference;
use plimsoll_store::{Record, StoreError};

use crate::access::Principal;
use crate::config::{Rules, Unknown};
use crate::http::Refusal;
use crate::server::Server;

/// Longest reference, in bytes.
const REFERENCE_BYTES_MAX: usize = 1_024;

/// Most images of which an answer says why.
const SHOWN_MAX: usize = 10;

/// Longest warning, in characters: clients of Kubernetes show 256.
const WARNING_CHARS_MAX: usize = 250;

/// Longest reason of one image, in characters.
const REASON_CHARS_MAX: usize = 600;

/// Longest value of an annotation, in characters.
const ANNOTATION_CHARS_MAX: usize = 4_000;

/// What is said of the images of one object.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Why it is not allowed, image by image.
    denied: Vec<String>,
    /// What is allowed all the same.
    warned: Vec<String>,
    /// The records that it was judged by: image, hearing and number.
    records: Vec<(String, String, u64)>,
}

/// How an image stands.
enum Standing {
    /// It is cleared.
    Cleared,
    /// It is known, and may not.
    Barred(String),
    /// Nothing that holds is known of it.
    Unknown(String),
}

impl Judged {
    /// It cannot be told what is to be judged.
    pub(super) fn denied(why: String) -> Judged {
        Judged { denied: vec![why], ..Judged::default() }
    }

    pub(super) fn is_allowed(&self) -> bool {
        self.denied.is_empty()
    }

    /// Why it is not allowed.
    pub(super) fn message(&self) -> String {
        let shown: Vec<&str> = self.denied.iter().take(SHOWN_MAX).map(String::as_str).collect();
        let rest = self.denied.len().saturating_sub(SHOWN_MAX);
        let rest = if rest > 0 { format!("; and {rest} more images") } else { String::new() };
        format!("plimsoll: {}{rest}", shown.join("; "))
    }

    /// What whoever starts it is told, also where it is allowed.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self
            .warned
            .iter()
            .take(SHOWN_MAX)
            .map(|text| cut(&format!("plimsoll: {text}"), WARNING_CHARS_MAX))
            .collect();
        let rest = self.warned.len().saturating_sub(SHOWN_MAX);
        if rest > 0 {
            warnings.push(format!("plimsoll: {rest} more images are not cleared"));
        }
        warnings
    }

    /// By what it was judged.
    pub(super) fn audit(&self) -> BTreeMap<String, String> {
        let records =
            self.records.iter().map(|(image, hearing, number)| format!("{image} {hearing} #{number}"));
        let records = records.collect::<Vec<_>>().join(", ");
        let mut audit = BTreeMap::new();
        if !records.is_empty() {
            audit.insert("records".to_owned(), cut(&records, ANNOTATION_CHARS_MAX));
        }
        if !self.warned.is_empty() {
            audit.insert("not-cleared".to_owned(), cut(&self.warned.join("; "), ANNOTATION_CHARS_MAX));
        }
        audit
    }

    /// Counts the answer, and notes for the log what was not let through, or only with a warning.
    pub(super) fn note(&self, server: &Server, namespace: &str) {
        server.metrics.admission_answered(self.is_allowed(), !self.warned.is_empty());
        if !self.is_allowed() {
            tracing::info!(namespace, "not admitted: {}", self.message());
        } else if !self.warned.is_empty() {
            tracing::info!(
                namespace,
                "admitted with {} warnings: {}",
                self.warned.len(),
                self.warnings().join("; ")
            );
        }
    }
}

/// What is said of images in a namespace. An error is that the store could not be asked.
pub(super) fn judge(
    server: &Server,
    principal: Option<&Principal>,
    namespace: &str,
    images: &BTreeSet<String>,
) -> Result<Judged, Refusal> {
    let rules = server.config.admission.rules(namespace);
    let mut judged = Judged::default();
    for image in images {
        let shown = cut(image, WARNING_CHARS_MAX).escape_debug().to_string();
        let reference = match pinned(image) {
            Ok(reference) => reference,
            Err(why) => {
                judged.denied.push(format!("`{shown}` {why}"));
                continue;
            }
        };
        let (reference, digest) = reference;
        let record =
            if sees(principal, &reference) { find(server, &reference, &digest, rules)? } else { Ok(None) };
        if let Ok(Some(record)) = &record {
            judged.records.push((reference.to_string(), record.hearing.clone(), record.number));
        }
        let standing = match record {
            Ok(record) => standing(server, &reference, &digest, rules, record.as_ref()),
            Err(damage) => Standing::Barred(format!("cannot be told: {damage}")),
        };
        match (standing, rules.unknown) {
            (Standing::Cleared, _) => {}
            (Standing::Unknown(why), Unknown::Warn) => judged.warned.push(format!("`{shown}` {why}")),
            (Standing::Unknown(why) | Standing::Barred(why), _) => {
                judged.denied.push(format!("`{shown}` {why}"))
            }
        }
    }
    Ok(judged)
}

/// A reference with a digest; what is wrong with it.
fn pinned(image: &str) -> Result<(RegistryReference, Digest), String> {
    if image.is_empty() {
        return Err("names no image".to_owned());
    }
    if image.len() > REFERENCE_BYTES_MAX {
        return Err(format!("is longer than {REFERENCE_BYTES_MAX} bytes"));
    }
    let reference =
        RegistryReference::from_str(image).map_err(|error| format!("is no reference: {}", error.hint))?;
    match reference.digest.clone() {
        Some(digest) => Ok((reference, digest)),
        None => Err("is not named by its digest, so what starts is not known; write `@sha256:..`".to_owned()),
    }
}

/// Whether whoever asks may know what is recorded of a repository.
fn sees(principal: Option<&Principal>, reference: &RegistryReference) -> bool {
    principal.is_none_or(|one| one.may_see(reference.name.host(), reference.name.path()))
}

/// The newest record that counts; what is wrong with it where it is not as it was written.
fn find(
    server: &Server,
    reference: &RegistryReference,
    digest: &Digest,
    rules: Rules<'_>,
) -> Result<Result<Option<Record>, String>, Refusal> {
    let repository = reference.name.to_string();
    let within = (!rules.any_repository).then_some(repository.as_str());
    match server.store()?.record_of(digest, rules.policy, within) {
        Ok(record) => Ok(Ok(record)),
        Err(StoreError::Damaged(damage)) => Ok(Err(damage)),
        Err(error) => Err(error.into()),
    }
}

fn standing(
    server: &Server,
    reference: &RegistryReference,
    digest: &Digest,
    rules: Rules<'_>,
    record: Option<&Record>,
) -> Standing {
    let policy = rules.policy;
    let Some(record) = record else {
        return Standing::Unknown(format!(
            "is not known here: no record under policy `{policy}` speaks of it"
        ));
    };
    let Record { number, hearing, decision, .. } = record;
    let repository = reference.name.to_string();
    let counts = |repositories: &[String]| rules.any_repository || repositories.contains(&repository);
    let spoken = || {
        let all = decision.spoken.iter();
        all.filter(|spoken| spoken.digest == *digest && counts(&spoken.repositories))
    };
    let Some(verdict) = spoken().map(|spoken| spoken.verdict).max() else {
        return Standing::Barred(format!("cannot be told: record {number} does not speak of it"));
    };
    if !server.chain().holds(*number) {
        return Standing::Barred(format!(
            "cannot be told: the records are not as they were written, of which this is {number}"
        ));
    }
    let why = || {
        let worst = spoken().find(|spoken| spoken.verdict == verdict);
        cut(&worst.map_or(String::new(), |spoken| record.why(spoken).join("; ")), REASON_CHARS_MAX)
    };
    match verdict {
        Verdict::Refused => {
            Standing::Barred(format!("is refused by policy `{policy}` ({hearing}): {}", why()))
        }
        Verdict::Undecided => {
            Standing::Barred(format!("is not cleared by policy `{policy}` ({hearing}), undecided: {}", why()))
        }
        Verdict::Cleared => match decision.holds_until {
            Some(until) if (server.now)() < until => Standing::Cleared,
            until => Standing::Unknown(format!(
                "was cleared by policy `{policy}` ({hearing}), which ran out{}; ask for it again",
                until.map_or(String::new(), |until: Timestamp| format!(" at {until}"))
            )),
        },
    }
}

/// The beginning of a text.
fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}..", text.get(..end).unwrap_or_default()),
    }
}
