//! `layer.foreign`: are there layers that registries need not have?
//!
//! They are never fetched from the URLs that their manifest names: those are anybody's.

use super::layer_exists::distinct;
use super::{About, Rule, top};
use crate::clearance::{Answer, Case, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "layer.foreign",
    asks: "does the registry have every layer itself",
    about: About::Content,
    weight: Weight::Refuse,
    is_firm: false,
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
    let foreign: Vec<String> = layers
        .values()
        .filter(|layer| layer.is_foreign)
        .map(|layer| format!("{} is `{}`", layer.digest, layer.media_type))
        .collect();
    match foreign.is_empty() {
        true => Answer::new(Outcome::Pass, "no layer is one that registries need not have"),
        false => Answer::new(Outcome::Error, format!("not looked at: {}", foreign.join("; "))),
    }
}
