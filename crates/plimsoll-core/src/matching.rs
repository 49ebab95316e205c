//! Joining what is aboard with what is known.
//!
//! For each package the database is asked for the rows of one name in one namespace, and each row's interval
//! is held against the installed version's sort key. Rows that hold are gathered by flaw: advisories that name
//! the same CVE, GHSA or other id speak of one flaw, and one flaw in one package is one finding. Where several
//! feeds speak of the same flaw, the distribution's own feed decides, also when it says that there is nothing.
//! Where a feed contradicts itself, what it calls affected is affected.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use crate::advisory::{Advisories, Advisory, Cvss, Enrichment, LookupError, Row, Status};
use crate::coverage::{Coverage, Judge, Judges, end_of_life_gap, without_off};
use crate::distros::KeyedBy;
use crate::finding::{Evidence, Finding, Findings};
use crate::gap::{Gap, GapKind};
use crate::inventory::{Inventory, Package, Release};
use crate::schemes::BadVersion;
use crate::standings::Standings;
use crate::windows::components::{self, Scope};
use crate::windows::products;

mod flaws;

use flaws::{Flaw, Hit, Overruled, gather};

/// Matches an inventory against a database.
///
/// `standings` says how the feeds stand where it is judged.
pub fn find(inventory: &Inventory, advisories: &impl Advisories, standings: &Standings) -> Findings {
    let judges = Judges::of(inventory);
    let feeds = advisories.feeds();
    let coverage = judges.coverage(feeds, standings);
    let off: Vec<usize> = (0..feeds.len()).filter(|index| standings.is_off(&feeds[*index].name)).collect();
    let mut matcher = Matcher {
        inventory,
        advisories,
        standings,
        off,
        bodies: HashMap::new(),
        enrichments: HashMap::new(),
        findings: Vec::new(),
        gaps: judges.gaps(),
    };
    let mut rows = Vec::new();
    for (index, package) in inventory.packages.iter().enumerate() {
        if let Some(judge) = judges.judge(package) {
            rows.clear();
            matcher.package(index, &Lookup::of(package, judge), &mut rows);
        }
    }
    let Matcher { mut findings, mut gaps, .. } = matcher;
    gaps.extend(coverage.iter().filter_map(Coverage::gap));
    if let Some(Release { distro, release }) = &inventory.distro {
        let name = distro.name_of(release);
        let end = advisories.end_of_life(&name).or_else(|| products::end_of_life(&name));
        gaps.extend(end.and_then(|end| end_of_life_gap(&name, &end, &standings.today)));
    }
    gaps.sort_unstable();
    gaps.dedup();
    findings.sort_by(|a, b| {
        (b.severity, &a.id, a.package, &a.advisory).cmp(&(a.severity, &b.id, b.package, &b.advisory))
    });
    Findings { findings, coverage, gaps }
}

/// What is said of an inventory when there is no database: that nothing is known.
pub fn without_database(inventory: &Inventory, detail: &str, standings: &Standings) -> Findings {
    let judges = Judges::of(inventory);
    let mut gaps = judges.gaps();
    gaps.push(Gap::new(GapKind::DatabaseMissing, "database", detail));
    gaps.sort_unstable();
    Findings { findings: Vec::new(), coverage: judges.coverage(&[], standings), gaps }
}

/// The namespace and the name that each package is looked up by, in the order of the packages; `None` where a package is
/// not looked up.
pub fn looked_up_by(inventory: &Inventory) -> Vec<Option<(String, String)>> {
    let judges = Judges::of(inventory);
    let packages = inventory.packages.iter();
    packages
        .map(|package| {
            let lookup = Lookup::of(package, judges.judge(package)?);
            let is_named = !lookup.lacks_namespace() && !lookup.name.is_empty();
            is_named.then(|| (lookup.judge.namespace.to_owned(), lookup.name.into_owned()))
        })
        .collect()
}

/// What ends the namespace in a package's name.
const NAMESPACE_ENDS: [char; 2] = [':', '/'];

/// What is looked up for a package.
struct Lookup<'p> {
    package: &'p Package,
    judge: Judge<'p>,
    name: Cow<'p, str>,
    version: &'p str,
    /// Whether the version may have an epoch that it does not state.
    lacks_epoch: bool,
}

impl<'p> Lookup<'p> {
    /// A source package without a version has its binary package's, as dpkg writes it.
    fn of(package: &'p Package, judge: Judge<'p>) -> Lookup<'p> {
        let (name, version, is_source) = match (&package.source, judge.keyed_by) {
            (Some(source), KeyedBy::Source) if !source.name.is_empty() => match source.version.as_str() {
                "" => (&source.name, package.version.as_str(), false),
                version => (&source.name, version, true),
            },
            _ => (&package.name, package.version.as_str(), false),
        };
        let ecosystem = package.ecosystem;
        Lookup {
            package,
            judge,
            name: (ecosystem.normalize)(name),
            version,
            lacks_epoch: is_source && ecosystem.source_lacks_epoch,
        }
    }

    /// Whether only a part of its name is stated.
    fn lacks_namespace(&self) -> bool {
        self.package.ecosystem.needs_namespace && !self.name.contains(NAMESPACE_ENDS)
    }

    /// The package as people know it.
    fn subject(&self) -> String {
        format!("{} {}", self.package.name, self.package.version).trim_end().to_owned()
    }
}

/// The installed version as sort keys.
struct Installed<'l, 'a> {
    lookup: &'l Lookup<'l>,
    /// Why there may be none.
    key: Result<Vec<u8>, BadVersion>,
    /// The key with each epoch that rows had so far.
    with_epoch: HashMap<&'a str, Option<Vec<u8>>>,
}

impl<'l, 'a> Installed<'l, 'a> {
    fn of(lookup: &'l Lookup<'l>) -> Installed<'l, 'a> {
        Installed { lookup, key: (lookup.judge.scheme.key)(lookup.version), with_epoch: HashMap::new() }
    }

    /// Whether the version is one of the row's; `None` where that cannot be said.
    fn is_in(&mut self, row: &Row<'a>) -> Option<bool> {
        if row.is_of_all_versions() {
            return Some(true);
        }
        let key = self.key.as_deref().ok()?;
        if self.lookup.lacks_epoch
            && let Some(epoch) = epoch(row.end).or_else(|| epoch(row.introduced))
        {
            return row.interval.contains(self.key_with(epoch)?);
        }
        row.interval.contains(key)
    }

    /// The key, supposing that the version has the advisory's epoch.
    fn key_with(&mut self, epoch: &'a str) -> Option<&[u8]> {
        let Lookup { judge, version, .. } = self.lookup;
        let key = || (judge.scheme.key)(&format!("{epoch}:{version}")).ok();
        self.with_epoch.entry(epoch).or_insert_with(key).as_deref()
    }
}

/// The epoch that a version states.
fn epoch(version: &str) -> Option<&str> {
    version.split_once(':').map(|(epoch, _)| epoch)
}

/// The rows of a package, by what they say of the installed version. Most are silent, so these are looked at
/// again only where it matters.
#[derive(Default)]
struct Sorted<'r, 'a> {
    /// Claims that hold, and whether they are surely meant for the package.
    holding: Vec<(&'r Row<'a>, Meant)>,
    /// Claims whose range cannot be compared.
    unknown: Vec<(&'r Row<'a>, Meant)>,
    /// Claims of other versions, whether or not they are meant for the package: the source knows the flaw and
    /// does not claim it of this one.
    silent: Vec<&'r Row<'a>>,
    /// Statements that this version is not affected.
    denials: Vec<&'r Row<'a>>,
}

impl<'r, 'a> Sorted<'r, 'a> {
    /// A range of versions that are not affected says nothing about others, and what may be about another
    /// module or architecture denies nothing.
    fn of(rows: &'r [Row<'a>], package: &Package, installed: &mut Installed<'_, 'a>) -> Sorted<'r, 'a> {
        let mut sorted = Sorted { silent: Vec::with_capacity(rows.len()), ..Sorted::default() };
        for row in rows {
            let is_in = installed.is_in(row);
            if is_in == Some(false) {
                if row.status == Status::Affected {
                    sorted.silent.push(row);
                }
                continue;
            }
            match (meant(package, row), is_in) {
                (Meant::Not, _) => {}
                (meant, Some(_)) if row.is_claim() => sorted.holding.push((row, meant)),
                (meant, None) if row.is_claim() => sorted.unknown.push((row, meant)),
                (Meant::Surely, Some(_)) => sorted.denials.push(row),
                _ => {}
            }
        }
        sorted.drop_denied_by_their_own();
        sorted
    }

    /// An advisory that excepts some versions from what it calls affected means it.
    fn drop_denied_by_their_own(&mut self) {
        let excepted: HashSet<u32> =
            self.denials.iter().filter(|row| !row.is_of_all_versions()).map(|row| row.advisory).collect();
        if !excepted.is_empty() {
            self.holding.retain(|(row, _)| !excepted.contains(&row.advisory));
            self.unknown.retain(|(row, _)| !excepted.contains(&row.advisory));
        }
    }
}

struct Matcher<'a, A> {
    inventory: &'a Inventory,
    advisories: &'a A,
    standings: &'a Standings,
    /// Indexes of feeds that are switched off although the database has them.
    off: Vec<usize>,
    bodies: HashMap<u32, Rc<Advisory>>,
    /// By the name that a flaw goes by.
    enrichments: HashMap<String, Rc<Enrichment>>,
    findings: Vec<Finding>,
    gaps: Vec<Gap>,
}

impl<'a, A: Advisories> Matcher<'a, A> {
    fn package(&mut self, index: usize, lookup: &Lookup<'_>, rows: &mut Vec<Row<'a>>) {
        if lookup.lacks_namespace() {
            let detail = format!(
                "its group is not stated, and {} packages are known by it, so it was not judged",
                lookup.package.ecosystem.title
            );
            self.gaps.push(Gap::new(GapKind::NameUnknown, lookup.subject(), detail));
            return;
        }
        if lookup.name.is_empty() {
            let detail = "it lists a package without a name, which was not judged";
            let subject = lookup.package.evidence_path.as_str();
            self.gaps.push(Gap::new(GapKind::EvidenceUnreadable, subject, detail));
            return;
        }
        let asked = self.advisories.rows(lookup.judge.namespace, &lookup.name, &mut |row| rows.push(row));
        if let Err(error) = asked {
            self.lookup_failed(lookup, &error);
            return;
        }
        if !self.off.is_empty() {
            rows.retain(|row| !self.off.contains(&row.feed));
        }
        if rows.is_empty() {
            return;
        }
        let mut installed = Installed::of(lookup);
        let mut sorted = Sorted::of(rows, lookup.package, &mut installed);
        if let Err(error) = &installed.key {
            let unknown = std::mem::take(&mut sorted.unknown);
            self.gaps.extend(version_gap(lookup, error, &unknown));
        }
        if !sorted.holding.is_empty() || !sorted.unknown.is_empty() {
            self.sorted(index, lookup, &sorted);
        }
    }

    fn sorted(&mut self, index: usize, lookup: &Lookup<'_>, sorted: &Sorted<'_, 'a>) {
        let mut hits = self.hits(lookup, &sorted.holding, true);
        hits.extend(self.hits(lookup, &sorted.unknown, false));
        let mut flaws = gather(&hits);
        self.drop_overruled(lookup, sorted, &mut flaws);
        for mut flaw in flaws {
            let deciding = flaw.hits.iter().filter(|hit| hit.is_compared).map(|hit| hit.rank).min();
            for hit in flaw.hits.extract_if(.., |hit| !hit.is_compared) {
                // Beside a finding of the same feed or a better one it hides nothing.
                if deciding.is_none_or(|rank| hit.rank < rank) {
                    self.gaps.push(range_gap(lookup, &hit));
                }
            }
            if !flaw.hits.is_empty() {
                self.finding(index, lookup, flaw);
            }
        }
    }

    fn lookup_failed(&mut self, lookup: &Lookup<'_>, error: &LookupError) {
        let subject = format!("{} {}", lookup.judge.namespace, lookup.name);
        self.gaps.push(Gap::new(GapKind::LookupFailed, subject, error.to_string()));
    }

    /// An advisory that cannot be read is a gap, and the others still count.
    fn hits(&mut self, lookup: &Lookup<'_>, rows: &[(&Row<'a>, Meant)], is_compared: bool) -> Vec<Hit<'a>> {
        let mut hits = Vec::with_capacity(rows.len());
        for (row, meant) in rows {
            if let Some(body) = self.body(lookup, row.advisory) {
                let rank = self.rank(lookup, row);
                hits.push(Hit { row: **row, body, rank, is_compared, is_certain: *meant == Meant::Surely });
            }
        }
        hits
    }

    fn body(&mut self, lookup: &Lookup<'_>, advisory: u32) -> Option<Rc<Advisory>> {
        if let Some(body) = self.bodies.get(&advisory) {
            return Some(Rc::clone(body));
        }
        match self.advisories.advisory(advisory) {
            Ok(body) => {
                let body = Rc::new(body);
                self.bodies.insert(advisory, Rc::clone(&body));
                Some(body)
            }
            Err(error) => {
                self.lookup_failed(lookup, &error);
                None
            }
        }
    }

    /// What is known of a flaw beside advisories. The packages of an image share many flaws, and vectors are scored as
    /// they are read. Where it cannot be asked for, the finding still stands.
    fn enrichment(&mut self, id: &str) -> Rc<Enrichment> {
        if let Some(enrichment) = self.enrichments.get(id) {
            return Rc::clone(enrichment);
        }
        let enrichment = self.advisories.enrichment(id).unwrap_or_else(|error| {
            self.gaps.push(Gap::new(GapKind::LookupFailed, id, error.to_string()));
            Enrichment::default()
        });
        let mut enrichment = without_off(enrichment, self.standings);
        flaws::sort(&mut enrichment.cvss);
        let enrichment = Rc::new(enrichment);
        self.enrichments.insert(id.to_owned(), Rc::clone(&enrichment));
        enrichment
    }

    fn feed_name(&self, row: &Row<'_>) -> &'a str {
        self.advisories.feeds().get(row.feed).map_or("", |feed| feed.name.as_str())
    }

    fn rank(&self, lookup: &Lookup<'_>, row: &Row<'_>) -> usize {
        let (name, feeds) = (self.feed_name(row), lookup.judge.feeds);
        feeds.iter().position(|feed| *feed == name).unwrap_or(feeds.len())
    }

    /// Drops what a feed that ranks before the one that found it knows and does not call affected. Bodies are
    /// read only of rows that could do that.
    fn drop_overruled(&mut self, lookup: &Lookup<'_>, sorted: &Sorted<'_, 'a>, flaws: &mut Vec<Flaw<'a>>) {
        let Some(last) = flaws.iter().map(Flaw::rank).max() else { return };
        let is_unsure = flaws.iter().flat_map(|flaw| &flaw.hits).any(|hit| !hit.is_certain);
        let mut overruled = Overruled::default();
        let denials = sorted.denials.iter().map(|row| (*row, true));
        for (row, is_denial) in sorted.silent.iter().map(|row| (*row, false)).chain(denials) {
            let rank = self.rank(lookup, row);
            let can_overrule = match is_denial {
                true => rank < last || (is_unsure && rank == last),
                false => rank < last && meant(lookup.package, row) == Meant::Surely,
            };
            if can_overrule && let Some(body) = self.body(lookup, row.advisory) {
                overruled.note(&body, rank, is_denial);
            }
        }
        flaws.retain(|flaw| !overruled.holds(flaw));
    }

    fn finding(&mut self, index: usize, lookup: &Lookup<'_>, flaw: Flaw<'a>) {
        let id = flaw.main_name();
        let Some(deciding) = flaw.deciding() else { return };
        let enrichment = self.enrichment(&id);
        let fixed_in = flaw.fixed_in();
        let text = |of: fn(&Advisory) -> &String| {
            let mut texts = flaw.hits.iter().map(|hit| of(&hit.body));
            texts.find(|text| !text.is_empty()).cloned().unwrap_or_default()
        };
        let mut references: Vec<String> = Vec::new();
        for reference in flaw.hits.iter().flat_map(|hit| &hit.body.references) {
            if !references.contains(reference) {
                references.push(reference.clone());
            }
        }
        let mut cvss = flaw.cvss();
        let (severity, severity_source) = flaw.severity(&cvss, &enrichment.cvss);
        let is_new = |vector: &&Cvss| !cvss.contains(vector);
        let others: Vec<Cvss> = enrichment.cvss.iter().filter(is_new).cloned().collect();
        cvss.extend(others);
        self.findings.push(Finding {
            aliases: flaw.names.iter().filter(|name| **name != id).cloned().collect(),
            id,
            package: index,
            advisory: deciding.body.id.clone(),
            feed: self.feed_name(&deciding.row).to_owned(),
            severity,
            severity_source,
            cvss,
            update: fixed_in.as_deref().and_then(|version| flaw.update(lookup, version)),
            is_fix_ambiguous: flaw.is_fix_ambiguous(lookup),
            fixed_in,
            fix: flaw.fix(),
            status: flaw.status(),
            summary: text(|body| &body.summary),
            description: text(|body| &body.description),
            references,
            is_exploited: flaw.hits.iter().any(|hit| hit.body.is_exploited),
            scope: self.scope(&text(|body| &body.component)),
            kev: enrichment.kev.clone(),
            epss: enrichment.epss,
            evidence: Evidence {
                namespace: lookup.judge.namespace.to_owned(),
                name: lookup.name.clone().into_owned(),
                version: lookup.version.to_owned(),
                scheme: lookup.judge.scheme.name,
                range: deciding.row.range_text(),
            },
        });
    }
}

impl<A> Matcher<'_, A> {
    /// Where a flaw in a component does harm: only Windows has components that are not the image's own.
    fn scope(&self, component: &str) -> Scope {
        let Some(windows) = &self.inventory.windows else { return Scope::Image };
        let has = |name: &str| windows.features.iter().any(|feature| feature.name == name);
        components::scope_of(component, has, windows.is_whole)
    }
}

/// What a version that cannot be compared leaves unknown: nothing where no advisory asks for it.
fn version_gap(lookup: &Lookup<'_>, error: &BadVersion, unknown: &[(&Row<'_>, Meant)]) -> Option<Gap> {
    let (kind, why) = match lookup.version {
        "" => (GapKind::VersionUnknown, "its version is not stated".to_owned()),
        _ => (GapKind::VersionUnparsable, error.to_string()),
    };
    let advisories = match unknown.iter().map(|(row, _)| row.advisory).collect::<BTreeSet<u32>>().len() {
        0 => return None,
        1 => "1 advisory was".to_owned(),
        many => format!("{many} advisories were"),
    };
    Some(Gap::new(kind, lookup.subject(), format!("{why}, so {advisories} not held against it")))
}

fn range_gap(lookup: &Lookup<'_>, hit: &Hit<'_>) -> Gap {
    let (range, scheme) = (hit.row.range_text(), lookup.judge.scheme.name);
    let detail = format!("its range ({range}) does not follow `{scheme}`, so it was not compared");
    Gap::new(GapKind::RangeUnparsable, format!("{} in {}", hit.body.id, lookup.name), detail)
}

/// Whether a row's limits to modules and architectures take in a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Meant {
    Not,
    /// Too little is stated to tell. A claim counts, a denial does not.
    Perhaps,
    Surely,
}

fn meant(package: &Package, row: &Row<'_>) -> Meant {
    let architecture = architecture_meant(package.architecture.as_deref().unwrap_or_default(), row);
    architecture.min(module_meant(package.module.as_deref(), row))
}

fn architecture_meant(own: &str, row: &Row<'_>) -> Meant {
    let is_for_all = |architecture: &str| matches!(architecture, "noarch" | "all");
    // Whatever a feed puts between them, no architecture has it in its name.
    let mut listed = row
        .architectures
        .split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-'))
        .filter(|one| !one.is_empty());
    match own {
        _ if listed.clone().next().is_none() => Meant::Surely,
        _ if listed.any(|one| one == own || is_for_all(one)) => Meant::Surely,
        "" => Meant::Perhaps,
        _ if is_for_all(own) => Meant::Perhaps,
        _ => Meant::Not,
    }
}

/// Whether a statement about a module's stream, or about no module, is about a package of a stream.
///
/// The rpm distributions rebuild one package in several streams whose versions can't be compared. Where an
/// advisory names no stream, a release with `.module` in it still tells that the fix was built in one.
fn module_meant(installed: Option<&str>, row: &Row<'_>) -> Meant {
    let is_built_in_module = row.end.contains(".module");
    match (installed, row.module) {
        // Only rpm packages are asked for a module, and an SBOM may not say even theirs.
        (None, "") if !is_built_in_module => Meant::Surely,
        (None, _) => Meant::Perhaps,
        (Some(""), "") => {
            if is_built_in_module {
                Meant::Not
            } else {
                Meant::Surely
            }
        }
        (Some(_), "") => {
            if is_built_in_module || row.end.is_empty() {
                Meant::Perhaps
            } else {
                Meant::Not
            }
        }
        (Some(installed), module) => {
            if installed == module {
                Meant::Surely
            } else {
                Meant::Not
            }
        }
    }
}
