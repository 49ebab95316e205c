//! What `cargo xtask bench` measures inside a process of its own: the floor of a scan, and the database.
//!
//! `measure floor LAYOUT` hashes and inflates the layers of an OCI layout and does nothing else, with the crates,
//! the buffers and the number of threads that a scan has. `measure database FILE ROWS` builds a synthetic
//! database, opens it and matches an inventory. Both write `name=value` lines. `measure feeds FOLDER` writes feeds
//! of the size of the real ones. `measure fleet FOLDER STORE IMAGES ROWS INDEX_STATE` fills a store with
//! inventories, and writes two databases of which some advisories differ. `measure copy FILE PLACE` copies a store to PostgreSQL.
//! `measure page FOLDER STORE ROWS INDEX_STATE` fills a store with what pages show. `measure hive FILE` asks a registry hive.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context as _, bail};
use flate2::bufread::MultiGzDecoder;
use plimsoll_core::advisory::{
    Advisory, Affected, Cvss, FeedRecord, FixState, Range, RangeEnd, Severity, Status,
};
use plimsoll_core::ecosystems::{self, Ecosystem};
use plimsoll_core::inventory::{Inventory, OsRelease, Package};
use plimsoll_core::standings::Standings;
use plimsoll_core::{distros, matching};
use plimsoll_feeds::database::{Builder, Database};
use plimsoll_feeds::feeds::Sink;
use sha2::{Digest as _, Sha256};

mod copy;
mod feeds;
mod fleet;
mod hive;
mod page;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["floor", layout] => floor(Path::new(layout)),
        ["database", file, rows] => database(Path::new(file), rows.parse()?),
        ["hive", file] => hive::measure(Path::new(file)),
        ["feeds", folder] => feeds::write(Path::new(folder)),
        ["fleet", folder, place, images, rows, index_state] => {
            let (images, rows) = (images.parse()?, rows.parse()?);
            let fleet = fleet::Fleet {
                folder: Path::new(folder),
                place,
                images,
                rows,
                index_state,
                repository: None,
            };
            fleet.write()
        }
        ["page", folder, place, rows, index_state] => {
            page::write(Path::new(folder), place, rows.parse()?, index_state)
        }
        ["copy", file, place] => copy::copy(file, place),
        _ => bail!(
            "usage: measure floor LAYOUT | measure database FILE ROWS | measure feeds FOLDER | measure fleet FOLDER STORE IMAGES ROWS INDEX_STATE | measure page FOLDER STORE ROWS INDEX_STATE | measure copy FILE PLACE | measure hive FILE"
        ),
    }
}

/// Buffers of a scan's layer pass, in bytes.
const BUFFER_BYTES: usize = 256 << 10;

fn floor(layout: &Path) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut blobs: Vec<(u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(layout.join("blobs/sha256")).context("cannot list the layout's blobs")? {
        let path = entry?.path();
        let mut magic = [0; 2];
        // Documents are JSON; what is gzipped is a layer.
        if File::open(&path)?.read(&mut magic)? == 2 && magic == [0x1f, 0x8b] {
            blobs.push((path.metadata()?.len(), path));
        }
    }
    // Smallest first, to be taken from the end.
    blobs.sort();
    let stored: u64 = blobs.iter().map(|(size, _)| size).sum();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(blobs.len());
    let pending = Mutex::new(blobs);
    let take = || pending.lock().ok()?.pop();
    let work = || -> io::Result<u64> {
        let mut unpacked = 0;
        while let Some((_, path)) = take() {
            unpacked += inflate(&path)?;
        }
        Ok(unpacked)
    };
    let results: Vec<io::Result<u64>> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        handles.into_iter().map(|handle| handle.join().expect("nothing here panics")).collect()
    });
    let mut unpacked = 0;
    for result in results {
        unpacked += result?;
    }
    println!("seconds={}\nstored={stored}\nunpacked={unpacked}", started.elapsed().as_secs_f64());
    Ok(())
}

/// Hashes the stored bytes of a layer and inflates them; how many bytes there are unpacked.
fn inflate(path: &Path) -> io::Result<u64> {
    struct Hashed {
        file: File,
        hasher: Sha256,
    }
    impl Read for Hashed {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.file.read(buffer)?;
            self.hasher.update(&buffer[..count]);
            Ok(count)
        }
    }
    let hashed = Hashed { file: File::open(path)?, hasher: Sha256::new() };
    let mut stored = BufReader::with_capacity(BUFFER_BYTES, hashed);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut unpacked = 0;
    let mut decoder = MultiGzDecoder::new(&mut stored);
    loop {
        match decoder.read(&mut buffer)? {
            0 => break,
            count => unpacked += count as u64,
        }
    }
    std::hint::black_box(stored.into_inner().hasher.finalize());
    Ok(unpacked)
}

/// Packages that each synthetic namespace has advisories for.
const PACKAGES: u64 = 20_000;
/// Packages of the inventory that is matched.
const INVENTORY: u64 = 2_500;
/// Releases of Debian that each of its advisories speaks of.
const RELEASES: [&str; 5] = ["debian:10", "debian:11", "debian:12", "debian:13", "debian:14"];
/// Language ecosystems that advisories speak of in turn, two rows each.
static LANGUAGES: [&Ecosystem; 3] = [&ecosystems::NPM, &ecosystems::PYPI, &ecosystems::MAVEN];

fn database(path: &Path, rows: u64) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut builder = Builder::new();
    fill(&mut builder, rows);
    let fed = started.elapsed().as_secs_f64();
    let built = builder.write(path, "2026-01-01T00:00:00Z")?;
    let seconds = started.elapsed().as_secs_f64();
    println!("build_seconds={seconds}\nfeed_seconds={fed}\nrows={}\nbytes={}", built.rows, built.bytes);
    let list = |times: &[f64]| times.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
    for (name, share) in [("few", 20), ("many", 2)] {
        let inventory = inventory(share);
        let mut open = Vec::new();
        let mut both = Vec::new();
        let mut findings = 0;
        for _ in 0..5 {
            let started = Instant::now();
            let database = Database::open(path)?;
            open.push(started.elapsed().as_secs_f64());
            findings = matching::find(&inventory, &database, &Standings::default()).findings.len();
            both.push(started.elapsed().as_secs_f64());
        }
        println!("{name}_seconds={}\n{name}_findings={findings}", list(&both));
        if name == "few" {
            println!("open_seconds={}", list(&open));
        }
    }
    Ok(())
}

/// Half of the rows from a distribution, half from language ecosystems. All is computed from numbers: a run
/// gives the same rows as the last.
fn fill(builder: &mut Builder, rows: u64) {
    let mut sink = builder.begin_feed(record("debian-tracker"));
    for number in 0..rows / 2 / RELEASES.len() as u64 {
        let name = format!("source-{}", mix(number) % PACKAGES);
        let fixed = format!("{}.{}-{}", mix(number) % 9 + 1, mix(number + 1) % 40, number % 7 + 1);
        let affected = RELEASES.map(|release| affected(release, &name, None, Some(&fixed)));
        sink.advisory(
            &advisory(format!("CVE-{}-{}", 2004 + number % 22, 10_000 + number), number),
            &affected,
        );
    }
    let mut sink = builder.begin_feed(record("osv-pypi"));
    for number in 0..rows / 4 {
        let ecosystem = LANGUAGES[(number % 3) as usize];
        let name = package_name(ecosystem, mix(number) % PACKAGES);
        let major = mix(number) % 20 + 1;
        let (first, second) =
            (format!("{major}.{}.1", number % 30), format!("{}.0.{}", major + 1, number % 9 + 1));
        let introduced = format!("{}.0.0", major + 1);
        let rows = [
            affected(ecosystem.name, &name, None, Some(&first)),
            affected(ecosystem.name, &name, Some(&introduced), Some(&second)),
        ];
        let mut advisory = advisory(format!("GHSA-{:012x}", mix(number)), number);
        advisory.aliases = vec![format!("CVE-{}-{}", 2015 + number % 11, 200_000 + number)];
        sink.advisory(&advisory, &rows);
    }
}

fn record(name: &str) -> FeedRecord {
    FeedRecord {
        name: name.to_owned(),
        fetched_at: "2026-01-01T00:00:00Z".to_owned(),
        ..FeedRecord::default()
    }
}

fn affected(namespace: &str, package: &str, introduced: Option<&str>, fixed: Option<&str>) -> Affected {
    Affected {
        namespace: namespace.to_owned(),
        package: package.to_owned(),
        status: Status::Affected,
        fix: FixState::Unstated,
        ranges: vec![Range {
            introduced: introduced.map(str::to_owned),
            end: fixed.map_or(RangeEnd::Open, |fixed| RangeEnd::Fixed(fixed.to_owned())),
        }],
        module: None,
        architectures: Vec::new(),
        severity: None,
    }
}

fn advisory(id: String, number: u64) -> Advisory {
    Advisory {
        summary: words(number, 9),
        description: words(number + 1, 40),
        severity: Severity::ALL.get((mix(number) % 5) as usize).copied(),
        cvss: Cvss::read("synthetic", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H").into_iter().collect(),
        references: vec![format!("https://advisories.example/{id}")],
        published: Some("2025-01-01T00:00:00Z".to_owned()),
        modified: Some("2025-06-01T00:00:00Z".to_owned()),
        id,
        ..Advisory::default()
    }
}

/// Packages of which one in `share` has advisories: a fifth the distribution's, the rest of languages.
fn inventory(share: u64) -> Inventory {
    let os = debian();
    let packages = (0..INVENTORY).map(|number| {
        let ecosystem = if number % 5 == 0 { &ecosystems::DEB } else { LANGUAGES[(number % 3) as usize] };
        let name = package_name(ecosystem, mix(number) % (share * PACKAGES));
        package(ecosystem, name, format!("{}.{}.0", mix(number) % 20 + 1, number % 30))
    });
    let mut packages: Vec<Package> = packages.collect();
    packages.sort_by(|a, b| (a.ecosystem.name, &a.name).cmp(&(b.ecosystem.name, &b.name)));
    Inventory { distro: distros::recognise(&os), os_release: Some(os), packages, ..Inventory::default() }
}

fn debian() -> OsRelease {
    OsRelease { id: "debian".to_owned(), version_id: Some("12".to_owned()), ..OsRelease::default() }
}

fn package(ecosystem: &'static Ecosystem, name: String, version: String) -> Package {
    Package {
        ecosystem,
        version,
        purl: format!("pkg:{}/{name}", ecosystem.name),
        name,
        source: None,
        architecture: None,
        module: None,
        licenses: Vec::new(),
        evidence_path: "/evidence".to_owned(),
        layer: None,
        owned_by: None,
    }
}

fn package_name(ecosystem: &Ecosystem, number: u64) -> String {
    match (ecosystem.is_os, ecosystem == &ecosystems::MAVEN) {
        (true, _) => format!("source-{number}"),
        (_, true) => format!("org.example.group{}:artifact-{number}", number % 500),
        _ => format!("package-{number}"),
    }
}

fn words(seed: u64, count: u64) -> String {
    const WORDS: [&str; 16] = [
        "a", "remote", "caller", "may", "read", "memory", "beyond", "the", "buffer", "when", "parsing",
        "crafted", "input", "of", "length", "overflow",
    ];
    let word = |index| WORDS[(mix(seed * 64 + index) % 16) as usize];
    (0..count).map(word).collect::<Vec<_>>().join(" ")
}

/// Spreads a number over 64 bits (splitmix64).
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
