//! Registry hives, and the versions of programs.

use plimsoll_image::windows::extract::extract;
use plimsoll_image::windows::hive::{Hive, Key};
use plimsoll_image::windows::registry::{CURRENT_VERSION, PACKAGES, Registry};
use plimsoll_image::windows::version_resource::file_version;

/// How deep a hive is walked; keys may name those above them.
const DEPTH_MAX: usize = 6;

/// Most keys that are walked of one input.
const KEYS_MAX: usize = 5_000;

/// A hive: what is wanted of it, laid over itself, and all of its keys; and the same bytes as a program.
pub fn hive(data: &[u8]) {
    let (found, _) = extract(data);
    let registry = Registry::new([(0, &found), (1, &found)]);
    let _ = registry.number(CURRENT_VERSION, "UBR");
    registry.keys_below(PACKAGES);
    if let Ok(root) = Hive::open(data).and_then(|hive| hive.root()) {
        walk(&root, 0, &mut KEYS_MAX.clone());
    }
    let _ = file_version(data);
}

fn walk(key: &Key<'_>, depth: usize, left: &mut usize) {
    for value in key.values().into_iter().flatten().flatten() {
        let _ = (value.name(), value.text(), value.number());
    }
    if depth == DEPTH_MAX {
        return;
    }
    let _ = key.each_subkey(&mut |below| {
        *left = left.saturating_sub(1);
        if let Ok(below) = below {
            let _ = below.name();
            walk(&below, depth + 1, left);
        }
        *left > 0
    });
}
