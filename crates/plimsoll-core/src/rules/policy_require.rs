//! `policy.require`: does everything hold that the policy requires of the candidate as a whole?

use super::{About, Rule, count, top};
use crate::clearance::{Answer, Case, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "policy.require",
    asks: "does all hold that the policy requires",
    about: About::Policy,
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    if let Err(answer) = top(case) {
        return answer;
    }
    let required = &case.observed.required;
    if required.is_empty() {
        return Answer::new(Outcome::NotApplicable, "no policy requires more");
    }
    let answers = required.iter().map(|(demand, holds)| match holds {
        Ok(true) => Answer::new(Outcome::Pass, ""),
        Ok(false) => Answer::new(Outcome::Fail, format!("`{demand}` does not hold")),
        Err(trouble) => Answer::of(trouble),
    });
    let demands: Vec<String> = required.iter().map(|(demand, _)| format!("`{demand}`")).collect();
    Answer::all(answers, || format!("{} held: {}", count(demands.len(), "demand"), demands.join(", ")))
}
