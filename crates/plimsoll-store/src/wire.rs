//! The forms in which inventories, packages and judgements are stored.
//!
//! The words of the core are no wire formats, so each has a counterpart here. Rows of the core's lists are stored by
//! name; a name that this version does not have is damage, never an empty place. Inventories carry the number of
//! their form, so that a later version can read older ones.

use jiff::Timestamp;
use plimsoll_core::digest::Digest;
use plimsoll_core::distros::DISTROS;
use plimsoll_core::ecosystems;
use plimsoll_core::gap::{Gap, GapKind};
use plimsoll_core::image::{Image, Layer, Platform};
use plimsoll_core::inventory::{Inventory, OsRelease, Package, Release, SourcePackage};
use serde::{Deserialize, Serialize};

mod windows;

use crate::{Judged, Severities, StoreError};

/// The form of stored inventories. Another number follows where it changes; that of form 1 has no Windows behind it.
pub(crate) const INVENTORY_FORMAT: u32 = 2;

/// An inventory is mostly text that repeats; more effort than this gains little.
const COMPRESSION_LEVEL: i32 = 3;

/// Largest inventory that is read, in bytes.
const INVENTORY_BYTES_MAX: usize = 1 << 30;

#[derive(Serialize, Deserialize)]
struct WireInventory {
    image: WireImage,
    distro: Option<WireRelease>,
    os_release: Option<WireOsRelease>,
    packages: Vec<WirePackage>,
    gaps: Vec<WireGap>,
}

#[derive(Serialize, Deserialize)]
struct WireImage {
    reference: String,
    digest: Option<String>,
    config_digest: Option<String>,
    os: String,
    architecture: String,
    variant: Option<String>,
    os_version: Option<String>,
    layers: Vec<WireLayer>,
}

#[derive(Serialize, Deserialize)]
struct WireLayer {
    digest: String,
    diff_id: Option<String>,
    media_type: String,
    size: u64,
    created_by: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WireRelease {
    distro: String,
    release: String,
}

#[derive(Serialize, Deserialize)]
struct WireOsRelease {
    id: String,
    id_like: Vec<String>,
    version_id: Option<String>,
    codename: Option<String>,
    pretty_name: Option<String>,
    cpe: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WirePackage {
    ecosystem: String,
    name: String,
    version: String,
    purl: String,
    source: Option<(String, String)>,
    architecture: Option<String>,
    module: Option<String>,
    licenses: Vec<String>,
    evidence_path: String,
    layer: Option<String>,
    owned_by: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WireGap {
    kind: String,
    subject: String,
    detail: String,
}

/// The bytes of an image and what is aboard.
pub(crate) fn inventory_to_bytes(image: &Image, inventory: &Inventory) -> Result<Vec<u8>, StoreError> {
    let wire = WireInventory {
        image: image_to_wire(image),
        distro: inventory.distro.as_ref().map(release_to_wire),
        os_release: inventory.os_release.as_ref().map(os_release_to_wire),
        packages: inventory.packages.iter().map(package_to_wire).collect(),
        gaps: inventory.gaps.iter().map(gap_to_wire).collect(),
    };
    let windows = inventory.windows.as_ref().map(windows::to_wire);
    let bytes = postcard::to_stdvec(&(wire, windows)).expect("plain data is always written");
    let failed = |error| StoreError::Refused(format!("the inventory cannot be compressed: {error}"));
    zstd::bulk::compress(&bytes, COMPRESSION_LEVEL).map_err(failed)
}

/// The image and what is aboard, of their bytes.
pub(crate) fn inventory_of_bytes(format: u32, bytes: &[u8]) -> Result<(Image, Inventory), StoreError> {
    if !(1..=INVENTORY_FORMAT).contains(&format) {
        return Err(StoreError::Damaged(format!("an inventory has form {format}, which is not known")));
    }
    let size = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten().unwrap_or_default();
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if size > INVENTORY_BYTES_MAX {
        return Err(StoreError::Damaged(format!("an inventory has more than {INVENTORY_BYTES_MAX} bytes")));
    }
    let bytes = zstd::bulk::decompress(bytes, size).map_err(unreadable)?;
    let (wire, windows): (WireInventory, Option<windows::WireWindows>) = match format {
        1 => (postcard::from_bytes(&bytes).map_err(unreadable)?, None),
        _ => postcard::from_bytes(&bytes).map_err(unreadable)?,
    };
    let inventory = Inventory {
        distro: wire.distro.map(release_of_wire).transpose()?,
        os_release: wire.os_release.map(os_release_of_wire),
        windows: windows.map(windows::of_wire).transpose()?,
        packages: wire.packages.into_iter().map(package_of_wire).collect::<Result<_, _>>()?,
        gaps: wire.gaps.into_iter().map(gap_of_wire).collect::<Result<_, _>>()?,
    };
    Ok((image_of_wire(wire.image)?, inventory))
}

/// The bytes of a package as all images share it.
pub(crate) fn package_to_bytes(release: Option<&Release>, package: &Package) -> Vec<u8> {
    let wire = (release.map(release_to_wire), package_to_wire(package));
    postcard::to_stdvec(&wire).expect("plain data is always written")
}

/// A package as all images share it, of its bytes.
pub(crate) fn package_of_bytes(bytes: &[u8]) -> Result<(Option<Release>, Package), StoreError> {
    let (release, package): (Option<WireRelease>, WirePackage) =
        postcard::from_bytes(bytes).map_err(unreadable)?;
    Ok((release.map(release_of_wire).transpose()?, package_of_wire(package)?))
}

fn unreadable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("what was stored cannot be read: {error}"))
}

fn unknown(what: &str, name: &str) -> StoreError {
    StoreError::Damaged(format!("`{name}` is no {what} that is known"))
}

fn digest_of(text: &str) -> Result<Digest, StoreError> {
    text.parse().map_err(|_| unknown("digest", text))
}

fn text_of(digest: &Digest) -> String {
    digest.as_str().to_owned()
}

fn image_to_wire(image: &Image) -> WireImage {
    let Platform { os, architecture, variant, os_version } = image.platform.clone();
    let layers = image.layers.iter().map(|layer| WireLayer {
        digest: text_of(&layer.digest),
        diff_id: layer.diff_id.as_ref().map(text_of),
        media_type: layer.media_type.clone(),
        size: layer.size,
        created_by: layer.created_by.clone(),
    });
    WireImage {
        reference: image.reference.clone(),
        digest: image.digest.as_ref().map(text_of),
        config_digest: image.config_digest.as_ref().map(text_of),
        os,
        architecture,
        variant,
        os_version,
        layers: layers.collect(),
    }
}

fn image_of_wire(wire: WireImage) -> Result<Image, StoreError> {
    let WireImage { os, architecture, variant, os_version, .. } = wire;
    let layers = wire.layers.into_iter().map(|layer| {
        Ok(Layer {
            digest: digest_of(&layer.digest)?,
            diff_id: layer.diff_id.as_deref().map(digest_of).transpose()?,
            media_type: layer.media_type,
            size: layer.size,
            created_by: layer.created_by,
        })
    });
    Ok(Image {
        reference: wire.reference,
        digest: wire.digest.as_deref().map(digest_of).transpose()?,
        config_digest: wire.config_digest.as_deref().map(digest_of).transpose()?,
        platform: Platform { os, architecture, variant, os_version },
        layers: layers.collect::<Result<_, StoreError>>()?,
    })
}

fn release_to_wire(release: &Release) -> WireRelease {
    WireRelease { distro: release.distro.id.to_owned(), release: release.release.clone() }
}

fn release_of_wire(wire: WireRelease) -> Result<Release, StoreError> {
    let distro = DISTROS.iter().copied().find(|row| row.id == wire.distro);
    let distro = distro.ok_or_else(|| unknown("distribution", &wire.distro))?;
    Ok(Release { distro, release: wire.release })
}

fn os_release_to_wire(os: &OsRelease) -> WireOsRelease {
    let OsRelease { id, id_like, version_id, codename, pretty_name, cpe } = os.clone();
    WireOsRelease { id, id_like, version_id, codename, pretty_name, cpe }
}

fn os_release_of_wire(wire: WireOsRelease) -> OsRelease {
    let WireOsRelease { id, id_like, version_id, codename, pretty_name, cpe } = wire;
    OsRelease { id, id_like, version_id, codename, pretty_name, cpe }
}

fn package_to_wire(package: &Package) -> WirePackage {
    let source = package.source.as_ref();
    WirePackage {
        ecosystem: package.ecosystem.name.to_owned(),
        name: package.name.clone(),
        version: package.version.clone(),
        purl: package.purl.clone(),
        source: source.map(|source| (source.name.clone(), source.version.clone())),
        architecture: package.architecture.clone(),
        module: package.module.clone(),
        licenses: package.licenses.clone(),
        evidence_path: package.evidence_path.clone(),
        layer: package.layer.as_ref().map(text_of),
        owned_by: package.owned_by.clone(),
    }
}

fn package_of_wire(wire: WirePackage) -> Result<Package, StoreError> {
    let ecosystem = ecosystems::by_name(&wire.ecosystem);
    Ok(Package {
        ecosystem: ecosystem.ok_or_else(|| unknown("ecosystem", &wire.ecosystem))?,
        name: wire.name,
        version: wire.version,
        purl: wire.purl,
        source: wire.source.map(|(name, version)| SourcePackage { name, version }),
        architecture: wire.architecture,
        module: wire.module,
        licenses: wire.licenses,
        evidence_path: wire.evidence_path,
        layer: wire.layer.as_deref().map(digest_of).transpose()?,
        owned_by: wire.owned_by,
    })
}

fn gap_to_wire(gap: &Gap) -> WireGap {
    WireGap { kind: gap.kind.name().to_owned(), subject: gap.subject.clone(), detail: gap.detail.clone() }
}

fn gap_of_wire(wire: WireGap) -> Result<Gap, StoreError> {
    let kind = GapKind::ALL.into_iter().find(|kind| kind.name() == wire.kind);
    let kind = kind.ok_or_else(|| unknown("kind of gap", &wire.kind))?;
    Ok(Gap { kind, subject: wire.subject, detail: wire.detail })
}

#[derive(Serialize, Deserialize)]
struct WireJudged {
    database: String,
    database_built_at: String,
    at: i64,
    packages: u32,
    /// From critical to unknown.
    findings: [u32; 6],
    fixable: u32,
    exploited: u32,
    gaps: u32,
    late_feeds: Vec<(String, String)>,
    #[serde(default)]
    layer_bytes: Option<u64>,
}

/// What was found, in short, as JSON.
pub(crate) fn judged_to_json(judged: &Judged) -> String {
    let Severities { critical, high, medium, low, negligible, unknown } = judged.findings;
    crate::engine::json(&WireJudged {
        database: judged.database.clone(),
        database_built_at: judged.database_built_at.clone(),
        at: judged.at.as_microsecond(),
        packages: judged.packages,
        findings: [critical, high, medium, low, negligible, unknown],
        fixable: judged.fixable,
        exploited: judged.exploited,
        gaps: judged.gaps,
        late_feeds: judged.late_feeds.clone(),
        layer_bytes: judged.layer_bytes,
    })
}

/// What was found, in short, of JSON.
pub(crate) fn judged_of_json(text: &str) -> Result<Judged, StoreError> {
    let wire: WireJudged = serde_json::from_str(text).map_err(unreadable)?;
    let [critical, high, medium, low, negligible, unknown] = wire.findings;
    Ok(Judged {
        database: wire.database,
        database_built_at: wire.database_built_at,
        at: Timestamp::from_microsecond(wire.at).map_err(unreadable)?,
        packages: wire.packages,
        findings: Severities { critical, high, medium, low, negligible, unknown },
        fixable: wire.fixable,
        exploited: wire.exploited,
        gaps: wire.gaps,
        late_feeds: wire.late_feeds,
        layer_bytes: wire.layer_bytes,
    })
}
