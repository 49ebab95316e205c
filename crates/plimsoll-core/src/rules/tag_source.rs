//! `tag.source`: do the claimed tags point to the digest where it comes from?
//!
//! Otherwise the digest of one release could be promoted under the name of another.

use super::{About, Rule, top};
use crate::clearance::{Answer, Case, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "tag.source",
    asks: "is each claimed tag the digest's",
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
    let tags = &case.observed.source_tags;
    if tags.is_empty() {
        return Answer::new(Outcome::NotApplicable, "no tag is claimed");
    }
    let source = &case.candidate.source;
    let answers = tags.iter().map(|(tag, seen)| match seen {
        Ok(digest) if *digest == top.digest => Answer::new(Outcome::Pass, ""),
        Ok(digest) => Answer::new(Outcome::Fail, format!("`{source}:{tag}` is {digest}, not {}", top.digest)),
        Err(trouble) => Answer::of(trouble),
    });
    let names: Vec<String> = tags.iter().map(|(tag, _)| format!("`{tag}`")).collect();
    Answer::all(answers, || format!("{} at `{source}`, bytes hashed: the same digest", names.join(", ")))
}
