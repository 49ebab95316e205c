//! `trust.age`: are the roots of trust recent enough?
//!
//! An authority that was found to be bad is taken out of the roots. Old ones still trust it.

use super::{About, Rule};
use crate::clearance::{Answer, Case, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "trust.age",
    asks: "are the roots of trust recent enough",
    about: About::Discovery,
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    match case.demands.evidence.root_age {
        None => Answer::new(Outcome::NotApplicable, "no policy says how old the roots of trust may be"),
        Some((days, most)) if days <= most => {
            Answer::new(Outcome::Pass, format!("the roots of trust are {days} days old, of {most}"))
        }
        Some((days, most)) => Answer::new(
            Outcome::Fail,
            format!(
                "the roots of trust are {days} days old, older than {most}; renew them, and their date in the policy"
            ),
        ),
    }
}
