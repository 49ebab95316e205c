//! `SEVERITY[,fixable]`: what findings must not be, as command line and API take it.

use anyhow::bail;
use plimsoll_core::advisory::Severity;
use plimsoll_core::policy::Threshold;

/// Reads a threshold.
pub(crate) fn threshold(text: &str) -> anyhow::Result<Threshold> {
    let (word, only_fixable) = match text.split_once(',') {
        None => (text, false),
        Some((word, "fixable")) => (word, true),
        Some(_) => bail!("`{text}` is not a threshold; write SEVERITY or `SEVERITY,fixable`"),
    };
    let severity = match Severity::ALL.into_iter().find(|severity| severity.name() == word) {
        Some(severity) => Some(severity),
        None if word == "any" => None,
        None => bail!("`{word}` is not a severity; write negligible, low, medium, high, critical or any"),
    };
    Ok(Threshold { severity, only_fixable })
}
