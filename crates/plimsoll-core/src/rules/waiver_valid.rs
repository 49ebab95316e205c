//! `waiver.valid`: does every waiver that is needed still hold?

use super::{About, Rule, count, flaws, shown};
use crate::clearance::{Answer, Case, Held, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "waiver.valid",
    asks: "does every waiver still hold that is needed",
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
    let waivers =
        flaws.flaws.iter().filter(|flaw| matches!(flaw.held, Held::Waived { .. } | Held::Expired(_)));
    let waivers: Vec<Answer> = waivers
        .map(|flaw| match &flaw.held {
            Held::Expired(why) => Answer::new(Outcome::Fail, format!("{}: {why}", shown(flaw))),
            _ => Answer::new(Outcome::Pass, ""),
        })
        .collect();
    let used = waivers.len();
    match used {
        0 => Answer::new(Outcome::NotApplicable, "no waiver is needed"),
        _ => Answer::all(waivers, || format!("{} used, none has run out", count(used, "waiver"))),
    }
}
