//! Clearing by evidence: signatures, provenance, lists of packages and VEX of a PKI of our own, at a registry and in files.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use plimsoll_testkit::pki::statements::{self, statement};
use plimsoll_testkit::pki::{BUNDLE, Bundle, Identity, Makers, Object, Pki, Signed, Workflow, cosign_object};
use serde_json::{Value, json};
use support::images::{INDEX, Layout, MANIFEST, fleet};
use support::scripted::{Deed, Scripted};
use support::{Ran, World};

mod support;

/// When everything is signed, in seconds since 1970; long ago, since verifiers do not believe what lies ahead of them.
const AT: i64 = 1_770_000_000;

const POLICY: &str = "apiVersion: plimsoll/policy/1
name: fleet
trust: {mode: pinned, root: trusted_root.json}
signers:
  release:
    issuer: https://token.actions.githubusercontent.com
    sanPattern: 'https://github[.]com/example/fleet/[.]github/workflows/release[.]yml@refs/tags/v.*'
    claims: {source_repository_identifier: '4711', runner_environment: github-hosted}
  ops: {key: ops.pub, log: false}
";
const SIGNATURE: &str = "evidence: {signature: {anyOf: [release, ops], named: true}}";
const PROVENANCE: &str = "evidence: {provenance: {anyOf: [release], \
    sourceRepository: 'https://github.com/example/fleet', tagMatchesRef: true}}";

/// A registry with the fleet, a PKI that the world's policy trusts, and a list that asks for the fleet.
struct Yard {
    world: World,
    registry: Scripted,
    pki: Pki,
    /// Of the index.
    digest: String,
    /// Of its two images.
    images: Vec<String>,
    layout: Layout,
}

/// Where a piece of evidence lies.
#[derive(Clone, Copy, Debug)]
enum Spot {
    Signature,
    Attestation,
    Referrer,
}

impl Yard {
    fn new(world: World) -> Yard {
        let (layout, index) = fleet();
        let (registry, pki) = (Scripted::start(), Pki::new(1));
        registry.push("from/fleet", &layout, &index, "1.0");
        let digest = index["digest"].as_str().unwrap().to_owned();
        let host = &registry.host;
        world.write("ships", format!("from {host}/from\nto {host}/to\nfleet {digest} 1.0\n"));
        world.write("trusted_root.json", pki.trusted_root());
        world.write("ops.pub", pki.key("ops").public_pem());
        let document: Value = serde_json::from_slice(&layout.blobs[&digest]).unwrap();
        let manifests = document["manifests"].as_array().unwrap().iter();
        let images = manifests.filter(|one| one["platform"]["os"] == "linux");
        let images = images.map(|one| one["digest"].as_str().unwrap().to_owned()).collect();
        Yard { world, registry, pki, digest, images, layout }
    }

    fn policy(&self, lines: &str) {
        self.world.write("policy.yaml", format!("{POLICY}{lines}\n"));
    }

    /// The image's name, as its source has it.
    fn name(&self) -> String {
        format!("{}/from/fleet", self.registry.host)
    }

    /// Lays a piece beside a manifest.
    fn attach(&self, subject: &str, spot: Spot, bundles: &[&Bundle]) {
        let tag = subject.replace(':', "-");
        match spot {
            Spot::Signature | Spot::Attestation => {
                let layers: Vec<_> = bundles.iter().map(|bundle| bundle.cosign_layer()).collect();
                let suffix = if matches!(spot, Spot::Signature) { "sig" } else { "att" };
                let object = cosign_object(&layers);
                self.object(&object);
                self.registry.manifest(&format!("from/fleet/{tag}.{suffix}"), MANIFEST, &object.manifest);
            }
            Spot::Referrer => {
                let media_type = if subject == self.digest { INDEX } else { MANIFEST };
                let size = self.layout.blobs.get(subject).map_or(2, Vec::len);
                let descriptor = json!({"mediaType": media_type, "digest": subject, "size": size});
                let objects: Vec<Object> =
                    bundles.iter().map(|bundle| bundle.referrer(&descriptor)).collect();
                self.refer(&tag, &objects);
            }
        }
    }

    /// Writes the index of referrers under a tag.
    fn refer(&self, tag: &str, objects: &[Object]) {
        let manifests: Vec<Value> = objects
            .iter()
            .map(|object| {
                self.object(object);
                let size = object.manifest.len();
                json!({"mediaType": MANIFEST, "artifactType": BUNDLE, "digest": object.digest(), "size": size})
            })
            .collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        self.registry.manifest(&format!("from/fleet/{tag}"), INDEX, index.to_string().as_bytes());
    }

    fn object(&self, object: &Object) {
        self.registry.manifest(&format!("from/fleet/{}", object.digest()), MANIFEST, &object.manifest);
        for (digest, bytes) in &object.blobs {
            self.registry.blob(digest, bytes);
        }
    }

    fn clear(&self, arguments: &[&str]) -> Ran {
        let common = ["clear", "--quiet", "--list", "ships", "--policy", "policy.yaml"];
        self.world.plimsoll(&[&common, arguments].concat())
    }

    /// The exit code, and each check that is not well and would refuse.
    fn bad(&self, arguments: &[&str]) -> (i32, Vec<String>) {
        let ran = self.clear(&[&["--format", "json"], arguments].concat());
        let report = ran.json();
        let checks = report["entries"][0]["checks"].as_array().unwrap();
        let bad = checks.iter().filter(|check| {
            check["weight"] == "refuse"
                && ["FAIL", "MISSING", "ERROR"].contains(&check["outcome"].as_str().unwrap())
        });
        let name = |check: &Value| {
            format!("{} {}", check["outcome"].as_str().unwrap(), check["id"].as_str().unwrap())
        };
        (ran.code, bad.map(name).collect())
    }

    /// The detail of a check.
    fn detail(&self, id: &str) -> String {
        let report = self.clear(&["--format", "json"]).json();
        let checks = report["entries"][0]["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["id"] == id).unwrap();
        check["detail"].as_str().unwrap().to_owned()
    }
}

fn release() -> Workflow {
    Workflow::release("example/fleet", "refs/tags/v1.0")
}

fn person() -> Identity {
    Identity::person("ada@example.test", "https://accounts.example.test")
}

/// A signature as cosign made them before bundles, and one as it makes them now.
fn signature(yard: &Yard, identity: &Identity) -> Bundle {
    yard.pki.sign_image(identity, &yard.name(), &yard.digest, AT)
}

fn signed_statement(yard: &Yard, digest: &str) -> Bundle {
    let text = statement(&yard.name(), digest, statements::SIGNED, &json!({}));
    yard.pki.sign_statement(&release().identity(), &text, AT)
}

fn provenance(yard: &Yard, workflow: &Workflow, identity: &Identity, digest: &str) -> Bundle {
    let predicate = statements::provenance_v1(workflow);
    let text = statement(&yard.name(), digest, statements::PROVENANCE_V1, &predicate);
    yard.pki.sign_statement(identity, &text, AT)
}

/// What lies beside the fleet, which checks it leaves, and the exit code.
type Case = (&'static str, fn(&Yard), i32, &'static [&'static str]);

static SIGNATURES: &[Case] = &[
    ("none", |_| {}, 1, &["MISSING sig.present"]),
    (
        "by cosign's tag",
        |yard| {
            yard.attach(&yard.digest, Spot::Signature, &[&signature(yard, &release().identity())]);
        },
        0,
        &[],
    ),
    (
        "by a referrer",
        |yard| {
            yard.attach(&yard.digest, Spot::Referrer, &[&signed_statement(yard, &yard.digest)]);
        },
        0,
        &[],
    ),
    (
        "of each image",
        |yard| {
            for image in &yard.images {
                yard.attach(image, Spot::Referrer, &[&signed_statement(yard, image)]);
            }
        },
        0,
        &[],
    ),
    (
        "of one image alone",
        |yard| {
            let image = &yard.images[0];
            yard.attach(image, Spot::Referrer, &[&signed_statement(yard, image)]);
        },
        1,
        &["MISSING sig.present"],
    ),
    (
        "beside one that is spoilt",
        |yard| {
            let good = signature(yard, &release().identity());
            let mut spoilt = good.clone();
            spoilt.entries.clear();
            yard.attach(&yard.digest, Spot::Signature, &[&spoilt, &good]);
        },
        0,
        &[],
    ),
    (
        "by a key",
        |yard| {
            let makers = Makers { log: None, time: None, ..yard.pki.makers() };
            let text = statement(&yard.name(), &yard.digest, statements::SIGNED, &json!({}));
            let bundle = makers.sign_with_key(&yard.pki.key("ops"), &Signed::Statement(&text), AT);
            yard.attach(&yard.digest, Spot::Referrer, &[&bundle]);
        },
        0,
        &[],
    ),
    (
        "by another key",
        |yard| {
            let makers = Makers { log: None, time: None, ..yard.pki.makers() };
            let text = statement(&yard.name(), &yard.digest, statements::SIGNED, &json!({}));
            let bundle = makers.sign_with_key(&yard.pki.key("other"), &Signed::Statement(&text), AT);
            yard.attach(&yard.digest, Spot::Referrer, &[&bundle]);
        },
        1,
        &["FAIL sig.valid"],
    ),
    (
        "of another PKI",
        |yard| {
            let stranger = Pki::new(2);
            let bundle = stranger.sign_image(&release().identity(), &yard.name(), &yard.digest, AT);
            yard.attach(&yard.digest, Spot::Signature, &[&bundle]);
        },
        1,
        &["FAIL sig.valid"],
    ),
    (
        "that no log has",
        |yard| {
            let mut bundle = signature(yard, &release().identity());
            bundle.entries.clear();
            yard.attach(&yard.digest, Spot::Signature, &[&bundle]);
        },
        1,
        &["FAIL sig.valid"],
    ),
    (
        "of another digest",
        |yard| {
            let other = format!("sha256:{}", "0".repeat(64));
            let bundle = yard.pki.sign_image(&release().identity(), &yard.name(), &other, AT);
            yard.attach(&yard.digest, Spot::Signature, &[&bundle]);
        },
        1,
        &["FAIL sig.valid"],
    ),
    (
        "by a person",
        |yard| {
            yard.attach(&yard.digest, Spot::Signature, &[&signature(yard, &person())]);
        },
        1,
        &["FAIL sig.identity"],
    ),
    (
        "by the workflow on a machine of somebody's own",
        |yard| {
            let identity = release().identity().with_claim(11, "self-hosted");
            yard.attach(&yard.digest, Spot::Signature, &[&signature(yard, &identity)]);
        },
        1,
        &["FAIL sig.identity"],
    ),
    (
        "by a repository that has its name now",
        |yard| {
            let identity = release().identity().with_claim(15, "4712");
            yard.attach(&yard.digest, Spot::Signature, &[&signature(yard, &identity)]);
        },
        1,
        &["FAIL sig.identity"],
    ),
    (
        "under another name",
        |yard| {
            let bundle =
                yard.pki.sign_image(&release().identity(), "elsewhere.example/fleet", &yard.digest, AT);
            yard.attach(&yard.digest, Spot::Signature, &[&bundle]);
        },
        1,
        &["FAIL sig.name"],
    ),
    // A list of referrers that names a good signature of another image.
    (
        "poisoned",
        |yard| {
            let other = format!("sha256:{}", "0".repeat(64));
            let bundle = signed_statement(yard, &other);
            let object = bundle.referrer(&json!({"mediaType": MANIFEST, "digest": other, "size": 2}));
            yard.refer(&yard.digest.replace(':', "-"), &[object]);
        },
        1,
        &["MISSING sig.present"],
    ),
    // What a list names and is not there could be anything.
    (
        "named and not there",
        |yard| {
            let bundle = signed_statement(yard, &yard.digest);
            yard.attach(&yard.digest, Spot::Referrer, &[&bundle]);
            yard.registry.script("from/fleet/manifests/sha256-", Deed::Say(403, "", ""));
        },
        2,
        &["ERROR evidence.discovery", "ERROR sig.present"],
    ),
];

static PROVENANCES: &[Case] = &[
    ("none", |_| {}, 1, &["MISSING prov.valid"]),
    (
        "by a referrer",
        |yard| {
            let bundle = provenance(yard, &release(), &release().identity(), &yard.digest);
            yard.attach(&yard.digest, Spot::Referrer, &[&bundle]);
        },
        0,
        &[],
    ),
    (
        "by cosign's tag, version 0.2",
        |yard| {
            let predicate = statements::provenance_v0_2(&release());
            let text = statement(&yard.name(), &yard.digest, statements::PROVENANCE_V0_2, &predicate);
            let bundle = yard.pki.sign_statement(&release().identity(), &text, AT);
            yard.attach(&yard.digest, Spot::Attestation, &[&bundle]);
        },
        0,
        &[],
    ),
    (
        "a good one beside one from another tag",
        |yard| {
            let good = provenance(yard, &release(), &release().identity(), &yard.digest);
            let other = Workflow::release("example/fleet", "refs/tags/v2.0");
            let other = provenance(yard, &other, &other.identity(), &yard.digest);
            yard.attach(&yard.digest, Spot::Referrer, &[&other, &good]);
        },
        0,
        &[],
    ),
    (
        "from another tag",
        |yard| {
            let other = Workflow::release("example/fleet", "refs/tags/v2.0");
            let bundle = provenance(yard, &other, &other.identity(), &yard.digest);
            yard.attach(&yard.digest, Spot::Referrer, &[&bundle]);
        },
        1,
        &["FAIL prov.ref"],
    ),
    (
        "from another repository",
        |yard| {
            let other = Workflow::release("example/other", "refs/tags/v1.0");
            let bundle = provenance(yard, &other, &other.identity(), &yard.digest);
            yard.attach(&yard.digest, Spot::Referrer, &[&bundle]);
        },
        1,
        &["FAIL prov.valid"],
    ),
    // The builder signs that it built what it did not.
    (
        "that says other than its certificate",
        |yard| {
            let mut said = release();
            said.commit = "0".repeat(40);
            let bundle = provenance(yard, &said, &release().identity(), &yard.digest);
            yard.attach(&yard.digest, Spot::Referrer, &[&bundle]);
        },
        1,
        &["FAIL prov.cert-agrees"],
    ),
    (
        "of another digest",
        |yard| {
            let other = format!("sha256:{}", "0".repeat(64));
            let bundle = provenance(yard, &release(), &release().identity(), &other);
            yard.attach(&yard.digest, Spot::Referrer, &[&bundle]);
        },
        1,
        &["FAIL prov.valid"],
    ),
    (
        "a signature alone",
        |yard| {
            yard.attach(&yard.digest, Spot::Signature, &[&signature(yard, &release().identity())]);
        },
        1,
        &["MISSING prov.valid"],
    ),
];

#[test]
fn evidence_is_verified_by_the_signers_that_the_policy_names() {
    for (lines, cases) in [(SIGNATURE, SIGNATURES), (PROVENANCE, PROVENANCES)] {
        for (name, lay, code, expected) in cases {
            let yard = Yard::new(World::new());
            yard.policy(lines);
            lay(&yard);
            let expected: Vec<String> = expected.iter().map(|&text| text.to_owned()).collect();
            let said = yard.bad(&["--level", "exists"]);
            assert_eq!(said, (*code, expected), "{name}: {}", yard.detail("prov.valid"));
        }
    }
}

#[test]
fn nobody_is_trusted_that_the_policy_does_not_name() {
    let yard = Yard::new(World::new());
    yard.attach(&yard.digest, Spot::Signature, &[&signature(&yard, &release().identity())]);
    let with = |trust: &str| {
        let policy = POLICY.replace("trust: {mode: pinned, root: trusted_root.json}\n", trust);
        yard.world.write("policy.yaml", format!("{policy}{SIGNATURE}\n"));
        yard.bad(&["--level", "exists"])
    };
    assert_eq!(with("trust: {mode: pinned, root: trusted_root.json}\n"), (0, vec![]));
    // Without roots nothing can be told; with those of the public instance it is refused.
    assert_eq!(with(""), (2, vec!["ERROR sig.valid".to_owned()]));
    assert_eq!(with("trust: {mode: bundled}\n"), (1, vec!["FAIL sig.valid".to_owned()]));
    // The same roots out of a TUF repository, as it was on a day; its metadata has run out since.
    for (name, bytes) in yard.pki.tuf_repository("2026-03-01T00:00:00Z") {
        yard.world.write(&format!("tuf/{name}"), bytes);
    }
    let tuf =
        |day: &str| format!("trust: {{mode: tuf, root: tuf/1.root.json, repository: tuf, asOf: {day}}}\n");
    assert_eq!(with(&tuf("2026-02-02")), (0, vec![]));
    let expired = POLICY.replace("trust: {mode: pinned, root: trusted_root.json}\n", &tuf("2026-04-01"));
    yard.world.write("policy.yaml", format!("{expired}{SIGNATURE}\n"));
    let ran = yard.clear(&["--level", "exists"]).expect(3);
    assert!(ran.stderr.contains("expired"), "{ran}");
    let old = "trust: {mode: pinned, root: trusted_root.json, asOf: 2026-01-01, maxAge: 30d}\n";
    assert_eq!(with(old), (1, vec!["FAIL trust.age".to_owned()]));
}

#[test]
fn the_report_says_who_signed_and_from_what_it_was_built() {
    // What is signed names no host, whose port is another each time.
    const NAME: &str = "registry.example/fleet";
    let yard = Yard::new(World::new());
    yard.policy(
        "evidence:\n  signature: {anyOf: [release]}\n  provenance: {anyOf: [release], tagMatchesRef: true}",
    );
    yard.attach(
        &yard.digest,
        Spot::Signature,
        &[&yard.pki.sign_image(&release().identity(), NAME, &yard.digest, AT)],
    );
    let predicate = statements::provenance_v1(&release());
    let text = statement(NAME, &yard.digest, statements::PROVENANCE_V1, &predicate);
    let good = yard.pki.sign_statement(&release().identity(), &text, AT);
    let stranger = Pki::new(2).sign_statement(&release().identity(), &text, AT);
    yard.attach(&yard.digest, Spot::Referrer, &[&good, &stranger]);
    let mut settings = yard.world.settings();
    settings.add_filter(r"localhost:\d+", "[HOST]");
    settings.add_filter(r"`(ships|policy.yaml)` sha256:[0-9a-f]{64}", "`$1` [DIGEST]");
    settings
        .add_filter(r#"("path": "(?:ships|policy.yaml)",\s+"digest": ")sha256:[0-9a-f]{64}"#, "$1[DIGEST]");
    for format in ["markdown", "json"] {
        let ran = yard.clear(&["--format", format, "--level", "exists"]).expect(0);
        settings.bind(|| insta::assert_snapshot!(format!("vouched-{format}"), ran.stdout));
        let again = yard.clear(&["--format", format, "--level", "exists"]).expect(0);
        assert_eq!(ran.stdout, again.stdout, "the same inputs give the same bytes");
    }
}

#[test]
fn evidence_in_files_counts_as_that_of_a_registry_and_what_is_about_nothing_is_told() {
    let yard = Yard::new(World::new());
    yard.policy(PROVENANCE);
    let bundle = provenance(&yard, &release(), &release().identity(), &yard.digest);
    yard.world.write("evidence/fleet.sigstore.json", bundle.json());
    assert_eq!(yard.bad(&["--level", "exists", "--evidence", "evidence"]), (0, vec![]));
    let other = provenance(&yard, &release(), &release().identity(), &format!("sha256:{}", "0".repeat(64)));
    yard.world.write("evidence/all.jsonl", format!("{}\n{}\n", other.json(), json!({"x": 1})));
    let ran = yard.clear(&["--level", "exists", "--evidence", "evidence", "--format", "json"]).expect(0);
    let report = ran.json();
    let check =
        report["checks"].as_array().unwrap().iter().find(|one| one["id"] == "evidence.files").unwrap();
    let detail = check["detail"].as_str().unwrap();
    assert!(
        detail.contains("line 1` is about nothing") && detail.contains("line 2`: it is no bundle"),
        "{detail}"
    );
    yard.clear(&["--evidence", "nowhere"]).expect(2);
}

#[test]
fn an_attested_list_is_held_against_what_is_aboard() {
    let yard = Yard::new(World::new());
    yard.policy("evidence: {sbom: {anyOf: [release], mode: require, coverage: 1.0}}");
    let attach = |document: &Value| {
        let text = statement(&yard.name(), &yard.digest, "https://cyclonedx.org/bom", document);
        let bundle = yard.pki.sign_statement(&release().identity(), &text, AT);
        yard.attach(&yard.digest, Spot::Attestation, &[&bundle]);
    };
    assert_eq!(yard.bad(&[]), (1, vec!["MISSING sbom.valid".to_owned()]));
    yard.layout.write(&yard.world, "layout");
    let host = &yard.registry.host;
    let reference = format!("{host}/from/fleet:1.0");
    let scanned =
        yard.world.plimsoll(&["scan", &reference, "--insecure-registry", host, "--format", "cyclonedx"]);
    let mut document = scanned.json();
    attach(&document);
    assert_eq!(yard.bad(&[]), (0, vec![]), "{}", yard.detail("sbom.coverage"));
    let components = document["components"].as_array_mut().unwrap();
    let at = components.iter().position(|one| one["purl"].as_str().is_some()).unwrap();
    let taken = components.remove(at);
    components.push(json!({"type": "library", "name": "ghost", "purl": "pkg:npm/ghost@1.0.0"}));
    attach(&document);
    assert_eq!(yard.bad(&[]), (1, vec!["FAIL sbom.coverage".to_owned()]));
    let detail = yard.detail("sbom.coverage");
    let purl = taken["purl"].as_str().unwrap().split('?').next().unwrap();
    assert!(detail.contains(purl) && detail.contains("pkg:npm/ghost@1.0.0"), "{detail}");
    // Where the layers are not read there is nothing to hold it against.
    assert_eq!(yard.bad(&["--level", "exists"]).0, 2);
}

#[test]
fn vex_counts_from_those_that_the_policy_names_and_of_these_bytes() {
    let yard = Yard::new(World::with_database());
    let with = |from: &str| {
        yard.policy(&format!("vulnerabilities: {{refuse: ['v.fixed'], vexFrom: {from}}}"));
        yard.bad(&[])
    };
    assert_eq!(with("[release]").1, ["FAIL vuln.refuse"]);
    let report = yard.clear(&["--format", "json"]).json();
    let flaws = report["entries"][0]["flaws"].as_array().unwrap().clone();
    let vex = |product: &str, status: &str, time: &str| {
        let mut document = statements::openvex("Example", "CVE-0", product, status);
        let one = document["statements"][0].clone();
        let all = flaws.iter().map(|flaw| {
            let mut one = one.clone();
            one["vulnerability"]["name"] = flaw["id"].clone();
            one
        });
        document["statements"] = all.collect();
        document["timestamp"] = json!(time);
        let text = statement(&yard.name(), &yard.digest, "https://openvex.dev/ns/v0.2.0", &document);
        yard.pki.sign_statement(&release().identity(), &text, AT)
    };
    let of_image = format!("pkg:oci/fleet@{}", yard.digest.replace(':', "%3A"));
    let of_other = format!("pkg:oci/fleet@sha256%3A{}", "0".repeat(64));
    let (early, late) = ("2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z");
    let harmless = vex(&of_image, "not_affected", early);
    yard.attach(&yard.digest, Spot::Attestation, &[&harmless]);
    assert_eq!(with("[release]"), (0, vec![]));
    let detail = yard.detail("vex.applied");
    assert!(detail.contains("`release` says not_affected (vulnerable_code_not_in_execute_path)"), "{detail}");
    assert_eq!(with("[ops]").1, ["FAIL vuln.refuse"], "by somebody whose word does not count");
    yard.attach(&yard.digest, Spot::Attestation, &[&harmless, &vex(&of_image, "affected", late)]);
    assert_eq!(with("[release]").1, ["FAIL vuln.refuse"], "taken back");
    yard.attach(&yard.digest, Spot::Attestation, &[&vex(&of_other, "not_affected", early)]);
    assert_eq!(with("[release]").1, ["FAIL vuln.refuse"], "of another image");
    yard.attach(&yard.digest, Spot::Attestation, &[&vex(&of_image, "under_investigation", early)]);
    assert_eq!(with("[release]").1, ["FAIL vuln.refuse"]);
}
