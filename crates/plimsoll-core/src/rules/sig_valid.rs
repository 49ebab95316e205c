//! `sig.valid`: does a signature hold, by the roots of trust that were chosen?

use super::{About, Rule, attested, count};
use crate::clearance::{Answer, Case, Outcome, Piece, Weight};
use crate::digest::Digest;
use crate::evidence::{LogProof, Proof, Witness};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "sig.valid",
    asks: "does a signature hold",
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
    attested::whole_of_found(case, "signature", |subject: &Digest| {
        let signatures = || attested::of(seen, subject).filter(|piece| attested::is_signature(piece));
        if signatures().next().is_none() {
            return Answer::new(Outcome::Missing, "there is none");
        }
        let holding: Vec<&Piece> = signatures().filter(|piece| piece.proof().is_some()).collect();
        let meant = holding.iter().find(|piece| piece.is_by(&demand.any_of)).or(holding.first());
        let Some(proof) = meant.and_then(|piece| piece.proof()) else {
            return attested::refused(signatures(), attested::refusals(signatures()));
        };
        let refused = signatures().count() - holding.len();
        let beside = if refused > 0 { format!("; {refused} beside it do not hold") } else { String::new() };
        let holds = count(holding.len(), "signature");
        Answer::new(Outcome::Pass, format!("{holds} held against {}{beside}", checked(proof)))
    })
}

/// What a signature was held against, for people.
fn checked(proof: &Proof) -> String {
    let mut parts = vec!["its bytes"];
    if proof.checked.certificate {
        parts.push("the certificate's chain");
    }
    if proof.checked.sct {
        parts.push("a log of certificates (SCT)");
    }
    parts.extend(proof.checked.log.map(|log| match log {
        LogProof::Promise => "a transparency log's promise",
        LogProof::Inclusion => "a transparency log's proof of inclusion",
        LogProof::Both => "a transparency log's promise and proof of inclusion",
    }));
    if proof.times.iter().any(|time| time.witness == Witness::TimestampAuthority) {
        parts.push("a time stamp (RFC 3161)");
    }
    parts.join(", ")
}
