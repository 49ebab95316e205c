//! `vuln.scanned`: was everything that is aboard held against the advisories, without a gap?
//!
//! What was not looked at is not clean.

use super::{About, Rule, count, flaws};
use crate::clearance::{Answer, Case, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "vuln.scanned",
    asks: "was all that is aboard held against advisories",
    about: About::Flaws,
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    let flaws = match flaws(case) {
        Ok(flaws) => flaws,
        Err(answer) => return answer,
    };
    let images = match &flaws.matched {
        Ok(images) => *images,
        Err(trouble) => return Answer::of(trouble),
    };
    match flaws.gaps.is_empty() {
        true => {
            let found = count(flaws.flaws.len(), "flaw");
            Answer::new(
                Outcome::Pass,
                format!("{} matched without a gap; {found} known", count(images, "image")),
            )
        }
        false => Answer::new(Outcome::Error, flaws.gaps.join("; ")),
    }
}
