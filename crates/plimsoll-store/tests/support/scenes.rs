//! What the scenarios of the store are made of.

use jiff::Timestamp;
use plimsoll_core::digest::Digest;
use plimsoll_core::distros::DISTROS;
use plimsoll_core::ecosystems;
use plimsoll_core::gap::{Gap, GapKind};
use plimsoll_core::image::{Image, Layer, Platform};
use plimsoll_core::inventory::{Inventory, OsRelease, Package, Release, SourcePackage};
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{
    Claim, Claimed, InventoryRow, Judged, Lease, Outcome, Priority, ScanKind, Severities, Store, Submission,
};

/// A time: so many seconds after some other.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).expect("it is a time")
}

/// A digest of one byte.
pub(crate) fn digest(byte: u8) -> Digest {
    Digest::sha256(&[byte; 32])
}

/// An image that somebody asks for.
pub(crate) fn asked(byte: u8) -> Submission {
    let digest = digest(byte);
    Submission {
        reference: format!("registry.example/shop/web@{digest}"),
        digest: Some(digest),
        kind: ScanKind::Image,
        registry: "registry.example".to_owned(),
        repository: "shop/web".to_owned(),
        source: b"token".to_vec(),
        priority: Priority::Asked,
        reason: Reason::Asked,
        attempts_max: 3,
        index_state: "rules-1".to_owned(),
        is_forced: false,
    }
}

/// A name that somebody asks for.
pub(crate) fn named(reference: &str) -> Submission {
    Submission { digest: None, kind: ScanKind::Reference, reference: reference.to_owned(), ..asked(0) }
}

/// A claim without limits.
pub(crate) fn any<'a>(worker: &'a str, until: i64) -> Claim<'a> {
    Claim { worker, until: at(until), per_registry_max: 1000, all_max: 1000, only: None }
}

/// Submits an image and claims it.
pub(crate) fn claimed(store: &Store, byte: u8) -> Claimed {
    store.submit(&asked(byte), at(0)).expect("it is taken");
    let id = digest(byte).as_str().to_owned();
    let claim = Claim { only: Some(&id), ..any("w", 60) };
    store.claim(&claim, at(1)).expect("it answers").expect("it is due")
}

/// What was found in an image.
pub(crate) fn judged() -> Judged {
    Judged {
        database: "sha256:db".to_owned(),
        database_built_at: "2026-01-01T00:00:00Z".to_owned(),
        at: at(5),
        packages: 3,
        findings: Severities { critical: 1, high: 2, medium: 3, low: 4, negligible: 5, unknown: 6 },
        fixable: 2,
        exploited: 1,
        gaps: 1,
        late_feeds: vec![("kev".to_owned(), "stale".to_owned())],
        layer_bytes: Some(1 << 40),
    }
}

/// An operating-system package of Debian.
pub(crate) fn deb(name: &str, version: &str) -> Package {
    Package {
        ecosystem: &ecosystems::DEB,
        name: name.to_owned(),
        version: version.to_owned(),
        purl: format!("pkg:deb/debian/{name}@{version}"),
        source: Some(SourcePackage { name: format!("{name}-src"), version: version.to_owned() }),
        architecture: Some("amd64".to_owned()),
        module: None,
        licenses: vec!["MIT".to_owned()],
        evidence_path: "/var/lib/dpkg/status".to_owned(),
        layer: Some(digest(200)),
        owned_by: None,
    }
}

/// A Python package.
pub(crate) fn python(name: &str, version: &str, owned_by: Option<&str>) -> Package {
    Package {
        ecosystem: &ecosystems::PYPI,
        purl: format!("pkg:pypi/{name}@{version}"),
        source: None,
        architecture: None,
        owned_by: owned_by.map(str::to_owned),
        evidence_path: format!("/usr/lib/python3/{name}/METADATA"),
        ..deb(name, version)
    }
}

/// An image with packages, of Debian.
pub(crate) fn inventory(byte: u8, packages: Vec<Package>) -> InventoryRow {
    let debian = DISTROS.iter().copied().find(|row| row.id == "debian").expect("it has a row");
    InventoryRow {
        image: Image {
            reference: format!("registry.example/shop/web@{}", digest(byte)),
            digest: Some(digest(byte)),
            config_digest: Some(digest(201)),
            platform: Platform {
                os: "linux".to_owned(),
                architecture: "arm".to_owned(),
                variant: Some("v7".to_owned()),
                os_version: None,
            },
            layers: vec![Layer {
                digest: digest(200),
                diff_id: None,
                media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
                size: 1 << 40,
                created_by: Some("COPY . .".to_owned()),
            }],
        },
        inventory: Inventory {
            windows: None,
            distro: Some(Release { distro: debian, release: "12".to_owned() }),
            os_release: Some(OsRelease {
                id: "debian".to_owned(),
                version_id: Some("12".to_owned()),
                ..OsRelease::default()
            }),
            packages,
            gaps: vec![Gap::new(GapKind::LimitReached, "/x", "it is too large")],
        },
        index_state: "rules-1".to_owned(),
        indexed_at: at(4),
    }
}

/// How a scan ends well.
pub(crate) fn completed(inventory: InventoryRow) -> Outcome {
    Outcome::Judged {
        inventory: Box::new(inventory),
        judged: judged(),
        state: ScanState::Completed,
        reason: Reason::Complete,
        detail: String::new(),
    }
}

/// Submits an image, claims it and completes it with packages.
pub(crate) fn done(store: &Store, byte: u8, packages: Vec<Package>) -> Lease {
    let lease = claimed(store, byte).lease;
    assert!(store.finish(&lease, &completed(inventory(byte, packages)), at(5)).expect("it answers"));
    lease
}
