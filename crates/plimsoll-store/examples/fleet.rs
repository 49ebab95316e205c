//! How long it takes to find the images that a change of advisories concerns, over a large fleet.
//!
//! `cargo run --release -p plimsoll-store --example fleet -- PLACE [IMAGES]`, PLACE an empty store. The fleet is written
//! past the store, for speed; its tables are those of the first migration.

use std::time::Instant;

use plimsoll_core::digest::Digest;
use plimsoll_store::{Store, StoreError};

const IMAGES: u32 = 100_000;
const PACKAGES_OF_AN_IMAGE: u32 = 300;
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
    Ok(())
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
    transaction.commit()?;
    client.batch_execute("ANALYZE")
}
