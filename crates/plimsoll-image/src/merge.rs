//! Joining what the layers state into one inventory.
//!
//! Layers are laid over each other as a runtime does: a whiteout removes, an opaque directory hides, an entry
//! replaces what stood at its path. What is still visible at the top counts. A package in a database that
//! several layers rewrote belongs to the layer in which it first appeared.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use plimsoll_core::digest::Digest;
use plimsoll_core::distros;
use plimsoll_core::ecosystems::Ecosystem;
use plimsoll_core::gap::{Gap, GapKind};
use plimsoll_core::image::Image;
use plimsoll_core::inventory::{Inventory, OsRelease, Package, Release, SourcePackage};
use plimsoll_core::purl;
use plimsoll_core::windows::Windows;

use crate::catalogers::{Found, FoundOsRelease, FoundPackage, Problem, os_release};
use crate::facts::{FileFacts, LayerFacts, PathMark};

mod links;
mod view;
mod windows;

use view::View;

/// Raised whenever the same layers' facts would give another inventory; see [`crate::cache::index_state`].
pub const MERGE_VERSION: u32 = 2;

/// One layer's facts and its digest; a root filesystem has none.
pub type LayerInput<'a> = (Option<&'a Digest>, &'a LayerFacts);

/// Joins layers, lowest first. Where there is no image, or it does not say what it runs on, the layers do.
pub fn merge(layers: &[LayerInput<'_>], image: Option<&Image>) -> Inventory {
    let view = View::of(layers, image);
    let mut inventory = Inventory::default();
    let mut visible = Visible::new(view);
    for (index, (digest, facts)) in layers.iter().enumerate() {
        visible.lay_over(index, layers);
        inventory.gaps.extend(layer_gaps(view, *digest, facts));
    }
    inventory.gaps.append(&mut visible.gaps);
    let mut system = Vec::new();
    match view {
        View::Exact => inventory.os_release = visible.os_release(),
        View::Windows => {
            let assembled = windows::assembled(layers, &visible, image);
            inventory.os_release = assembled.windows.as_ref().and_then(Windows::os_release);
            inventory.windows = assembled.windows;
            inventory.gaps.extend(assembled.gaps);
            system = assembled.packages;
        }
    }
    inventory.distro = inventory.os_release.as_ref().and_then(distros::recognise);
    inventory.gaps.extend(distro_gap(view, &inventory));
    for (found, path, layer) in &system {
        let evidence_path = match &found.inner_path {
            Some(inner) => format!("{path}!/{inner}"),
            None => path.clone(),
        };
        let package = package_of(found, path, inventory.distro.as_ref());
        inventory.packages.push(Package { evidence_path, layer: layer.clone(), ..package });
    }
    let owners = visible.owners();
    for (key, seen) in &visible.files {
        inventory.gaps.extend(view.foreign_packages(seen.path, &seen.found.packages));
        for found in seen.found.packages.iter().filter(|found| view.has_packages_of(found.ecosystem)) {
            let layer = visible.origin(key, seen.layer, found);
            let mut package = package_of(found, view.shown(seen.path), inventory.distro.as_ref());
            package.layer = layers.get(layer).and_then(|(digest, _)| digest.cloned());
            if !found.ecosystem.is_os {
                package.owned_by = owners.get(visible.canonical(key).as_str()).cloned();
            }
            inventory.packages.push(package);
        }
    }
    inventory.packages.sort_by(|a, b| order(a).cmp(&order(b)));
    inventory.packages.dedup();
    inventory.gaps.sort_unstable();
    inventory.gaps.dedup();
    inventory
}

/// What could not be read of one layer.
fn layer_gaps(view: View, digest: Option<&Digest>, facts: &LayerFacts) -> Vec<Gap> {
    let gap = |(path, problem): &(String, Problem)| {
        let kind = if problem.is_limit { GapKind::LimitReached } else { GapKind::EvidenceUnreadable };
        let detail = format!("{}{}", problem.detail, in_layer(digest));
        Gap::new(kind, format!("/{}", view.shown(path)), detail)
    };
    let mut gaps: Vec<Gap> = facts.problems.iter().map(gap).collect();
    match (view, &facts.windows.passed_over) {
        (View::Windows, _) => gaps.extend(facts.windows.problems.iter().map(gap)),
        (View::Exact, Some(passed_over)) => {
            let more = match passed_over.more {
                0 => String::new(),
                more => format!(" like {more} more"),
            };
            let detail = format!(
                "it was not read{more}: Windows images have there what says nothing of them, and this is none{}",
                in_layer(digest)
            );
            gaps.push(Gap::new(GapKind::EvidenceUnreadable, format!("/{}", passed_over.first), detail));
        }
        (View::Exact, None) => {}
    }
    gaps
}

fn in_layer(digest: Option<&Digest>) -> String {
    digest.map_or_else(String::new, |digest| format!(" (layer {})", digest.short()))
}

fn order(package: &Package) -> (&str, &str, &str, &str, Option<&str>) {
    (
        package.ecosystem.name,
        &package.name,
        &package.version,
        &package.evidence_path,
        package.architecture.as_deref(),
    )
}

/// A package in a database file, for remembering which layer brought it.
type DatabaseKey = (&'static str, String, String, Option<String>);

/// A file as it is visible: the layer that has it, its path there, what it states.
#[derive(Clone, Copy)]
struct Seen<'a> {
    layer: usize,
    path: &'a str,
    found: &'a Found,
}

/// What is visible at the top of the layers laid so far. Paths are keys of the view.
struct Visible<'a> {
    view: View,
    files: BTreeMap<Cow<'a, str>, Seen<'a>>,
    /// By database, the layer that brought each of its packages.
    origins: HashMap<Cow<'a, str>, HashMap<DatabaseKey, usize>>,
    root_links: BTreeMap<&'a str, &'a str>,
    /// By path, the marks of its ancestors and, last, its own.
    marks: HashMap<Cow<'a, str>, Vec<PathMark>>,
    gaps: Vec<Gap>,
}

impl<'a> Visible<'a> {
    fn new(view: View) -> Visible<'a> {
        Visible {
            view,
            files: BTreeMap::new(),
            origins: HashMap::new(),
            root_links: BTreeMap::new(),
            marks: HashMap::new(),
            gaps: Vec::new(),
        }
    }

    fn lay_over(&mut self, index: usize, layers: &[LayerInput<'a>]) {
        let Some((_, facts)) = layers.get(index) else { return };
        // A layer may remove the very file that it links to.
        let links = self.linked_below(index, facts);
        self.remove_hidden(facts);
        for (name, target) in &facts.root_links {
            self.root_links.insert(name, target);
        }
        for file in self.view.files(facts) {
            let FileFacts { path, found, .. } = file;
            self.put(Seen { layer: index, path, found });
        }
        for seen in links {
            self.put(seen);
        }
        let unread = self.link_here(index, layers);
        self.gaps.extend(unread);
    }

    fn put(&mut self, seen: Seen<'a>) {
        let key = self.view.key(seen.path);
        if seen.found.packages.iter().any(|package| package.ecosystem.is_os) {
            self.remember_origins(key.clone(), seen);
        }
        self.files.insert(key, seen);
    }

    fn remove_hidden(&mut self, facts: &LayerFacts) {
        if self.files.is_empty() && self.root_links.is_empty() {
            return;
        }
        let view = self.view;
        let removals = Removals::of(view, facts);
        let marks = &mut self.marks;
        let mut is_hidden = |path: &Cow<'a, str>| {
            removals.take(path)
                || (!facts.paths.is_empty() && {
                    let marks = marks.entry(path.clone()).or_insert_with(|| view.marks(path));
                    marks.split_last().is_some_and(|(own, ancestors)| {
                        facts.paths.has(*own)
                            || ancestors.iter().any(|mark| facts.paths.has_other_than_directory(*mark))
                    })
                })
        };
        self.root_links.retain(|path, _| !is_hidden(&Cow::Borrowed(path)));
        // A database's old packages are needed to know which of the new ones the layer brought.
        self.files.retain(|path, _| !is_hidden(path));
    }

    /// Notes the layer of packages that the database did not have before, and forgets those that it has no
    /// longer: what comes back later came with that later layer.
    fn remember_origins(&mut self, key: Cow<'a, str>, seen: Seen<'a>) {
        let origins = self.origins.entry(key).or_default();
        let before = std::mem::take(origins);
        for package in &seen.found.packages {
            let key = database_key(package);
            let origin = before.get(&key).copied().unwrap_or(seen.layer);
            origins.insert(key, origin);
        }
    }

    fn origin(&self, path: &str, index: usize, package: &FoundPackage) -> usize {
        if !package.ecosystem.is_os {
            return index;
        }
        self.origins
            .get(path)
            .and_then(|origins| origins.get(&database_key(package)))
            .copied()
            .unwrap_or(index)
    }

    /// `/etc/os-release` wins over `/usr/lib/os-release` wins over the older files.
    fn os_release(&self) -> Option<OsRelease> {
        let found =
            os_release::PATHS.iter().find_map(|path| self.files.get(*path)?.found.os_release.as_ref())?;
        let FoundOsRelease { id, id_like, version_id, codename, pretty_name, cpe } = found.clone();
        Some(OsRelease { id, id_like, version_id, codename, pretty_name, cpe })
    }

    /// Which operating-system package owns a path, paths canonical.
    fn owners(&self) -> HashMap<String, String> {
        let mut owners = HashMap::new();
        for seen in self.files.values() {
            for owned in &seen.found.owned {
                for path in &owned.paths {
                    owners.insert(self.canonical(path), owned.package.clone());
                }
            }
        }
        owners
    }

    /// Resolves a link in the root directory, such as the merged `/lib`: package databases and layers write
    /// the same file now one way, now the other.
    fn canonical(&self, path: &str) -> String {
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        match self.root_links.get(first) {
            Some(target) if !rest.is_empty() => format!("{target}/{rest}"),
            _ => path.to_owned(),
        }
    }
}

fn database_key(package: &FoundPackage) -> DatabaseKey {
    let FoundPackage { ecosystem, name, version, architecture, .. } = package;
    (ecosystem.name, name.clone(), version.clone(), architecture.clone())
}

/// What a layer's whiteouts and opaque directories take away of the layers below. There may be millions, so
/// that they are looked up by path and not gone through.
struct Removals<'f> {
    whiteouts: HashSet<Cow<'f, str>>,
    opaque: HashSet<Cow<'f, str>>,
}

impl<'f> Removals<'f> {
    fn of(view: View, facts: &'f LayerFacts) -> Removals<'f> {
        let set = |paths: &'f [String]| paths.iter().map(|path| view.key(path)).collect();
        Removals { whiteouts: set(&facts.whiteouts), opaque: set(&facts.opaque) }
    }

    fn take(&self, path: &str) -> bool {
        if self.whiteouts.is_empty() && self.opaque.is_empty() {
            return false;
        }
        let is_above = |top: &str| self.whiteouts.contains(top) || self.opaque.contains(top);
        self.whiteouts.contains(path) || self.opaque.contains("") || ancestors(path).any(is_above)
    }
}

fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(slash, _)| &path[..slash])
}

/// An image whose distribution is not known never looks clean.
fn distro_gap(view: View, inventory: &Inventory) -> Option<Gap> {
    // What is not known of Windows is told by whoever looked for it.
    if inventory.distro.is_some() || view == View::Windows {
        return None;
    }
    let gap = |subject: &str, detail: &str| Some(Gap::new(GapKind::UnknownDistro, subject, detail));
    match &inventory.os_release {
        None => gap(
            "image",
            "nothing in the image says which distribution it is, so no system package was judged",
        ),
        Some(os)
            if distros::DISTROS
                .iter()
                .any(|row| row.id == os.id || row.other_ids.contains(&os.id.as_str())) =>
        {
            gap(
                &os.id,
                "os-release does not say which release of the distribution this is, so no system package was judged",
            )
        }
        Some(os) => gap(&os.id, "no distribution of this `ID` is known, so no system package was judged"),
    }
}

fn package_of(found: &FoundPackage, path: &str, release: Option<&Release>) -> Package {
    let evidence_path = match &found.inner_path {
        Some(inner) => format!("/{path}!/{inner}"),
        None => format!("/{path}"),
    };
    Package {
        ecosystem: found.ecosystem,
        name: found.name.clone(),
        version: found.version.clone(),
        purl: purl_of(found, release),
        source: found
            .source
            .as_ref()
            .map(|(name, version)| SourcePackage { name: name.clone(), version: version.clone() }),
        architecture: found.architecture.clone(),
        module: found.module.clone(),
        licenses: found.licenses.clone(),
        evidence_path,
        layer: None,
        owned_by: None,
    }
}

fn purl_of(found: &FoundPackage, release: Option<&Release>) -> String {
    let ecosystem: &Ecosystem = found.ecosystem;
    if !ecosystem.is_os {
        let name = (ecosystem.normalize)(&found.name);
        let (namespace, name) = (ecosystem.purl_name)(&name);
        return purl::write(ecosystem.purl_type, namespace, name, &found.version, &[]);
    }
    let namespace = release.map_or("", |release| release.distro.purl_namespace);
    let distro = release.map_or_else(String::new, |release| match release.release.as_str() {
        "" => release.distro.id.to_owned(),
        version => format!("{}-{version}", release.distro.id),
    });
    let upstream = match &found.source {
        Some((name, _)) if *name != found.name => name.as_str(),
        _ => "",
    };
    let (epoch, version) = match found.version.split_once(':') {
        Some((epoch, version)) if ecosystem.purl_has_epoch => (epoch, version),
        _ => ("", found.version.as_str()),
    };
    let architecture = found.architecture.as_deref().unwrap_or("");
    let qualifiers = [("arch", architecture), ("distro", &distro), ("epoch", epoch), ("upstream", upstream)];
    purl::write(ecosystem.purl_type, namespace, &found.name, version, &qualifiers)
}
