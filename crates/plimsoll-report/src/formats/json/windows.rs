//! What the report says of the operating system of a Windows image.

use plimsoll_core::digest::Digest;
use plimsoll_core::finding::Finding;
use plimsoll_core::inventory::Inventory;
use plimsoll_core::windows::rebase::rebase;

use super::wire::windows as wire;

pub(super) fn windows<'a>(inventory: &'a Inventory, findings: &'a [Finding]) -> Option<wire::Windows<'a>> {
    let windows = inventory.windows.as_ref()?;
    let layer = |digest: &'a Option<Digest>| digest.as_ref().map(Digest::as_str);
    Some(wire::Windows {
        title: windows.product.map(|product| product.title),
        product_id: windows.product.map(|product| product.msrc).filter(|id| !id.is_empty()),
        version: &windows.version,
        source: windows.source.name(),
        is_claimed: windows.source.is_claim(),
        evidence_path: windows.evidence_path.as_deref(),
        layer: layer(&windows.layer),
        installation_type: windows.installation_type.as_deref(),
        edition: windows.edition.as_deref(),
        claims: windows
            .claims
            .iter()
            .map(|claim| wire::Claim { source: claim.source.name(), version: &claim.version })
            .collect(),
        updates: windows
            .updates
            .iter()
            .map(|update| wire::Update {
                name: &update.name,
                state: update.state.name(),
                evidence_path: &update.evidence_path,
                layer: layer(&update.layer),
            })
            .collect(),
        features: windows
            .features
            .iter()
            .map(|feature| wire::Feature {
                name: feature.name,
                evidence_path: &feature.evidence_path,
                layer: layer(&feature.layer),
            })
            .collect(),
        rebase: rebase(inventory, findings).map(|rebase| wire::Rebase {
            to: rebase.to,
            update: rebase.update,
            findings: rebase.findings,
            of_host_kernel: rebase.of_host_kernel,
            of_roles_not_installed: rebase.of_roles_not_installed,
            stay: rebase.stay,
        }),
    })
}
