//! What images of Windows and runtimes of .NET are found to have, from a feed's documents to findings and gaps.

// The lint's exception for tests does not reach the functions that tests call.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use plimsoll_core::advisory::FeedRecord;
use plimsoll_core::ecosystems::{self, Ecosystem};
use plimsoll_core::inventory::{Inventory, Package, Release};
use plimsoll_core::matching::find;
use plimsoll_core::standings::Standings;
use plimsoll_core::{distros, windows};
use plimsoll_feeds::database::{Builder, Database};
use plimsoll_feeds::feeds::{Index, Part, PlanError, Reading, Snapshot, Source, by_name};

/// A case of the feeds' fixtures.
struct Case(PathBuf);

impl Index for Case {
    fn get(&mut self, path: &str) -> Result<Option<Vec<u8>>, PlanError> {
        Ok(fs::read(self.0.join(path)).ok())
    }

    fn held(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Snapshot for Case {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Source>>> {
        let path = self.0.join("cvrf").join(name.trim_end_matches(".json"));
        Ok(fs::read(path).ok().map(|bytes| Box::new(Cursor::new(bytes)) as Box<dyn Source>))
    }
}

/// A database of cases: feed and case.
fn database(cases: &[(&str, &str)]) -> (tempfile::TempDir, Database) {
    let mut builder = Builder::new();
    for (name, case) in cases {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/feeds").join(name).join(case);
        let (feed, mut case) = (by_name(name).unwrap(), Case(path));
        let parts: Vec<Part> = (feed.plan)(feed, &mut case).unwrap();
        let mut sink = builder.begin_feed(FeedRecord { name: (*name).to_owned(), ..FeedRecord::default() });
        for part in &parts {
            let Ok(bytes) = fs::read(case.0.join(&part.path)) else { continue };
            let reading = Reading { feed, part, snapshot: &case };
            (feed.parse)(&reading, &mut Cursor::new(bytes), &mut sink).unwrap();
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("database");
    builder.write(&path, "2026-11-20T10:00:00Z").unwrap();
    (directory, Database::open(&path).unwrap())
}

fn package(ecosystem: &'static Ecosystem, name: &str, version: &str) -> Package {
    Package {
        ecosystem,
        name: name.to_owned(),
        version: version.to_owned(),
        purl: String::new(),
        source: None,
        architecture: None,
        module: None,
        licenses: Vec::new(),
        evidence_path: "/evidence".to_owned(),
        layer: None,
        owned_by: None,
    }
}

/// What is said of a flaw in a package: `fixed in 10.0.20348.2527 by KB5039227`, `no fix`, `gap`, or nothing.
fn said(database: &Database, namespace: &str, name: &str, version: &str, flaw: &str) -> String {
    let product = windows::products::by_namespace(namespace);
    let distro = product.map(|product| Release {
        distro: distros::by_namespace(namespace).unwrap(),
        release: product.release.to_owned(),
    });
    let ecosystem = if distro.is_some() { &ecosystems::WINDOWS } else { &ecosystems::DOTNET };
    let inventory =
        Inventory { distro, packages: vec![package(ecosystem, name, version)], ..Inventory::default() };
    let found = find(&inventory, database, &Standings::default());
    let mut words: Vec<String> = Vec::new();
    for finding in found.findings.iter().filter(|finding| finding.id == flaw) {
        words.push(match (&finding.fixed_in, &finding.update) {
            (Some(version), Some(update)) => format!("fixed in {version} by {update}"),
            (Some(version), None) => format!("fixed in {version}"),
            (None, _) => format!("no fix, {}", finding.fix.name()),
        });
        words.extend(finding.is_fix_ambiguous.then(|| "ambiguous".to_owned()));
        words.extend(finding.is_exploited.then(|| "exploited".to_owned()));
    }
    let gaps = found.gaps.iter().filter(|gap| gap.subject.contains(flaw) || gap.detail.contains(flaw));
    words.extend(gaps.map(|_| "gap".to_owned()));
    words.join(", ")
}

#[test]
fn w22_what_documents_state_leads_to_findings_and_gaps() {
    let cases = [("msrc", "months"), ("msrc", "made-up-builds")];
    let [months, builds] = cases.map(|case| database(&[case]));
    let (months, builds) = (&months.1, &builds.1);
    const CORE_2022: (&str, &str) = ("windows-server-core:2022", "windows_server_2022");
    const CORE_2025: (&str, &str) = ("windows-server-core:2025", "windows_server_2025");
    const CLIENT: (&str, &str) = ("windows-client:11-24H2", "windows_11_24h2");
    const SERVER_2022: (&str, &str) = ("windows-server:2022", "windows_server_2022");
    for (database, (namespace, package), version, flaw, expected) in [
        (months, SERVER_2022, "10.0.20348.2402", "CVE-2024-30080", "fixed in 10.0.20348.2527 by KB5039227"),
        // That of a hotpatch.
        (months, SERVER_2022, "10.0.20348.2522", "CVE-2024-30080", "fixed in 10.0.20348.2527 by KB5039227"),
        (months, SERVER_2022, "10.0.20348.2527", "CVE-2024-30080", ""),
        // Two months state it, and the second two fixes.
        (months, CORE_2022, "10.0.20348.2402", "CVE-2024-30080", "fixed in 10.0.20348.2655 by KB5041054"),
        (
            months,
            CORE_2022,
            "10.0.20348.2600",
            "CVE-2024-30080",
            "fixed in 10.0.20348.2655 by KB5041054, ambiguous",
        ),
        (months, CORE_2022, "10.0.20348.2655", "CVE-2024-30080", ""),
        (months, CORE_2022, "10.0.20348.9999", "CVE-0000-1001", "no fix, none, exploited"),
        // Server and client are revised apart.
        (builds, CORE_2025, "10.0.26100.7462", "CVE-2026-33829", "fixed in 10.0.26100.32690 by KB5082063"),
        (builds, CORE_2025, "10.0.26100.32690", "CVE-2026-33829", ""),
        (builds, CLIENT, "10.0.26100.8246", "CVE-2026-33829", ""),
        (builds, CLIENT, "10.0.26100.8245", "CVE-2026-33829", "fixed in 10.0.26100.8246 by KB5083769"),
        (builds, CORE_2025, "10.0.26100.4349", "CVE-2025-49735", ""),
        (builds, CORE_2025, "10.0.26100.4348", "CVE-2025-49735", "fixed in 10.0.26100.4349"),
        // A build that is not known hides nothing and clears nothing.
        (builds, CORE_2025, "10.0.26100.4349", "CVE-0000-2001", "gap"),
        (builds, CORE_2022, "10.0.20348.2402", "CVE-0000-2004", "fixed in 10.0.20348.3932 by KB5062572"),
        (builds, CORE_2022, "10.0.20348.3932", "CVE-0000-2004", ""),
        (builds, CORE_2022, "10.0.20348.3932", "CVE-0000-2005", "gap"),
        (builds, CORE_2022, "10.0.20348.3931", "CVE-0000-2010", "fixed in 10.0.20348.3932 by KB5062572"),
        (builds, CORE_2022, "10.0.20348.3932", "CVE-0000-2010", "gap"),
        (builds, CORE_2022, "10.0.20348.1", "ADV990001", ""),
    ] {
        assert_eq!(said(database, namespace, package, version, flaw), expected, "{package} {version} {flaw}");
    }
}

#[test]
fn frameworks_and_runtimes_are_held_against_their_own_versions() {
    let frameworks = database(&[("msrc", "framework")]);
    // The second feed repeats what the first says, and the first decides.
    let both = database(&[("msrc", "xml"), ("dotnet-releases", "channels")]);
    const CORE_2019: &str = "windows-server-core:2019";
    const CORE_2016: &str = "windows-server-core:2016";
    for (namespace, package, version, flaw, expected) in [
        (
            CORE_2019,
            "dotnet-framework-4.8",
            "4.8.4584.8",
            "CVE-2023-29326",
            "fixed in 4.8.4644.0 by KB5027536",
        ),
        (CORE_2019, "dotnet-framework-4.8", "4.8.4644.0", "CVE-2023-29326", ""),
        (
            CORE_2019,
            "dotnet-framework-3.5",
            "2.0.50727.8964",
            "CVE-2023-29326",
            "fixed in 2.0.50727.8970 by KB5027536",
        ),
        // The component is for 3.5 and 4.8 alone.
        (CORE_2019, "dotnet-framework-4.7.2", "4.7.3000.0", "CVE-2023-29326", ""),
        (
            CORE_2016,
            "dotnet-framework-4.8",
            "4.8.4500.0",
            "CVE-2022-41064",
            "fixed in 4.8.4584.8 by KB5020687",
        ),
        (
            CORE_2016,
            "windows_server_2016",
            "10.0.14393.5427",
            "CVE-2022-41064",
            "fixed in 10.0.14393.5501 by KB5019964",
        ),
        (CORE_2016, "windows_server_2016", "10.0.14393.5501", "CVE-2022-41064", ""),
        (CORE_2019, "dotnet-framework-3.5", "2.0.50727.8970", "CVE-0000-3001", "gap"),
        ("dotnet", "dotnet-runtime", "8.0.2", "CVE-0000-3006", "fixed in 8.0.3 by KB5027797"),
        ("dotnet", "dotnet-runtime", "6.0.2", "CVE-0000-3006", ""),
    ] {
        assert_eq!(
            said(&frameworks.1, namespace, package, version, flaw),
            expected,
            "{package} {version} {flaw}"
        );
    }
    for (version, expected) in [
        ("8.0.2", "fixed in 8.0.3 by KB5036452"),
        ("8.0.0-rc.2.23479.6", "fixed in 8.0.3 by KB5036452"),
        ("8.0.3", ""),
        ("7.0.16", "fixed in 7.0.17 by KB5036451"),
        ("9.0.0-preview.1.24080.9", ""),
    ] {
        let found = said(&both.1, "dotnet", "dotnet-runtime", version, "CVE-2024-21392");
        assert_eq!(found, expected, "{version}");
    }
}
