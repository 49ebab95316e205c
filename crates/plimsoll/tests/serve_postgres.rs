//! The server on PostgreSQL, and the server killed: what a database does to scans, and that none is lost.
//!
//! Second tier: runs with `PLIMSOLL_TIER2=1` and needs the programs of a PostgreSQL server.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use support::World;
use support::images::{CONFIG, Layout, MANIFEST, base, ship};
use support::layer::gzip;
use support::scripted::{Deed, Scripted};
use support::serving::{Serving, server_settings};

#[allow(dead_code, reason = "the store's own tests take more of it")]
#[path = "../../plimsoll-store/tests/support/postgres.rs"]
mod postgres_server;
mod support;

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Images that are handed in while servers are killed.
const IMAGES: usize = 1_000;

/// How often a server is killed.
const KILLS: usize = 8;

/// How long a lease holds that nobody prolongs.
const LEASE: SignedDuration = SignedDuration::from_secs(30);

fn harbour(more: &str) -> (World, Scripted) {
    let world = World::with_database();
    let registry = Scripted::start();
    let mut config = std::fs::read_to_string(world.path("config.toml")).unwrap();
    config += &format!("[registries.\"{}\"]\nplain_http = true\n[server]\n{more}\n", registry.host);
    world.write("config.toml", config);
    (world, registry)
}

fn push_ship(registry: &Scripted) -> String {
    let mut layout = Layout::default();
    let top = layout.image(&ship("amd64"));
    registry.push("harbour/ship", &layout, &top, "1");
    format!("{}/harbour/ship:1", registry.host)
}

#[test]
fn a_conflict_in_the_database_is_tried_again() {
    let Some(database) = postgres_server::server() else { return };
    let place = database.database();
    let (world, registry) = harbour("");
    let serving = Serving::ready(&world, &["--no-update", "--store", &place]);
    let image = push_ship(&registry);
    registry.script("harbour/ship/manifests", Deed::Stall);
    let submitted = serving.submit(&image);
    serving.until(submitted["id"].as_str().unwrap(), &["fetching"]);
    // Another session holds what the scan needs, longer than it waits for a lock.
    let mut session = postgres::Client::connect(&place, postgres::NoTls).unwrap();
    let mut transaction = session.transaction().unwrap();
    transaction.batch_execute("LOCK TABLE inventories IN ACCESS EXCLUSIVE MODE").unwrap();
    registry.behave();
    let digest = serving.until(submitted["id"].as_str().unwrap(), &["retrying"])["id"].clone();
    let status = serving.until(digest.as_str().unwrap(), &["retrying"]);
    assert_eq!(status["reason"], "database_conflict", "{status}");
    let ran = world.plimsoll(&["status", digest.as_str().unwrap(), "--server", &serving.url]);
    server_settings(&world).bind(|| insta::assert_snapshot!("database_conflict", ran.to_string()));
    transaction.rollback().unwrap();
    serving.until(digest.as_str().unwrap(), &["completed"]);
}

#[test]
fn a_database_that_is_restarted_costs_time_and_no_scan() {
    let Some(database) = postgres_server::Server::start_new() else { return };
    let place = database.database();
    let (world, registry) = harbour("");
    let serving = Serving::ready(&world, &["--no-update", "--store", &place]);
    let image = push_ship(&registry);
    registry.script("harbour/ship/manifests", Deed::Stall);
    let submitted = serving.submit(&image);
    let id = submitted["id"].as_str().unwrap();
    serving.until(id, &["fetching"]);
    database.stop();
    let ran = world.plimsoll(&["status", id, "--server", &serving.url]);
    assert_eq!(ran.code, 7);
    let mut settings = server_settings(&world);
    settings.add_filter(r"cannot be reached: .*", "cannot be reached: [WHY]");
    settings.bind(|| insta::assert_snapshot!("database_unavailable", ran.to_string()));
    database.start();
    registry.behave();
    serving.until(id, &["completed"]);
}

/// Pushes images that share a layer and differ in their config; their references.
fn push_many(registry: &Scripted) -> Vec<String> {
    let layer = base("amd64");
    let push = |nth: usize| {
        let mut layout = Layout::default();
        let diff_id = support::images::digest(&layer.tar());
        let config = json!({
            "os": "linux", "architecture": "amd64", "author": nth.to_string(),
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        });
        let layers = [layout.blob(LAYER, gzip(&layer.tar()))];
        let config = layout.blob(CONFIG, config.to_string().into_bytes());
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
        let top = layout.blob(MANIFEST, manifest.to_string().into_bytes());
        let name = format!("fleet/ship-{}", nth % 7);
        registry.push(&name, &layout, &top, &format!("v{nth}"));
        format!("{}/{name}:v{nth}", registry.host)
    };
    (0..IMAGES).map(push).collect()
}

#[test]
fn two_replicas_of_which_one_is_killed_lose_nothing_and_do_nothing_twice() {
    let Some(database) = postgres_server::server() else { return };
    let place = database.database();
    let (world, registry) = harbour("workers = 4\nper_registry_max = 64");
    let images = push_many(&registry);
    let arguments = ["--no-update", "--store", &place];
    let steady = Serving::ready(&world, &arguments);
    let mut mortal = Serving::ready(&world, &arguments);
    let mut ids = Vec::new();
    for (nth, image) in images.iter().enumerate() {
        let taker = if nth % 2 == 0 { &steady } else { &mortal };
        ids.push(taker.submit(image)["id"].as_str().unwrap().to_owned());
        if nth % (IMAGES / KILLS) == IMAGES / KILLS - 1 {
            mortal.kill();
            mortal = Serving::ready(&world, &arguments);
        }
    }
    check(&steady, &ids);
}

#[test]
fn a_server_on_sqlite_that_is_killed_loses_nothing_and_does_nothing_twice() {
    if !support::second_tier(&[]) {
        return;
    }
    let (world, registry) = harbour("workers = 4\nper_registry_max = 64");
    let images = push_many(&registry);
    let mut serving = Serving::ready(&world, &["--no-update"]);
    let mut ids = Vec::new();
    for (nth, image) in images.iter().enumerate() {
        ids.push(serving.submit(image)["id"].as_str().unwrap().to_owned());
        if nth % (IMAGES / KILLS) == IMAGES / KILLS - 1 {
            serving.kill();
            serving = Serving::ready(&world, &["--no-update"]);
        }
    }
    check(&serving, &ids);
}

/// Waits until each scan has ended, and reads what happened to it: it ended once, and was never in two hands at once.
fn check(serving: &Serving, ids: &[String]) {
    for id in ids {
        let status = serving.until(id, &["completed", "failed", "unsupported", "cancelled"]);
        assert_eq!(
            (&status["state"], &status["reason"]),
            (&json!("completed"), &json!("complete")),
            "{status}"
        );
    }
    let mut events: BTreeMap<String, Vec<(Timestamp, String, String)>> = BTreeMap::new();
    for event in serving.events(0, "scan") {
        let text = |key: &str| event[key].as_str().unwrap().to_owned();
        let at = text("at").parse().unwrap();
        events.entry(text("subject")).or_default().push((at, text("state"), text("reason")));
    }
    let mut leases_lost = 0;
    for (id, events) in events.iter().filter(|(id, _)| id.starts_with("sha256:")) {
        let ends = events.iter().filter(|(_, state, _)| state == "completed").count();
        assert_eq!(ends, 1, "{id}: {events:?}");
        // Taken again from a worker that did not give it back: only when its lease was over.
        let mut held_since: Option<Timestamp> = None;
        for (at, state, reason) in events {
            let is_lost = reason == "worker_lost";
            match (state.as_str(), held_since) {
                ("fetching", None) => held_since = Some(*at),
                ("fetching" | "retrying", Some(since)) if state == "fetching" || is_lost => {
                    assert!(at.duration_since(since) >= LEASE, "{id}: {events:?}");
                    leases_lost += 1;
                    held_since = (state == "fetching").then_some(*at);
                }
                ("queued" | "retrying" | "completed", _) => held_since = None,
                _ => {}
            }
        }
    }
    assert_eq!(events.keys().filter(|id| id.starts_with("sha256:")).count(), IMAGES);
    assert!(leases_lost > 0, "no worker was killed with a scan in hand, so that nothing is shown");
    println!("{leases_lost} scans were taken over from a worker that was killed");
}

/// Two replicas are asked the same at once by many, and the one that has it in hand is killed: it is one clearance, and
/// is recorded once.
#[test]
fn a_clearance_outlives_the_replica_that_works_on_it() {
    let Some(database) = postgres_server::server() else { return };
    let place = database.database();
    let (world, registry) = harbour("[clearances.policies]\nlax = [\"lax.yaml\"]\n");
    world.write("lax.yaml", "apiVersion: plimsoll/policy/1\nname: lax\n");
    let mut layout = Layout::default();
    let top = layout.image(&ship("amd64"));
    registry.push("harbour/ship", &layout, &top, "1");
    registry.script("harbour/ship/manifests", Deed::Stall);
    let arguments = ["--no-update", "--store", &place];
    let mortal = Serving::ready(&world, &arguments);
    let reference = format!("{}/harbour/ship:1@{}", registry.host, top["digest"].as_str().unwrap());
    let request = json!({"references": [reference]}).to_string();
    let ask = |serving: &Serving| {
        let response = serving.send(plimsoll_net::Request::post("/api/v1/clearances", request.clone()));
        let asked: serde_json::Value = serde_json::from_slice(&response.bytes(1 << 20).unwrap()).unwrap();
        asked["url"].as_str().unwrap().to_owned()
    };
    let until = |serving: &Serving, url: &str, state: &str| loop {
        let status = serving.get(&format!("{url}?wait=2s"), 200);
        if status["state"] == state {
            return status;
        }
    };
    let url = ask(&mortal);
    until(&mortal, &url, "running");
    let steady = Serving::ready(&world, &arguments);
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(|| (ask(&mortal), ask(&steady)))).collect();
        for asked in asking {
            assert_eq!(asked.join().unwrap(), (url.clone(), url.clone()));
        }
    });
    mortal.kill();
    registry.behave();
    let decided = until(&steady, &url, "decided");
    assert_eq!(
        (&decided["verdict"], &decided["attempt"], &decided["record"]),
        (&json!("cleared"), &json!(2), &json!(1))
    );
    let response = steady.send(plimsoll_net::Request::post("/api/v1/records/check", ""));
    let chain: serde_json::Value = serde_json::from_slice(&response.bytes(1 << 20).unwrap()).unwrap();
    assert_eq!((&chain["state"], &chain["number"]), (&json!("whole"), &json!(1)));
    let mut raw = postgres::Client::connect(&place, postgres::NoTls).unwrap();
    let error = raw.batch_execute("UPDATE records SET body = ''").unwrap_err();
    assert!(error.as_db_error().unwrap().message().contains("only ever added"), "{error}");
}
