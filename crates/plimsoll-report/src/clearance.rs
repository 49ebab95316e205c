//! The ways to write a clearance: one row a file.
//!
//! What surprises: no report has a time of its own. The same inputs give the same bytes, so that whoever keeps one comment
//! up to date sees it change only when something did.

use std::collections::BTreeSet;
use std::io::{self, Write};

use plimsoll_core::clearance::{Check, Clearance, Entry, Outcome, Piece};
use plimsoll_core::evidence::Predicate;
use plimsoll_core::rules::About;

pub mod json;
mod markdown;
mod sarif;

/// One way to write a clearance.
#[derive(Debug)]
pub struct Format {
    /// Name, kebab-case, as `--format` takes it.
    pub name: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// Media type.
    pub media_type: &'static str,
    /// Writes it; with the version of Plimsoll.
    pub write: fn(&Clearance, &str, &mut dyn Write) -> io::Result<()>,
}

/// All formats, sorted by name.
pub static FORMATS: &[&Format] = &[&json::FORMAT, &markdown::FORMAT, &sarif::FORMAT];

/// The policy's signers of whom a signature of an entry was verified, where its checks of signatures hold.
pub fn signed_by(entry: &Entry) -> BTreeSet<&str> {
    if entry.outcome(About::Signature) != Outcome::Pass {
        return BTreeSet::new();
    }
    let pieces = entry.observed.evidence.iter().flat_map(|seen| &seen.pieces);
    let is_signature = |piece: &&Piece| {
        piece.proof().is_some() && piece.statement().is_none_or(|one| one.predicate == Predicate::Other)
    };
    pieces.filter(is_signature).flat_map(|piece| &piece.signers).map(String::as_str).collect()
}

/// Name of an entry for people: image and tags.
fn title(entry: &Entry) -> String {
    let asked = &entry.candidate;
    match asked.tags.is_empty() || asked.project.is_empty() && asked.destinations.is_empty() {
        true => asked.name.clone(),
        false => format!("{} {}", asked.name, asked.tags.join(", ")),
    }
}

/// The digest of an entry as far as it is known.
fn digest(entry: &Entry) -> Option<&plimsoll_core::digest::Digest> {
    let seen = entry.observed.top.as_ref().ok().map(|top| &top.digest);
    entry.candidate.digest.as_ref().or(seen)
}

/// Whether a check is one to act on.
fn is_bad(check: &Check) -> bool {
    matches!(check.outcome, Outcome::Fail | Outcome::Missing | Outcome::Error)
}
