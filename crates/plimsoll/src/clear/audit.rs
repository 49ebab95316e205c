//! Holds what destinations have against what manifests list.
//!
//! What surprises: tags under which clients keep signatures and referrers (`sha256-HEX`, `sha256-HEX.sig`) are not listed
//! anywhere and are no differences.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::clearance::{Seen, Trouble};
use plimsoll_core::digest::Digest;
use plimsoll_core::promotion::Manifest;
use plimsoll_image::inspect::{digest_of_tag, trouble};
use plimsoll_image::open::registry::Repository;
use plimsoll_image::open::registry::listing::ListingLimits;
use plimsoll_image::open::registry::reference::TagOrDigest;

use super::observe::Asking;

/// One way in which a destination differs from the manifests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Difference {
    /// A listed tag or digest is not there.
    Missing(String),
    /// A listed tag is another digest.
    Moved(String),
    /// A tag is there that nobody lists.
    Unlisted(String),
    /// It could not be told.
    Unknown(String),
}

impl Difference {
    /// Name in the report.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Difference::Missing(_) => "MISSING",
            Difference::Moved(_) => "MOVED",
            Difference::Unlisted(_) => "UNLISTED",
            Difference::Unknown(_) => "ERROR",
        }
    }

    /// What it is about.
    pub(crate) fn detail(&self) -> &str {
        let (Difference::Missing(detail)
        | Difference::Moved(detail)
        | Difference::Unlisted(detail)
        | Difference::Unknown(detail)) = self;
        detail
    }
}

/// What manifests list for one repository: the digest of each tag, and those without.
#[derive(Default)]
struct Listed<'a> {
    tags: BTreeMap<&'a str, &'a Digest>,
    untagged: BTreeSet<&'a Digest>,
}

/// Every difference of every destination, sorted; and how many repositories were looked at.
pub(crate) fn audit(manifests: &[Manifest], asking: &Asking) -> (Vec<Difference>, usize) {
    let mut repositories: BTreeMap<String, Listed<'_>> = BTreeMap::new();
    for manifest in manifests {
        for line in &manifest.lines {
            for destination in &manifest.destinations {
                let listed = repositories.entry(format!("{destination}/{}", line.image)).or_default();
                listed.tags.extend(line.tags.iter().map(|tag| (tag.as_str(), &line.digest)));
                if line.tags.is_empty() {
                    listed.untagged.insert(&line.digest);
                }
            }
        }
    }
    let mut differences = Vec::new();
    for (name, listed) in &repositories {
        match asking.repository(name) {
            Ok(repository) => of_repository(name, &repository, listed, &mut differences),
            Err(trouble) => differences.push(unknown(name, &trouble)),
        }
    }
    differences.sort_unstable();
    (differences, repositories.len())
}

fn of_repository(
    name: &str,
    repository: &Repository,
    listed: &Listed<'_>,
    differences: &mut Vec<Difference>,
) {
    for (tag, digest) in &listed.tags {
        let at = format!("`{name}:{tag}`");
        match digest_of_tag(repository, tag) {
            Ok(there) if there == **digest => {}
            Ok(there) => {
                differences.push(Difference::Moved(format!("{at} is {there}, and {digest} is listed")))
            }
            Err(Trouble::Missing(_)) => {
                differences.push(Difference::Missing(format!("{at}, listed as {digest}, is not there")));
            }
            Err(trouble) => differences.push(unknown(&at, &trouble)),
        }
    }
    for digest in &listed.untagged {
        match repository.manifest(&TagOrDigest::Digest((*digest).clone())).map_err(|error| trouble(&error)) {
            Ok(_) => {}
            Err(Trouble::Missing(_)) => {
                differences.push(Difference::Missing(format!("`{name}@{digest}` is not there")));
            }
            Err(trouble) => differences.push(unknown(name, &trouble)),
        }
    }
    match tags(repository) {
        Ok(tags) => {
            let unlisted =
                tags.iter().filter(|tag| !listed.tags.contains_key(tag.as_str()) && !is_of_clients(tag));
            differences.extend(unlisted.map(|tag| Difference::Unlisted(format!("`{name}:{tag}`"))));
        }
        // Each listed tag was told to be missing.
        Err(Trouble::Missing(_)) => {}
        Err(trouble) => differences.push(unknown(name, &trouble)),
    }
}

/// All tags of a repository.
fn tags(repository: &Repository) -> Seen<Vec<String>> {
    let limits = ListingLimits::default();
    let mut tags = Vec::new();
    let mut next = None;
    loop {
        let listing = repository.tags(next.as_ref(), &limits).map_err(|error| trouble(&error))?;
        tags.extend(listing.names);
        next = listing.next;
        if next.is_none() {
            return Ok(tags);
        }
        if tags.len() > limits.names_max {
            return Err(Trouble::Unknown(format!(
                "there are more than {} tags (names_max)",
                limits.names_max
            )));
        }
    }
}

/// Whether a tag is one under which clients keep what refers to a digest.
fn is_of_clients(tag: &str) -> bool {
    let Some(rest) = tag.strip_prefix("sha256-") else { return false };
    rest.len() >= 64 && rest.bytes().take(64).all(|b| b.is_ascii_hexdigit())
}

fn unknown(at: &str, trouble: &Trouble) -> Difference {
    let (Trouble::Missing(detail) | Trouble::Wrong(detail) | Trouble::Unknown(detail)) = trouble;
    Difference::Unknown(format!("{at}: {detail}"))
}
