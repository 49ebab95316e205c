//! `layer.digest`: are the layers' bytes those that their digests name? Asked at level `content`.

use super::layer_exists::distinct;
use super::{About, Rule, count, top};
use crate::clearance::{Answer, Case, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "layer.digest",
    asks: "are the layers' bytes what their digests say",
    about: About::Bytes,
    weight: Weight::Refuse,
    is_firm: true,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    if let Err(answer) = top(case) {
        return answer;
    }
    let layers = distinct(case);
    if layers.is_empty() {
        return Answer::new(Outcome::NotApplicable, "no image was seen");
    }
    let read = layers.values().filter(|layer| layer.stored.is_some()).count();
    if read == 0 {
        let level = case.observed.level.name();
        return Answer::new(Outcome::NotApplicable, format!("no layer's bytes were read (level `{level}`)"));
    }
    let answers = layers.values().filter(|layer| !layer.is_foreign).map(|layer| match &layer.stored {
        Some(Ok(())) => Answer::new(Outcome::Pass, ""),
        Some(Err(trouble)) => Answer::of(trouble),
        None => Answer::new(Outcome::Error, format!("layer {} was not read", layer.digest)),
    });
    Answer::all(answers, || {
        format!("{} hashed to the end, now or by an earlier run, as named", count(read, "layer"))
    })
}
