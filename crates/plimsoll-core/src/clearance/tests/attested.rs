//! Evidence: what each rule says of it, and that more of it never makes a verdict worse, nor less of it better.

use super::*;
use crate::evidence::{
    Agreement, Checked, Claim, Content, Identity, Item, Place, Predicate, Proof, Provenance, Refusal,
    RefusalKind, SbomFormat, SbomReference, Scheme, Signer, Standing, Statement, Unseen, VerificationSummary,
    Witness, WitnessedTime,
};

const NOW: i64 = 1_000_000;

fn place() -> Place {
    Place { scheme: Scheme::Referrer, name: digest('7').to_string() }
}

fn proven() -> Standing {
    let identity = Identity {
        san: "https://h.example/team/app/.github/workflows/release.yml@refs/tags/v1.0".to_owned(),
        issuer: "https://issuer.example".to_owned(),
        claims: vec![
            (Claim::SourceRepositoryUri, "https://h.example/team/app".to_owned()),
            (Claim::SourceRepositoryRef, "refs/tags/v1.0".to_owned()),
            (Claim::SourceRepositoryIdentifier, "42".to_owned()),
        ],
    };
    let times = vec![WitnessedTime { at: NOW - 86_400, witness: Witness::Log }];
    let checked = Checked { certificate: true, sct: true, log: None };
    Standing::Proven(Box::new(Proof { signer: Signer::Keyless(Box::new(identity)), times, checked }))
}

fn piece(subject: char, standing: Standing, content: Content) -> Piece {
    let signers = match standing {
        Standing::Proven(_) => vec!["builder".to_owned()],
        _ => Vec::new(),
    };
    let item = Item { place: place(), standing, content };
    Piece { subject: digest(subject), item, signers, is_named: Some(true) }
}

fn statement(predicate_type: &str, predicate: Predicate) -> Content {
    let predicate_type = predicate_type.to_owned();
    Content::Statement(Box::new(Statement {
        digest: digest('8'),
        predicate_type,
        subjects: Vec::new(),
        predicate,
    }))
}

fn provenance() -> Provenance {
    Provenance {
        builder: Some("https://builder.example/x@v1".to_owned()),
        build_type: Some("https://builder.example/workflow".to_owned()),
        source_repository: Some("https://h.example/team/app".to_owned()),
        agreement: vec![Agreement {
            claim: Claim::SourceRepositoryUri,
            predicate: "https://h.example/team/app".to_owned(),
            certificate: "https://h.example/team/app".to_owned(),
            agrees: true,
        }],
        ..Provenance::default()
    }
}

fn of_provenance(provenance: Provenance) -> Content {
    statement("https://slsa.dev/provenance/v1", Predicate::Provenance(Box::new(provenance)))
}

fn summary(passed: bool) -> Content {
    let summary = VerificationSummary {
        verifier: "https://verifier.example".to_owned(),
        verified: None,
        resource: "h.example/from/app".to_owned(),
        policy: String::new(),
        policy_digest: None,
        passed,
        levels: vec!["SLSA_BUILD_LEVEL_3".to_owned()],
    };
    let predicate = Predicate::VerificationSummary(Box::new(summary));
    statement("https://slsa.dev/verification_summary/v1", predicate)
}

fn list() -> Content {
    let list = SbomReference { format: SbomFormat::Spdx, document: "{}".to_owned() };
    statement("https://spdx.dev/Document", Predicate::Sbom(list))
}

fn signature() -> Content {
    Content::Signature { image_name: Some("h.example/from/app".to_owned()) }
}

/// One good piece of each kind, of the index.
pub(super) fn evidence() -> EvidenceSeen {
    let good = |content| piece('a', proven(), content);
    EvidenceSeen {
        pieces: vec![good(signature()), good(of_provenance(provenance())), good(summary(true)), good(list())],
        unseen: Vec::new(),
        is_verified: true,
    }
}

pub(super) fn lists() -> Vec<ListSeen> {
    let compared = ListCompared { both: 9, unlisted: vec!["pkg:apk/x@1".to_owned()], absent: Vec::new() };
    let signers = vec!["builder".to_owned()];
    vec![ListSeen { subject: digest('a'), signers, format: SbomFormat::Spdx, compared: Ok(compared) }]
}

pub(super) fn evidence_demands() -> EvidenceDemands {
    let any_of = vec!["builder".to_owned()];
    EvidenceDemands {
        signature: Some(SignatureDemand { any_of: any_of.clone(), is_named: true }),
        provenance: Some(ProvenanceDemand {
            any_of: any_of.clone(),
            builders: vec!["https://builder.example/x".to_owned()],
            build_types: vec!["https://builder.example/workflow".to_owned()],
            source_repository: Some("git+https://h.example/team/app.git".to_owned()),
            source_repository_id: Some("42".to_owned()),
            source_refs: Vec::new(),
            tag_matches_ref: true,
            age: Some((7 * 86_400, NOW)),
        }),
        list: Some(ListDemand { any_of: any_of.clone(), coverage: Some(0.9) }),
        summary: Some(SummaryDemand {
            any_of,
            verifiers: vec!["https://verifier.example".to_owned()],
            levels: vec!["SLSA_BUILD_LEVEL_3".to_owned()],
        }),
        root_age: Some((3, 180)),
    }
}

fn refusal() -> Standing {
    Standing::Refused(Refusal::new(RefusalKind::Log, "no proof"))
}

fn pieces(seen: &mut Observed) -> &mut Vec<Piece> {
    &mut seen.evidence.as_mut().unwrap().pieces
}

/// Puts another provenance in place of the good one.
fn other_provenance(seen: &mut Observed, change: fn(&mut Provenance)) {
    let mut other = provenance();
    change(&mut other);
    pieces(seen)[1].item.content = of_provenance(other);
}

/// The identity of the good provenance's signer.
fn identity(seen: &mut Observed) -> &mut Identity {
    let Standing::Proven(proof) = &mut pieces(seen)[1].item.standing else { panic!("it is proven") };
    let Signer::Keyless(identity) = &mut proof.signer else { panic!("it is by an identity") };
    identity
}

/// Check, outcome, and what leads to it.
pub(super) static TROUBLES: &[(&str, Outcome, Spoil)] = &[
    ("evidence.discovery", Outcome::Error, |_, seen| {
        let unseen = Unseen { place: place(), detail: "500".to_owned() };
        seen.evidence.as_mut().unwrap().unseen.push(unseen);
    }),
    ("sig.present", Outcome::Error, |_, seen| seen.evidence = None),
    ("sig.present", Outcome::Missing, |_, seen| drop(pieces(seen).remove(0))),
    // It could be behind what was not seen.
    ("sig.present", Outcome::Error, |_, seen| {
        pieces(seen).remove(0);
        let unseen = Unseen { place: place(), detail: "500".to_owned() };
        seen.evidence.as_mut().unwrap().unseen.push(unseen);
    }),
    ("sig.valid", Outcome::Fail, |_, seen| pieces(seen)[0].item.standing = refusal()),
    ("sig.valid", Outcome::Error, |_, seen| {
        pieces(seen)[0].item.standing = Standing::Unverified("no root was chosen".to_owned());
    }),
    ("sig.identity", Outcome::Fail, |_, seen| pieces(seen)[0].signers = vec!["other".to_owned()]),
    ("sig.identity", Outcome::Fail, |_, seen| pieces(seen)[0].signers.clear()),
    ("sig.name", Outcome::Fail, |_, seen| pieces(seen)[0].is_named = Some(false)),
    ("sig.name", Outcome::Fail, |_, seen| pieces(seen)[0].is_named = None),
    ("prov.valid", Outcome::Missing, |_, seen| drop(pieces(seen).remove(1))),
    ("prov.valid", Outcome::Missing, |_, seen| pieces(seen)[1].item.standing = Standing::Unsigned),
    ("prov.valid", Outcome::Fail, |_, seen| pieces(seen)[1].item.standing = refusal()),
    ("prov.valid", Outcome::Fail, |_, seen| pieces(seen)[1].signers.clear()),
    // Of one image of two.
    ("prov.valid", Outcome::Missing, |_, seen| pieces(seen)[1].subject = digest('b')),
    ("prov.builder", Outcome::Fail, |_, seen| {
        other_provenance(seen, |other| other.builder = Some("https://builder.example/y@v1".to_owned()));
    }),
    ("prov.builder", Outcome::Fail, |_, seen| other_provenance(seen, |other| other.build_type = None)),
    ("prov.source", Outcome::Fail, |_, seen| {
        identity(seen).claims[0].1 = "https://h.example/other/app".to_owned();
    }),
    ("prov.source", Outcome::Fail, |_, seen| identity(seen).claims[2].1 = "43".to_owned()),
    ("prov.source", Outcome::Fail, |_, seen| drop(identity(seen).claims.pop())),
    ("prov.ref", Outcome::Fail, |_, seen| identity(seen).claims[1].1 = "refs/tags/v1.1".to_owned()),
    ("prov.ref", Outcome::Fail, |_, seen| identity(seen).claims[1].1 = "refs/heads/v1.0".to_owned()),
    ("prov.ref", Outcome::Fail, |_, seen| drop(identity(seen).claims.remove(1))),
    ("prov.cert-agrees", Outcome::Fail, |_, seen| {
        other_provenance(seen, |other| other.agreement[0].agrees = false);
    }),
    ("prov.fresh", Outcome::Fail, |_, seen| {
        let Standing::Proven(proof) = &mut pieces(seen)[1].item.standing else { panic!("it is proven") };
        proof.times[0].at = NOW - 8 * 86_400;
    }),
    ("prov.fresh", Outcome::Error, |_, seen| {
        let Standing::Proven(proof) = &mut pieces(seen)[1].item.standing else { panic!("it is proven") };
        proof.times.clear();
    }),
    ("sbom.valid", Outcome::Fail, |_, seen| seen.lists.clear()),
    ("sbom.valid", Outcome::Missing, |_, seen| {
        seen.lists.clear();
        pieces(seen).pop();
    }),
    ("sbom.valid", Outcome::Error, |_, seen| seen.lists[0].compared = Err("it is no SPDX".to_owned())),
    ("vsa.valid", Outcome::Missing, |_, seen| drop(pieces(seen).remove(2))),
    ("vsa.valid", Outcome::Fail, |_, seen| pieces(seen)[2].item.content = summary(false)),
    ("vsa.valid", Outcome::Fail, |_, seen| pieces(seen)[2].item.standing = refusal()),
];

#[test]
fn a_list_that_lacks_what_is_aboard_warns_and_roots_that_are_old_refuse() {
    let mut seen = observed();
    seen.lists[0].compared.as_mut().unwrap().unlisted.push("pkg:apk/y@1".to_owned());
    let entry = Entry::judge(candidate(), seen, &demands());
    let check = entry.checks.iter().find(|check| check.id == "sbom.coverage").unwrap();
    assert_eq!((check.outcome, entry.verdict()), (Outcome::Fail, Verdict::Cleared), "{check:?}");
    let mut demands = demands();
    demands.evidence.root_age = Some((181, 180));
    assert_eq!(Entry::judge(candidate(), observed(), &demands).verdict(), Verdict::Refused);
}

#[test]
fn evidence_of_every_image_stands_for_that_of_the_index() {
    let mut seen = observed();
    let mut both = Vec::new();
    for mut piece in std::mem::take(pieces(&mut seen)) {
        for subject in ['b', 'c'] {
            piece.subject = digest(subject);
            both.push(piece.clone());
        }
    }
    *pieces(&mut seen) = both;
    seen.lists =
        ['b', 'c'].map(|subject| ListSeen { subject: digest(subject), ..lists().remove(0) }).to_vec();
    let entry = Entry::judge(candidate(), seen.clone(), &demands());
    assert_eq!(entry.verdict(), Verdict::Cleared, "{:#?}", entry.checks);
    for at in 0..pieces(&mut seen).len() {
        let mut less = seen.clone();
        let kind = pieces(&mut less).remove(at);
        if !matches!(kind.statement().map(|one| &one.predicate), Some(Predicate::Sbom(_))) {
            assert!(Entry::judge(candidate(), less, &demands()).verdict() > Verdict::Cleared, "{kind:?}");
        }
    }
}

#[test]
fn less_evidence_is_never_better() {
    let mut disagreeing = provenance();
    disagreeing.agreement[0].agrees = false;
    let mut all = evidence().pieces;
    all.extend([
        piece('a', refusal(), signature()),
        piece('a', refusal(), Content::Unread),
        piece('a', proven(), of_provenance(disagreeing)),
        piece('a', Standing::Unsigned, of_provenance(provenance())),
        piece('b', proven(), of_provenance(provenance())),
        piece('a', proven(), summary(false)),
    ]);
    let verdict = |subset: u32| {
        let mut seen = observed();
        let is_in = |at: usize| subset & (1 << at) != 0;
        *pieces(&mut seen) =
            all.iter().enumerate().filter(|(at, _)| is_in(*at)).map(|(_, piece)| piece.clone()).collect();
        if !is_in(3) {
            seen.lists.clear();
        }
        Entry::judge(candidate(), seen, &demands()).verdict()
    };
    let subsets = 1_u32 << all.len();
    let verdicts: Vec<Verdict> = (0..subsets).map(verdict).collect();
    assert_eq!(verdicts[(subsets - 1) as usize], Verdict::Cleared);
    for subset in 0..subsets {
        for at in (0..all.len()).filter(|at| subset & (1 << at) != 0) {
            let less = subset & !(1 << at);
            assert!(verdicts[less as usize] >= verdicts[subset as usize], "{subset:b} without {at}");
        }
    }
}

#[test]
fn what_no_policy_asks_is_listed_as_not_checked() {
    let entry = Entry::judge(candidate(), observed(), &Demands::default());
    let of = |entry: Entry| Clearance {
        inputs: Inputs::default(),
        changes: Vec::new(),
        checks: Vec::new(),
        entries: vec![entry],
    };
    let unchecked = of(entry).unchecked().join("\n");
    assert!(
        unchecked.contains("who signed")
            && unchecked.contains("from what the images were built, and by whom, of 1 of 1"),
        "{unchecked}"
    );
    let unchecked = of(Entry::judge(candidate(), observed(), &demands())).unchecked().join("\n");
    assert!(!unchecked.contains("who signed") && !unchecked.contains("from what"), "{unchecked}");
}
