//! Layers of Windows images: what their paths mean, what is passed over, what the layers say together.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{self, Read};

use plimsoll_core::image::{Image, Platform};
use plimsoll_core::inventory::Inventory;
use plimsoll_image::cause::Cause;
use plimsoll_image::layers::{Expected, LayerPass, Shared, read_layer};
use plimsoll_image::limits::Limits;
use plimsoll_image::merge::{LayerInput, merge};
use support::{Layer, digest, gzip};

const NPM: &str = r#"{"name":"buoy","version":"1.0.0"}"#;
const NPM_2: &str = r#"{"name":"buoy","version":"2.0.0"}"#;

/// Where Chocolatey's packages are, below `C:\` and nowhere else.
const CHOCOLATEY: &str = "ProgramData/chocolatey/lib/git/git.nuspec";
const GIT: &str = "<package><metadata><id>git</id><version>2.45.0</version></metadata></package>";

fn read(bytes: &[u8]) -> LayerPass {
    let sum = digest(bytes);
    let limits = Limits::default();
    let bytes = bytes.to_vec();
    let expected = Expected { digest: Some(&sum), diff_id: None, size: None };
    let mut open = || Ok(Box::new(io::Cursor::new(bytes.clone())) as Box<dyn Read + Send>);
    read_layer(&Shared::new(&limits), &expected, &mut open)
}

fn image(os: &str) -> Image {
    let platform = Platform { os: os.to_owned(), ..Platform::default() };
    Image { reference: "x".to_owned(), digest: None, config_digest: None, platform, layers: Vec::new() }
}

fn inventory(os: &str, layers: &[Layer]) -> Inventory {
    let passes: Vec<LayerPass> = layers.iter().map(|layer| read(&layer.clone().gzip())).collect();
    assert!(passes.iter().all(|pass| pass.failure.is_none()), "{passes:?}");
    let inputs: Vec<LayerInput<'_>> = passes.iter().map(|pass| (None, &pass.facts)).collect();
    merge(&inputs, Some(&image(os)))
}

/// `name version path` of each package, then `kind: subject: detail` of each gap but the one that the distribution is not
/// known.
fn told(inventory: &Inventory) -> Vec<String> {
    let packages = inventory.packages.iter();
    let packages = packages.map(|p| format!("{} {} {}", p.name, p.version, p.evidence_path));
    let gaps = inventory.gaps.iter().filter(|gap| gap.subject != "image");
    packages.chain(gaps.map(|gap| format!("{}: {}: {}", gap.kind, gap.subject, gap.detail))).collect()
}

/// An entry with PAX records of its own, as a layer's writer on Windows makes them for each.
fn with_pax(records: &[(&str, &str)], entry: Layer) -> Vec<u8> {
    let mut text = String::new();
    for (key, value) in records {
        let rest = format!(" {key}={value}\n");
        let mut length = rest.len();
        while length != rest.len() + length.to_string().len() {
            length = rest.len() + length.to_string().len();
        }
        text += &format!("{length}{rest}");
    }
    let mut tar = Layer::default().file("PaxHeaders.0/x", text).tar();
    tar[156] = b'x';
    tar[148..156].fill(b' ');
    let sum: u64 = tar[..512].iter().map(|&byte| u64::from(byte)).sum();
    tar[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    tar.truncate(tar.len() - 1024);
    tar.extend(entry.tar());
    tar
}

#[test]
fn w20_paths_of_windows_layers_give_the_right_map() {
    let layer = Layer::default;
    let base = || layer().file("Files/app/package.json", NPM);
    for (case, layers, expected) in [
        ("below the drive", vec![base()], vec!["buoy 1.0.0 /app/package.json"]),
        (
            "by the path below the drive",
            vec![layer().file(&format!("Files/{CHOCOLATEY}"), GIT)],
            vec!["git 2.45.0 /ProgramData/chocolatey/lib/git/git.nuspec"],
        ),
        (
            "in any case",
            vec![layer().file("files/PROGRAMDATA/chocolatey/LIB/git/git.NUSPEC", GIT)],
            vec!["git 2.45.0 /PROGRAMDATA/chocolatey/LIB/git/git.NUSPEC"],
        ),
        (
            "one file, spelled otherwise above",
            vec![base(), layer().file("files/APP/package.json", NPM_2)],
            vec!["buoy 2.0.0 /APP/package.json"],
        ),
        ("removed, spelled otherwise", vec![base(), layer().file("Files/App/.wh.PACKAGE.json", "")], vec![]),
        ("its directory removed", vec![base(), layer().file("FILES/.wh.App", "")], vec![]),
        (
            "its directory replaced by a junction",
            vec![base(), layer().symlink("Files/APP", "C:\\other")],
            vec![],
        ),
        (
            "its directory said again",
            vec![base(), layer().directory("Files/APP")],
            vec!["buoy 1.0.0 /app/package.json"],
        ),
    ] {
        assert_eq!(told(&inventory("windows", &layers)), expected, "{case}");
    }
}

#[test]
fn w20_what_says_nothing_of_a_windows_image_is_not_read() {
    let layer = Layer::default;
    let base = || layer().file("Files/app/package.json", NPM);
    for (case, layers, expected) in [
        (
            "an alternate data stream",
            vec![layer().file("Files/x.txt:package.json", NPM).file("Files/a:b/package.json", NPM)],
            vec![],
        ),
        (
            "the second operating system",
            vec![base(), layer().file("UtilityVM/Files/other/package.json", NPM_2)],
            vec!["buoy 1.0.0 /app/package.json"],
        ),
        (
            "the store of components",
            vec![
                layer()
                    .file("Files/Windows/WinSxS/amd64_x/package.json", NPM)
                    .file("Files/Windows/assembly/NativeImages_v4/x/package.json", NPM),
            ],
            vec![],
        ),
        (
            "names that leave the root",
            vec![layer().file("../Files/../../Files/app/../b/package.json", NPM)],
            vec!["buoy 1.0.0 /b/package.json"],
        ),
        (
            "a link that leaves the machine",
            vec![layer().symlink("Files/app", "\\\\?\\Volume{1}\\").symlink("Files/b", "../../../etc")],
            vec![],
        ),
        (
            "a database of another system",
            vec![
                layer().file(
                    "Files/var/lib/dpkg/status",
                    "Package: a\nStatus: install ok installed\nVersion: 1\n",
                ),
            ],
            vec![
                "evidence-unreadable: /var/lib/dpkg/status: it states packages of a distribution (`deb`), and the image is one \
                 of Windows, so they were not judged",
            ],
        ),
    ] {
        assert_eq!(told(&inventory("windows", &layers)), expected, "{case}");
    }
}

#[test]
fn w20_hard_links_into_parent_layers_state_what_their_files_do() {
    let layer = Layer::default;
    let link = "Files/app/package.json";
    let store = "Files/Windows/WinSxS/x/package.json";
    let own = "Files/other/package.json";
    let unread = "evidence-unreadable: /app/package.json: it is a hard link to `/Windows/WinSxS/x/package.json`, whose \
                  content is in a layer below under a name that is not read";
    for (case, layers, expected) in [
        (
            "a file that is read there",
            vec![layer().file(own, NPM), layer().hard_link(link, own)],
            vec!["buoy 1.0.0 /app/package.json", "buoy 1.0.0 /other/package.json"],
        ),
        (
            "spelled otherwise",
            vec![layer().file(own, NPM), layer().hard_link(link, "files/OTHER/Package.json")],
            vec!["buoy 1.0.0 /app/package.json", "buoy 1.0.0 /other/package.json"],
        ),
        (
            "spelled otherwise in its own layer",
            vec![layer().file(own, NPM).hard_link(link, "files/OTHER/Package.json")],
            vec!["buoy 1.0.0 /app/package.json", "buoy 1.0.0 /other/package.json"],
        ),
        (
            "a file that its layer takes away",
            vec![layer().file(own, NPM), layer().hard_link(link, own).file("Files/.wh.other", "")],
            vec!["buoy 1.0.0 /app/package.json"],
        ),
        (
            "in the store of its own layer",
            vec![layer().file(store, NPM).hard_link(link, store)],
            vec!["buoy 1.0.0 /app/package.json"],
        ),
        (
            "in the store of a layer below",
            vec![layer().file(store, NPM), layer().hard_link(link, store)],
            vec![unread],
        ),
        (
            "a file that was read and states nothing",
            vec![layer().file(own, "{}"), layer().hard_link(link, own)],
            vec![],
        ),
        ("nothing", vec![layer(), layer().hard_link(link, store)], vec![]),
        (
            "a link that a later entry replaces",
            vec![layer().file(own, NPM), layer().hard_link(link, own).directory(link)],
            vec!["buoy 1.0.0 /other/package.json"],
        ),
    ] {
        assert_eq!(told(&inventory("windows", &layers)), expected, "{case}");
    }
    let linux = [layer().file("opt/x", NPM), layer().hard_link("app/package.json", "opt/x")];
    let told = told(&inventory("linux", &linux));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("evidence-unreadable: /app/package.json: it is a hard link to `/opt/x`,"),
        "{told:?}"
    );
}

#[test]
fn w20_records_of_windows_are_passed_over_and_huge_ones_break_the_layer() {
    let entry = || Layer::default().file("Files/app/package.json", NPM);
    let records = [
        ("MSWINDOWS.fileattr", "32"),
        ("MSWINDOWS.rawsd", "AQAUgBQAAAAwAAAATAAAAAAAAAABAgAAAAAABSAAAAAgAgAA"),
        ("MSWINDOWS.xattr.X", "AA=="),
        ("LIBARCHIVE.creationtime", "1700000000.1"),
    ];
    let pass = read(&gzip(&with_pax(&records, entry())));
    assert_eq!((pass.failure, pass.facts.files.len()), (None, 1));
    let junction = Layer::default().symlink("Files/link", "C:\\Users");
    let pass = read(&gzip(&with_pax(&[("MSWINDOWS.mountpoint", "1")], junction)));
    assert_eq!((pass.failure, pass.facts.entries, pass.facts.root_links.len()), (None, 1, 0));

    let huge = "x".repeat(10 << 20);
    let pass = read(&gzip(&with_pax(&[("MSWINDOWS.rawsd", &huge)], entry())));
    let failure = pass.failure.unwrap();
    assert_eq!((&failure.cause, pass.facts.files.len()), (&Cause::Limit, 0));
    assert!(failure.detail.contains("an extension header of 10485786 bytes"), "{}", failure.detail);
}

#[test]
fn w20_a_layer_that_is_cut_off_keeps_what_was_read() {
    let whole =
        Layer::default().file("Files/app/package.json", NPM).file("Files/big", vec![7; 100_000]).gzip();
    let pass = read(&whole[..whole.len() - 20]);
    assert_eq!(pass.failure.map(|failure| failure.cause), Some(Cause::Corrupt));
    assert_eq!(pass.facts.files.len(), 1);
}

/// The same layer may be of an image of another system, where its paths are what they are.
#[test]
fn what_windows_passes_over_counts_elsewhere_or_is_told() {
    let odd = Layer::default()
        .file("Files/app/package.json", NPM)
        .file("files/app/package.json", NPM_2)
        .file(&format!("Files/{CHOCOLATEY}"), GIT)
        .file("UtilityVM/a/package.json", NPM)
        .file("Files/a:b/package.json", NPM);
    let expected = [
        "buoy 1.0.0 /Files/app/package.json",
        "buoy 2.0.0 /files/app/package.json",
        "evidence-unreadable: /UtilityVM/a/package.json: it was not read like 1 more: Windows images have there what says \
         nothing of them, and this is none",
    ];
    assert_eq!(told(&inventory("linux", &[odd])), expected);
}

#[test]
fn layers_say_whose_they_are_where_the_image_does_not() {
    let module = Layer::default().file("Files/app/package.json", NPM);
    for (os, layer, path) in [
        ("windows", module.clone(), "/app/package.json"),
        ("Windows", module.clone(), "/app/package.json"),
        ("linux", module.clone(), "/Files/app/package.json"),
        ("", module.clone(), "/Files/app/package.json"),
        ("", module.directory("Files/WINDOWS/System32"), "/app/package.json"),
    ] {
        let inventory = inventory(os, &[layer]);
        assert_eq!(inventory.packages[0].evidence_path, path, "{os}");
    }
}
