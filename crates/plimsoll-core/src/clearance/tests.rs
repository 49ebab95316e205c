//! Each way in which something is not as it should be, the check that says so, and the verdict.

use super::*;
use crate::digest::Digest;
use crate::rules::RULES;

mod attested;

fn digest(of: char) -> Digest {
    format!("sha256:{}", of.to_string().repeat(64)).parse().unwrap()
}

fn document(of: char, media_type: &str) -> Document {
    Document { digest: digest(of), media_type: media_type.to_owned(), size: 9, artifact: None }
}

fn image(of: char, platform: &str) -> ImageSeen {
    let platform: Platform = platform.parse().unwrap();
    let layer = LayerSeen {
        digest: digest('d'),
        size: 7,
        media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
        is_foreign: false,
        there: Ok(7),
        stored: Some(Ok(())),
        unpacked: Some(Ok(())),
    };
    ImageSeen {
        digest: digest(of),
        claimed: Some(platform.clone()),
        config: Ok(ConfigSeen { platform, diff_ids: 1, user: "65532".to_owned() }),
        layers: vec![layer],
    }
}

fn candidate() -> Candidate {
    Candidate {
        name: "app".to_owned(),
        project: String::new(),
        source: "h.example/from/app".to_owned(),
        digest: Some(digest('a')),
        tags: vec!["1.0".to_owned()],
        destinations: vec!["h.example/to/app".to_owned()],
    }
}

fn observed() -> Observed {
    let child = |of: char, platform: &str| Child {
        digest: digest(of),
        platform: Some(platform.parse().unwrap()),
        is_attestation: false,
        attests: None,
        seen: Ok(document(of, "application/vnd.oci.image.manifest.v1+json")),
    };
    Observed {
        top: Ok(document('a', "application/vnd.oci.image.index.v1+json")),
        children: vec![child('b', "linux/amd64"), child('c', "linux/arm64")],
        images: vec![image('b', "linux/amd64"), image('c', "linux/arm64")],
        source_tags: vec![("1.0".to_owned(), Ok(digest('a')))],
        destinations: ["h.example/to/app", "mirror.example/to/app"]
            .map(|repository| DestinationSeen {
                repository: repository.to_owned(),
                tags: vec![("1.0".to_owned(), Err(Trouble::Missing("free".to_owned())))],
            })
            .to_vec(),
        flaws: Some(Flaws {
            matched: Ok(2),
            gaps: Vec::new(),
            flaws: vec![FlawSeen {
                id: "CVE-2026-1".to_owned(),
                package: "hull".to_owned(),
                version: "1.0".to_owned(),
                severity: Some(crate::advisory::Severity::High),
                fixed_in: Some("1.1".to_owned()),
                is_new: Some(false),
                held: Held::ByNone,
            }],
            database_age: Some((3, 48)),
            vex_statements: Some(0),
        }),
        evidence: Some(attested::evidence()),
        lists: attested::lists(),
        predecessor: Some(Ok(Some(PredecessorSeen {
            reference: "h.example/to/app:0.9".to_owned(),
            ..PredecessorSeen::default()
        }))),
        required: vec![("true".to_owned(), Ok(true))],
        ..Observed::nothing(Level::Content)
    }
}

fn demands() -> Demands {
    let evidence = attested::evidence_demands();
    let platforms = vec!["linux/amd64".parse().unwrap()];
    Demands { platforms, evidence, keeps_platforms: true, ..Demands::default() }
}

fn flaws(seen: &mut Observed) -> &mut Flaws {
    seen.flaws.as_mut().unwrap()
}

/// One thing that is not as it should be.
type Spoil = fn(&mut Candidate, &mut Observed);

#[test]
fn what_is_well_is_cleared_by_checks_that_all_say_what_they_compared() {
    let entry = Entry::judge(candidate(), observed(), &demands());
    assert_eq!(entry.verdict(), Verdict::Cleared, "{:#?}", entry.checks);
    for check in entry.checks.iter().filter(|check| check.id != "waiver.valid") {
        assert!(matches!(check.outcome, Outcome::Pass) && !check.detail.is_empty(), "{check:?}");
    }
}

/// Check, outcome, and what leads to it.
static TROUBLES: &[(&str, Outcome, Spoil)] = &[
    ("ref.exists", Outcome::Missing, |_, seen| seen.top = Err(Trouble::Missing("x".into()))),
    ("ref.exists", Outcome::Error, |_, seen| seen.top = Err(Trouble::Unknown("x".into()))),
    ("ref.digest", Outcome::Fail, |_, seen| seen.top = Err(Trouble::Wrong("x".into()))),
    ("ref.digest", Outcome::Fail, |asked, _| asked.digest = Some(digest('e'))),
    ("index.children", Outcome::Missing, |_, seen| {
        seen.children[1].seen = Err(Trouble::Missing("x".into()));
    }),
    ("index.children", Outcome::Error, |_, seen| seen.children[1].seen = Err(Trouble::Unknown("x".into()))),
    ("index.children", Outcome::Fail, |_, seen| seen.children[1].seen = Err(Trouble::Wrong("x".into()))),
    ("index.platforms", Outcome::Fail, |_, seen| drop(seen.images.remove(0))),
    ("index.platforms", Outcome::Fail, |_, seen| {
        let before =
            PredecessorSeen { platforms: vec!["linux/s390x".parse().unwrap()], ..Default::default() };
        seen.predecessor = Some(Ok(Some(before)));
    }),
    ("index.platforms", Outcome::Error, |_, seen| {
        seen.predecessor = Some(Err(Trouble::Unknown("x".into())));
    }),
    ("config.platform", Outcome::Fail, |_, seen| {
        seen.images[1].claimed = Some("linux/s390x".parse().unwrap());
    }),
    ("config.platform", Outcome::Error, |_, seen| seen.images[1].config = Err(Trouble::Unknown("x".into()))),
    ("config.platform", Outcome::Fail, |_, seen| drop(seen.images[1].layers.pop())),
    ("layer.exists", Outcome::Fail, |_, seen| seen.images[1].layers[0].there = Ok(8)),
    ("layer.exists", Outcome::Missing, |_, seen| {
        seen.images[0].layers[0].there = Err(Trouble::Missing("x".into()));
    }),
    ("layer.digest", Outcome::Fail, |_, seen| {
        seen.images[0].layers[0].stored = Some(Err(Trouble::Wrong("x".into())));
    }),
    ("layer.digest", Outcome::Error, |_, seen| {
        seen.images[0].layers[0].stored = Some(Err(Trouble::Unknown("x".into())));
    }),
    ("layer.diffid", Outcome::Fail, |_, seen| {
        seen.images[1].layers[0].unpacked = Some(Err(Trouble::Wrong("x".into())));
    }),
    ("layer.foreign", Outcome::Error, |_, seen| seen.images[0].layers[0].is_foreign = true),
    ("tag.source", Outcome::Fail, |_, seen| seen.source_tags[0].1 = Ok(digest('e'))),
    ("tag.source", Outcome::Missing, |_, seen| {
        seen.source_tags[0].1 = Err(Trouble::Missing("x".into()));
    }),
    ("tag.destination", Outcome::Fail, |_, seen| seen.destinations[0].tags[0].1 = Ok(digest('e'))),
    ("tag.destination", Outcome::Error, |_, seen| {
        seen.destinations[0].tags[0].1 = Err(Trouble::Unknown("x".into()));
    }),
    ("tag.pattern", Outcome::Fail, |_, seen| {
        seen.odd_tags.push("1.0".to_owned());
    }),
    ("policy.require", Outcome::Fail, |_, seen| seen.required[0].1 = Ok(false)),
    ("policy.require", Outcome::Error, |_, seen| {
        seen.required[0].1 = Err(Trouble::Unknown("x".into()));
    }),
    ("vuln.scanned", Outcome::Error, |_, seen| flaws(seen).gaps.push("no feed".into())),
    ("vuln.scanned", Outcome::Error, |_, seen| flaws(seen).matched = Err(Trouble::Unknown("x".into()))),
    ("vuln.db-age", Outcome::Error, |_, seen| flaws(seen).database_age = Some((49, 48))),
    ("vuln.refuse", Outcome::Fail, |_, seen| flaws(seen).flaws[0].held = Held::Refused("r".into())),
    ("vuln.refuse", Outcome::Error, |_, seen| flaws(seen).flaws[0].held = Held::Untold("r".into())),
    ("waiver.valid", Outcome::Fail, |_, seen| flaws(seen).flaws[0].held = Held::Expired("x".into())),
    ("tag.pattern", Outcome::Fail, |asked, _| asked.tags.push("latest".to_owned())),
];

#[test]
fn each_trouble_is_told_by_its_check() {
    for (id, outcome, spoil) in TROUBLES.iter().chain(attested::TROUBLES) {
        let (mut asked, mut seen) = (candidate(), observed());
        spoil(&mut asked, &mut seen);
        let entry = Entry::judge(asked, seen, &demands());
        let check = entry.checks.iter().find(|check| check.id == *id).expect("the rule is on the list");
        assert_eq!(check.outcome, *outcome, "{check:?}");
        let expected = if *outcome == Outcome::Error { Verdict::Undecided } else { Verdict::Refused };
        assert_eq!(entry.verdict(), expected, "{id}: {:#?}", entry.checks);
    }
    let tried: std::collections::BTreeSet<&str> =
        TROUBLES.iter().chain(attested::TROUBLES).map(|case| case.0).collect();
    let untried: Vec<&str> = RULES.iter().map(|rule| rule.id).filter(|id| !tried.contains(id)).collect();
    // Only reached with a manifest of one kind: whatever is of two is refused where it is read.
    // The age of the roots is a fact of the policy. The others refuse nothing.
    assert_eq!(
        untried,
        [
            "content.user",
            "dest.mirrors",
            "ref.media-type",
            "sbom.coverage",
            "trust.age",
            "vex.applied",
            "vuln.new",
            "vuln.warn"
        ]
    );
}

#[test]
fn a_layer_that_two_images_state_differently_is_not_cleared_by_the_one_that_is_right() {
    for at in [0, 1] {
        let mut seen = observed();
        seen.images[at].layers[0].size = 8;
        let entry = Entry::judge(candidate(), seen, &demands());
        assert_eq!(entry.verdict(), Verdict::Refused, "{at}");
    }
}

#[test]
fn what_was_not_read_is_said_to_be_so() {
    let mut seen = observed();
    seen.level = Level::Exists;
    for layer in seen.images.iter_mut().flat_map(|image| &mut image.layers) {
        (layer.stored, layer.unpacked) = (None, None);
    }
    let entry = Entry::judge(candidate(), seen, &demands());
    assert_eq!(entry.verdict(), Verdict::Cleared);
    for id in ["layer.digest", "layer.diffid"] {
        let check = entry.checks.iter().find(|check| check.id == id).unwrap();
        assert_eq!(check.outcome, Outcome::NotApplicable);
    }
}

#[test]
fn nothing_seen_never_clears() {
    for trouble in
        [Trouble::Missing(String::new()), Trouble::Wrong(String::new()), Trouble::Unknown(String::new())]
    {
        let nothing = Observed { top: Err(trouble), ..Observed::nothing(Level::Content) };
        assert!(Entry::judge(candidate(), nothing, &Demands::default()).verdict() > Verdict::Cleared);
    }
}

#[test]
fn checks_of_manifests_say_what_holds() {
    let changes = [Change {
        project: "p".to_owned(),
        image: "app".to_owned(),
        kind: crate::promotion::ChangeKind::TagsAdded(digest('a'), vec!["2".to_owned()]),
    }];
    let checks = manifest_checks(&[], Some(&changes), 3);
    let clearance =
        Clearance { inputs: Inputs::default(), changes: changes.to_vec(), checks, entries: Vec::new() };
    assert_eq!(clearance.verdict(), Verdict::Cleared);
    assert_eq!(clearance.checks.len(), 7);
    assert_eq!(manifest_checks(&[], None, 0).len(), 3);
}

#[test]
fn a_policy_softens_what_is_not_firm_and_nothing_else() {
    for (id, mode, expected) in [
        ("tag.pattern", Mode::Off, Verdict::Cleared),
        ("tag.pattern", Mode::Warn, Verdict::Cleared),
        ("tag.pattern", Mode::Require, Verdict::Refused),
        ("ref.exists", Mode::Off, Verdict::Refused),
    ] {
        let (mut asked, mut seen) = (candidate(), observed());
        asked.tags.push("latest".to_owned());
        if id == "ref.exists" {
            seen.top = Err(Trouble::Missing("x".to_owned()));
        }
        let demands = Demands { modes: vec![(id.to_owned(), mode)], ..Demands::default() };
        let entry = Entry::judge(asked, seen, &demands);
        assert_eq!(entry.verdict(), expected, "{id} {mode:?}: {:#?}", entry.checks);
    }
}

#[test]
fn what_only_warns_is_told() {
    let spoils: [(&str, Spoil); 4] = [
        ("content.user", |_, seen| seen.images[0].config.as_mut().unwrap().user.clear()),
        ("content.user", |_, seen| seen.images[1].config.as_mut().unwrap().user = "0:0".to_owned()),
        ("dest.mirrors", |_, seen| seen.destinations[1].tags[0].1 = Ok(digest('a'))),
        ("vuln.warn", |_, seen| flaws(seen).flaws[0].held = Held::Warned("r".to_owned())),
    ];
    for (id, spoil) in spoils {
        let (mut asked, mut seen) = (candidate(), observed());
        spoil(&mut asked, &mut seen);
        let entry = Entry::judge(asked, seen, &demands());
        let check = entry.checks.iter().find(|check| check.id == id).expect("the rule is on the list");
        assert_eq!((check.outcome, entry.verdict()), (Outcome::Fail, Verdict::Cleared), "{check:?}");
    }
}

#[test]
fn a_waiver_is_told_and_does_not_refuse() {
    let mut seen = observed();
    flaws(&mut seen).flaws[0].held =
        Held::Waived { owner: "o".to_owned(), reason: "r".to_owned(), expires: "2027-01-01".to_owned() };
    let entry = Entry::judge(candidate(), seen, &demands());
    assert_eq!(entry.verdict(), Verdict::Cleared);
    let check = entry.checks.iter().find(|check| check.id == "vuln.refuse").unwrap();
    assert_eq!(check.outcome, Outcome::Waived);
    assert!(check.detail.contains("o") && check.detail.contains("2027-01-01"), "{}", check.detail);
}
