//! What a clearance comes to: whether it is decided, what is said of each digest, until when that holds.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::clearance::{Check, Clearance, Entry, Outcome, Verdict};
use plimsoll_core::digest::Digest;
use plimsoll_image::open::registry::reference::RepositoryName;
use plimsoll_report::clearance::{FORMATS, signed_by};
use plimsoll_store::{Decision, Report, Spoken};

use super::demanded::Demanded;

/// Most checks that are named for a digest that is not cleared.
const WHY_MAX: usize = 5;

/// Most digests of which one record speaks.
const SPOKEN_MAX: usize = 10_000;

/// Most pairs of a digest and a repository by which one record is found.
const FOUND_BY_MAX: usize = 100_000;

/// Most characters of what a check says.
const DETAIL_CHARS_MAX: usize = 300;

/// Checks of what registries answer, by the beginnings of their names: what these could not tell they may tell another
/// time. What a policy or the advisories leave open is the same at once again.
static OF_REGISTRIES: &[&str] = &["config.", "evidence.", "index.", "layer.", "ref.", "tag."];

/// Why asking again may tell more; `None` where it would not.
pub(super) fn may_pass(clearance: &Clearance) -> Option<String> {
    if clearance.verdict() != Verdict::Undecided {
        return None;
    }
    let checks =
        clearance.entries.iter().flat_map(|entry| entry.checks.iter().map(move |check| (entry, check)));
    let is_of_registry = |check: &Check| OF_REGISTRIES.iter().any(|start| check.id.starts_with(start));
    checks
        .filter(|(_, check)| check.outcome == Outcome::Error && is_of_registry(check))
        .map(|(entry, check)| format!("{}: {}", entry.candidate.name, said(check)))
        .next()
}

/// What is recorded. An error is that it would be too much for one record.
pub(super) fn of(
    clearance: &Clearance,
    policy: &str,
    demanded: &Demanded,
    hold_max: SignedDuration,
    now: Timestamp,
) -> Result<Decision, String> {
    let spoken: Vec<Spoken> = clearance.entries.iter().flat_map(|entry| spoken(entry, clearance)).collect();
    let pairs = spoken.iter().fold(0_usize, |sum, one| sum.saturating_add(one.repositories.len()));
    if spoken.len() > SPOKEN_MAX || pairs > FOUND_BY_MAX {
        return Err(format!(
            "it speaks of {} digests in {pairs} places, more than {SPOKEN_MAX} or {FOUND_BY_MAX}; ask in parts",
            spoken.len()
        ));
    }
    let clears = spoken.iter().any(|spoken| spoken.verdict == Verdict::Cleared);
    let longest = now.checked_add(hold_max).unwrap_or(Timestamp::MAX);
    let ends = [Some(longest), demanded.holds_until, fresh_until(clearance, demanded)];
    Ok(Decision {
        verdict: clearance.verdict(),
        holds_until: ends.into_iter().flatten().min().filter(|_| clears),
        policy: policy.to_owned(),
        policies: demanded.files.clone(),
        database: clearance.inputs.database.as_ref().map(|database| database.id.clone()),
        level: clearance.inputs.level.name().to_owned(),
        spoken,
    })
}

/// Until when the advisories are as fresh as the strictest policy demands.
fn fresh_until(clearance: &Clearance, demanded: &Demanded) -> Option<Timestamp> {
    let built: Timestamp = clearance.inputs.database.as_ref()?.built_at.parse().ok()?;
    let hours = demanded.policies.iter().filter_map(|policy| policy.vulnerabilities.as_ref()?.hours_max);
    let hours = i64::try_from(hours.min()?).ok()?;
    Some(built.checked_add(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::MAX))
}

/// What is said of the digests of one entry: of what was asked for, and of the images that it names, since these are what
/// runs. A fault of the manifests is one of all that they list: a change that is refused clears nothing.
fn spoken(entry: &Entry, clearance: &Clearance) -> Vec<Spoken> {
    let seen = entry.observed.top.as_ref().ok().map(|top| top.digest.clone());
    let Some(subject) = entry.candidate.digest.clone().or(seen) else { return Vec::new() };
    let children = entry.observed.children.iter().filter(|child| !child.is_attestation);
    let digests: BTreeSet<&Digest> = children
        .map(|child| &child.digest)
        .chain(entry.observed.images.iter().map(|image| &image.digest))
        .collect();
    let checks = || clearance.checks.iter().chain(&entry.checks);
    let verdict = checks().map(Check::verdict).max().unwrap_or(Verdict::Undecided).max(entry.verdict());
    let mut bad: Vec<&Check> = checks().filter(|check| check.verdict() != Verdict::Cleared).collect();
    bad.sort_by_key(|check| std::cmp::Reverse(check.verdict()));
    let why: Vec<String> = bad.into_iter().take(WHY_MAX).map(said).collect();
    let asked = &entry.candidate;
    let names = asked.destinations.iter().chain([&asked.source]);
    let repositories: BTreeSet<String> =
        names.filter_map(|name| Some(name.parse::<RepositoryName>().ok()?.to_string())).collect();
    let repositories: Vec<String> = repositories.into_iter().collect();
    let signers: Vec<String> = signed_by(entry).into_iter().map(str::to_owned).collect();
    let others = digests.into_iter().filter(|digest| **digest != subject);
    [&subject]
        .into_iter()
        .chain(others)
        .map(|digest| Spoken {
            digest: digest.clone(),
            subject: subject.clone(),
            repositories: repositories.clone(),
            verdict,
            // Said once: an index may have many images.
            why: if *digest == subject { why.clone() } else { Vec::new() },
            signers: if *digest == subject { signers.clone() } else { Vec::new() },
        })
        .collect()
}

fn said(check: &Check) -> String {
    let detail: String = check.detail.chars().take(DETAIL_CHARS_MAX).collect();
    format!("{} {}: {detail}", check.id, check.outcome.name())
}

/// How it went, for people.
pub(super) fn summary(clearance: &Clearance) -> String {
    let [cleared, undecided, refused] = clearance.counts();
    format!("{cleared} cleared, {undecided} undecided, {refused} refused")
}

/// Every report.
pub(super) fn reports(clearance: &Clearance) -> std::io::Result<Vec<Report>> {
    let write = |format: &&plimsoll_report::clearance::Format| {
        let mut body = Vec::new();
        (format.write)(clearance, env!("CARGO_PKG_VERSION"), &mut body)?;
        Ok(Report { format: format.name.to_owned(), media_type: format.media_type.to_owned(), body })
    };
    FORMATS.iter().map(write).collect()
}

#[cfg(test)]
mod tests;
