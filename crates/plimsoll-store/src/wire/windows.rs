//! The form in which the operating system of a Windows image is stored, behind its inventory.

use plimsoll_core::windows::components::FEATURES;
use plimsoll_core::windows::products::by_namespace;
use plimsoll_core::windows::{Claim, Feature, LevelSource, Update, UpdateState, Windows};
use serde::{Deserialize, Serialize};

use super::{digest_of, text_of, unknown};
use crate::StoreError;

#[derive(Serialize, Deserialize)]
pub(super) struct WireWindows {
    /// The product's namespace.
    product: Option<String>,
    version: String,
    source: String,
    evidence_path: Option<String>,
    layer: Option<String>,
    installation_type: Option<String>,
    edition: Option<String>,
    /// Source and version.
    claims: Vec<(String, String)>,
    /// Name, state, evidence, layer.
    updates: Vec<(String, String, String, Option<String>)>,
    /// Name, evidence, layer.
    features: Vec<(String, String, Option<String>)>,
    is_whole: bool,
}

pub(super) fn to_wire(windows: &Windows) -> WireWindows {
    WireWindows {
        product: windows.product.map(|product| product.namespace()),
        version: windows.version.clone(),
        source: windows.source.name().to_owned(),
        evidence_path: windows.evidence_path.clone(),
        layer: windows.layer.as_ref().map(text_of),
        installation_type: windows.installation_type.clone(),
        edition: windows.edition.clone(),
        claims: windows
            .claims
            .iter()
            .map(|claim| (claim.source.name().to_owned(), claim.version.clone()))
            .collect(),
        updates: windows
            .updates
            .iter()
            .map(|update| {
                let layer = update.layer.as_ref().map(text_of);
                (update.name.clone(), update.state.name().to_owned(), update.evidence_path.clone(), layer)
            })
            .collect(),
        features: windows
            .features
            .iter()
            .map(|feature| {
                let layer = feature.layer.as_ref().map(text_of);
                (feature.name.to_owned(), feature.evidence_path.clone(), layer)
            })
            .collect(),
        is_whole: windows.is_whole,
    }
}

pub(super) fn of_wire(wire: WireWindows) -> Result<Windows, StoreError> {
    let product = match &wire.product {
        Some(namespace) => {
            Some(by_namespace(namespace).ok_or_else(|| unknown("product of Windows", namespace))?)
        }
        None => None,
    };
    let layer = |text: Option<String>| text.as_deref().map(digest_of).transpose();
    let claims = wire
        .claims
        .into_iter()
        .map(|(source, version)| Ok(Claim { source: source_of(&source)?, version }))
        .collect::<Result<_, StoreError>>()?;
    let updates = wire
        .updates
        .into_iter()
        .map(|(name, state, evidence_path, digest)| {
            let state = UpdateState::ALL
                .into_iter()
                .find(|one| one.name() == state)
                .ok_or_else(|| unknown("state of an update", &state))?;
            Ok(Update { name, state, evidence_path, layer: layer(digest)? })
        })
        .collect::<Result<_, StoreError>>()?;
    let features = wire
        .features
        .into_iter()
        .map(|(name, evidence_path, digest)| {
            let row = FEATURES.iter().find(|row| row.name == name);
            let row = row.ok_or_else(|| unknown("feature of Windows", &name))?;
            Ok(Feature { name: row.name, evidence_path, layer: layer(digest)? })
        })
        .collect::<Result<_, StoreError>>()?;
    Ok(Windows {
        product,
        version: wire.version,
        source: source_of(&wire.source)?,
        evidence_path: wire.evidence_path,
        layer: layer(wire.layer)?,
        installation_type: wire.installation_type,
        edition: wire.edition,
        claims,
        updates,
        features,
        is_whole: wire.is_whole,
    })
}

fn source_of(name: &str) -> Result<LevelSource, StoreError> {
    let source = LevelSource::ALL.into_iter().find(|source| source.name() == name);
    source.ok_or_else(|| unknown("source of a version", name))
}
