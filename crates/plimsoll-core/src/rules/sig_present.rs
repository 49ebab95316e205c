//! `sig.present`: is there a signature at all?

use super::{About, Rule, attested, count};
use crate::clearance::{Answer, Case, Outcome, Weight};
use crate::digest::Digest;

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "sig.present",
    asks: "is there a signature",
    about: About::Signature,
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    let asked = attested::asked(case, case.demands.evidence.signature.as_ref(), "signatures");
    let (_, seen) = match asked {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    attested::whole(case, |subject: &Digest| {
        match attested::of(seen, subject).filter(|piece| attested::is_signature(piece)).count() {
            0 => attested::none(seen, &format!("signature of {subject}")),
            there => Answer::new(Outcome::Pass, format!("{} of {subject}", count(there, "signature"))),
        }
    })
}
