//! Whether the server does what its OpenAPI document says: schemathesis makes requests of the document, good ones and bad
//! ones, and holds each answer against it.
//!
//! Second tier: runs with `PLIMSOLL_TIER2=1` and needs `python3`, which installs schemathesis from PyPI into `target` once.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::images::{Layout, ship};
use support::scripted::Scripted;
use support::serving::Serving;
use support::{World, second_tier};

mod support;

/// What is held against the document.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// Requests of each endpoint and phase, at most.
const EXAMPLES_MAX: &str = "40";

/// Makes the same requests each time.
const SEED: &str = "314";

/// Answers above 499 that say what is so: Harbor's interface has 501 for what a scanner does not offer.
const CONFIG: &str = r#"
[[operations]]
include-operation-id = ["submitHarborScan", "getHarborReport"]
[operations.checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "501"]
"#;

/// schemathesis, installed where it is not yet; why not.
fn schemathesis() -> Result<PathBuf, String> {
    let target = Path::new(env!("CARGO_BIN_EXE_plimsoll")).ancestors().nth(2).unwrap();
    let folder = target.join("venv-schemathesis");
    let program = folder.join("bin/schemathesis");
    if program.is_file() {
        return Ok(program);
    }
    let run = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    };
    run(Path::new("python3"), &["-m", "venv", folder.to_str().unwrap()])?;
    run(&folder.join("bin/pip"), &["install", "--quiet", "schemathesis==4.32.5"])?;
    Ok(program)
}

#[test]
fn the_server_does_what_its_document_says() {
    if !second_tier(&["python3"]) {
        return;
    }
    let schemathesis = match schemathesis() {
        Ok(program) => program,
        Err(error) => return println!("skipped: schemathesis cannot be installed: {error}"),
    };
    let world = World::with_database();
    let registry = Scripted::start();
    let config = std::fs::read_to_string(world.path("config.toml")).unwrap();
    let more = format!(
        "[registries.\"{}\"]\nplain_http = true\n[server]\nattempts_max = 1\nregistries_allowed = []\n\
         [clearances]\nattempts_max = 1\npolicies.lax = ['lax.yaml']\n\
         [admission]\nenabled = true\npolicy = 'lax'\n",
        registry.host
    );
    world.write("lax.yaml", "apiVersion: plimsoll/policy/1\nname: lax\n");
    world.write("config.toml", config + &more);
    let mut layout = Layout::default();
    let top = layout.image(&ship("amd64"));
    registry.push("harbour/ship", &layout, &top, "1");
    let serving = Serving::ready(&world, &["--no-update"]);
    let submitted = serving.submit(&format!("{}/harbour/ship:1", registry.host));
    serving.until(submitted["id"].as_str().unwrap(), &["completed"]);
    let asked = format!(r#"{{"references": ["{}/harbour/ship:1"]}}"#, registry.host);
    let asked = serving.send(plimsoll_net::Request::post("/api/v1/clearances", asked));
    assert_eq!(asked.status, 202);

    world.write("schemathesis.toml", CONFIG);
    let output = Command::new(schemathesis)
        .args(["run", &format!("{}/openapi.json", serving.url), "--checks", CHECKS])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES_MAX, "--seed", SEED])
        // A stream does not end, so that no answer comes to be looked at.
        .args(["--exclude-operation-id", "streamEvents"])
        .args(["--continue-on-failure", "--no-shrink", "--request-timeout", "30", "--warnings", "off"])
        .env("PYTHONHASHSEED", "0")
        .current_dir(world.path("."))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!serving.log().contains("panicked"), "{}", serving.log());
    println!(
        "{}",
        said.lines().rev().take(12).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    );
}
