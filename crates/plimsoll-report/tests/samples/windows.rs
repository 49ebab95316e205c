//! A Windows image whose version its registry says and its config claims otherwise.

use plimsoll_core::advisory::Severity;
use plimsoll_core::assessment::Assessment;
use plimsoll_core::coverage::CoverageState;
use plimsoll_core::distros::recognise;
use plimsoll_core::ecosystems;
use plimsoll_core::finding::{Evidence, Finding, Findings};
use plimsoll_core::gap::{Gap, GapKind};
use plimsoll_core::inventory::Inventory;
use plimsoll_core::windows::components::Scope;
use plimsoll_core::windows::products::by_namespace;
use plimsoll_core::windows::{Claim, Feature, LevelSource, Update, UpdateState, Windows};

use super::{assessment, digest, finding, judged, need, package};

const NAMESPACE: &str = "windows-server-core:2022";
const NAME: &str = "windows_server_2022";
const HIVE: &str = "/Hives/Software_Delta";

/// Findings of the image, of its host and of a role, of which one has no fix.
pub(crate) fn windows() -> Assessment {
    let windows = system();
    let os_release = windows.os_release();
    let mut package_of_it = package(&ecosystems::WINDOWS, NAME, &windows.version, HIVE);
    package_of_it.purl = format!("pkg:generic/microsoft/{NAME}@{}", windows.version);
    let mut program = package(&ecosystems::WINDOWS_PROGRAM, "NewTool", "2.1", HIVE);
    program.purl = "pkg:generic/NewTool@2.1".to_owned();
    let claim = Gap::new(
        GapKind::ClaimMismatch,
        "os.version",
        "it says 10.0.20348.2527, and registry says 10.0.20348.2402, which counts",
    );
    let programs =
        Gap::new(GapKind::NoFeed, "windows-program", "no feed for it is known, so 1 package was not judged");
    let mut assessment = assessment(
        Inventory {
            distro: os_release.as_ref().and_then(recognise),
            os_release,
            windows: Some(windows),
            packages: vec![package_of_it, program],
            gaps: vec![claim],
        },
        Findings {
            findings: flaws(),
            coverage: vec![
                need(NAMESPACE, "msrc", CoverageState::Loaded, 1),
                need("windows-program", "", CoverageState::Unsupported, 1),
            ],
            gaps: vec![programs],
        },
    );
    assessment.image.platform.os = "windows".to_owned();
    assessment.image.platform.os_version = Some("10.0.20348.2527".to_owned());
    judged(assessment)
}

fn system() -> Windows {
    Windows {
        product: by_namespace(NAMESPACE),
        version: "10.0.20348.2402".to_owned(),
        source: LevelSource::Registry,
        evidence_path: Some(HIVE.to_owned()),
        layer: Some(digest(1)),
        installation_type: Some("Server Core".to_owned()),
        edition: Some("ServerDatacenter".to_owned()),
        claims: vec![
            Claim { source: LevelSource::Registry, version: "10.0.20348.2402".to_owned() },
            Claim { source: LevelSource::Config, version: "10.0.20348.2527".to_owned() },
        ],
        updates: vec![Update {
            name: "KB5036909".to_owned(),
            state: UpdateState::Superseded,
            evidence_path: HIVE.to_owned(),
            layer: Some(digest(1)),
        }],
        features: vec![Feature {
            name: "iis",
            evidence_path: "/Windows/System32/inetsrv/w3wp.exe".to_owned(),
            layer: Some(digest(1)),
        }],
        is_whole: true,
    }
}

fn flaws() -> Vec<Finding> {
    let flaw = |id: &str, severity, fix: Option<(&str, &str)>| Finding {
        feed: "msrc".to_owned(),
        fixed_in: fix.map(|(version, _)| version.to_owned()),
        update: fix.map(|(_, update)| update.to_owned()),
        evidence: Evidence {
            namespace: NAMESPACE.to_owned(),
            name: NAME.to_owned(),
            version: "10.0.20348.2402".to_owned(),
            scheme: "windows-version",
            range: fix.map_or("all versions".to_owned(), |(version, _)| format!("< {version}")),
        },
        ..finding(id, 0, Some(severity))
    };
    let june = ("10.0.20348.2527", "KB5039227");
    let mut exploited = flaw("CVE-2030-0101", Severity::Critical, Some(june));
    exploited.is_exploited = true;
    let mut hosts = flaw("CVE-2030-0102", Severity::High, Some(("10.0.20348.2461", "KB5037782")));
    hosts.scope = Scope::HostKernel;
    let mut of_role = flaw("CVE-2030-0103", Severity::High, Some(june));
    of_role.scope = Scope::RoleNotInstalled;
    let unfixed = flaw("CVE-2030-0104", Severity::Medium, None);
    vec![exploited, hosts, of_role, unfixed]
}
