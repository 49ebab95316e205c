//! Who judges which package of an image: what is needed from the database, whether it is there, and which
//! packages nobody judges.
//!
//! Matching asks here where to look a package up, so what is counted as covered and what is looked up cannot
//! differ.

use std::collections::{BTreeMap, HashSet};

use crate::advisory::{EndOfLife, Enrichment, FeedRecord};
use crate::distros::{self, KeyedBy};
use crate::gap::{Gap, GapKind};
use crate::inventory::{Inventory, Package, Release};
use crate::schemes::Scheme;
use crate::standings::Standings;

/// The feed that knows which flaws are exploited.
const EXPLOITED: &str = "kev";

/// The feed that knows how likely flaws are to be exploited.
const LIKELIHOOD: &str = "epss";

/// Feeds that say more of a flaw or of a release than advisories do. Every image is better for them.
const ENRICHING: [&str; 4] = ["end-of-life", LIKELIHOOD, EXPLOITED, "nvd"];

/// Whether findings were held against the list of what is exploited. Without it, that none is marked says
/// nothing.
pub fn knows_exploited(coverage: &[Coverage]) -> bool {
    coverage.iter().any(|need| need.needs == EXPLOITED && need.state.is_there())
}

/// Takes out of an enrichment what feeds say that are switched off: a report that calls a feed off shows nothing of
/// it.
pub(crate) fn without_off(mut enrichment: Enrichment, standings: &Standings) -> Enrichment {
    enrichment.kev = enrichment.kev.filter(|_| !standings.is_off(EXPLOITED));
    enrichment.epss = enrichment.epss.filter(|_| !standings.is_off(LIKELIHOOD));
    enrichment
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
    /// Since when every attempt to fetch the feed has failed, RFC 3339.
    pub failing_since: Option<String>,
    /// How many packages of the image stand on it.
    pub packages: usize,
    /// Whether other feeds speak of the namespace although this one, which judges it, is not there.
    pub is_filled_in: bool,
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
    /// The feed is switched off, so that whatever the database has of it is not asked.
    Off,
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
            CoverageState::Off => "off",
            CoverageState::Unsupported => "unsupported",
        }
    }

    /// Whether the database has something.
    pub fn is_there(self) -> bool {
        matches!(self, CoverageState::Loaded | CoverageState::Stale)
    }
}

impl Coverage {
    /// Whether it is all that it should be: there, fresh, and not failing.
    pub fn is_fresh(&self) -> bool {
        self.state == CoverageState::Loaded && self.failing_since.is_none()
    }

    /// What the need leaves unknown. A need that no package has leaves nothing.
    pub(crate) fn gap(&self) -> Option<Gap> {
        let Coverage { needs, feed, data_date, .. } = self;
        if self.packages == 0 {
            return None;
        }
        let packages = count(self.packages, "package");
        let unjudged = match self.is_filled_in {
            true => "and only feeds that say less were held against the image".to_owned(),
            false => format!("so {packages} not judged"),
        };
        let absent = if self.is_filled_in { GapKind::FeedPartial } else { GapKind::FeedMissing };
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
                absent,
                format!(
                    "the database has nothing of feed `{feed}` for it, {unjudged}; run `plimsoll feeds update {feed}`"
                ),
            ),
            CoverageState::Off => (
                absent,
                format!(
                    "feed `{feed}` is switched off, {unjudged}; set `enabled = true` under `[feeds.{feed}]` and run \
                     `plimsoll feeds update {feed}`"
                ),
            ),
            CoverageState::Unsupported => {
                let is_system = distros::by_namespace(needs).is_some();
                let kind = if is_system { GapKind::FeedMissing } else { GapKind::NoFeed };
                (kind, format!("no feed for it is known, so {packages} not judged"))
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
    /// Those of them that fill in and do not judge alone.
    pub(crate) supplements: &'static [&'static str],
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
                supplements: distro.supplements,
                scheme: ecosystem.scheme,
                keyed_by: distro.keyed_by,
            });
        }
        let is_owned = package.owned_by.as_deref().is_some_and(|owner| self.system_packages.contains(owner));
        (!is_owned).then_some(Judge {
            namespace: ecosystem.name,
            feeds: ecosystem.feeds,
            supplements: &[],
            scheme: ecosystem.scheme,
            keyed_by: KeyedBy::Binary,
        })
    }

    /// Which namespaces the inventory needs and whether feeds serve each, sorted.
    pub(crate) fn coverage(&self, feeds: &[FeedRecord], standings: &Standings) -> Vec<Coverage> {
        let known = Known { feeds, standings };
        let mut needs: BTreeMap<&str, (&[&str], &[&str], usize)> = BTreeMap::new();
        if let Some(release) = &self.inventory.distro {
            needs.insert(&self.namespace, (release.distro.feeds, release.distro.supplements, 0));
        }
        for judge in self.inventory.packages.iter().filter_map(|package| self.judge(package)) {
            needs.entry(judge.namespace).or_insert((judge.feeds, judge.supplements, 0)).2 += 1;
        }
        let mut coverage: Vec<Coverage> = needs
            .into_iter()
            .flat_map(|(needs, (judging, supplements, packages))| {
                known.serving(needs, judging, supplements, packages)
            })
            .collect();
        coverage.extend(ENRICHING.iter().map(|name| known.enriching(name)));
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

/// What is unknown of a release that is out of support on a day, `YYYY-MM-DD`: what was found since. Nothing where
/// neither the day nor a date is known.
pub fn end_of_life_gap(namespace: &str, end: &EndOfLife, today: &str) -> Option<Gap> {
    let ended = match &end.date {
        Some(date) if today.is_empty() || today <= date.as_str() => return None,
        Some(date) => format!("its support ended on {date}"),
        None if end.is_over => "its support has ended".to_owned(),
        None => return None,
    };
    let extended = match &end.extended_until {
        Some(until) if today <= until.as_str() => {
            format!(" but for those who have extended support, until {until}")
        }
        _ => String::new(),
    };
    let detail = format!(
        "{ended}{extended}, so flaws found since may be in none of its advisories; move to a release that is supported"
    );
    Some(Gap::new(GapKind::EndOfLife, namespace, detail))
}

/// What is known of feeds.
struct Known<'a> {
    feeds: &'a [FeedRecord],
    standings: &'a Standings,
}

impl Known<'_> {
    /// Whether a feed that only says more is there. No package stands on it, so its absence is told and is no
    /// gap.
    fn enriching(&self, name: &str) -> Coverage {
        match self.feeds.iter().find(|feed| feed.name == name && !self.standings.is_off(name)) {
            Some(feed) => self.present(name, feed, 0),
            None => self.absent(name, name, 0, false),
        }
    }

    /// The feeds that serve a namespace: the first of `judging` that the database has for it, or that the first
    /// of them is not there; and all others that speak of it without being one of these.
    fn serving(
        &self,
        namespace: &str,
        judging: &[&str],
        supplements: &[&str],
        packages: usize,
    ) -> Vec<Coverage> {
        let serves =
            |feed: &&FeedRecord| feed.namespaces.binary_search_by(|one| one.as_str().cmp(namespace)).is_ok();
        let all = self.feeds.iter().filter(serves).filter(|feed| !self.standings.is_off(&feed.name));
        let all: Vec<&FeedRecord> = all.collect();
        let judging: Vec<&str> = judging.iter().copied().filter(|name| !supplements.contains(name)).collect();
        let main = judging.iter().find_map(|name| all.iter().copied().find(|feed| feed.name == *name));
        let others = all.iter().filter(|feed| !judging.contains(&feed.name.as_str()));
        let mut coverage: Vec<Coverage> =
            others.map(|feed| self.present(namespace, feed, packages)).collect();
        coverage.push(match (main, judging.first()) {
            (Some(feed), _) => self.present(namespace, feed, packages),
            (None, Some(name)) => self.absent(namespace, name, packages, !all.is_empty()),
            (None, None) => {
                Coverage { state: CoverageState::Unsupported, ..self.absent(namespace, "", packages, false) }
            }
        });
        coverage
    }

    fn present(&self, needs: &str, feed: &FeedRecord, packages: usize) -> Coverage {
        let date = self.standings.date_of(feed, needs);
        let is_stale = self.standings.is_stale(&feed.name, &date);
        Coverage {
            needs: needs.to_owned(),
            feed: feed.name.clone(),
            state: if is_stale { CoverageState::Stale } else { CoverageState::Loaded },
            data_date: Some(date),
            failing_since: self.failing_since(&feed.name),
            packages,
            is_filled_in: false,
        }
    }

    fn absent(&self, needs: &str, feed: &str, packages: usize, is_filled_in: bool) -> Coverage {
        let is_off = self.standings.is_off(feed);
        Coverage {
            needs: needs.to_owned(),
            feed: feed.to_owned(),
            state: if is_off { CoverageState::Off } else { CoverageState::Missing },
            data_date: None,
            failing_since: self.failing_since(feed),
            packages,
            is_filled_in,
        }
    }

    fn failing_since(&self, feed: &str) -> Option<String> {
        self.standings.of(feed).and_then(|standing| standing.failing_since.clone())
    }
}

/// `1 package was`, `3 packages were`.
fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun} was") } else { format!("{number} {noun}s were") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_out_of_support_on_the_day_after_its_last() {
        let sold = " but for those who have extended support, until 2028-06-30";
        for (date, is_over, extended_until, today, expected) in [
            ("2024-06-30", false, "", "2024-06-30", None),
            ("2024-06-30", true, "", "2024-06-30", None),
            ("2024-06-30", false, "", "2024-07-01", Some("its support ended on 2024-06-30")),
            ("2024-06-30", false, "2024-12-31", "2026-01-01", Some("its support ended on 2024-06-30")),
            ("2024-06-30", false, "2028-06-30", "2026-01-01", Some("its support ended on 2024-06-30{sold}")),
            ("2024-06-30", false, "2028-06-30", "2028-06-30", Some("its support ended on 2024-06-30{sold}")),
            ("", true, "", "2026-01-01", Some("its support has ended")),
            ("", true, "2028-06-30", "2026-01-01", Some("its support has ended{sold}")),
            ("", false, "", "2026-01-01", None),
            // Nobody says which day it is.
            ("2024-06-30", true, "", "", None),
        ] {
            let stated = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            let end = EndOfLife { date: stated(date), is_over, extended_until: stated(extended_until) };
            let gap = end_of_life_gap("rhel:7", &end, today);
            let detail = gap.as_ref().map(|gap| gap.detail.split(", so ").next().unwrap_or_default());
            let expected = expected.map(|text| text.replace("{sold}", sold));
            assert_eq!(detail, expected.as_deref(), "{end:?} {today}");
            assert!(gap.is_none_or(|gap| gap.kind == GapKind::EndOfLife && gap.subject == "rhel:7"));
        }
    }
}
