//! What a document states of the packages of Red Hat Enterprise Linux, by source package and module.
//!
//! What surprises:
//! - a build that is fixed is listed for every architecture and repository; its source package may stand among what is
//!   not affected while a binary package of it is fixed, because it is no binary that could be run;
//! - what is not affected is listed for everything that was looked at. It is kept where the document calls the same
//!   package of the same release affected in another module, because only there it decides anything;
//! - a package that is fixed may still be listed as affected: then the fix is the newer statement.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use plimsoll_core::advisory::{Advisory, Affected, Cvss, FixState, Range, RangeEnd, Severity, Status};
use plimsoll_core::distros::redhat;

use super::builds::{Fixes, Versions};
use super::document::{Document, Vulnerability};
use super::products::{Component, Kind, Platform, Products, Resolved, decoded};
use super::{SOURCE, text};
use crate::feeds::json::Text;

/// Most CVSS vectors of a flaw that are kept.
const VECTORS_MAX: usize = 8;

/// What the name of a package with the sources for debuggers ends in, after the name of the source package.
const DEBUG_SOURCES: &str = "-debugsource";

/// What a document says.
#[derive(Debug, Default)]
pub(super) struct Statements {
    pub(super) advisories: Vec<(Advisory, Vec<Affected>)>,
    /// The releases that it speaks of.
    pub(super) namespaces: BTreeSet<String>,
    pub(super) skipped: BTreeSet<&'static str>,
    pub(super) refused: BTreeSet<&'static str>,
}

/// Reads what a document states.
pub(super) fn read(document: &Document<'_>) -> Statements {
    let mut statements = Statements::default();
    let products = Products::of(document);
    if document.vulnerabilities.is_empty() {
        statements.refused.insert("the document is about no flaw");
    }
    for flaw in &document.vulnerabilities {
        let id = if flaw.cve.0.is_empty() { &document.document.tracking.id.0 } else { &flaw.cve.0 };
        if !text::is_cve(id) {
            statements.refused.insert("the flaw has no CVE");
            continue;
        }
        let mut reader = Reader::new(&products, flaw, aggregate(document), &mut statements);
        reader.fixed();
        reader.unfixed();
        let affected = reader.affected();
        let links = reader.links();
        if affected.is_empty() {
            statements.skipped.insert("no package of Red Hat Enterprise Linux has the flaw");
        } else {
            statements.advisories.push((advisory(id, document, flaw, links), affected));
        }
    }
    statements
}

fn aggregate(document: &Document<'_>) -> Option<Severity> {
    document
        .document
        .aggregate_severity
        .as_ref()
        .and_then(|one| Severity::from_vendor_word(one.text.0.trim()))
}

fn advisory(id: &str, document: &Document<'_>, flaw: &Vulnerability<'_>, links: Vec<String>) -> Advisory {
    let title = if flaw.title.0.is_empty() { &document.document.title.0 } else { &flaw.title.0 };
    let description = flaw.notes.iter().find(|note| note.category.0 == "description");
    let mut references = vec![format!("https://access.redhat.com/security/cve/{id}")];
    for link in links.into_iter().chain(flaw.references.iter().map(|one| one.url.0.to_string())) {
        if references.len() < text::LINKS_MAX && text::is_link(&link) && !references.contains(&link) {
            references.push(link);
        }
    }
    let published = [&flaw.release_date, &document.document.tracking.initial_release_date];
    Advisory {
        id: id.to_owned(),
        summary: text::shortened(title, text::SUMMARY_BYTES_MAX),
        description: description
            .map(|note| text::shortened(&note.text.0, text::DESCRIPTION_BYTES_MAX))
            .unwrap_or_default(),
        severity: aggregate(document),
        cvss: vectors(flaw),
        references,
        published: published.into_iter().find_map(|time| text::instant(&time.0)),
        modified: text::instant(&document.document.tracking.current_release_date.0),
        ..Advisory::default()
    }
}

/// The vectors of a flaw, each once. What is none of CVSS is left out: the severity is Red Hat's own word.
fn vectors(flaw: &Vulnerability<'_>) -> Vec<Cvss> {
    let mut all: Vec<Cvss> = Vec::new();
    let scores = flaw.scores.iter().flat_map(|score| [&score.cvss_v4, &score.cvss_v3, &score.cvss_v2]);
    for vector in scores.flatten() {
        if all.len() < VECTORS_MAX
            && !all.iter().any(|one| one.vector == vector.vector.0)
            && let Ok(cvss) = Cvss::read(SOURCE, &vector.vector.0)
        {
            all.push(cvss);
        }
    }
    all
}

/// A source package of a release, and the module that it was built in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    major: u32,
    package: String,
    /// Module and stream; empty for none.
    module: String,
}

/// What is said of a package.
#[derive(Debug, Default)]
struct Facts {
    fixes: Fixes,
    /// It has the flaw and no fix.
    unfixed: Option<FixState>,
    is_investigated: bool,
    is_not_affected: bool,
    severity: Option<Severity>,
}

impl Facts {
    fn is_claim(&self) -> bool {
        !self.fixes.is_empty() || self.unfixed.is_some() || self.is_investigated
    }
}

/// A build, whatever it is named: product, version, module.
type Build<'d> = (&'d str, &'d str, &'d str);

/// What is read of one flaw.
struct Reader<'r, 'd> {
    products: &'r Products<'d>,
    flaw: &'d Vulnerability<'d>,
    statements: &'r mut Statements,
    facts: BTreeMap<Key, Facts>,
    fix_states: HashMap<&'d str, FixState>,
    /// The words on products that differ from the document's.
    severities: HashMap<&'d str, Severity>,
    /// Ids that are fixed in a stream of the distribution.
    fixed: HashSet<&'d str>,
}

impl<'r, 'd> Reader<'r, 'd> {
    fn new(
        products: &'r Products<'d>,
        flaw: &'d Vulnerability<'d>,
        aggregate: Option<Severity>,
        statements: &'r mut Statements,
    ) -> Reader<'r, 'd> {
        let mut severities = HashMap::new();
        for threat in flaw.threats.iter().filter(|threat| threat.category.0 == "impact") {
            let word = Severity::from_vendor_word(threat.details.0.trim());
            if let Some(word) = word.filter(|word| Some(*word) != aggregate) {
                severities.extend(threat.product_ids.iter().map(|id| (&*id.0, word)));
            }
        }
        let fix_states = fix_states(flaw);
        let (facts, fixed) = (BTreeMap::new(), HashSet::new());
        Reader { products, flaw, statements, facts, fix_states, severities, fixed }
    }

    /// What an id is, if it is an rpm package of a stream of the distribution.
    fn package(&mut self, id: &str) -> Option<(Resolved<'d>, Component<'d>)> {
        let Some(resolved) = self.products.resolve(id) else {
            self.statements.refused.insert("a product is not described in the document");
            return None;
        };
        let Some(major) = resolved.platform.major() else {
            self.statements.skipped.insert("it speaks of layered products, which are not read");
            return None;
        };
        self.statements.namespaces.insert(redhat::DISTRO.namespace(&major.to_string()));
        let component = resolved.component?;
        if !component.module.is_empty() && module(component.module).is_none() {
            self.statements.refused.insert("a module has no stream");
            return None;
        }
        let is_name = !component.name.is_empty() && text::is_package_name(component.name);
        if !is_name {
            self.statements.refused.insert("a package has no usable name");
        }
        is_name.then_some((resolved, component))
    }

    fn facts(
        &mut self,
        platform: Platform,
        name: &str,
        component: &Component<'_>,
        id: &str,
    ) -> Option<&mut Facts> {
        let module = module(component.module).unwrap_or_default();
        let key = Key { major: platform.major()?, package: decoded(name), module };
        let severity = self.severities.get(id).copied();
        let facts = self.facts.entry(key).or_default();
        facts.severity = facts.severity.max(severity);
        Some(facts)
    }

    /// Reads the builds with the fix.
    fn fixed(&mut self) {
        let sources = self.sources();
        let mut strays: Vec<(&'d str, Resolved<'d>, Component<'d>)> = Vec::new();
        let mut has_source: HashSet<(&'d str, &'d str)> = HashSet::new();
        let status = &self.flaw.product_status;
        for id in &status.fixed {
            let Some((resolved, component)) = self.package(&id.0) else { continue };
            if component.version.is_empty() {
                continue;
            }
            self.fixed.insert(&id.0);
            if component.kind == Kind::Source {
                has_source.insert((resolved.product, component.module));
                self.fix(&id.0, &resolved, &component, component.name);
            } else {
                strays.push((&id.0, resolved, component));
            }
        }
        // Binary packages whose source package is not said to be fixed.
        strays.retain(|(_, resolved, component)| !has_source.contains(&(resolved.product, component.module)));
        for (id, resolved, component) in strays {
            let build = (resolved.product, component.version, component.module);
            let names = sources.get(&build).map_or(&[][..], Vec::as_slice);
            match of_source(names, component.name) {
                [] => self.sourceless(id, &resolved, &component),
                names => names.iter().for_each(|name| self.fix(id, &resolved, &component, name)),
            }
        }
    }

    /// The source packages of every build, whatever is said of them. Where a build has none, a package with the sources
    /// for debuggers has its name with an ending.
    fn sources(&mut self) -> HashMap<Build<'d>, Vec<&'d str>> {
        let mut sources: HashMap<Build<'d>, Vec<&'d str>> = HashMap::new();
        let status = &self.flaw.product_status;
        for id in status.fixed.iter().chain(&status.known_not_affected).chain(&status.known_affected) {
            let Some(resolved) = self.products.resolve(&id.0) else { continue };
            let Some(build) = resolved.component.filter(|one| !one.version.is_empty()) else { continue };
            let name = match build.kind {
                Kind::Source => Some(build.name),
                _ => build.name.strip_suffix(DEBUG_SOURCES),
            };
            if let Some(name) = name {
                sources.entry((resolved.product, build.version, build.module)).or_default().push(name);
            }
        }
        for names in sources.values_mut() {
            names.sort_unstable();
            names.dedup();
        }
        sources
    }

    fn fix(&mut self, id: &str, resolved: &Resolved<'d>, component: &Component<'d>, name: &str) {
        let version = match component.epoch {
            "" | "0" => decoded(component.version),
            epoch => format!("{epoch}:{}", decoded(component.version)),
        };
        let (is_main, is_last) = match resolved.platform {
            Platform::Extended { is_last, .. } => (false, is_last),
            _ => (true, false),
        };
        let noted = self
            .facts(resolved.platform, name, component, id)
            .map(|facts| facts.fixes.note(version, is_main, is_last));
        if let Some(Err(reason)) = noted {
            self.statements.refused.insert(reason);
        }
    }

    /// A fix of which only binary packages are named. The binary's name is all there is; where it is not the source's,
    /// nothing is found by it.
    fn sourceless(&mut self, id: &str, resolved: &Resolved<'d>, component: &Component<'d>) {
        self.statements.refused.insert("the source package of a fix is not named");
        self.fix(id, resolved, component, component.name);
    }

    /// Reads what is said of packages as a whole.
    fn unfixed(&mut self) {
        let status = &self.flaw.product_status;
        let known = self.known_sources();
        for (ids, status) in [
            (&status.known_affected, Status::Affected),
            (&status.under_investigation, Status::UnderInvestigation),
            (&status.known_not_affected, Status::NotAffected),
        ] {
            self.unfixed_of(ids, status, &known);
        }
    }

    /// The source packages of products and modules that are told to be such, whatever is said of them.
    fn known_sources(&self) -> HashMap<(&'d str, &'d str), Vec<&'d str>> {
        let mut known: HashMap<(&'d str, &'d str), Vec<&'d str>> = HashMap::new();
        let status = &self.flaw.product_status;
        let lists = [&status.known_affected, &status.under_investigation, &status.known_not_affected];
        for id in lists.into_iter().flatten() {
            let Some(resolved) = self.products.resolve(&id.0) else { continue };
            let source = resolved.component.filter(|one| one.kind == Kind::Source && one.version.is_empty());
            if let Some(source) = source {
                let names = known.entry((resolved.product, source.module)).or_default();
                if !names.contains(&source.name) {
                    names.push(source.name);
                }
            }
        }
        known
    }

    fn unfixed_of(
        &mut self,
        ids: &'d [Text<'d>],
        status: Status,
        known: &HashMap<(&'d str, &'d str), Vec<&'d str>>,
    ) {
        let mut told: HashSet<(&'d str, &'d str)> = HashSet::new();
        let mut binaries = Vec::new();
        for id in ids {
            let Some((resolved, component)) = self.package(&id.0) else { continue };
            let place = (resolved.product, component.module);
            let is_build = !component.version.is_empty();
            match component.kind {
                // A build that is not affected says nothing of others.
                _ if is_build && status == Status::NotAffected => {}
                Kind::Source => {
                    told.insert(place);
                    self.unfixed_one(&id.0, &resolved, &component, component.name, status);
                }
                Kind::Unsaid if !known.contains_key(&place) => {
                    self.unfixed_one(&id.0, &resolved, &component, component.name, status);
                }
                _ => binaries.push((&*id.0, resolved, component)),
            }
        }
        if status == Status::NotAffected {
            return;
        }
        // Binary packages that are affected although their source package is not said to be.
        binaries.retain(|(_, resolved, component)| !told.contains(&(resolved.product, component.module)));
        for (id, resolved, component) in binaries {
            let names = known.get(&(resolved.product, component.module)).map_or(&[][..], Vec::as_slice);
            match of_source(names, component.name) {
                [] => {
                    self.statements.refused.insert("the source package of an affected package is not named");
                    self.unfixed_one(id, &resolved, &component, component.name, status);
                }
                names => {
                    names.iter().for_each(|name| self.unfixed_one(id, &resolved, &component, name, status))
                }
            }
        }
    }

    fn unfixed_one(
        &mut self,
        id: &str,
        resolved: &Resolved<'d>,
        component: &Component<'d>,
        name: &str,
        status: Status,
    ) {
        if !matches!(resolved.platform, Platform::Main { .. }) {
            self.statements.skipped.insert("an extended stream without a fix is judged as the main one");
            return;
        }
        let fix = self.fix_states.get(id).copied().unwrap_or(FixState::None);
        let Some(facts) = self.facts(resolved.platform, name, component, id) else { return };
        match status {
            Status::Affected => facts.unfixed = facts.unfixed.max(Some(fix)),
            Status::UnderInvestigation => facts.is_investigated = true,
            _ => facts.is_not_affected = true,
        }
    }

    /// The statements, one for each package and module, and one more where some versions are excepted.
    fn affected(&self) -> Vec<Affected> {
        let mut all = Vec::new();
        let claimed: HashSet<(u32, &str)> = self
            .facts
            .iter()
            .filter(|(_, facts)| facts.is_claim())
            .map(|(key, _)| (key.major, key.package.as_str()))
            .collect();
        for (key, facts) in &self.facts {
            let one = |status, fix, ranges| Affected {
                namespace: redhat::DISTRO.namespace(&key.major.to_string()),
                package: key.package.clone(),
                status,
                fix,
                ranges,
                module: (!key.module.is_empty()).then(|| key.module.clone()),
                architectures: Vec::new(),
                severity: facts.severity,
            };
            let open = || vec![Range { introduced: None, end: RangeEnd::Open }];
            let (fix, versions) = match (facts.fixes.has_main(), facts.unfixed) {
                (false, Some(fix)) => (fix, facts.fixes.versions_without_end()),
                _ if !facts.fixes.is_empty() => (FixState::Unstated, facts.fixes.versions()),
                _ if facts.is_investigated => {
                    all.push(one(Status::UnderInvestigation, FixState::Unstated, open()));
                    continue;
                }
                _ if facts.is_not_affected && claimed.contains(&(key.major, key.package.as_str())) => {
                    all.push(Affected {
                        severity: None,
                        ..one(Status::NotAffected, FixState::Unstated, Vec::new())
                    });
                    continue;
                }
                _ => continue,
            };
            let Versions { affected, excepted } = versions;
            all.push(one(Status::Affected, fix, affected));
            if !excepted.is_empty() {
                let excepted = one(Status::NotAffected, FixState::Unstated, excepted);
                all.push(Affected { severity: None, ..excepted });
            }
        }
        all
    }

    /// Pages of the errata that have the fixes.
    fn links(&self) -> Vec<String> {
        let has_ours = |ids: &[Text<'_>]| ids.iter().any(|id| self.fixed.contains(&*id.0));
        let fixes = self.flaw.remediations.iter().filter(|one| one.category.0 == "vendor_fix");
        let mut links: Vec<String> =
            fixes.filter(|one| has_ours(&one.product_ids)).map(|one| one.url.0.to_string()).collect();
        links.sort_unstable();
        links.dedup();
        links
    }
}

/// What is said of fixes that are not there, by product id.
fn fix_states<'d>(flaw: &'d Vulnerability<'d>) -> HashMap<&'d str, FixState> {
    let mut states = HashMap::new();
    for one in &flaw.remediations {
        let state = match (&*one.details.0, &*one.category.0) {
            ("Will not fix", _) => FixState::WillNotFix,
            ("Out of support scope", _) => FixState::EndOfLife,
            ("Fix deferred", _) => FixState::Deferred,
            (_, "no_fix_planned") => FixState::WillNotFix,
            (_, "none_available") => FixState::None,
            _ => continue,
        };
        states.extend(one.product_ids.iter().map(|id| (&*id.0, state)));
    }
    states
}

/// Those of the source packages that a binary package may be of: those whose name it begins with, else all.
fn of_source<'n, 'd>(names: &'n [&'d str], binary: &str) -> &'n [&'d str] {
    let own = names.iter().position(|name| binary.starts_with(name));
    match own {
        Some(at) => names.get(at..=at).unwrap_or_default(),
        None => names,
    }
}

/// Module and stream: `nodejs:18` of `nodejs:18:8090020240311122605:a75119d5`. `None` without a stream.
fn module(text: &str) -> Option<String> {
    let text = decoded(text);
    let mut fields = text.split(':');
    let (name, stream) = (fields.next()?, fields.next()?);
    (!name.is_empty() && !stream.is_empty()).then(|| format!("{name}:{stream}"))
}
