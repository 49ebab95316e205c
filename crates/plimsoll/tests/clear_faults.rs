//! Clearing from registries that lie, break off, stall and change their minds: none of it is ever cleared, and each is told
//! by the check whose question it is.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use support::images::{INDEX, Layout, MANIFEST, digest, fleet, ship};
use support::scripted::{Deed, Scripted, UNKNOWN};
use support::{Ran, World};

mod support;

/// Little patience, so that nobody waits for what does not come.
const IMPATIENT: &str = "[network]
attempts_max = 2
retry_wait = '1ms'
retry_after_max = '1s'
response_timeout = '300ms'
idle_timeout = '300ms'
progress_window = '300ms'
";

/// A registry with the fleet, and what is asked of it.
struct Pier {
    world: World,
    registry: Scripted,
    layout: Layout,
    index: String,
    /// A manifest that the index names, its config and one of its layers.
    child: String,
    config: String,
    layer: String,
}

impl Pier {
    fn new() -> Pier {
        let (layout, top) = fleet();
        let (world, registry) = (World::new(), Scripted::start());
        registry.push("from/fleet", &layout, &top, "1.0");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let index = text(&top["digest"]);
        let document: Value = serde_json::from_slice(&layout.blobs[&index]).unwrap();
        let child = text(&document["manifests"][1]["digest"]);
        let image: Value = serde_json::from_slice(&layout.blobs[&child]).unwrap();
        let (config, layer) = (text(&image["config"]["digest"]), text(&image["layers"][1]["digest"]));
        let pier = Pier { world, registry, layout, index, child, config, layer };
        pier.list(&pier.index);
        pier.world.write("config.toml", IMPATIENT);
        pier
    }

    fn list(&self, digest: &str) {
        let host = &self.registry.host;
        self.world.write("ships", format!("from {host}/from\nto {host}/to\nfleet {digest} 1.0\n"));
    }

    fn clear(&self) -> Ran {
        let format = ["--format", "json", "--no-cache"];
        let command = ["--config", "config.toml", "clear", "--quiet", "--list", "ships"];
        self.world.plimsoll(&[&command[..], &format].concat())
    }

    /// The exit code, and the checks that would refuse.
    fn bad(&self) -> (i32, Vec<String>) {
        let ran = self.clear();
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
}

/// Where something is done to an answer.
#[derive(Clone, Copy, Debug)]
enum At {
    Index,
    Child,
    Config,
    Layer,
    SourceTag,
    DestinationTag,
    Referrers,
}

impl At {
    fn path(self, pier: &Pier) -> String {
        match self {
            At::Index => format!("from/fleet/manifests/{}", pier.index),
            At::Child => format!("from/fleet/manifests/{}", pier.child),
            At::Config => format!("blobs/{}", pier.config),
            At::Layer => format!("blobs/{}", pier.layer),
            At::SourceTag => "from/fleet/manifests/1.0".to_owned(),
            At::DestinationTag => "to/fleet/manifests/1.0".to_owned(),
            At::Referrers => format!("referrers/{}", pier.index),
        }
    }
}

const LATER: &str = "Retry-After: 3600\r\n";
const AT_ONCE: &str = "Retry-After: 0\r\n";

/// What is done with every such answer, the exit code, and the checks that say so.
#[rustfmt::skip]
static ALWAYS: &[(At, Deed, i32, &[&str])] = &[
    // A header that is missing or wrong is worth nothing; the bytes are.
    (At::Index, Deed::Nameless, 0, &[]),
    (At::Index, Deed::Misname, 1, &["FAIL ref.digest"]),
    (At::Child, Deed::Misname, 1, &["FAIL index.children"]),
    (At::SourceTag, Deed::Nameless, 0, &[]),
    (At::SourceTag, Deed::Misname, 1, &["FAIL tag.source"]),
    (At::Index, Deed::Spoil, 1, &["FAIL ref.digest"]),
    (At::Child, Deed::Spoil, 1, &["FAIL index.children"]),
    (At::Config, Deed::Spoil, 1, &["FAIL config.platform", "ERROR layer.diffid"]),
    (At::Layer, Deed::Spoil, 1, &["FAIL layer.digest"]),
    (At::Index, Deed::Overstate, 2, &["ERROR ref.exists"]),
    (At::Child, Deed::Overstate, 2, &["ERROR index.children"]),
    (At::Config, Deed::Overstate, 1, &["FAIL config.platform", "ERROR layer.diffid"]),
    (At::Index, Deed::Endless, 2, &["ERROR ref.exists"]),
    (At::Child, Deed::Endless, 2, &["ERROR index.children"]),
    (At::Config, Deed::Endless, 2, &["ERROR config.platform", "ERROR layer.diffid"]),
    (At::Layer, Deed::Endless, 2, &["ERROR layer.digest", "ERROR layer.exists"]),
    (At::Index, Deed::Stall, 2, &["ERROR ref.exists"]),
    (At::Index, Deed::Hush, 2, &["ERROR ref.exists"]),
    (At::Config, Deed::Hush, 2, &["ERROR config.platform", "ERROR layer.diffid"]),
    (At::Layer, Deed::Hush, 2, &["ERROR layer.digest"]),
    (At::Referrers, Deed::Stall, 2, &["ERROR evidence.discovery"]),
    (At::Index, Deed::Say(429, LATER, ""), 2, &["ERROR ref.exists"]),
    (At::Index, Deed::Say(429, AT_ONCE, ""), 2, &["ERROR ref.exists"]),
    (At::Layer, Deed::Say(429, LATER, ""), 2, &["ERROR layer.digest", "ERROR layer.exists"]),
    (At::Referrers, Deed::Say(429, LATER, ""), 2, &["ERROR evidence.discovery"]),
    (At::DestinationTag, Deed::Say(429, LATER, ""), 2, &["ERROR tag.destination"]),
    (At::Index, Deed::Say(500, "", ""), 2, &["ERROR ref.exists"]),
    (At::Layer, Deed::Say(503, "", ""), 2, &["ERROR layer.digest", "ERROR layer.exists"]),
    (At::SourceTag, Deed::Say(500, "", UNKNOWN), 2, &["ERROR tag.source"]),
    (At::DestinationTag, Deed::Say(500, "", UNKNOWN), 2, &["ERROR tag.destination"]),
    (At::Referrers, Deed::Say(403, "", ""), 2, &["ERROR evidence.discovery"]),
    (At::Referrers, Deed::Say(200, "", "{\"schemaVersion\":2"), 2, &["ERROR evidence.discovery"]),
    (At::Referrers, Deed::Endless, 2, &["ERROR evidence.discovery"]),
    (At::Index, Deed::Say(401, "WWW-Authenticate: Bearer realm=\"http://localhost:1/t\"\r\n", ""), 2, &["ERROR ref.exists"]),
];

#[test]
fn what_is_done_to_every_answer_of_a_kind_is_told_and_never_cleared() {
    let pier = Pier::new();
    for (at, deed, code, expected) in ALWAYS {
        let deed = match deed {
            Deed::Endless if matches!(at, At::Referrers) => {
                // There has to be something that could be repeated for ever.
                let index = "{\"schemaVersion\":2,\"manifests\":[]}".to_owned().into_bytes();
                pier.registry.manifest("from/fleet/referrers", INDEX, &index);
                pier.registry
                    .script(&at.path(&pier), Deed::Redirect("/v2/from/fleet/manifests/referrers".to_owned()));
                pier.registry.script("manifests/referrers", Deed::Endless);
                None
            }
            deed => Some(deed.clone()),
        };
        if let Some(deed) = &deed {
            pier.registry.script(&at.path(&pier), deed.clone());
        }
        let expected = expected.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        assert_eq!(pier.bad(), (*code, expected), "{at:?} {deed:?}");
        pier.registry.behave();
    }
    assert_eq!(pier.bad(), (0, Vec::new()));
}

#[test]
fn what_happens_once_is_asked_again() {
    let pier = Pier::new();
    for deed in
        [Deed::Say(500, "", ""), Deed::Say(503, AT_ONCE, ""), Deed::Say(429, AT_ONCE, ""), Deed::Break]
    {
        for at in [At::Index, At::Child, At::Config, At::SourceTag, At::DestinationTag] {
            if matches!((&deed, at), (Deed::Break, At::DestinationTag)) {
                continue;
            }
            pier.registry.script_once(&at.path(&pier), deed.clone());
            let (code, bad) = pier.bad();
            // What broke off in the middle is not asked again; it does not clear.
            let is_broken = matches!(deed, Deed::Break);
            assert!(code == 0 || is_broken && code == 2, "{at:?} {deed:?}: {bad:?}");
            pier.registry.behave();
        }
    }
}

#[test]
fn a_tag_that_changes_between_two_looks_is_not_cleared() {
    let pier = Pier::new();
    let mut layout = Layout::default();
    let other = layout.image(&ship("amd64"));
    pier.registry.push("from/fleet", &layout, &other, "other");
    let instead = || Deed::Instead("/v2/from/fleet/manifests/other".to_owned());
    // Asked for by its tag, it is one thing when it is read and another when its tag is held against it.
    let reference = format!("{}/from/fleet:1.0", pier.registry.host);
    let clear = || {
        let ran = pier.world.plimsoll(&["clear", "--quiet", "--format", "json", "--no-cache", &reference]);
        let checks = ran.json()["entries"][0]["checks"].clone();
        let tag =
            checks.as_array().unwrap().iter().find(|check| check["id"] == "tag.source").unwrap().clone();
        (ran.code, tag["outcome"].as_str().unwrap().to_owned())
    };
    assert_eq!(clear(), (0, "PASS".to_owned()));
    pier.registry.script_once("from/fleet/manifests/1.0", instead());
    assert_eq!(clear(), (1, "FAIL".to_owned()));
    pier.registry.behave();
    // Asked for by digest, its tag is another's by the time.
    pier.registry.script("from/fleet/manifests/1.0", instead());
    assert_eq!(pier.bad(), (1, vec!["FAIL tag.source".to_owned()]));
}

#[test]
fn credentials_go_nowhere_else_and_redirects_end() {
    let pier = Pier::new();
    let elsewhere = Scripted::start();
    elsewhere.push(
        "from/fleet",
        &pier.layout,
        &serde_json::json!({"digest": pier.index, "mediaType": INDEX}),
        "1.0",
    );
    let login = "{\"auths\": {\"HOST\": {\"auth\": \"bWU6Z2VoZWlt\"}}}".replace("HOST", &pier.registry.host);
    pier.world.write("auth.json", login);
    let clear = || {
        let ran = pier.world.plimsoll(&[
            "--config",
            "config.toml",
            "clear",
            "--quiet",
            "--list",
            "ships",
            "--no-cache",
            "--auth-file",
            "auth.json",
        ]);
        ran.code
    };
    let wanted = Deed::Demand("Basic bWU6Z2VoZWlt".to_owned());
    pier.registry.script("from/fleet/manifests", wanted);
    pier.registry.script(
        &format!("blobs/{}", pier.layer),
        Deed::Redirect(format!("http://{}/v2/from/fleet/blobs/{}", elsewhere.host, pier.layer)),
    );
    assert_eq!(clear(), 0, "blobs may lie elsewhere, and are hashed");
    assert!(!elsewhere.requests().is_empty());
    assert!(elsewhere.requests().iter().all(|request| request.header("authorization").is_none()));
    pier.registry.behave();
    pier.registry.script(&At::Index.path(&pier), Deed::Redirect(format!("/v2/{}", At::Index.path(&pier))));
    assert_eq!(pier.bad(), (2, vec!["ERROR ref.exists".to_owned()]));
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    let pier = Pier::new();
    let index = String::from_utf8(pier.layout.blobs[&pier.index].clone()).unwrap();
    for (text, expected) in [
        // Both an image and an index.
        (index.replacen('{', "{\"layers\":[],\"config\":{},", 1), "FAIL"),
        (index.replacen('{', "{\"schemaVersion\":2,\"schemaVersion\":2,", 1), "FAIL"),
        (index.replacen('{', "{\"manifests\":[],", 1), "FAIL"),
        // Readers that ignore case take the last of these for the layers, and the index for an image.
        (index.replacen('{', "{\"Manifests\":[],", 1), "FAIL"),
        (index.replacen("\"digest\"", "\"Digest\":\"sha256:0\",\"digest\"", 1), "FAIL"),
        (index.replacen("\"digest\"", "\"digest\":\"sha256:0\",\"digest\"", 1), "FAIL"),
        (index.replace("\"schemaVersion\":2", "\"schemaVersion\":3"), "FAIL"),
        (index.replace(INDEX, MANIFEST), "FAIL"),
    ] {
        let digest = digest(text.as_bytes());
        for name in [digest.as_str(), "1.0"] {
            pier.registry.manifest(&format!("from/fleet/{name}"), INDEX, text.as_bytes());
        }
        pier.list(&digest);
        let (code, bad) = pier.bad();
        assert!(code == 1 && bad.iter().any(|check| check.starts_with(expected)), "{text}: {code} {bad:?}");
    }
}
