//! From what the layers of a Windows image state to its operating system, updates and programs.
//!
//! What is in the image counts before what it claims: the registry, then the newest rollup that servicing has installed,
//! then the build history, then `os.version` of the config. Each that disagrees with the one that counts is a gap.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use plimsoll_core::digest::Digest;
use plimsoll_core::ecosystems;
use plimsoll_core::gap::{Gap, GapKind};
use plimsoll_core::schemes::windows::SCHEME;
use plimsoll_core::windows::products::{self, Line};
use plimsoll_core::windows::{
    Claim, Feature, LevelSource, Update, UpdateState, Windows, build_of, revision_of,
};

use super::registry::{
    CURRENT_VERSION, FRAMEWORK_3_5, FRAMEWORK_4, FoundHive, PACKAGES, PROGRAMS, Registry, Stated,
};
use crate::catalogers::{FoundPackage, windows_file};

/// What the layers of a Windows image state, as far as it is visible at the top.
#[derive(Default)]
pub struct Evidence<'a> {
    /// The layers' digests, lowest first.
    pub layers: Vec<Option<&'a Digest>>,
    /// The hives of the operating system, lowest first: layer, path in the layer, what it states. A whole hive hides what
    /// is below it.
    pub hives: Vec<(usize, &'a str, &'a FoundHive)>,
    /// The users' own hives that are visible: layer, path, what it states.
    pub user_hives: Vec<(usize, &'a str, &'a FoundHive)>,
    /// Versions of files that are visible, by lower-cased path: layer, path, version.
    pub file_versions: BTreeMap<String, (usize, &'a str, &'a str)>,
    /// Evidence of features that is visible.
    pub features: Vec<Feature>,
    /// Whether all layers were read to their end.
    pub is_whole: bool,
}

/// What an image claims of itself.
#[derive(Clone, Debug, Default)]
pub struct Claims<'a> {
    /// `os.version` of its config.
    pub os_version: Option<&'a str>,
    /// The build commands of its history, oldest first.
    pub commands: Vec<&'a str>,
    /// Its processor, as the config names it.
    pub architecture: Option<&'a str>,
}

/// What is known of a Windows image.
#[derive(Debug, Default)]
pub struct Assembled {
    /// The operating system; `None` where nothing says which it is.
    pub windows: Option<Windows>,
    /// What is installed: the package; the file that says so, absolute in the image, or the claim that does; its layer.
    pub packages: Vec<(FoundPackage, String, Option<Digest>)>,
    /// What is not known.
    pub gaps: Vec<Gap>,
}

/// The version of the operating system as one source has it.
struct Level {
    source: LevelSource,
    version: String,
    path: Option<String>,
    layer: Option<usize>,
}

/// Assembles what is known of a Windows image.
pub fn assemble(evidence: &Evidence<'_>, claims: &Claims<'_>) -> Assembled {
    let hives = hives(evidence);
    let view = View {
        evidence,
        registry: Registry::new(hives.iter().map(|(layer, _, hive)| (*layer, *hive))),
        hives,
    };
    let mut assembled = Assembled::default();
    let levels = levels(&view, claims);
    let Some(level) = levels.first() else {
        let detail = "nothing in the image says which version of Windows it is, so it was not judged; its registry hive is not \
                      there or was not read, and its config claims none";
        assembled.gaps.push(Gap::new(GapKind::UnknownDistro, "image", detail));
        view.programs(&mut assembled);
        return assembled;
    };
    assembled.gaps.extend(level_gaps(&levels));
    let windows = windows(&view, level, &levels);
    if windows.product.is_none() {
        let detail =
            format!("Windows {} is of no build that is known, so it was not judged", windows.version);
        assembled.gaps.push(Gap::new(GapKind::UnknownDistro, ecosystems::WINDOWS.name, detail));
    }
    let mut package = FoundPackage::new(&ecosystems::WINDOWS, windows.package_name(), level.version.clone());
    package.architecture = claims.architecture.filter(|text| !text.is_empty()).map(str::to_owned);
    let path = windows.evidence_path.clone().unwrap_or_else(|| level.source.name().to_owned());
    assembled.packages.push((package, path, windows.layer.clone()));
    view.framework(&mut assembled);
    view.programs(&mut assembled);
    assembled.windows = Some(windows);
    assembled
}

/// The hives that count: a whole one hides those below it.
fn hives<'a>(evidence: &Evidence<'a>) -> Vec<(usize, &'a str, &'a FoundHive)> {
    let is_whole = |path: &str| !path.to_ascii_lowercase().starts_with("hives/");
    let lowest = evidence.hives.iter().rposition(|(_, path, _)| is_whole(path)).unwrap_or(0);
    evidence.hives.iter().skip(lowest).copied().collect()
}

struct View<'v, 'a> {
    evidence: &'v Evidence<'a>,
    registry: Registry<'a>,
    hives: Vec<(usize, &'a str, &'a FoundHive)>,
}

/// All that is said of the version, the source that counts most first.
fn levels(view: &View<'_, '_>, claims: &Claims<'_>) -> Vec<Level> {
    let claimed = |source, version: String| Level { source, version, path: None, layer: None };
    let history = claims.commands.iter().filter_map(|command| version_in(command));
    let history = history.max_by(|a, b| ordered(a, b));
    let config = claims.os_version.filter(|version| build_of(version).is_some());
    [
        view.registry_level(),
        view.rollup_level(),
        history.map(|version| claimed(LevelSource::History, version)),
        config.map(|version| claimed(LevelSource::Config, version.to_owned())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The version in a step of the history: `Apply image 10.0.20348.5499`, `RUN Install update 10.0.14393.2125`.
pub(crate) fn version_in(command: &str) -> Option<String> {
    const STEPS: [&str; 2] = ["Apply image ", "Install update "];
    let rest = STEPS.iter().find_map(|step| command.split_once(step).map(|(_, rest)| rest))?;
    let version = rest.split_whitespace().next()?;
    (build_of(version).is_some() && revision_of(version).is_some()).then(|| version.to_owned())
}

fn ordered(a: &str, b: &str) -> Ordering {
    (SCHEME.compare)(a, b).unwrap_or(Ordering::Equal)
}

fn level_gaps(levels: &[Level]) -> Vec<Gap> {
    let Some((level, others)) = levels.split_first() else { return Vec::new() };
    let mut gaps = Vec::new();
    if level.source.is_claim() {
        let detail = format!(
            "the version of Windows is what the image claims of itself ({} says {}): no registry hive of it was read, and \
             whether it has the desktop is not known, so it was judged as Server Core",
            level.source, level.version
        );
        gaps.push(Gap::new(GapKind::LevelClaimed, ecosystems::WINDOWS.name, detail));
    }
    for other in others.iter().filter(|other| ordered(&other.version, &level.version).is_ne()) {
        let detail = format!(
            "it says {}, and {} says {}, which counts; the image was changed after one of them was written",
            other.version, level.source, level.version
        );
        gaps.push(Gap::new(GapKind::ClaimMismatch, other.source.name(), detail));
    }
    gaps
}

fn windows(view: &View<'_, '_>, level: &Level, levels: &[Level]) -> Windows {
    let text = |name| view.registry.text(CURRENT_VERSION, name).map(|stated| stated.what.to_owned());
    let installation_type = text("InstallationType");
    let line = Line::of_installation(installation_type.as_deref().unwrap_or_default());
    let product = build_of(&level.version).and_then(|build| products::of_build(build, line));
    let mut features = view.evidence.features.clone();
    features.sort_unstable();
    Windows {
        product,
        version: level.version.clone(),
        source: level.source,
        evidence_path: level.path.clone(),
        layer: level.layer.and_then(|layer| view.digest(layer)),
        installation_type,
        edition: text("EditionID"),
        claims: levels
            .iter()
            .map(|level| Claim { source: level.source, version: level.version.clone() })
            .collect(),
        updates: view.updates(),
        features,
        is_whole: view.evidence.is_whole,
    }
}

impl View<'_, '_> {
    fn digest(&self, layer: usize) -> Option<Digest> {
        self.evidence.layers.get(layer).copied().flatten().cloned()
    }

    /// The path of a layer's hive, absolute in the image.
    fn hive_path(&self, layer: usize) -> String {
        let path = self.hives.iter().rev().find(|(of, ..)| *of == layer).map_or("", |(_, path, _)| path);
        format!("/{path}")
    }

    /// Build and revision of `CurrentVersion`. The releases of 2016 have no `UBR` before their first updates, and their
    /// revision in `BuildLabEx`.
    fn registry_level(&self) -> Option<Level> {
        let text = |name| self.registry.text(CURRENT_VERSION, name);
        let number = |name| self.registry.number(CURRENT_VERSION, name);
        let build = text("CurrentBuild").or_else(|| text("CurrentBuildNumber"))?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(build.what) {
            return None;
        }
        let major = number("CurrentMajorVersionNumber").map_or(10, |stated| stated.what);
        let minor = number("CurrentMinorVersionNumber").map_or(0, |stated| stated.what);
        let lab = || {
            let lab = text("BuildLabEx")?;
            let revision = lab.what.split('.').nth(1).filter(|revision| is_number(revision))?;
            Some(Stated { what: revision.parse::<u32>().ok()?, layer: lab.layer })
        };
        let base = format!("{major}.{minor}.{}", build.what);
        let (version, layer) = match number("UBR").or_else(lab) {
            Some(revision) => (format!("{base}.{}", revision.what), revision.layer),
            None => (base, build.layer),
        };
        let path = Some(self.hive_path(layer));
        Some(Level { source: LevelSource::Registry, version, path, layer: Some(layer) })
    }

    /// The newest rollup that is installed: `Package_for_RollupFix~31bf3856ad364e35~amd64~~20348.2402.1.5`.
    fn rollup_level(&self) -> Option<Level> {
        let rollups = self.servicing_packages().filter_map(|(stated, state)| {
            let rest = strip_prefix(stated.what, "Package_for_RollupFix~")?;
            let numbers: Vec<&str> = rest.rsplit('~').next()?.split('.').take(2).collect();
            let version = format!("10.0.{}", numbers.join("."));
            (state == UpdateState::Installed
                && (SCHEME.key)(&version).is_ok()
                && revision_of(&version).is_some())
            .then_some((version, stated.layer))
        });
        let (version, layer) = rollups.max_by(|(a, _), (b, _)| ordered(a, b))?;
        let path = Some(self.hive_path(layer));
        Some(Level { source: LevelSource::Rollup, version, path, layer: Some(layer) })
    }

    fn servicing_packages(&self) -> impl Iterator<Item = (Stated<&str>, UpdateState)> {
        self.registry.keys_below(PACKAGES).into_iter().filter_map(|stated| {
            let key = format!("{PACKAGES}\\{}", stated.what);
            let state = self.registry.number(&key, "CurrentState")?;
            Some((stated, UpdateState::from_servicing(state.what)?))
        })
    }

    /// The updates by their number. One has several packages; it is installed where one of them is.
    fn updates(&self) -> Vec<Update> {
        let mut updates: BTreeMap<String, Update> = BTreeMap::new();
        for (stated, state) in self.servicing_packages() {
            let Some(number) = update_of(stated.what) else { continue };
            let name = format!("KB{number}");
            let update = Update {
                name: name.clone(),
                state,
                evidence_path: self.hive_path(stated.layer),
                layer: self.digest(stated.layer),
            };
            let known = updates.entry(name).or_insert_with(|| update.clone());
            if update.state < known.state {
                *known = update;
            }
        }
        updates.into_values().collect()
    }

    /// The .NET Framework. The registry says its release; how far it is updated is the version of its runtime's file, or
    /// else that of its newest rollup.
    fn framework(&self, assembled: &mut Assembled) {
        let release = self.registry.number(FRAMEWORK_4, "Release");
        if let Some(release) = release {
            let name = framework_release(release.what);
            let rollup = || self.framework_rollup(name);
            let (version, layer, path) = self
                .file_version(&windows_file::FRAMEWORK_4)
                .or_else(rollup)
                .unwrap_or_else(|| (String::new(), release.layer, self.hive_path(release.layer)));
            self.add_framework(assembled, name, version, layer, path);
        }
        let is_installed =
            self.registry.number(FRAMEWORK_3_5, "Install").is_some_and(|stated| stated.what == 1);
        match self.file_version(&windows_file::FRAMEWORK_2) {
            Some((version, layer, path)) => self.add_framework(assembled, "3.5", version, layer, path),
            None if is_installed => {
                let layer = self.registry.number(FRAMEWORK_3_5, "Install").map_or(0, |stated| stated.layer);
                self.add_framework(assembled, "3.5", String::new(), layer, self.hive_path(layer));
            }
            None => {}
        }
    }

    fn add_framework(&self, to: &mut Assembled, release: &str, version: String, layer: usize, path: String) {
        let package = FoundPackage::new(&ecosystems::WINDOWS, format!("dotnet-framework-{release}"), version);
        to.packages.push((package, path, self.digest(layer)));
    }

    /// The first of some files that states a version: version, layer, path.
    fn file_version(&self, paths: &[&str]) -> Option<(String, usize, String)> {
        let (layer, path, version) = paths.iter().find_map(|path| self.evidence.file_versions.get(*path))?;
        Some(((*version).to_owned(), *layer, format!("/{path}")))
    }

    /// The newest rollup of the .NET Framework: the third number of `Package_for_DotNetRollup~..~~10.0.4644.3` is that of
    /// the files that it brings.
    fn framework_rollup(&self, release: &str) -> Option<(String, usize, String)> {
        let line: Vec<&str> = release.split('.').take(2).collect();
        let line = line.join(".");
        let rollups = self.servicing_packages().filter_map(|(stated, state)| {
            let rest = strip_prefix(stated.what, "Package_for_DotNetRollup~")?;
            let build = rest.rsplit('~').next()?.split('.').nth(2)?;
            let version = format!("{line}.{build}.0");
            (state == UpdateState::Installed && (SCHEME.key)(&version).is_ok())
                .then_some((version, stated.layer))
        });
        let (version, layer) = rollups.max_by(|(a, _), (b, _)| ordered(a, b))?;
        Some((version, layer, self.hive_path(layer)))
    }

    /// What Windows lists as installed programs, for all and for single users.
    fn programs(&self, assembled: &mut Assembled) {
        let own = &self.registry;
        self.programs_of(own, &|layer| self.hive_path(layer), assembled);
        for (layer, path, hive) in &self.evidence.user_hives {
            let registry = Registry::new([(*layer, *hive)]);
            self.programs_of(&registry, &|_| format!("/{path}"), assembled);
        }
    }

    fn programs_of(&self, registry: &Registry<'_>, path: &dyn Fn(usize) -> String, to: &mut Assembled) {
        for list in PROGRAMS {
            for stated in registry.keys_below(list) {
                let key = format!("{list}\\{}", stated.what);
                let Some(name) = registry.text(&key, "DisplayName") else { continue };
                let version = registry.text(&key, "DisplayVersion").map_or("", |version| version.what);
                let mut package = FoundPackage::new(&ecosystems::WINDOWS_PROGRAM, name.what, version);
                package.inner_path = Some(key.replace('\\', "/"));
                to.packages.push((package, path(name.layer), self.digest(name.layer)));
            }
        }
    }
}

/// `Package_for_KB5036909~..`, `Package_1_for_KB5036909~..`: the number.
fn update_of(package: &str) -> Option<&str> {
    let rest = strip_prefix(package, "Package_")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let rest = rest.get(digits..)?;
    let rest = if digits > 0 { rest.strip_prefix('_')? } else { rest };
    let number = strip_prefix(rest, "for_KB")?.split('~').next()?;
    ((6..=7).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
}

/// The rest of a text that begins so, whatever the letters.
fn strip_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| text.get(prefix.len()..)).flatten()
}

/// The release of the .NET Framework 4 by the registry's number
/// (<https://learn.microsoft.com/dotnet/framework/install/how-to-determine-which-versions-are-installed>).
fn framework_release(number: u32) -> &'static str {
    const RELEASES: [(u32, &str); 9] = [
        (533_320, "4.8.1"),
        (528_040, "4.8"),
        (461_808, "4.7.2"),
        (461_308, "4.7.1"),
        (460_798, "4.7"),
        (394_802, "4.6.2"),
        (394_254, "4.6.1"),
        (393_295, "4.6"),
        (0, "4.5"),
    ];
    RELEASES.iter().find(|(least, _)| number >= *least).map_or("4.5", |(_, release)| release)
}
