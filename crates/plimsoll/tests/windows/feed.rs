//! Microsoft's feed with statements of the matrix. Numbers are those of public bulletins where the CVE is a real one.

use serde_json::{Value, json};

use crate::support::World;
use crate::support::feeds::days_ago;

/// Product numbers of this feed's documents.
const PRODUCTS: [(&str, &str); 9] = [
    ("11572", "Windows Server 2019 (Server Core installation)"),
    ("11923", "Windows Server 2022"),
    ("11924", "Windows Server 2022 (Server Core installation)"),
    ("12437", "Windows Server 2025 (Server Core installation)"),
    ("12390", "Windows 11 Version 24H2 for x64-based Systems"),
    ("11676-11572", "Microsoft .NET Framework 3.5 AND 4.8 on Windows Server 2019 (Server Core installation)"),
    ("12260", ".NET 8.0"),
    ("12414", ".NET 8.0 installed on Windows"),
    ("90001", "Windows Server, version 20H2 (Server Core Installation)"),
];

/// Writes a feed of one document, a configuration that points to it and to nothing else, and the database.
pub(crate) fn write(world: &World, document: &Value) {
    let index = json!({"value": [{"ID": "2024-Jun", "CurrentReleaseDate": days_ago(1)}]});
    world.write("msrc/updates", index.to_string());
    world.write("msrc/cvrf/2024-Jun", document.to_string());
    world.write(
        "config.toml",
        format!(
            "[feeds.\"*\"]\nenabled = false\n[feeds.msrc]\nenabled = true\nurl = \"{}\"\n",
            world.url("msrc")
        ),
    );
    let updated = world.plimsoll(&["feeds", "update"]);
    assert_eq!(updated.code, 0, "{updated}");
}

/// The document.
pub(crate) fn june() -> Value {
    let products: Vec<Value> =
        PRODUCTS.iter().map(|(id, name)| json!({"ProductID": id, "Value": name})).collect();
    json!({
        "DocumentTitle": {"Value": "Statements for tests"},
        "DocumentTracking": {
            "Identification": {"ID": {"Value": "2024-Jun"}},
            "InitialReleaseDate": "2024-06-11T07:00:00",
            "CurrentReleaseDate": days_ago(1).trim_end_matches('Z'),
        },
        "ProductTree": {"FullProductName": products},
        "Vulnerability": [
            flaw("CVE-2024-30080", "Microsoft Message Queuing", &["11923", "11924"], &[
                fix("5039227", "Security Update", "10.0.20348.2527", &["11923", "11924"]),
                fix("5039330", "Security Hotpatch Update", "10.0.20348.2522", &["11923", "11924"]),
            ]),
            flaw("CVE-2026-33829", "Windows Kernel", &["12437", "12390"], &[
                fix("5083769", "Security Update", "10.0.26100.32690", &["12437"]),
                fix("5083768", "Security Update", "10.0.26100.8246", &["12390"]),
            ]),
            flaw("CVE-2030-0002", "Windows Shell", &["12437"], &[
                fix("5060842", "Security Update", "10.0.26200.4349", &["12437"]),
            ]),
            flaw("CVE-2030-0003", "Windows Shell", &["11924"], &[]),
            flaw("CVE-2030-0004", "Windows Secure Boot", &["11924"], &[
                fix("5039228", "Security Update", "1.001", &["11924"]),
                fix("5039227", "Security Update", "10.0.20348.2527", &["11924"]),
            ]),
            flaw("CVE-2030-0005", ".NET Framework", &["11676-11572"], &[
                fix("5027536", "Security Update", "4.8.4644.0", &["11676-11572"]),
            ]),
            flaw("CVE-2024-21392", ".NET", &["12260", "12414"], &[
                fix("5036451", "Security Update", "8.0.3", &["12260", "12414"]),
            ]),
            flaw("CVE-2030-0006", "Windows Shell", &["90001"], &[
                fix("5016616", "Security Update", "10.0.19042.1889", &["90001"]),
            ]),
        ],
    })
}

fn flaw(cve: &str, tag: &str, products: &[&str], remediations: &[Value]) -> Value {
    json!({
        "CVE": cve,
        "Title": {"Value": format!("{tag}: a flaw")},
        "Notes": [{"Title": tag, "Type": 7, "Ordinal": "20", "Value": tag}],
        "ProductStatuses": [{"ProductID": products, "Type": 3}],
        "Threats": [
            {"Type": 3, "Description": {"Value": "Important"}, "ProductID": products},
            {"Type": 1, "Description": {"Value": "Publicly Disclosed:No;Exploited:Yes;Latest Software Release:Exploitation Detected"}},
        ],
        "CVSSScoreSets": [],
        "Remediations": remediations,
    })
}

fn fix(kb: &str, kind: &str, build: &str, products: &[&str]) -> Value {
    json!({
        "Type": 2, "SubType": kind, "Description": {"Value": kb}, "FixedBuild": build, "ProductID": products,
        "URL": format!("https://support.microsoft.com/help/{kb}"),
    })
}
