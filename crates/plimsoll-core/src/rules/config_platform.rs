//! `config.platform`: does each image's config say what its index says of it?
//!
//! Registries accept an index that calls an image for amd64 one for arm64; a node of the second kind then runs nothing.

use super::{About, Rule, count, top};
use crate::clearance::{Answer, Case, ImageSeen, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "config.platform",
    asks: "does each config say what its index says",
    about: About::Platforms,
    weight: Weight::Refuse,
    is_firm: true,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    if let Err(answer) = top(case) {
        return answer;
    }
    let images = &case.observed.images;
    if images.is_empty() {
        return Answer::new(Outcome::NotApplicable, "no image was seen");
    }
    Answer::all(images.iter().map(of_image), || {
        let configs = count(images.len(), "config");
        format!(
            "{configs} read by digest, each with its layers and platform as its manifest and index have them"
        )
    })
}

fn of_image(image: &ImageSeen) -> Answer {
    let config = match &image.config {
        Ok(config) => config,
        Err(trouble) => return Answer::of(trouble),
    };
    let says = &config.platform;
    if let Some(claimed) = &image.claimed
        && (claimed.os != says.os
            || claimed.architecture != says.architecture
            || (claimed.variant.is_some() && says.variant.is_some() && claimed.variant != says.variant))
    {
        let detail = format!("the index calls {} `{claimed}`, its config `{says}`", image.digest);
        return Answer::new(Outcome::Fail, detail);
    }
    if config.diff_ids != image.layers.len() {
        let (listed, layers) = (config.diff_ids, image.layers.len());
        let detail = format!("the config of {} lists {listed} layers, its manifest {layers}", image.digest);
        return Answer::new(Outcome::Fail, detail);
    }
    Answer::new(Outcome::Pass, "")
}
