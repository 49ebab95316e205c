//! `evidence.discovery`: could it be told what signatures and attestations there are?
//!
//! What is found is there, and no more: nobody has verified it. An error is not "no evidence".

use super::{Rule, count, top};
use crate::clearance::{Answer, Case, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "evidence.discovery",
    asks: "could it be told what evidence there is",
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    if let Err(answer) = top(case) {
        return answer;
    }
    match &case.observed.evidence {
        None => {
            let level = case.observed.level.name();
            Answer::new(Outcome::NotApplicable, format!("it was not looked for (level `{level}`)"))
        }
        Some(Err(trouble)) => Answer::of(trouble),
        Some(Ok(evidence)) => {
            let found = count(evidence.len(), "object");
            let asked = "referrers, their tag and cosign's tags were asked for, of the manifest and of all that it names";
            Answer::new(Outcome::Pass, format!("{asked}; {found} there, none verified"))
        }
    }
}
