//! `sig.identity`: is it signed by one of those that the policy names?

use super::{About, Rule, attested};
use crate::clearance::{Answer, Case, Outcome, Weight};
use crate::digest::Digest;

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "sig.identity",
    asks: "did a signer that the policy names sign",
    about: About::Signature,
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    let asked = attested::asked(case, case.demands.evidence.signature.as_ref(), "signatures");
    let (demand, seen) = match asked {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    attested::whole_of_found(case, "signature that holds", |subject: &Digest| {
        let holding = || {
            attested::of(seen, subject)
                .filter(|piece| attested::is_signature(piece) && piece.proof().is_some())
        };
        if let Some(piece) = holding().find(|piece| piece.is_by(&demand.any_of))
            && let Some(proof) = piece.proof()
        {
            let signers = piece.signers.join(", ");
            let who = attested::signer(&proof.signer);
            return Answer::new(Outcome::Pass, format!("signed by {who}, which is `{signers}`"));
        }
        match holding().next() {
            None => Answer::new(Outcome::Missing, "there is none"),
            Some(_) => {
                let wanted = demand.any_of.join("`, `");
                let refusals = attested::refusals(holding());
                Answer::new(Outcome::Fail, format!("no signature is by `{wanted}`: {refusals}"))
            }
        }
    })
}
