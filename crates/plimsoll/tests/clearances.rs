//! Clearances that a server is asked for: each state that one can be in, caused for real, who may see it, and what is
//! recorded.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use plimsoll_net::Request;
use serde_json::{Value, json};
use support::World;
use support::images::{Layout, digest, fleet};
use support::scripted::{Deed, Scripted};
use support::serving::{Serving, server_settings};

mod support;

/// What clears the fleet, whatever is wrong with it.
const LAX: &str = "apiVersion: plimsoll/policy/1\nname: lax\n";

/// What refuses it.
const STRICT: &str = "apiVersion: plimsoll/policy/1
name: strict
vulnerabilities:
  dbMaxAge: 87600h
  refuse: [\"v.severity in ['critical', 'high']\"]
";

/// A server with two policies, and a registry with the fleet.
struct Port {
    world: World,
    registry: Scripted,
    serving: Serving,
    layout: Layout,
    /// The index.
    digest: String,
}

impl Port {
    fn new(more: &str) -> Port {
        Port::with(more, "lax = ['lax.yaml']\nstrict = ['strict.yaml']\n")
    }

    fn with(more: &str, policies: &str) -> Port {
        let (world, registry) = (World::with_database(), Scripted::start());
        let (layout, index) = fleet();
        registry.push("from/fleet", &layout, &index, "1.0");
        world.write("lax.yaml", LAX);
        world.write("strict.yaml", STRICT);
        let mut config = std::fs::read_to_string(world.path("config.toml")).unwrap();
        config += &format!(
            "[registries.\"{}\"]\nplain_http = true\n[clearances.policies]\n{policies}\n{more}\n",
            registry.host
        );
        world.write("config.toml", config);
        let serving = Serving::ready(&world, &["--no-update"]);
        let digest = index["digest"].as_str().unwrap().to_owned();
        Port { world, registry, serving, layout, digest }
    }

    /// A request for the fleet: a list, by a policy.
    fn list(&self, policy: &str) -> Value {
        self.listed(policy, &self.digest)
    }

    fn listed(&self, policy: &str, digest: &str) -> Value {
        let host = &self.registry.host;
        let text = format!("from {host}/from\nto {host}/to\nfleet {digest} 1.0\n");
        json!({"manifests": [{"kind": "list", "name": "ships", "text": text}], "policy": policy})
    }

    /// Asks, with a token where there is one.
    fn ask(&self, request: &Value, token: &str) -> (u16, Value) {
        let mut post = Request::post("/api/v1/clearances", request.to_string());
        if !token.is_empty() {
            post = post.header("Authorization", format!("Bearer {token}"));
        }
        let response = self.serving.send(post);
        let status = response.status;
        let body = response.bytes(16 << 20).unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// Asks and waits until it is in one of these states.
    #[track_caller]
    fn until(&self, request: &Value, states: &[&str]) -> Value {
        let (status, asked) = self.ask(request, "");
        assert_eq!(status, 202, "{asked}");
        until(&self.serving, asked["url"].as_str().unwrap(), states)
    }

    /// The images of the fleet.
    fn images(&self) -> Vec<String> {
        let index: Value = serde_json::from_slice(&self.layout.blobs[&self.digest]).unwrap();
        let manifests = index["manifests"].as_array().unwrap().iter();
        let images = manifests.filter(|one| one["platform"]["os"] == "linux");
        images.map(|one| one["digest"].as_str().unwrap().to_owned()).collect()
    }

    fn settings(&self) -> insta::Settings {
        let mut settings = server_settings(&self.world);
        settings.add_filter(r"localhost:\d+", "[HOST]");
        settings.add_filter(r"clr-[0-9a-f]{32}", "[ID]");
        settings.add_filter(r#"(\d{4}-\d\d-\d\dT[\d:.]+Z)"#, "[TIME]");
        settings.add_filter(r#""record_digest": "sha256:[0-9a-f]{64}""#, r#""record_digest": "[RECORD]""#);
        settings.add_filter(r#""database": "sha256:[0-9a-f]{64}""#, r#""database": "[DATABASE]""#);
        settings
    }
}

/// Waits until a clearance is in one of these states, by asking so that the server waits.
#[track_caller]
fn until(serving: &Serving, url: &str, states: &[&str]) -> Value {
    for _ in 0..60 {
        let status = serving.get(&format!("{url}?wait=2s"), 200);
        if states.contains(&status["state"].as_str().unwrap()) {
            return status;
        }
    }
    panic!("{url} is not {states:?}\n{}", serving.log());
}

#[test]
fn what_is_well_is_cleared_and_recorded() {
    let port = Port::new("");
    let decided = port.until(&port.list("lax"), &["decided"]);
    assert_eq!(
        (&decided["verdict"], &decided["attempt"], &decided["record"]),
        (&json!("cleared"), &json!(1), &json!(1))
    );
    port.settings().bind(|| insta::assert_json_snapshot!("cleared", decided));
    let url = decided["url"].as_str().unwrap();
    // The reports are those of the command line, as they were written then.
    let report = port.serving.get(&format!("{url}?format=json"), 200);
    assert_eq!((&report["schema"], &report["verdict"]), (&json!("plimsoll/clearance/1"), &json!("cleared")));
    for (format, text) in [("markdown", "CLEARED"), ("sarif", "sarif")] {
        let response = port.serving.send(Request::get(format!("{url}?format={format}")));
        let body = String::from_utf8(response.bytes(16 << 20).unwrap()).unwrap();
        assert!(body.to_lowercase().contains(&text.to_lowercase()), "{format}: {body}");
    }
    port.serving.get(&format!("{url}?format=pdf"), 400);
    // The same asked again is the same, and nobody is asked.
    let asked = port.registry.asked().len();
    let (_, again) = port.ask(&port.list("lax"), "");
    assert_eq!((&again["id"], port.registry.asked().len()), (&decided["id"], asked));
    let mut fresh = port.list("lax");
    fresh["fresh"] = json!(true);
    let fresh = port.until(&fresh, &["decided"]);
    assert_ne!(fresh["id"], decided["id"]);
    assert_eq!(fresh["decided"]["previous"], decided["decided"]["record_digest"]);
    // It is found by the index and by each image, the newest first.
    for digest in port.images().iter().chain([&port.digest]) {
        let history = port.serving.get(&format!("/api/v1/digests/{digest}/clearances"), 200);
        let ids: Vec<&Value> =
            history["clearances"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
        assert_eq!(ids, [&fresh["id"], &decided["id"]], "{history}");
        assert_eq!(history["clearances"][0]["subject"], json!(port.digest));
    }
    let page = port.serving.get("/api/v1/clearances?rows=1&verdict=cleared", 200);
    assert_eq!(page["clearances"][0]["id"], fresh["id"]);
    let page = port.serving.get(&format!("/api/v1/clearances?rows=1&before={}", page["next"]), 200);
    assert_eq!(page["clearances"][0]["id"], decided["id"]);
    let response = port.serving.send(Request::post("/api/v1/records/check", ""));
    let chain: Value = serde_json::from_slice(&response.bytes(1 << 20).unwrap()).unwrap();
    assert_eq!((&chain["state"], &chain["number"]), (&json!("whole"), &json!(2)));
    assert_eq!(chain["head"], fresh["decided"]["record_digest"]);
    assert_eq!(port.serving.get("/api/v1/records", 200), chain);
}

#[test]
fn a_policy_refuses() {
    let port = Port::new("");
    let refused = port.until(&port.list("strict"), &["decided"]);
    assert_eq!((&refused["verdict"], &refused["holds_until"]), (&json!("refused"), &Value::Null));
    port.settings().bind(|| insta::assert_json_snapshot!("refused", refused["decided"]["digests"]));
    let gone = port.until(&port.listed("lax", &digest(b"nothing")), &["decided"]);
    assert_eq!(gone["verdict"], "refused");
    let why = gone["decided"]["digests"][0]["why"][0].as_str().unwrap();
    assert!(why.starts_with("ref.exists MISSING"), "{why}");
    let page = port.serving.get("/api/v1/clearances?verdict=refused", 200);
    assert_eq!(page["clearances"].as_array().unwrap().len(), 2);
}

#[test]
fn what_a_change_of_manifests_does_is_judged() {
    let port = Port::new("");
    let mut request = port.list("lax");
    request["base"] = request["manifests"].clone();
    // Nothing is different, so nothing is judged, and the change is well.
    let same = port.until(&request, &["decided"]);
    assert_eq!((&same["verdict"], &same["decided"]["digests"]), (&json!("cleared"), &json!([])));
    let host = &port.registry.host;
    let text = format!("from {host}/from\nto {host}/to\n");
    request["manifests"] = json!([{"kind": "list", "name": "ships", "text": text}]);
    let removed = port.until(&request, &["decided"]);
    assert_eq!(removed["verdict"], "refused");
    let report = port.serving.get(&format!("{}?format=json", removed["url"].as_str().unwrap()), 200);
    assert_eq!(report["changes"][0]["kind"], "digest-removed");
    // A manifest that cannot be read is refused, and is no bad request.
    let bad =
        json!({"manifests": [{"kind": "thick", "name": "m.yaml", "text": "registries: ["}], "policy": "lax"});
    assert_eq!(port.until(&bad, &["decided"])["verdict"], "refused");
    let thin = json!({"policy": "lax", "manifests": [{
        "kind": "thin", "project": "fleet",
        "registries": format!("registries: [{{name: {host}/from, src: true}}, {{name: {host}/to}}]"),
        "images": format!("- name: fleet\n  dmap: {{\"{}\": [\"1.0\"]}}\n", port.digest),
    }]});
    assert_eq!(port.until(&thin, &["decided"])["verdict"], "cleared");
}

/// A registry that does not answer is asked again; what it never said is undecided, and does not answer the next who asks.
#[test]
fn what_cannot_be_told_is_tried_again_and_then_undecided() {
    let port = Port::new("");
    port.registry.script("from/fleet/manifests", Deed::Say(503, "", ""));
    let retrying = port.until(&port.list("lax"), &["retrying"]);
    assert_eq!((&retrying["reason"], &retrying["attempt"]), (&json!("registry_unavailable"), &json!(1)));
    port.serving.get(&format!("{}?format=json", retrying["url"].as_str().unwrap()), 409);
}

#[test]
fn what_was_never_told_is_undecided() {
    let port = Port::with("", "lax = ['lax.yaml']\n[clearances]\nattempts_max = 1\n");
    port.registry.script("from/fleet/manifests", Deed::Say(503, "", ""));
    let undecided = port.until(&port.list("lax"), &["decided"]);
    assert_eq!((&undecided["verdict"], &undecided["holds_until"]), (&json!("undecided"), &Value::Null));
    port.registry.behave();
    // The policy need not be named where there is one.
    let mut unnamed = port.list("lax");
    unnamed.as_object_mut().unwrap().remove("policy");
    let cleared = port.until(&unnamed, &["decided"]);
    assert_eq!((&cleared["verdict"], &cleared["policy"]), (&json!("cleared"), &json!("lax")));
}

#[test]
fn a_server_that_ends_hands_back_what_it_has() {
    let port = Port::new("[server.limits]\nending_time_max = \"4s\"");
    port.registry.script("from/fleet/manifests", Deed::Stall);
    let running = port.until(&port.list("lax"), &["running"]);
    let Port { world, registry, serving, .. } = port;
    assert_eq!(serving.end(), Some(0));
    registry.behave();
    let again = Serving::ready(&world, &["--no-update"]);
    let decided = until(&again, running["url"].as_str().unwrap(), &["decided"]);
    assert_eq!((&decided["verdict"], &decided["attempt"]), (&json!("cleared"), &json!(1)), "{decided}");
}

/// From the manifest to the pod: what was cleared on its way to production may start there, image by image, until it is
/// refused.
#[test]
fn what_is_cleared_may_start() {
    let port = Port::new("[admission]\nenabled = true\npolicy = 'lax'\naccess = 'everybody'\n");
    let review = |image: &str| {
        let object = json!({"spec": {"containers": [{"name": "app", "image": image}]}});
        let kind = json!({"group": "", "version": "v1", "kind": "Pod"});
        let request =
            json!({"uid": "u-1", "kind": kind, "namespace": "shop", "operation": "CREATE", "object": object});
        let review =
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
        let response = port.serving.send(Request::post("/admission", review.to_string()));
        let answer: Value = serde_json::from_slice(&response.bytes(1 << 20).unwrap()).unwrap();
        answer["response"].clone()
    };
    let host = &port.registry.host;
    let digests: Vec<String> = port.images().into_iter().chain([port.digest.clone()]).collect();
    let asked = port.registry.asked().len();
    for digest in &digests {
        assert_eq!(
            review(&format!("{host}/to/fleet@{digest}"))["allowed"],
            false,
            "nobody has cleared it yet"
        );
    }
    assert_eq!(port.registry.asked().len(), asked, "no registry is asked");
    let cleared = port.until(&port.list("lax"), &["decided"]);
    for digest in &digests {
        let answer = review(&format!("{host}/to/fleet:1.0@{digest}"));
        assert_eq!(answer["allowed"], true, "{answer}");
        let records = answer["auditAnnotations"]["records"].as_str().unwrap();
        assert!(records.contains(cleared["id"].as_str().unwrap()), "{answer}");
        assert_eq!(review(&format!("{host}/else/fleet@{digest}"))["allowed"], false, "another repository");
    }
    // The tag is gone by now, so the same list is refused when it is asked anew.
    port.registry.script("from/fleet/manifests/1.0", Deed::Say(404, "", support::scripted::UNKNOWN));
    let mut fresh = port.list("lax");
    fresh["fresh"] = json!(true);
    assert_eq!(port.until(&fresh, &["decided"])["verdict"], "refused");
    let answer = review(&format!("{host}/to/fleet@{}", port.digest));
    let message = answer["status"]["message"].as_str().unwrap();
    assert!(
        message.contains("is refused by policy `lax`") && message.contains("tag.source MISSING"),
        "{message}"
    );
}

#[test]
fn what_cannot_be_asked() {
    let port = Port::new("");
    for (request, status, said) in [
        (json!({}), 400, "nothing is asked for"),
        (json!({"references": ["a/b:1"]}), 400, "say by which `policy`"),
        (json!({"references": ["x y"], "policy": "lax"}), 400, "x y"),
        (
            json!({"references": ["a/b:1"], "policy": "mine"}),
            400,
            "there is no policy `mine`; there are `lax`, `strict`",
        ),
        (json!({"references": ["a/b:1"], "policies": ["x"]}), 400, "unknown field"),
        (
            json!({"manifests": [{"kind": "list", "name": "x", "text": "", "policy": "y"}], "policy": "lax"}),
            400,
            "unknown",
        ),
        (json!({"manifests": [{"kind": "list", "name": "", "text": ""}], "policy": "lax"}), 400, "name"),
        (json!({"references": vec!["a/b:1"; 1001], "policy": "lax"}), 400, "more than 1000"),
    ] {
        let (actual, body) = port.ask(&request, "");
        assert_eq!(actual, status, "{request}: {body}");
        assert!(body["detail"].as_str().unwrap().contains(said), "{said}: {body}");
    }
    // The operator's policy is at fault, not the one who asks.
    port.world.write("lax.yaml", "apiVersion: other\nname: lax\n");
    let (status, body) = port.ask(&port.list("lax"), "");
    assert!(status == 500 && body["detail"].as_str().unwrap().contains("cannot be read"), "{body}");
}

/// A team asks for what is in its repositories, destinations too, and sees nothing of others.
#[test]
fn teams_ask_for_what_is_theirs() {
    let token = |team: &str| format!("{team}-{}", "t".repeat(40));
    let sections: String = [("all", "*"), ("from", "*/from/*"), ("both", "*/from/*', '*/to/*")]
        .iter()
        .map(|(name, repositories)| {
            let hash = &digest(token(name).as_bytes())[7..];
            format!(
                "[[server.auth.tokens]]\nname = '{name}'\nsha256 = '{hash}'\nscopes = ['submit']\n\
                 repositories = ['{repositories}']\n"
            )
        })
        .collect();
    let port = Port::new(&sections);
    let (status, body) = port.ask(&port.list("lax"), &token("from"));
    assert!(status == 403 && body["detail"].as_str().unwrap().contains("/to/fleet"), "{body}");
    let (status, asked) = port.ask(&port.list("lax"), &token("both"));
    assert_eq!(status, 202, "{asked}");
    let get = |path: &str, who: &str| {
        let request = Request::get(path).header("Authorization", format!("Bearer {}", token(who)));
        let response = port.serving.send(request);
        let status = response.status;
        let body: Value = serde_json::from_slice(&response.bytes(1 << 20).unwrap()).unwrap();
        (status, body)
    };
    let url = format!("{}?wait=60s", asked["url"].as_str().unwrap());
    while get(&url, "both").1["state"] != "decided" {}
    let history = format!("/api/v1/digests/{}/clearances", port.digest);
    for (who, status, count) in [("all", 200, 1), ("both", 200, 1), ("from", 404, 0)] {
        assert_eq!(get(&url, who).0, status, "{who}");
        assert_eq!(get(&format!("{url}&format=json"), who).0, status, "{who}");
        for (list, path) in [("clearances", "/api/v1/clearances"), ("clearances", history.as_str())] {
            let listed = get(path, who).1;
            assert_eq!(listed[list].as_array().unwrap().len(), count, "{who}: {listed}");
        }
    }
}
