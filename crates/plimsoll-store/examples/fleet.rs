//! How long it takes to find the images that a change of advisories concerns, over a large fleet.
//!
//! `cargo run --release -p plimsoll-store --example fleet -- PLACE [IMAGES]`, PLACE an empty store. The fleet is written
//! past the store, for speed; its tables are those of the first migration.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use plimsoll_core::digest::Digest;
use plimsoll_core::ecosystems;
use plimsoll_core::image::{Image, Platform};
use plimsoll_core::inventory::{Inventory, Package};
use plimsoll_core::scan::Reason;
use plimsoll_store::{Claim, InventoryRow, Outcome, Priority, ScanKind, Store, StoreError, Submission};

const IMAGES: u32 = 100_000;
const PACKAGES_OF_AN_IMAGE: u32 = 300;
const PACKAGES_OF_A_LARGE_IMAGE: u32 = 2_500;
const PACKAGES: u32 = 300_000;
/// What 500 advisories are about.
const CHANGED: u32 = 5_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let place = arguments.next().ok_or("say where an empty store is")?;
    let images = arguments.next().map_or(Ok(IMAGES), |count| count.parse())?;
    let store = Store::open(&place)?;
    let began = Instant::now();
    match place.starts_with("postgres") {
        true => fill_postgres(&place, images)?,
        false => fill_sqlite(&place, images)?,
    }
    println!("{images} images of {PACKAGES_OF_AN_IMAGE} packages written in {:.2?}", began.elapsed());
    for changed in [1, CHANGED / 10, CHANGED] {
        let numbers: Vec<u32> = (0..changed).map(|number| 1 + number * (PACKAGES / changed)).collect();
        let began = Instant::now();
        let (found, packages) = count(&store, &numbers)?;
        println!(
            "{changed} packages: {found} images, {packages} packages of theirs, in {:.2?}",
            began.elapsed()
        );
    }
    let began = Instant::now();
    println!("{:?} in {:.2?}", store.counts()?, began.elapsed());
    for (image, title) in [(u32::MAX, "new"), (u32::MAX - 1, "known")] {
        let took = scan(&store, &digest(image))?;
        println!("an image of {PACKAGES_OF_A_LARGE_IMAGE} packages that are {title} written in {took:.2?}");
    }
    let names: Vec<(String, String)> =
        (0..500).map(|number| ("pypi".to_owned(), format!("p{}", number * 5))).collect();
    let (began, mut found) = (Instant::now(), 0);
    store.packages_named(&names, &mut |_| found += 1)?;
    println!("{found} packages by {} names in {:.2?}", names.len(), began.elapsed());
    Ok(())
}

/// Scans an image of many packages; how long its end took.
fn scan(store: &Store, digest: &Digest) -> Result<Duration, Box<dyn std::error::Error>> {
    let now = Timestamp::UNIX_EPOCH;
    let submission = Submission {
        digest: Some(digest.clone()),
        kind: ScanKind::Image,
        reference: String::new(),
        registry: String::new(),
        repository: String::new(),
        source: Vec::new(),
        priority: Priority::Asked,
        reason: Reason::Asked,
        attempts_max: 1,
        index_state: String::new(),
        is_forced: false,
    };
    store.submit(&submission, now)?;
    let claim = Claim { worker: "w", until: Timestamp::MAX, per_registry_max: 1, all_max: 1, only: None };
    let lease = store.claim(&claim, now)?.ok_or("nothing is due")?.lease;
    let packages = (0..PACKAGES_OF_A_LARGE_IMAGE).map(|number| Package {
        ecosystem: &ecosystems::PYPI,
        name: format!("p{number}"),
        version: "1.0".to_owned(),
        purl: format!("pkg:pypi/p{number}@1.0"),
        source: None,
        architecture: None,
        module: None,
        licenses: vec!["MIT".to_owned()],
        evidence_path: format!("/usr/lib/python3/site-packages/p{number}-1.0.dist-info/METADATA"),
        layer: Some(digest.clone()),
        owned_by: None,
    });
    let inventory = Inventory { packages: packages.collect(), ..Inventory::default() };
    let image = Image {
        reference: String::new(),
        digest: Some(digest.clone()),
        config_digest: None,
        platform: Platform::default(),
        layers: Vec::new(),
    };
    let row = InventoryRow { image, inventory, index_state: String::new(), indexed_at: now };
    let outcome = Outcome::Awaiting {
        inventory: Box::new(row),
        reason: Reason::NoDatabase,
        awaited: Vec::new(),
        detail: String::new(),
    };
    let began = Instant::now();
    store.finish(&lease, &outcome, now)?;
    Ok(began.elapsed())
}

fn count(store: &Store, numbers: &[u32]) -> Result<(usize, usize), StoreError> {
    let (mut images, mut packages) = (0, 0);
    store.images_with(numbers, &mut |_, found| {
        images += 1;
        packages += found.len();
    })?;
    Ok((images, packages))
}

fn digest(image: u32) -> Digest {
    let mut bytes = [0; 32];
    // Spread, as digests are.
    bytes[..4].copy_from_slice(&image.wrapping_mul(2_654_435_761).to_be_bytes());
    Digest::sha256(&bytes)
}

/// Sorted numbers as the store keeps them: distances, seven bits a byte.
fn numbers(image: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut seed = image;
    for _ in 0..PACKAGES_OF_AN_IMAGE {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut distance = 1 + (seed >> 8) % (2 * PACKAGES / PACKAGES_OF_AN_IMAGE - 2);
        while distance > 0x7f {
            bytes.push(u8::try_from(distance & 0x7f).unwrap_or_default() | 0x80);
            distance >>= 7;
        }
        bytes.push(u8::try_from(distance).unwrap_or_default());
    }
    bytes
}

fn fill_sqlite(place: &str, images: u32) -> rusqlite::Result<()> {
    let mut connection = rusqlite::Connection::open(place)?;
    let transaction = connection.transaction()?;
    for image in 0..images {
        let digest = digest(image);
        transaction
            .prepare_cached("INSERT INTO inventories VALUES (?1, '', 0, 1, x'')")?
            .execute([digest.as_str()])?;
        transaction
            .prepare_cached("INSERT INTO image_packages VALUES (?1, ?2)")?
            .execute((digest.as_str(), numbers(image)))?;
    }
    for package in 1..=PACKAGES {
        transaction
            .prepare_cached("INSERT INTO packages VALUES (?1, ?2, 'debian:12', ?2, x'')")?
            .execute((package, format!("p{package}")))?;
    }
    transaction.commit()
}

fn fill_postgres(place: &str, images: u32) -> Result<(), postgres::Error> {
    let mut client = postgres::Client::connect(place, postgres::NoTls)?;
    let mut transaction = client.transaction()?;
    let all: Vec<u32> = (0..images).collect();
    for some in all.chunks(5_000) {
        let digests: Vec<String> = some.iter().map(|image| digest(*image).as_str().to_owned()).collect();
        let numbers: Vec<Vec<u8>> = some.iter().map(|image| numbers(*image)).collect();
        transaction
            .execute("INSERT INTO inventories SELECT unnest($1::text[]), '', 0, 1, ''", &[&digests])?;
        transaction.execute(
            "INSERT INTO image_packages SELECT * FROM unnest($1::text[], $2::bytea[])",
            &[&digests, &numbers],
        )?;
    }
    transaction.execute(
        "INSERT INTO packages SELECT n, 'p' || n, 'debian:12', 'p' || n, '' FROM generate_series(1, $1::bigint) n",
        &[&i64::from(PACKAGES)],
    )?;
    transaction.execute(
        "SELECT setval(pg_get_serial_sequence('packages', 'number'), $1)",
        &[&i64::from(PACKAGES)],
    )?;
    transaction.commit()?;
    client.batch_execute("ANALYZE")
}
