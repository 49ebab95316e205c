//! `vuln.warn`: is there a flaw that the policy warns of?

use super::{About, Rule, count, flaws, shown};
use crate::clearance::{Answer, Case, Held, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "vuln.warn",
    asks: "is there no flaw that the policy warns of",
    about: About::Flaws,
    weight: Weight::Warn,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    let flaws = match flaws(case) {
        Ok(flaws) => flaws,
        Err(answer) => return answer,
    };
    let answers = flaws.flaws.iter().map(|flaw| match &flaw.held {
        Held::Warned(rule) => Answer::new(Outcome::Fail, format!("{} (`{rule}`)", shown(flaw))),
        _ => Answer::new(Outcome::Pass, ""),
    });
    Answer::all(answers, || format!("{}, none of which a rule warns of", count(flaws.flaws.len(), "flaw")))
}
