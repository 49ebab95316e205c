//! `prov.fresh`: was it built lately?
//!
//! The time is the earliest that somebody trusted vouches for. What the builder itself says of it does not count.

use super::{About, Rule, attested};
use crate::clearance::{Answer, Case, Outcome, Piece, ProvenanceDemand, Weight};
use crate::evidence::Provenance;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "prov.fresh",
    asks: "was it built lately",
    about: About::Provenance,
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    attested::of_best(case, answer)
}

/// What is said of one provenance.
pub(super) fn answer(_: &Case<'_>, demand: &ProvenanceDemand, piece: &Piece, _: &Provenance) -> Answer {
    let Some((most, now)) = demand.age else {
        return Answer::new(Outcome::NotApplicable, "no age is demanded");
    };
    let witnessed = piece.proof().and_then(|proof| proof.times.iter().map(|time| time.at).min());
    let most_days = most / DAY;
    match witnessed.map(|at| now.saturating_sub(at)) {
        None => Answer::new(Outcome::Error, "nobody vouches for when it was signed"),
        Some(age) if age <= most => {
            Answer::new(Outcome::Pass, format!("signed {} days ago, of {most_days}", age / DAY))
        }
        Some(age) => {
            Answer::new(Outcome::Fail, format!("signed {} days ago, more than {most_days}", age / DAY))
        }
    }
}
