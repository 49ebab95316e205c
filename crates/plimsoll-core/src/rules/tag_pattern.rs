//! `tag.pattern`: is each tag one that may be promoted?

use super::Rule;
use crate::clearance::{Answer, Case, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule =
    Rule { id: "tag.pattern", asks: "does each tag look like a release", weight: Weight::Refuse, judge };

/// The tag that clients take where none is named: whoever writes it changes what they run.
const MOVING: &str = "latest";

fn judge(case: &Case<'_>) -> Answer {
    let tags = &case.candidate.tags;
    if case.candidate.destinations.is_empty() {
        return Answer::new(Outcome::NotApplicable, "no tag is to be written anywhere");
    }
    if tags.is_empty() {
        return Answer::new(Outcome::NotApplicable, "no tag is claimed");
    }
    let answers = tags.iter().map(|tag| match tag == MOVING {
        true => Answer::new(Outcome::Fail, format!("`{tag}` is a tag that moves, not a release")),
        false => Answer::new(Outcome::Pass, ""),
    });
    Answer::all(answers, || format!("none of {} is `{MOVING}`", super::count(tags.len(), "tag")))
}
