//! Severities as they are configured and said: the five words, and `unknown`, the least, for what nobody rates.

use anyhow::bail;
use plimsoll_core::advisory::Severity;

/// The words, the least first.
pub(crate) const NAMES: [&str; 6] = ["unknown", "negligible", "low", "medium", "high", "critical"];

/// Reads one of the words. `None`, which is less than all others, is `unknown`.
pub(crate) fn parse(word: &str) -> anyhow::Result<Option<Severity>> {
    if word == "unknown" {
        return Ok(None);
    }
    match Severity::ALL.into_iter().find(|severity| severity.name() == word) {
        Some(severity) => Ok(Some(severity)),
        None => bail!("`severity` is one of {}, not `{}`", NAMES.join(", "), word.escape_debug()),
    }
}

/// The word.
pub(crate) fn name(severity: Option<Severity>) -> &'static str {
    severity.map_or("unknown", Severity::name)
}

/// The word as Clair writes it: `High`, `Unknown`.
pub(crate) fn capitalized(severity: Option<Severity>) -> &'static str {
    match severity {
        Some(Severity::Critical) => "Critical",
        Some(Severity::High) => "High",
        Some(Severity::Medium) => "Medium",
        Some(Severity::Low) => "Low",
        Some(Severity::Negligible) => "Negligible",
        None => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_in_their_order() {
        let read: Vec<Option<Severity>> = NAMES.iter().map(|word| parse(word).unwrap()).collect();
        assert!(read.is_sorted());
        assert!(read.iter().zip(NAMES).all(|(severity, word)| name(*severity) == word));
        assert!(parse("High").is_err());
    }
}
