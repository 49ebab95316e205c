//! `layer.exists`: is every layer there, as large as its manifest states?
//!
//! Registries accept a manifest that states a wrong size (measured with distribution 2.8).

use std::collections::BTreeMap;

use super::{About, Rule, count, top};
use crate::clearance::{Answer, Case, LayerSeen, Outcome, Weight};
use crate::digest::Digest;

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "layer.exists",
    asks: "is every layer there, as large as stated",
    about: About::Presence,
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
    let answers = layers.values().filter(|layer| !layer.is_foreign).map(|layer| match &layer.there {
        Ok(size) if *size != layer.size => Answer::new(
            Outcome::Fail,
            format!("layer {} has {size} bytes, its manifest states {}", layer.digest, layer.size),
        ),
        Ok(_) => Answer::new(Outcome::Pass, ""),
        Err(trouble) => Answer::of(trouble),
    });
    let bytes: u64 = layers.values().fold(0, |sum, layer| sum.saturating_add(layer.size));
    Answer::all(answers, || {
        format!("{} of {bytes} bytes together, sizes as stated", count(layers.len(), "layer"))
    })
}

/// The layers of all images, each once. Of one that is stated with two sizes the one that is wrong is kept.
pub(super) fn distinct<'a>(case: &Case<'a>) -> BTreeMap<&'a Digest, &'a LayerSeen> {
    let mut layers: BTreeMap<&Digest, &LayerSeen> = BTreeMap::new();
    for layer in case.observed.images.iter().flat_map(|image| &image.layers) {
        let is_well = |layer: &LayerSeen| {
            layer.there.as_ref().is_ok_and(|size| *size == layer.size)
                && !matches!(layer.stored, Some(Err(_)))
                && !matches!(layer.unpacked, Some(Err(_)))
        };
        layers
            .entry(&layer.digest)
            .and_modify(|known| {
                if !is_well(layer) {
                    *known = layer;
                }
            })
            .or_insert(layer);
    }
    layers
}
