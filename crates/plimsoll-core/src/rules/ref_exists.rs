//! `ref.exists`: does the registry have what the reference names?
//!
//! Only a registry's own word that it has it not is MISSING.

use super::{About, Rule};
use crate::clearance::{Answer, Case, Outcome, Trouble, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "ref.exists",
    asks: "does the registry have it",
    about: About::Presence,
    weight: Weight::Refuse,
    is_firm: true,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    match &case.observed.top {
        Ok(top) => Answer::new(Outcome::Pass, format!("`{}` has {}", case.candidate.source, top.digest)),
        Err(Trouble::Wrong(_)) => Answer::new(
            Outcome::NotApplicable,
            format!("`{}` has something there that is not what it should be", case.candidate.source),
        ),
        Err(trouble) => Answer::of(trouble),
    }
}
