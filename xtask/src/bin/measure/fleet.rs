//! A synthetic fleet: a store with many inventories, the database that they were judged with, and one in which some
//! hundred advisories are others. All is computed from numbers: a run gives the same as the last.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use plimsoll_core::advisory::{Advisories as _, Severity};
use plimsoll_core::digest::Digest;
use plimsoll_core::image::{Image, Platform};
use plimsoll_core::inventory::{Inventory, Package};
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_core::{distros, ecosystems};
use plimsoll_feeds::database::{Builder, Database};
use plimsoll_feeds::feeds::Sink as _;
use plimsoll_store::{
    Claim, Claimed, InventoryRow, Judged, Outcome, Priority, ScanKind, Severities, Store, Submission,
};

use super::{LANGUAGES, PACKAGES, RELEASES, advisory, affected, fill, mix, package, package_name, record};

/// Packages of one image.
const ABOARD: u64 = 300;

/// Distinct versions of each package.
const VERSIONS: u64 = 6;

/// Distinct names that the fleet uses.
const NAMES: u64 = 20_000;

/// Advisories that the second database has otherwise.
const CHANGED: u64 = 500;

/// One in so many of those is of a package that many images have; the others are of packages that few have.
const COMMON: u64 = 100;

/// The registry of all images.
pub(super) const REGISTRY: &str = "registry.example";

/// How a fleet is made.
pub(super) struct Fleet<'a> {
    /// Where the databases and the list of digests go.
    pub(super) folder: &'a Path,
    /// The store.
    pub(super) place: &'a str,
    /// Images.
    pub(super) images: u64,
    /// Rows of the databases.
    pub(super) rows: u64,
    /// What the images are said to be indexed by; by another one than the server's they would be scanned again.
    pub(super) index_state: &'a str,
    /// The repository of all images; `None` where each has its own.
    pub(super) repository: Option<&'a str>,
}

impl Fleet<'_> {
    /// Writes two databases, the digests of all images and of those that the second database says something else of, and
    /// `held`, the id of a scan that somebody is at work on for ever; and fills the store.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        fs::create_dir_all(self.folder)
            .with_context(|| format!("cannot make `{}`", self.folder.display()))?;
        for (name, built_at, word) in [
            ("old.plimsoll", "2026-01-01T00:00:00Z", Severity::Medium),
            ("new.plimsoll", "2026-01-02T00:00:00Z", Severity::Critical),
        ] {
            let mut builder = Builder::new();
            fill(&mut builder, self.rows);
            changing(&mut builder, word);
            builder.write(&self.folder.join(name), built_at)?;
        }
        let old = Database::open(&self.folder.join("old.plimsoll"))?;
        let store = Store::open(self.place)?;
        let started = Instant::now();
        let changed: HashSet<String> = (0..CHANGED).map(changing_name).collect();
        let mut affected = Vec::new();
        for number in 0..self.images {
            let inventory = inventory(number);
            let is_changed = |package: &Package| package.ecosystem.is_os && changed.contains(&package.name);
            if inventory.packages.iter().any(is_changed) {
                affected.push(digest(number).as_str().to_owned());
            }
            self.put(&store, number, inventory, &old)?;
        }
        let seconds = started.elapsed().as_secs_f64();
        let digests: Vec<String> =
            (0..self.images).map(|number| digest(number).as_str().to_owned()).collect();
        fs::write(self.folder.join("digests"), digests.join("\n"))?;
        fs::write(self.folder.join("affected"), affected.join("\n"))?;
        let held = digest(self.images);
        self.claim(&store, self.images, &held, "2999-01-01T00:00:00Z".parse()?)?;
        fs::write(self.folder.join("held"), held.as_str())?;
        println!("images={}\nfill_seconds={seconds}", self.images);
        Ok(())
    }

    /// Hands an image in and takes it in hand; `None` where it is there from an earlier run.
    fn claim(
        &self,
        store: &Store,
        number: u64,
        digest: &Digest,
        until: Timestamp,
    ) -> anyhow::Result<Option<Claimed>> {
        let now = Timestamp::now();
        let repository = match self.repository {
            Some(repository) => repository.to_owned(),
            None => format!("team-{}/app-{number}", number % 100),
        };
        let submission = Submission {
            digest: Some(digest.clone()),
            kind: ScanKind::Image,
            reference: format!("{REGISTRY}/{repository}:1"),
            registry: REGISTRY.to_owned(),
            repository,
            source: Vec::new(),
            priority: Priority::Asked,
            reason: Reason::Asked,
            attempts_max: 3,
            index_state: self.index_state.to_owned(),
            is_forced: false,
        };
        store.submit(&submission, now)?;
        let claim = Claim {
            worker: "bench",
            until,
            per_registry_max: 100,
            all_max: 100,
            only: Some(digest.as_str()),
        };
        Ok(store.claim(&claim, now)?)
    }

    /// Stores an image as a worker does.
    pub(super) fn put(
        &self,
        store: &Store,
        number: u64,
        inventory: Inventory,
        old: &Database,
    ) -> anyhow::Result<()> {
        let digest = digest(number);
        let now = Timestamp::now();
        let until = now + SignedDuration::from_mins(10);
        let Some(claimed) = self.claim(store, number, &digest, until)? else { return Ok(()) };
        let image = Image {
            reference: claimed.scan.reference.clone(),
            digest: Some(digest),
            config_digest: None,
            platform: Platform::default(),
            layers: Vec::new(),
        };
        let judged = Judged {
            database: old.identity().id.clone(),
            database_built_at: old.identity().built_at.clone(),
            at: now,
            packages: u32::try_from(inventory.packages.len())?,
            findings: Severities { medium: 20, ..Severities::default() },
            fixable: 20,
            exploited: 0,
            gaps: 0,
            late_feeds: Vec::new(),
            layer_bytes: None,
        };
        let index_state = self.index_state.to_owned();
        let outcome = Outcome::Judged {
            inventory: Box::new(InventoryRow { image, inventory, index_state, indexed_at: now }),
            judged,
            state: ScanState::Completed,
            reason: Reason::Complete,
            detail: "done".to_owned(),
        };
        anyhow::ensure!(store.finish(&claimed.lease, &outcome, now)?, "the lease of image {number} is lost");
        Ok(())
    }
}

pub(super) fn digest(number: u64) -> Digest {
    let mut bytes = [0; 32];
    for (chunk, part) in bytes.chunks_mut(8).zip(0..) {
        chunk.copy_from_slice(&mix(number * 4 + part).to_be_bytes());
    }
    Digest::sha256(&bytes)
}

/// The advisories that change: each is of a package that some images have.
fn changing(builder: &mut Builder, word: Severity) {
    let mut sink = builder.begin_feed(record("debian-lts"));
    for number in 0..CHANGED {
        let mut advisory = advisory(format!("CVE-2026-{}", 500_000 + number), number);
        advisory.severity = Some(word);
        // The fleet is of the third release.
        sink.advisory(&advisory, &[affected(RELEASES[2], &changing_name(number), None, Some("99"))]);
    }
}

/// The package that a changing advisory is about.
fn changing_name(number: u64) -> String {
    let name = if number.is_multiple_of(COMMON) { NAMES / 8 + number } else { NAMES - 1 - number };
    format!("source-{name}")
}

pub(super) fn inventory(number: u64) -> Inventory {
    let os = super::debian();
    let packages = (0..ABOARD).map(|at| {
        let dice = mix(number * ABOARD + at);
        // Common packages are in many images, others in few.
        let name = (dice % NAMES) * (dice >> 32 & 0xff) / 0xff;
        let ecosystem = if at % 5 < 3 { &ecosystems::DEB } else { LANGUAGES[(name % 3) as usize] };
        let version = format!("{}.{}.0", mix(name) % 9 + 1, (dice >> 40) % VERSIONS);
        package(ecosystem, package_name(ecosystem, name % PACKAGES), version)
    });
    let mut packages: Vec<_> = packages.collect();
    packages.sort_by(|a, b| {
        (a.ecosystem.name, &a.name, &a.version).cmp(&(b.ecosystem.name, &b.name, &b.version))
    });
    packages.dedup_by(|a, b| (a.ecosystem.name, &a.name) == (b.ecosystem.name, &b.name));
    Inventory { distro: distros::recognise(&os), os_release: Some(os), packages, ..Inventory::default() }
}
