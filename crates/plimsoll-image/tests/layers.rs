//! Layers: what is visible at the top, what breaks, what is reported.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{self, Read};

use plimsoll_core::gap::GapKind;
use plimsoll_core::inventory::Inventory;
use plimsoll_image::cause::Cause;
use plimsoll_image::facts::LayerFacts;
use plimsoll_image::layers::{Expected, LayerPass, Shared, read_layer};
use plimsoll_image::limits::Limits;
use plimsoll_image::merge::{LayerInput, merge};
use support::{Layer, digest, gzip};

const OS: &str = "ID=debian\nVERSION_ID=\"12\"\n";

fn status(packages: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, version) in packages {
        out += &format!(
            "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n"
        );
    }
    out
}

fn read_with(limits: &Limits, bytes: &[u8], expected: &Expected<'_>) -> LayerPass {
    let bytes = bytes.to_vec();
    let mut open = || Ok(Box::new(io::Cursor::new(bytes.clone())) as Box<dyn Read + Send>);
    read_layer(&Shared::new(limits), expected, &mut open)
}

fn cause(pass: &LayerPass) -> Option<&Cause> {
    pass.failure.as_ref().map(|failure| &failure.cause)
}

fn read(bytes: &[u8]) -> LayerPass {
    let sum = digest(bytes);
    let expected = Expected { digest: Some(&sum), diff_id: None, size: Some(bytes.len() as u64) };
    read_with(&Limits::default(), bytes, &expected)
}

fn facts(layer: Layer) -> LayerFacts {
    let pass = read(&layer.gzip());
    assert_eq!(pass.failure, None);
    pass.facts
}

fn inventory(layers: Vec<Layer>) -> Inventory {
    let digests: Vec<_> = layers.iter().map(|layer| digest(&layer.clone().gzip())).collect();
    let facts: Vec<LayerFacts> = layers.into_iter().map(facts).collect();
    let inputs: Vec<LayerInput<'_>> = digests.iter().map(Some).zip(&facts).collect();
    merge(&inputs, None)
}

/// `name version layer` of each package, layers counted from 0.
fn packages(layers: Vec<Layer>) -> Vec<String> {
    let digests: Vec<_> = layers.iter().map(|layer| digest(&layer.clone().gzip())).collect();
    inventory(layers)
        .packages
        .iter()
        .map(|package| {
            let layer = digests.iter().position(|digest| Some(digest) == package.layer.as_ref()).unwrap();
            format!("{} {} {layer}", package.name, package.version)
        })
        .collect()
}

const STATUS: &str = "var/lib/dpkg/status";

fn base() -> Layer {
    Layer::default().file("etc/os-release", OS).file(STATUS, status(&[("a", "1"), ("b", "1")]))
}

#[test]
fn an_overwritten_database_counts_and_keeps_who_brought_what() {
    let upper = Layer::default().file(STATUS, status(&[("a", "1"), ("b", "2"), ("c", "1")]));
    assert_eq!(packages(vec![base(), upper]), ["a 1 0", "b 2 1", "c 1 1"]);
}

#[test]
fn what_comes_back_came_with_the_later_layer() {
    let without = Layer::default().file(STATUS, status(&[("b", "1")]));
    let again = Layer::default().file(STATUS, status(&[("a", "1"), ("b", "1")]));
    assert_eq!(packages(vec![base(), without, again]), ["a 1 2", "b 1 0"]);
}

#[test]
fn what_a_layer_above_hides_is_gone() {
    let removals: [(&str, Layer); 7] = [
        ("whiteout", Layer::default().file("var/lib/dpkg/.wh.status", "")),
        ("whiteout of a parent", Layer::default().file("var/.wh.lib", "")),
        ("opaque directory", Layer::default().file("var/lib/.wh..wh..opq", "")),
        ("opaque root", Layer::default().file(".wh..wh..opq", "").file("etc/os-release", OS)),
        ("replaced by a link", Layer::default().symlink(STATUS, "/dev/null")),
        ("replaced by a directory", Layer::default().directory(STATUS)),
        ("parent replaced by a file", Layer::default().file("var/lib/dpkg", "")),
    ];
    for (name, upper) in removals {
        assert_eq!(packages(vec![base(), upper]), [""; 0], "{name}");
    }
}

#[test]
fn a_whiteout_does_not_touch_its_own_layer_or_other_paths() {
    let upper = Layer::default()
        .file("var/lib/dpkg/.wh.status", "")
        .file(STATUS, status(&[("c", "1")]))
        .file("var/lib/.wh.dpkg2", "")
        .file("var/lib/dpkg/.wh..wh.plnk", "");
    assert_eq!(packages(vec![base(), upper]), ["c 1 1"]);
    assert_eq!(packages(vec![base(), Layer::default().file("var/lib/.wh.dpk", "")]).len(), 2);
}

#[test]
fn the_last_entry_of_a_path_counts() {
    let twice = base().file(STATUS, status(&[("z", "1")]));
    assert_eq!(packages(vec![twice]), ["z 1 0"]);
    assert_eq!(packages(vec![base().symlink(STATUS, "elsewhere")]), [""; 0]);
}

#[test]
fn hard_links_are_read_whichever_name_has_the_content() {
    let status = status(&[("a", "1")]);
    let before =
        Layer::default().file("etc/os-release", OS).file("store/1", &status).hard_link(STATUS, "store/1");
    assert_eq!(packages(vec![before]), ["a 1 0"], "content under a name that nobody wants");
    let after = Layer::default().file(STATUS, &status).hard_link("var/lib/dpkg/status.d/x", STATUS);
    assert_eq!(inventory(vec![after]).packages.len(), 2, "content under a name that somebody wants");
    let circle = Layer::default().hard_link(STATUS, STATUS).hard_link("x", "y").hard_link("y", "x");
    assert_eq!(packages(vec![circle]), [""; 0], "links in a circle");
}

#[test]
fn every_compression_is_told_by_its_bytes() {
    let tar = base().tar();
    let two_members = [gzip(&tar[..700]), gzip(&tar[700..])].concat();
    for (name, bytes) in [
        ("none", tar.clone()),
        ("gzip", gzip(&tar)),
        ("gzip in two members", two_members),
        ("zstd", zstd::encode_all(&tar[..], 3).unwrap()),
    ] {
        let pass = read(&bytes);
        assert_eq!(pass.failure, None, "{name}");
        assert_eq!(pass.facts.files.len(), 2, "{name}");
        assert_eq!(pass.facts.unpacked_bytes, tar.len() as u64, "{name}");
    }
}

#[test]
fn bytes_that_are_not_the_manifests_are_refused() {
    let bytes = base().gzip();
    let (sum, other) = (digest(&bytes), digest(b"other"));
    let unpacked = digest(&base().tar());
    let size = bytes.len() as u64;
    for (name, digest, diff_id, size, is_refused) in [
        ("right", Some(&sum), Some(&unpacked), size, false),
        ("digest", Some(&other), None, size, true),
        ("diff id", Some(&sum), Some(&other), size, true),
        ("longer than stated", Some(&sum), None, size - 1, true),
        ("shorter than stated", Some(&sum), None, size + 1, true),
    ] {
        let pass = read_with(&Limits::default(), &bytes, &Expected { digest, diff_id, size: Some(size) });
        assert_eq!(cause(&pass) == Some(&Cause::Mismatch), is_refused, "{name}: {pass:?}");
    }
}

#[test]
fn a_layer_that_ends_in_the_middle_keeps_what_was_read() {
    let tar = base().file("big", vec![7; 100_000]).tar();
    let whole = gzip(&tar);
    let pass = read(&whole[..whole.len() / 2]);
    assert!(cause(&pass) == Some(&Cause::Corrupt), "{:?}", pass.failure);
    let pass = read(&gzip(&tar[..60_000]));
    assert!(cause(&pass) == Some(&Cause::Corrupt), "{:?}", pass.failure);
    assert_eq!(pass.facts.files.len(), 2);
}

#[test]
fn limits_stop_a_layer_and_are_named() {
    let bomb = Layer::default().file("zeros", vec![0; 4 << 20]);
    let many = (0..50).fold(Layer::default(), |layer, index| layer.file(&format!("f{index}"), ""));
    let default = Limits::default;
    for (name, layer, limits) in [
        (
            "inflate_ratio_max",
            bomb.clone(),
            Limits { inflate_ratio_max: 100, inflate_free_bytes: 1 << 20, ..default() },
        ),
        ("unpacked_bytes_max", bomb.clone(), Limits { unpacked_bytes_max: 1 << 20, ..default() }),
        ("layer_bytes_max", bomb, Limits { layer_bytes_max: 1000, ..default() }),
        ("entries_max", many, Limits { entries_max: 10, ..default() }),
    ] {
        let bytes = layer.gzip();
        let sum = digest(&bytes);
        let pass = read_with(&limits, &bytes, &Expected { digest: Some(&sum), diff_id: None, size: None });
        let wanted = if name == "layer_bytes_max" { Cause::LayerTooLarge } else { Cause::Limit };
        match pass.failure {
            Some(failure) if failure.cause == wanted => {
                assert!(failure.detail.contains(name), "{name}: {failure:?}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_file_above_the_limit_is_a_gap_beside_what_was_read() {
    let limits = Limits { whole_bytes_max: 20, ..Limits::default() };
    let bytes = base().gzip();
    let pass = read_with(&limits, &bytes, &Expected { digest: None, diff_id: None, size: None });
    assert_eq!(pass.failure, None);
    let merged = merge(&[(None, &pass.facts)], None);
    let kinds: Vec<GapKind> = merged.gaps.iter().map(|gap| gap.kind).collect();
    assert!(kinds.contains(&GapKind::LimitReached), "{kinds:?}");
}

#[test]
fn an_image_without_a_known_distribution_says_so() {
    for (name, layer, subject) in [
        ("nothing", Layer::default().file("x", ""), "image"),
        ("unknown", Layer::default().file("etc/os-release", "ID=unheard-of\n"), "unheard-of"),
        ("no release", Layer::default().file("etc/os-release", "ID=alpine\n"), "alpine"),
    ] {
        let gaps = inventory(vec![layer]).gaps;
        assert_eq!(gaps.len(), 1, "{name}");
        assert_eq!((gaps[0].kind, gaps[0].subject.as_str()), (GapKind::UnknownDistro, subject), "{name}");
    }
}

#[test]
fn os_release_is_read_where_the_link_leads() {
    let linked =
        Layer::default().symlink("etc/os-release", "../usr/lib/os-release").file("usr/lib/os-release", OS);
    assert_eq!(inventory(vec![linked]).distro.unwrap().namespace(), "debian:12");
}
