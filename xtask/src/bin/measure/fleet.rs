//! A synthetic fleet: a store with many inventories, the database that they were judged with, and one in which some
//! hundred advisories are others. All is computed from numbers: a run gives the same as the last.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use plimsoll_core::advisory::{Advisories as _, Severity};
use plimsoll_core::digest::Digest;
use plimsoll_core::image::{Image, Platform};
use plimsoll_core::inventory::Inventory;
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_core::{distros, ecosystems};
use plimsoll_feeds::database::{Builder, Database};
use plimsoll_feeds::feeds::Sink as _;
use plimsoll_store::{
    Claim, InventoryRow, Judged, Outcome, Priority, ScanKind, Severities, Store, Submission,
};

use super::{LANGUAGES, PACKAGES, RELEASES, advisory, affected, fill, mix, package, package_name, record};

/// Packages of one image.
const ABOARD: u64 = 200;

/// Distinct versions of each package.
const VERSIONS: u64 = 6;

/// Distinct names that the fleet uses.
const NAMES: u64 = 8_000;

/// Advisories that the second database has otherwise.
const CHANGED: u64 = 500;

/// Writes `old.plimsoll` and `new.plimsoll` into a folder, and fills the store at a place.
pub(super) fn write(folder: &Path, place: &str, images: u64, rows: u64) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    for (name, built_at, word) in [
        ("old.plimsoll", "2026-01-01T00:00:00Z", Severity::Medium),
        ("new.plimsoll", "2026-01-02T00:00:00Z", Severity::Critical),
    ] {
        let mut builder = Builder::new();
        fill(&mut builder, rows);
        changing(&mut builder, word);
        builder.write(&folder.join(name), built_at)?;
    }
    let old = Database::open(&folder.join("old.plimsoll"))?;
    let store = Store::open(place)?;
    let started = Instant::now();
    for number in 0..images {
        put(&store, number, &old)?;
    }
    println!("images={images}\nfill_seconds={}", started.elapsed().as_secs_f64());
    Ok(())
}

/// The advisories that change: each is of a package that some images have.
fn changing(builder: &mut Builder, word: Severity) {
    let mut sink = builder.begin_feed(record("debian-lts"));
    for number in 0..CHANGED {
        let name = format!("source-{}", mix(number) % NAMES);
        let mut advisory = advisory(format!("CVE-2026-{}", 500_000 + number), number);
        advisory.severity = Some(word);
        sink.advisory(&advisory, &[affected(RELEASES[0], &name, None, Some("99"))]);
    }
}

fn inventory(number: u64) -> Inventory {
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
    Inventory { distro: distros::recognise(&os), os_release: Some(os), packages, gaps: Vec::new() }
}

/// Stores an image as a worker does.
fn put(store: &Store, number: u64, old: &Database) -> anyhow::Result<()> {
    let now: Timestamp = "2026-01-01T12:00:00Z".parse()?;
    let mut bytes = [0; 32];
    for (chunk, part) in bytes.chunks_mut(8).zip(0..) {
        chunk.copy_from_slice(&mix(number * 4 + part).to_be_bytes());
    }
    let digest = Digest::sha256(&bytes);
    let submission = Submission {
        digest: Some(digest.clone()),
        kind: ScanKind::Image,
        reference: format!("registry.example/team-{}/app-{number}:1", number % 100),
        registry: "registry.example".to_owned(),
        repository: format!("team-{}/app-{number}", number % 100),
        source: Vec::new(),
        priority: Priority::Asked,
        reason: Reason::Asked,
        attempts_max: 3,
        index_state: "bench".to_owned(),
        is_forced: false,
    };
    store.submit(&submission, now)?;
    let until = now + SignedDuration::from_mins(10);
    let claim =
        Claim { worker: "bench", until, per_registry_max: 100, all_max: 100, only: Some(digest.as_str()) };
    // There from an earlier run.
    let Some(claimed) = store.claim(&claim, now)? else { return Ok(()) };
    let image = Image {
        reference: submission.reference,
        digest: Some(digest),
        config_digest: None,
        platform: Platform::default(),
        layers: Vec::new(),
    };
    let inventory = inventory(number);
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
    };
    let outcome = Outcome::Judged {
        inventory: Box::new(InventoryRow {
            image,
            inventory,
            index_state: "bench".to_owned(),
            indexed_at: now,
        }),
        judged,
        state: ScanState::Completed,
        reason: Reason::Complete,
        detail: "done".to_owned(),
    };
    anyhow::ensure!(store.finish(&claimed.lease, &outcome, now)?, "the lease of image {number} is lost");
    Ok(())
}
