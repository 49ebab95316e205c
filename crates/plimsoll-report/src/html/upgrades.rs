//! What one upgrade would mend: the fixable findings of an image, a package at a time.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use plimsoll_core::advisory::Severity;
use plimsoll_core::assessment::Assessment;
use plimsoll_core::finding::Finding;
use plimsoll_core::inventory::Package;

/// A package with findings, and what upgrading it would do.
#[derive(Clone, Debug)]
pub struct Upgrade<'a> {
    /// The package.
    pub package: &'a Package,
    /// Its place in the inventory.
    pub place: usize,
    /// The smallest version that has every fix there is; `None` where there is none, or where the versions that have
    /// fixes cannot be compared.
    pub to: Option<&'a str>,
    /// Its findings.
    pub findings: Vec<&'a Finding>,
    /// How many of them have a fix.
    pub fixable: usize,
}

impl Upgrade<'_> {
    /// How many findings stay whatever is done.
    pub fn remaining(&self) -> usize {
        self.findings.len() - self.fixable
    }

    /// The worst of its findings.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().filter_map(|finding| finding.severity).max()
    }
}

/// The packages with findings. Those come first of which an upgrade mends the worst and the most.
pub fn upgrades(assessment: &Assessment) -> Vec<Upgrade<'_>> {
    let mut by_package: BTreeMap<usize, Vec<&Finding>> = BTreeMap::new();
    for finding in &assessment.findings.findings {
        by_package.entry(finding.package).or_default().push(finding);
    }
    let mut upgrades: Vec<Upgrade<'_>> = by_package
        .into_iter()
        .filter_map(|(place, findings)| {
            let package = assessment.inventory.packages.get(place)?;
            let fixable = findings.iter().filter(|finding| finding.fixed_in.is_some()).count();
            Some(Upgrade { package, place, to: target(package, &findings), findings, fixable })
        })
        .collect();
    upgrades.sort_by_key(|upgrade| std::cmp::Reverse(weight(upgrade)));
    upgrades
}

/// What an upgrade mends: how bad the worst is, then how much.
fn weight(upgrade: &Upgrade<'_>) -> (Option<Severity>, usize, usize) {
    let fixable = upgrade.findings.iter().filter(|finding| finding.fixed_in.is_some());
    let worst = fixable.filter_map(|finding| finding.severity).max();
    (worst, upgrade.fixable, upgrade.findings.len())
}

/// The highest of the versions that have a fix.
fn target<'a>(package: &Package, findings: &[&'a Finding]) -> Option<&'a str> {
    let mut versions = findings.iter().filter_map(|finding| finding.fixed_in.as_deref());
    let first = versions.next()?;
    versions.try_fold(first, |highest, version| match (package.ecosystem.scheme.compare)(version, highest) {
        Ok(Ordering::Greater) => Some(version),
        Ok(_) => Some(highest),
        Err(_) if version == highest => Some(highest),
        Err(_) => None,
    })
}
