//! Gathering rows by flaw, and what a flaw's rows say together.
//!
//! A flaw with a CVE is that CVE. An advisory that lists two CVEs as names of one flaw, or two advisories that
//! share a name and differ in the CVE, give a flaw for each CVE: sources make such mistakes, and a waiver or
//! denial of one CVE must not take the other along.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::Lookup;
use crate::advisory::{Advisory, Cvss, FixState, High, Interval, Row, Severity, Status, VendorUpdate};
use crate::finding::SeveritySource;

/// A row that holds for the installed package, or that may, with its advisory.
#[derive(Clone)]
pub(super) struct Hit<'a> {
    pub(super) row: Row<'a>,
    pub(super) body: Rc<Advisory>,
    /// Rank of the row's feed; the lowest decides.
    pub(super) rank: usize,
    /// Whether the installed version was held against the range. A range that does not follow its scheme
    /// cannot be.
    pub(super) is_compared: bool,
    /// Whether the row's limits to modules and architectures are known to take in the package.
    pub(super) is_certain: bool,
}

/// One flaw of a package: all its names and the rows that hold, the deciding one first.
pub(super) struct Flaw<'a> {
    pub(super) names: BTreeSet<String>,
    pub(super) hits: Vec<Hit<'a>>,
}

impl<'a> Flaw<'a> {
    pub(super) fn rank(&self) -> usize {
        self.hits.first().map_or(usize::MAX, |hit| hit.rank)
    }

    /// The hit that a finding cites: of the deciding feed, and the one whose fix is told where there is one.
    pub(super) fn deciding(&self) -> Option<&Hit<'a>> {
        let (rank, status) = (self.rank(), self.status());
        let candidates = self.hits.iter().filter(|hit| hit.rank == rank && hit.row.status == status);
        candidates.rev().max_by_key(|hit| hit.row.fix_key())
    }

    /// The name that it goes by: its CVE, else a GHSA, else the first.
    pub(super) fn main_name(&self) -> String {
        let with_prefix = |prefix: &str| self.names.iter().find(|name| name.starts_with(prefix));
        let main = with_prefix("CVE-").or_else(|| with_prefix("GHSA-")).or(self.names.first());
        main.cloned().unwrap_or_default()
    }

    /// The vendor's own word, the worst of the first feed that has one; else the rating of the highest score, of its
    /// own vectors before those of others.
    pub(super) fn severity(&self, own: &[Cvss], others: &[Cvss]) -> (Option<Severity>, SeveritySource) {
        let word = |hit: &Hit<'a>| hit.row.severity.or(hit.body.severity);
        if let Some(word) = self.worst_of_first_feed(word) {
            return (Some(word), SeveritySource::Vendor);
        }
        match rating(own).or_else(|| rating(others)) {
            Some(rating) => (Some(rating), SeveritySource::Cvss),
            None => (None, SeveritySource::Nobody),
        }
    }

    /// What the first feed that says anything says about a fix.
    pub(super) fn fix(&self) -> FixState {
        let stated = |hit: &Hit<'a>| Some(hit.row.fix).filter(|fix| *fix != FixState::Unstated);
        self.worst_of_first_feed(stated).unwrap_or_default()
    }

    /// Affected, if the deciding feed says so.
    pub(super) fn status(&self) -> Status {
        let is_claim = |hit: &Hit<'a>| Some(hit.row.status == Status::Affected);
        match self.worst_of_first_feed(is_claim) {
            Some(false) => Status::UnderInvestigation,
            _ => Status::Affected,
        }
    }

    /// The smallest version with which no fix is outstanding, of those that the first feed with any states.
    /// All ranges here hold the installed version, so they overlap, and that is the last of their ends.
    pub(super) fn fixed_in(&self) -> Option<String> {
        let end = |hit: &Hit<'a>| hit.row.fix_key().map(|key| (key, Reverse(hit.row.end)));
        self.worst_of_first_feed(end).map(|(_, Reverse(end))| end.to_owned())
    }

    /// The vendor's name of the update that brings a version.
    pub(super) fn update(&self, lookup: &Lookup<'_>, version: &str) -> Option<String> {
        self.updates(lookup).find(|update| update.version == version).map(|update| update.name.clone())
    }

    /// The vendor's updates of a package.
    fn updates<'s>(&'s self, lookup: &'s Lookup<'_>) -> impl Iterator<Item = &'s VendorUpdate> {
        let is_of = |update: &&VendorUpdate| {
            update.namespace == lookup.judge.namespace && update.package == lookup.name
        };
        self.hits.iter().flat_map(|hit| &hit.body.updates).filter(is_of)
    }

    /// Whether an update with the fix is one that the installed version has: of several, the last is what counts.
    pub(super) fn is_fix_ambiguous(&self, lookup: &Lookup<'_>) -> bool {
        let key = |version: &str| (lookup.judge.scheme.key)(version).ok();
        let Some(installed) = key(lookup.version) else { return false };
        self.updates(lookup).any(|update| key(&update.version).is_some_and(|version| version <= installed))
    }

    /// All vectors, the highest score first.
    pub(super) fn cvss(&self) -> Vec<Cvss> {
        let mut all: Vec<Cvss> = Vec::new();
        for cvss in self.hits.iter().flat_map(|hit| &hit.body.cvss) {
            if !all.contains(cvss) {
                all.push(cvss.clone());
            }
        }
        sort(&mut all);
        all
    }

    /// The highest of what the hits of one feed say: the first feed that says anything.
    fn worst_of_first_feed<T: Ord>(&self, say: impl Fn(&Hit<'a>) -> Option<T>) -> Option<T> {
        let mut said = self.hits.iter().filter_map(|hit| Some((hit.rank, say(hit)?)));
        let (first, value) = said.next()?;
        Some(said.take_while(|(rank, _)| *rank == first).map(|(_, value)| value).fold(value, T::max))
    }
}

/// The highest score first.
pub(super) fn sort(vectors: &mut [Cvss]) {
    vectors.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.vector.cmp(&b.vector)));
}

/// The worst rating that vectors give. Version 2 counts only where no other is there: it rates otherwise.
fn rating(vectors: &[Cvss]) -> Option<Severity> {
    let worst = |is_old: bool| {
        let vectors = vectors.iter().filter(|cvss| (cvss.version == "2.0") == is_old);
        vectors.filter_map(Cvss::rating).max()
    };
    worst(false).or_else(|| worst(true))
}

impl<'a> Row<'a> {
    /// Whether the row says that a version has the flaw, or may have it.
    pub(super) fn is_claim(&self) -> bool {
        matches!(self.status, Status::Affected | Status::UnderInvestigation)
    }

    /// Whether the row speaks of all versions, whichever is installed.
    pub(super) fn is_of_all_versions(&self) -> bool {
        matches!(self.interval, Interval::Keys { low: [], high: High::Open })
    }

    /// The key of the version with the fix.
    fn fix_key(&self) -> Option<&'a [u8]> {
        match self.interval {
            Interval::Keys { high: High::Before(key), .. } if self.has_fix && !self.end.is_empty() => {
                Some(key)
            }
            _ => None,
        }
    }

    /// The range for people: `>= 1.0, < 1.2`.
    pub(super) fn range_text(&self) -> String {
        let end = match self.interval {
            _ if self.end.is_empty() => String::new(),
            Interval::Keys { high: High::Through(_), .. } => format!("<= {}", self.end),
            // Whether the last version is in it is lost with the keys.
            Interval::Unparsable if !self.has_fix => format!("up to {}", self.end),
            _ => format!("< {}", self.end),
        };
        match (self.introduced.is_empty(), end.is_empty()) {
            (true, true) => "all versions".to_owned(),
            (true, false) => end,
            (false, true) => format!(">= {}", self.introduced),
            (false, false) if self.introduced == self.end => format!("= {}", self.end),
            (false, false) => format!(">= {}, {end}", self.introduced),
        }
    }
}

/// The flaws that an advisory speaks of, each with all its names.
fn flaws_of(body: &Advisory) -> Vec<Vec<&str>> {
    let aliases = body.aliases.iter().map(String::as_str).filter(|alias| !alias.is_empty());
    match body.flaws.as_slice() {
        [] => vec![std::iter::once(body.id.as_str()).chain(aliases).collect()],
        [flaw] => vec![std::iter::once(flaw.as_str()).chain(aliases).collect()],
        flaws => flaws.iter().map(|flaw| vec![flaw.as_str()]).collect(),
    }
}

fn is_cve(name: &str) -> bool {
    name.starts_with("CVE-")
}

/// Gathers hits by flaw. The flaws come in no particular order; a flaw's hits by rank.
pub(super) fn gather<'a>(hits: &[Hit<'a>]) -> Vec<Flaw<'a>> {
    let mentions: Vec<Mention<'_, 'a>> = hits
        .iter()
        .flat_map(|hit| flaws_of(&hit.body).into_iter().map(move |names| Mention { hit, names }))
        .collect();
    groups(&mentions).iter().flat_map(|group| flaws_of_group(group)).collect()
}

/// What a row's advisory calls one flaw.
struct Mention<'h, 'a> {
    hit: &'h Hit<'a>,
    names: Vec<&'h str>,
}

/// Mentions that names connect.
fn groups<'m, 'h, 'a>(mentions: &'m [Mention<'h, 'a>]) -> Vec<Vec<&'m Mention<'h, 'a>>> {
    // A forest: each mention leads to an earlier one of its group, or to itself.
    let mut leads_to: Vec<usize> = (0..mentions.len()).collect();
    let mut first: HashMap<&str, usize> = HashMap::with_capacity(mentions.len());
    for (index, mention) in mentions.iter().enumerate() {
        for name in &mention.names {
            let earlier = *first.entry(name).or_insert(index);
            let (a, b) = (root(&mut leads_to, earlier), root(&mut leads_to, index));
            leads_to[a.max(b)] = a.min(b);
        }
    }
    let mut groups: BTreeMap<usize, Vec<&Mention<'h, 'a>>> = BTreeMap::new();
    for (index, mention) in mentions.iter().enumerate() {
        groups.entry(root(&mut leads_to, index)).or_default().push(mention);
    }
    groups.into_values().collect()
}

/// The first of a group, halving the way for the next to ask.
fn root(leads_to: &mut [usize], mut index: usize) -> usize {
    while leads_to[index] != index {
        leads_to[index] = leads_to[leads_to[index]];
        index = leads_to[index];
    }
    index
}

/// One flaw, or one for each CVE. What names no CVE may be about each of them.
fn flaws_of_group<'a>(group: &[&Mention<'_, 'a>]) -> Vec<Flaw<'a>> {
    let cves: BTreeSet<&str> =
        group.iter().flat_map(|mention| mention.names.iter().copied()).filter(|name| is_cve(name)).collect();
    if cves.len() <= 1 {
        return vec![flaw(group.iter().copied(), |_| true)];
    }
    let of = |cve: &str| {
        let is_about = |mention: &&&Mention<'_, 'a>| {
            mention.names.contains(&cve) || !mention.names.iter().any(|name| is_cve(name))
        };
        flaw(group.iter().filter(is_about).copied(), |name| name == cve || !is_cve(name))
    };
    cves.into_iter().map(of).collect()
}

fn flaw<'m, 'h: 'm, 'a: 'h>(
    mentions: impl Iterator<Item = &'m Mention<'h, 'a>>,
    is_name: impl Fn(&str) -> bool,
) -> Flaw<'a> {
    let (mut names, mut hits) = (BTreeSet::new(), Vec::new());
    for mention in mentions {
        names.extend(mention.names.iter().filter(|name| is_name(name)).map(|name| (*name).to_owned()));
        hits.push(mention.hit.clone());
    }
    // Whatever order the rows come in, the same hit decides.
    hits.sort_by(|a, b| order(a).cmp(&order(b)));
    Flaw { names, hits }
}

fn order<'h>(hit: &'h Hit<'_>) -> impl Ord + use<'h> {
    let row = &hit.row;
    let limits = (row.module, row.architectures);
    (hit.rank, row.status, hit.body.id.as_str(), row.end, row.introduced, limits, row.feed, row.advisory)
}

/// What feeds know of flaws and do not call affected, by the flaws' names.
#[derive(Default)]
pub(super) struct Overruled {
    /// By name, and whether the statement names a CVE.
    silent: HashMap<(String, bool), usize>,
    /// The same, of statements that it is not affected.
    denied: HashMap<(String, bool), usize>,
}

impl Overruled {
    /// Notes an advisory of a feed with this rank.
    pub(super) fn note(&mut self, body: &Advisory, rank: usize, is_denial: bool) {
        for names in flaws_of(body) {
            let has_cve = names.iter().any(|name| is_cve(name));
            for name in names {
                let lists = [Some(&mut self.silent), is_denial.then_some(&mut self.denied)];
                for list in lists.into_iter().flatten() {
                    let first = list.entry((name.to_owned(), has_cve)).or_insert(rank);
                    *first = rank.min(*first);
                }
            }
        }
    }

    /// Whether a feed that ranks before those of the flaw knows better, or one of them denies for sure what it
    /// claims perhaps: of a module or architecture that may be another.
    pub(super) fn holds(&self, flaw: &Flaw<'_>) -> bool {
        let rank = flaw.rank();
        let is_unsure = !flaw.hits.iter().any(|hit| hit.rank == rank && hit.is_certain);
        self.lowest(&self.silent, flaw) < rank || (is_unsure && self.lowest(&self.denied, flaw) == rank)
    }

    /// A statement on a CVE is about a flaw that has one only if it is the same.
    fn lowest(&self, ranks: &HashMap<(String, bool), usize>, flaw: &Flaw<'_>) -> usize {
        let flaw_has_cve = flaw.names.iter().any(|name| is_cve(name));
        let rank_of = |name: &String| {
            [true, false]
                .into_iter()
                .filter_map(|has_cve| {
                    if flaw_has_cve && has_cve && !is_cve(name) {
                        return None;
                    }
                    ranks.get(&(name.clone(), has_cve)).copied()
                })
                .min()
        };
        flaw.names.iter().filter_map(rank_of).min().unwrap_or(usize::MAX)
    }
}
