//! What a new advisory database changes of one image: the body of its event.
//!
//! Counts are always whole. Of the findings themselves so many are named as there is room for, those that came first,
//! the worst of each first, and those with a fix beyond that; `left_out` says how many are not.

use plimsoll_core::advisory::Severity;
use serde::{Deserialize, Serialize};

/// Most findings of one sort of change that are told of one image. An event names so many, and so many of those that have
/// a fix.
pub(crate) const FINDINGS_MAX: usize = 50;

/// Longest summary of a flaw in an event, in characters.
pub(crate) const SUMMARY_CHARS_MAX: usize = 200;

/// Longest name, version or link in an event, in characters.
pub(crate) const TEXT_CHARS_MAX: usize = 300;

/// What a new advisory database changes of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Changes {
    /// `sha256:..` of the database before.
    pub(crate) old_database: String,
    /// `sha256:..` of the database after.
    pub(crate) new_database: String,
    /// Findings that only the new one gives.
    pub(crate) added: Tally,
    /// Findings that only the old one gives.
    pub(crate) removed: Tally,
    /// Findings that both give, with another severity, fix or word on exploits; counted as they are now.
    pub(crate) changed: Tally,
    /// The findings: added ones, then changed ones, then removed ones, the worst of each first.
    pub(crate) findings: Vec<Change>,
    /// How many are not among `findings`.
    pub(crate) left_out: u64,
}

/// How many findings there are, by severity, and how many of them have a fix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Tally {
    /// All.
    pub(crate) all: BySeverity,
    /// Those that have a fix.
    pub(crate) fixable: BySeverity,
    /// Those that CISA lists as exploited.
    pub(crate) exploited: u32,
}

/// A number for each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct BySeverity {
    pub(crate) critical: u32,
    pub(crate) high: u32,
    pub(crate) medium: u32,
    pub(crate) low: u32,
    pub(crate) negligible: u32,
    pub(crate) unknown: u32,
}

/// What became of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChangeKind {
    Added,
    Changed,
    Removed,
}

impl ChangeKind {
    /// All, in the order in which they are named.
    pub(crate) const ALL: [ChangeKind; 3] = [ChangeKind::Added, ChangeKind::Changed, ChangeKind::Removed];

    /// Name in events.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ChangeKind::Added => "added",
            ChangeKind::Changed => "changed",
            ChangeKind::Removed => "removed",
        }
    }
}

/// A finding that came, went or changed. Of one that changed this is how it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    /// What became of it.
    pub(crate) change: ChangeKind,
    /// The flaw.
    pub(crate) id: String,
    /// Name of the package.
    pub(crate) package: String,
    /// Its version.
    pub(crate) version: String,
    /// How bad it is; `None` where nobody says.
    pub(crate) severity: Option<String>,
    /// The version with the fix.
    pub(crate) fixed_in: Option<String>,
    /// Id of the advisory.
    pub(crate) advisory: String,
    /// Feed of the advisory.
    pub(crate) feed: String,
    /// Whether CISA lists it as exploited.
    pub(crate) is_exploited: bool,
    /// One line for people.
    pub(crate) summary: String,
    /// The first link of the advisory.
    pub(crate) link: String,
    /// Id of the distribution; empty for a package of a language, and where the image has none.
    pub(crate) distro: String,
    /// Its release.
    pub(crate) release: String,
    /// What it was before, where it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<Before>,
}

/// What a finding was before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Before {
    /// How bad it was.
    pub(crate) severity: Option<String>,
    /// The version with the fix.
    pub(crate) fixed_in: Option<String>,
    /// Whether CISA listed it as exploited.
    pub(crate) is_exploited: bool,
}

impl Change {
    /// How bad it is.
    pub(crate) fn rating(&self) -> Option<Severity> {
        self.severity.as_deref().and_then(Severity::from_vendor_word)
    }

    /// The order in which findings are named.
    pub(crate) fn order(&self) -> impl Ord + use<'_> {
        (
            self.change,
            std::cmp::Reverse(self.rating()),
            self.id.as_str(),
            self.package.as_str(),
            self.version.as_str(),
        )
    }
}

impl BySeverity {
    /// The number of one severity.
    pub(crate) fn of(&mut self, severity: Option<Severity>) -> &mut u32 {
        match severity {
            Some(Severity::Critical) => &mut self.critical,
            Some(Severity::High) => &mut self.high,
            Some(Severity::Medium) => &mut self.medium,
            Some(Severity::Low) => &mut self.low,
            Some(Severity::Negligible) => &mut self.negligible,
            None => &mut self.unknown,
        }
    }

    /// All together.
    pub(crate) fn total(&self) -> u64 {
        [self.critical, self.high, self.medium, self.low, self.negligible, self.unknown]
            .into_iter()
            .map(u64::from)
            .sum()
    }

    /// Those at least so bad; the others are 0.
    pub(crate) fn at_least(mut self, least: Option<Severity>) -> BySeverity {
        for severity in Severity::ALL.into_iter().map(Some).chain([None]) {
            if severity < least {
                *self.of(severity) = 0;
            }
        }
        self
    }

    /// Adds another's numbers.
    pub(crate) fn add(&mut self, other: BySeverity) {
        for severity in Severity::ALL.into_iter().map(Some).chain([None]) {
            let mut other = other;
            let number = self.of(severity);
            *number = number.saturating_add(*other.of(severity));
        }
    }
}

impl Tally {
    /// Counts one finding.
    pub(crate) fn count(&mut self, severity: Option<Severity>, is_fixable: bool, is_exploited: bool) {
        *self.all.of(severity) += 1;
        if is_fixable {
            *self.fixable.of(severity) += 1;
        }
        self.exploited += u32::from(is_exploited);
    }

    /// Adds another's numbers.
    pub(crate) fn add(&mut self, other: &Tally) {
        self.all.add(other.all);
        self.fixable.add(other.fixable);
        self.exploited = self.exploited.saturating_add(other.exploited);
    }
}

impl Changes {
    /// The counts of one sort of change.
    pub(crate) fn tally(&mut self, kind: ChangeKind) -> &mut Tally {
        match kind {
            ChangeKind::Added => &mut self.added,
            ChangeKind::Changed => &mut self.changed,
            ChangeKind::Removed => &mut self.removed,
        }
    }

    /// How many findings came, went or changed.
    pub(crate) fn total(&self) -> u64 {
        self.added.all.total() + self.removed.all.total() + self.changed.all.total()
    }
}
