//! `vuln.db-age`: is the advisory database as young as the policy demands?

use super::{About, Rule, flaws};
use crate::clearance::{Answer, Case, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "vuln.db-age",
    asks: "is the advisory database young enough",
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
    match flaws.database_age {
        None => Answer::new(Outcome::NotApplicable, "the policy states no age, or there is no database"),
        Some((age, max)) if age > max => {
            let detail = format!("the database is older than {max} hours; run `plimsoll feeds update`");
            Answer::new(Outcome::Error, detail)
        }
        // Without the age itself, which would make another report of the same answer each hour.
        Some((_, max)) => Answer::new(Outcome::Pass, format!("the database is not older than {max} hours")),
    }
}
