//! Taking over configurations of Clair: each folder of `testdata/clair` is a case.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use support::{World, assert_run};

mod support;

/// The cases: name and configuration.
fn cases() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/clair");
    let folders = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<(String, PathBuf)> = folders
        .filter(|path| path.is_dir())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let file = ["config.yaml", "config.json"].map(|file| path.join(file));
            (name, file.into_iter().find(|file| file.is_file()).unwrap())
        })
        .collect();
    cases.sort();
    cases
}

/// A world with a copy of the case.
fn world_of(file: &Path) -> (World, String) {
    let world = World::new();
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    world.write(&name, fs::read(file).unwrap());
    let drop_ins = file.with_file_name(format!("{name}.d"));
    for path in fs::read_dir(drop_ins).into_iter().flatten().map(|entry| entry.unwrap().path()) {
        let drop_in = path.file_name().unwrap().to_str().unwrap();
        world.write(&format!("{name}.d/{drop_in}"), fs::read(&path).unwrap());
    }
    (world, name)
}

#[test]
fn configurations_are_taken_over() {
    let cases = cases();
    assert!(cases.len() >= 6, "{cases:?}");
    for (name, file) in cases {
        let (world, file) = world_of(&file);
        let ran = assert_run!(world, name, ["config", "import-clair", &file]).expect(0);
        assert!(!ran.to_string().contains("geheim"), "a secret is repeated: {ran}");
        let written = world.plimsoll(&["config", "import-clair", &file, "-o", "out.toml"]).expect(0);
        assert_eq!((written.stdout.as_str(), written.stderr), ("", ran.stderr));
        assert_eq!(fs::read_to_string(world.path("out.toml")).unwrap(), ran.stdout);
    }
}

/// What is written is read again.
#[test]
fn what_is_taken_over_is_good() {
    for (_, file) in cases() {
        let (world, file) = world_of(&file);
        world.plimsoll(&["config", "import-clair", &file, "-o", "out.toml"]).expect(0);
        world.plimsoll(&["config", "check", "out.toml"]).expect(0);
    }
}

#[test]
fn files_that_are_not_what_they_should_be() {
    let world = World::new();
    let deep = format!("{}1{}", "{a: ".repeat(100), "}".repeat(100));
    let aliases = format!("a: &a [1]\nb: [{}]\n", "*a, ".repeat(5_000));
    for (name, content) in [
        ("broken", "indexer: {connstring: \"geheim\n"),
        ("list", "- a\n"),
        ("empty", ""),
        ("deep", &deep),
        ("aliases", &aliases),
        ("twice", "matcher: 1\nmatcher: 2\n"),
    ] {
        world.write("config.yaml", content);
        let ran = assert_run!(world, format!("bad_{name}"), ["config", "import-clair", "config.yaml"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{name}: {ran}");
        assert!(!ran.stderr.contains("geheim"), "{ran}");
    }
    assert_run!(world, "absent", ["config", "import-clair", "none.yaml"]).expect(3);
    world.write("config.yaml", "{}");
    assert_run!(world, "unwritable", ["config", "import-clair", "config.yaml", "-o", "none/out"]).expect(2);
}
