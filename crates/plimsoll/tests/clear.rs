//! Clearing digests: what is well, and each way in which a registry or a manifest can be wrong.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use serde_json::{Value, json};
use support::images::{INDEX, Layout, MANIFEST, digest, fleet, ship};
use support::scripted::{Deed, Scripted, UNKNOWN};
use support::{Ran, World};

mod support;

/// A registry with the fleet at the source, named `1.0`, and a list that asks for it.
struct Port {
    world: World,
    registry: Scripted,
    layout: Layout,
    /// The index.
    digest: String,
}

impl Port {
    fn new() -> Port {
        let (layout, index) = fleet();
        Port::with(layout, &index)
    }

    fn with(layout: Layout, top: &Value) -> Port {
        let (world, registry) = (World::new(), Scripted::start());
        registry.push("from/fleet", &layout, top, "1.0");
        let port = Port { world, registry, layout, digest: top["digest"].as_str().unwrap().to_owned() };
        port.list(&port.digest, "1.0");
        port
    }

    fn list(&self, digest: &str, tags: &str) {
        let host = &self.registry.host;
        let list = format!("from {host}/from\nto {host}/to\nfleet {digest} {tags}\n");
        self.world.write("ships", list);
    }

    fn clear(&self, arguments: &[&str]) -> Ran {
        self.world.plimsoll(&[&["clear", "--quiet", "--list", "ships"], arguments].concat())
    }

    /// The outcome of each check of the only entry that is not well.
    fn bad(&self, arguments: &[&str]) -> (i32, Vec<String>) {
        let ran = self.clear(&[&["--format", "json"], arguments].concat());
        let report = ran.json();
        let entries = report["entries"].as_array().unwrap();
        let checks = entries.iter().flat_map(|entry| entry["checks"].as_array().unwrap());
        let all = checks.chain(report["checks"].as_array().unwrap());
        // The ships of the tests sail as root, which is told of each.
        let is_bad = |check: &&Value| {
            ["FAIL", "MISSING", "ERROR"].contains(&check["outcome"].as_str().unwrap())
                && check["id"] != "content.user"
        };
        let bad = all.filter(is_bad);
        let name = |check: &Value| {
            format!("{} {}", check["outcome"].as_str().unwrap(), check["id"].as_str().unwrap())
        };
        (ran.code, bad.map(name).collect())
    }

    /// What stands in an index or a manifest, put in place of it under another digest: the new top.
    fn replaced(&mut self, media_type: &str, change: impl FnOnce(&mut Value)) -> String {
        let mut document: Value = serde_json::from_slice(&self.layout.blobs[&self.digest]).unwrap();
        change(&mut document);
        let bytes = document.to_string().into_bytes();
        let digest = digest(&bytes);
        for name in [digest.as_str(), "1.0"] {
            self.registry.manifest(&format!("from/fleet/{name}"), media_type, &bytes);
        }
        self.list(&digest, "1.0");
        digest
    }
}

#[test]
fn what_is_well_is_cleared_in_every_format() {
    let port = Port::new();
    let mut settings = port.world.settings();
    settings.add_filter(r"localhost:\d+", "[HOST]");
    // Of the list, which names the host.
    settings.add_filter(r"`ships` sha256:[0-9a-f]{64}", "`ships` [DIGEST]");
    settings.add_filter(r#"("path": "ships",\s+"digest": ")sha256:[0-9a-f]{64}"#, "$1[DIGEST]");
    for format in ["markdown", "json", "sarif"] {
        let ran = port.clear(&["--format", format, "--require-platform", "linux/arm64"]).expect(0);
        settings.bind(|| insta::assert_snapshot!(format!("cleared-{format}"), ran.stdout));
        let again =
            port.clear(&["--format", format, "--require-platform", "linux/arm64", "--no-cache"]).expect(0);
        assert_eq!(ran.stdout, again.stdout, "the same inputs give the same bytes");
    }
}

#[test]
fn a_layer_that_was_read_is_not_read_again() {
    let port = Port::new();
    port.clear(&[]).expect(0);
    let blobs = |port: &Port| port.registry.asked().iter().filter(|path| path.contains("/blobs/")).count();
    let first = blobs(&port);
    port.clear(&[]).expect(0);
    let second = blobs(&port) - first;
    // Two configs, and of four distinct layers whether they are there.
    assert!(second < first, "{first} then {second}");
}

#[test]
fn each_thing_that_a_registry_accepts_and_is_wrong_is_refused() {
    // Media type of the top, what is changed in it, the checks that say so.
    type Case = (fn(&mut Value), &'static [&'static str]);
    let in_index: &[Case] = &[
        (|index| index["manifests"][1]["size"] = json!(1), &["FAIL index.children"]),
        (
            |index| index["manifests"][1]["platform"]["architecture"] = json!("s390x"),
            &["FAIL config.platform"],
        ),
        (
            |index| index["manifests"][1]["digest"] = json!(format!("sha256:{}", "0".repeat(64))),
            &["MISSING index.children"],
        ),
        (|index| drop(index["manifests"].as_array_mut().unwrap().drain(2..)), &["FAIL index.platforms"]),
    ];
    for (change, expected) in in_index {
        let mut port = Port::new();
        port.replaced(INDEX, change);
        let told = port.bad(&["--require-platform", "linux/arm64"]);
        assert_eq!(told, (1, expected.iter().map(|&text| text.to_owned()).collect()));
    }
    let in_manifest: &[Case] = &[
        (|manifest| manifest["layers"][0]["size"] = json!(7), &["FAIL layer.digest", "FAIL layer.exists"]),
        (|manifest| drop(manifest["layers"].as_array_mut().unwrap().pop()), &["FAIL config.platform"]),
        (
            |manifest| {
                let layers = manifest["layers"].as_array_mut().unwrap();
                layers.swap(0, 1);
            },
            &["FAIL layer.diffid"],
        ),
        (|manifest| manifest["config"]["size"] = json!(7), &["FAIL config.platform"]),
    ];
    for (change, expected) in in_manifest {
        let mut layout = Layout::default();
        let top = layout.image(&ship("amd64"));
        let mut port = Port::with(layout, &top);
        port.replaced(MANIFEST, change);
        let told = port.bad(&[]);
        assert_eq!(told, (1, expected.iter().map(|&text| text.to_owned()).collect()));
    }
}

#[test]
fn only_the_registrys_own_word_makes_a_thing_absent() {
    for (said, code, expected) in [
        (Deed::Say(404, "", UNKNOWN), 1, "MISSING ref.exists"),
        (Deed::Say(404, "", "<html>not found</html>"), 2, "ERROR ref.exists"),
        (Deed::Say(404, "", ""), 2, "ERROR ref.exists"),
        (Deed::Say(401, "", ""), 2, "ERROR ref.exists"),
        (Deed::Say(403, "", ""), 2, "ERROR ref.exists"),
        (Deed::Say(400, "", ""), 2, "ERROR ref.exists"),
        (Deed::Spoil, 1, "FAIL ref.digest"),
    ] {
        let port = Port::new();
        port.registry.script(&format!("from/fleet/manifests/{}", port.digest), said.clone());
        assert_eq!(port.bad(&[]), (code, vec![expected.to_owned()]), "{said:?}");
    }
}

#[test]
fn what_happens_to_a_layer_never_clears() {
    for (said, code, expected) in [
        (Deed::Spoil, 1, &["FAIL layer.digest"][..]),
        (Deed::Say(404, "", UNKNOWN), 1, &["ERROR layer.digest", "MISSING layer.exists"]),
        (Deed::Say(403, "", ""), 2, &["ERROR layer.digest", "ERROR layer.exists"]),
    ] {
        let mut layout = Layout::default();
        let top = layout.image(&ship("amd64"));
        let manifest: Value = serde_json::from_slice(&layout.blobs[top["digest"].as_str().unwrap()]).unwrap();
        let layer = manifest["layers"][1]["digest"].as_str().unwrap().to_owned();
        let port = Port::with(layout, &top);
        port.registry.script(&format!("blobs/{layer}"), said.clone());
        let expected = expected.iter().map(|&text| text.to_owned()).collect();
        assert_eq!(port.bad(&[]), (code, expected), "{said:?}");
    }
}

#[test]
fn tags_are_held_against_the_digest_on_both_sides() {
    let port = Port::new();
    let (mut layout, _) = fleet();
    let other = layout.image(&ship("amd64"));
    port.list(&port.digest, "1.0 1.1");
    assert_eq!(port.bad(&[]), (1, vec!["MISSING tag.source".to_owned()]));
    port.registry.push("from/fleet", &layout, &other, "1.1");
    assert_eq!(port.bad(&[]), (1, vec!["FAIL tag.source".to_owned()]));
    port.list(&port.digest, "1.0");
    port.registry.push("to/fleet", &layout, &other, "1.0");
    assert_eq!(port.bad(&[]), (1, vec!["FAIL tag.destination".to_owned()]));
    port.registry.script("to/fleet", Deed::Say(403, "", ""));
    assert_eq!(port.bad(&[]), (2, vec!["ERROR tag.destination".to_owned()]));
}

#[test]
fn a_list_that_is_wrong_is_never_nothing_to_do() {
    let port = Port::new();
    port.list("sha256:12", "1.0");
    assert_eq!(port.bad(&[]), (1, vec!["FAIL manifest.syntax".to_owned()]));
    port.world.write("ships", "from h.example/a\n");
    port.clear(&[]).expect(3);
    port.world.plimsoll(&["clear"]).expect(3);
    port.world.plimsoll(&["clear", "--list", "none"]).expect(2);
    port.world.plimsoll(&["clear", "a b"]).expect(3);
    port.world.plimsoll(&["clear", "--base", "HEAD", "h.example/x"]).expect(3);
}

#[test]
fn references_are_cleared_by_digest_and_by_tag() {
    let port = Port::new();
    for reference in [
        format!("{}/from/fleet@{}", port.registry.host, port.digest),
        format!("{}/from/fleet:1.0", port.registry.host),
        format!("{}/from/fleet:1.0@{}", port.registry.host, port.digest),
    ] {
        let ran =
            port.world.plimsoll(&["clear", "--quiet", "--format", "json", "--level", "exists", &reference]);
        let report = ran.expect(0).json();
        assert_eq!(report["entries"][0]["seen"], json!(port.digest));
    }
    let other = format!("{}/from/fleet:none", port.registry.host);
    port.world.plimsoll(&["clear", "--quiet", &other]).expect(1);
}

/// Runs git in a world, without anybody's configuration.
fn git(world: &World, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .current_dir(world.path("."))
        .env("HOME", world.path("."))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_a_change_touches_is_judged_and_nothing_else() {
    let port = Port::new();
    let host = port.registry.host.clone();
    let world = &port.world;
    let registries = format!("registries:\n- {{name: '{host}/from', src: true}}\n- {{name: '{host}/to'}}\n");
    let images = |text: &str| world.write("k8s/images/p/images.yaml", text.replace("DIGEST", &port.digest));
    world.write("k8s/manifests/p/promoter-manifest.yaml", &registries);
    let old = format!("- name: old\n  dmap:\n    'sha256:{}': ['0.9']\n", "0".repeat(64));
    images(&old);
    git(world, &["init", "-q"]);
    git(world, &["add", "k8s"]);
    git(world, &["commit", "-qm", "x"]);
    let clear = |base: &str| {
        let ran =
            world.plimsoll(&["clear", "--quiet", "--thin-dir", "k8s", "--base", base, "--format", "json"]);
        (ran.code, ran)
    };
    let kinds = |ran: &Ran| {
        let report = ran.json();
        let changes = report["changes"].as_array().unwrap();
        let kinds: Vec<&str> = changes.iter().map(|change| change["kind"].as_str().unwrap()).collect();
        (kinds.join(" "), report["entries"].as_array().unwrap().len())
    };
    // Nothing changed: what is listed and not there does not matter to this change.
    let (code, ran) = clear("HEAD");
    assert_eq!((code, kinds(&ran)), (0, (String::new(), 0)), "{ran}");
    images(&format!("{old}- name: fleet\n  dmap:\n    DIGEST: ['1.0']\n"));
    let (code, ran) = clear("HEAD");
    assert_eq!((code, kinds(&ran)), (0, ("digest-added".to_owned(), 1)), "{ran}");
    images("- name: fleet\n  dmap:\n    DIGEST: ['1.0']\n");
    let (code, ran) = clear("HEAD");
    assert_eq!((code, kinds(&ran)), (1, ("digest-added digest-removed".to_owned(), 1)), "{ran}");
    images(&format!("{old}- name: fleet\n  dmap:\n    DIGESTx: ['1.0']\n"));
    let (code, ran) = clear("HEAD");
    assert_eq!((code, kinds(&ran)), (1, (String::new(), 0)), "{ran}");
    images(&old);
    world.write("k8s/manifests/p/promoter-manifest.yaml", registries.replace("/to", "/elsewhere"));
    let (code, ran) = clear("HEAD");
    assert_eq!((code, kinds(&ran)), (1, ("registries-touched".to_owned(), 1)), "{ran}");
    let (code, ran) = clear("no-such-commit");
    assert_eq!(code, 2);
    assert!(ran.stderr.contains("there is no commit `no-such-commit`"), "{ran}");
}

/// What the guide's policy refuses: flaws that have a fix and are new.
const POLICY: &str = "apiVersion: plimsoll/policy/1
name: fleet
when: entry.name == 'fleet'
platforms: {require: [linux/amd64]}
tags: {pattern: '^[0-9]+\\\\.[0-9]+(\\\\.[0-9]+)?$'}
vulnerabilities:
  refuse: [v.fixed && v.new]
require: [entry.bytes <= 1000000]
waivers: waivers.yaml
";

/// A port whose world has feeds, a database and a policy.
fn port_with_policy() -> Port {
    let port = Port { world: World::with_database(), ..Port::new() };
    port.list(&port.digest, "1.0");
    port.world.write("policy.yaml", POLICY.replace("\\\\", "\\"));
    port.world.write("waivers.yaml", "[]\n");
    port
}

#[test]
fn a_policy_refuses_flaws_that_are_new_and_not_those_that_are_inherited() {
    let port = port_with_policy();
    let policy = ["--policy", "policy.yaml"];
    let (code, bad) = port.bad(&policy);
    assert_eq!(code, 1, "{bad:?}");
    assert!(bad.contains(&"FAIL vuln.refuse".to_owned()), "{bad:?}");
    // Once the destination has the same under an earlier version, nothing is new.
    let (layout, index) = fleet();
    port.registry.push("to/fleet", &layout, &index, "0.9.0");
    port.registry.tags("to/fleet", &["0.9.0"]);
    port.registry.push("from/fleet", &layout, &index, "1.0.0");
    port.list(&port.digest, "1.0.0");
    let (_, bad) = port.bad(&policy);
    assert!(!bad.contains(&"FAIL vuln.refuse".to_owned()), "{bad:?}");
    // Where the destination cannot be asked what it holds, whether they are new is not known.
    port.registry.script("to/fleet/tags", Deed::Say(403, "", ""));
    let (_, bad) = port.bad(&policy);
    assert!(bad.contains(&"ERROR vuln.refuse".to_owned()), "{bad:?}");
}

#[test]
fn a_policy_that_cannot_be_read_clears_nothing() {
    let port = port_with_policy();
    port.world.write("policy.yaml", POLICY.replace("\\\\", "\\").replace("v.fixed", "v.fixxed"));
    let ran = port.clear(&["--policy", "policy.yaml"]).expect(3);
    assert!(ran.stderr.contains("`v` has no `fixxed`"), "{ran}");
    port.world.plimsoll(&["policy", "check", "policy.yaml"]).expect(3);
    // One that is for another image clears none that it does not know.
    port.world.write("policy.yaml", POLICY.replace("\\\\", "\\").replace("'fleet'", "'other'"));
    assert_eq!(port.bad(&["--policy", "policy.yaml"]), (2, vec!["ERROR policy.require".to_owned()]));
    port.world.plimsoll(&["policy", "check", "policy.yaml"]).expect(0);
}

#[test]
fn cases_hold_a_policy_to_what_it_should_say() {
    let port = port_with_policy();
    port.world.write(
        "cases.yaml",
        "- {name: fixed and new, flaw: {}, expect: refuse}\n\
         - {name: inherited, flaw: {new: false}, expect: pass}\n\
         - {name: not known to be new, flaw: {new: null}, expect: undecided}\n\
         - {name: large, entry: {bytes: 2000000}, expect: refuse}\n\
         - {name: small, entry: {}, expect: pass}\n",
    );
    let test = ["policy", "test", "policy.yaml", "cases.yaml"];
    let ran = port.world.plimsoll(&test).expect(0);
    assert!(ran.stdout.ends_with("5 cases, 0 failed\n"), "{ran}");
    port.world.write("cases.yaml", "- {name: x, flaw: {new: false}, expect: refuse}\n");
    port.world.plimsoll(&test).expect(1);
    port.world.write("cases.yaml", "- {name: x, flaw: {nev: false}, expect: refuse}\n");
    port.world.plimsoll(&test).expect(3);
}

#[test]
fn a_change_does_not_benefit_from_its_own_waivers() {
    let port = port_with_policy();
    let world = &port.world;
    // What is compared is the list; the policy and the waivers stand in the same commit.
    let list = std::fs::read_to_string(world.path("ships")).unwrap();
    world.write("ships", list.lines().take(2).map(|line| format!("{line}\n")).collect::<String>());
    git(world, &["init", "-q"]);
    git(world, &["add", "ships", "policy.yaml", "waivers.yaml"]);
    git(world, &["commit", "-qm", "x"]);
    world.write("ships", list);
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 30);
    let waiver = |id: &str| {
        let day = soon.strftime("%Y-%m-%d");
        format!("- {{id: {id}, images: ['*'], reason: r, owner: o, expires: {day}}}\n")
    };
    let report = port.clear(&["--policy", "policy.yaml", "--format", "json"]).json();
    let flaws = report["entries"][0]["flaws"].as_array().unwrap();
    let waivers: String = flaws.iter().map(|flaw| waiver(flaw["id"].as_str().unwrap())).collect();
    world.write("waivers.yaml", waivers);
    let as_it_is = port.bad(&["--policy", "policy.yaml"]).1;
    assert!(!as_it_is.contains(&"FAIL vuln.refuse".to_owned()), "{as_it_is:?}");
    let (code, of_base) = port.bad(&["--policy", "policy.yaml", "--base", "HEAD"]);
    assert_eq!(code, 1);
    assert!(of_base.contains(&"FAIL vuln.refuse".to_owned()), "{of_base:?}");
}

#[test]
fn whatever_a_registry_does_to_one_answer_never_clears() {
    let not_us = Scripted::start();
    let elsewhere = format!("http://{}/v2/elsewhere", not_us.host);
    let wrong_digest = "Content-Type: application/vnd.oci.image.index.v1+json\r\n\
                        Docker-Content-Digest: sha256:0000000000000000000000000000000000000000000000000000000000000000\r\n";
    let deeds = [
        Deed::Spoil,
        Deed::Break,
        Deed::Say(200, wrong_digest, "{\"schemaVersion\": 2, \"manifests\": []}"),
        Deed::Say(200, "", ""),
        Deed::Say(200, "", "<html>sign in</html>"),
        Deed::Say(204, "", ""),
        Deed::Say(401, "WWW-Authenticate: Basic realm=\"x\"\r\n", ""),
        Deed::Say(401, "", ""),
        Deed::Say(403, "", UNKNOWN),
        Deed::Say(404, "", UNKNOWN),
        Deed::Say(404, "", ""),
        Deed::Redirect(elsewhere),
    ];
    let (layout, index) = fleet();
    let parsed: Value = serde_json::from_slice(&layout.blobs[index["digest"].as_str().unwrap()]).unwrap();
    let child = parsed["manifests"][1]["digest"].as_str().unwrap();
    let image: Value = serde_json::from_slice(&layout.blobs[child]).unwrap();
    let name = |value: &Value| value.as_str().unwrap().to_owned();
    let places = [
        format!("from/fleet/manifests/{}", name(&index["digest"])),
        format!("manifests/{child}"),
        format!("manifests/{}", name(&parsed["manifests"][0]["digest"])),
        format!("blobs/{}", name(&image["config"]["digest"])),
        format!("blobs/{}", name(&image["layers"][1]["digest"])),
        "from/fleet/manifests/1.0".to_owned(),
        "to/fleet/manifests/1.0".to_owned(),
    ];
    let port = Port::new();
    for place in &places {
        for deed in &deeds {
            // That the destination's tag is free is what its registry says.
            if place.starts_with("to/")
                && matches!(deed, Deed::Say(404, "", UNKNOWN) | Deed::Spoil | Deed::Break)
            {
                continue;
            }
            // A download that breaks off is taken up again some times, which takes a while.
            if matches!(deed, Deed::Break) && !place.contains("blobs/") {
                continue;
            }
            port.registry.script(place, deed.clone());
            let ran = port.clear(&["--no-cache"]);
            assert!([1, 2].contains(&ran.code), "{place} {deed:?}: {ran}");
            port.registry.behave();
        }
    }
    port.clear(&[]).expect(0);
    assert!(not_us.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn an_audit_tells_what_is_missing_moved_and_nobodys() {
    let port = Port::new();
    let audit = |code: i32| port.world.plimsoll(&["audit", "--list", "ships"]).expect(code).stdout;
    assert!(audit(1).starts_with("MISSING  "));
    let (mut layout, index) = fleet();
    port.registry.push("to/fleet", &layout, &index, "1.0");
    port.registry.tags("to/fleet", &["1.0", &format!("sha256-{}.sig", "a".repeat(64))]);
    assert_eq!(audit(0), "1 repositories, 0 differences\n");
    port.registry.tags("to/fleet", &["1.0", "rogue"]);
    assert!(audit(1).starts_with("UNLISTED "));
    let other = layout.image(&ship("amd64"));
    port.registry.tags("to/fleet", &["1.0"]);
    port.registry.push("to/fleet", &layout, &other, "1.0");
    assert!(audit(1).starts_with("MOVED "));
    // Evidence that the source has and the destination has not.
    port.registry.push("to/fleet", &layout, &index, "1.0");
    let tag = port.digest.replace(':', "-");
    let object = b"{\"schemaVersion\":2,\"layers\":[]}";
    port.registry.manifest(&format!("from/fleet/{tag}.sig"), MANIFEST, object);
    let lacking = audit(1);
    assert!(lacking.starts_with("UNPROVEN ") && lacking.contains(&format!("{tag}.sig")), "{lacking}");
    port.registry.manifest(&format!("to/fleet/{tag}.sig"), MANIFEST, object);
    audit(0);
    port.registry.script("to/fleet", Deed::Say(403, "", ""));
    assert!(audit(2).starts_with("ERROR "));
    port.list("sha256:12", "1.0");
    audit(3);
}

#[test]
fn an_audit_tells_what_was_not_known_when_it_was_cleared() {
    let port = port_with_policy();
    port.world.write(
        "policy.yaml",
        "apiVersion: plimsoll/policy/1\nname: p\nvulnerabilities: {warn: ['v.fixed']}\n",
    );
    port.clear(&["--policy", "policy.yaml", "--format", "json=cleared.json"]).expect(0);
    let (layout, index) = fleet();
    port.registry.push("to/fleet", &layout, &index, "1.0");
    let audit =
        |code: i32| port.world.plimsoll(&["audit", "--clearance", "cleared.json"]).expect(code).stdout;
    let quiet = audit(0);
    assert_eq!(quiet, "0 repositories, 0 differences\n");
    // One of them was not known then.
    let text = std::fs::read_to_string(port.world.path("cleared.json")).unwrap();
    let mut cleared: Value = serde_json::from_str(&text).unwrap();
    let taken = cleared["entries"][0]["flaws"].as_array_mut().unwrap().remove(0);
    port.world.write("cleared.json", cleared.to_string());
    let told = audit(1);
    assert!(told.starts_with("FLAW ") && told.contains(taken["id"].as_str().unwrap()), "{told}");
    // Nobody asked then: what is new cannot be told.
    cleared["entries"][0]["flaws"] = Value::Null;
    port.world.write("cleared.json", cleared.to_string());
    assert!(audit(2).starts_with("ERROR "));
    port.world.plimsoll(&["audit", "--clearance", "none.json"]).expect(3);
}

#[test]
fn evidence_that_is_there_is_told_and_what_cannot_be_asked_for_does_not_clear() {
    let port = Port::new();
    let evidence = |code: i32| {
        let ran = port.clear(&["--format", "json"]).expect(code);
        let entry = ran.json()["entries"][0].clone();
        let checks = entry["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["id"] == "evidence.discovery").unwrap();
        // Of the attestations in the index it is known that nobody signed them.
        let pieces = entry["evidence"]["pieces"].as_array().unwrap().iter();
        let (claims, rest): (Vec<&Value>, Vec<&Value>) =
            pieces.partition(|piece| piece["scheme"] == "buildkit");
        assert!(
            claims.len() == 2 && claims.iter().all(|claim| claim["standing"] == "unsigned"),
            "{claims:?}"
        );
        assert!(rest.iter().all(|piece| piece["standing"] == "unverified"), "{rest:?}");
        (check["outcome"].as_str().unwrap().to_owned(), rest.into_iter().cloned().collect::<Vec<Value>>())
    };
    assert_eq!(evidence(0), ("PASS".to_owned(), Vec::new()));
    let tag = port.digest.replace(':', "-");
    port.registry.manifest(
        &format!("from/fleet/{tag}.sig"),
        MANIFEST,
        b"{\"schemaVersion\":2,\"layers\":[]}",
    );
    let (outcome, found) = evidence(0);
    assert_eq!((outcome.as_str(), &found[0]["place"]), ("PASS", &json!(format!("{tag}.sig"))));
    // Pages of the API: all of them, or none.
    let index = |digest: char| {
        let digest = format!("sha256:{}", digest.to_string().repeat(64));
        format!(
            "{{\"schemaVersion\":2,\"manifests\":[{{\"mediaType\":\"x\",\"digest\":\"{digest}\",\"size\":1}}]}}"
        )
    };
    let (first, second): (&'static str, &'static str) = (index('a').leak(), index('b').leak());
    let path = format!("referrers/{}", port.digest);
    port.registry.script(&format!("{path}?page=2"), Deed::Say(200, "", second));
    port.registry.script(&path, Deed::Say(200, "Link: </v2/x?page=2>; rel=\"next\"\r\n", first));
    let (outcome, found) = evidence(0);
    assert_eq!((outcome.as_str(), found.len()), ("PASS", 3), "{found:?}");
    port.registry.behave();
    port.registry.script(&format!("{path}?page=2"), Deed::Say(404, "", UNKNOWN));
    port.registry.script(&path, Deed::Say(200, "Link: </v2/x?page=2>; rel=\"next\"\r\n", first));
    assert_eq!(evidence(2).0, "ERROR");
    port.registry.behave();
    for said in [Deed::Say(403, "", ""), Deed::Say(200, "", "[]")] {
        port.registry.script(&path, said);
        assert_eq!(evidence(2).0, "ERROR");
        port.registry.behave();
    }
    port.registry.script(&format!("manifests/{tag}.att"), Deed::Say(403, "", ""));
    assert_eq!(evidence(2).0, "ERROR");
}
