//! Holds what destinations have against what manifests list.
//!
//! What surprises: tags under which clients keep signatures and referrers (`sha256-HEX`, `sha256-HEX.sig`) are not listed
//! anywhere and are no differences. Digests without a tag cannot be looked for: registries list tags alone.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::clearance::{Seen, Trouble};
use plimsoll_core::digest::Digest;
use plimsoll_core::promotion::Manifest;
use plimsoll_image::attached::{Attached, Depth, collect};
use plimsoll_image::inspect::{digest_of_tag, trouble};
use plimsoll_image::limits::Limits;
use plimsoll_image::open::registry::Repository;
use plimsoll_image::open::registry::listing::ListingLimits;
use plimsoll_image::open::registry::reference::TagOrDigest;

use super::observe::Asking;
use super::policy::flaws::Flaw;

/// One way in which a destination differs from the manifests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Difference {
    /// A listed tag or digest is not there.
    Missing(String),
    /// A listed tag is another digest.
    Moved(String),
    /// A tag is there that nobody lists.
    Unlisted(String),
    /// Evidence that the source has is not there.
    Unproven(String),
    /// Something is known to be wrong that was not known when it was cleared.
    Flaw(String),
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
            Difference::Unproven(_) => "UNPROVEN",
            Difference::Flaw(_) => "FLAW",
            Difference::Unknown(_) => "ERROR",
        }
    }

    /// What it is about.
    pub(crate) fn detail(&self) -> &str {
        let (Difference::Missing(detail)
        | Difference::Moved(detail)
        | Difference::Unlisted(detail)
        | Difference::Unproven(detail)
        | Difference::Flaw(detail)
        | Difference::Unknown(detail)) = self;
        detail
    }
}

/// What manifests list for one repository: the digest of each tag, and those without.
#[derive(Default)]
struct Listed<'a> {
    tags: BTreeMap<&'a str, &'a Digest>,
    untagged: BTreeSet<&'a Digest>,
    /// Where each digest comes from.
    sources: BTreeMap<&'a Digest, String>,
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
                if let Some(source) = &manifest.source {
                    listed.sources.insert(&line.digest, format!("{source}/{}", line.image));
                }
            }
        }
    }
    let mut differences = Vec::new();
    for (name, listed) in &repositories {
        match asking.repository(name) {
            Ok(repository) => {
                of_repository(name, &repository, listed, &mut differences);
                for (digest, source) in &listed.sources {
                    of_evidence(name, &repository, (digest, source), asking, &mut differences);
                }
            }
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

/// Whether what speaks of a digest at its source speaks of it here too. A source that has the digest no more has nothing.
fn of_evidence(
    name: &str,
    repository: &Repository,
    (digest, source): (&Digest, &str),
    asking: &Asking,
    differences: &mut Vec<Difference>,
) {
    let of = |repository: &Repository| {
        let limits = Limits::default();
        collect(repository, std::slice::from_ref(digest), &[], Depth::List, &limits)
    };
    let at_source = match asking.repository(source) {
        Ok(repository) => of(&repository),
        Err(trouble) => return differences.push(unknown(source, &trouble)),
    };
    if at_source.found.is_empty() && at_source.unseen.is_empty() {
        return;
    }
    let here = of(repository);
    for (at, unseen) in [(source, &at_source.unseen), (name, &here.unseen)] {
        differences.extend(
            unseen
                .iter()
                .map(|one| Difference::Unknown(format!("what speaks of `{at}@{digest}`: {}", one.detail))),
        );
    }
    if !here.unseen.is_empty() {
        return;
    }
    let is_here = |one: &&Attached| here.found.iter().any(|known| known.place.name == one.place.name);
    let lacking = at_source.found.iter().filter(|one| !is_here(one));
    differences.extend(lacking.map(|one| {
        let (scheme, place) = (one.place.scheme.name(), &one.place.name);
        Difference::Unproven(format!("`{name}@{digest}` lacks {scheme} {place}, which `{source}` has"))
    }));
}

/// What is known of flaws today of one image that was cleared, against what was known then; `None` for then where nobody
/// asked.
pub(crate) fn of_flaws(
    at: &str,
    then: Option<&BTreeSet<(String, String)>>,
    today: &[Flaw],
) -> Vec<Difference> {
    let Some(then) = then else {
        let detail = format!("{at}: no policy asked for flaws when it was cleared");
        return vec![Difference::Unknown(detail)];
    };
    let is_new = |flaw: &&Flaw| !then.contains(&(flaw.id.clone(), flaw.package.clone()));
    let told = today.iter().filter(is_new).map(|flaw| {
        let severity = flaw.severity.map_or("of unknown severity", |severity| severity.name());
        let fixed = flaw.fixed_in.as_ref().map_or(String::new(), |version| format!(", fixed in {version}"));
        let (id, package, version) = (&flaw.id, &flaw.package, &flaw.version);
        Difference::Flaw(format!("{at}: {id} {severity} in {package} {version}{fixed}"))
    });
    told.collect()
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
