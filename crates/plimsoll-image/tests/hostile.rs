//! Images that were made to break whoever reads them, from their documents to their inventory.
//!
//! Each holds honest packages beside what is hostile. Nothing may panic or take long, the honest packages must
//! be there, and a gap must say what was not read and why.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use plimsoll_core::digest::Digest;
use plimsoll_core::gap::GapKind;
use plimsoll_core::image::Platform;
use plimsoll_core::inventory::Inventory;
use plimsoll_core::matching::without_database;
use plimsoll_image::catalog::{Options, catalog};
use plimsoll_image::catalogers::{Found, FoundPackage};
use plimsoll_image::cause::Cause;
use plimsoll_image::facts::{FileFacts, LayerFacts, PathSetBuilder};
use plimsoll_image::layers::{Expected, Shared, read_layer};
use plimsoll_image::limits::Limits;
use plimsoll_image::merge::merge;
use plimsoll_image::open::documents::Descriptor;
use plimsoll_image::open::{OpenError, Opened, PlatformChoice, Store, resolve};
use support::{Layer, digest, gzip};

mod support;
#[allow(dead_code, reason = "only a part of what it writes is hostile")]
#[path = "support/zip_writer.rs"]
mod zip_writer;

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const STATUS: &str = "var/lib/dpkg/status";

/// Longest that one image may take here. The slowest takes a tenth of it.
const TIME_MAX: Duration = Duration::from_secs(30);

/// Blobs in memory.
#[derive(Clone, Default)]
struct Shelf(HashMap<Digest, Vec<u8>>);

impl Shelf {
    fn put(&mut self, media_type: &str, bytes: impl Into<Vec<u8>>) -> Descriptor {
        let bytes = bytes.into();
        let descriptor = Descriptor::new(media_type, digest(&bytes), bytes.len() as u64);
        self.0.insert(descriptor.digest.clone(), bytes);
        descriptor
    }

    /// Puts a config that lists so many layers.
    fn config(&mut self, layers: usize) -> Descriptor {
        let diff_ids: Vec<String> = (0..layers).map(|nth| digest(&nth.to_le_bytes()).to_string()).collect();
        let config = serde_json::json!({
            "os": "linux", "architecture": "amd64", "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        self.put(CONFIG_TYPE, config.to_string())
    }

    fn put_manifest(&mut self, config: &Descriptor, layers: &[Descriptor]) -> Descriptor {
        let layers: Vec<String> = layers.iter().map(json).collect();
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST_TYPE}","config":{},"layers":[{}]}}"#,
            json(config),
            layers.join(",")
        );
        self.put(MANIFEST_TYPE, text)
    }

    fn index(&mut self, children: &[Descriptor]) -> Descriptor {
        let children: Vec<String> = children.iter().map(json).collect();
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{INDEX_TYPE}","manifests":[{}]}}"#,
            children.join(",")
        );
        self.put(INDEX_TYPE, text)
    }

    /// An honest image of these layers.
    fn image(&mut self, layers: &[Vec<u8>]) -> Descriptor {
        let layers: Vec<Descriptor> =
            layers.iter().map(|bytes| self.put("application/octet-stream", bytes.clone())).collect();
        let config = self.config(layers.len());
        self.put_manifest(&config, &layers)
    }

    fn open(self, top: &Descriptor) -> Result<Opened, OpenError> {
        let platform =
            Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), ..Platform::default() };
        let choice = PlatformChoice::Default(platform);
        resolve(Box::new(self), "hostile", std::slice::from_ref(top), &choice, &Limits::default())
    }

    fn refusal(self, top: &Descriptor) -> String {
        self.open(top).err().expect("it is refused").to_string()
    }
}

impl Store for Shelf {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, OpenError> {
        self.blob(descriptor)
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, OpenError> {
        let missing = || OpenError::NotFound { what: descriptor.digest.to_string(), detail: String::new() };
        let bytes = self.0.get(&descriptor.digest).ok_or_else(missing)?;
        Ok(Box::new(io::Cursor::new(bytes.clone())))
    }
}

fn json(descriptor: &Descriptor) -> String {
    let Descriptor { media_type, digest, size, .. } = descriptor;
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
}

fn inventory(opened: &Opened) -> Inventory {
    let limits = Limits::default();
    let start = Instant::now();
    let options =
        Options { limits: &limits, cache: None, threads: None, progress: &|_| {}, is_cancelled: &|| false };
    let inventory = catalog(opened, &options).unwrap().remove(0).inventory;
    assert!(start.elapsed() < TIME_MAX, "{:?}", start.elapsed());
    inventory
}

fn scan(layers: &[Vec<u8>]) -> Inventory {
    let mut shelf = Shelf::default();
    let top = shelf.image(layers);
    inventory(&shelf.open(&top).unwrap())
}

fn status(names: &[&str]) -> String {
    names.iter().fold(String::new(), |mut out, name| {
        write!(out, "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n")
            .unwrap();
        out
    })
}

fn base() -> Layer {
    Layer::default()
        .file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n")
        .file(STATUS, status(&["anchor", "buoy"]))
}

fn names(inventory: &Inventory) -> Vec<&str> {
    inventory.packages.iter().map(|package| package.name.as_str()).collect()
}

/// Holds an inventory against the packages and the gaps that it must have: kind, and a part of subject and detail.
#[track_caller]
fn check(case: &str, inventory: &Inventory, packages: &[&str], gaps: &[(GapKind, &str, &str)]) {
    assert_eq!(names(inventory), packages, "{case}");
    let shown: Vec<String> =
        inventory.gaps.iter().map(|gap| format!("{}: {}: {}", gap.kind, gap.subject, gap.detail)).collect();
    assert_eq!(inventory.gaps.len(), gaps.len(), "{case}: {shown:#?}");
    for (gap, (kind, subject, detail)) in inventory.gaps.iter().zip(gaps) {
        let fits = gap.kind == *kind && gap.subject.contains(subject) && gap.detail.contains(detail);
        assert!(fits, "{case}: {shown:#?}");
    }
}

/// A tar in which the header of `path` was changed, its sum set right again.
fn forged(layer: Layer, path: &str, forge: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut tar = layer.tar();
    let header =
        tar.as_chunks_mut::<512>().0.iter_mut().find(|block| block.starts_with(path.as_bytes())).unwrap();
    forge(header);
    header[148..156].fill(b' ');
    let sum: u64 = header.iter().map(|&byte| u64::from(byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    tar
}

const GOOD: [&str; 2] = ["anchor", "buoy"];

#[test]
fn names_that_lead_elsewhere_do_no_harm() {
    let quiet: [(&str, Layer, &[&str]); 9] = [
        (
            "links in a loop",
            Layer::default().symlink("x", "y").symlink("y", "x").symlink("lib", "lib"),
            &GOOD,
        ),
        ("hard links in a loop", Layer::default().hard_link("a", "b").hard_link("b", "a"), &GOOD),
        ("a hard link to nothing", Layer::default().hard_link("opt/a.jar", "nowhere"), &GOOD),
        (
            "names that leave the root",
            Layer::default().file("../../../var/../var/lib/dpkg/status", status(&["c"])),
            &["c"],
        ),
        ("a link that leaves the root", Layer::default().symlink("usr", "../../../../etc"), &GOOD),
        (
            "a whiteout of nothing",
            Layer::default().file("opt/.wh.absent", "").file(".wh.", "").file(".wh..wh.x", ""),
            &GOOD,
        ),
        ("opaque where nothing is", Layer::default().file("opt/absent/.wh..wh..opq", ""), &GOOD),
        (
            "a file, then a directory, then a file",
            base().directory(STATUS).file(STATUS, status(&["c"])),
            &["c"],
        ),
        ("a root that is a file", Layer::default().file("/", "").file("..", "").file("./", ""), &GOOD),
    ];
    for (case, layer, packages) in quiet {
        check(case, &scan(&[base().gzip(), layer.gzip()]), packages, &[]);
    }
}

#[test]
fn a_package_database_that_is_gone_is_told() {
    let gap = [(GapKind::Unsupported, "debian:12", "its package database is gone")];
    let os = || Layer::default().file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    for (case, layers) in [
        ("removed", vec![base(), Layer::default().file("var/lib/dpkg/.wh.status", "")]),
        ("hidden", vec![base(), os().file(".wh..wh..opq", "")]),
        ("emptied", vec![base(), Layer::default().file(STATUS, "")]),
        ("replaced by a link", vec![base(), Layer::default().symlink(STATUS, "/opt/x")]),
        ("a link from the start", vec![os().symlink(STATUS, "/opt/x").file("opt/x", status(&["a"]))]),
        ("below a link", vec![os().symlink("var/lib/dpkg", "/opt").file("opt/status", status(&["a"]))]),
        ("a directory", vec![base(), Layer::default().directory(STATUS)]),
        ("a directory after a file", vec![base().directory(STATUS)]),
    ] {
        let layers: Vec<Vec<u8>> = layers.into_iter().map(Layer::gzip).collect();
        let mut inventory = scan(&layers);
        inventory
            .gaps
            .extend(without_database(&inventory, "", &plimsoll_core::standings::Standings::default()).gaps);
        inventory.gaps.retain(|gap| gap.kind != GapKind::DatabaseMissing && gap.kind != GapKind::FeedMissing);
        check(case, &inventory, &[], &gap);
    }
}

#[test]
fn bad_evidence_is_told_beside_the_good() {
    let unreadable = GapKind::EvidenceUnreadable;
    let stanzas = format!("Status: install ok installed\nVersion: 1\n\n{}", status(&["anchor", "buoy"]));
    for (case, layer, gaps) in [
        (
            "another database",
            Layer::default().file("var/lib/rpm/Packages", vec![0x5a; 9000]),
            &[(unreadable, "/var/lib/rpm/Packages", "none of the databases")][..],
        ),
        (
            "a database that begins well",
            Layer::default().file("var/lib/rpm/rpmdb.sqlite", b"SQLite format 3\0\x10\0\x01\x01 and on"),
            &[
                (unreadable, "/var/lib/rpm/rpmdb.sqlite", "page 1 is not in the file"),
                (unreadable, "/var/lib/rpm/rpmdb.sqlite", "no table `Packages`"),
                (unreadable, "/var/lib/rpm/rpmdb.sqlite", "states 0 pages"),
            ],
        ),
        ("a stanza", Layer::default().file(STATUS, stanzas), &[(unreadable, STATUS, "")]),
        (
            "a manifest",
            Layer::default().file("node_modules/x/package.json", "[".repeat(100_000)),
            &[(unreadable, "/node_modules/x/package.json", "")],
        ),
        (
            "an archive",
            Layer::default().file("app.jar", b"PK\x03\x04 and on"),
            &[(unreadable, "/app.jar", "")],
        ),
    ] {
        check(case, &scan(&[base().gzip(), layer.gzip()]), &GOOD, gaps);
    }
}

/// A link of 512 bytes states all packages of its file once more.
#[test]
fn links_to_a_large_database_are_bounded() {
    let names: Vec<String> = (0..1_000).map(|nth| format!("p{nth}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for original in ["var/lib/dpkg/status.d/first", "opt/first"] {
        let layer = Layer::default().file(original, status(&names));
        let layer = (0..2_000)
            .fold(layer, |layer, nth| layer.hard_link(&format!("var/lib/dpkg/status.d/{nth}"), original));
        let limits = Limits { facts_bytes_max: 4 << 20, ..Limits::default() };
        let bytes = layer.tar();
        let expected = Expected { digest: None, diff_id: None, size: None };
        let mut open = || Ok(Box::new(io::Cursor::new(bytes.clone())) as Box<dyn Read + Send>);
        let pass = read_layer(&Shared::new(&limits), &expected, &mut open);
        let kept = pass.facts.files.len();
        assert!((1..20).contains(&kept), "{original}: {kept}");
        let limit = pass.facts.problems.iter().find(|(_, problem)| problem.is_limit).unwrap();
        assert!(limit.1.detail.contains("facts_bytes_max"), "{original}: {limit:?}");
    }
}

#[test]
fn removals_beyond_the_limit_break_the_layer() {
    let layer = (0..200).fold(Layer::default(), |layer, nth| layer.file(&format!("opt/.wh.{nth:090}"), ""));
    let limits = Limits { facts_bytes_max: 10_000, ..Limits::default() };
    let bytes = layer.tar();
    let expected = Expected { digest: None, diff_id: None, size: None };
    let mut open = || Ok(Box::new(io::Cursor::new(bytes.clone())) as Box<dyn Read + Send>);
    let pass = read_layer(&Shared::new(&limits), &expected, &mut open);
    let failure = pass.failure.unwrap();
    assert!(failure.cause == Cause::Limit && failure.detail.contains("facts_bytes_max"), "{failure:?}");
}

/// Each short line was a problem of a hundred bytes, without end.
#[test]
fn databases_of_short_lines_are_bounded() {
    for path in [STATUS, "lib/apk/db/installed"] {
        let found = scan(&[Layer::default().file(path, "x\n".repeat(1_000)).gzip()]);
        let told: Vec<&str> = found.gaps.iter().map(|gap| gap.detail.as_str()).collect();
        let is_counted = told.iter().any(|detail| detail.contains("more problems are not told"));
        assert!(told.len() < 100 && is_counted, "{path}: {told:?}");
    }
}

#[test]
fn archives_in_archives_end() {
    use zip_writer::{stored, zip};
    let bottom =
        zip(&[stored("META-INF/maven/g/deep/pom.properties", b"groupId=g\nartifactId=deep\nversion=1\n")]);
    let nested = |depth: usize| (0..depth).fold(bottom.clone(), |inner, _| zip(&[stored("x.jar", &inner)]));
    let jar = |depth| Layer::default().file("app/outer.jar", nested(depth)).gzip();
    let found = scan(&[base().gzip(), jar(4)]);
    assert!(names(&found).contains(&"g:deep"), "{:?}", names(&found));
    let found = scan(&[base().gzip(), jar(12)]);
    assert!(!names(&found).contains(&"g:deep"), "{:?}", names(&found));
    let limit: Vec<_> = found.gaps.iter().filter(|gap| gap.kind == GapKind::LimitReached).collect();
    assert_eq!(limit.len(), 1, "{:?}", found.gaps);
    assert!(
        limit[0].subject.contains("app/outer.jar") && limit[0].detail.contains("nested deeper than 8"),
        "{limit:?}"
    );
}

#[test]
fn bytes_that_are_no_text_are_read_as_far_as_they_are() {
    let mut text = b"Package: \xff\xfe\nStatus: install ok installed\nVersion: 1\xc3\n\n".to_vec();
    text.extend_from_slice(status(&["anchor"]).as_bytes());
    let layer = Layer::default().file(STATUS, text).file("QQ/package.json", "{}").symlink("QR", "QS");
    let tar = forged(layer, "QQ/package.json", |header| header[..2].copy_from_slice(b"\xff\xc3"));
    let found = scan(&[base().gzip(), gzip(&tar)]);
    assert!(names(&found).contains(&"anchor"), "{:?}", names(&found));
    assert_eq!(found.packages.len(), 2);
    assert_eq!(found.gaps, []);
}

#[test]
fn a_layer_that_is_cut_anywhere_is_told() {
    let noise: Vec<u8> = (0..40_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let whole = Layer::default().file("opt/noise", noise).file("opt/more", "x").gzip();
    for tenth in 0..10 {
        let cut = whole[..whole.len() * tenth / 10].to_vec();
        let found = scan(&[base().gzip(), cut]);
        let gaps: &[_] =
            if tenth == 0 { &[] } else { &[(GapKind::LayerUnreadable, "sha256:", "ends in the middle")] };
        check(&format!("{tenth} tenths"), &found, &GOOD, gaps);
    }
}

#[test]
fn sizes_that_lie_break_their_layer_alone() {
    let layer = || Layer::default().file("opt/before/package.json", "{}").file("opt/lie", "content");
    for (case, size, detail) in [
        ("more than there is", *b"00077777777\0", "ends in the middle"),
        ("half of the range", *b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", "ends in the middle"),
        ("all of the range", *b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", "ends in the middle"),
        ("beyond the range", *b"\x80\0\0\x01\0\0\0\0\0\0\0\0", "a number is too large"),
        ("negative", *b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "negative"),
        ("no number", *b"size of this", "not octal"),
        ("less than there is", *b"00000000000\0", "checksum"),
    ] {
        let tar = forged(layer(), "opt/lie", |header| header[124..136].copy_from_slice(&size));
        check(
            case,
            &scan(&[base().gzip(), gzip(&tar)]),
            &GOOD,
            &[(GapKind::LayerUnreadable, "sha256:", detail)],
        );
    }
}

/// A sparse program of nearly 4 EiB in 512 bytes: the catalogers would read zeros for a century.
#[test]
fn holes_are_not_read_for_ever() {
    let layer = Layer::default().file("opt/hole", vec![0x7f; 512]).file("opt/package.json", "{}");
    let tar = forged(layer, "opt/hole", |header| {
        header[100..108].copy_from_slice(b"0000755\0");
        header[156] = b'S';
        header[257..265].copy_from_slice(b"ustar  \0");
        header[386..410].copy_from_slice(b"00000000000\x0000000001000\0");
        header[483..495].copy_from_slice(b"\x80\0\0\0\x3f\xff\xff\xff\xff\xff\xff\xff");
    });
    let gap = [(GapKind::LimitReached, "/opt/hole", "hole_bytes_max")];
    check("a hole", &scan(&[base().gzip(), gzip(&tar)]), &GOOD, &gap);
}

/// A million files optimized, a fiftieth of it not: a test must not take seconds.
#[test]
fn many_tiny_files_are_read() {
    let count = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
    let mut tar = Vec::with_capacity(count * 512 + 1024);
    let block = Layer::default().file("f0000000", "").tar();
    for nth in 0..count {
        let mut header = block[..512].to_vec();
        header[1..8].copy_from_slice(format!("{nth:07}").as_bytes());
        let digits: u32 = header[1..8].iter().map(|&byte| u32::from(byte - b'0')).sum();
        let zero = u32::from_str_radix(std::str::from_utf8(&header[148..154]).unwrap(), 8).unwrap();
        header[148..154].copy_from_slice(format!("{:06o}", zero + digits).as_bytes());
        tar.extend_from_slice(&header);
    }
    tar.extend_from_slice(&[0; 1024]);
    check("many files", &scan(&[base().gzip(), tar]), &GOOD, &[]);
}

/// Both were gone through file by file for each removal, and database by database for each package.
#[test]
fn many_databases_and_many_removals_are_joined_quickly() {
    const COUNT: usize = 30_000;
    let mut paths = PathSetBuilder::default();
    let files = (0..COUNT).map(|nth| {
        let path = format!("var/lib/dpkg/status.d/{nth:06}");
        paths.add(&path, false);
        let package = FoundPackage::new(&plimsoll_core::ecosystems::DEB, format!("p{nth:06}"), "1");
        let found = Found { packages: vec![package], ..Found::default() };
        FileFacts { path, cataloger: "dpkg".to_owned(), found }
    });
    let lower = LayerFacts { files: files.collect(), paths: paths.build(), ..LayerFacts::default() };
    let whiteouts = (1..COUNT).map(|nth| format!("var/lib/dpkg/status.d/{nth:06}")).collect();
    let opaque = (0..COUNT).map(|nth| format!("opt/{nth}")).collect();
    let upper = LayerFacts { whiteouts, opaque, ..LayerFacts::default() };
    let start = Instant::now();
    let merged = merge(&[(None, &lower), (None, &upper)], None);
    assert!(start.elapsed() < TIME_MAX / 5, "{:?}", start.elapsed());
    assert_eq!(names(&merged), ["p000000"]);
}

/// Remembering each directory's path as text took the square of a path's length.
#[test]
fn deep_paths_are_joined_in_little_memory() {
    let directory = "d/".repeat(8_000);
    let file = |nth: usize| FileFacts {
        path: format!("{nth}/{directory}package.json"),
        cataloger: "npm".to_owned(),
        found: Found {
            packages: vec![FoundPackage::new(&plimsoll_core::ecosystems::NPM, "x", "1")],
            ..Found::default()
        },
    };
    let lower = LayerFacts { files: (0..20).map(file).collect(), ..LayerFacts::default() };
    let mut paths = PathSetBuilder::default();
    paths.add("7/d/d", false);
    let upper = LayerFacts { paths: paths.build(), ..LayerFacts::default() };
    assert_eq!(merge(&[(None, &lower), (None, &upper)], None).packages.len(), 19);
}

#[test]
fn a_config_that_counts_otherwise_is_told() {
    for layers in [0, 2, 500] {
        let mut shelf = Shelf::default();
        let layer = shelf.put("application/octet-stream", base().gzip());
        let config = shelf.config(layers);
        let top = shelf.put_manifest(&config, &[layer]);
        let detail = format!("the config lists {layers} layers, the manifest 1");
        let gap = [(GapKind::LayerMismatch, top.digest.as_str(), detail.as_str())];
        check(&detail, &inventory(&shelf.open(&top).unwrap()), &GOOD, &gap);
    }
}

#[test]
fn an_image_without_layers_does_not_look_clean() {
    check("no layers", &scan(&[]), &[], &[(GapKind::UnknownDistro, "image", "nothing in the image says")]);
    check("an empty layer", &scan(&[Vec::new()]), &[], &[(GapKind::UnknownDistro, "image", "")]);
}

#[test]
fn the_same_layer_many_times_is_read_once() {
    let mut shelf = Shelf::default();
    let good = shelf.put("application/octet-stream", base().gzip());
    let bad = shelf.put("application/octet-stream", b"\x1f\x8b and on".to_vec());
    let layers: Vec<Descriptor> = std::iter::repeat_n([bad, good], 400).flatten().collect();
    let config = shelf.config(layers.len());
    let top = shelf.put_manifest(&config, &layers);
    let index = shelf.index(&[top.clone(), top.clone(), top]);
    check(
        "duplicates",
        &inventory(&shelf.open(&index).unwrap()),
        &GOOD,
        &[(GapKind::LayerUnreadable, "sha256:", "")],
    );
}

#[test]
fn documents_that_are_too_much_are_refused_by_name() {
    let mut shelf = Shelf::default();
    let config = shelf.config(0);
    let layer = shelf.put("application/octet-stream", base().gzip());
    let many = shelf.put_manifest(&config, &vec![layer.clone(); 1_001]);
    let million =
        shelf.put_manifest(&config, &vec![layer; if cfg!(debug_assertions) { 100_000 } else { 1_000_000 }]);
    let image = shelf.image(&[base().gzip()]);
    let deep = (0..10).fold(image.clone(), |inner, _| shelf.index(&[inner]));
    let children: Vec<Descriptor> =
        (0..1_001).map(|nth: u32| Descriptor::new(MANIFEST_TYPE, digest(&nth.to_le_bytes()), 1)).collect();
    let wide = shelf.index(&children);
    for (case, top, part) in [
        ("many layers", many, "layers_max"),
        ("a million layers", million, "document_bytes_max"),
        ("deep indexes", deep, "index_depth_max"),
        ("wide index", wide, "manifests_max"),
    ] {
        let refusal = shelf.clone().refusal(&top);
        assert!(refusal.contains(part), "{case}: {refusal}");
    }
}

#[test]
fn documents_that_contradict_themselves_are_refused() {
    let mut shelf = Shelf::default();
    let image = shelf.image(&[base().gzip()]);
    let config = shelf.config(0);
    let both = format!(
        r#"{{"schemaVersion":2,"config":{},"layers":[],"manifests":[{}]}}"#,
        json(&config),
        json(&image)
    );
    let both = shelf.put("", both);
    // An index can't name its own digest; a store that lies can make it seem so.
    let own = Descriptor::new(INDEX_TYPE, digest(b"own"), 0);
    let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, json(&own));
    let own = Descriptor { size: text.len() as u64, ..own };
    shelf.0.insert(own.digest.clone(), text.into_bytes());
    let index = shelf.index(std::slice::from_ref(&image));
    let called_manifest = Descriptor { media_type: MANIFEST_TYPE.to_owned(), ..index };
    let nested = format!("{{\"schemaVersion\":2,\"config\":{}", "[".repeat(500_000));
    let nested = shelf.put(MANIFEST_TYPE, nested);
    let deep_config =
        format!("{{\"os\":\"linux\",\"history\":{}{}}}", "[".repeat(500_000), "]".repeat(500_000));
    let deep_config = shelf.put(CONFIG_TYPE, deep_config);
    let deep_config = shelf.put_manifest(&deep_config, &[]);
    for (case, top, part) in [
        ("manifest and index in one", both, "as a manifest and as an index"),
        ("an index in itself", own, "its bytes are"),
        ("an index that is called a manifest", called_manifest, "it calls itself"),
        ("a manifest of brackets", nested, "is not what it should be"),
        ("a config of brackets", deep_config, "is not what it should be"),
    ] {
        let refusal = shelf.clone().refusal(&top);
        assert!(refusal.contains(part), "{case}: {refusal}");
    }
}

#[test]
fn depth_where_nobody_looks_is_passed_over() {
    let mut shelf = Shelf::default();
    let layer = shelf.put("application/octet-stream", base().gzip());
    let deep = format!(
        r#"{{"os":"linux","architecture":"amd64","rootfs":{{"diff_ids":["{}"]}},"x":{}{}}}"#,
        digest(b""),
        "[".repeat(500_000),
        "]".repeat(500_000)
    );
    let config = shelf.put(CONFIG_TYPE, deep);
    let top = shelf.put_manifest(&config, &[layer]);
    check("a deep config", &inventory(&shelf.open(&top).unwrap()), &GOOD, &[]);
}
