//! `ref.digest`: are the manifest's bytes those that the digest names?

use super::{About, Rule, top};
use crate::clearance::{Answer, Case, Outcome, Trouble, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "ref.digest",
    asks: "are the bytes what the digest says",
    about: About::Bytes,
    weight: Weight::Refuse,
    is_firm: true,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    if let Err(trouble @ Trouble::Wrong(_)) = &case.observed.top {
        return Answer::of(trouble);
    }
    let top = match top(case) {
        Ok(top) => top,
        Err(answer) => return answer,
    };
    match &case.candidate.digest {
        Some(digest) if *digest != top.digest => {
            Answer::new(Outcome::Fail, format!("the bytes are {}, not {digest}", top.digest))
        }
        Some(digest) => Answer::new(Outcome::Pass, format!("{} bytes, hashed, are {digest}", top.size)),
        None => Answer::new(
            Outcome::Pass,
            format!("no digest was asked for; the tag's {} bytes are {}", top.size, top.digest),
        ),
    }
}
