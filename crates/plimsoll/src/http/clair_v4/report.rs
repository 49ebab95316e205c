//! Clair's reports: what is aboard, and what is known to be wrong with it, in Clair's shapes.
//!
//! Pure: the same assessment gives the same bytes. What surprises, all of it because of how clients read these:
//!
//! - Quay refuses a whole report for one `null` where it wants a text, one missing field of a distribution, or one
//!   `range`. What is not known is an empty text, or left out where that is allowed.
//! - Each package has at least one environment. Packages that differ only in where they lie are one package with
//!   several.
//! - Ids are hashes of what they stand for: a client that keeps them over several reports, as it may with Clair's,
//!   never takes one thing for another, and nobody can make an image whose packages share an id.

use std::collections::BTreeMap;

use plimsoll_core::digest::{Digest, hex};
use plimsoll_core::inventory::{Inventory, OsRelease, Package as CorePackage};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

mod ecosystems;
mod enrichments;
mod vulnerabilities;

pub(super) use ecosystems::of_repository as ecosystem_of_repository;
pub(crate) use enrichments::Enrichments;
pub(crate) use vulnerabilities::{Vulnerability, VulnerabilityReport, severity_word};

/// Bytes of a hash that make an id.
const ID_BYTES: usize = 16;

/// What is aboard, as both reports say it.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Aboard {
    /// Packages by id.
    pub(crate) packages: BTreeMap<String, Package>,
    /// Distributions by id: one, or none.
    pub(crate) distributions: BTreeMap<String, Distribution>,
    /// Where packages of languages come from, by id.
    pub(crate) repository: BTreeMap<String, Repository>,
    /// Where each package lies, by the package's id.
    pub(crate) environments: BTreeMap<String, Vec<Environment>>,
    /// The id of each package of the inventory.
    #[serde(skip)]
    pub(crate) ids: Vec<String>,
}

/// What Clair knows of an image that it indexed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct IndexReport {
    /// The manifest's digest.
    pub(crate) manifest_hash: String,
    /// `IndexFinished`, `IndexError`, or a step on the way.
    pub(crate) state: &'static str,
    /// What is aboard.
    #[serde(flatten)]
    pub(crate) aboard: Aboard,
    /// Whether it is indexed.
    pub(crate) success: bool,
    /// Why it is not.
    pub(crate) err: String,
}

/// A package.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// `binary` or `source`.
    pub(crate) kind: &'static str,
    /// The source package that it was built from; never one of a source package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Box<Package>>,
    pub(crate) normalized_version: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) module: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) arch: String,
    pub(crate) cpe: String,
}

/// A distribution. All fields are always there.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Distribution {
    pub(crate) id: String,
    pub(crate) did: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) version_code_name: String,
    pub(crate) version_id: String,
    pub(crate) arch: String,
    pub(crate) cpe: String,
    pub(crate) pretty_name: String,
}

/// Where packages come from.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Repository {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) uri: String,
    pub(crate) cpe: String,
}

/// Where a package lies.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Environment {
    /// The evidence, with a prefix that says of what kind it is.
    pub(crate) package_db: String,
    /// The layer that brought it in; empty where there are no layers.
    pub(crate) introduced_in: String,
    /// The distribution that judges it; empty for packages of languages.
    pub(crate) distribution_id: String,
    /// Where it comes from; `null` instead of an empty list, as Clair has it.
    pub(crate) repository_ids: Option<Vec<String>>,
}

impl IndexReport {
    /// Of an image that is indexed.
    pub(crate) fn finished(digest: &Digest, inventory: &Inventory) -> IndexReport {
        IndexReport {
            manifest_hash: digest.as_str().to_owned(),
            state: "IndexFinished",
            aboard: Aboard::of(inventory),
            success: true,
            err: String::new(),
        }
    }

    /// Of an image that is not indexed, or not yet.
    pub(crate) fn unfinished(digest: &Digest, state: &'static str, err: &str) -> IndexReport {
        IndexReport {
            manifest_hash: digest.as_str().to_owned(),
            state,
            aboard: Aboard::default(),
            success: false,
            err: err.to_owned(),
        }
    }
}

impl Aboard {
    /// What an inventory has.
    pub(crate) fn of(inventory: &Inventory) -> Aboard {
        let mut aboard = Aboard::default();
        let distribution = Distribution::of(inventory);
        if let Some(distribution) = &distribution {
            aboard.distributions.insert(distribution.id.clone(), distribution.clone());
        }
        for package in &inventory.packages {
            let written = Package::of(package);
            let id = written.id.clone();
            let environment = aboard.environment(package, inventory, distribution.as_ref());
            aboard.environments.entry(id.clone()).or_default().push(environment);
            aboard.packages.entry(id.clone()).or_insert(written);
            aboard.ids.push(id);
        }
        aboard
    }

    fn environment(
        &mut self,
        package: &CorePackage,
        inventory: &Inventory,
        distribution: Option<&Distribution>,
    ) -> Environment {
        let own = inventory.distro.as_ref().map(|release| release.distro.ecosystem);
        // Whose packages the distribution has no word for it does not judge.
        let is_judged = package.ecosystem.is_os && own.is_none_or(|own| own == package.ecosystem);
        let repository = ecosystems::repository(package.ecosystem);
        if let Some(repository) = &repository {
            self.repository.entry(repository.id.clone()).or_insert_with(|| repository.clone());
        }
        Environment {
            package_db: ecosystems::package_db(package),
            introduced_in: package.layer.as_ref().map(|layer| layer.as_str().to_owned()).unwrap_or_default(),
            distribution_id: match distribution {
                Some(distribution) if is_judged => distribution.id.clone(),
                _ => String::new(),
            },
            repository_ids: repository.map(|repository| vec![repository.id]),
        }
    }
}

impl Package {
    fn of(package: &CorePackage) -> Package {
        let CorePackage { ecosystem, name, version, purl, .. } = package;
        let arch = package.architecture.clone().unwrap_or_default();
        let module = package.module.clone().unwrap_or_default();
        let source = package.source.as_ref();
        let (source_name, source_version) =
            source.map_or(("", ""), |source| (source.name.as_str(), source.version.as_str()));
        // What an owner is judged for is not found in what it owns, so that these two are not the same.
        let owner = package.owned_by.as_deref().unwrap_or_default();
        let id = id(&[
            "package",
            ecosystem.name,
            name,
            version,
            purl,
            &arch,
            &module,
            source_name,
            source_version,
            owner,
        ]);
        let source = source.map(|source| {
            Box::new(Package {
                id: self::id(&["source", ecosystem.name, &source.name, &source.version, &module]),
                name: source.name.clone(),
                version: source.version.clone(),
                kind: "source",
                module: module.clone(),
                ..Package::default()
            })
        });
        Package {
            id,
            name: name.clone(),
            version: version.clone(),
            kind: "binary",
            source,
            module,
            arch,
            ..Package::default()
        }
    }
}

impl Distribution {
    /// What the image says that it is, whether or not it is known.
    fn of(inventory: &Inventory) -> Option<Distribution> {
        let stated = inventory.os_release.as_ref();
        if stated.is_none() && inventory.distro.is_none() {
            return None;
        }
        let nothing = OsRelease::default();
        let stated = stated.unwrap_or(&nothing);
        let known = inventory.distro.as_ref();
        let version_id = match (&stated.version_id, known) {
            (Some(version), _) => version.clone(),
            (None, Some(release)) => release.release.clone(),
            (None, None) => String::new(),
        };
        let code_name = stated.codename.clone().unwrap_or_default();
        let did = match (stated.id.as_str(), known) {
            ("", Some(release)) => release.distro.id.to_owned(),
            (id, _) => id.to_owned(),
        };
        let pretty_name = stated.pretty_name.clone().unwrap_or_default();
        let name = known.map_or_else(|| did.clone(), |release| release.distro.title.to_owned());
        let version =
            if code_name.is_empty() { version_id.clone() } else { format!("{version_id} ({code_name})") };
        let cpe = stated.cpe.clone().unwrap_or_default();
        let id = id(&["distribution", &did, &name, &version, &version_id, &cpe, &pretty_name]);
        let arch = String::new();
        Some(Distribution {
            id,
            did,
            name,
            version,
            version_code_name: code_name,
            version_id,
            arch,
            cpe,
            pretty_name,
        })
    }
}

/// The id of what these fields say.
pub(in crate::http::clair_v4) fn id(fields: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for field in fields {
        hasher.update((field.len() as u64).to_le_bytes());
        hasher.update(field);
    }
    let digest = hasher.finalize();
    hex(&digest[..ID_BYTES])
}
