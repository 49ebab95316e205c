//! `evidence.discovery`: could it be told what signatures and attestations there are?
//!
//! What is found is there, and no more; whether it holds is asked by `sig.*`, `prov.*` and the like. An error is not "no
//! evidence".

use super::{About, Rule, count, top};
use crate::clearance::{Answer, Case, Outcome, Weight};
use crate::evidence::Standing;

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "evidence.discovery",
    asks: "could it be told what evidence there is",
    about: About::Discovery,
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    if let Err(answer) = top(case) {
        return answer;
    }
    let Some(seen) = &case.observed.evidence else {
        let level = case.observed.level.name();
        return Answer::new(Outcome::NotApplicable, format!("it was not looked for (level `{level}`)"));
    };
    if !seen.unseen.is_empty() {
        let unseen = seen.unseen.iter().map(|unseen| {
            let (scheme, name) = (unseen.place.scheme.name(), &unseen.place.name);
            Answer::new(Outcome::Error, format!("{scheme} {name}: {}", unseen.detail))
        });
        return Answer::all(unseen, String::new);
    }
    let of =
        |is_it: fn(&Standing) -> bool| seen.pieces.iter().filter(|piece| is_it(&piece.item.standing)).count();
    let asked =
        "referrers, their tag and cosign's tags were asked for, of the manifest and of all that it names";
    let found = count(seen.pieces.len(), "object");
    let standing = match seen.is_verified {
        false => "none verified".to_owned(),
        true => format!(
            "{} proven, {} refused, {} that nobody signed, {} not verified",
            of(|standing| matches!(standing, Standing::Proven(_))),
            of(|standing| matches!(standing, Standing::Refused(_))),
            of(|standing| matches!(standing, Standing::Unsigned)),
            of(|standing| matches!(standing, Standing::Unverified(_))),
        ),
    };
    Answer::new(Outcome::Pass, format!("{asked}; {found} there, {standing}"))
}
