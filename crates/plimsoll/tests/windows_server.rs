//! A Windows image on the server: what Clair's clients, Quay and Harbor are told of it.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use plimsoll_testkit::hive::Hive;
use plimsoll_testkit::image::{CONFIG, Image, LAYER, MANIFEST};
use plimsoll_testkit::layer::Layer;
use serde_json::json;
use support::World;
use support::harbor::{Artifact, Harbor};
use support::images::Layout;
use support::scripted::Scripted;
use support::serving::{Serving, server_settings};

mod support;
#[path = "windows/feed.rs"]
mod feed;

const NAME: &str = "windows/app";

/// Server 2022 Core of May 2024 with a program.
fn image() -> Image {
    let current = r"Microsoft\Windows NT\CurrentVersion";
    let program = r"Microsoft\Windows\CurrentVersion\Uninstall\Tool";
    let hive = Hive::base()
        .value(current, "CurrentBuild", "20348")
        .value(current, "UBR", 2402_u32)
        .value(current, "InstallationType", "Server Core")
        .value(program, "DisplayName", "Tool")
        .value(program, "DisplayVersion", "2.1");
    let layer = Layer::new().directory("Files").file("Files/Windows/System32/config/SOFTWARE", hive.build());
    Image::windows(Some("10.0.20348.2402")).layer("Apply image 10.0.20348.2402", &layer)
}

/// Pushes an image; its digest.
fn push(registry: &Scripted, image: &Image) -> String {
    let mut layout = Layout::default();
    for layer in &image.layers {
        layout.blob(LAYER, layer.stored.clone());
    }
    layout.blob(CONFIG, image.config());
    let top = layout.blob(MANIFEST, image.manifest());
    registry.push(NAME, &layout, &top, "1");
    top["digest"].as_str().unwrap().to_owned()
}

#[test]
fn every_api_speaks_of_a_windows_image() {
    let world = World::new();
    feed::write(&world, &feed::june());
    let registry = Scripted::start();
    let digest = push(&registry, &image());
    let config = std::fs::read_to_string(world.path("config.toml")).unwrap();
    world.write("config.toml", format!("{config}[registries.\"{}\"]\nplain_http = true\n", registry.host));
    let serving = Serving::ready(&world, &["--no-update"]);
    let reference = format!("{}/{NAME}@{digest}", registry.host);
    serving.submit(&reference);
    let scan = serving.until(&digest, &["completed", "failed", "unsupported"]);
    assert_eq!((&scan["state"], &scan["reason"]), (&json!("completed"), &json!("with_gaps")), "{scan:#}");
    let report = serving.get(&format!("/api/v1/scans/{digest}/report"), 200);
    let clair = serving.get(&format!("/matcher/api/v1/vulnerability_report/{digest}"), 200);
    let quay = serving.get(&format!("/api/v1/repository/{NAME}/manifest/{digest}/security"), 200);
    let artifact = Artifact {
        registry: format!("http://{}", registry.host),
        authorization: String::new(),
        repository: NAME.to_owned(),
        tag: "1".to_owned(),
        digest: digest.clone(),
        mime_type: MANIFEST.to_owned(),
    };
    let harbor = Harbor { url: format!("{}/harbor", serving.url), login: None };
    let mut pause = |_| drop(serving.until(&digest, &["completed"]));
    let harbor = harbor.scan(&artifact, "vulnerability", &mut pause).unwrap().remove(0).1;
    server_settings(&world).bind(|| {
        insta::assert_json_snapshot!("report", report["windows"]);
        insta::assert_json_snapshot!("clair", clair);
        insta::assert_json_snapshot!("quay", quay["data"]["Layer"]["Features"]);
        insta::assert_json_snapshot!("harbor", harbor["vulnerabilities"]);
    });
}
