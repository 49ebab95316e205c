//! Joining what is aboard with what is known.
//!
//! For each package the database is asked for the rows of one name in one namespace, and each row's interval
//! is held against the installed version's sort key. Rows that hold are gathered by flaw: advisories that name
//! the same CVE, GHSA or other id speak of one flaw, and one flaw in one package is one finding. Where several
//! feeds speak of the same flaw, the distribution's own feed decides, also when it says that there is nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use crate::advisory::{
    Advisories, Advisory, Cvss, FeedRecord, High, Interval, LookupError, Row, Severity, Status,
};
use crate::coverage::{Coverage, CoverageState};
use crate::distros::{Distro, KeyedBy};
use crate::finding::{Evidence, Finding, Findings, SeveritySource};
use crate::gap::{Gap, GapKind};
use crate::inventory::{Inventory, Package};
use crate::schemes::Scheme;

/// Matches an inventory against a database.
///
/// `is_stale` says of a feed whether its data is older than its warning period.
pub fn find(
    inventory: &Inventory,
    advisories: &impl Advisories,
    is_stale: &dyn Fn(&FeedRecord) -> bool,
) -> Findings {
    let mut matcher =
        Matcher { inventory, advisories, bodies: HashMap::new(), findings: Vec::new(), gaps: Vec::new() };
    let coverage = coverage(inventory, advisories.feeds(), is_stale);
    for (index, package) in inventory.packages.iter().enumerate() {
        matcher.package(index, package);
    }
    let Matcher { mut findings, mut gaps, .. } = matcher;
    gaps.extend(coverage.iter().filter_map(coverage_gap));
    gaps.sort_unstable();
    gaps.dedup();
    findings.sort_by(|a, b| {
        (b.severity, &a.id, a.package, &a.advisory).cmp(&(a.severity, &b.id, b.package, &b.advisory))
    });
    Findings { findings, coverage, gaps }
}

/// What is said of an inventory when there is no database: that nothing is known.
pub fn without_database(inventory: &Inventory, detail: &str) -> Findings {
    let coverage = coverage(inventory, &[], &|_| false);
    let gaps = vec![Gap::new(GapKind::DatabaseMissing, "database", detail)];
    Findings { findings: Vec::new(), coverage, gaps }
}

/// Which namespaces an inventory needs and whether a feed serves each.
fn coverage(
    inventory: &Inventory,
    feeds: &[FeedRecord],
    is_stale: &dyn Fn(&FeedRecord) -> bool,
) -> Vec<Coverage> {
    let mut needs: BTreeMap<String, (&[&str], usize)> = BTreeMap::new();
    if let Some(release) = &inventory.distro {
        needs.insert(release.namespace(), (release.distro.feeds, 0));
    }
    for package in inventory.packages.iter().filter(|package| package.owned_by.is_none()) {
        let (namespace, feeds) = match (&inventory.distro, package.ecosystem.is_os) {
            (Some(release), true) => (release.namespace(), release.distro.feeds),
            (None, true) => continue,
            (_, false) => (package.ecosystem.name.to_owned(), package.ecosystem.feeds),
        };
        needs.entry(namespace).or_insert((feeds, 0)).1 += 1;
    }
    let serves = |feed: &FeedRecord, namespace: &String| feed.namespaces.binary_search(namespace).is_ok();
    needs
        .into_iter()
        .map(|(needs, (names, packages))| {
            let serving = names
                .iter()
                .find_map(|name| feeds.iter().find(|feed| feed.name == *name && serves(feed, &needs)))
                .or_else(|| feeds.iter().find(|feed| serves(feed, &needs)));
            let (feed, state, data_date) = match serving {
                Some(feed) => {
                    let state = if is_stale(feed) { CoverageState::Stale } else { CoverageState::Loaded };
                    (
                        feed.name.clone(),
                        state,
                        Some(feed.data_date.clone().unwrap_or_else(|| feed.fetched_at.clone())),
                    )
                }
                None => match names.first() {
                    Some(name) => ((*name).to_owned(), CoverageState::Missing, None),
                    None => (String::new(), CoverageState::Unsupported, None),
                },
            };
            Coverage { needs, feed, state, data_date, packages }
        })
        .collect()
}

fn coverage_gap(coverage: &Coverage) -> Option<Gap> {
    let Coverage { needs, feed, data_date, packages, .. } = coverage;
    let (kind, detail) = match coverage.state {
        CoverageState::Loaded => return None,
        CoverageState::Stale => (
            GapKind::FeedStale,
            format!(
                "the data of feed `{feed}` is of {}, older than its warning period",
                data_date.as_deref().unwrap_or("an unknown date")
            ),
        ),
        CoverageState::Missing => (
            GapKind::FeedMissing,
            format!(
                "the database has nothing for it, so {packages} packages were not judged; run `plimsoll feeds update {feed}`"
            ),
        ),
        CoverageState::Unsupported => {
            (GapKind::FeedMissing, format!("no feed for it is known, so {packages} packages were not judged"))
        }
    };
    Some(Gap::new(kind, needs, detail))
}

struct Matcher<'a, A> {
    inventory: &'a Inventory,
    advisories: &'a A,
    bodies: HashMap<u32, Rc<Advisory>>,
    findings: Vec<Finding>,
    gaps: Vec<Gap>,
}

/// What is looked up for a package.
struct Lookup<'a> {
    namespace: String,
    name: String,
    version: &'a str,
    scheme: &'static Scheme,
    /// Feeds in the order in which they decide.
    feeds: &'static [&'static str],
}

/// One flaw of a package: all its names and the rows that hold, the deciding one first.
struct Flaw<'a> {
    names: BTreeSet<String>,
    hits: Vec<Hit<'a>>,
}

impl Flaw<'_> {
    fn rank(&self) -> usize {
        self.hits.first().map_or(usize::MAX, |hit| hit.rank)
    }
}

/// A row that holds for the installed version, with its advisory.
struct Hit<'a> {
    row: Row<'a>,
    body: Rc<Advisory>,
    /// Rank of the row's feed; the lowest decides.
    rank: usize,
}

impl<'a, A: Advisories> Matcher<'a, A> {
    fn package(&mut self, index: usize, package: &'a Package) {
        // Judged by the distribution's advisories, through the package that owns it.
        if package.owned_by.is_some() {
            return;
        }
        let Some(lookup) = lookup(self.inventory, package) else { return };
        let mut rows = Vec::new();
        let asked = self.advisories.rows(&lookup.namespace, &lookup.name, &mut |row| rows.push(row));
        if let Err(error) = asked {
            self.lookup_failed(&lookup, &error);
            return;
        }
        rows.retain(|row| is_meant(package, row));
        if rows.is_empty() {
            return;
        }
        let subject = || format!("{} {}", package.name, package.version).trim_end().to_owned();
        if lookup.version.is_empty() {
            let detail = format!(
                "its version is not stated, so {} advisories were not held against it",
                distinct(&rows)
            );
            self.gaps.push(Gap::new(GapKind::VersionUnknown, subject(), detail));
            return;
        }
        let key = match (lookup.scheme.key)(lookup.version) {
            Ok(key) => key,
            Err(error) => {
                self.gaps.push(Gap::new(GapKind::VersionUnparsable, subject(), error.to_string()));
                return;
            }
        };
        if let Err(error) = self.matched(index, &lookup, &key, &rows) {
            self.lookup_failed(&lookup, &error);
        }
    }

    fn lookup_failed(&mut self, lookup: &Lookup<'_>, error: &LookupError) {
        let subject = format!("{} {}", lookup.namespace, lookup.name);
        self.gaps.push(Gap::new(GapKind::LookupFailed, subject, error.to_string()));
    }

    fn matched(
        &mut self,
        index: usize,
        lookup: &Lookup<'_>,
        key: &[u8],
        rows: &[Row<'a>],
    ) -> Result<(), LookupError> {
        let mut hits = Vec::new();
        let mut silent = Vec::new();
        for row in rows {
            match row.interval.contains(key) {
                Some(true) if matches!(row.status, Status::Affected | Status::UnderInvestigation) => {
                    hits.push(row)
                }
                Some(_) => silent.push(row),
                None => self.unparsable(lookup, row)?,
            }
        }
        let mut flaws = self.by_flaw(lookup, &hits)?;
        self.drop_overruled(lookup, &silent, &mut flaws)?;
        for flaw in flaws {
            let finding = self.finding(index, lookup, flaw)?;
            self.findings.push(finding);
        }
        Ok(())
    }

    fn unparsable(&mut self, lookup: &Lookup<'_>, row: &Row<'_>) -> Result<(), LookupError> {
        let body = self.body(row.advisory)?;
        let subject = format!("{} in {}", body.id, lookup.name);
        let detail = format!(
            "its range ({}) does not follow `{}`, so it was not compared",
            range_text(row),
            lookup.scheme.name
        );
        self.gaps.push(Gap::new(GapKind::RangeUnparsable, subject, detail));
        Ok(())
    }

    fn body(&mut self, advisory: u32) -> Result<Rc<Advisory>, LookupError> {
        if let Some(body) = self.bodies.get(&advisory) {
            return Ok(Rc::clone(body));
        }
        let body = Rc::new(self.advisories.advisory(advisory)?);
        self.bodies.insert(advisory, Rc::clone(&body));
        Ok(body)
    }

    fn rank(&self, lookup: &Lookup<'_>, row: &Row<'_>) -> usize {
        let name = self.advisories.feeds().get(row.feed).map_or("", |feed| feed.name.as_str());
        lookup.feeds.iter().position(|feed| *feed == name).unwrap_or(lookup.feeds.len())
    }

    /// Gathers hits by flaw.
    fn by_flaw(&mut self, lookup: &Lookup<'_>, rows: &[&Row<'a>]) -> Result<Vec<Flaw<'a>>, LookupError> {
        let mut flaws: Vec<Flaw<'a>> = Vec::new();
        for row in rows {
            let body = self.body(row.advisory)?;
            let rank = self.rank(lookup, row);
            for names in flaws_of(&body) {
                let hit = Hit { row: **row, body: Rc::clone(&body), rank };
                // Flaws that the new names connect become one.
                let mut merged = Flaw { names, hits: vec![hit] };
                let same: Vec<Flaw<'a>> =
                    flaws.extract_if(.., |flaw| !flaw.names.is_disjoint(&merged.names)).collect();
                for flaw in same {
                    merged.names.extend(flaw.names);
                    merged.hits.extend(flaw.hits);
                }
                flaws.push(merged);
            }
        }
        for flaw in &mut flaws {
            flaw.hits.sort_by(|a, b| (a.rank, &a.body.id, a.row.end).cmp(&(b.rank, &b.body.id, b.row.end)));
        }
        Ok(flaws)
    }

    /// Drops what the distribution's own feed, or whichever ranks before the one that found it, knows and does
    /// not call affected.
    fn drop_overruled(
        &mut self,
        lookup: &Lookup<'_>,
        silent: &[&Row<'a>],
        flaws: &mut Vec<Flaw<'a>>,
    ) -> Result<(), LookupError> {
        let Some(worst) = flaws.iter().map(Flaw::rank).max() else { return Ok(()) };
        let mut overruled: Vec<(usize, BTreeSet<String>)> = Vec::new();
        for row in silent {
            let rank = self.rank(lookup, row);
            let is_denial = row.status == Status::NotAffected && row.interval_holds();
            if rank < worst || is_denial {
                let body = self.body(row.advisory)?;
                // A denial counts among equals, a mere silence only before a lower rank.
                let until = if is_denial { rank } else { rank + 1 };
                overruled.extend(flaws_of(&body).into_iter().map(|names| (until, names)));
            }
        }
        flaws.retain(|flaw| {
            !overruled.iter().any(|(until, known)| *until <= flaw.rank() && !known.is_disjoint(&flaw.names))
        });
        Ok(())
    }

    fn finding(&self, index: usize, lookup: &Lookup<'_>, flaw: Flaw<'a>) -> Result<Finding, LookupError> {
        let Flaw { mut names, hits } = flaw;
        let deciding = hits.first().expect("a flaw is made of at least one hit");
        let id = main_name(&names);
        names.remove(&id);
        let cvss = cvss_of(&hits);
        let (severity, severity_source) = severity_of(&hits, &cvss);
        let text = |of: fn(&Advisory) -> &String| {
            hits.iter().map(|hit| of(&hit.body)).find(|text| !text.is_empty()).cloned().unwrap_or_default()
        };
        let mut references: Vec<String> = Vec::new();
        for reference in hits.iter().flat_map(|hit| &hit.body.references) {
            if !references.contains(reference) {
                references.push(reference.clone());
            }
        }
        let enrichment = self.advisories.enrichment(&id)?;
        let feed =
            self.advisories.feeds().get(deciding.row.feed).map_or_else(String::new, |feed| feed.name.clone());
        let is_affected = hits.iter().any(|hit| hit.row.status == Status::Affected);
        let fix = hits.iter().map(|hit| hit.row.fix).max().unwrap_or_default();
        Ok(Finding {
            id,
            aliases: names.into_iter().collect(),
            package: index,
            advisory: deciding.body.id.clone(),
            feed,
            severity,
            severity_source,
            cvss,
            fixed_in: fixed_in(lookup.scheme, &hits),
            fix,
            status: if is_affected { Status::Affected } else { Status::UnderInvestigation },
            summary: text(|body| &body.summary),
            description: text(|body| &body.description),
            references,
            kev: enrichment.kev,
            epss: enrichment.epss,
            evidence: Evidence {
                namespace: lookup.namespace.clone(),
                name: lookup.name.clone(),
                version: lookup.version.to_owned(),
                scheme: lookup.scheme.name,
                range: range_text(&deciding.row),
            },
        })
    }
}

impl Row<'_> {
    /// Whether the row speaks of all versions.
    fn interval_holds(&self) -> bool {
        matches!(self.interval, Interval::Keys { low: [], high: High::Open })
    }
}

/// Where a package is looked up; `None` where nothing can judge it, which has its own gap.
fn lookup<'a>(inventory: &'a Inventory, package: &'a Package) -> Option<Lookup<'a>> {
    if !package.ecosystem.is_os {
        return Some(Lookup {
            namespace: package.ecosystem.name.to_owned(),
            name: (package.ecosystem.normalize)(&package.name).into_owned(),
            version: &package.version,
            scheme: package.ecosystem.scheme,
            feeds: package.ecosystem.feeds,
        });
    }
    let release = inventory.distro.as_ref()?;
    let distro: &'static Distro = release.distro;
    let (name, version) = match (&package.source, distro.keyed_by) {
        (Some(source), KeyedBy::Source) => (&source.name, &source.version),
        _ => (&package.name, &package.version),
    };
    Some(Lookup {
        namespace: release.namespace(),
        name: name.clone(),
        version,
        scheme: distro.ecosystem.scheme,
        feeds: distro.feeds,
    })
}

/// Whether a row's limits to modules and architectures take in a package.
fn is_meant(package: &Package, row: &Row<'_>) -> bool {
    let architecture_fits = match package.architecture.as_deref() {
        _ if row.architectures.is_empty() => true,
        None | Some("noarch" | "all") => true,
        Some(own) => row.architectures.split(' ').any(|one| one == own || one == "noarch" || one == "all"),
    };
    architecture_fits && module_fits(package.module.as_deref(), row)
}

/// Whether a statement about a module's stream, or about no module, is about a package of a stream.
///
/// The rpm distributions rebuild one package in several streams whose versions can't be compared. Where an
/// advisory names no stream, a release with `.module` in it still tells that the fix was built in one.
fn module_fits(installed: Option<&str>, row: &Row<'_>) -> bool {
    match (installed, row.module) {
        // An SBOM may not say.
        (None, _) => true,
        (Some(""), "") => !row.end.contains(".module"),
        (Some(_), "") => row.end.contains(".module") || row.end.is_empty(),
        (Some(installed), module) => installed == module,
    }
}

fn distinct(rows: &[Row<'_>]) -> usize {
    rows.iter().map(|row| row.advisory).collect::<BTreeSet<u32>>().len()
}

/// The flaws that an advisory speaks of, each with all its names.
fn flaws_of(body: &Advisory) -> Vec<BTreeSet<String>> {
    if body.flaws.is_empty() {
        let names = std::iter::once(&body.id).chain(&body.aliases);
        vec![names.cloned().collect()]
    } else {
        body.flaws.iter().map(|flaw| BTreeSet::from([flaw.clone()])).collect()
    }
}

/// The name that a flaw goes by: its CVE, else a GHSA, else the first.
fn main_name(names: &BTreeSet<String>) -> String {
    let with_prefix = |prefix: &str| names.iter().find(|name| name.starts_with(prefix));
    with_prefix("CVE-").or_else(|| with_prefix("GHSA-")).or(names.first()).cloned().unwrap_or_default()
}

fn cvss_of(hits: &[Hit<'_>]) -> Vec<Cvss> {
    let mut all: Vec<Cvss> = Vec::new();
    for cvss in hits.iter().flat_map(|hit| &hit.body.cvss) {
        if !all.contains(cvss) {
            all.push(cvss.clone());
        }
    }
    all.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.vector.cmp(&b.vector)));
    all
}

/// The vendor's own word, by rank; else the rating of the highest score.
fn severity_of(hits: &[Hit<'_>], cvss: &[Cvss]) -> (Option<Severity>, SeveritySource) {
    if let Some(word) = hits.iter().find_map(|hit| hit.row.severity.or(hit.body.severity)) {
        return (Some(word), SeveritySource::Vendor);
    }
    match cvss.first().and_then(|cvss| Severity::from_cvss_score(cvss.score)) {
        Some(rating) => (Some(rating), SeveritySource::Cvss),
        None => (None, SeveritySource::Nobody),
    }
}

/// The smallest version with the fix, among those that the best-ranked feed with any states. Each holding row
/// is a branch of its own, so its end is the fix on the installed version's branch.
fn fixed_in(scheme: &Scheme, hits: &[Hit<'_>]) -> Option<String> {
    hits.iter()
        .filter(|hit| hit.row.has_fix && !hit.row.end.is_empty())
        .min_by(|a, b| {
            let order = (scheme.compare)(a.row.end, b.row.end).unwrap_or_else(|_| a.row.end.cmp(b.row.end));
            a.rank.cmp(&b.rank).then(order)
        })
        .map(|hit| hit.row.end.to_owned())
}

/// A row's range for people: `>= 1.0, < 1.2`.
fn range_text(row: &Row<'_>) -> String {
    let end = match row.interval {
        Interval::Keys { high: High::Through(_), .. } => format!("<= {}", row.end),
        _ if row.end.is_empty() => String::new(),
        _ => format!("< {}", row.end),
    };
    match (row.introduced.is_empty(), end.is_empty()) {
        (true, true) => "all versions".to_owned(),
        (true, false) => end,
        (false, true) => format!(">= {}", row.introduced),
        (false, false) if row.introduced == row.end => format!("= {}", row.end),
        (false, false) => format!(">= {}, {end}", row.introduced),
    }
}
