//! What is aboard each image, and the packages of all images, each once.
//!
//! An inventory is kept whole, for reports, and as the numbers of its packages. Packages that are judged alike have one
//! number over the whole fleet: a change of advisories is held against each distinct package once, and then against
//! lists of numbers, never by matching the fleet again.

use jiff::Timestamp;
use plimsoll_core::digest::Digest;
use plimsoll_core::image::Image;
use plimsoll_core::inventory::{Inventory, Package, Release};

use crate::{Store, StoreError};

/// An image and what is aboard.
#[derive(Clone, Debug)]
pub struct InventoryRow {
    /// The image; its `digest` is there.
    pub image: Image,
    /// What is aboard.
    pub inventory: Inventory,
    /// What it was indexed by.
    pub index_state: String,
    /// When.
    pub indexed_at: Timestamp,
}

/// How many findings there are of each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Severities {
    /// Critical.
    pub critical: u32,
    /// High.
    pub high: u32,
    /// Medium.
    pub medium: u32,
    /// Low.
    pub low: u32,
    /// Negligible.
    pub negligible: u32,
    /// Nobody says.
    pub unknown: u32,
}

/// What was found, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// `sha256:..` of the advisory database.
    pub database: String,
    /// When that was built, RFC 3339.
    pub database_built_at: String,
    /// When it was judged.
    pub at: Timestamp,
    /// Packages.
    pub packages: u32,
    /// Findings by severity.
    pub findings: Severities,
    /// Findings that have a fix.
    pub fixable: u32,
    /// Findings that CISA lists as exploited.
    pub exploited: u32,
    /// Gaps.
    pub gaps: u32,
    /// Feeds that the image needs and that are old, missing, off or failing: name and state.
    pub late_feeds: Vec<(String, String)>,
}

/// A package as all images share it: everything that decides how it is judged, nothing of where it lies.
#[derive(Clone, Debug)]
pub struct PackageRow {
    /// Its number.
    pub number: u32,
    /// The distribution release that it is judged by; `None` where the image has none.
    pub release: Option<Release>,
    /// The package, without evidence path and layer. `owned_by` is there where an operating-system package owns it.
    pub package: Package,
}

impl Store {
    /// What is aboard an image.
    pub fn inventory(&self, digest: &Digest) -> Result<Option<InventoryRow>, StoreError> {
        let _ = digest;
        Err(StoreError::unfinished())
    }

    /// Notes what was found with another database, where the image is still known; the scan's state stays.
    pub fn note_judged(&self, digest: &Digest, judged: &Judged) -> Result<(), StoreError> {
        let _ = (digest, judged);
        Err(StoreError::unfinished())
    }

    /// All distinct packages with a name that one of these may be looked up by: pairs of namespace and name as a
    /// database's diff has them. Handed out one by one.
    pub fn packages_named(
        &self,
        names: &[(String, String)],
        each: &mut dyn FnMut(PackageRow),
    ) -> Result<(), StoreError> {
        let _ = (names, each);
        Err(StoreError::unfinished())
    }

    /// Each image that has one of these packages, with those that it has, in the order of digests. `numbers` is
    /// sorted.
    pub fn images_with(
        &self,
        numbers: &[u32],
        each: &mut dyn FnMut(Digest, Vec<u32>),
    ) -> Result<(), StoreError> {
        let _ = (numbers, each);
        Err(StoreError::unfinished())
    }
}
