//! Servers and assessments for tests, built from plain data. No advisory, image or score here is a real one.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use jiff::Timestamp;
use plimsoll_core::advisory::{
    Advisory, Affected, Cvss, DatabaseIdentity, Epss, FeedRecord, FixState, Kev, Range, RangeEnd, Severity,
    Status,
};
use plimsoll_core::assessment::Assessment;
use plimsoll_core::coverage::{Coverage, CoverageState};
use plimsoll_core::digest::Digest;
use plimsoll_core::distros;
use plimsoll_core::ecosystems::{self, Ecosystem};
use plimsoll_core::finding::{Evidence, Finding, Findings, SeveritySource};
use plimsoll_core::gap::{Gap, GapKind};
use plimsoll_core::image::{Image, Layer, Platform};
use plimsoll_core::inventory::{Inventory, OsRelease, Package, SourcePackage};
use plimsoll_core::policy::Verdict;
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_core::windows::components::Scope;
use plimsoll_feeds::database::Builder;
use plimsoll_feeds::feeds::Sink as _;
use plimsoll_feeds::update::database_path;
use plimsoll_image::cache::index_state;
use plimsoll_store::{
    Claim, Claimed, InventoryRow, Judged, Outcome, Priority, ScanKind, Severities, Store, Submission,
};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::config::Config;
use crate::http::router;
use crate::server::Server;

/// The time of all tests.
pub(crate) fn now() -> Timestamp {
    "2030-01-02T03:04:05Z".parse().expect("it is a time")
}

/// A server with a store of its own, and maybe a database.
pub(crate) struct TestServer {
    pub(crate) server: Arc<Server>,
    pub(crate) store: Arc<Store>,
    router: Router,
    /// Where its advisories are; removed with the server.
    pub(crate) folder: TempDir,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answered {
    /// The body, which is text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    /// The body, which is JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The values of a header, or an empty text, with commas between them.
    pub(crate) fn header(&self, name: &str) -> String {
        let values =
            self.headers.get_all(name).iter().map(|value| value.to_str().expect("headers are ASCII"));
        values.collect::<Vec<_>>().join(", ")
    }
}

impl TestServer {
    /// A server that is ready, of this configuration.
    pub(crate) fn new(config: &str, has_database: bool) -> TestServer {
        let folder = tempfile::tempdir().expect("there is room");
        if has_database {
            build_database(folder.path());
        }
        let place = folder.path().join("store.sqlite");
        let store = Arc::new(Store::open(place.to_str().expect("it is text")).expect("a new store opens"));
        let config = Config::parse(config).expect("the configuration is valid");
        let server = Server::new(config, folder.path().to_owned(), Vec::new(), "replica".to_owned(), now);
        let server = Arc::new(server);
        server.set_store(Arc::clone(&store));
        server.lifecycle.ready();
        let router = router(&server);
        TestServer { server, store, router, folder }
    }

    /// Asks: `METHOD PATH`, headers `NAME: VALUE`, a body.
    pub(crate) fn ask(&self, line: &str, headers: &[&str], body: &str) -> Answered {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let mut request =
            Request::builder().method(method.parse::<Method>().expect("it is a method")).uri(path);
        for header in headers {
            let (name, value) = header.split_once(": ").expect("a name and a value");
            request = request.header(name, value);
        }
        let request = request.body(Body::from(body.to_owned())).expect("it is a request");
        let router = self.router.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it starts");
        runtime.block_on(async move {
            let response = router.oneshot(request).await.expect("it answers");
            let (parts, body) = response.into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("the body is whole").to_vec();
            Answered { status: parts.status, headers: parts.headers, body }
        })
    }

    /// Submits an image.
    pub(crate) fn submit(&self, byte: u8, kind: ScanKind) {
        self.store.submit(&submission(byte, kind), now()).expect("it is taken");
    }

    /// Submits an image and claims it.
    pub(crate) fn claim(&self, byte: u8, kind: ScanKind) -> Claimed {
        self.submit(byte, kind);
        let id = digest(byte).as_str().to_owned();
        let until = now() + std::time::Duration::from_secs(60);
        let claim = Claim { worker: "w", until, per_registry_max: 9, all_max: 9, only: Some(&id) };
        self.store.claim(&claim, now()).expect("the store answers").expect("it is due")
    }

    /// Brings an image to this outcome.
    pub(crate) fn finish(&self, byte: u8, kind: ScanKind, outcome: &Outcome) {
        let claimed = self.claim(byte, kind);
        assert!(self.store.finish(&claimed.lease, outcome, now()).expect("the store answers"));
    }

    /// Has an image scanned.
    pub(crate) fn scanned(&self, byte: u8, assessment: &Assessment) {
        self.finish(byte, ScanKind::Image, &judged(row(byte, assessment)));
    }
}

/// An image that somebody asks for.
pub(crate) fn submission(byte: u8, kind: ScanKind) -> Submission {
    Submission {
        digest: Some(digest(byte)),
        kind,
        reference: String::new(),
        registry: "registry.example".to_owned(),
        repository: String::new(),
        source: Vec::new(),
        priority: Priority::Asked,
        reason: Reason::Asked,
        attempts_max: 3,
        index_state: index_state(),
        is_forced: false,
    }
}

/// What is aboard, as the store has it.
pub(crate) fn row(byte: u8, assessment: &Assessment) -> InventoryRow {
    InventoryRow {
        image: Image { digest: Some(digest(byte)), ..assessment.image.clone() },
        inventory: assessment.inventory.clone(),
        index_state: index_state(),
        indexed_at: now(),
    }
}

/// The outcome of an image that is scanned.
pub(crate) fn judged(row: InventoryRow) -> Outcome {
    Outcome::Judged {
        inventory: Box::new(row),
        judged: Judged {
            database: digest(0xdb).as_str().to_owned(),
            database_built_at: "2030-01-01T00:00:00Z".to_owned(),
            at: now(),
            packages: 3,
            findings: Severities { high: 2, unknown: 1, ..Severities::default() },
            fixable: 1,
            exploited: 0,
            gaps: 0,
            late_feeds: Vec::new(),
            layer_bytes: Some(3_600_000),
        },
        state: ScanState::Completed,
        reason: Reason::Complete,
        detail: "3 findings".to_owned(),
    }
}

/// Advisories of Alpine, as in [`rich`], and of npm.
pub(crate) fn build_database(folder: &std::path::Path) {
    build_database_of(folder, &["CVE-2030-0001".to_owned()]);
}

/// The same, with these flaws of OpenSSL.
pub(crate) fn build_database_of(folder: &std::path::Path, flaws: &[String]) {
    let mut builder = Builder::new();
    let feed = |name: &str, day: u8| FeedRecord {
        name: name.to_owned(),
        fetched_at: format!("2030-01-0{day}T00:00:00Z"),
        ..FeedRecord::default()
    };
    let advisory = |id: &str| Advisory {
        id: id.to_owned(),
        summary: "a flaw".to_owned(),
        references: vec![format!("https://advisories.example/{id}")],
        ..Advisory::default()
    };
    let affected = |namespace: &str, package: &str, fixed: &str| Affected {
        namespace: namespace.to_owned(),
        package: package.to_owned(),
        status: Status::Affected,
        fix: FixState::Unstated,
        ranges: vec![Range { introduced: None, end: RangeEnd::Fixed(fixed.to_owned()) }],
        module: None,
        architectures: Vec::new(),
        severity: Some(Severity::High),
    };
    let mut sink = builder.begin_feed(feed("alpine-secdb", 1));
    for flaw in flaws {
        sink.advisory(&advisory(flaw), &[affected("alpine:3.20", "openssl", "3.3.2-r0")]);
    }
    let mut sink = builder.begin_feed(feed("kev", 2));
    sink.kev("CVE-2030-0009", kev());
    let path = database_path(folder);
    builder.write(&path, "2030-01-01T00:00:00Z").expect("the database is written");
}

/// A digest of one byte.
pub(crate) fn digest(byte: u8) -> Digest {
    Digest::sha256(&[byte; 32])
}

/// Every assessment with its name.
pub(crate) fn all() -> Vec<(&'static str, Assessment)> {
    vec![
        ("bare", bare()),
        ("rich", rich()),
        ("unknown-distro", unknown_distro()),
        ("without-scores", without_scores()),
    ]
}

/// An Alpine image with packages of several languages and findings of every kind.
pub(crate) fn rich() -> Assessment {
    let mut crypto = package(&ecosystems::APK, "libcrypto3", "3.3.1-r0", "/lib/apk/db/installed");
    crypto.source = Some(source("openssl", "3.3.1-r0"));
    crypto.architecture = Some("x86_64".to_owned());
    crypto.layer = Some(digest(0x11));
    let ssl =
        Package { name: "libssl3".to_owned(), purl: "pkg:apk/libssl3@3.3.1-r0".to_owned(), ..crypto.clone() };
    let tool = package(&ecosystems::GOLANG, "stdlib", "1.22.0", "/usr/bin/tool");
    let log = package(&ecosystems::MAVEN, "org.example:log", "2.14.0", "/app.jar!/BOOT-INF/lib/log.jar");
    let mut knot =
        package(&ecosystems::NPM, "@deck/knot", "1.0.0", "/srv/a/node_modules/@deck/knot/package.json");
    knot.layer = Some(digest(0x22));
    let twin =
        Package { evidence_path: "/srv/b/node_modules/@deck/knot/package.json".to_owned(), ..knot.clone() };
    let owned = Package { owned_by: Some("npm".to_owned()), layer: Some(digest(0x11)), ..knot.clone() };
    let unstated = package(&ecosystems::PYPI, "sextant", "", "/usr/lib/python3/sextant-1.dist-info/METADATA");
    assessment(
        Inventory {
            windows: None,
            distro: distros::recognise(&os_release()),
            os_release: Some(os_release()),
            packages: vec![crypto, ssl, tool, log, knot, twin, owned, unstated],
            gaps: vec![Gap::new(GapKind::VersionUnknown, "sextant", "no file states its version")],
        },
        Findings {
            findings: rich_findings(),
            coverage: vec![
                need("alpine:3.20", "alpine-secdb", CoverageState::Loaded, 2),
                Coverage { data_date: None, ..need("golang", "osv-go", CoverageState::Missing, 1) },
                need("kev", "kev", CoverageState::Stale, 0),
                need("npm", "osv-npm", CoverageState::Stale, 2),
            ],
            gaps: vec![Gap::new(GapKind::FeedMissing, "golang", "the database has nothing of feed `osv-go`")],
        },
    )
}

fn rich_findings() -> Vec<Finding> {
    let openssl = |id: &str, package: usize, severity: Option<Severity>| Finding {
        evidence: evidence("alpine:3.20", "openssl", "3.3.1-r0"),
        ..finding(id, package, severity)
    };
    let mut worst = openssl("CVE-2030-0001", 0, Some(Severity::Critical));
    worst.fixed_in = Some("3.3.2-r0".to_owned());
    worst.cvss = vec![
        cvss("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"),
        cvss("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"),
        cvss("AV:N/AC:L/Au:N/C:P/I:P/A:P"),
        cvss("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:L/A:L"),
    ];
    worst.kev = Some(kev());
    worst.epss = Some(Epss { score: 0.975, percentile: 0.999 });
    let same = Finding { package: 1, ..worst.clone() };
    // The vendor does not know, and a vector says ten.
    let mut ten = openssl("CVE-2030-0002", 0, None);
    ten.severity_source = SeveritySource::Nobody;
    ten.cvss = vec![cvss("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H")];
    ten.references = vec![
        "javascript:alert(1)".to_owned(),
        "https://advisories.example/a b?x=[1]".to_owned(),
        "https://advisories.example/a b?x=[1]".to_owned(),
        "https://evil.example/\r\nx".to_owned(),
    ];
    let of_language = |id: &str, package: usize, namespace: &str, name: &str| Finding {
        feed: format!("osv-{namespace}"),
        evidence: evidence(namespace, name, "1.0.0"),
        ..finding(id, package, Some(Severity::Medium))
    };
    let mut scored = of_language("GHSA-aaaa-bbbb-cccc", 4, "npm", "@deck/knot");
    scored.severity_source = SeveritySource::Cvss;
    scored.cvss = vec![cvss("CVSS:3.1/AV:L/AC:L/PR:L/UI:R/S:U/C:L/I:L/A:L")];
    scored.aliases = vec!["CVE-2030-0003".to_owned()];
    let twin = Finding { package: 5, ..scored.clone() };
    let mut only_four = of_language("CVE-2030-0004", 3, "maven", "org.example:log");
    only_four.severity_source = SeveritySource::Cvss;
    only_four.severity = Some(Severity::High);
    only_four.cvss = vec![cvss("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N")];
    only_four.fixed_in = Some("0".to_owned());
    let mut open = openssl("CVE-2030-0005", 1, Some(Severity::Negligible));
    open.status = Status::UnderInvestigation;
    open.fix = FixState::WillNotFix;
    open.description = String::new();
    open.references = Vec::new();
    vec![worst, same, ten, scored, twin, only_four, open]
}

/// An Alpine image with packages of Alpine alone.
pub(crate) fn system() -> Assessment {
    let mut assessment = rich();
    assessment.inventory.packages.truncate(2);
    assessment.inventory.gaps.clear();
    assessment
}

/// No distribution, no packages, nothing known.
pub(crate) fn bare() -> Assessment {
    assessment(Inventory::default(), Findings::default())
}

/// An os-release that no row knows, whose packages nobody judges.
pub(crate) fn unknown_distro() -> Assessment {
    let os =
        OsRelease { id: "borealis".to_owned(), version_id: Some("4".to_owned()), ..OsRelease::default() };
    let packages = vec![package(&ecosystems::DEB, "adduser", "3.134", "/var/lib/dpkg/status")];
    let gaps = vec![Gap::new(GapKind::UnknownDistro, "borealis 4", "`borealis` is not known")];
    assessment(
        Inventory { distro: None, os_release: Some(os), windows: None, packages, gaps },
        Findings::default(),
    )
}

/// What is exploited, and nobody has scored.
pub(crate) fn without_scores() -> Assessment {
    let mut assessment = rich();
    assessment.findings.findings.truncate(1);
    for finding in &mut assessment.findings.findings {
        finding.cvss.retain(|cvss| !cvss.version.starts_with('3'));
    }
    assessment
}

fn assessment(inventory: Inventory, findings: Findings) -> Assessment {
    let layer = |byte: u8| Layer {
        digest: digest(byte),
        diff_id: None,
        media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
        size: u64::from(byte),
        created_by: None,
    };
    Assessment {
        image: Image {
            reference: String::new(),
            digest: Some(digest(0xaa)),
            config_digest: None,
            platform: Platform::default(),
            layers: vec![layer(0x11), layer(0x22)],
        },
        inventory,
        findings,
        database: Some(DatabaseIdentity {
            id: digest(0xdb).as_str().to_owned(),
            built_at: "2030-01-01T00:00:00Z".to_owned(),
        }),
        verdict: Verdict::NothingDemanded,
    }
}

fn os_release() -> OsRelease {
    OsRelease {
        id: "alpine".to_owned(),
        version_id: Some("3.20.3".to_owned()),
        pretty_name: Some("Alpine Linux v3.20".to_owned()),
        ..OsRelease::default()
    }
}

fn package(ecosystem: &'static Ecosystem, name: &str, version: &str, path: &str) -> Package {
    Package {
        ecosystem,
        name: name.to_owned(),
        version: version.to_owned(),
        purl: format!("pkg:{}/{name}@{version}", ecosystem.name),
        source: None,
        architecture: None,
        module: None,
        licenses: Vec::new(),
        evidence_path: path.to_owned(),
        layer: None,
        owned_by: None,
    }
}

fn source(name: &str, version: &str) -> SourcePackage {
    SourcePackage { name: name.to_owned(), version: version.to_owned() }
}

fn finding(id: &str, package: usize, severity: Option<Severity>) -> Finding {
    Finding {
        id: id.to_owned(),
        aliases: Vec::new(),
        package,
        advisory: format!("ADV-{id}"),
        feed: "alpine-secdb".to_owned(),
        severity,
        severity_source: SeveritySource::Vendor,
        cvss: Vec::new(),
        fixed_in: None,
        update: None,
        is_fix_ambiguous: false,
        is_exploited: false,
        scope: Scope::Image,
        fix: FixState::Unstated,
        status: Status::Affected,
        summary: format!("{id} lets a sailor read the captain's log"),
        description: "A long text.".to_owned(),
        references: vec![format!("https://advisories.example/{id}")],
        kev: None,
        epss: None,
        evidence: evidence("", "", ""),
    }
}

fn evidence(namespace: &str, name: &str, version: &str) -> Evidence {
    Evidence {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        scheme: "semver",
        range: String::new(),
    }
}

fn kev() -> Kev {
    Kev {
        date_added: "2030-01-01".to_owned(),
        due_date: "2030-01-15".to_owned(),
        is_used_by_ransomware: true,
    }
}

fn cvss(vector: &str) -> Cvss {
    Cvss::read("nvd", vector).expect("the vector is well-formed")
}

fn need(needs: &str, feed: &str, state: CoverageState, packages: usize) -> Coverage {
    Coverage {
        needs: needs.to_owned(),
        feed: feed.to_owned(),
        state,
        data_date: Some("2030-01-01T00:00:00Z".to_owned()),
        failing_since: None,
        packages,
        is_filled_in: false,
    }
}
