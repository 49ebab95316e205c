//! What pages show: a repository of many tags over as many images, one image of very many findings, and a database in which
//! what is looked for is one of many.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use jiff::Timestamp;
use plimsoll_core::distros;
use plimsoll_core::ecosystems;
use plimsoll_core::inventory::Inventory;
use plimsoll_core::matching::find;
use plimsoll_core::standings::Standings;
use plimsoll_feeds::database::{Builder, Database};
use plimsoll_feeds::feeds::Sink as _;
use plimsoll_store::{Store, Tag};

use super::fleet::{Fleet, REGISTRY, digest, inventory};
use super::{RELEASES, advisory, affected, debian, fill, package, record};

/// Images of the repository, each with a tag.
const IMAGES: u64 = 200;

/// Findings of the image that has most of them.
const FINDINGS: u64 = 5_000;

/// Packages that these are of.
const PACKAGES: u64 = 500;

/// The repository of all images.
const REPOSITORY: &str = "shop/app";

/// Writes `database.plimsoll` into a folder and fills a store; says what there is, a `name=value` a line.
pub(super) fn write(folder: &Path, place: &str, rows: u64, index_state: &str) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let path = folder.join("database.plimsoll");
    let mut builder = Builder::new();
    fill(&mut builder, rows);
    let mut sink = builder.begin_feed(record("debian-lts"));
    for number in 0..FINDINGS {
        let name = format!("many-{}", number % PACKAGES);
        // The images are of the third release.
        sink.advisory(&advisory(flaw(number), number), &[affected(RELEASES[2], &name, None, Some("99"))]);
    }
    builder.write(&path, "2026-01-01T00:00:00Z")?;
    let database = Database::open(&path)?;
    let store = Store::open(place)?;
    let fleet = Fleet { folder, place, images: IMAGES, rows, index_state, repository: Some(REPOSITORY) };
    let (mut tags, now) = (Vec::new(), Timestamp::now());
    for number in 0..IMAGES {
        fleet.put(&store, number, inventory(number), &database)?;
        tags.push(Tag {
            registry: REGISTRY.to_owned(),
            repository: REPOSITORY.to_owned(),
            tag: format!("1.{number}.0"),
            digest: digest(number),
            since: now,
            seen_at: now,
        });
    }
    store.note_tags(&tags, now)?;
    let large = large();
    let findings = find(&large, &database, &Standings::default()).findings.len();
    fleet.put(&store, IMAGES, large, &database)?;
    let common = inventory(0).packages.into_iter().next().context("an image has packages")?;
    println!("images={}\nfindings={findings}\nlarge={}", IMAGES + 1, digest(IMAGES).as_str());
    println!("repository={REGISTRY}/{REPOSITORY}\nflaw={}\npackage={}", flaw(0), common.name);
    Ok(())
}

fn flaw(number: u64) -> String {
    format!("CVE-2026-{}", 600_000 + number)
}

/// What is aboard the image of very many findings.
fn large() -> Inventory {
    let os = debian();
    let packages =
        (0..PACKAGES).map(|number| package(&ecosystems::DEB, format!("many-{number}"), "1.0".to_owned()));
    let packages = packages.collect();
    Inventory { distro: distros::recognise(&os), os_release: Some(os), packages, ..Inventory::default() }
}
