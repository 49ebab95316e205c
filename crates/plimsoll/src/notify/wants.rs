//! What a target wants to be told: pure, over what happened.
//!
//! A filter takes away what it is not about and lets all else pass: that a scan failed is told whatever severity is
//! wanted, that a feed is late whatever repositories are.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use plimsoll_core::advisory::Severity;
use plimsoll_core::digest::Digest;

use super::severity;
use super::topics::{Found, Occurrence, TOPICS, Topic, What};
use crate::config::TargetConfig;
use crate::rematch::changes::{ChangeKind, Changes, FINDINGS_MAX, Tally};
use crate::watch::patterns::fits;

/// Most names of an image that are told; of the others it is told how many there are.
const NAMES_MAX: usize = 50;

/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 512;

/// What a target wants to be told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wants {
    topics: Vec<&'static Topic>,
    /// At least so bad; `Some(None)` is the same as all.
    severity: Option<Option<Severity>>,
    fixable: bool,
    repositories: Option<Vec<String>>,
    new_only: bool,
}

impl Wants {
    /// Reads what is configured. `tells` says of each topic whether the kind can tell it.
    pub(crate) fn read(config: &TargetConfig, tells: fn(&Topic) -> bool) -> anyhow::Result<Wants> {
        let mut topics: Vec<&'static Topic> = Vec::new();
        match &config.events {
            None => topics.extend(TOPICS.iter().filter(|topic| tells(topic))),
            Some(names) if names.is_empty() => bail!("`events` is empty; leave it out for all"),
            Some(names) => {
                for name in names {
                    match TOPICS.iter().find(|topic| topic.name == name.as_str()) {
                        Some(topic) if tells(topic) => topics.push(topic),
                        _ => bail!(
                            "`{}` is no event that this kind tells; it tells {}",
                            name.escape_debug(),
                            names_of(tells).join(", ")
                        ),
                    }
                }
            }
        }
        for pattern in config.repositories.iter().flatten() {
            if pattern.is_empty() || pattern.len() > PATTERN_BYTES_MAX {
                bail!("a pattern in `repositories` is empty or too long; write `HOST/NAMESPACE/*`");
            }
        }
        Ok(Wants {
            topics,
            severity: config.severity.as_deref().map(severity::parse).transpose()?,
            fixable: config.fixable,
            repositories: config.repositories.clone(),
            new_only: config.new_only,
        })
    }

    /// Whether it wants to be told of a topic at all.
    pub(crate) fn has(&self, topic: &Topic) -> bool {
        self.topics.contains(&topic)
    }

    /// What is told of something that happened, if anything.
    pub(crate) fn narrow(&self, happened: &Occurrence) -> Option<Occurrence> {
        if !self.has(happened.topic) {
            return None;
        }
        let (mut names, repositories) = match &happened.what {
            what if what.is_of_image() => self.narrow_names(happened)?,
            // It is about repositories, and has no image's name.
            What::Clearance(_) => (BTreeSet::new(), self.narrow_names(happened)?.1),
            _ => Default::default(),
        };
        let what = match &happened.what {
            What::Feed(feed) => What::Feed(feed.clone()),
            What::Dropped(dropped) => What::Dropped(*dropped),
            What::Scan(scan) => {
                if !scan.found.as_ref().is_none_or(|found| self.is_found(found)) {
                    return None;
                }
                What::Scan(scan.clone())
            }
            What::Findings(changes) => What::Findings(self.narrow_changes(changes)?),
            What::Clearance(ended) => What::Clearance(ended.clone()),
        };
        let more_names = u64::try_from(names.len().saturating_sub(NAMES_MAX)).unwrap_or(u64::MAX);
        if let Some(first_left_out) = names.iter().nth(NAMES_MAX).cloned() {
            drop(names.split_off(&first_left_out));
        }
        Some(Occurrence { what, names, more_names, repositories, ..happened.clone() })
    }

    /// What a delivery is known by: what may be told once of an image is known by it, all else by its number.
    pub(crate) fn key(&self, happened: &Occurrence) -> String {
        match &happened.what {
            What::Scan(_) if self.new_only => format!("{}/{}", happened.topic.name, happened.subject),
            _ => happened.number.to_string(),
        }
    }

    /// The names and repositories of an image that are of interest; `None` where none is. Where it has no name in such a
    /// repository, the name is by digest.
    fn narrow_names(&self, happened: &Occurrence) -> Option<(BTreeSet<String>, BTreeSet<String>)> {
        let Occurrence { names, repositories, subject, .. } = happened;
        let Some(patterns) = &self.repositories else { return Some((names.clone(), repositories.clone())) };
        let is_wanted = |repository: &&String| patterns.iter().any(|pattern| fits(pattern, repository));
        let repositories: BTreeSet<String> = repositories.iter().filter(is_wanted).cloned().collect();
        if repositories.is_empty() {
            return None;
        }
        let is_there = |name: &&String| repositories.contains(repository_of(name));
        let mut names: BTreeSet<String> = names.iter().filter(is_there).cloned().collect();
        if names.is_empty() {
            let is_digest = subject.parse::<Digest>().is_ok();
            let by_digest = |repository: &String| match is_digest {
                true => format!("{repository}@{subject}"),
                false => repository.clone(),
            };
            names.extend(repositories.iter().map(by_digest));
        }
        Some((names, repositories))
    }

    /// Counts of a scan do not say of which severity those with a fix are.
    fn is_found(&self, found: &Found) -> bool {
        let is_bad = self.severity.is_none_or(|least| found.findings.at_least(least).total() > 0);
        is_bad && (!self.fixable || found.fixable > 0)
    }

    /// What is told of changes of an image, if anything.
    pub(crate) fn narrow_changes(&self, changes: &Changes) -> Option<Changes> {
        let mut narrow = changes.clone();
        let is_wanted = |kind: ChangeKind| !self.new_only || kind == ChangeKind::Added;
        for kind in ChangeKind::ALL {
            let tally = narrow.tally(kind);
            *tally = if is_wanted(kind) { self.narrow_tally(tally) } else { Tally::default() };
        }
        let mut told: BTreeMap<ChangeKind, usize> = BTreeMap::new();
        narrow.findings.retain(|finding| {
            let is_told = is_wanted(finding.change)
                && self.severity.is_none_or(|least| finding.rating() >= least)
                && (!self.fixable || finding.fixed_in.is_some());
            // Cut only here: what a target does not want takes no room from what it does.
            let of_kind = told.entry(finding.change).or_default();
            *of_kind += usize::from(is_told);
            is_told && *of_kind <= FINDINGS_MAX
        });
        let named = u64::try_from(narrow.findings.len()).unwrap_or(u64::MAX);
        narrow.left_out = narrow.total().saturating_sub(named);
        (narrow.total() > 0).then_some(narrow)
    }

    fn narrow_tally(&self, tally: &Tally) -> Tally {
        let mut narrow = tally.clone();
        if self.fixable {
            narrow.all = narrow.fixable;
        }
        if let Some(least) = self.severity {
            narrow.all = narrow.all.at_least(least);
            narrow.fixable = narrow.fixable.at_least(least);
        }
        narrow.exploited = narrow.exploited.min(u32::try_from(narrow.all.total()).unwrap_or(u32::MAX));
        narrow
    }
}

/// `HOST/REPO` of `HOST/REPO:TAG@DIGEST`.
fn repository_of(name: &str) -> &str {
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

fn names_of(tells: fn(&Topic) -> bool) -> Vec<&'static str> {
    TOPICS.iter().filter(|topic| tells(topic)).map(|topic| topic.name).collect()
}

#[cfg(test)]
mod tests;
