//! The examples for pipelines are run: the shell commands that each file holds, against a server, with an image that
//! passes and one that does not.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use plimsoll_core::scan::{Reason, ScanState};
use serde_json::Value;
use support::World;
use support::images::{Image, Layout, os_release, ship};
use support::scripted::Scripted;
use support::serving::Serving;

mod support;

/// The file, where in it a list of steps is, and the key of a step's commands; none where the steps are commands.
const EXAMPLES: [(&str, &str, Option<&str>); 3] = [
    ("github-actions.yml", "/jobs/image/steps", Some("run")),
    ("gitlab-ci.yml", "/scan/script", None),
    ("tekton.yaml", "/spec/steps", Some("script")),
];

/// The guide explains every word that a scan can stand in.
#[test]
fn the_guide_has_every_state_and_reason() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/pipelines.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let states = ScanState::ALL.into_iter().map(ScanState::name);
    for name in states.chain(Reason::ALL.into_iter().map(Reason::name)) {
        assert!(guide.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_commands_of_the_examples_do_what_they_say() {
    let world = World::with_database();
    let registry = Scripted::start();
    let installed = "P:keel\nV:2.0-r5\nA:amd64\no:keel\nL:MIT\n\n";
    let clean = os_release("ID=alpine\nVERSION_ID=3.20.3\n").file("lib/apk/db/installed", installed);
    push(&registry, "harbour/clean", &Image::new("amd64", vec![("ADD /", clean)]));
    push(&registry, "harbour/ship", &ship("amd64"));
    let config = std::fs::read_to_string(world.path("config.toml")).unwrap();
    world.write("config.toml", format!("{config}[registries.\"{}\"]\nplain_http = true\n", registry.host));
    let serving = Serving::ready(&world, &["--no-update"]);
    for (file, steps, key) in EXAMPLES {
        let scripts = scripts(file, steps, key);
        assert!(!scripts.is_empty(), "{file}");
        for (image, code, state) in [("harbour/clean", 0, "clean"), ("harbour/ship", 1, "refused")] {
            let (first, rest) = scripts.split_first().unwrap();
            assert_eq!(run(&world, &serving, &registry, image, first), code, "{file} {image}: {first}");
            for script in rest {
                assert_eq!(run(&world, &serving, &registry, image, script), 0, "{file} {image}: {script}");
            }
            if let Ok(said) = std::fs::read_to_string(world.path("state")) {
                assert_eq!(said, state, "{file}");
            }
        }
    }
}

fn push(registry: &Scripted, name: &str, image: &Image) {
    let mut layout = Layout::default();
    let top = layout.image(image);
    registry.push(name, &layout, &top, "1");
}

/// The commands of each step that has some.
fn scripts(file: &str, steps: &str, key: Option<&str>) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pipelines").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let example: Value = serde_saphyr::from_str(&text).unwrap();
    let steps = example.pointer(steps).and_then(Value::as_array).unwrap().clone();
    let script = |step: Value| match key {
        Some(key) => step[key].as_str().map(str::to_owned),
        None => step.as_str().map(str::to_owned),
    };
    steps.into_iter().filter_map(script).collect()
}

/// Runs commands as the pipeline's shell does; their exit code.
fn run(world: &World, serving: &Serving, registry: &Scripted, image: &str, script: &str) -> i32 {
    let binary = Path::new(env!("CARGO_BIN_EXE_plimsoll"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let status = Command::new("sh")
        .args(["-ec", script])
        .current_dir(world.path(""))
        .env_clear()
        .env("PATH", path)
        .env("HOME", world.path(""))
        .env("IMAGE", format!("{}/{image}:1", registry.host))
        .env("PLIMSOLL_SERVER", &serving.url)
        .env("STATE_FILE", world.path("state"))
        .status()
        .unwrap();
    status.code().unwrap()
}
