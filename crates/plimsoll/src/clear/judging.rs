//! Holds what was seen against a policy: which one is meant, what it says of flaws, and what is new of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use plimsoll_core::assessment::Assessment;
use plimsoll_core::clearance::{
    Candidate, Check, Demands, Entry, FlawSeen, Flaws, Held, Observed, Outcome, Trouble, Weight,
};
use plimsoll_core::gap::GapKind;
use plimsoll_core::image::Image;
use plimsoll_core::inventory::Inventory;
use plimsoll_core::policy::Policy as Nothing;
use plimsoll_core::standings::Standings;
use plimsoll_feeds::database::Database;
use plimsoll_image::attached::Collected;
use plimsoll_image::catalog::Options;

use super::evidence::{SideFile, Vex, compare_lists, verify};
use super::observe::{Asking, Look, subjects};
use super::policy::flaws::{Flaw, Key, of_assessments};
use super::policy::{Policy, Vouching, Vulnerabilities};
use super::predecessor;
use crate::pipeline;

/// Most gaps that a check names; the rest are counted.
const GAPS_SHOWN_MAX: usize = 20;

/// What judging needs beside what was seen.
pub(crate) struct Judge<'a> {
    pub(crate) policies: &'a [Policy],
    /// The advisory database, or why there is none.
    pub(crate) database: Result<&'a Database, &'a str>,
    pub(crate) standings: &'a Standings,
    pub(crate) now: Timestamp,
    pub(crate) asking: &'a Asking,
    pub(crate) options: &'a Options<'a>,
    /// Files of evidence.
    pub(crate) files: &'a [SideFile],
    /// What is demanded where there is no policy.
    pub(crate) demands: Demands,
    /// Waivers that were used, by policy.
    pub(crate) used: BTreeMap<usize, BTreeSet<usize>>,
}

impl Judge<'_> {
    /// Judges one candidate.
    pub(crate) fn judge(&mut self, candidate: Candidate, look: Look) -> anyhow::Result<Entry> {
        let Look { mut observed, aboard, collected } = look;
        let policies = self.policies;
        if policies.is_empty() {
            self.vouch(&candidate, &mut observed, collected, &aboard, None);
            return Ok(Entry::judge(candidate, observed, &self.demands));
        }
        let mut meant = None;
        for (at, policy) in policies.iter().enumerate() {
            match policy.is_for(&candidate, &observed) {
                Ok(true) => {
                    meant = Some((at, policy));
                    break;
                }
                Ok(false) => {}
                Err(error) => {
                    let trouble =
                        Trouble::Unknown(format!("whether policy `{}` is for it: {error}", policy.name));
                    observed.required.push(("when".to_owned(), Err(trouble)));
                    return Ok(Entry::judge(candidate, observed, &self.demands));
                }
            }
        }
        let Some((at, policy)) = meant else {
            let trouble = Trouble::Unknown("no policy that was given is for it".to_owned());
            observed.required.push(("when".to_owned(), Err(trouble)));
            return Ok(Entry::judge(candidate, observed, &self.demands));
        };
        self.vouch(&candidate, &mut observed, collected, &aboard, policy.vouching.as_ref());
        let is_image = observed.top.as_ref().is_ok_and(|top| top.artifact.is_none());
        let mut before = None;
        if is_image {
            let found = predecessor::find(&candidate, self.asking, self.options);
            observed.predecessor = Some(
                found
                    .as_ref()
                    .map(|found| found.as_ref().map(|found| found.seen.clone()))
                    .map_err(Clone::clone),
            );
            before = found.ok().flatten();
        }
        observed.policy = Some(policy.name.clone());
        policy.require(&candidate, &mut observed);
        if let (Some(vulnerabilities), true) = (&policy.vulnerabilities, is_image) {
            let before = before.map(|before| before.read(self.options)).transpose()?;
            if let (Some(before), Some(Ok(Some(seen)))) = (&before, &mut observed.predecessor)
                && !aboard.is_empty()
            {
                seen.packages = Some(predecessor::packages(before, &aboard));
            }
            let aboard = Aboard { now: aboard, before };
            observed.flaws = Some(self.flaws((at, policy), vulnerabilities, &candidate, &observed, aboard));
        }
        let mut demands = policy.demands().clone();
        demands.platforms.extend(self.demands.platforms.iter().cloned());
        Ok(Entry::judge(candidate, observed, &demands))
    }

    /// Verifies what speaks of a candidate.
    fn vouch(
        &self,
        candidate: &Candidate,
        observed: &mut Observed,
        collected: Option<Collected>,
        aboard: &[(Image, Inventory)],
        vouching: Option<&Vouching>,
    ) {
        let Ok(top) = &observed.top else { return };
        let Some(collected) = collected else { return };
        let subjects = subjects(observed);
        let now = self.now.as_second();
        let seen = verify(candidate, collected, self.files, &subjects, vouching, now);
        observed.lists = compare_lists(&seen, &top.digest, aboard);
        observed.evidence = Some(seen);
    }

    fn flaws(
        &mut self,
        (at, policy): (usize, &Policy),
        vulnerabilities: &Vulnerabilities,
        candidate: &Candidate,
        observed: &Observed,
        aboard: Aboard,
    ) -> Flaws {
        let Aboard { now, before } = aboard;
        let assessments = self.assess(now);
        let mut flaws = of_assessments(&assessments);
        if matches!(observed.predecessor, Some(Ok(_))) {
            self.compare(&mut flaws, before);
        }
        let subjects = subjects(observed);
        let vex = Vex::of(observed.evidence.as_ref(), &subjects, policy.vouching.as_ref());
        let used = self.used.entry(at).or_default();
        let seen = flaws.iter().map(|flaw| {
            let held = harmless(vex.as_ref(), flaw, policy.held(flaw));
            let (held, waiver) = policy.waivers.apply(&candidate.name, flaw, held);
            used.extend(waiver);
            FlawSeen {
                id: flaw.id.clone(),
                package: flaw.package.clone(),
                version: flaw.version.clone(),
                severity: flaw.severity,
                fixed_in: flaw.fixed_in.clone(),
                is_new: flaw.is_new,
                held,
            }
        });
        let seen = seen.collect();
        let matched = match (&self.database, assessments.len(), observed.images.len()) {
            (Err(why), _, _) => Err(Trouble::Unknown((*why).to_owned())),
            (Ok(_), 0, _) => Err(Trouble::Unknown(format!(
                "no image was read, so nothing was matched (level `{}`)",
                observed.level.name()
            ))),
            (Ok(_), read, there) if read < there => {
                Err(Trouble::Unknown(format!("{read} of {there} images were read")))
            }
            (Ok(_), read, _) => Ok(read),
        };
        Flaws {
            matched,
            gaps: gaps(&assessments),
            flaws: seen,
            database_age: self.age().zip(vulnerabilities.hours_max),
            vex_statements: vex.as_ref().map(Vex::count),
        }
    }

    fn assess(&self, aboard: Vec<(Image, Inventory)>) -> Vec<Assessment> {
        let assess = |one| pipeline::assess(one, self.database, self.standings, &Nothing::default());
        aboard.into_iter().map(assess).collect()
    }

    /// Says of each flaw whether it is new. Where the predecessor was not read without a gap, what is not found in it
    /// may be there all the same.
    fn compare(&self, flaws: &mut [Flaw], before: Option<Vec<(Image, Inventory)>>) {
        let Some(aboard) = before else {
            return flaws.iter_mut().for_each(|flaw| flaw.is_new = Some(true));
        };
        let assessments = self.assess(aboard);
        // Both were held against the same data, so its age hides the same of both.
        let mut all = assessments.iter().flat_map(Assessment::gaps);
        let is_whole = !assessments.is_empty() && all.all(|gap| gap.kind == GapKind::FeedStale);
        let known: BTreeSet<Key> = of_assessments(&assessments).iter().map(Flaw::key).collect();
        for flaw in flaws {
            flaw.is_new = match known.contains(&flaw.key()) {
                true => Some(false),
                false => is_whole.then_some(true),
            };
        }
    }

    /// Age of the database in hours.
    fn age(&self) -> Option<u64> {
        use plimsoll_core::advisory::Advisories as _;
        let built: Timestamp = self.database.ok()?.identity().built_at.parse().ok()?;
        // Rounded up: what is a minute too old is too old.
        u64::try_from((self.now.duration_since(built).as_secs() + 3599) / 3600).ok()
    }

    /// Waivers that nobody needed.
    pub(crate) fn unused_waivers(&self) -> Option<Check> {
        let none = BTreeSet::new();
        let count: usize = self.policies.iter().map(|policy| policy.waivers.count()).sum();
        if count == 0 {
            return None;
        }
        let policies = self.policies.iter().enumerate();
        let unused: Vec<String> = policies
            .flat_map(|(at, policy)| policy.waivers.unused(self.used.get(&at).unwrap_or(&none)))
            .collect();
        let (outcome, detail) = match unused.is_empty() {
            true => (Outcome::Pass, format!("each of {count} waivers is needed")),
            false => (Outcome::Fail, format!("not needed here: {}", unused.join("; "))),
        };
        Some(Check { id: "waiver.unused", outcome, weight: Weight::Inform, detail })
    }
}

/// What is aboard a candidate, and aboard what it replaces.
struct Aboard {
    now: Vec<(Image, Inventory)>,
    before: Option<Vec<(Image, Inventory)>>,
}

/// What a signer's word makes of a flaw that would be refused.
fn harmless(vex: Option<&Vex<'_>>, flaw: &Flaw, held: Held) -> Held {
    if !matches!(held, Held::Refused(_) | Held::Untold(_)) {
        return held;
    }
    match vex.and_then(|vex| vex.of_flaw(flaw)) {
        Some((signer, why)) => Held::Harmless { signer: signer.to_owned(), why },
        None => held,
    }
}

fn gaps(assessments: &[Assessment]) -> Vec<String> {
    let all: BTreeSet<String> = assessments
        .iter()
        .flat_map(Assessment::gaps)
        .map(|gap| format!("{} {}: {}", gap.kind, gap.subject, gap.detail))
        .collect();
    let rest = all.len().saturating_sub(GAPS_SHOWN_MAX);
    let mut shown: Vec<String> = all.into_iter().take(GAPS_SHOWN_MAX).collect();
    if rest > 0 {
        shown.push(format!("and {rest} more"));
    }
    shown
}
