//! Holds matching to the cases in `testdata/matching/*.txt`.
//!
//! A file holds cases, each begun by `== what it shows`. Above `--` stands what goes in, below it what comes
//! out. `PLIMSOLL_REWRITE=1 cargo test -p plimsoll-core --test matching` writes what comes out into the files. Lines
//! that go in:
//! - `distro alpine:3.20`, else there is none;
//! - `gap KIND SUBJECT`: a gap that the inventory has already;
//! - `package ECOSYSTEM NAME VERSION`, then any of `source=NAME@VERSION arch=.. module=.. owned-by=..`;
//! - `feed NAME DATE NAMESPACE..`, the date followed by `!` where the data is stale;
//! - `advisory FEED ID`, then any of `aliases=A,B flaws=A,B severity=.. cvss=..`;
//! - `row NAMESPACE PACKAGE STATUS RANGE` of the advisory above, then any of
//!   `fix=.. module=.. arch=A+B severity=..`, a `+` being a blank. A range is `all`, `>=1`, `<2` (fixed in 2),
//!   `<!2` (before 2, which is no fix), `<=2`, or two of these with a comma between them;
//! - `kev CVE DATE`, `epss CVE SCORE`, `cvss CVE SOURCE VECTOR`;
//! - `ends NAMESPACE DATE`, then perhaps `extended=DATE`: how long a release is supported; `today DATE`;
//! - `off FEED`, `failing FEED DATE`: how a feed stands;
//! - `fail rows PACKAGE`, `fail advisory ID`, `fail enrichment CVE`: asking for it fails.
//!
//! `-` is an empty text; `# ..` is a remark.

use std::fmt::Write as _;
use std::path::Path;

use plimsoll_core::advisory::Status;
use plimsoll_core::finding::{Finding, Findings};
use plimsoll_core::gap::GapKind;
use plimsoll_core::inventory::{Inventory, Package};
use plimsoll_core::matching::{find, without_database};
use plimsoll_core::standings::Standings;

mod memory;

use memory::{Case, Memory};

/// Cases that there must be at the least, so that none is lost with a file.
const CASES_MIN: usize = 70;

#[test]
fn cases_come_out_as_expected() {
    let rewrites = std::env::var_os("PLIMSOLL_REWRITE").is_some();
    let mut wrong = String::new();
    let mut count = 0;
    for path in files() {
        let written = std::fs::read_to_string(&path).expect("the file is there");
        let (head, cases) = split(&written);
        count += cases.len();
        let mut out = head.to_owned();
        for (title, input, expected) in cases {
            let got = come_out(title, input);
            if got != expected.trim_end() {
                let _ = write!(wrong, "\n{}: {title}\n{}", path.display(), difference(expected, &got));
            }
            let _ = write!(out, "== {title}\n{}\n--\n{got}\n\n", input.trim_end());
        }
        if rewrites {
            std::fs::write(&path, out.trim_end().to_owned() + "\n").expect("the file can be written");
        }
    }
    assert!(count >= CASES_MIN, "there are only {count} cases");
    assert!(rewrites || wrong.is_empty(), "{wrong}");
}

fn files() -> Vec<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/matching");
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    files.sort();
    files
}

/// What stands before the cases, and title, input and expected output of each.
fn split(file: &str) -> (&str, Vec<(&str, &str, &str)>) {
    let (head, cases) = file.split_at(file.find("== ").expect("there is a case"));
    let mut all = Vec::new();
    for case in cases.split("\n== ").map(|case| case.trim_start_matches("== ")) {
        let (title, rest) = case.split_once('\n').expect("a title is followed by lines");
        let (input, expected) = rest.split_once("\n--").unwrap_or((rest, ""));
        all.push((title, input, expected.trim_start_matches('\n')));
    }
    (head, all)
}

fn difference(expected: &str, got: &str) -> String {
    let (expected, got): (Vec<_>, Vec<_>) = (expected.trim_end().lines().collect(), got.lines().collect());
    let only = |sign: char, these: &[&str], others: &[&str]| -> String {
        these.iter().filter(|line| !others.contains(line)).map(|line| format!("  {sign} {line}\n")).collect()
    };
    let lines = only('-', &expected, &got) + &only('+', &got, &expected);
    if lines.is_empty() { "  the order of the lines differs\n".to_owned() } else { lines }
}

/// Matches, holds the result to what is true of every one, and writes it down.
#[track_caller]
fn come_out(title: &str, input: &str) -> String {
    let Case { inventory, mut database, standings } = Case::read(input);
    let findings = find(&inventory, &database, &standings);
    let written = write_down(&inventory, &findings);
    for seed in 1..8 {
        database.shuffle(seed);
        let again = find(&inventory, &database, &standings);
        assert_eq!(format!("{again:?}"), format!("{findings:?}"), "{title}: rows in another order");
    }
    for finding in &findings.findings {
        fix_serves(title, &inventory, &database, finding);
    }
    written
}

/// With the version that has the fix installed, the finding is gone, or at least promises no fix any more.
#[track_caller]
fn fix_serves(title: &str, inventory: &Inventory, database: &Memory, finding: &Finding) {
    let Some(fixed_in) = &finding.fixed_in else { return };
    let mut inventory = inventory.clone();
    let package = &mut inventory.packages[finding.package];
    package.version.clone_from(fixed_in);
    if let Some(source) = &mut package.source {
        source.version.clone_from(fixed_in);
    }
    let again = find(&inventory, database, &Standings::default());
    let same = again.findings.iter().find(|one| one.id == finding.id && one.package == finding.package);
    assert_eq!(same.and_then(|one| one.fixed_in.as_ref()), None, "{title}: {} after the fix", finding.id);
}

fn write_down(inventory: &Inventory, findings: &Findings) -> String {
    let mut out = String::new();
    for one in &findings.coverage {
        let date = one.data_date.as_deref().unwrap_or("-");
        let feed = if one.feed.is_empty() { "-" } else { &one.feed };
        let failing = one.failing_since.as_ref().map(|date| format!(" failing since {date}"));
        let failing = failing.unwrap_or_default();
        let state = one.state.name();
        let _ = writeln!(out, "coverage {} {feed} {state} {date}{failing}: {}", one.needs, one.packages);
    }
    for gap in &findings.gaps {
        let _ = writeln!(out, "gap {} {}: {}", gap.kind, gap.subject, gap.detail);
    }
    for finding in &findings.findings {
        write_finding(&mut out, &inventory.packages[finding.package], finding);
    }
    out.trim_end().to_owned()
}

fn write_finding(out: &mut String, package: &Package, finding: &Finding) {
    let severity = finding.severity.map_or("unknown", |severity| severity.name());
    let Package { name, version, .. } = package;
    let source = finding.severity_source.name();
    let _ = writeln!(out, "finding {} in {name} {version}: {severity} by {source}", finding.id);
    let evidence = &finding.evidence;
    let _ = write!(
        out,
        "  {} of {}: {} {} {} is `{}`",
        finding.advisory, finding.feed, evidence.namespace, evidence.name, evidence.version, evidence.range
    );
    let _ = match &finding.fixed_in {
        Some(fixed_in) => writeln!(out, ", fixed in {fixed_in}"),
        None => writeln!(out, ", fix {}", finding.fix.name()),
    };
    if finding.status != Status::Affected {
        let _ = writeln!(out, "  {}", finding.status.name());
    }
    if !finding.aliases.is_empty() {
        let _ = writeln!(out, "  also {}", finding.aliases.join(" "));
    }
    if !finding.cvss.is_empty() {
        let scores: Vec<String> = finding.cvss.iter().map(|cvss| format!("{:.1}", cvss.score)).collect();
        let _ = writeln!(out, "  cvss {}", scores.join(" "));
    }
    if let Some(kev) = &finding.kev {
        let _ = writeln!(out, "  kev {}", kev.date_added);
    }
    if let Some(epss) = &finding.epss {
        let _ = writeln!(out, "  epss {}", epss.score);
    }
}

#[test]
fn without_a_database_everything_is_missing() {
    let case = Case::read(
        "distro alpine:3.20\npackage apk musl 1.2.5-r0\npackage pypi django 4.2\npackage deb bash 5.2-1",
    );
    let findings = without_database(&case.inventory, "there is none", &Standings::default());
    assert!(findings.findings.is_empty());
    let kinds: Vec<GapKind> = findings.gaps.iter().map(|gap| gap.kind).collect();
    assert_eq!(kinds, [GapKind::DatabaseMissing, GapKind::UnknownDistro]);
    let coverage: Vec<_> =
        findings.coverage.iter().map(|one| (one.needs.as_str(), one.state.name(), one.packages)).collect();
    let expected = [
        ("alpine:3.20", "missing", 1),
        ("epss", "missing", 0),
        ("kev", "missing", 0),
        ("pypi", "missing", 1),
    ];
    assert_eq!(coverage, expected);
}

/// A source package of a kernel has thousands of rows; bodies are compressed and dear.
#[test]
fn bodies_are_read_only_of_what_can_matter() {
    let one_feed = "distro debian:12\npackage deb linux 6.1.100-1\nfeed debian-tracker 2026-01-01 debian:12\n\
        advisory debian-tracker CVE-2024-0001\nrow debian:12 linux affected <6.1.90-1\n\
        advisory debian-tracker CVE-2024-0002\nrow debian:12 linux not_affected all\n\
        advisory debian-tracker CVE-2024-0003\nrow debian:12 linux affected <6.1.110-1\n";
    let agreeing = "feed osv-debian 2026-01-01 debian:12\n\
        advisory osv-debian DEBIAN-CVE-2024-0003 aliases=CVE-2024-0003\nrow debian:12 linux affected <6.1.110-1\n";
    let alone =
        "advisory osv-debian DEBIAN-CVE-2024-0004 aliases=CVE-2024-0004\nrow debian:12 linux affected all\n";
    for (input, expected) in [
        (one_feed.to_owned(), 1),
        (format!("{one_feed}{agreeing}"), 2),
        // What only a later feed found must be held against all that the first knows.
        (format!("{one_feed}{agreeing}{alone}"), 5),
    ] {
        let case = Case::read(&input);
        find(&case.inventory, &case.database, &Standings::default());
        assert_eq!(case.database.bodies_read.get(), expected, "{input}");
    }
}
