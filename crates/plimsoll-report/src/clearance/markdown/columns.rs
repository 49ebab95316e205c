//! The columns of the table: what a reviewer asks first, each from the checks that answer it.
//!
//! What surprises: a cell that names somebody or something stands only where the checks behind it hold; else it says the
//! worst of them.

use plimsoll_core::clearance::{Answer, Entry, Outcome};
use plimsoll_core::evidence::Predicate;
use plimsoll_core::rules::About;

/// Digits of a commit that are shown.
const COMMIT_DIGITS: usize = 7;

/// One column.
pub(super) struct Column {
    pub(super) heading: &'static str,
    /// Its text for one entry, which means nothing to Markdown yet.
    pub(super) cell: fn(&Entry) -> String,
}

/// All columns, in the order in which they are asked.
pub(super) static COLUMNS: &[Column] = &[
    Column { heading: "exists", cell: |entry| outcome(entry, About::Presence) },
    Column { heading: "bytes", cell: |entry| outcome(entry, About::Bytes) },
    Column { heading: "tags", cell: |entry| outcome(entry, About::Tags) },
    Column { heading: "platforms", cell: |entry| outcome(entry, About::Platforms) },
    Column { heading: "signed by", cell: signed_by },
    Column { heading: "built from", cell: built_from },
    Column { heading: "new / inherited flaws", cell: flaws },
];

/// The worst outcome of the checks about something; a dash where none was asked.
fn outcome(entry: &Entry, about: About) -> String {
    match entry.outcome(about) {
        Outcome::NotApplicable => "-".to_owned(),
        outcome => outcome.name().to_owned(),
    }
}

fn signed_by(entry: &Entry) -> String {
    if entry.outcome(About::Signature) != Outcome::Pass {
        return outcome(entry, About::Signature);
    }
    super::super::signed_by(entry).into_iter().collect::<Vec<_>>().join(", ")
}

fn built_from(entry: &Entry) -> String {
    let worst = outcome(entry, About::Provenance);
    if entry.outcome(About::Provenance) != Outcome::Pass {
        return worst;
    }
    let pieces = entry.observed.evidence.iter().flat_map(|seen| &seen.pieces);
    let said = pieces.filter(|piece| !piece.signers.is_empty()).find_map(|piece| {
        match &piece.statement()?.predicate {
            Predicate::Provenance(provenance) => Some(provenance),
            _ => None,
        }
    });
    let Some(said) = said else { return worst };
    let repository = said.source_repository.as_deref().and_then(|address| address.rsplit('/').next());
    let commit = said.commit.as_deref().map(|commit| commit.get(..COMMIT_DIGITS).unwrap_or(commit));
    let parts = [repository, commit, said.source_ref.as_deref()];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => worst,
        false => parts.join(" "),
    }
}

fn flaws(entry: &Entry) -> String {
    let Some(flaws) = &entry.observed.flaws else { return "-".to_owned() };
    if let Err(trouble) = &flaws.matched {
        return Answer::of(trouble).outcome.name().to_owned();
    }
    let of = |is_new: Option<bool>| {
        let of = || flaws.flaws.iter().filter(move |flaw| flaw.is_new == is_new);
        let worst = of().filter_map(|flaw| flaw.severity).max();
        let worst = worst.map_or(String::new(), |severity| format!(" ({})", severity.name()));
        (of().count(), worst)
    };
    let ((new, worst_new), (inherited, worst_inherited), (untold, _)) =
        (of(Some(true)), of(Some(false)), of(None));
    let untold = if untold > 0 { format!(", {untold} of which that is not known") } else { String::new() };
    format!("{new}{worst_new} / {inherited}{worst_inherited}{untold}")
}
