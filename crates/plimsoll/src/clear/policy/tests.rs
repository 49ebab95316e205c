//! Policies that are refused when they are read, each for its own reason; what good ones say of flaws; waivers.

use std::fs;

use super::*;

mod vouching;

fn today() -> Date {
    "2026-11-20".parse().unwrap()
}

/// Reads a policy of these lines, with these waivers beside it.
fn read(lines: &str, waivers: &str) -> anyhow::Result<Policy> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yaml");
    fs::write(&path, format!("apiVersion: plimsoll/policy/1\nname: p\n{lines}\n")).unwrap();
    fs::write(folder.path().join("w.yaml"), waivers).unwrap();
    Policy::read(&path, &Files::default(), today())
}

fn flaw() -> Flaw {
    Flaw::of_facts(&sample::flaw()).unwrap()
}

#[test]
fn what_never_matches_is_refused_when_it_is_read() {
    for (lines, expected) in [
        ("vulnerabilities: {refuse: ['v.severitty == \"high\"']}", "`v` has no `severitty`"),
        ("vulnerabilities: {refuse: ['v.kev && v.severitty == \"high\"']}", "`v` has no `severitty`"),
        ("vulnerabilities: {refuse: ['true || v.typo']}", "`v` has no `typo`"),
        ("vulnerabilities: {refuse: ['v.severity == \"HIGH\"']}", "`v.severity` is never `HIGH`"),
        ("vulnerabilities: {warn: ['v.severity in [\"high\", \"crit\"]']}", "`v.severity` is never `crit`"),
        ("vulnerabilities: {refuse: ['\"high\" == v.severity && w.kev']}", "there is no `w`"),
        ("vulnerabilities: {refuse: ['v.severity']}", "neither true nor false"),
        ("vulnerabilities: {refuse: ['v.id > 3']}", "v.id > 3"),
        ("vulnerabilities: {refuse: ['v.kev &&']}", "is no CEL"),
        ("vulnerabilities: {refuse: ['v.id.typo == 1']}", "`v.id` has no fields"),
        ("vulnerabilities: {refuze: []}", "refuze"),
        ("vulnerabilities: {dbMaxAge: 48}", "48"),
        ("require: ['entry.tags.exists(t, t.foo == 1)']", "has no fields"),
        ("require: ['entry.tags.exists(t, u == 1)']", "there is no `u`"),
        ("require: ['v.kev']", "there is no `v`"),
        ("when: 'entry.projekt == \"x\"'", "`entry` has no `projekt`"),
        ("tags: {pattern: '('}", "`tags.pattern`"),
        ("checks: {ref.exists: {mode: off}}", "is firm"),
        ("checks: {tag.patern: {mode: off}}", "there is no check `tag.patern`"),
        ("checks: {tag.pattern: {mode: maybe}}", "maybe"),
        ("platforms: {require: [linux]}", "`linux` is not a platform"),
        ("integrity: some", "some"),
        ("colour: red", "colour"),
        ("name: q", "duplicate"),
        ("waivers: none.yaml", "there is no file"),
    ] {
        let error = read(lines, "[]").map(|policy| policy.name).expect_err(lines);
        assert!(format!("{error:#}").contains(expected), "{lines}: {error:#}");
    }
    let other = Policy::read(Path::new("/nonexistent/p.yaml"), &Files::default(), today());
    assert!(other.unwrap_err().to_string().contains("there is no file"));
}

#[test]
fn flaws_are_held_against_rules_and_what_is_not_known_decides_nothing() {
    let policy = read(
        "vulnerabilities:\n  refuse: ['v.fixed && v.severity in [\"critical\", \"high\"] && v.new', 'v.kev']\n  \
         warn: ['v.severity in [\"critical\", \"high\"]']",
        "[]",
    )
    .unwrap();
    type Change = fn(&mut Flaw);
    let cases: [(Change, &str); 9] = [
        (|_| {}, "refused"),
        (|flaw| flaw.is_new = Some(false), "warned"),
        (|flaw| flaw.fixed_in = None, "warned"),
        (|flaw| flaw.severity = Some(plimsoll_core::advisory::Severity::Low), "by-none"),
        (|flaw| flaw.severity = None, "untold"),
        (|flaw| flaw.is_new = None, "untold"),
        (|flaw| flaw.kev = Some(true), "refused"),
        (
            |flaw| {
                flaw.kev = None;
                flaw.is_new = Some(false);
            },
            "untold",
        ),
        // What is not known does not matter where the rest decides.
        (|flaw| flaw.epss = None, "refused"),
    ];
    for (change, expected) in cases {
        let mut flaw = flaw();
        change(&mut flaw);
        assert_eq!(policy.held(&flaw).name(), expected, "{flaw:?}");
    }
}

#[test]
fn an_unknown_score_is_tried_on_both_sides_of_every_number_that_a_rule_names() {
    for (rule, expected) in [
        ("v.epss > 0.1 && v.epss < 0.9", "untold"),
        ("v.epss == 0.3", "untold"),
        ("v.epss > 0.5", "untold"),
        ("v.epss >= 0.0", "refused"),
        ("v.epss > 2.0", "by-none"),
    ] {
        let policy = read(&format!("vulnerabilities: {{refuse: ['{rule}']}}"), "[]").unwrap();
        let flaw = Flaw { epss: None, ..flaw() };
        assert_eq!(policy.held(&flaw).name(), expected, "{rule}");
    }
}

#[test]
fn a_mode_holds_from_its_day() {
    for (from, expected) in [("2026-11-20", Mode::Require), ("2026-11-21", Mode::Warn)] {
        let policy =
            read(&format!("checks: {{tag.pattern: {{mode: require, from: {from}}}}}"), "[]").unwrap();
        assert_eq!(policy.demands().modes, [("tag.pattern".to_owned(), expected)]);
    }
}

#[test]
fn waivers_are_exact_and_run_out() {
    let with = |waiver: &str| {
        read("vulnerabilities: {refuse: ['v.fixed']}\nwaivers: w.yaml", &format!("- {{{waiver}}}\n"))
    };
    let good = "reason: r, owner: o, images: [\"team/*\"]";
    for (waiver, image, expected) in [
        (format!("id: CVE-2026-0001, expires: 2026-12-01, {good}"), "team/app", "waived"),
        (format!("id: CVE-2026-0001, expires: 2026-12-01, {good}, package: hull"), "team/app", "waived"),
        (format!("id: CVE-2026-0001, expires: 2026-12-01, {good}, package: keel"), "team/app", "refused"),
        (format!("id: CVE-2026-0001, expires: 2026-12-01, {good}"), "other/app", "refused"),
        (format!("id: CVE-2026-0002, expires: 2026-12-01, {good}"), "team/app", "refused"),
        (format!("id: CVE-2026-0001, expires: 2026-11-19, {good}"), "team/app", "expired"),
        (format!("id: CVE-2026-0001, expires: 2026-11-20, {good}"), "team/app", "waived"),
    ] {
        let policy = with(&waiver).unwrap();
        let held = policy.waivers.apply(image, &flaw(), policy.held(&flaw())).0;
        assert_eq!(held.name(), expected, "{waiver}");
    }
    for (waiver, expected) in [
        (format!("id: CVE-2026-0001, expires: 2027-11-20, {good}"), "longer than 90 days"),
        ("id: x, expires: 2026-12-01, reason: '', owner: o, images: [a]".to_owned(), "has no `reason`"),
        ("id: x, expires: 2026-12-01, reason: r, owner: o, images: []".to_owned(), "names no images"),
        ("id: x, expires: 2026-12-01, reason: r, images: [a]".to_owned(), "owner"),
        ("id: x, expires: tomorrow, reason: r, owner: o, images: [a]".to_owned(), "is not a day"),
    ] {
        let error = with(&waiver).map(|policy| policy.name).expect_err(&waiver);
        assert!(format!("{error:#}").contains(expected), "{waiver}: {error:#}");
    }
}
