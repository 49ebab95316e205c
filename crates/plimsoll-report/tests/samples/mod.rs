//! Assessments for tests, built from plain data. No advisory, image or score here is a real one.

use plimsoll_core::advisory::{Cvss, DatabaseIdentity, Epss, FixState, Kev, Severity, Status};
use plimsoll_core::assessment::Assessment;
use plimsoll_core::coverage::{Coverage, CoverageState};
use plimsoll_core::digest::Digest;
use plimsoll_core::distros::{Distro, KeyedBy};
use plimsoll_core::ecosystems::{self, Ecosystem};
use plimsoll_core::finding::{Evidence, Finding, Findings, SeveritySource};
use plimsoll_core::gap::{Gap, GapKind};
use plimsoll_core::image::{Image, Layer, Platform};
use plimsoll_core::inventory::{Inventory, OsRelease, Package, Release, SourcePackage};
use plimsoll_core::policy::{Policy, Threshold, Verdict, judge};
use plimsoll_core::windows::components::Scope;
use plimsoll_report::formats::{Context, Format};

mod windows;

static MARINER: Distro = Distro {
    id: "mariner",
    advisories_of: "mariner",
    other_ids: &[],
    title: "Mariner",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "mariner",
    keyed_by: KeyedBy::Source,
    release: |os| os.version_id.clone(),
    osv: "",
    osv_release: |_| None,
    lifecycle: plimsoll_core::distros::NO_LIFECYCLE,
    feeds: &["mariner-oval"],
    supplements: &[],
};

/// Every sample with its name.
pub(crate) fn all() -> Vec<(&'static str, Vec<Assessment>)> {
    vec![
        ("clean", vec![clean()]),
        ("hostile", vec![hostile()]),
        ("late-feeds", vec![late_feeds()]),
        ("platforms", platforms()),
        ("rich", vec![rich()]),
        ("undecided", vec![undecided()]),
        ("unknown-distro", vec![unknown_distro()]),
        ("windows", vec![windows::windows()]),
    ]
}

/// A context without colours.
pub(crate) fn context(width: usize) -> Context {
    Context { version: "0.1.0".to_owned(), now: "2026-01-02T03:04:05.678Z".to_owned(), colour: false, width }
}

/// What a format writes.
pub(crate) fn written(format: &Format, assessments: &[Assessment], context: &Context) -> String {
    let mut out = Vec::new();
    (format.write)(assessments, context, &mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("reports are UTF-8")
}

/// A refused image with findings of every kind, an epoch, CVSS of four versions, KEV, EPSS and a small gap.
pub(crate) fn rich() -> Assessment {
    assessment(
        Inventory {
            windows: None,
            distro: Some(Release { distro: &MARINER, release: "9".to_owned() }),
            os_release: Some(os_release("mariner", "9", "Mariner Linux 9 (Deep Sea)")),
            packages: rich_packages(),
            gaps: vec![Gap::new(GapKind::VersionUnknown, "requests", "no file states its version")],
        },
        Findings {
            findings: rich_findings(),
            coverage: vec![
                need("golang", "osv-go", CoverageState::Stale, 1),
                need("kev", "kev", CoverageState::Loaded, 0),
                need("mariner:9", "mariner-oval", CoverageState::Loaded, 2),
                need("maven", "osv-maven", CoverageState::Loaded, 1),
                need("npm", "osv-npm", CoverageState::Loaded, 2),
            ],
            gaps: vec![Gap::new(GapKind::FeedStale, "golang", "the data of `osv-go` is 12 days old")],
        },
    )
}

fn rich_packages() -> Vec<Package> {
    let mut openssl =
        package(&ecosystems::RPM, "openssl-libs", "1:3.0.7-24.el9", "/var/lib/rpm/rpmdb.sqlite");
    openssl.purl = "pkg:rpm/mariner/openssl-libs@3.0.7-24.el9?arch=x86_64&epoch=1".to_owned();
    openssl.source = Some(source("openssl", "3.0.7-24.el9"));
    openssl.architecture = Some("x86_64".to_owned());
    openssl.module = Some(String::new());
    openssl.licenses = vec!["Apache-2.0".to_owned()];
    openssl.layer = Some(digest(0x11));
    let mut node = package(&ecosystems::RPM, "nodejs", "1:18.2.0-1.module", "/var/lib/rpm/rpmdb.sqlite");
    node.module = Some("nodejs:18".to_owned());
    node.licenses = vec!["MIT".to_owned(), "GPL-2+".to_owned()];
    node.layer = Some(digest(0x11));
    let mut babel =
        package(&ecosystems::NPM, "@babel/traverse", "7.0.0", "/srv/a b/node_modules/package.json");
    babel.purl = "pkg:npm/%40babel/traverse@7.0.0".to_owned();
    babel.licenses = vec!["MIT OR Apache-2.0".to_owned()];
    babel.layer = Some(digest(0x22));
    let twin = Package { evidence_path: "/srv/twin/package.json".to_owned(), ..babel.clone() };
    let mut log = package(&ecosystems::MAVEN, "org.example:log", "2.14.0", "/app.jar!/BOOT-INF/lib/log.jar");
    log.licenses = vec!["MIT".to_owned(), "0BSD OR Zlib".to_owned()];
    let stdlib = package(&ecosystems::GOLANG, "stdlib", "1.20.1", "/usr/bin/tool");
    let mut requests = package(&ecosystems::PYPI, "requests", "", "/usr/lib/requests/METADATA");
    requests.owned_by = Some("python3-requests".to_owned());
    requests.licenses = vec!["Apache 2.0, see the file".to_owned()];
    vec![openssl, node, babel, twin, log, stdlib, requests]
}

fn rich_findings() -> Vec<Finding> {
    let mut worst = finding("CVE-2030-0001", 4, Some(Severity::Critical));
    worst.aliases = vec!["GHSA-aaaa-bbbb-cccc".to_owned()];
    worst.feed = "osv-maven".to_owned();
    worst.fixed_in = Some("2.15.0".to_owned());
    worst.kev = Some(Kev {
        date_added: "2030-01-01".to_owned(),
        due_date: "2030-01-15".to_owned(),
        is_used_by_ransomware: true,
    });
    worst.epss = Some(Epss { score: 0.975, percentile: 0.999 });
    worst.cvss = vec![cvss("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H")];
    let mut vendor = finding("CVE-2030-0002", 0, Some(Severity::High));
    vendor.fixed_in = Some("1:3.0.7-25.el9".to_owned());
    vendor.epss = Some(Epss { score: 0.0123, percentile: 0.5 });
    // The vendor says high and a vector says critical: both have to be seen.
    vendor.cvss = vec![
        cvss("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"),
        cvss("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"),
        cvss("AV:N/AC:L/Au:N/C:P/I:P/A:P"),
    ];
    let mut by_score = finding("GHSA-dddd-eeee-ffff", 2, Some(Severity::Medium));
    by_score.severity_source = SeveritySource::Cvss;
    by_score.cvss = vec![cvss("CVSS:3.1/AV:L/AC:L/PR:L/UI:R/S:U/C:L/I:L/A:L")];
    by_score.references = vec!["https://advisories.example/a b?x=[1]".to_owned(), "gopher://old".to_owned()];
    let mut twins = by_score.clone();
    twins.package = 3;
    let mut unfixed = finding("CVE-2030-0003", 0, Some(Severity::Low));
    unfixed.fix = FixState::WillNotFix;
    unfixed.references = Vec::new();
    let mut negligible = finding("CVE-2030-0004", 0, Some(Severity::Negligible));
    negligible.fix = FixState::EndOfLife;
    let mut open = finding("GO-2030-0005", 5, None);
    open.severity_source = SeveritySource::Nobody;
    open.status = Status::UnderInvestigation;
    open.summary = String::new();
    open.description = String::new();
    vec![worst, vendor, by_score, twins, unfixed, negligible, open]
}

/// No database: nothing was compared, so there are no findings.
pub(crate) fn undecided() -> Assessment {
    let mut assessment = rich();
    let detail = "there is no advisory database; fetch one with `plimsoll feeds update`";
    assessment.findings = Findings {
        findings: Vec::new(),
        coverage: vec![
            Coverage { data_date: None, ..need("mariner:9", "mariner-oval", CoverageState::Missing, 2) },
            Coverage { data_date: None, ..need("npm", "osv-npm", CoverageState::Missing, 2) },
        ],
        gaps: vec![Gap::new(GapKind::DatabaseMissing, "database", detail)],
    };
    assessment.database = None;
    judged(assessment)
}

/// Feeds that are old, off, failing, or only filled in for, with what core makes of them.
pub(crate) fn late_feeds() -> Assessment {
    let mut assessment = rich();
    let since = || Some("2026-01-01T06:00:00Z".to_owned());
    let absent = |need: Coverage| Coverage { data_date: None, ..need };
    assessment.findings.coverage = vec![
        Coverage { failing_since: since(), ..need("epss", "epss", CoverageState::Loaded, 0) },
        absent(need("kev", "kev", CoverageState::Off, 0)),
        Coverage { failing_since: since(), ..need("mariner:9", "mariner-oval", CoverageState::Stale, 2) },
        Coverage { is_filled_in: true, ..absent(need("npm", "osv-npm", CoverageState::Off, 2)) },
        absent(need("pypi", "osv-pypi", CoverageState::Off, 1)),
    ];
    judged(assessment)
}

/// An os-release that no row knows, and more gaps of one kind than are shown.
pub(crate) fn unknown_distro() -> Assessment {
    let mut gaps: Vec<Gap> = (0..23)
        .map(|at| {
            let path = format!("/opt/app-{at:02}/package-lock.json");
            Gap::new(GapKind::EvidenceUnreadable, path, "line 3: a comma was expected")
        })
        .collect();
    let detail = "`borealis` is no distribution that Plimsoll knows, so its packages were not compared";
    gaps.push(Gap::new(GapKind::UnknownDistro, "borealis 4", detail));
    gaps.sort();
    let mut assessment = assessment(
        Inventory {
            windows: None,
            distro: None,
            os_release: Some(os_release("borealis", "4", "Borealis 4")),
            packages: vec![
                package(&ecosystems::DEB, "adduser", "3.134", "/var/lib/dpkg/status"),
                package(&ecosystems::PYPI, "flask", "3.0.0", "/usr/lib/python3/flask/METADATA"),
            ],
            gaps,
        },
        Findings {
            findings: vec![finding("CVE-2030-0009", 1, Some(Severity::Low))],
            coverage: vec![
                need("borealis", "none", CoverageState::Unsupported, 1),
                need("pypi", "osv-pypi", CoverageState::Loaded, 1),
            ],
            gaps: Vec::new(),
        },
    );
    assessment.image.digest = None;
    assessment.image.config_digest = None;
    assessment.image.layers.clear();
    assessment.image.reference = "./rootfs".to_owned();
    judged(assessment)
}

/// Names that want to be obeyed instead of shown.
pub(crate) fn hostile() -> Assessment {
    let evil =
        "\x1b[2J\x1b]8;;https://evil.example\x07click\u{202e}gpj|`<img src=x onerror=alert(1)>@octocat #1";
    let mut first = package(&ecosystems::DEB, evil, "1:2.0\n| x | y |", "/var/lib/dpkg/\u{1b}[31m|status");
    first.purl = "pkg:deb/x/%1B%5B2J@1%3A2.0".to_owned();
    first.licenses = vec!["]]><script>".to_owned(), "LicenseRef-x".to_owned(), " ".to_owned()];
    let mut wide =
        package(&ecosystems::NPM, "日本語のとても長いパッケージ名前です、本当に", &"9.".repeat(700), "");
    wide.purl = String::new();
    let mut bad = finding("CVE-2030-0001", 0, Some(Severity::Critical));
    bad.summary =
        "line one\n# heading\n[click](javascript:alert(1)) \u{2066}x\u{2069} **bold** www.evil.example"
            .into();
    bad.fixed_in = Some("1:2.1\x1b[0m".to_owned());
    bad.references = vec!["javascript:alert(1)".to_owned(), "https://ok.example/\"><b>|x".to_owned()];
    let mut long = finding(&format!("EVIL-{}|\x07", "0".repeat(40)), 1, Some(Severity::High));
    long.summary = "日本語".repeat(100);
    let mut assessment = assessment(
        Inventory {
            windows: None,
            distro: None,
            os_release: Some(os_release("\x1b[1mevil", "\u{202e}1", "Evil\x1b[5m\nLinux")),
            packages: vec![first, wide],
            gaps: vec![Gap::new(
                GapKind::LimitReached,
                "/\x1b]0;title\x07|",
                "`entries_max`\nwas [reached](x)",
            )],
        },
        Findings {
            findings: vec![bad, long],
            coverage: vec![need("evil:\x1b|", "f`e`ed", CoverageState::Unsupported, 2)],
            gaps: Vec::new(),
        },
    );
    assessment.image.reference = "evil/\x1b[2J:`tag`<b>".to_owned();
    assessment.image.platform = "linux/\x1b[31m".parse().expect("it has two parts");
    if let Some(layer) = assessment.image.layers.first_mut() {
        layer.created_by = Some("RUN echo -e '\x1b[2J'".to_owned());
    }
    judged(assessment)
}

/// Two platforms of one index: one clean, one without a layer that could be read.
pub(crate) fn platforms() -> Vec<Assessment> {
    let first = clean();
    let mut second = clean();
    second.image.digest = Some(digest(0xbb));
    second.image.platform = Platform {
        os: "linux".to_owned(),
        architecture: "arm".to_owned(),
        variant: Some("v7".to_owned()),
        os_version: None,
    };
    let gap = Gap::new(GapKind::LayerUnreadable, digest(0x22).as_str(), "the blob ends after 12 of 34 bytes");
    second.inventory.gaps.push(gap);
    vec![first, judged(second)]
}

/// Nothing found and nothing missing.
pub(crate) fn clean() -> Assessment {
    let zlib = package(&ecosystems::RPM, "zlib", "1.3.1-1", "/var/lib/rpm/rpmdb.sqlite");
    assessment(
        Inventory {
            windows: None,
            distro: Some(Release { distro: &MARINER, release: "9".to_owned() }),
            os_release: Some(os_release("mariner", "9", "")),
            packages: vec![zlib],
            gaps: Vec::new(),
        },
        Findings {
            findings: Vec::new(),
            coverage: vec![need("mariner:9", "mariner-oval", CoverageState::Loaded, 1)],
            gaps: Vec::new(),
        },
    )
}

/// An image with so many findings, a few packages, and all that a finding can have.
pub(crate) fn large(findings: usize) -> Assessment {
    let mut assessment = rich();
    let pattern = assessment.findings.findings[1].clone();
    assessment.findings.findings = (0..findings)
        .map(|at| {
            let mut finding = pattern.clone();
            finding.id = format!("CVE-2031-{at:05}");
            finding.package = at % assessment.inventory.packages.len();
            finding
        })
        .collect();
    judged(assessment)
}

fn assessment(inventory: Inventory, findings: Findings) -> Assessment {
    let layer = |byte: u8, created_by: &str| Layer {
        digest: digest(byte),
        diff_id: Some(digest(byte + 1)),
        media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
        size: u64::from(byte) * 1000,
        created_by: Some(created_by.to_owned()),
    };
    let assessment = Assessment {
        image: Image {
            reference: "registry.example/team/app:1.4".to_owned(),
            digest: Some(digest(0xaa)),
            config_digest: Some(digest(0xcc)),
            platform: "linux/amd64".parse().expect("it has two parts"),
            layers: vec![layer(0x11, "ADD base.tar /"), layer(0x22, "COPY srv /srv")],
        },
        inventory,
        findings,
        database: Some(DatabaseIdentity {
            id: digest(0xdd).as_str().to_owned(),
            built_at: "2026-01-01T00:00:00Z".to_owned(),
        }),
        verdict: Verdict::Cleared(Vec::new()),
    };
    judged(assessment)
}

fn judged(mut assessment: Assessment) -> Assessment {
    let threshold = Threshold { severity: Some(Severity::High), only_fixable: false };
    let policy = Policy { fail_on: Some(threshold), allows_gaps: false, fails_on_stale: false };
    assessment.verdict = judge(&assessment.inventory, &assessment.findings, &policy);
    assessment
}

fn digest(byte: u8) -> Digest {
    Digest::sha256(&[byte; 32])
}

fn os_release(id: &str, version: &str, pretty: &str) -> OsRelease {
    OsRelease {
        id: id.to_owned(),
        version_id: Some(version.to_owned()),
        pretty_name: (!pretty.is_empty()).then(|| pretty.to_owned()),
        ..OsRelease::default()
    }
}

fn package(ecosystem: &'static Ecosystem, name: &str, version: &str, path: &str) -> Package {
    Package {
        ecosystem,
        name: name.to_owned(),
        version: version.to_owned(),
        purl: format!("pkg:{}/{}@{version}", ecosystem.name, name.replace(':', "/")),
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
        feed: "mariner-oval".to_owned(),
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
        description: "A long text.\n\nIt has two paragraphs.".to_owned(),
        references: vec![format!("https://advisories.example/{id}")],
        kev: None,
        epss: None,
        evidence: Evidence {
            namespace: "mariner:9".to_owned(),
            name: "openssl".to_owned(),
            version: "3.0.7-24.el9".to_owned(),
            scheme: "rpm",
            range: "< 3.0.7-25.el9".to_owned(),
        },
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
        data_date: Some("2026-01-01T00:00:00Z".to_owned()),
        failing_since: None,
        packages,
        is_filled_in: false,
    }
}
