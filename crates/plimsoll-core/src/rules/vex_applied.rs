//! `vex.applied`: of which flaws does a signer that the policy names say that they do no harm here?

use super::{About, Rule, count, flaws};
use crate::clearance::{Answer, Case, Held, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "vex.applied",
    asks: "which flaws does a signer say do no harm here",
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
    let Some(statements) = flaws.vex_statements else {
        return Answer::new(Outcome::NotApplicable, "no policy names whose VEX counts");
    };
    let said: Vec<String> = flaws
        .flaws
        .iter()
        .filter_map(|flaw| match &flaw.held {
            Held::Harmless { signer, why } => {
                Some(format!("{} in {}: `{signer}` says {why}", flaw.id, flaw.package))
            }
            _ => None,
        })
        .collect();
    let there = count(statements, "statement");
    match said.is_empty() {
        true => Answer::new(
            Outcome::Pass,
            format!("{there} by signers that count, none of which changes anything"),
        ),
        false => Answer::new(Outcome::Pass, format!("{there}; {}", said.join("; "))),
    }
}
