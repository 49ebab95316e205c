//! A real Debian root, judged by the binary and by `dpkg`.
//!
//! Second tier: runs with `PLIMSOLL_TIER2=1` and needs `mmdebstrap` with a mirror that it can reach, `dpkg`,
//! `tar` and `pigz`. The feed has the tracker's shape; its facts (package, flaw, version with the fix) are
//! those of the packages' own changelogs. Nearly all of them are fixed in what is installed, so some are set
//! anew, to versions around the installed one.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::process::Command;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use support::images::{self, Layout};
use support::{World, second_tier, without_identity};

mod support;

const SUITE: &str = "bookworm";

/// What `dpkg` says of one binary package.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Installed {
    name: String,
    version: String,
    architecture: String,
    source: String,
    source_version: String,
}

/// What a feed says of one flaw of a source package.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fact {
    FixedIn(String),
    NeverAffected,
    Open,
}

/// Source package and flaw.
type Facts = BTreeMap<(String, String), Fact>;

#[test]
fn a_debian_root_is_judged_as_dpkg_would() {
    if !second_tier(&["mmdebstrap", "dpkg", "dpkg-query", "tar", "pigz"]) {
        return;
    }
    let world = World::new();
    make_root(&world);
    let installed = installed(&world);
    assert!(installed.len() > 80, "{} packages", installed.len());
    let facts = set_some_anew(facts_of_changelogs(&world, &installed), &installed);
    write_tracker(&world, &facts);
    world.plimsoll(&["feeds", "update", "debian-tracker"]).expect(0);

    let (code, report) = world.scan(&["oci:debian"]);
    // Python packages that belong to no package would need OSV; all of them do belong to one.
    assert_eq!(code, 0, "{}", report["gaps"]);
    assert_eq!(catalogued(&report), installed);
    let found: BTreeSet<(String, String)> =
        report["findings"].as_array().unwrap().iter().map(found).collect();
    let expected = expected(&installed, &facts);
    println!("{} packages, {} facts, {} findings", installed.len(), facts.len(), expected.len());
    assert!(expected.len() > 50, "too few to mean anything");
    assert_eq!(found, expected);

    let (code, of_root) = world.scan(&["dir:root"]);
    assert_eq!(code, 0, "{}", of_root["gaps"]);
    assert_eq!(without_identity(of_root), without_identity(report.clone()));
    let requests =
        report["packages"].as_array().unwrap().iter().find(|one| one["purl"] == "pkg:pypi/requests@2.28.1");
    assert_eq!(requests.unwrap()["owned_by"], "python3-requests");
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Makes the root, as an image in a layout and unpacked.
fn make_root(world: &World) {
    let tar = world.path("root.tar");
    let options = ["--variant=minbase", "--include=openssl,python3-requests", SUITE];
    run(Command::new("mmdebstrap").args(options).arg(&tar));
    fs::create_dir(world.path("root")).unwrap();
    run(Command::new("tar").args(["--exclude=./dev", "-xf"]).arg(&tar).arg("-C").arg(world.path("root")));
    let diff_id = images::digest(&fs::read(&tar).unwrap());
    run(Command::new("pigz").arg("-1").arg(&tar));
    let mut layout = Layout::default();
    let layer = fs::read(world.path("root.tar.gz")).unwrap();
    let layer = layout.blob("application/vnd.oci.image.layer.v1.tar+gzip", layer);
    let rootfs = json!({"type": "layers", "diff_ids": [diff_id]});
    let config = json!({"os": "linux", "architecture": "amd64", "rootfs": rootfs});
    let config = layout.blob(images::CONFIG, config.to_string().into_bytes());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": images::MANIFEST, "config": config, "layers": [layer],
    });
    let descriptor = layout.blob(images::MANIFEST, manifest.to_string().into_bytes());
    layout.name(descriptor, None);
    layout.write(world, "debian");
}

fn installed(world: &World) -> BTreeSet<Installed> {
    let format = "${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n";
    let admin = format!("--admindir={}", world.path("root/var/lib/dpkg").display());
    let lines = run(Command::new("dpkg-query").args([&admin, "-W", "-f", format]));
    let read = |line: &str| {
        let [status, name, version, architecture, source, source_version] =
            line.split('\t').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(status, "installed");
        Installed { name, version, architecture, source, source_version }
    };
    lines.lines().map(read).collect()
}

/// The same of a report.
fn catalogued(report: &Value) -> BTreeSet<Installed> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let packages = report["packages"].as_array().unwrap();
    let debs = packages.iter().filter(|package| package["ecosystem"] == "deb");
    debs.map(|package| Installed {
        name: text(&package["name"]),
        version: text(&package["version"]),
        architecture: text(&package["architecture"]),
        source: text(&package["source"]["name"]),
        source_version: text(&package["source"]["version"]),
    })
    .collect()
}

/// Package and flaw of a finding.
fn found(finding: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&finding["package"]["name"]), text(&finding["id"]))
}

/// Which flaws the changelogs name, and in which version they were fixed last.
fn facts_of_changelogs(world: &World, installed: &BTreeSet<Installed>) -> Facts {
    let mut facts = Facts::new();
    for package in installed {
        let folder = world.path("root/usr/share/doc").join(&package.name);
        let Some(file) =
            ["changelog.Debian.gz", "changelog.gz"].iter().find_map(|name| fs::read(folder.join(name)).ok())
        else {
            continue;
        };
        let mut bytes = Vec::new();
        GzDecoder::new(file.as_slice()).read_to_end(&mut bytes).unwrap();
        let (mut source, mut version) = ("", "");
        let text = String::from_utf8_lossy(&bytes);
        for line in text.lines() {
            // `source (version) suites; urgency=..`; what belongs to an entry is indented.
            if let Some((name, rest)) = line.split_once(" (").filter(|_| !line.starts_with(' ')) {
                (source, version) = (name, rest.split(')').next().unwrap());
            }
            for id in cves(line) {
                // Newest first; upstream's changelogs have no version in parentheses.
                let fact = || Fact::FixedIn(version.to_owned());
                if source == package.source && version.starts_with(|c: char| c.is_ascii_digit()) {
                    facts.entry((source.to_owned(), id)).or_insert_with(fact);
                }
            }
        }
    }
    facts
}

/// Every whole `CVE-YEAR-NUMBER` of a line.
fn cves(line: &str) -> Vec<String> {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let is_number = |text: &str| text.len() >= 4 && text.bytes().all(|b| b.is_ascii_digit());
    words
        .filter(|word| {
            let parts: Vec<&str> = word.split('-').collect();
            matches!(parts[..], ["CVE", year, number] if year.len() == 4 && is_number(year) && is_number(number))
        })
        .map(str::to_owned)
        .collect()
}

/// Sets some facts to versions just around the installed one, and to what is no version.
fn set_some_anew(mut facts: Facts, installed: &BTreeSet<Installed>) -> Facts {
    let versions: BTreeMap<&str, &str> =
        installed.iter().map(|one| (one.source.as_str(), one.source_version.as_str())).collect();
    for (at, ((source, _), fact)) in facts.iter_mut().enumerate() {
        let version = versions[source.as_str()];
        match at % 20 {
            0 | 5 | 10 => *fact = Fact::FixedIn(format!("{version}+1")),
            1 => *fact = Fact::FixedIn(version.to_owned()),
            2 => *fact = Fact::FixedIn(format!("{version}~1")),
            3 => *fact = Fact::FixedIn(format!("99:{version}")),
            4 => *fact = Fact::Open,
            6 => *fact = Fact::NeverAffected,
            7 => *fact = Fact::FixedIn(format!("{version}.1~deb12u1")),
            _ => {}
        }
    }
    facts
}

/// Writes the feed, and a configuration that points to it.
fn write_tracker(world: &World, facts: &Facts) {
    let mut tracker = json!({});
    for ((source, id), fact) in facts {
        let release = match fact {
            Fact::FixedIn(version) => {
                json!({"status": "resolved", "fixed_version": version, "urgency": "medium"})
            }
            Fact::NeverAffected => {
                json!({"status": "resolved", "fixed_version": "0", "urgency": "unimportant"})
            }
            Fact::Open => json!({"status": "open", "urgency": "low"}),
        };
        tracker[source][id] = json!({"scope": "remote", "releases": {SUITE: release}});
    }
    world.write("tracker.json", tracker.to_string());
    world.write("config.toml", format!("[feeds.debian-tracker]\nurl = \"{}\"\n", world.url("tracker.json")));
}

/// What is affected, as `dpkg` compares versions.
fn expected(installed: &BTreeSet<Installed>, facts: &Facts) -> BTreeSet<(String, String)> {
    let is_lower = |a: &str, b: &str| {
        Command::new("dpkg").args(["--compare-versions", a, "lt", b]).status().unwrap().success()
    };
    let mut expected = BTreeSet::new();
    for ((source, id), fact) in facts {
        for package in installed.iter().filter(|package| package.source == *source) {
            let is_affected = match fact {
                Fact::FixedIn(version) => is_lower(&package.source_version, version),
                Fact::NeverAffected => false,
                Fact::Open => true,
            };
            if is_affected {
                expected.insert((package.name.clone(), id.clone()));
            }
        }
    }
    expected
}
