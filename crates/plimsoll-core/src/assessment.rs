//! Everything that is known of one image after the five verbs: what a report is written from.

use crate::advisory::DatabaseIdentity;
use crate::finding::Findings;
use crate::gap::{Gap, GapKind};
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
    /// Whether some package was held against advisories. Otherwise that nothing was found says nothing, and the image
    /// must not look clean: its feeds are off or missing, its distribution is not known, or its packages are gone.
    pub fn is_judged(&self) -> bool {
        self.findings.coverage.iter().any(|need| need.packages > 0 && need.state.is_there())
    }

    /// Why nothing in it could be judged, for people: the first gap that says so, as far as there is one.
    pub fn why_unjudged(&self) -> String {
        let count = self.inventory.packages.len();
        let plural = if count == 1 { "" } else { "s" };
        let says_why = |gap: &&&Gap| {
            matches!(
                gap.kind,
                GapKind::DatabaseMissing
                    | GapKind::FeedMissing
                    | GapKind::UnknownDistro
                    | GapKind::Unsupported
            )
        };
        let gaps = self.gaps();
        let why = gaps.iter().find(says_why).map_or(String::new(), |gap| format!("{}; ", gap.detail));
        match count {
            0 => format!("{why}it has no package that is known"),
            _ => format!("{why}none of its {count} package{plural} can be judged"),
        }
    }

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
