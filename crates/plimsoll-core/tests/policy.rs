//! Holds the verdict to a table, and to what is true of every verdict.
//!
//! A row of the table is findings, gaps, policy and verdict:
//! - a finding is a severity or `unknown`, with `+` where there is a fix;
//! - a gap is its kind; `i:` before it puts it into the inventory;
//! - a policy is `plain`, `any` or a severity, then `fixable`, then `gaps` where they are allowed.

use plimsoll_core::advisory::{FixState, Severity, Status};
use plimsoll_core::coverage::{Coverage, CoverageState};
use plimsoll_core::ecosystems;
use plimsoll_core::finding::{Evidence, Finding, Findings, SeveritySource};
use plimsoll_core::gap::{Gap, GapKind};
use plimsoll_core::inventory::{Inventory, Package};
use plimsoll_core::policy::{Policy, Threshold, Verdict, judge};
use plimsoll_core::windows::components::Scope;
use proptest::prelude::*;
use proptest::sample::select;

const TABLE: &[(&str, &str, &str, &str)] = &[
    // Nothing stands against it.
    ("", "", "plain", "nothing-demanded"),
    ("", "", "any", "cleared"),
    ("", "", "low fixable", "cleared"),
    // A plain scan demands nothing of findings.
    ("critical+ unknown", "", "plain", "nothing-demanded"),
    // Thresholds.
    ("high", "", "critical", "cleared"),
    ("high", "", "high", "refused 1"),
    ("high", "", "medium", "refused 1"),
    ("negligible", "", "negligible", "refused 1"),
    ("negligible", "", "low", "cleared"),
    ("low medium high critical", "", "high", "refused 2"),
    // Any severity, also none.
    ("unknown", "", "any", "refused 1"),
    ("negligible unknown", "", "any", "refused 2"),
    // Only what has a fix.
    ("critical", "", "high fixable", "cleared"),
    ("critical+", "", "high fixable", "refused 1"),
    ("critical low+", "", "high fixable", "cleared"),
    ("unknown", "", "any fixable", "cleared"),
    ("unknown+", "", "any fixable", "refused 1"),
    // A severity that nobody states cannot be held against a threshold.
    ("unknown", "", "critical", "undecided severity-unknown"),
    ("unknown", "", "critical fixable", "cleared"),
    ("unknown+", "", "critical fixable", "undecided severity-unknown"),
    ("unknown unknown", "", "critical", "undecided severity-unknown severity-unknown"),
    ("unknown critical", "", "critical", "refused 1"),
    ("unknown", "", "critical gaps", "cleared"),
    // A plain scan has done its job in spite of details.
    ("", "version-unparsable", "plain", "nothing-demanded"),
    ("", "range-unparsable i:evidence-unreadable version-unknown", "plain", "nothing-demanded"),
    ("", "feed-stale", "plain", "nothing-demanded"),
    ("", "feed-missing", "plain", "undecided feed-missing"),
    ("", "i:unknown-distro", "plain", "undecided unknown-distro"),
    ("", "database-missing", "plain", "undecided database-missing"),
    ("", "lookup-failed", "plain", "undecided lookup-failed"),
    ("", "i:layer-unreadable version-unknown", "plain", "undecided layer-unreadable"),
    ("", "i:layer-mismatch i:unsupported", "plain", "undecided layer-mismatch unsupported"),
    // With a threshold a detail can hide what would have met it.
    ("", "version-unparsable", "critical", "undecided version-unparsable"),
    ("", "i:evidence-unreadable", "any", "undecided evidence-unreadable"),
    ("", "feed-stale", "critical", "undecided feed-stale"),
    ("low", "i:limit-reached feed-stale", "critical", "undecided feed-stale limit-reached"),
    // The widest first, each once.
    (
        "unknown",
        "version-unknown feed-missing i:feed-missing",
        "high",
        "undecided feed-missing version-unknown severity-unknown",
    ),
    // Allowed.
    ("", "database-missing", "plain gaps", "nothing-demanded"),
    ("high", "feed-stale", "critical gaps", "cleared"),
    ("high", "feed-stale", "high gaps", "refused 1"),
    // A refusal needs nothing but what is known.
    ("high", "database-missing i:unknown-distro", "high", "refused 1"),
];

fn finding(index: usize, text: &str) -> Finding {
    let word = text.trim_end_matches('+');
    let severity = Severity::from_vendor_word(word);
    assert!(severity.is_some() || word == "unknown", "`{word}` is not known");
    Finding {
        id: format!("CVE-2024-{index:04}"),
        aliases: Vec::new(),
        package: 0,
        advisory: String::new(),
        feed: String::new(),
        severity,
        severity_source: SeveritySource::Vendor,
        cvss: Vec::new(),
        fixed_in: text.ends_with('+').then(|| "2".to_owned()),
        update: None,
        is_fix_ambiguous: false,
        is_exploited: false,
        scope: Scope::Image,
        fix: FixState::Unstated,
        status: Status::Affected,
        summary: String::new(),
        description: String::new(),
        references: Vec::new(),
        kev: None,
        epss: None,
        evidence: Evidence {
            namespace: String::new(),
            name: String::new(),
            version: String::new(),
            scheme: "npm",
            range: String::new(),
        },
    }
}

fn gap(name: &str) -> Gap {
    let kind = GapKind::ALL.into_iter().find(|kind| kind.name() == name);
    Gap::new(kind.unwrap_or_else(|| panic!("`{name}` is not known")), "subject", "detail")
}

fn policy(text: &str) -> Policy {
    let mut words: Vec<&str> = text.split(' ').collect();
    let mut has = |word: &str| {
        let before = words.len();
        words.retain(|one| *one != word);
        words.len() < before
    };
    let (only_fixable, allows_gaps, fails_on_stale) = (has("fixable"), has("gaps"), has("stale"));
    let fail_on = match words.as_slice() {
        ["plain"] => None,
        ["any"] => Some(Threshold { severity: None, only_fixable }),
        [word] => Some(Threshold { severity: Severity::from_vendor_word(word), only_fixable }),
        _ => panic!("`{text}` is not a policy"),
    };
    Policy { fail_on, allows_gaps, fails_on_stale }
}

fn package() -> Package {
    Package {
        ecosystem: &ecosystems::NPM,
        name: "left".to_owned(),
        version: "1".to_owned(),
        purl: String::new(),
        source: None,
        architecture: None,
        module: None,
        licenses: Vec::new(),
        evidence_path: String::new(),
        layer: None,
        owned_by: None,
    }
}

fn judged(findings: &[&str], gaps: &[&str], policy: &Policy) -> Verdict {
    let mut inventory = Inventory { packages: vec![package()], ..Inventory::default() };
    let mut found = Findings::default();
    for (index, text) in findings.iter().enumerate() {
        found.findings.push(finding(index, text));
    }
    for name in gaps {
        match name.strip_prefix("i:") {
            Some(name) => inventory.gaps.push(gap(name)),
            None => found.gaps.push(gap(name)),
        }
    }
    judge(&inventory, &found, policy)
}

#[test]
fn the_verdict_follows_the_table() {
    for (findings, gaps, demanded, expected) in TABLE {
        let (findings, gaps): (Vec<&str>, Vec<&str>) =
            (findings.split_whitespace().collect(), gaps.split_whitespace().collect());
        let verdict = judged(&findings, &gaps, &policy(demanded));
        let detail = match &verdict {
            Verdict::NothingDemanded | Verdict::Cleared(_) => String::new(),
            Verdict::Refused(reasons) => format!(" {}", reasons.len()),
            Verdict::Undecided(gaps) => gaps.iter().map(|gap| format!(" {}", gap.kind)).collect(),
        };
        let got = format!("{}{detail}", verdict.name());
        assert_eq!(got, *expected, "findings {findings:?}, gaps {gaps:?}, {demanded}");
    }
}

#[test]
fn feeds_that_an_image_needs_must_be_fresh_where_that_is_demanded() {
    let need = |state, packages, failing_since: Option<&str>| Coverage {
        needs: "pypi".to_owned(),
        feed: "osv-pypi".to_owned(),
        state,
        data_date: None,
        failing_since: failing_since.map(str::to_owned),
        packages,
        is_filled_in: false,
    };
    for (need, expected) in [
        (need(CoverageState::Loaded, 1, None), "cleared"),
        (need(CoverageState::Stale, 1, None), "refused"),
        (need(CoverageState::Missing, 1, None), "refused"),
        (need(CoverageState::Off, 1, None), "refused"),
        (need(CoverageState::Loaded, 1, Some("2026-01-01")), "refused"),
        // What only says more is missed where it was there, or should be.
        (need(CoverageState::Missing, 0, None), "cleared"),
        (need(CoverageState::Off, 0, None), "cleared"),
        (need(CoverageState::Stale, 0, None), "refused"),
        (need(CoverageState::Missing, 0, Some("2026-01-01")), "refused"),
    ] {
        let findings = Findings { coverage: vec![need], ..Findings::default() };
        let judge = |policy: &Policy| judge(&Inventory::default(), &findings, policy).name();
        assert_eq!(judge(&policy("plain stale")), expected, "{:?}", findings.coverage);
        assert_eq!(judge(&policy("plain")), "nothing-demanded");
    }
}

#[test]
fn a_reason_names_flaw_and_package() {
    let Verdict::Refused(reasons) = judged(&["high"], &[], &policy("high")) else {
        panic!("a finding at the threshold refuses");
    };
    assert_eq!((reasons[0].rule, reasons[0].detail.as_str()), ("severity", "CVE-2024-0000 in left 1"));
}

#[test]
fn a_finding_on_no_package_is_judged_all_the_same() {
    let stray = Finding { package: 7, ..finding(0, "high") };
    let findings = Findings { findings: vec![stray], ..Findings::default() };
    let verdict = judge(&Inventory::default(), &findings, &policy("high"));
    assert!(matches!(verdict, Verdict::Refused(_)), "{verdict:?}");
}

const FINDINGS: [&str; 12] = [
    "negligible",
    "negligible+",
    "low",
    "low+",
    "medium",
    "medium+",
    "high",
    "high+",
    "critical",
    "critical+",
    "unknown",
    "unknown+",
];

fn gap_names() -> Vec<String> {
    let names = GapKind::ALL.iter().map(|kind| kind.name());
    names.flat_map(|name| [name.to_owned(), format!("i:{name}")]).collect()
}

fn policies() -> impl Strategy<Value = Policy> {
    let severities: Vec<Option<Severity>> = Severity::ALL.into_iter().map(Some).chain([None]).collect();
    let threshold = (select(severities), any::<bool>())
        .prop_map(|(severity, only_fixable)| Threshold { severity, only_fixable });
    (prop::option::of(threshold), any::<bool>()).prop_map(|(fail_on, allows_gaps)| Policy {
        fail_on,
        allows_gaps,
        fails_on_stale: false,
    })
}

/// How far a verdict is from the worst: less is known against it, or less is open.
fn mildness(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Refused(_) => 0,
        Verdict::Undecided(_) => 1,
        Verdict::NothingDemanded | Verdict::Cleared(_) => 2,
    }
}

proptest! {
    /// Taking a finding or a gap away never makes the verdict worse, hence adding one never makes it milder;
    /// and a gap neither makes nor unmakes a refusal.
    #[test]
    fn less_is_never_worse(
        findings in prop::collection::vec(select(FINDINGS.to_vec()), 0..6),
        gaps in prop::collection::vec(select(gap_names()), 0..6),
        policy in policies(),
        at in any::<prop::sample::Index>(),
    ) {
        let gaps: Vec<&str> = gaps.iter().map(String::as_str).collect();
        let whole = judged(&findings, &gaps, &policy);
        if !findings.is_empty() {
            let mut less = findings.clone();
            less.remove(at.index(findings.len()));
            prop_assert!(mildness(&judged(&less, &gaps, &policy)) >= mildness(&whole));
        }
        if !gaps.is_empty() {
            let mut less = gaps.clone();
            less.remove(at.index(gaps.len()));
            let less = judged(&findings, &less, &policy);
            prop_assert!(mildness(&less) >= mildness(&whole));
            prop_assert_eq!(mildness(&less) == 0, mildness(&whole) == 0);
        }
    }

    /// What is cleared has nothing open, unless it was allowed to.
    #[test]
    fn the_cleared_have_nothing_open(
        findings in prop::collection::vec(select(FINDINGS.to_vec()), 0..4),
        gaps in prop::collection::vec(select(gap_names()), 1..4),
        policy in policies(),
    ) {
        let gaps: Vec<&str> = gaps.iter().map(String::as_str).collect();
        let is_open = gaps.iter().any(|name| {
            policy.fail_on.is_some() || gap(name.trim_start_matches("i:")).kind.leaves_image_unjudged()
        });
        if is_open && !policy.allows_gaps {
            let verdict = judged(&findings, &gaps, &policy);
            prop_assert!(mildness(&verdict) < 2, "{verdict:?}");
        }
    }
}
