//! Which digests are to be judged: all that manifests list, or what a change touches; and references that were typed.

use std::collections::BTreeSet;
use std::str::FromStr as _;

use plimsoll_core::clearance::Candidate;
use plimsoll_core::promotion::{Change, ChangeKind, Manifest};
use plimsoll_image::open::registry::reference::RegistryReference;

/// What manifests ask for. With changes, of a digest that got tags only these are asked about, and of a project whose
/// registries are others everything is: all of it goes somewhere new.
pub(crate) fn of_manifests(manifests: &[Manifest], changes: Option<&[Change]>) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for manifest in manifests {
        let Some(source) = &manifest.source else { continue };
        for line in &manifest.lines {
            let Some(tags) = tags(manifest, line, changes) else { continue };
            let below = |prefix: &String| format!("{prefix}/{}", line.image);
            candidates.push(Candidate {
                name: line.image.clone(),
                project: manifest.project.clone(),
                source: below(source),
                digest: Some(line.digest.clone()),
                tags,
                destinations: manifest.destinations.iter().map(below).collect(),
            });
        }
    }
    candidates
}

/// The tags that are asked about; `None` where nothing is.
fn tags(
    manifest: &Manifest,
    line: &plimsoll_core::promotion::Line,
    changes: Option<&[Change]>,
) -> Option<Vec<String>> {
    let Some(changes) = changes else { return Some(line.tags.clone()) };
    let mut is_whole = false;
    let mut touched = BTreeSet::new();
    for change in changes.iter().filter(|change| change.project == manifest.project) {
        let is_image = change.image == line.image;
        match &change.kind {
            ChangeKind::RegistriesTouched => is_whole = true,
            ChangeKind::DigestAdded(digest) if is_image && *digest == line.digest => is_whole = true,
            ChangeKind::TagsAdded(digest, added) if is_image && *digest == line.digest => {
                touched.extend(added.iter().cloned());
            }
            ChangeKind::TagMoved { tag, to, .. } if is_image && *to == line.digest => {
                touched.insert(tag.clone());
            }
            _ => {}
        }
    }
    if is_whole {
        return Some(line.tags.clone());
    }
    (!touched.is_empty()).then(|| touched.into_iter().collect())
}

/// A reference that was typed.
pub(crate) fn of_reference(text: &str) -> anyhow::Result<Candidate> {
    let text = text.strip_prefix("docker://").unwrap_or(text);
    let reference = RegistryReference::from_str(text)?;
    let tag = match (&reference.tag, &reference.digest) {
        (None, None) => Some("latest".to_owned()),
        (tag, _) => tag.clone(),
    };
    Ok(Candidate {
        name: text.to_owned(),
        project: String::new(),
        source: reference.name.to_string(),
        digest: reference.digest,
        tags: tag.into_iter().collect(),
        destinations: Vec::new(),
    })
}
