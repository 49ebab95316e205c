//! `tag.destination`: is each tag free where it is to be written, or the digest's already?

use super::{About, Rule, top};
use crate::clearance::{Answer, Case, Outcome, Trouble, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "tag.destination",
    asks: "is each tag free, or the digest's already, where it is to be written",
    about: About::Tags,
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    let top = match top(case) {
        Ok(top) => top,
        Err(answer) => return answer,
    };
    let (mut free, mut done, mut moved) = (0_usize, 0_usize, 0_usize);
    let mut answers = Vec::new();
    for destination in &case.observed.destinations {
        for (tag, seen) in &destination.tags {
            let name = format!("`{}:{tag}`", destination.repository);
            match seen {
                Ok(digest) if *digest == top.digest => done += 1,
                Ok(_) if case.demands.allows_tag_moves => moved += 1,
                Ok(digest) => answers.push(Answer::new(Outcome::Fail, format!("{name} is {digest} already"))),
                Err(Trouble::Missing(_)) => free += 1,
                Err(trouble) => answers.push(Answer::of(trouble)),
            }
        }
    }
    if free + done + moved + answers.len() == 0 {
        return Answer::new(Outcome::NotApplicable, "no tag is to be written anywhere");
    }
    Answer::all(answers, || match moved {
        0 => format!("{free} free, {done} the same digest already"),
        moved => {
            format!("{free} free, {done} the same digest already, {moved} to be moved, which is allowed")
        }
    })
}
