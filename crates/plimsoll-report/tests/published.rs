//! Second tier: do the reports follow the schemas that others publish?
//!
//! Runs only where `PLIMSOLL_SCHEMAS` names a folder that `tools/fetch-schemas.sh` has filled, because the
//! schemas are not ours to keep. CycloneDX and SARIF are held against their JSON schemas; SPDX is read and
//! judged by the SPDX project's own Python tools.

mod samples;

use std::path::{Path, PathBuf};
use std::process::Command;

use jsonschema::{Registry, Resource};
use plimsoll_core::assessment::Assessment;
use plimsoll_report::formats::by_name;
use serde_json::Value;

const SCHEMAS: &str = "PLIMSOLL_SCHEMAS";

/// The folder with the schemas; `None`, and a word about it, where there is none.
fn schemas(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(SCHEMAS).map(PathBuf::from);
    if folder.is_none() {
        println!("{test} is skipped: run `tools/fetch-schemas.sh DIR` and set `{SCHEMAS}=DIR`");
    }
    folder
}

/// Every sample, and one with 5,000 findings.
fn every_sample() -> Vec<(&'static str, Vec<Assessment>)> {
    let mut all = samples::all();
    all.push(("large", vec![samples::large(5_000)]));
    all
}

fn report(format: &str, assessments: &[Assessment]) -> String {
    samples::written(by_name(format).expect("the format is on the list"), assessments, &samples::context(80))
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("schemas are JSON")
}

#[track_caller]
fn check(validator: &jsonschema::Validator, format: &str) {
    for (name, assessments) in every_sample() {
        let document: Value = serde_json::from_str(&report(format, &assessments)).expect("reports are JSON");
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .take(10)
            .map(|error| {
                format!(
                    "{}: {}",
                    error.instance_path(),
                    error.to_string().chars().take(300).collect::<String>()
                )
            })
            .collect();
        assert!(errors.is_empty(), "{format} {name}: {errors:#?}");
    }
}

#[test]
fn cyclonedx_follows_its_schema() {
    let Some(folder) = schemas("cyclonedx") else { return };
    let folder = folder.join("cyclonedx");
    let schema = read(&folder.join("bom-1.6.schema.json"));
    let mut registry = Registry::new();
    for name in ["spdx", "jsf-0.82"] {
        let resource = Resource::from_contents(read(&folder.join(format!("{name}.schema.json"))));
        // The packaged copies refer to each other by the names of their files there.
        let uri = format!("http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json");
        registry = registry.add(uri, resource).unwrap();
    }
    let registry = registry.prepare().unwrap();
    let validator =
        jsonschema::options().with_registry(&registry).should_validate_formats(true).build(&schema).unwrap();
    check(&validator, "cyclonedx");
    let mut broken: Value = serde_json::from_str(&report("cyclonedx", &[samples::rich()])).unwrap();
    broken["components"][1]["licenses"][0]["license"]["id"] = Value::from("GPL-2+");
    assert!(!validator.is_valid(&broken), "the licence list is not looked at");
    let mut broken: Value = serde_json::from_str(&report("cyclonedx", &[samples::rich()])).unwrap();
    broken["metadata"]["timestamp"] = Value::from("yesterday");
    assert!(!validator.is_valid(&broken), "formats are not looked at");
}

#[test]
fn sarif_follows_its_schema() {
    let Some(folder) = schemas("sarif") else { return };
    let mut schema = read(&folder.join("sarif/sarif-2.1.0.json"));
    // The published patterns have a bracket too many, so that they are no regular expressions.
    for definition in ["run", "toolComponent"] {
        schema["definitions"][definition]["properties"]["language"]["pattern"] = Value::from("^[a-z]{2}$");
    }
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    check(&validator, "sarif");
    let mut broken: Value = serde_json::from_str(&report("sarif", &[samples::rich()])).unwrap();
    broken["runs"][0]["results"][0]["level"] = Value::from("terrible");
    assert!(!validator.is_valid(&broken));
}

#[test]
fn spdx_passes_the_tools_of_its_project() {
    let Some(folder) = schemas("spdx") else { return };
    let documents = tempfile::tempdir().unwrap();
    let validate = |name: &str, text: &str| {
        let path = documents.path().join(format!("{name}.spdx.json"));
        std::fs::write(&path, text).unwrap();
        let output = Command::new(folder.join("spdx-tools/bin/pyspdxtools"))
            .arg("--infile")
            .arg(&path)
            .output()
            .expect("the folder has the SPDX tools");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    for (name, assessments) in samples::all() {
        let (is_valid, said) = validate(name, &report("spdx", &assessments));
        assert!(is_valid, "{name}: {said}");
    }
    let broken = report("spdx", &[samples::rich()]).replace("SPDXRef-Image-0", "SPDXRef-Image_0");
    assert!(!validate("broken", &broken).0);
}
