//! What a Windows image is: its product, how far it is updated, and what it was said to be.
//!
//! Windows has no packages. The state of an image's operating system is one version, `10.0.20348.2402`: from build 14393 on
//! updates are cumulative, so a flaw that is fixed in a revision is in each one below. Which revisions are meant depends on
//! the *product*: a server and a client of one build are revised apart, and so are installations with and without the
//! desktop. What an image's files say of the version outranks what the image claims of itself.

use std::fmt;

use crate::digest::Digest;
use crate::ecosystems;
use crate::inventory::OsRelease;

pub mod components;
pub mod products;
pub mod rebase;

pub use products::Product;

/// The operating system of a Windows image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Which product it is; `None` where its build is none that is known.
    pub product: Option<&'static Product>,
    /// Its version, `10.0.BUILD.REVISION`; three numbers where nothing states the revision.
    pub version: String,
    /// Who says so.
    pub source: LevelSource,
    /// The file that says so, absolute in the image. What the config claims has none.
    pub evidence_path: Option<String>,
    /// The layer that has it.
    pub layer: Option<Digest>,
    /// `Server Core`, `Server`, `Client`, `Nano Server`; as the registry states it.
    pub installation_type: Option<String>,
    /// `ServerDatacenter`; as the registry states it.
    pub edition: Option<String>,
    /// All that is said of the version, the source that counts most first. Each disagreement is a gap.
    pub claims: Vec<Claim>,
    /// The updates that servicing knows of, sorted by name.
    pub updates: Vec<Update>,
    /// Roles and optional features of which there is evidence, sorted by name.
    pub features: Vec<Feature>,
    /// Whether all layers were read, so that what there is no evidence of is not there.
    pub is_whole: bool,
}

/// What states a version, the one that counts most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LevelSource {
    /// The registry of the image, its layers' hives merged.
    Registry,
    /// The newest rollup package that servicing has installed.
    Rollup,
    /// The image's build history: a claim.
    History,
    /// `os.version` of the image's config: a claim.
    Config,
}

impl LevelSource {
    /// All sources, the one that counts most first.
    pub const ALL: [LevelSource; 4] =
        [LevelSource::Registry, LevelSource::Rollup, LevelSource::History, LevelSource::Config];

    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            LevelSource::Registry => "registry",
            LevelSource::Rollup => "rollup-package",
            LevelSource::History => "history",
            LevelSource::Config => "os.version",
        }
    }

    /// Whether it is what the image claims of itself, and not what is in it.
    pub fn is_claim(self) -> bool {
        matches!(self, LevelSource::History | LevelSource::Config)
    }
}

impl fmt::Display for LevelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What one source says of the version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The source.
    pub source: LevelSource,
    /// The version.
    pub version: String,
}

/// One update, as servicing knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Update {
    /// `KB5036909`.
    pub name: String,
    /// What became of it.
    pub state: UpdateState,
    /// The file that says so, absolute in the image.
    pub evidence_path: String,
    /// The top-most layer that says so.
    pub layer: Option<Digest>,
}

/// What became of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UpdateState {
    /// It is installed.
    Installed,
    /// A later one took its place; what it fixed stays fixed.
    Superseded,
    /// Its files are there and not in use.
    Staged,
    /// Installing or removing it is under way.
    Pending,
}

impl UpdateState {
    /// All states.
    pub const ALL: [UpdateState; 4] =
        [UpdateState::Installed, UpdateState::Superseded, UpdateState::Staged, UpdateState::Pending];

    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            UpdateState::Installed => "installed",
            UpdateState::Superseded => "superseded",
            UpdateState::Staged => "staged",
            UpdateState::Pending => "pending",
        }
    }

    /// The state of a package's `CurrentState` in the registry; `None` of one that is absent or unknown.
    pub fn from_servicing(state: u32) -> Option<UpdateState> {
        match state {
            0x70 | 0x80 => Some(UpdateState::Installed),
            0x50 => Some(UpdateState::Superseded),
            0x40 => Some(UpdateState::Staged),
            0x05 | 0x10 | 0x20 | 0x30 | 0x60 | 0x65 => Some(UpdateState::Pending),
            _ => None,
        }
    }
}

/// A role or an optional feature of which there is evidence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Feature {
    /// Name of its row in [`components::FEATURES`].
    pub name: &'static str,
    /// The file that shows it, absolute in the image.
    pub evidence_path: String,
    /// The layer that has it.
    pub layer: Option<Digest>,
}

impl Windows {
    /// Name of the package that stands for the operating system in an inventory: `windows_server_2022`.
    pub fn package_name(&self) -> &'static str {
        self.product.map_or(ecosystems::WINDOWS.name, |product| product.package)
    }

    /// The same as an `os-release` would say it, so that everything that speaks of distributions speaks of Windows.
    /// `None` where the product is not known.
    pub fn os_release(&self) -> Option<OsRelease> {
        let product = self.product?;
        Some(OsRelease {
            id: product.line.distro().id.to_owned(),
            version_id: Some(product.release.to_owned()),
            pretty_name: Some(format!("{} {}", product.title, self.version)),
            cpe: Some(product.cpe(&self.version)),
            ..OsRelease::default()
        })
    }
}

/// The build of a version: `20348` of `10.0.20348.2402`. The first two numbers are those of every Windows that
/// containers have.
pub fn build_of(version: &str) -> Option<u32> {
    version.strip_prefix("10.0.")?.split('.').next()?.parse().ok()
}

/// The revision of a version: `2402` of `10.0.20348.2402`.
pub fn revision_of(version: &str) -> Option<u32> {
    version.strip_prefix("10.0.")?.split('.').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_a_build_and_perhaps_a_revision() {
        for (version, build, revision) in [
            ("10.0.20348.2402", Some(20348), Some(2402)),
            ("10.0.20348", Some(20348), None),
            ("6.3.9600.1", None, None),
            ("", None, None),
        ] {
            assert_eq!((build_of(version), revision_of(version)), (build, revision), "{version}");
        }
    }

    #[test]
    fn each_product_leads_to_its_release() {
        for product in products::PRODUCTS {
            let windows = Windows {
                product: Some(product),
                version: format!("10.0.{}.1", product.build),
                source: LevelSource::Registry,
                evidence_path: None,
                layer: None,
                installation_type: None,
                edition: None,
                claims: Vec::new(),
                updates: Vec::new(),
                features: Vec::new(),
                is_whole: true,
            };
            let os = windows.os_release().expect("the product is known");
            let release = crate::distros::recognise(&os).expect("it has a row");
            assert_eq!(release.namespace(), product.namespace());
        }
    }
}
