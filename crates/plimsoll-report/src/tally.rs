//! How many findings there are of what.

use plimsoll_core::advisory::Severity;
use plimsoll_core::finding::Finding;

/// How many findings, and how many of them have a fix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// All.
    pub(crate) total: usize,
    /// Those with a version that has the fix.
    pub(crate) fixable: usize,
}

/// The findings of one image, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// All findings.
    pub(crate) all: Count,
    /// By severity, in the order of [`Severity::ALL`].
    pub(crate) by_severity: [Count; Severity::ALL.len()],
    /// Those whose severity nobody states.
    pub(crate) unknown: Count,
    /// Those in CISA's catalogue of exploited vulnerabilities.
    pub(crate) kev: usize,
}

impl Tally {
    /// Counts findings.
    pub(crate) fn of(findings: &[Finding]) -> Tally {
        let mut tally = Tally::default();
        for finding in findings {
            let of_severity = match finding.severity {
                // The discriminants are the places in `ALL`, which a test holds.
                Some(severity) => &mut tally.by_severity[severity as usize],
                None => &mut tally.unknown,
            };
            for count in [of_severity, &mut tally.all] {
                count.total += 1;
                count.fixable += usize::from(finding.fixed_in.is_some());
            }
            tally.kev += usize::from(finding.kev.is_some());
        }
        tally
    }

    /// Each severity that findings have, worst first, with its word; `unknown` last.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (Option<Severity>, Count)> {
        let known = Severity::ALL.into_iter().zip(self.by_severity).rev();
        known
            .map(|(severity, count)| (Some(severity), count))
            .chain([(None, self.unknown)])
            .filter(|(_, count)| count.total > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_severity_is_its_own_place() {
        for (place, severity) in Severity::ALL.into_iter().enumerate() {
            assert_eq!(place, severity as usize);
        }
    }
}
