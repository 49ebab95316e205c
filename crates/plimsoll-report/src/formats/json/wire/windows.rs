//! The shapes of what the report says of the operating system of a Windows image.

use schemars::JsonSchema;
use serde::Serialize;

/// The operating system of a Windows image.
#[derive(Serialize, JsonSchema)]
pub struct Windows<'a> {
    /// The product, as Microsoft's security updates name it; `null` where its build is none that is known.
    pub title: Option<&'static str>,
    /// Its number in them (`ProductID`); `null` where only its name is known.
    pub product_id: Option<&'static str>,
    /// Its version, `10.0.20348.2402`.
    pub version: &'a str,
    /// What states the version.
    #[schemars(extend("enum" = ["registry", "rollup-package", "history", "os.version"]))]
    pub source: &'static str,
    /// Whether that is a claim of the image, and nothing that is in it.
    pub is_claimed: bool,
    /// The file that states the version; `null` for a claim.
    pub evidence_path: Option<&'a str>,
    /// The layer that has it.
    pub layer: Option<&'a str>,
    /// `InstallationType` of its registry.
    pub installation_type: Option<&'a str>,
    /// `EditionID` of its registry.
    pub edition: Option<&'a str>,
    /// All that is said of the version, what counts most first.
    pub claims: Vec<Claim<'a>>,
    /// The updates that servicing knows of, sorted by name.
    pub updates: Vec<Update<'a>>,
    /// Roles and features of which there is evidence, sorted by name.
    pub features: Vec<Feature<'a>>,
    /// What to do about its findings; `null` where none has a fix.
    pub rebase: Option<Rebase>,
}

/// What one source says of the version.
#[derive(Serialize, JsonSchema)]
pub struct Claim<'a> {
    /// The source.
    pub source: &'static str,
    /// The version.
    pub version: &'a str,
}

/// One update.
#[derive(Serialize, JsonSchema)]
pub struct Update<'a> {
    /// `KB5036909`.
    pub name: &'a str,
    /// What became of it.
    #[schemars(extend("enum" = ["installed", "superseded", "staged", "pending"]))]
    pub state: &'static str,
    /// The file that says so.
    pub evidence_path: &'a str,
    /// The layer that says so.
    pub layer: Option<&'a str>,
}

/// A role or a feature of which there is evidence.
#[derive(Serialize, JsonSchema)]
pub struct Feature<'a> {
    /// Its name: `iis`.
    pub name: &'static str,
    /// The file that shows it.
    pub evidence_path: &'a str,
    /// The layer that has it.
    pub layer: Option<&'a str>,
}

/// What a newer base image would mend.
#[derive(Serialize, JsonSchema)]
pub struct Rebase {
    /// The version that has all fixes that there are.
    pub to: String,
    /// The update that brings it, `KB5039227`.
    pub update: Option<String>,
    /// How many findings go with it.
    pub findings: usize,
    /// Of them, those in the kernel and drivers, which are the host's.
    pub of_host_kernel: usize,
    /// Of them, those in roles that are not installed.
    pub of_roles_not_installed: usize,
    /// How many findings of the operating system stay, since there is no fix yet.
    pub stay: usize,
}
