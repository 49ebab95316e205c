//! What speaks of an entry, in lists that are never mixed: what is verified, what is there and not to be believed, what nobody
//! signed, and what could not be looked at. Then what changed against what the destination holds.

use std::io::{self, Write};

use plimsoll_core::clearance::{Entry, Piece, PredecessorSeen};
use plimsoll_core::evidence::{Content, Signer, Standing};

use super::text;

/// Most lines of one list; the JSON has all.
const LINES_MAX: usize = 20;

pub(super) fn write(entry: &Entry, out: &mut dyn Write) -> io::Result<()> {
    if let Some(seen) = &entry.observed.evidence {
        type IsIt = fn(&Standing) -> bool;
        let lists: [(&str, IsIt); 4] = [
            ("verified", |standing| matches!(standing, Standing::Proven(_))),
            ("there, and refused", |standing| matches!(standing, Standing::Refused(_))),
            ("there, and not verified", |standing| matches!(standing, Standing::Unverified(_))),
            ("claims that nobody signed, not counted", |standing| matches!(standing, Standing::Unsigned)),
        ];
        for (heading, is_it) in lists {
            let pieces = seen.pieces.iter().filter(|piece| is_it(&piece.item.standing));
            list(heading, pieces.map(line), out)?;
        }
        let unseen = seen
            .unseen
            .iter()
            .map(|unseen| format!("{} {}: {}", unseen.place.scheme.name(), unseen.place.name, unseen.detail));
        list("could not be looked at", unseen, out)?;
    }
    match &entry.observed.predecessor {
        Some(Ok(Some(before))) => writeln!(out, "- {}", text(&difference(entry, before))),
        _ => Ok(()),
    }
}

fn list(heading: &str, lines: impl Iterator<Item = String>, out: &mut dyn Write) -> io::Result<()> {
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "- {heading}:")?;
    for line in lines.iter().take(LINES_MAX) {
        writeln!(out, "  - {}", text(line))?;
    }
    match lines.len().saturating_sub(LINES_MAX) {
        0 => Ok(()),
        rest => writeln!(out, "  - and {rest} more"),
    }
}

fn line(piece: &Piece) -> String {
    let what = match &piece.item.content {
        Content::Signature { .. } => "signature".to_owned(),
        Content::Statement(statement) => format!("`{}`", statement.predicate_type),
        Content::Unread => "object".to_owned(),
    };
    let place = format!("{} {}", piece.item.place.scheme.name(), piece.item.place.name);
    let why = match &piece.item.standing {
        Standing::Proven(proof) => {
            let by = match &proof.signer {
                Signer::Keyless(identity) => format!("`{}` of `{}`", identity.san, identity.issuer),
                Signer::Key { fingerprint, .. } => format!("the key {fingerprint}"),
            };
            match piece.signers.is_empty() {
                true => format!(", by {by}, which is none of the policy's signers"),
                false => format!(", by {by}, which is `{}`", piece.signers.join("`, `")),
            }
        }
        Standing::Refused(refusal) => format!(": {} ({})", refusal.detail, refusal.kind.name()),
        Standing::Unverified(why) => format!(": {why}"),
        Standing::Unsigned => String::new(),
    };
    format!("{what} of {} at {place}{why}", piece.subject.short())
}

fn difference(entry: &Entry, before: &PredecessorSeen) -> String {
    let now = entry.observed.layer_bytes();
    let size = match now.checked_sub(before.bytes) {
        Some(0) => "as large".to_owned(),
        Some(more) => format!("{more} bytes larger"),
        None => format!("{} bytes smaller", before.bytes.saturating_sub(now)),
    };
    let packages = before.packages.map_or(String::new(), |packages| {
        format!("; packages +{} -{} ~{}", packages.added, packages.removed, packages.changed)
    });
    format!("against `{}`: {size}{packages}", before.reference)
}
