//! What two databases say of each distinct package of the fleet, and how that differs.
//!
//! Packages are held against both databases in small inventories, one for each release, a few hundred at once. A flaw of
//! a package is the same in both where its names are, also where it got another one in between: an advisory that is
//! given a CVE is not news.

use std::collections::HashMap;

use plimsoll_core::finding::Finding;
use plimsoll_core::inventory::{Package, Release};
use plimsoll_core::standings::Standings;
use plimsoll_feeds::database::Database;
use plimsoll_store::PackageRow;

use super::changes::{
    Before, Change, ChangeKind, Changes, FINDINGS_MAX, SUMMARY_CHARS_MAX, TEXT_CHARS_MAX, Tally,
};
use crate::distinct::{Batch, Distinct};

/// Most findings that are kept by name over the whole fleet. Beyond these only counts are, and events say so.
const FINDINGS_KEPT_MAX: usize = 200_000;

/// Two databases and how their feeds stand.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'a> {
    /// The one before.
    pub(crate) old: &'a Database,
    /// The one after.
    pub(crate) new: &'a Database,
    /// How feeds stand now: of both, so that no feed that went stale in between counts as a change.
    pub(crate) standings: &'a Standings,
}

/// What differs of one package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delta {
    /// Its counts; no findings are named in it.
    counts: Changes,
    /// Findings that changed, as they were before.
    changed_before: Tally,
    /// The findings, in the order in which they are named, as far as they are kept.
    findings: Vec<Change>,
    /// Whether the package is one of a language, of which an image may have several copies.
    is_of_language: bool,
}

/// What differs, by the numbers of packages.
#[derive(Default)]
pub(crate) struct Deltas {
    by_number: HashMap<u32, Delta>,
    kept: usize,
    /// Packages that were held against both.
    pub(crate) packages: usize,
}

/// Takes packages one by one.
pub(crate) struct Comparing<'a> {
    pair: Pair<'a>,
    waiting: Distinct,
    deltas: Deltas,
    failed: Option<anyhow::Error>,
}

impl<'a> Comparing<'a> {
    /// Nothing is compared yet.
    pub(crate) fn new(pair: Pair<'a>) -> Comparing<'a> {
        Comparing { pair, waiting: Distinct::default(), deltas: Deltas::default(), failed: None }
    }

    /// Takes a package.
    pub(crate) fn take(&mut self, row: PackageRow) {
        if self.failed.is_some() {
            return;
        }
        self.deltas.packages += 1;
        if let Some(batch) = self.waiting.take(row) {
            self.failed = self.deltas.compare(self.pair, &batch).err();
        }
    }

    /// What differs.
    pub(crate) fn end(mut self) -> anyhow::Result<Deltas> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        for batch in self.waiting.rest() {
            self.deltas.compare(self.pair, &batch)?;
        }
        Ok(self.deltas)
    }
}

impl Deltas {
    fn compare(&mut self, pair: Pair<'_>, batch: &Batch) -> anyhow::Result<()> {
        let Batch { numbers, inventory } = batch;
        let judged = |database| batch.judge(database, pair.standings).map_err(anyhow::Error::msg);
        let before = by_package(judged(pair.old)?, numbers.len());
        let after = by_package(judged(pair.new)?, numbers.len());
        for (((number, package), before), after) in
            numbers.iter().zip(&inventory.packages).zip(before).zip(after)
        {
            let of = Of { package, release: inventory.distro.as_ref() };
            let Some(mut delta) = delta(&of, &before, &after) else { continue };
            let room = FINDINGS_KEPT_MAX.saturating_sub(self.kept);
            delta.findings.truncate(room);
            self.kept += delta.findings.len();
            self.by_number.insert(*number, delta);
        }
        Ok(())
    }

    /// The numbers of the packages of which something differs, sorted.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = self.by_number.keys().copied().collect();
        numbers.sort_unstable();
        numbers
    }

    /// What differs of an image that has these packages; the counts of findings that changed, as they were before; and
    /// whether it may have several copies of one of them.
    pub(crate) fn of_image(&self, numbers: &[u32]) -> (Changes, Tally, bool) {
        let mut changes = Changes::default();
        let (mut changed_before, mut is_of_language) = (Tally::default(), false);
        let mut findings: Vec<&Change> = Vec::new();
        for delta in numbers.iter().filter_map(|number| self.by_number.get(number)) {
            changes.added.add(&delta.counts.added);
            changes.changed.add(&delta.counts.changed);
            changes.removed.add(&delta.counts.removed);
            changed_before.add(&delta.changed_before);
            is_of_language |= delta.is_of_language;
            findings.extend(&delta.findings);
        }
        findings.sort_by(|a, b| a.order().cmp(&b.order()));
        for kind in ChangeKind::ALL {
            let of_kind = findings.iter().filter(|finding| finding.change == kind);
            changes.findings.extend(named(of_kind).cloned());
        }
        let named = u64::try_from(changes.findings.len()).unwrap_or(u64::MAX);
        changes.left_out = changes.total().saturating_sub(named);
        (changes, changed_before, is_of_language)
    }
}

/// Those of one sort that an event names: the worst, and the worst of those that have a fix, which whoever wants no others
/// would never hear of where so many are worse and have none.
fn named<'a>(of_kind: impl Iterator<Item = &'a &'a Change>) -> impl Iterator<Item = &'a Change> {
    let (mut all, mut fixable) = (0, 0);
    of_kind.copied().filter(move |finding| {
        let is_fixable = finding.fixed_in.is_some();
        all += 1;
        fixable += usize::from(is_fixable);
        all <= FINDINGS_MAX || (is_fixable && fixable <= FINDINGS_MAX)
    })
}

fn by_package(findings: Vec<Finding>, count: usize) -> Vec<Vec<Finding>> {
    let mut by_package: Vec<Vec<Finding>> = Vec::new();
    by_package.resize_with(count, Vec::new);
    for finding in findings {
        if let Some(of_package) = by_package.get_mut(finding.package) {
            of_package.push(finding);
        }
    }
    by_package
}

/// What findings are of.
struct Of<'a> {
    package: &'a Package,
    release: Option<&'a Release>,
}

fn delta(of: &Of<'_>, before: &[Finding], after: &[Finding]) -> Option<Delta> {
    let mut delta = Delta { is_of_language: !of.package.ecosystem.is_os, ..Delta::default() };
    let mut is_still_there = vec![false; before.len()];
    for finding in after {
        // Another finding may have been taken for it already, where two became one.
        let at = before.iter().position(|old| old.id == finding.id).or_else(|| {
            before.iter().enumerate().position(|(at, old)| !is_still_there[at] && is_same_flaw(old, finding))
        });
        match at {
            None => delta.note(of, ChangeKind::Added, finding, None),
            Some(at) => {
                is_still_there[at] = true;
                let old = &before[at];
                if rated(old) != rated(finding) {
                    count(&mut delta.changed_before, old);
                    delta.note(of, ChangeKind::Changed, finding, Some(old));
                }
            }
        }
    }
    for (old, is_still_there) in before.iter().zip(is_still_there) {
        if !is_still_there {
            delta.note(of, ChangeKind::Removed, old, None);
        }
    }
    delta.findings.sort_by(|a, b| a.order().cmp(&b.order()));
    (delta.counts.total() > 0).then_some(delta)
}

impl Delta {
    fn note(&mut self, of: &Of<'_>, kind: ChangeKind, finding: &Finding, old: Option<&Finding>) {
        count(self.counts.tally(kind), finding);
        self.findings.push(change(of, kind, finding, old));
    }
}

fn count(tally: &mut Tally, finding: &Finding) {
    tally.count(finding.severity, finding.fixed_in.is_some(), finding.kev.is_some());
}

/// What of a finding is told where it changes.
fn rated(finding: &Finding) -> impl PartialEq {
    (finding.severity, finding.fixed_in.clone(), finding.kev.is_some())
}

fn is_same_flaw(a: &Finding, b: &Finding) -> bool {
    a.aliases.contains(&b.id) || b.aliases.contains(&a.id)
}

fn change(of: &Of<'_>, kind: ChangeKind, finding: &Finding, old: Option<&Finding>) -> Change {
    let severity = |finding: &Finding| finding.severity.map(|severity| severity.name().to_owned());
    let fixed_in = |finding: &Finding| finding.fixed_in.as_deref().map(|text| cut(text, TEXT_CHARS_MAX));
    Change {
        change: kind,
        id: cut(&finding.id, TEXT_CHARS_MAX),
        package: cut(&of.package.name, TEXT_CHARS_MAX),
        version: cut(&of.package.version, TEXT_CHARS_MAX),
        severity: severity(finding),
        fixed_in: fixed_in(finding),
        advisory: cut(&finding.advisory, TEXT_CHARS_MAX),
        feed: finding.feed.clone(),
        is_exploited: finding.kev.is_some(),
        summary: cut(&finding.summary, SUMMARY_CHARS_MAX),
        // A link that is cut leads elsewhere.
        link: finding
            .references
            .first()
            .filter(|link| link.len() <= TEXT_CHARS_MAX)
            .cloned()
            .unwrap_or_default(),
        distro: of.release.map(|release| release.distro.id.to_owned()).unwrap_or_default(),
        release: of.release.map(|release| release.release.clone()).unwrap_or_default(),
        before: old.map(|old| Before {
            severity: severity(old),
            fixed_in: fixed_in(old),
            is_exploited: old.kev.is_some(),
        }),
    }
}

fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::advisory::Severity;

    use super::*;
    use crate::config::TargetConfig;
    use crate::notify::wants::Wants;

    fn change(id: usize, severity: &str, fixed_in: Option<&str>) -> Change {
        let of = serde_json::json!({
            "change": "added", "id": format!("CVE-{id:03}"), "package": "p", "version": "1", "severity": severity,
            "fixed_in": fixed_in, "advisory": "", "feed": "", "is_exploited": false, "summary": "", "link": "",
            "distro": "", "release": "",
        });
        serde_json::from_value(of).unwrap()
    }

    /// 60 without a fix, and 60 less bad ones with one: each target hears of the worst that it wants.
    #[test]
    fn who_wants_what_has_a_fix_hears_of_it_whatever_is_worse() {
        let mut delta = Delta::default();
        for id in 0..120 {
            let (severity, fixed_in) = if id < 60 { ("critical", None) } else { ("low", Some("2")) };
            let rating = Severity::from_vendor_word(severity);
            delta.counts.added.count(rating, fixed_in.is_some(), false);
            delta.findings.push(change(id, severity, fixed_in));
        }
        let deltas = Deltas { by_number: [(7, delta)].into(), ..Deltas::default() };
        let (changes, ..) = deltas.of_image(&[7]);
        assert_eq!((changes.findings.len(), changes.left_out), (100, 20));
        for (toml, first, count, left_out) in [
            ("", "CVE-000", 50, 70),
            ("fixable = true", "CVE-060", 50, 10),
            ("severity = 'high'", "CVE-000", 50, 10),
        ] {
            let config: TargetConfig = toml::from_str(toml).unwrap();
            let told = Wants::read(&config, |_| true).unwrap().narrow_changes(&changes).unwrap();
            assert_eq!(
                (told.findings[0].id.as_str(), told.findings.len(), told.left_out),
                (first, count, left_out),
                "{toml}"
            );
        }
    }
}
