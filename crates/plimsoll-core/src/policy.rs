//! What is demanded of an image, and the verdict.

use crate::advisory::Severity;
use crate::coverage::{Coverage, CoverageState};
use crate::finding::{Finding, Findings};
use crate::gap::{Gap, GapKind};
use crate::inventory::Inventory;

/// What is demanded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Findings that refuse the image; `None` demands nothing of findings.
    pub fail_on: Option<Threshold>,
    /// Whether gaps are accepted.
    pub allows_gaps: bool,
    /// Whether the image is refused where a feed that it needs is old, absent, switched off or failing.
    pub fails_on_stale: bool,
}

/// Which findings meet a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// This severity or worse; `None` for any finding, also one whose severity nobody states.
    pub severity: Option<Severity>,
    /// Only findings that have a fix.
    pub only_fixable: bool,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was demanded of the findings, and no part of the image is unjudged.
    NothingDemanded,
    /// Nothing stands against it, and nothing that was asked is unknown but these gaps, which the policy
    /// accepts.
    Cleared(Vec<Gap>),
    /// It may not sail, for these reasons.
    Refused(Vec<Reason>),
    /// Nothing refused it, but these gaps could hide something.
    Undecided(Vec<Gap>),
}

impl Verdict {
    /// Name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::NothingDemanded => "nothing-demanded",
            Verdict::Cleared(_) => "cleared",
            Verdict::Refused(_) => "refused",
            Verdict::Undecided(_) => "undecided",
        }
    }
}

/// One reason for a refusal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// Name of the rule, kebab-case.
    pub rule: &'static str,
    /// What was found, for people.
    pub detail: String,
}

impl Threshold {
    /// Whether a finding meets it; `None` where its severity is unknown and decides.
    pub fn is_met_by(&self, finding: &Finding) -> Option<bool> {
        if self.only_fixable && finding.fixed_in.is_none() {
            return Some(false);
        }
        match (self.severity, finding.severity) {
            (None, _) => Some(true),
            (Some(floor), Some(severity)) => Some(severity >= floor),
            (Some(_), None) => None,
        }
    }
}

/// A feed that only says more and was never there is missed by nobody.
fn is_late(need: &Coverage) -> bool {
    !need.is_fresh() && (need.packages > 0 || need.state.is_there() || need.failing_since.is_some())
}

fn stale_reason(need: &Coverage) -> Reason {
    let state = match (need.state, &need.failing_since) {
        (CoverageState::Loaded, Some(since)) => format!("cannot be fetched since {since}"),
        (CoverageState::Stale, _) => {
            format!("has data of {}", need.data_date.as_deref().unwrap_or("an unknown date"))
        }
        (state, _) => format!("is {}", state.name()),
    };
    Reason { rule: "stale-feed", detail: format!("{} needs feed `{}`, which {state}", need.needs, need.feed) }
}

/// Judges an image. A refusal needs one finding; a clearance needs that nothing which was asked is unknown.
///
/// Without a threshold only gaps that leave a whole part of the image unjudged make it undecided.
pub fn judge(inventory: &Inventory, findings: &Findings, policy: &Policy) -> Verdict {
    let mut reasons = Vec::new();
    let mut gaps: Vec<Gap> = inventory
        .gaps
        .iter()
        .chain(&findings.gaps)
        .filter(|gap| policy.fail_on.is_some() || gap.kind.leaves_image_unjudged())
        .cloned()
        .collect();
    if let Some(threshold) = policy.fail_on {
        for finding in &findings.findings {
            let package = inventory.packages.get(finding.package);
            let (name, version) = package.map_or(("", ""), |package| (&package.name, &package.version));
            match threshold.is_met_by(finding) {
                Some(true) => {
                    reasons.push(Reason {
                        rule: "severity",
                        detail: format!("{} in {name} {version}", finding.id),
                    });
                }
                Some(false) => {}
                None => gaps.push(Gap::new(
                    GapKind::SeverityUnknown,
                    format!("{} in {name}", finding.id),
                    "no feed states a severity, so the threshold cannot be held against it; `--fail-on any` counts it",
                )),
            }
        }
    }
    if policy.fails_on_stale {
        reasons.extend(findings.coverage.iter().filter(|need| is_late(need)).map(stale_reason));
    }
    gaps.sort_unstable();
    gaps.dedup();
    if !reasons.is_empty() {
        Verdict::Refused(reasons)
    } else if !gaps.is_empty() && !policy.allows_gaps {
        Verdict::Undecided(gaps)
    } else if policy.fail_on.is_none() && !policy.fails_on_stale {
        Verdict::NothingDemanded
    } else {
        Verdict::Cleared(gaps)
    }
}
