//! `index.children`: is everything there that the index names, with the size and the bytes that it states?
//!
//! Registries accept an index whose descriptors state wrong sizes (measured with distribution 2.8), and some accept
//! one whose manifests they do not have.

use super::{About, Rule, count, top};
use crate::clearance::{Answer, Case, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "index.children",
    asks: "is all there that the index names, as it states it",
    about: About::Presence,
    weight: Weight::Refuse,
    is_firm: true,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    if let Err(answer) = top(case) {
        return answer;
    }
    let children = &case.observed.children;
    if children.is_empty() && !case.observed.images.is_empty() {
        return Answer::new(Outcome::NotApplicable, "it is no index");
    }
    let claims = children.iter().filter(|child| child.is_attestation).count();
    let troubles = children.iter().filter_map(|child| child.seen.as_ref().err()).map(Answer::of);
    Answer::all(troubles, || {
        let all = count(children.len(), "manifest");
        let unsigned = match claims {
            0 => String::new(),
            claims => format!("; {} among them nobody signed", count(claims, "statement")),
        };
        format!("{all} read by digest, each with its size and its bytes as stated{unsigned}")
    })
}
