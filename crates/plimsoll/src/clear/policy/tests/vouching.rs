//! Trust, signers and evidence in policies: what is refused when it is read, which signer a proof is by, and when a demand
//! holds.

use plimsoll_core::evidence::{Checked, Claim, Identity, Proof, Signer};

use super::*;

const BUILDER: &str = "signers: {builder: {issuer: https://issuer.example, san: https://h.example/x}}";

#[test]
fn what_could_not_be_meant_is_refused_when_it_is_read() {
    let with = |lines: &str| format!("{BUILDER}\n{lines}");
    for (lines, expected) in [
        ("trust: {mode: bundled}".to_owned(), "of no use without `signers`"),
        (with("trust: {mode: tuff}"), "tuff"),
        (with("trust: {mode: pinned}"), "needs `root`"),
        (with("trust: {mode: pinned, root: none.json}"), "there is no file"),
        (with("trust: {mode: pinned, root: w.yaml}"), "no trusted root"),
        (
            with(&format!("trust: {{mode: pinned, root: w.yaml, digest: 'sha256:{}'}}", "0".repeat(64))),
            "is pinned",
        ),
        (with("trust: {mode: bundled, root: w.yaml}"), "come with this build"),
        (with("trust: {mode: tuf}"), "needs `root`"),
        (with("trust: {mode: tuf, root: w.yaml}"), "needs `repository`"),
        (with("trust: {mode: tuf, root: w.yaml, repository: tuf, asOf: 2026-02-01}"), "the pinned root"),
        (with("trust: {mode: bundled, repository: tuf}"), "is of mode `tuf`"),
        (with("trust: {mode: bundled, maxAge: 180d}"), "needs `asOf`"),
        (with("trust: {mode: bundled, asOf: 2027-01-01, maxAge: 180d}"), "a day to come"),
        ("signers: {x: {}}".to_owned(), "write either `issuer`"),
        ("signers: {x: {san: a}}".to_owned(), "there is no `issuer`"),
        ("signers: {x: {issuer: a}}".to_owned(), "either `san` or `sanPattern`"),
        ("signers: {x: {issuer: a, san: b, sanPattern: c}}".to_owned(), "either `san` or `sanPattern`"),
        ("signers: {x: {issuer: a, sanPattern: '('}}".to_owned(), "`sanPattern`"),
        ("signers: {x: {issuer: a, san: b, claims: {runner: c}}}".to_owned(), "there is no claim `runner`"),
        ("signers: {x: {issuer: a, san: b, key: c}}".to_owned(), "write either `issuer`"),
        ("signers: {x: {issuer: a, san: b, log: false}}".to_owned(), "write either `issuer`"),
        ("signers: {x: {key: none.pub}}".to_owned(), "there is no file"),
        ("signers: {x: {key: w.yaml}}".to_owned(), "not a public key"),
        ("signers: {x: {kind: github}}".to_owned(), "github"),
        ("signers: {x: {kind: google-cloud-build, key: c}}".to_owned(), "write either `issuer`"),
        ("evidence: {signature: {anyOf: [builder]}}".to_owned(), "name it in `signers`"),
        (
            with("evidence: {signature: {anyOf: [bilder]}}"),
            "there is no signer `bilder`; there are `builder`",
        ),
        (with("evidence: {signature: {anyOf: []}}"), "nobody's word would count"),
        (with("evidence: {signature: {}}"), "anyOf"),
        (with("evidence: {provenance: {anyOf: [builder], sourceRepo: x}}"), "sourceRepo"),
        (with("evidence: {sbom: {anyOf: [builder], coverage: 95}}"), "between 0 and 1"),
        (with("vulnerabilities: {vexFrom: [vendor]}"), "there is no signer `vendor`"),
    ] {
        let error = read(&lines, "[]").map(|policy| policy.name).expect_err(&lines);
        assert!(format!("{error:#}").contains(expected), "{lines}: {error:#}");
    }
}

#[test]
fn a_demand_holds_from_its_day_and_what_checks_say_goes_first() {
    for (evidence, rule, expected) in [
        ("signature: {anyOf: [builder]}", "sig.valid", None),
        ("signature: {anyOf: [builder], mode: warn}", "sig.valid", Some(Mode::Warn)),
        ("signature: {anyOf: [builder], from: 2026-11-21}", "sig.identity", Some(Mode::Warn)),
        ("signature: {anyOf: [builder], from: 2026-11-20}", "sig.identity", Some(Mode::Require)),
        ("provenance: {anyOf: [builder], mode: require, from: 2027-01-01}", "prov.ref", Some(Mode::Warn)),
        ("sbom: {anyOf: [builder]}", "sbom.valid", Some(Mode::Warn)),
        ("sbom: {anyOf: [builder], mode: require}", "sbom.coverage", Some(Mode::Require)),
        ("vsa: {anyOf: [builder], mode: warn}", "vsa.valid", Some(Mode::Warn)),
        ("signature: {anyOf: [builder]}\nchecks: {sig.name: {mode: off}}", "sig.name", Some(Mode::Off)),
        (
            "signature: {anyOf: [builder], mode: require}\nchecks: {sig.name: {mode: warn}}",
            "sig.name",
            Some(Mode::Warn),
        ),
    ] {
        let (evidence, rest) = evidence.split_once('\n').unwrap_or((evidence, ""));
        let policy = read(&format!("{BUILDER}\nevidence: {{{evidence}}}\n{rest}"), "[]").unwrap();
        let mode = policy.demands().modes.iter().find(|(id, _)| id == rule).map(|(_, mode)| *mode);
        assert_eq!(mode, expected, "{evidence} {rest}");
    }
    let off = read(&format!("{BUILDER}\nevidence: {{signature: {{anyOf: [builder], mode: off}}}}"), "[]");
    assert!(off.unwrap().demands().evidence.signature.is_none());
}

#[test]
fn a_signer_is_an_issuer_a_subject_and_every_claim_that_is_named() {
    let identity = |issuer: &str, san: &str, number: &str| {
        let claims = vec![(Claim::SourceRepositoryIdentifier, number.to_owned())];
        let identity = Identity { san: san.to_owned(), issuer: issuer.to_owned(), claims };
        let signer = Signer::Keyless(Box::new(identity));
        Proof { signer, times: Vec::new(), checked: Checked::default() }
    };
    let lines = "signers:
  exact: {issuer: https://i.example, san: a.b}
  like: {issuer: https://i.example, sanPattern: 'https://h[.]example/team/.*@refs/tags/v.*'}
  numbered: {issuer: https://i.example, sanPattern: '.*', claims: {source_repository_identifier: '42'}}";
    let vouching = read(lines, "[]").unwrap().vouching.unwrap();
    for (issuer, san, number, expected) in [
        ("https://i.example", "a.b", "1", &["exact"][..]),
        ("https://i.example", "aXb", "1", &[]),
        ("https://i.example", "a.b", "42", &["exact", "numbered"]),
        ("https://other.example", "a.b", "42", &[]),
        ("https://i.example", "https://h.example/team/app@refs/tags/v1", "1", &["like"]),
        // The pattern is of the whole subject.
        ("https://i.example", "x https://h.example/team/app@refs/tags/v1", "1", &[]),
        ("https://i.example", "https://h.example/team/app@refs/tags/v1\nx", "1", &[]),
    ] {
        assert_eq!(vouching.signers_of(&identity(issuer, san, number)), expected, "{issuer} {san} {number}");
    }
}
