//! `index.platforms`: does it have every platform that is demanded, and each once?

use std::collections::{BTreeMap, BTreeSet};

use super::{About, Rule, top};
use crate::clearance::{Answer, Case, ImageSeen, Outcome, Weight};
use crate::digest::Digest;
use crate::image::Platform;

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "index.platforms",
    asks: "does it have the platforms that are demanded",
    about: About::Platforms,
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    if let Err(answer) = top(case) {
        return answer;
    }
    let images = &case.observed.images;
    if images.is_empty() && case.observed.children.is_empty() {
        return Answer::new(Outcome::NotApplicable, "it is no image");
    }
    // What the config says counts: the index may call it anything.
    let said = |image: &ImageSeen| match &image.config {
        Ok(config) => Some(config.platform.clone()),
        Err(_) => image.claimed.clone(),
    };
    let there: Vec<Platform> = images.iter().filter_map(said).collect();
    let shown: BTreeSet<String> = there.iter().map(full_name).collect();
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    let shown = shown.join(", ");
    let lost: Vec<String> = case
        .demands
        .platforms
        .iter()
        .filter(|wanted| !there.iter().any(|platform| platform.serves(wanted)))
        .map(|wanted| format!("`{wanted}`"))
        .collect();
    if !lost.is_empty() {
        return Answer::new(Outcome::Fail, format!("{} is demanded; there is {shown}", lost.join(", ")));
    }
    if let Some(answer) = kept(case, &there) {
        return answer;
    }
    let mut known: BTreeMap<String, &Digest> = BTreeMap::new();
    for (image, platform) in images.iter().filter_map(|image| Some((image, said(image)?))) {
        let name = full_name(&platform);
        let first = *known.entry(name.clone()).or_insert(&image.digest);
        if *first != image.digest {
            let detail =
                format!("{first} and {} are both for `{name}`, and clients take either", image.digest);
            return Answer::new(Outcome::Fail, detail);
        }
    }
    match case.demands.platforms.len() {
        0 => Answer::new(Outcome::Pass, format!("none is demanded; there is {shown}")),
        _ => Answer::new(Outcome::Pass, format!("all that are demanded are there: {shown}")),
    }
}

/// What is wrong where every platform of the predecessor must be there.
fn kept(case: &Case<'_>, there: &[Platform]) -> Option<Answer> {
    if !case.demands.keeps_platforms || case.candidate.destinations.is_empty() {
        return None;
    }
    let before = match &case.observed.predecessor {
        Some(Ok(before)) => before.as_ref()?,
        Some(Err(trouble)) => return Some(Answer::of(trouble)),
        None => return Some(Answer::new(Outcome::Error, "what the destination holds was not looked for")),
    };
    let is_lost = |was: &&Platform| !there.iter().any(|platform| platform.serves(was));
    let lost: Vec<String> = before.platforms.iter().filter(is_lost).map(|was| format!("`{was}`")).collect();
    let detail = || format!("`{}` has {}, which is lost", before.reference, lost.join(", "));
    (!lost.is_empty()).then(|| Answer::new(Outcome::Fail, detail()))
}

/// With the version of the operating system, by which images for Windows differ.
fn full_name(platform: &Platform) -> String {
    match &platform.os_version {
        Some(version) => format!("{platform} {version}"),
        None => platform.to_string(),
    }
}
