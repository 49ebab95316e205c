//! Looking over all images at once: which have a flaw, and which have a package.
//!
//! Neither makes a report. The distinct packages of the fleet are few beside its images, so these are judged, and only then
//! the images looked for that have one of them. What is found is what the reports of those images say, as they are made of
//! the same database by the same function.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::advisory::LookupError;
use plimsoll_core::digest::Digest;
use plimsoll_core::finding::Finding;
use plimsoll_core::inventory::Package;
use plimsoll_store::{PackageRow, Scan, Store};

use crate::access::Principal;
use crate::distinct::{Batch, Distinct};
use crate::refusal::Refusal;
use crate::server::Server;

/// Most images that are named.
pub(crate) const IMAGES_MAX: usize = 500;

/// Most images that are looked at for whoever may see only some of them.
const LOOKED_AT_MAX: usize = 20_000;

/// Images asked for at once.
const SCANS_AT_ONCE_MAX: usize = 500;

/// Most distinct packages that are kept.
const PACKAGES_MAX: usize = 10_000;

/// What was found.
#[derive(Default)]
pub(crate) struct Found {
    /// By number.
    pub(crate) packages: BTreeMap<u32, FoundPackage>,
    /// Images that whoever asks may see, with the numbers of those packages that each has.
    pub(crate) images: Vec<(Scan, Vec<u32>)>,
    /// Whether there is more than is named here.
    pub(crate) is_cut: bool,
    /// Whether the database has an advisory of the flaw; `false` also where none was looked for.
    pub(crate) is_flaw_known: bool,
}

/// A package that was found.
pub(crate) struct FoundPackage {
    /// Without evidence path and layer.
    pub(crate) package: Package,
    /// What is known of it; `None` where a package was looked for.
    pub(crate) finding: Option<Finding>,
}

/// The images that have a flaw: a CVE, or any other name that advisories have for it.
pub(crate) fn flaw(server: &Server, principal: &Principal, name: &str) -> Result<Found, Refusal> {
    let advised = server.advised();
    let database = advised
        .database
        .as_ref()
        .map_err(|why| Refusal::new(409, "no_database", format!("nothing can be looked up: {why}")))?;
    let store = server.store()?;
    let advisories = advised.named(database, name).map_err(unreadable)?;
    let names = database.packages_of_advisories(&advisories).map_err(unreadable)?;
    let names: Vec<(String, String)> = names.into_iter().collect();
    let mut found = Found { is_flaw_known: !advisories.is_empty(), ..Found::default() };
    let (mut waiting, mut failed) = (Distinct::default(), None);
    let mut judge = |batch: &Batch| match batch.judge(database, &advised.standings) {
        Ok(findings) => keep_named(&mut found, batch, findings, name),
        Err(why) => failed = Some(why),
    };
    store.packages_named(&names, &mut |row| {
        if let Some(batch) = waiting.take(row) {
            judge(&batch);
        }
    })?;
    waiting.rest().for_each(|batch| judge(&batch));
    if let Some(why) = failed {
        return Err(Refusal::new(500, "internal", why));
    }
    images(server, store, principal, &mut found)?;
    Ok(found)
}

/// The images that have a package, by its own name or that of its source package; of one version, where it is given.
pub(crate) fn package(
    server: &Server,
    principal: &Principal,
    name: &str,
    version: &str,
) -> Result<Found, Refusal> {
    let store = server.store()?;
    let mut found = Found::default();
    store.each_package(&mut |row: PackageRow| {
        let source = row.package.source.as_ref();
        let is_named = row.package.name.eq_ignore_ascii_case(name)
            || source.is_some_and(|source| source.name.eq_ignore_ascii_case(name));
        let is_version = version.is_empty()
            || row.package.version == version
            || source.is_some_and(|source| source.version == version);
        if is_named && is_version {
            keep(&mut found, row.number, FoundPackage { package: row.package, finding: None });
        }
    })?;
    images(server, store, principal, &mut found)?;
    Ok(found)
}

/// Keeps the packages that have the flaw.
fn keep_named(found: &mut Found, batch: &Batch, findings: Vec<Finding>, name: &str) {
    for finding in findings.into_iter().filter(|finding| is_named(finding, name)) {
        if let Some((number, package)) = batch.of(&finding) {
            keep(found, number, FoundPackage { package: package.clone(), finding: Some(finding) });
        }
    }
}

fn is_named(finding: &Finding, name: &str) -> bool {
    let mut names = std::iter::once(&finding.id).chain(&finding.aliases).chain([&finding.advisory]);
    names.any(|known| known.eq_ignore_ascii_case(name))
}

/// Keeps a package; of several findings the first, which is the worst.
fn keep(found: &mut Found, number: u32, package: FoundPackage) {
    if found.packages.len() < PACKAGES_MAX {
        found.packages.entry(number).or_insert(package);
    } else {
        found.is_cut = true;
    }
}

/// Looks for the images that have one of the packages, and leaves out the packages of images that whoever asks may not
/// see: that somebody else has one says something of them.
fn images(server: &Server, store: &Store, principal: &Principal, found: &mut Found) -> Result<(), Refusal> {
    let numbers: Vec<u32> = found.packages.keys().copied().collect();
    let mut having: Vec<(Digest, Vec<u32>)> = Vec::new();
    let mut is_cut = false;
    if !numbers.is_empty() {
        store.images_with(&numbers, &mut |image, numbers| {
            if having.len() < LOOKED_AT_MAX { having.push((image, numbers)) } else { is_cut = true }
        })?;
    }
    for some in having.chunks(SCANS_AT_ONCE_MAX) {
        let ids: Vec<&str> = some.iter().map(|(image, _)| image.as_str()).collect();
        let mut scans = server.shown_of(principal, store.scans_of(&ids)?)?;
        for (image, numbers) in some {
            let Some(scan) = scans.remove(image.as_str()) else { continue };
            if found.images.len() >= IMAGES_MAX {
                is_cut = true;
                break;
            }
            found.images.push((scan, numbers.clone()));
        }
    }
    found.is_cut |= is_cut;
    let seen: BTreeSet<u32> = found.images.iter().flat_map(|(_, numbers)| numbers.iter().copied()).collect();
    found.packages.retain(|number, _| seen.contains(number));
    Ok(())
}

fn unreadable(error: LookupError) -> Refusal {
    Refusal::new(500, "internal", error.to_string())
}
