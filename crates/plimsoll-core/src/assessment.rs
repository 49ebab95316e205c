//! Everything that is known of one image after the five verbs: what a report is written from.

use crate::advisory::DatabaseIdentity;
use crate::finding::Findings;
use crate::gap::Gap;
use crate::image::Image;
use crate::inventory::Inventory;
use crate::policy::Verdict;

/// One image, judged.
#[derive(Clone, Debug)]
pub struct Assessment {
    /// The image.
    pub image: Image,
    /// What is aboard.
    pub inventory: Inventory,
    /// What is known to be wrong with it.
    pub findings: Findings,
    /// The database that was asked; `None` where there is none.
    pub database: Option<DatabaseIdentity>,
    /// Whether it may sail.
    pub verdict: Verdict,
}

impl Assessment {
    /// Every gap, the inventory's, the matching's and those that only the policy makes one of, sorted and
    /// without repeats.
    pub fn gaps(&self) -> Vec<&Gap> {
        let judged: &[Gap] = match &self.verdict {
            Verdict::Undecided(gaps) | Verdict::Cleared(gaps) => gaps,
            Verdict::NothingDemanded | Verdict::Refused(_) => &[],
        };
        let mut gaps: Vec<&Gap> =
            self.inventory.gaps.iter().chain(&self.findings.gaps).chain(judged).collect();
        gaps.sort_unstable();
        gaps.dedup();
        gaps
    }
}
