//! `vuln.refuse`: is there a flaw that the policy refuses?

use super::{About, Rule, count, flaws, shown};
use crate::clearance::{Answer, Case, Held, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "vuln.refuse",
    asks: "is there no flaw that the policy refuses",
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
    let answers = flaws.flaws.iter().map(|flaw| match &flaw.held {
        Held::Refused(rule) => Answer::new(Outcome::Fail, format!("{} (`{rule}`)", shown(flaw))),
        Held::Untold(why) => Answer::new(Outcome::Error, format!("{}: {why}", shown(flaw))),
        Held::Waived { owner, reason, expires } => Answer::new(
            Outcome::Waived,
            format!("{}: {owner} answers for it until {expires}: {reason}", shown(flaw)),
        ),
        // Told by `waiver.valid`.
        Held::Harmless { .. } | Held::Expired(_) | Held::ByNone | Held::Warned(_) => {
            Answer::new(Outcome::Pass, "")
        }
    });
    Answer::all(answers, || format!("{}, none of which a rule refuses", count(flaws.flaws.len(), "flaw")))
}
