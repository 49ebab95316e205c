//! `tag.pattern`: is each tag one that may be promoted?

use super::{About, Rule};
use crate::clearance::{Answer, Case, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "tag.pattern",
    asks: "does each tag look like a release",
    about: About::Policy,
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

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
    let demands = case.demands;
    let pattern = demands.tag_pattern.as_deref().unwrap_or("the pattern");
    let answers = tags.iter().map(|tag| match (tag == MOVING, case.observed.odd_tags.contains(tag)) {
        (true, _) => Answer::new(Outcome::Fail, format!("`{tag}` is a tag that moves, not a release")),
        (_, true) => Answer::new(Outcome::Fail, format!("`{tag}` is not like `{pattern}`")),
        _ => Answer::new(Outcome::Pass, ""),
    });
    Answer::all(answers, || match &demands.tag_pattern {
        Some(pattern) => format!("{} like `{pattern}`, none is `{MOVING}`", super::count(tags.len(), "tag")),
        None => format!("none of {} is `{MOVING}`", super::count(tags.len(), "tag")),
    })
}
