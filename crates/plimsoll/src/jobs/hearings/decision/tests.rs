//! What a clearance comes to, from plain data.

use plimsoll_core::advisory::DatabaseIdentity;
use plimsoll_core::clearance::{Candidate, Inputs, Level, Observed, Trouble, Weight};

use super::*;

fn now() -> Timestamp {
    "2030-01-02T03:00:00Z".parse().unwrap()
}

fn digest(byte: u8) -> Digest {
    Digest::sha256(&[byte; 32])
}

fn check(id: &'static str, outcome: Outcome) -> Check {
    Check { id, outcome, weight: Weight::Refuse, detail: "x".repeat(DETAIL_CHARS_MAX + 9) }
}

/// An entry of a digest with these checks.
fn entry(byte: u8, checks: Vec<Check>) -> Entry {
    let candidate = Candidate {
        name: "app".to_owned(),
        project: String::new(),
        source: "registry.example/from/app".to_owned(),
        digest: Some(digest(byte)),
        tags: Vec::new(),
        // The second is spelled as people do.
        destinations: vec!["registry.example/to/app".to_owned(), "app".to_owned()],
    };
    Entry { candidate, observed: Observed::nothing(Level::Content), checks }
}

fn clearance(checks: Vec<Check>, entries: Vec<Entry>) -> Clearance {
    Clearance { inputs: Inputs::default(), changes: Vec::new(), checks, entries }
}

fn demanded(holds_until: Option<&str>) -> Demanded {
    let holds_until = holds_until.map(|text| text.parse().unwrap());
    Demanded { policies: Vec::new(), files: Vec::new(), holds_until }
}

fn decided(clearance: &Clearance, demanded: &Demanded) -> Decision {
    of(clearance, "production", demanded, SignedDuration::from_hours(24), now()).unwrap()
}

/// Checks of the manifests, checks of the one entry: the verdict of its digest, and of all of it.
#[test]
fn a_digest_is_as_bad_as_whatever_is_said_of_it() {
    use Outcome::{Error, Fail, Missing, Pass};
    use Verdict::{Cleared, Refused, Undecided};
    for (manifests, checks, of_digest) in [
        (Pass, vec![check("ref.exists", Pass)], Cleared),
        (Pass, vec![check("ref.exists", Pass), check("tag.source", Error)], Undecided),
        (Pass, vec![check("ref.exists", Missing), check("tag.source", Error)], Refused),
        // A change that is refused clears nothing.
        (Fail, vec![check("ref.exists", Pass)], Refused),
        (Error, vec![check("ref.exists", Pass)], Undecided),
        // Nothing was asked, so nothing is known.
        (Pass, Vec::new(), Undecided),
    ] {
        let clearance = clearance(vec![check("manifest.syntax", manifests)], vec![entry(1, checks.clone())]);
        let decision = decided(&clearance, &demanded(None));
        let spoken = &decision.spoken[0];
        assert_eq!((spoken.verdict, decision.verdict), (of_digest, of_digest), "{manifests:?} {checks:?}");
        assert_eq!(decision.holds_until.is_some(), of_digest == Cleared);
        assert_eq!(spoken.why.is_empty(), of_digest == Cleared || checks.is_empty());
        let places = ["docker.io/library/app", "registry.example/from/app", "registry.example/to/app"];
        assert_eq!(spoken.repositories, places);
    }
}

#[test]
fn the_worst_is_named_first_and_cut() {
    let checks = vec![check("a.error", Outcome::Error), check("b.fail", Outcome::Fail)];
    let why = decided(&clearance(Vec::new(), vec![entry(1, checks)]), &demanded(None)).spoken[0].why.clone();
    assert!(why[0].starts_with("b.fail FAIL: xxx") && why[1].starts_with("a.error ERROR: "), "{why:?}");
    assert!(why.iter().all(|text| text.len() < DETAIL_CHARS_MAX + 20));
}

#[test]
fn it_holds_until_the_first_end() {
    let well = || vec![entry(1, vec![check("ref.exists", Outcome::Pass)])];
    for (dates, wanted) in [
        (None, "2030-01-03T03:00:00Z"),
        (Some("2030-01-03T00:00:00Z"), "2030-01-03T00:00:00Z"),
        (Some("2030-02-01T00:00:00Z"), "2030-01-03T03:00:00Z"),
    ] {
        let decision = decided(&clearance(Vec::new(), well()), &demanded(dates));
        assert_eq!(decision.holds_until.unwrap().to_string(), wanted, "{dates:?}");
    }
    // One that is cleared holds beside one that is refused.
    let mut entries = well();
    entries.push(entry(2, vec![check("ref.exists", Outcome::Missing)]));
    let decision = decided(&clearance(Vec::new(), entries), &demanded(None));
    assert_eq!((decision.verdict, decision.spoken[0].verdict), (Verdict::Refused, Verdict::Cleared));
    assert!(decision.holds_until.is_some());
}

#[test]
fn advisories_age() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.yaml");
    std::fs::write(&path, "apiVersion: plimsoll/policy/1\nname: p\nvulnerabilities: {dbMaxAge: 48h}\n")
        .unwrap();
    let config = format!("[clearances.policies]\nproduction = ['{}']\n", path.display());
    let config = crate::config::Config::parse(&config).unwrap();
    let demanded = Demanded::read(&config, "production", now()).unwrap();
    assert_eq!((demanded.files.len(), demanded.holds_until), (1, None));
    let mut clearance = clearance(Vec::new(), vec![entry(1, vec![check("ref.exists", Outcome::Pass)])]);
    clearance.inputs.database =
        Some(DatabaseIdentity { id: "sha256:db".to_owned(), built_at: "2030-01-01T00:00:00Z".to_owned() });
    let decision = decided(&clearance, &demanded);
    assert_eq!(decision.holds_until.unwrap().to_string(), "2030-01-03T00:00:00Z");
    assert_eq!(decision.database.as_deref(), Some("sha256:db"));
    // A policy that is not there any more decides nothing.
    std::fs::remove_file(&path).unwrap();
    assert!(Demanded::read(&config, "production", now()).is_err());
    assert!(Demanded::read(&config, "other", now()).is_err());
}

/// What registries did not answer may be answered another time; what a policy leaves open is the same at once again.
#[test]
fn what_is_worth_another_attempt() {
    use Outcome::{Error, Missing};
    for (checks, wanted) in [
        (vec![check("layer.exists", Error)], true),
        (vec![check("evidence.discovery", Error)], true),
        (vec![check("vuln.scanned", Error)], false),
        (vec![check("policy.require", Error)], false),
        // It is refused whatever else is said.
        (vec![check("layer.exists", Error), check("ref.exists", Missing)], false),
    ] {
        let clearance = clearance(Vec::new(), vec![entry(1, checks.clone())]);
        assert_eq!(may_pass(&clearance).is_some(), wanted, "{checks:?}");
    }
}

/// Every beginning in the list is one of checks that there are.
#[test]
fn beginnings_are_those_of_checks() {
    assert!(OF_REGISTRIES.is_sorted());
    for start in OF_REGISTRIES {
        assert!(plimsoll_core::rules::RULES.iter().any(|rule| rule.id.starts_with(start)), "{start}");
    }
}

/// A digest that nobody could name, because its tag could not be asked for, is not spoken of.
#[test]
fn what_has_no_digest_is_not_spoken_of() {
    let mut unknown = entry(1, vec![check("ref.exists", Outcome::Error)]);
    unknown.candidate.digest = None;
    unknown.observed.top = Err(Trouble::Unknown("503".to_owned()));
    let decision = decided(&clearance(Vec::new(), vec![unknown]), &demanded(None));
    assert_eq!((decision.verdict, decision.spoken.len()), (Verdict::Undecided, 0));
}

#[test]
fn too_much_for_one_record_is_told() {
    let one = || entry(1, vec![check("ref.exists", Outcome::Pass)]);
    let entries: Vec<Entry> = (0..=SPOKEN_MAX).map(|_| one()).collect();
    let clearance = clearance(Vec::new(), entries);
    let error = of(&clearance, "p", &demanded(None), SignedDuration::ZERO, now()).unwrap_err();
    assert!(error.contains("ask in parts"), "{error}");
}
