//! Things that happened, for tests.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::notify::topics::{
    ClearanceEnded, Dropped, FeedChange, Found, Occurrence, ScanEnded, TOPICS, What,
};
use crate::rematch::changes::{Before, BySeverity, Change, ChangeKind, Changes, Tally};

pub(in crate::notify) fn at() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

pub(in crate::notify) fn occurrence(topic: &str, number: u64, subject: &str, what: What) -> Occurrence {
    let is_of_an_image = what.is_of_image();
    let is_in_repositories = is_of_an_image || matches!(what, What::Clearance(_));
    let of = |text: &str, is_so: bool| -> BTreeSet<String> {
        is_so.then(|| text.to_owned()).into_iter().collect()
    };
    Occurrence {
        number,
        at: at(),
        topic: TOPICS.iter().find(|row| row.name == topic).unwrap(),
        subject: subject.to_owned(),
        names: of("registry.example/team/app:1.2", is_of_an_image),
        more_names: 0,
        repositories: of("registry.example/team/app", is_in_repositories),
        what,
    }
}

pub(in crate::notify) fn change(
    kind: ChangeKind,
    id: &str,
    severity: Option<&str>,
    fixed_in: Option<&str>,
) -> Change {
    Change {
        change: kind,
        id: id.to_owned(),
        package: "openssl".to_owned(),
        version: "3.0.1".to_owned(),
        severity: severity.map(str::to_owned),
        fixed_in: fixed_in.map(str::to_owned),
        advisory: format!("DSA-{id}"),
        feed: "debian-tracker".to_owned(),
        is_exploited: false,
        summary: "a remote caller may <b>read</b> memory\r\nBcc: <all@ship.example>".to_owned(),
        link: format!("https://advisories.example/{id}?a=1&b=\"2\""),
        distro: "debian".to_owned(),
        release: "12".to_owned(),
        before: (kind == ChangeKind::Changed).then(|| Before {
            severity: Some("low".to_owned()),
            fixed_in: None,
            is_exploited: false,
        }),
    }
}

/// Two added, one changed, one removed; one more was added that is not named.
pub(in crate::notify) fn changes() -> Changes {
    let mut known = change(ChangeKind::Added, "CVE-2029-1", Some("critical"), Some("3.0.2"));
    known.is_exploited = true;
    known.link = "https://advisories.example/CVE-2029-1".to_owned();
    Changes {
        old_database: "sha256:0ld".to_owned(),
        new_database: "sha256:new".to_owned(),
        added: Tally {
            all: BySeverity { critical: 1, low: 1, unknown: 1, ..BySeverity::default() },
            fixable: BySeverity { critical: 1, ..BySeverity::default() },
            exploited: 1,
        },
        removed: Tally {
            all: BySeverity { critical: 1, ..BySeverity::default() },
            fixable: BySeverity { critical: 1, ..BySeverity::default() },
            exploited: 0,
        },
        changed: Tally { all: BySeverity { high: 1, ..BySeverity::default() }, ..Tally::default() },
        findings: vec![
            known,
            change(ChangeKind::Added, "CVE-2029-2", None, None),
            change(ChangeKind::Changed, "CVE-2029-3", Some("high"), None),
            change(ChangeKind::Removed, "CVE-2029-4", Some("critical"), Some("3.0.9")),
        ],
        left_out: 1,
    }
}

pub(in crate::notify) fn scan_ended(state: &str) -> ScanEnded {
    let found = Found {
        database: "sha256:new".to_owned(),
        packages: 120,
        findings: BySeverity { high: 2, low: 5, ..BySeverity::default() },
        fixable: 3,
        exploited: 0,
        gaps: 1,
        late_feeds: vec!["kev: stale".to_owned()],
    };
    ScanEnded {
        state: state.to_owned(),
        reason: if state == "completed" { "with_gaps" } else { "registry_unavailable" }.to_owned(),
        detail: "`registry.example` answers with status 503; <try> again".to_owned(),
        attempt: 2,
        registry: "registry.example".to_owned(),
        repository: "team/app".to_owned(),
        reference: "registry.example/team/app:1.2".to_owned(),
        digest: Some(IMAGE.to_owned()),
        found: (state == "completed").then_some(found),
    }
}

pub(in crate::notify) const IMAGE: &str =
    "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn clearance(verdict: Option<&str>) -> ClearanceEnded {
    ClearanceEnded {
        state: if verdict.is_some() { "decided" } else { "failed" }.to_owned(),
        reason: if verdict.is_some() { "complete" } else { "timed_out" }.to_owned(),
        detail: if verdict.is_some() { "1 cleared, 0 undecided, 2 refused" } else { "it took too <long>" }
            .to_owned(),
        attempt: 1,
        policy: "production".to_owned(),
        repositories: vec!["registry.example/team/app".to_owned()],
        verdict: verdict.map(str::to_owned),
        record: verdict.map(|_| 7),
        record_digest: verdict.map(|_| IMAGE.to_owned()),
    }
}

/// One of each sort.
pub(in crate::notify) fn all() -> Vec<Occurrence> {
    let feed = |state: &str| FeedChange {
        state: state.to_owned(),
        title: "Known <exploited> vulnerabilities".to_owned(),
        why: (state == "late").then(|| "stale".to_owned()),
        age_days: Some(31),
        max_age_days: (state == "late").then_some(7),
        since: Some("2029-12-31T00:00:00Z".to_owned()),
        error: None,
    };
    vec![
        occurrence("findings.changed", 7, IMAGE, What::Findings(changes())),
        occurrence("scan.completed", 8, IMAGE, What::Scan(scan_ended("completed"))),
        occurrence("scan.failed", 9, IMAGE, What::Scan(scan_ended("failed"))),
        occurrence("feed.late", 10, "kev", What::Feed(feed("late"))),
        occurrence("feed.recovered", 11, "kev", What::Feed(feed("recovered"))),
        occurrence("clearance.decided", 12, "clr-0a", What::Clearance(clearance(Some("refused")))),
        occurrence("clearance.failed", 13, "clr-0b", What::Clearance(clearance(None))),
        occurrence("deliveries.dropped", 14, "bus", What::Dropped(Dropped { too_old: 4, too_many: 1000 })),
    ]
}
