//! The distinct packages of all images, judged without the images: they are few beside them.
//!
//! What decides how a package is judged is the package and, where it is one of an operating system, the release. So packages of
//! one release are one small inventory, and what is found is what the reports of the images that have them say.

use std::collections::BTreeMap;

use plimsoll_core::finding::Finding;
use plimsoll_core::gap::GapKind;
use plimsoll_core::inventory::{Inventory, Package, Release};
use plimsoll_core::matching::find;
use plimsoll_core::standings::Standings;
use plimsoll_feeds::database::Database;
use plimsoll_store::PackageRow;

/// Packages that are judged at once: enough to hide what each inventory costs, and few enough to be nothing in memory.
const BATCH_MAX: usize = 500;

/// Gathers packages by release.
#[derive(Default)]
pub(crate) struct Distinct {
    /// By namespace; that of packages that no release judges is empty.
    waiting: BTreeMap<String, Batch>,
}

/// Packages of one release.
#[derive(Default)]
pub(crate) struct Batch {
    /// The number of each.
    pub(crate) numbers: Vec<u32>,
    /// The packages, in the same order.
    pub(crate) inventory: Inventory,
}

impl Distinct {
    /// Takes a package in; gives a batch that has become full.
    pub(crate) fn take(&mut self, row: PackageRow) -> Option<Batch> {
        let release = row.release.filter(|_| row.package.ecosystem.is_os);
        let namespace = release.as_ref().map(Release::namespace).unwrap_or_default();
        let batch = self.waiting.entry(namespace.clone()).or_default();
        batch.inventory.distro = release;
        batch.inventory.packages.push(row.package);
        batch.numbers.push(row.number);
        let is_full = batch.numbers.len() >= BATCH_MAX;
        is_full.then(|| self.waiting.remove(&namespace)).flatten()
    }

    /// What is left.
    pub(crate) fn rest(self) -> impl Iterator<Item = Batch> {
        self.waiting.into_values()
    }
}

impl Batch {
    /// All findings.
    ///
    /// # Errors
    ///
    /// If the database cannot be read: that is not one that says nothing.
    pub(crate) fn judge(&self, database: &Database, standings: &Standings) -> Result<Vec<Finding>, String> {
        let found = find(&self.inventory, database, standings);
        match found.gaps.iter().find(|gap| gap.kind == GapKind::LookupFailed) {
            Some(gap) => {
                Err(format!("the advisory database cannot be read: {}: {}", gap.subject, gap.detail))
            }
            None => Ok(found.findings),
        }
    }

    /// The package of a finding, with its number.
    pub(crate) fn of(&self, finding: &Finding) -> Option<(u32, &Package)> {
        self.numbers.get(finding.package).copied().zip(self.inventory.packages.get(finding.package))
    }
}
