//! `prov.cert-agrees`: do the predicate and the certificate say the same?
//!
//! The builder writes the predicate, the authority writes the certificate. Where they differ the predicate is not about the
//! build that signed it.

use super::{About, Rule, attested};
use crate::clearance::{Answer, Case, Outcome, Piece, ProvenanceDemand, Weight};
use crate::evidence::Provenance;

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "prov.cert-agrees",
    asks: "do the predicate and the certificate say the same",
    about: About::Provenance,
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    attested::of_best(case, answer)
}

/// What is said of one provenance.
pub(super) fn answer(_: &Case<'_>, _: &ProvenanceDemand, _: &Piece, said: &Provenance) -> Answer {
    let all = said.agreement.len();
    let other: Vec<String> = said
        .disagreeing()
        .map(|field| {
            let (claim, predicate, certificate) = (field.claim.name(), &field.predicate, &field.certificate);
            format!("{claim} is `{predicate}` in the predicate and `{certificate}` in the certificate")
        })
        .collect();
    match (all, other.is_empty()) {
        (0, _) => {
            Answer::new(Outcome::NotApplicable, "no field stands in both a predicate and a certificate")
        }
        (_, true) => Answer::new(Outcome::Pass, format!("they agree on {all} of {all} fields")),
        (_, false) => Answer::new(Outcome::Fail, other.join("; ")),
    }
}
