//! `vuln.new`: which flaws does what the destination holds today not have?

use super::{About, Rule, flaws};
use crate::clearance::{Answer, Case, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "vuln.new",
    asks: "which flaws are new, against what the destination holds",
    about: About::Flaws,
    weight: Weight::Inform,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    let flaws = match flaws(case) {
        Ok(flaws) => flaws,
        Err(answer) => return answer,
    };
    let predecessor = match &case.observed.predecessor {
        Some(Ok(Some(predecessor))) => format!("against `{}`", predecessor.reference),
        Some(Ok(None)) => "the destination holds nothing to compare with".to_owned(),
        Some(Err(trouble)) => return Answer::of(trouble),
        None => return Answer::new(Outcome::Error, "what the destination holds was not looked for"),
    };
    let of = |is_new: bool| flaws.flaws.iter().filter(|flaw| flaw.is_new == Some(is_new)).count();
    Answer::new(Outcome::Pass, format!("{} new, {} inherited; {predecessor}", of(true), of(false)))
}
