//! Feeds of invented packages and flaws, laid out as their upstreams lay them out.

use std::io::{Cursor, Write as _};
use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::World;

/// The four feeds, fresh, and a configuration that points to them.
pub(crate) fn write_all(world: &World) {
    write_secdb(world, "1.2.3-r1");
    write_last_update(world, 0);
    write_osv(world, &records());
    world.write("feeds/kev.json", kev().to_string());
    world.write("feeds/epss.csv", epss());
    let mut config = String::new();
    for (name, path) in FEEDS {
        config += &format!("[feeds.{name}]\nurl = \"{}\"\n", world.url(path));
    }
    world.write("config.toml", config);
}

/// Turns these four on and all others off, whatever others there are.
pub(crate) fn turn_others_off(world: &World) {
    let list = world.plimsoll(&["feeds", "list"]).expect(0).stdout;
    let mut config = std::fs::read_to_string(world.path("config.toml")).unwrap_or_default();
    let names = list.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next());
    for name in names {
        let is_on = FEEDS.iter().any(|(known, _)| *known == name);
        let section = format!("[feeds.{name}]\n");
        if !config.contains(&section) {
            config += &section;
        }
        config = config.replace(&section, &format!("{section}enabled = {is_on}\n"));
    }
    world.write("config.toml", config);
}

const FEEDS: [(&str, &str); 4] = [
    ("alpine-secdb", "feeds/secdb"),
    ("epss", "feeds/epss.csv"),
    ("kev", "feeds/kev.json"),
    ("osv-pypi", "feeds/osv"),
];

/// When the test began: the same flaw has the same dates all the while.
static NOW: LazyLock<Timestamp> = LazyLock::new(Timestamp::now);

/// A time so many days ago.
pub(crate) fn days_ago(days: u64) -> String {
    (*NOW - Duration::from_secs(days * 24 * 3600)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Alpine's database, with the version of `hull` that has the fix.
pub(crate) fn write_secdb(world: &World, fixed_hull: &str) {
    world.write("feeds/secdb/v3.20/main.json", secdb(fixed_hull).to_string());
}

pub(crate) fn secdb(fixed_hull: &str) -> Value {
    let package = |name: &str, fixes: Value| json!({"pkg": {"name": name, "secfixes": fixes}});
    let hull = json!({
        fixed_hull: ["CVE-2030-0001"],
        "1.2.0-r0": ["CVE-2030-0002"],
        "0": ["CVE-2030-0003"],
    });
    json!({
        "distroversion": "v3.20",
        "reponame": "main",
        "packages": [package("hull", hull), package("keel", json!({"2.0-r5": ["CVE-2030-0004"]}))],
    })
}

/// The date that Alpine's database states.
pub(crate) fn write_last_update(world: &World, days: u64) {
    world.write("feeds/secdb/last-update", days_ago(days));
}

/// OSV's records for Python packages.
pub(crate) fn records() -> Vec<Value> {
    let record = |id: &str, cve: &str, package: &str, events: Value, more: Value| {
        let mut record = json!({
            "id": id,
            "modified": days_ago(1),
            "aliases": [cve],
            "summary": format!("a flaw of {package}"),
            "affected": [{
                "package": {"ecosystem": "PyPI", "name": package},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
            }],
        });
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        record
    };
    let critical = json!({"severity": [{
        "type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
    }]});
    let low = json!({"database_specific": {"severity": "LOW"}});
    let fixed = |version: &str| json!([{"introduced": "0"}, {"fixed": version}]);
    vec![
        record("GHSA-2222-2222-2222", "CVE-2030-0010", "barnacle", fixed("2.0"), critical.clone()),
        record("GHSA-3333-3333-3333", "CVE-2030-0011", "barnacle", json!([{"introduced": "1.0"}]), low),
        record("GHSA-4444-4444-4444", "CVE-2030-0012", "rope", fixed("1.0"), critical.clone()),
        record("GHSA-5555-5555-5555", "CVE-2030-0013", "bilge", fixed("1.1"), critical),
    ]
}

pub(crate) fn write_osv(world: &World, records: &[Value]) {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (at, record) in records.iter().enumerate() {
        let name = record["id"].as_str().map_or_else(|| format!("record-{at}"), str::to_owned);
        zip.start_file(format!("{name}.json"), SimpleFileOptions::default()).unwrap();
        zip.write_all(record.to_string().as_bytes()).unwrap();
    }
    world.write("feeds/osv/PyPI/all.zip", zip.finish().unwrap().into_inner());
}

fn kev() -> Value {
    json!({
        "dateReleased": days_ago(1),
        "vulnerabilities": [{
            "cveID": "CVE-2030-0010",
            "dateAdded": "1999-01-02",
            "dueDate": "1999-01-23",
            "knownRansomwareCampaignUse": "Known",
        }],
    })
}

fn epss() -> String {
    let date = days_ago(1);
    format!(
        "#model_version:v1,score_date:{date}\ncve,epss,percentile\nCVE-2030-0010,0.91,0.99\nCVE-2030-0001,0.02,0.5\n"
    )
}
