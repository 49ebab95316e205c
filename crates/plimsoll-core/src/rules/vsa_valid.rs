//! `vsa.valid`: did a verifier that the policy names find it good?

use super::{About, Rule, attested};
use crate::clearance::{Answer, Case, Outcome, SummaryDemand, Weight};
use crate::digest::Digest;
use crate::evidence::{Predicate, VerificationSummary};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "vsa.valid",
    asks: "did a verifier that the policy names find it good",
    about: About::Summary,
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    let asked = attested::asked(case, case.demands.evidence.summary.as_ref(), "verification summaries");
    let (demand, seen) = match asked {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    attested::whole(case, |subject: &Digest| {
        let summaries = || {
            attested::of(seen, subject).filter_map(|piece| match &piece.statement()?.predicate {
                Predicate::VerificationSummary(summary) => Some((piece, summary.as_ref())),
                _ => None,
            })
        };
        let answers = summaries()
            .filter(|(piece, _)| piece.is_by(&demand.any_of))
            .map(|(_, summary)| answer(demand, summary));
        // The best counts.
        let best = answers.min_by_key(|answer| u8::from(answer.outcome != Outcome::Pass));
        best.unwrap_or_else(|| match summaries().next() {
            None => attested::none(seen, &format!("verification summary of {subject}")),
            Some(_) => {
                let pieces = || summaries().map(|(piece, _)| piece);
                let wanted = demand.any_of.join("`, `");
                let detail = format!("no summary is by `{wanted}`: {}", attested::refusals(pieces()));
                attested::refused(pieces(), detail)
            }
        })
    })
}

fn answer(demand: &SummaryDemand, summary: &VerificationSummary) -> Answer {
    let verifier =
        attested::one_of("verifier", &demand.verifiers, Some(&summary.verifier), |wanted, said| {
            wanted == said
        });
    let lacking: Vec<&str> =
        demand.levels.iter().filter(|level| !summary.levels.contains(level)).map(String::as_str).collect();
    if !summary.passed {
        return Answer::new(Outcome::Fail, format!("`{}` found that it does not pass", summary.verifier));
    }
    if !lacking.is_empty() {
        let lacking = lacking.join("`, `");
        return Answer::new(Outcome::Fail, format!("`{}` does not state `{lacking}`", summary.verifier));
    }
    match verifier.outcome {
        Outcome::Fail => verifier,
        _ => {
            let (by, resource) = (&summary.verifier, &summary.resource);
            Answer::new(Outcome::Pass, format!("`{by}` found that `{resource}` passes"))
        }
    }
}
