//! Harbor in front of a real registry: it registers the scanner, has artifacts scanned with credentials for one job, polls,
//! and takes reports and SBOMs, while the server is started anew or another replica answers.
//!
//! Second tier: runs with `PLIMSOLL_TIER2=1` and needs `docker-registry` and `htpasswd` (`apache2-utils`); a PostgreSQL
//! server's programs for replicas.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use support::harbor::{Artifact, Harbor};
use support::images::{Layout, MANIFEST, ship};
use support::registry::{PASSWORD, Registry, SignIn, USER, token};
use support::serving::Serving;
use support::{World, second_tier};

#[allow(dead_code)]
#[path = "../../plimsoll-store/tests/support/postgres.rs"]
mod postgres_server;
mod support;

const REPOSITORY: &str = "library/ship";
const VULNERABILITIES: &str = "application/vnd.security.vulnerability.report; version=1.1";

/// States in which nothing more happens to a scan.
const ENDED: &[&str] = &["completed", "failed", "unsupported"];

/// A registry with the ship, and what Harbor says of it. `None` where the second tier is not there.
fn harbour(sign_in: SignIn, more: &str) -> Option<(World, Registry, Artifact)> {
    if !second_tier(&["docker-registry", "htpasswd"]) {
        return None;
    }
    let world = World::with_database();
    let registry = Registry::start(&world, sign_in);
    let mut config = std::fs::read_to_string(world.path("config.toml")).unwrap();
    config += &format!(
        "{more}\n[registries.\"{}\"]\nplain_http = true\n[server]\nattempts_max = 1\n",
        registry.host
    );
    world.write("config.toml", config);
    let mut layout = Layout::default();
    let top = layout.image(&ship("amd64"));
    registry.push(REPOSITORY, &layout, &top, "1");
    let artifact = Artifact {
        registry: format!("http://{}", registry.host),
        authorization: String::new(),
        repository: REPOSITORY.to_owned(),
        tag: "1".to_owned(),
        digest: top["digest"].as_str().unwrap().to_owned(),
        mime_type: MANIFEST.to_owned(),
    };
    Some((world, registry, artifact))
}

fn serve(world: &World) -> Serving {
    Serving::ready(world, &["--no-update"])
}

fn harbor(serving: &Serving) -> Harbor {
    Harbor { url: format!("{}/harbor", serving.url), login: None }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

/// Has the artifact scanned. Waits as Harbor does, but no longer than the scan takes.
fn scan(serving: &Serving, artifact: &Artifact, capability: &str) -> Result<Value, String> {
    let mut pause = |_: Duration| drop(serving.until(&artifact.digest, ENDED));
    let reports = harbor(serving).scan(artifact, capability, &mut pause)?;
    assert_eq!(reports.len(), 1, "Harbor fetches each media type that is offered");
    Ok(reports.into_iter().next().unwrap().1)
}

#[track_caller]
fn check_reports(serving: &Serving, artifact: &Artifact) {
    let report = scan(serving, artifact, "vulnerability").unwrap();
    assert_eq!(report["artifact"]["digest"], artifact.digest);
    let found: Vec<String> = report["vulnerabilities"].as_array().unwrap().iter().map(found).collect();
    let expected = [
        "CVE-2030-0001 hull-libs 1.2.3-r0 1.2.3-r1 Unknown",
        "CVE-2030-0010 barnacle 1.5 2.0 Critical",
        "CVE-2030-0011 barnacle 1.5  Low",
    ];
    let mut sorted = found;
    sorted.sort();
    assert_eq!(sorted, expected);
    assert_eq!(report["severity"], "Critical");

    let sbom = scan(serving, artifact, "sbom").unwrap();
    assert_eq!(sbom["media_type"], "application/spdx+json");
    let packages = sbom["sbom"]["packages"].as_array().unwrap();
    for name in ["barnacle", "hull-libs", "keel", "py3-rope", "rope"] {
        assert!(packages.iter().any(|package| package["name"] == name), "{name}: {sbom}");
    }
}

fn found(item: &Value) -> String {
    let keys = ["id", "package", "version", "fix_version", "severity"];
    keys.map(|key| item[key].as_str().unwrap_or_default()).join(" ")
}

#[test]
fn a_robot_with_a_password() {
    let Some((world, _registry, mut artifact)) = harbour(SignIn::Login, "") else { return };
    let serving = serve(&world);
    let metadata = harbor(&serving).metadata().unwrap();
    assert_eq!(metadata["properties"]["harbor.scanner-adapter/registry-authorization-type"], "Basic");
    assert!(metadata["properties"]["harbor.scanner-adapter/vulnerability-database-updated-at"].is_string());
    for authorization in [String::new(), basic(USER, "wrong"), basic("other", PASSWORD)] {
        let failed =
            scan(&serving, &Artifact { authorization, ..artifact.clone() }, "vulnerability").unwrap_err();
        assert!(failed.starts_with("500: ") && failed.contains("unauthorized"), "{failed}");
        assert!(!failed.contains("wrong") && !failed.contains(PASSWORD), "{failed}");
    }
    // What failed for one does not fail for the next, whose password is right.
    artifact.authorization = basic(USER, PASSWORD);
    check_reports(&serving, &artifact);
    assert!(!serving.log().contains(PASSWORD) && !serving.log().contains(&artifact.authorization));
    // The next has no password and gets nothing that another's password got.
    artifact.digest = format!("sha256:{}", "0".repeat(64));
    let failed = scan(&serving, &artifact, "vulnerability").unwrap_err();
    assert!(failed.contains("not_found") || failed.contains("there is no"), "{failed}");
}

#[test]
fn a_token_of_the_registry() {
    let more = "[harbor]\nregistry_authorization = \"bearer\"";
    let Some((world, _registry, mut artifact)) = harbour(SignIn::Token, more) else { return };
    let serving = serve(&world);
    let metadata = harbor(&serving).metadata().unwrap();
    assert_eq!(metadata["properties"]["harbor.scanner-adapter/registry-authorization-type"], "Bearer");
    for (what, token) in [
        ("ended", token(REPOSITORY, &["pull"], -3600)),
        ("of another repository", token("library/other", &["pull"], 300)),
        ("for nothing", token(REPOSITORY, &[], 300)),
        ("of nobody", "no.tok.en".to_owned()),
    ] {
        let authorization = format!("Bearer {token}");
        let failed =
            scan(&serving, &Artifact { authorization, ..artifact.clone() }, "vulnerability").unwrap_err();
        assert!(failed.starts_with("500: ") && failed.contains("unauthorized"), "{what}: {failed}");
        assert!(!failed.contains(&token), "{failed}");
    }
    artifact.authorization = format!("Bearer {}", token(REPOSITORY, &["pull"], 300));
    check_reports(&serving, &artifact);
    assert!(!serving.log().contains(&artifact.authorization));
}

/// The scanner's own door: Harbor signs in as it is told when the scanner is registered.
#[test]
fn harbor_signs_in_to_the_scanner() {
    let Some((world, _registry, mut artifact)) = harbour(SignIn::Login, "") else { return };
    let ran =
        world.plimsoll(&["token", "new", "harbor", "--scope", "submit", "--into", "tokens.toml"]).expect(0);
    let token = ran.stdout.trim();
    let config = std::fs::read_to_string(world.path("config.toml")).unwrap();
    world.write("config.toml", config + "[server.auth]\ntokens_file = \"tokens.toml\"\n");
    let serving = serve(&world);
    artifact.authorization = basic(USER, PASSWORD);
    for (name, value) in [
        ("Authorization", format!("Bearer {token}")),
        ("Authorization", basic("harbor", token)),
        ("X-ScannerAdapter-API-Key", token.to_owned()),
    ] {
        let harbor = Harbor { login: Some((name.to_owned(), value)), ..harbor(&serving) };
        // The report may be there before Harbor asks a second time.
        let reports = harbor.scan(&artifact, "vulnerability", &mut |_| std::thread::yield_now()).unwrap();
        assert_eq!(reports.len(), 1, "{name}");
    }
    for login in [None, Some(("Authorization".to_owned(), "Bearer plimsoll_wrong".to_owned()))] {
        let harbor = Harbor { login, ..harbor(&serving) };
        let refused = harbor.metadata().unwrap_err();
        assert!(refused.starts_with("unhealthy: 401 "), "{refused}");
    }
}

/// The offer that Harbor found in the metadata.
fn offer(harbor: &Harbor) -> Value {
    let metadata = harbor.metadata().unwrap();
    let offers = metadata["capabilities"].as_array().unwrap();
    offers.iter().find(|offer| offer["type"] == "vulnerability").unwrap().clone()
}

#[test]
fn a_restart_between_scan_and_report_costs_nothing() {
    let Some((world, _registry, mut artifact)) = harbour(SignIn::Login, "") else { return };
    artifact.authorization = basic(USER, PASSWORD);
    let serving = serve(&world);
    let before = harbor(&serving);
    let id = before.submit(&artifact, &offer(&before)).unwrap();
    // Ended in order, whether or not it has begun with the scan.
    assert_eq!(serving.end(), Some(0));
    let serving = serve(&world);
    let mut pause = |_: Duration| drop(serving.until(&artifact.digest, ENDED));
    let report = harbor(&serving).fetch(&id, VULNERABILITIES, "vulnerability", &mut pause).unwrap();
    assert_eq!(report["artifact"]["digest"], artifact.digest);
    // And once more when all is done.
    serving.kill();
    let serving = serve(&world);
    let mut pause = |_: Duration| panic!("the report is there");
    let again = harbor(&serving).fetch(&id, VULNERABILITIES, "vulnerability", &mut pause).unwrap();
    assert_eq!(again["vulnerabilities"], report["vulnerabilities"]);
}

#[test]
fn any_replica_answers_any_id() {
    let Some((world, _registry, mut artifact)) = harbour(SignIn::Login, "") else { return };
    let Some(database) = postgres_server::server() else { return };
    let place = database.database();
    artifact.authorization = basic(USER, PASSWORD);
    let replicas = [0, 1].map(|_| Serving::ready(&world, &["--no-update", "--store", &place]));
    let [one, other] = &replicas;
    let id = harbor(one).submit(&artifact, &offer(&harbor(one))).unwrap();
    let mut pause = |_: Duration| drop(other.until(&artifact.digest, ENDED));
    let report = harbor(other).fetch(&id, VULNERABILITIES, "vulnerability", &mut pause).unwrap();
    let mut pause = |_: Duration| panic!("the report is there");
    let same = harbor(one).fetch(&id, VULNERABILITIES, "vulnerability", &mut pause).unwrap();
    assert_eq!(report["vulnerabilities"], same["vulnerabilities"]);
    // An id that nobody gave.
    let unknown =
        harbor(one).fetch("no-such-scan", VULNERABILITIES, "vulnerability", &mut pause).unwrap_err();
    assert!(unknown.starts_with("404: "), "{unknown}");
}
