//! Layers made of a few names, so that they meet, held against the plainest way to lay them over each other.

use std::collections::BTreeSet;

use plimsoll_core::ecosystems;
use plimsoll_core::image::{Image, Platform};
use plimsoll_image::catalogers::{Found, FoundOsRelease, FoundPackage, OwnedFiles, Problem};
use plimsoll_image::facts::{FileFacts, LayerFacts, PathSetBuilder};
use plimsoll_image::windows::registry::{CURRENT_VERSION, FoundHive, FoundKey, FoundValue, Mark};

const PARTS: [&str; 8] =
    ["a", "b", "lib", "Hives/Software_Delta", "etc/os-release", "var/lib/dpkg/status", "..", "é"];
const LAYERS_MAX: usize = 6;
const OPERATIONS_MAX: usize = 200;

/// One layer, and the same in words: what it puts where.
#[derive(Default)]
struct Laid {
    facts: LayerFacts,
    entries: Vec<(String, bool)>,
}

/// Joins hostile layers: as an image for Linux, which is held against the model, and as one of Windows.
pub fn merge(data: &[u8]) {
    let layers: Vec<Laid> = data.split(|&byte| byte == 0xff).take(LAYERS_MAX).map(laid).collect();
    let inputs: Vec<_> = layers.iter().map(|layer| (None, &layer.facts)).collect();
    assert!(plimsoll_image::merge::merge(&inputs, Some(&image("windows"))).gaps.is_sorted());
    let inventory = plimsoll_image::merge::merge(&inputs, Some(&image("linux")));
    let seen: BTreeSet<String> =
        inventory.packages.iter().map(|package| package.evidence_path[1..].to_owned()).collect();
    assert_eq!(seen, visible(&layers));
    assert!(inventory.gaps.is_sorted());
}

fn image(os: &str) -> Image {
    let platform = Platform { os: os.to_owned(), ..Platform::default() };
    Image { reference: String::new(), digest: None, config_digest: None, platform, layers: Vec::new() }
}

/// Paths of files with packages that are visible at the top.
fn visible(layers: &[Laid]) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for (index, layer) in layers.iter().enumerate() {
        for file in layer.facts.files.iter().filter(|file| !file.found.packages.is_empty()) {
            let is_hidden = layers[index + 1..].iter().any(|above| hides(above, &file.path));
            if !is_hidden {
                out.insert(file.path.clone());
            }
        }
    }
    out
}

fn hides(layer: &Laid, path: &str) -> bool {
    let below =
        |top: &str| top.is_empty() || path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'));
    layer.facts.whiteouts.iter().any(|gone| path == gone || (!gone.is_empty() && below(gone)))
        || layer.facts.opaque.iter().any(|directory| below(directory))
        || layer.entries.iter().any(|(entry, is_directory)| {
            path == entry || (!is_directory && !entry.is_empty() && below(entry))
        })
}

fn laid(operations: &[u8]) -> Laid {
    let mut layer = Laid::default();
    for (nth, pair) in operations.chunks_exact(2).take(OPERATIONS_MAX).enumerate() {
        let path = path(pair[1]);
        match pair[0] % 8 {
            0 => layer.facts.whiteouts.push(path),
            1 => layer.facts.opaque.push(path),
            2 => layer.entry(path, true),
            3 => layer.entry(path, false),
            4 => layer.facts.root_links.push((path, self::path(pair[0]))),
            5 => layer.facts.problems.push((path, Problem::unreadable("x"))),
            _ => layer.file(path, pair[0], nth),
        }
    }
    let mut set = PathSetBuilder::default();
    layer.entries.iter().for_each(|(path, is_directory)| set.add(path, *is_directory));
    layer.facts.paths = set.build();
    layer.facts.files.sort_by(|a, b| a.path.cmp(&b.path));
    layer
}

impl Laid {
    /// The last entry at a path counts.
    fn entry(&mut self, path: String, is_directory: bool) {
        self.facts.files.retain(|file| file.path != path);
        self.entries.retain(|(entry, _)| *entry != path);
        self.entries.push((path, is_directory));
    }

    fn file(&mut self, path: String, kind: u8, nth: usize) {
        self.entry(path.clone(), false);
        let ecosystem = ecosystems::ECOSYSTEMS[usize::from(kind) % ecosystems::ECOSYSTEMS.len()];
        let mut package = FoundPackage::new(ecosystem, format!("n{}", kind % 16), format!("{}", nth % 3));
        package.source = (kind > 100).then(|| (String::new(), String::new()));
        let found = Found {
            packages: vec![package],
            owned: vec![OwnedFiles { package: "o".to_owned(), paths: vec![path.clone()] }],
            os_release: (kind > 128).then(FoundOsRelease::default),
            hive: (kind % 8 == 7).then(|| hive(kind)),
            file_version: (kind % 16 == 3).then(|| format!("4.8.{kind}.0")),
            ..Found::default()
        };
        self.facts.files.push(FileFacts { path, cataloger: "x".to_owned(), found });
    }
}

/// A hive that states a version, or takes it away.
fn hive(kind: u8) -> FoundHive {
    let mark =
        [Mark::Merge, Mark::Tombstone, Mark::SupersedeLocal, Mark::SupersedeTree][usize::from(kind / 8 % 4)];
    let values = vec![
        ("CurrentBuild".to_owned(), FoundValue::Text("20348".to_owned())),
        ("UBR".to_owned(), if kind > 200 { FoundValue::Tombstone } else { FoundValue::Number(kind.into()) }),
    ];
    FoundHive { keys: vec![FoundKey { path: CURRENT_VERSION.to_owned(), mark, values }] }
}

/// One or two parts, cleaned as paths of layers are.
fn path(byte: u8) -> String {
    let (first, second) = (PARTS[usize::from(byte % 8)], PARTS[usize::from(byte / 8 % 8)]);
    let whole = if byte < 64 { first.to_owned() } else { format!("{first}/{second}") };
    plimsoll_image::tar::clean_path(&whole)
}
