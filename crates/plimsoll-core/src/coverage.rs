//! Who judges which package of an image: what is needed from the database, whether it is there, and which
//! packages nobody judges.
//!
//! Matching asks here where to look a package up, so what is counted as covered and what is looked up cannot
//! differ.

use std::collections::{BTreeMap, HashSet};

use crate::advisory::FeedRecord;
use crate::distros::KeyedBy;
use crate::gap::{Gap, GapKind};
use crate::inventory::{Inventory, Package, Release};
use crate::schemes::Scheme;

/// The feed that knows which flaws are exploited.
const EXPLOITED: &str = "kev";

/// Feeds that say more of a flaw than advisories do. Every image needs them.
const ENRICHING: [&str; 2] = ["epss", EXPLOITED];

/// Whether findings were held against the list of what is exploited. Without it, that none is marked says
/// nothing.
pub fn knows_exploited(coverage: &[Coverage]) -> bool {
    coverage.iter().any(|need| need.needs == EXPLOITED && need.state != CoverageState::Missing)
}

/// What one need of an image looks like in the database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coverage {
    /// The namespace that is needed: `alpine:3.20`, `pypi`; or a feed that says more of flaws.
    pub needs: String,
    /// The feed that serves it, or that should.
    pub feed: String,
    /// Whether it does.
    pub state: CoverageState,
    /// RFC 3339 date that the feed's data states, else when it was fetched.
    pub data_date: Option<String>,
    /// How many packages of the image stand on it.
    pub packages: usize,
}

/// Whether a needed feed is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CoverageState {
    /// It is, and fresh.
    Loaded,
    /// It is, and older than its warning period.
    Stale,
    /// The database has nothing for the namespace.
    Missing,
    /// No feed for it is known to Plimsoll.
    Unsupported,
}

impl CoverageState {
    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            CoverageState::Loaded => "loaded",
            CoverageState::Stale => "stale",
            CoverageState::Missing => "missing",
            CoverageState::Unsupported => "unsupported",
        }
    }
}

impl Coverage {
    /// What the need leaves unknown. A need that no package has leaves nothing.
    pub(crate) fn gap(&self) -> Option<Gap> {
        let Coverage { needs, feed, data_date, .. } = self;
        if self.packages == 0 {
            return None;
        }
        let packages = count(self.packages, "package");
        let (kind, detail) = match self.state {
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
                    "the database has nothing for it, so {packages} not judged; run `plimsoll feeds update {feed}`"
                ),
            ),
            CoverageState::Unsupported => {
                (GapKind::FeedMissing, format!("no feed for it is known, so {packages} not judged"))
            }
        };
        Some(Gap::new(kind, needs, detail))
    }
}

/// Where the advisories for a package stand.
#[derive(Clone, Copy)]
pub(crate) struct Judge<'a> {
    pub(crate) namespace: &'a str,
    /// Feeds in the order in which they decide.
    pub(crate) feeds: &'static [&'static str],
    pub(crate) scheme: &'static Scheme,
    pub(crate) keyed_by: KeyedBy,
}

/// Who judges the packages of an inventory.
pub(crate) struct Judges<'a> {
    inventory: &'a Inventory,
    /// Of the distribution's release.
    namespace: String,
    /// Names of the packages that the distribution judges.
    system_packages: HashSet<&'a str>,
}

impl<'a> Judges<'a> {
    pub(crate) fn of(inventory: &'a Inventory) -> Judges<'a> {
        let own = inventory.distro.as_ref().map(|release| release.distro.ecosystem);
        let judged = inventory.packages.iter().filter(|package| Some(package.ecosystem) == own);
        Judges {
            inventory,
            namespace: inventory.distro.as_ref().map(Release::namespace).unwrap_or_default(),
            system_packages: judged.map(|package| package.name.as_str()).collect(),
        }
    }

    /// Who judges a package. Nobody does where a system package is not of the distribution, which has a gap,
    /// or where a system package owns a language package: then its owner is judged. An owner that nobody judges,
    /// or that is not installed, cannot stand for anything.
    pub(crate) fn judge(&self, package: &Package) -> Option<Judge<'_>> {
        let ecosystem = package.ecosystem;
        if ecosystem.is_os {
            let distro = self.inventory.distro.as_ref()?.distro;
            return (ecosystem == distro.ecosystem).then_some(Judge {
                namespace: &self.namespace,
                feeds: distro.feeds,
                scheme: ecosystem.scheme,
                keyed_by: distro.keyed_by,
            });
        }
        let is_owned = package.owned_by.as_deref().is_some_and(|owner| self.system_packages.contains(owner));
        (!is_owned).then_some(Judge {
            namespace: ecosystem.name,
            feeds: ecosystem.feeds,
            scheme: ecosystem.scheme,
            keyed_by: KeyedBy::Binary,
        })
    }

    /// Which namespaces the inventory needs and whether a feed serves each, sorted.
    pub(crate) fn coverage(
        &self,
        feeds: &[FeedRecord],
        is_stale: &dyn Fn(&str, &str) -> bool,
    ) -> Vec<Coverage> {
        let mut needs: BTreeMap<&str, (&[&str], usize)> = BTreeMap::new();
        if let Some(release) = &self.inventory.distro {
            needs.insert(&self.namespace, (release.distro.feeds, 0));
        }
        for judge in self.inventory.packages.iter().filter_map(|package| self.judge(package)) {
            needs.entry(judge.namespace).or_insert((judge.feeds, 0)).1 += 1;
        }
        let mut coverage: Vec<Coverage> = needs
            .into_iter()
            .map(|(needs, (names, packages))| {
                let (feed, state, data_date) = served(needs, names, feeds, is_stale);
                Coverage { needs: needs.to_owned(), feed, state, data_date, packages }
            })
            .collect();
        coverage.extend(ENRICHING.iter().map(|name| enriched(name, feeds, is_stale)));
        coverage.sort_unstable();
        coverage
    }

    /// What nobody judges although it is aboard.
    pub(crate) fn gaps(&self) -> Vec<Gap> {
        let own = self.inventory.distro.as_ref().map(|release| release.distro);
        let mut strange: BTreeMap<&str, usize> = BTreeMap::new();
        let mut own_packages = 0_usize;
        for package in self.inventory.packages.iter().filter(|package| package.ecosystem.is_os) {
            match own {
                Some(distro) if distro.ecosystem == package.ecosystem => own_packages += 1,
                _ => *strange.entry(package.ecosystem.name).or_default() += 1,
            }
        }
        let Some(distro) = own else {
            return self.without_distro(strange.values().sum());
        };
        let (title, kind) = (distro.title, distro.ecosystem.name);
        let mut gaps: Vec<Gap> = strange
            .into_iter()
            .map(|(other, packages)| {
                let detail = format!(
                    "the image is {title}, whose packages are {kind}; nothing says where these are from, so {} not judged",
                    count(packages, "package")
                );
                Gap::new(GapKind::UnknownDistro, format!("{other} packages"), detail)
            })
            .collect();
        if own_packages == 0 {
            let detail = format!(
                "the image says that it is {title} and no {kind} package was found in it, so none was judged; \
                 its package database is gone or of a kind that is not read"
            );
            gaps.push(Gap::new(GapKind::Unsupported, self.namespace.as_str(), detail));
        }
        gaps
    }

    /// The inventory mostly says it itself, and better.
    fn without_distro(&self, packages: usize) -> Vec<Gap> {
        let is_told = self.inventory.gaps.iter().any(|gap| gap.kind == GapKind::UnknownDistro);
        if packages == 0 || is_told {
            return Vec::new();
        }
        let detail =
            format!("the distribution is not known, so {} not judged", count(packages, "system package"));
        vec![Gap::new(GapKind::UnknownDistro, "image", detail)]
    }
}

/// Whether a feed that only says more of a flaw is there. No package stands on it, so its absence is told and
/// is no gap.
fn enriched(name: &str, feeds: &[FeedRecord], is_stale: &dyn Fn(&str, &str) -> bool) -> Coverage {
    let date = feeds.iter().find(|feed| feed.name == name).map(|feed| feed.date_of(name));
    let state = match date {
        None => CoverageState::Missing,
        Some(date) if is_stale(name, date) => CoverageState::Stale,
        Some(_) => CoverageState::Loaded,
    };
    let data_date = date.map(str::to_owned);
    Coverage { needs: name.to_owned(), feed: name.to_owned(), state, data_date, packages: 0 }
}

/// The feed that serves a namespace, the first of `names` if it can be.
fn served(
    namespace: &str,
    names: &[&str],
    feeds: &[FeedRecord],
    is_stale: &dyn Fn(&str, &str) -> bool,
) -> (String, CoverageState, Option<String>) {
    let serves =
        |feed: &&FeedRecord| feed.namespaces.binary_search_by(|one| one.as_str().cmp(namespace)).is_ok();
    let serving = names
        .iter()
        .find_map(|name| feeds.iter().filter(serves).find(|feed| feed.name == *name))
        .or_else(|| feeds.iter().find(serves));
    match (serving, names.first()) {
        (Some(feed), _) => {
            let date = feed.date_of(namespace);
            let is_stale = is_stale(&feed.name, date);
            let state = if is_stale { CoverageState::Stale } else { CoverageState::Loaded };
            (feed.name.clone(), state, Some(date.to_owned()))
        }
        (None, Some(name)) => ((*name).to_owned(), CoverageState::Missing, None),
        (None, None) => (String::new(), CoverageState::Unsupported, None),
    }
}

/// `1 package was`, `3 packages were`.
fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun} was") } else { format!("{number} {noun}s were") }
}
