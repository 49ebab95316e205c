//! What a destination holds today: with what a candidate's flaws are compared.
//!
//! The predecessor is the greatest version below the candidate's own among the tags of its first destination; versions are
//! those of semantic versioning, with or without `v` before them. What surprises: where nothing can be compared every flaw is
//! new, and where the comparison failed none is known to be either.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::clearance::{Candidate, PackagesSeen, PredecessorSeen, Seen, Trouble, layer_bytes};
use plimsoll_core::image::Image;
use plimsoll_core::inventory::Inventory;
use plimsoll_core::schemes::semver;
use plimsoll_image::catalog::Options;
use plimsoll_image::inspect::{Inspection, inspect, trouble};
use plimsoll_image::open::registry::Repository;
use plimsoll_image::open::registry::listing::ListingLimits;
use plimsoll_image::open::registry::reference::TagOrDigest;

use super::observe::Asking;

/// A predecessor, whose documents were read.
pub(super) struct Predecessor {
    pub(super) seen: PredecessorSeen,
    inspection: Inspection,
    repository: Repository,
}

impl Predecessor {
    /// Reads what is aboard.
    pub(super) fn read(mut self, options: &Options<'_>) -> anyhow::Result<Vec<(Image, Inventory)>> {
        Ok(self.inspection.read_layers(self.repository, options)?)
    }
}

/// Finds the predecessor; `None` where the destination holds nothing to compare with.
pub(super) fn find(
    candidate: &Candidate,
    asking: &Asking,
    options: &Options<'_>,
) -> Seen<Option<Predecessor>> {
    let Some(destination) = candidate.destinations.first() else { return Ok(None) };
    let Some(tag) = tag(candidate, destination, asking)? else { return Ok(None) };
    let repository = asking.repository(destination)?;
    let reference = format!("{destination}:{tag}");
    let inspection = inspect(&repository, &TagOrDigest::Tag(tag), &reference, options.limits);
    let unread = inspection.children.iter().find_map(|child| child.seen.as_ref().err());
    if let Some(trouble) = inspection.top.as_ref().err().or(unread) {
        return Err(trouble.clone());
    }
    let mut platforms = Vec::new();
    for image in &inspection.images {
        platforms.push(image.config.as_ref().map_err(Clone::clone)?.platform.clone());
    }
    platforms.sort_unstable();
    let bytes = layer_bytes(&inspection.images);
    let seen = PredecessorSeen { reference, platforms, bytes, packages: None };
    Ok(Some(Predecessor { seen, inspection, repository }))
}

/// How the packages aboard differ from those of the predecessor.
pub(super) fn packages(before: &[(Image, Inventory)], now: &[(Image, Inventory)]) -> PackagesSeen {
    fn versions(aboard: &[(Image, Inventory)]) -> BTreeMap<(&str, &str), BTreeSet<&str>> {
        let mut all: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
        for package in aboard.iter().flat_map(|(_, inventory)| &inventory.packages) {
            all.entry((package.ecosystem.name, &package.name)).or_default().insert(&package.version);
        }
        all
    }
    let (before, now) = (versions(before), versions(now));
    PackagesSeen {
        added: now.keys().filter(|key| !before.contains_key(*key)).count(),
        removed: before.keys().filter(|key| !now.contains_key(*key)).count(),
        changed: now.iter().filter(|(key, is)| before.get(*key).is_some_and(|was| was != *is)).count(),
    }
}

fn tag(candidate: &Candidate, destination: &str, asking: &Asking) -> Seen<Option<String>> {
    let repository = asking.repository(destination)?;
    let limits = ListingLimits::default();
    let mut tags = Vec::new();
    let mut next = None;
    loop {
        match repository.tags(next.as_ref(), &limits) {
            Ok(listing) => {
                tags.extend(listing.names);
                next = listing.next;
            }
            Err(error) => match trouble(&error) {
                Trouble::Missing(_) if tags.is_empty() => return Ok(None),
                trouble => return Err(trouble),
            },
        }
        if next.is_none() {
            break;
        }
        if tags.len() > limits.names_max {
            let max = limits.names_max;
            return Err(Trouble::Unknown(format!("`{destination}` has more than {max} tags (names_max)")));
        }
    }
    Ok(below(&candidate.tags, tags))
}

/// The greatest version below all of the own ones; of all where none of these is a version.
fn below(own: &[String], tags: Vec<String>) -> Option<String> {
    let key = |tag: &str| (semver::SCHEME.key)(tag.strip_prefix('v').unwrap_or(tag)).ok();
    let limit = own.iter().filter_map(|tag| key(tag)).max();
    tags.into_iter()
        .filter_map(|tag| Some((key(&tag)?, tag)))
        .filter(|(version, _)| limit.as_ref().is_none_or(|limit| version < limit))
        .max()
        .map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_predecessor_is_the_next_lower_version() {
        for (own, tags, expected) in [
            ("v0.14.2", "v0.14.1 v0.14.10 v0.9.0 latest", "v0.14.1"),
            ("v0.14.2", "v0.14.2 v0.14.1", "v0.14.1"),
            ("1.0.0", "v0.9.0 1.0.0-rc.1 2.0.0", "1.0.0-rc.1"),
            ("main", "v0.9.0 v0.10.0", "v0.10.0"),
            ("v1.0.0", "latest", ""),
            ("v1.0.0", "", ""),
        ] {
            let list = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(below(&list(own), list(tags)).unwrap_or_default(), expected, "{own} of {tags}");
        }
    }
}
