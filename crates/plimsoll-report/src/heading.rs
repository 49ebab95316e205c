//! What a report for people says: its first lines, and the words that the table and the comment share.
//!
//! The rule that holds everything together: where a part of the image was not judged, that is said before
//! anything else, and nothing reads as clean.

use std::borrow::Cow;
use std::collections::HashMap;

use plimsoll_core::advisory::{FixState, Severity, Status};
use plimsoll_core::assessment::Assessment;
use plimsoll_core::coverage::{Coverage, CoverageState, knows_exploited};
use plimsoll_core::finding::Finding;
use plimsoll_core::gap::{Gap, GapKind};
use plimsoll_core::policy::Verdict;
use plimsoll_core::windows::components::Scope;
use plimsoll_core::windows::rebase;

use crate::printable::{one_line, printable};
use crate::tally::Tally;

/// Gaps of one kind that are shown; the rest is counted.
pub(crate) const GAPS_OF_KIND_MAX: usize = 20;

/// Reasons of a refusal, or parts that were not judged, that the first lines show; the rest is counted.
pub(crate) const FIRST_LINES_MAX: usize = 5;

/// The distribution in words.
pub(crate) fn distro(assessment: &Assessment) -> String {
    let os = assessment.inventory.os_release.as_ref();
    if let Some(release) = &assessment.inventory.distro {
        let title = match os.and_then(|os| os.pretty_name.as_deref()) {
            Some(pretty) => one_line(pretty).into_owned(),
            None => format!("{} {}", release.distro.title, printable(&release.release)),
        };
        let claimed = match &assessment.inventory.windows {
            Some(windows) if windows.source.is_claim() => format!(", as its {} claims", windows.source),
            _ => String::new(),
        };
        return format!("{} ({}{claimed})", title.trim_end(), printable(&release.namespace()));
    }
    match os {
        Some(os) => {
            let version = os.version_id.as_deref().unwrap_or_default();
            let name = format!("{} {version}", os.id);
            format!("unknown: os-release says `{}`", one_line(&name))
        }
        None => "unknown: the image has no os-release".to_owned(),
    }
}

/// Everything that left a whole part of the image unjudged. Not only what is a gap: a missing database or
/// feed is told here even where nobody made a gap of it.
pub(crate) fn unjudged(assessment: &Assessment) -> Vec<Cow<'_, Gap>> {
    let mut out: Vec<Cow<'_, Gap>> = assessment
        .gaps()
        .into_iter()
        .filter(|gap| gap.kind.leaves_image_unjudged())
        .map(Cow::Borrowed)
        .collect();
    let has = |out: &[Cow<'_, Gap>], kind| out.iter().any(|gap| gap.kind == kind);
    if assessment.database.is_none() && !has(&out, GapKind::DatabaseMissing) {
        let detail = "there is no advisory database, so nothing was compared";
        out.push(Cow::Owned(Gap::new(GapKind::DatabaseMissing, "database", detail)));
    }
    let inventory = &assessment.inventory;
    let has_os_packages = inventory.packages.iter().any(|package| package.ecosystem.is_os);
    if inventory.distro.is_none() && has_os_packages && !has(&out, GapKind::UnknownDistro) {
        let detail = "the distribution is unknown, so no package of it was compared";
        out.push(Cow::Owned(Gap::new(GapKind::UnknownDistro, "distribution", detail)));
    }
    for need in &assessment.findings.coverage {
        let is_absent = !need.state.is_there() && !need.is_filled_in;
        let is_told =
            out.iter().any(|gap| gap.kind == GapKind::DatabaseMissing || gap.subject.contains(&need.needs));
        let is_nobodys =
            assessment.gaps().iter().any(|gap| gap.kind == GapKind::NoFeed && gap.subject == need.needs);
        if is_absent && need.packages > 0 && !is_told && !is_nobodys {
            let packages = count(need.packages, "package");
            let detail = format!("{packages} not compared: its feed is {}", need.state.name());
            out.push(Cow::Owned(Gap::new(GapKind::FeedMissing, need.needs.as_str(), detail)));
        }
    }
    out.sort_unstable();
    out
}

/// What the feeds that the image needs lack, other than what [`unjudged`] says: data that is old, feeds that
/// fail, feeds that only others fill in for.
pub(crate) fn late(assessment: &Assessment) -> Vec<String> {
    let needs = &assessment.findings.coverage;
    let is_told = |need: &&Coverage| {
        let is_late = need.state == CoverageState::Stale || need.failing_since.is_some();
        is_late || (need.is_filled_in && need.packages > 0)
    };
    needs.iter().filter(is_told).map(lateness).collect()
}

fn lateness(need: &Coverage) -> String {
    let feed = printable(&need.feed);
    let state = match need.state {
        CoverageState::Stale => {
            let date = day(need.data_date.as_deref().unwrap_or("an unknown date"));
            format!("its data is of {}, older than its warning period", printable(date))
        }
        CoverageState::Off => "it is switched off, and only feeds that say less fill in".to_owned(),
        CoverageState::Missing if need.is_filled_in => {
            "it was never loaded, and only feeds that say less fill in".to_owned()
        }
        CoverageState::Loaded | CoverageState::Missing | CoverageState::Unsupported => String::new(),
    };
    let failing = need
        .failing_since
        .as_deref()
        .map(|since| format!("it cannot be fetched since {}", printable(day(since))));
    let said: Vec<String> = [state].into_iter().filter(|text| !text.is_empty()).chain(failing).collect();
    let needs =
        if need.needs == need.feed { String::new() } else { format!(" for {}", printable(&need.needs)) };
    format!("feed `{feed}`{needs}: {}", said.join("; "))
}

/// How a need stands, in words.
pub(crate) fn standing(need: &Coverage) -> String {
    match &need.failing_since {
        Some(since) => format!("{}, failing since {}", need.state.name(), printable(day(since))),
        None => need.state.name().to_owned(),
    }
}

/// The day of an RFC 3339 time, which is enough for people.
pub(crate) fn day(date: &str) -> &str {
    date.split_once('T').map_or(date, |(day, _)| day)
}

/// The verdict in one line. `is_judged` is false where [`unjudged`] has something to say.
pub(crate) fn verdict(assessment: &Assessment, is_judged: bool) -> String {
    match &assessment.verdict {
        Verdict::NothingDemanded if is_judged => "none, as nothing was demanded (see `--fail-on`)".to_owned(),
        Verdict::NothingDemanded => "none, as nothing was demanded, and parts were not judged".to_owned(),
        Verdict::Cleared(_) if is_judged && assessment.gaps().is_empty() => "cleared".to_owned(),
        Verdict::Cleared(_) if is_judged => "cleared, with gaps".to_owned(),
        Verdict::Cleared(_) => "cleared only because gaps are allowed: parts were not judged".to_owned(),
        Verdict::Refused(reasons) => format!("refused: {}", count(reasons.len(), "reason")),
        Verdict::Undecided(gaps) => format!("undecided: {} could hide something", count(gaps.len(), "gap")),
    }
}

/// How many findings are known to be exploited, or that nobody looked.
pub(crate) fn exploited(assessment: &Assessment, tally: &Tally) -> String {
    if knows_exploited(&assessment.findings.coverage) {
        format!("{} in KEV", tally.kev)
    } else {
        "not held against KEV".to_owned()
    }
}

/// A number and what it counts.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// The word for a severity.
pub(crate) fn severity(severity: Option<Severity>) -> &'static str {
    severity.map_or("unknown", Severity::name)
}

/// Where the fix of a finding is and which update brings it, or what the vendor says about it.
pub(crate) fn fix(finding: &Finding) -> Cow<'_, str> {
    match (&finding.fixed_in, finding.status, finding.fix) {
        (Some(version), _, _) => match &finding.update {
            Some(update) => format!("{version} {update}").into(),
            None => version.into(),
        },
        (None, Status::UnderInvestigation, FixState::Unstated) => "investigated".into(),
        (None, _, FixState::Unstated) => "-".into(),
        (None, _, state) => state.name().into(),
    }
}

/// Marks of a finding: whether it is known to be exploited, by CISA or else by its vendor, and how likely it is to be.
pub(crate) fn marks(finding: &Finding) -> String {
    let kev = match &finding.kev {
        Some(_) => "KEV",
        None if finding.is_exploited => "exploited",
        None => "",
    };
    match finding.epss {
        Some(epss) if kev.is_empty() => format!("{:.1}%", epss.score * 100.0),
        Some(epss) => format!("{kev} {:.1}%", epss.score * 100.0),
        None => kev.to_owned(),
    }
}

/// What a finding is about, in one line; where it does harm comes first unless that is in the image.
pub(crate) fn summary(finding: &Finding) -> Cow<'_, str> {
    match finding.scope {
        Scope::Image => one_line(&finding.summary),
        Scope::HostKernel => format!("[host kernel] {}", one_line(&finding.summary)).into(),
        Scope::RoleNotInstalled => format!("[role not installed] {}", one_line(&finding.summary)).into(),
    }
}

/// What to do about the operating system of a Windows image.
pub(crate) fn rebase(assessment: &Assessment) -> Option<String> {
    let rebase = rebase::rebase(&assessment.inventory, &assessment.findings.findings)?;
    let update = rebase.update.map(|name| format!(" ({})", printable(&name))).unwrap_or_default();
    let mut text = format!(
        "rebase to {}{update} and {}",
        printable(&rebase.to),
        if rebase.findings == 1 {
            "1 finding goes".to_owned()
        } else {
            format!("{} findings go", rebase.findings)
        }
    );
    if rebase.of_host_kernel + rebase.of_roles_not_installed > 0 {
        text.push_str(&format!(
            ", {} of the host's kernel and {} of roles that are not installed among them",
            rebase.of_host_kernel, rebase.of_roles_not_installed
        ));
    }
    if rebase.stay > 0 {
        text.push_str(&format!("; {} of Windows have no fix yet", rebase.stay));
    }
    Some(text)
}

/// The findings, those of one package side by side, the package with the worst one first.
pub(crate) fn by_package(findings: &[Finding]) -> Vec<&Finding> {
    let mut first_of: HashMap<usize, usize> = HashMap::new();
    for (place, finding) in findings.iter().enumerate() {
        first_of.entry(finding.package).or_insert(place);
    }
    let mut out: Vec<&Finding> = findings.iter().collect();
    out.sort_by_key(|finding| first_of.get(&finding.package).copied());
    out
}
