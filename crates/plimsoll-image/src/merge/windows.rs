//! What the layers of a Windows image state together, for [`crate::windows::assemble`] to read.

use plimsoll_core::image::Image;
use plimsoll_core::windows::Feature;
use plimsoll_core::windows::components::{FEATURES, FeatureRow};

use super::{LayerInput, View, Visible};
use crate::catalogers::windows_registry::{is_machine, is_users};
use crate::facts::PathMark;
use crate::windows::assemble::{Assembled, Claims, Evidence, assemble};

/// What is known of a Windows image.
pub(super) fn assembled(
    layers: &[LayerInput<'_>],
    visible: &Visible<'_>,
    image: Option<&Image>,
) -> Assembled {
    assemble(&evidence(layers, visible), &claims(image))
}

fn claims(image: Option<&Image>) -> Claims<'_> {
    let Some(image) = image else { return Claims::default() };
    Claims {
        os_version: image.platform.os_version.as_deref(),
        commands: image.layers.iter().filter_map(|layer| layer.created_by.as_deref()).collect(),
        architecture: Some(image.platform.architecture.as_str()),
    }
}

/// Each layer's hives count, since those above say what they change; of all else what is visible at the top.
fn evidence<'a>(layers: &[LayerInput<'a>], visible: &Visible<'a>) -> Evidence<'a> {
    let view = View::Windows;
    let mut evidence = Evidence {
        layers: layers.iter().map(|(digest, _)| *digest).collect(),
        is_whole: true,
        ..Evidence::default()
    };
    for (index, (_, facts)) in layers.iter().enumerate() {
        let mut hives: Vec<_> = view
            .files(facts)
            .filter_map(|file| Some((view.shown(&file.path), file.found.hive.as_ref()?)))
            .filter(|(path, _)| is_machine(path))
            .collect();
        // A whole hive, then what the same layer changes in it.
        hives.sort_by_key(|(path, _)| path.to_ascii_lowercase().starts_with("hives/"));
        evidence.hives.extend(hives.into_iter().map(|(path, hive)| (index, path, hive)));
    }
    for seen in visible.files.values() {
        let path = view.shown(seen.path);
        if let Some(version) = &seen.found.file_version {
            evidence.file_versions.insert(path.to_ascii_lowercase(), (seen.layer, path, version));
        }
        if let Some(hive) = seen.found.hive.as_ref().filter(|_| is_users(path)) {
            evidence.user_hives.push((seen.layer, path, hive));
        }
    }
    evidence.features = FEATURES.iter().filter_map(|row| feature(layers, row)).collect();
    evidence
}

/// A feature, if one of the files that show it is visible at the top.
fn feature(layers: &[LayerInput<'_>], row: &FeatureRow) -> Option<Feature> {
    row.files.iter().find_map(|file| {
        let layer = layer_of(layers, &format!("files/{file}"))?;
        Some(Feature {
            name: row.name,
            evidence_path: format!("/{file}"),
            layer: layers.get(layer).and_then(|(digest, _)| digest.cloned()),
        })
    })
}

/// The top-most layer that has a path of a Windows layer, lower-case, unless it or one above removes it.
fn layer_of(layers: &[LayerInput<'_>], path: &str) -> Option<usize> {
    let mark = PathMark::folded(path);
    for (index, (_, facts)) in layers.iter().enumerate().rev() {
        if facts.paths.has(mark) {
            return Some(index);
        }
        if super::Removals::of(View::Windows, facts).take(path) {
            return None;
        }
    }
    None
}
