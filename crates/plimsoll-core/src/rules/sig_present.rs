//! `sig.present`: is there a signature at all?

use super::{Rule, attested, count};
use crate::clearance::{Answer, Case, Outcome};
use crate::digest::Digest;

/// The row.
pub(super) static RULE: Rule = attested::rule("sig.present", "is there a signature", judge);

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
