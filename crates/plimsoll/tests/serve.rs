//! The server: each state that a scan can be in, caused for real, and what the pipeline's command makes of it.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use support::World;
use support::images::{Layout, ship};
use support::scripted::Scripted;
use support::serving::Serving;

mod support;

#[test]
fn an_image_is_scanned() {
    let world = World::with_database();
    let registry = Scripted::start();
    let mut layout = Layout::default();
    let top = layout.image(&ship("amd64"));
    registry.push("harbour/ship", &layout, &top, "1");
    allow(&world, &registry);
    let serving = Serving::ready(&world, &["--no-update"]);
    let submitted = serving.submit(&format!("{}/harbour/ship:1", registry.host));
    let status = serving.until(submitted["id"].as_str().unwrap(), &["completed", "failed", "unsupported"]);
    println!("{}", serde_json::to_string_pretty(&status).unwrap());
    let ran = world.plimsoll(&[
        "status",
        &format!("{}/harbour/ship:1", registry.host),
        "--server",
        &serving.url,
        "--wait",
        "--fail-on",
        "high",
    ]);
    println!("{ran}");
    println!("{}", serving.log());
}

/// Lets the server ask a registry that has a private address.
fn allow(world: &World, registry: &Scripted) {
    let mut config = std::fs::read_to_string(world.path("config.toml")).unwrap_or_default();
    config += &format!("[registries.\"{}\"]\nplain_http = true\n", registry.host);
    world.write("config.toml", config);
}
