//! `layer.diffid`: do the layers unpack to what the config says? Asked at level `content`.
//!
//! A runtime that unpacks by diff id runs the config's word; nobody but it would ever see the difference.

use super::layer_exists::distinct;
use super::{About, Rule, count, top};
use crate::clearance::{Answer, Case, Outcome, Trouble, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "layer.diffid",
    asks: "do the layers unpack to what the config says",
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
    let read = layers.values().filter(|layer| layer.unpacked.is_some()).count();
    if read == 0 {
        let level = case.observed.level.name();
        return Answer::new(Outcome::NotApplicable, format!("no layer was unpacked (level `{level}`)"));
    }
    let answers = layers.values().filter(|layer| !layer.is_foreign).map(|layer| {
        match (&layer.stored, &layer.unpacked) {
            (_, Some(Ok(()))) => Answer::new(Outcome::Pass, ""),
            (_, Some(Err(trouble))) => Answer::of(trouble),
            // Told by `layer.digest`, which says why.
            (Some(Err(_)), None) => Answer::new(Outcome::Pass, ""),
            (_, None) => Answer::of(&Trouble::Unknown(format!(
                "layer {} was not held against a diff id",
                layer.digest
            ))),
        }
    });
    Answer::all(answers, || {
        format!("{} unpacked and hashed, now or by an earlier run, as the config says", count(read, "layer"))
    })
}
