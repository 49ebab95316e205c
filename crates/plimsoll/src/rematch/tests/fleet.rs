//! Images and databases for tests: written as data, stored as a worker stores them.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use plimsoll_core::advisory::{
    Advisory, Affected, FeedRecord, FixState, Kev, Range, RangeEnd, Severity, Status,
};
use plimsoll_core::digest::Digest;
use plimsoll_core::distros;
use plimsoll_core::ecosystems;
use plimsoll_core::image::{Image, Platform};
use plimsoll_core::inventory::{Inventory, OsRelease, Package};
use plimsoll_core::policy::Policy;
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_core::standings::Standings;
use plimsoll_feeds::database::{Builder, Database};
use plimsoll_feeds::feeds::Sink as _;
use plimsoll_feeds::update::database_path;
use plimsoll_store::{Claim, InventoryRow, Outcome, Priority, ScanKind, Store, Submission};

use crate::config::Config;
use crate::jobs::judging;
use crate::pipeline;
use crate::server::Server;

/// A time at which all is well.
pub(crate) fn now() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

/// One statement: feed, advisory, namespace, package, fixed version (empty for none), severity.
pub(crate) type Statement<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str, Option<Severity>);

/// Writes the database of a data directory.
pub(crate) fn write_database(data: &Path, built_at: &str, statements: &[Statement<'_>], exploited: &[&str]) {
    let mut builder = Builder::new();
    for feed in ["debian-tracker", "kev", "osv-pypi"] {
        let record = FeedRecord {
            name: feed.to_owned(),
            fetched_at: built_at.to_owned(),
            data_date: Some(built_at.to_owned()),
            ..FeedRecord::default()
        };
        let mut sink = builder.begin_feed(record);
        for (_, id, namespace, package, fixed, severity) in statements.iter().filter(|(of, ..)| *of == feed) {
            let advisory = Advisory {
                id: (*id).to_owned(),
                summary: format!("what is wrong with {package}"),
                severity: *severity,
                references: vec![format!("https://advisories.example/{id}")],
                ..Advisory::default()
            };
            let end = match *fixed {
                "" => RangeEnd::Open,
                fixed => RangeEnd::Fixed(fixed.to_owned()),
            };
            let affected = Affected {
                namespace: (*namespace).to_owned(),
                package: (*package).to_owned(),
                status: Status::Affected,
                fix: FixState::Unstated,
                ranges: vec![Range { introduced: None, end }],
                module: None,
                architectures: Vec::new(),
                severity: None,
            };
            sink.advisory(&advisory, &[affected]);
        }
        for cve in exploited.iter().filter(|_| feed == "kev") {
            let kev = Kev {
                date_added: "2029-12-01".to_owned(),
                due_date: "2029-12-24".to_owned(),
                is_used_by_ransomware: false,
            };
            sink.kev(cve, kev);
        }
    }
    let path = database_path(data);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    builder.write(&path, built_at).unwrap();
}

/// A package: ecosystem, name, version, evidence, and who owns it (empty for nobody).
pub(crate) type Aboard<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

/// An inventory of Debian 12.
pub(crate) fn inventory(aboard: &[Aboard<'_>]) -> Inventory {
    let os = OsRelease { id: "debian".to_owned(), version_id: Some("12".to_owned()), ..OsRelease::default() };
    let packages = aboard.iter().map(|(ecosystem, name, version, evidence, owner)| Package {
        ecosystem: ecosystems::by_name(ecosystem).unwrap(),
        name: (*name).to_owned(),
        version: (*version).to_owned(),
        purl: format!("pkg:{ecosystem}/{name}@{version}"),
        source: None,
        architecture: None,
        module: None,
        licenses: Vec::new(),
        evidence_path: (*evidence).to_owned(),
        layer: None,
        owned_by: (!owner.is_empty()).then(|| (*owner).to_owned()),
    });
    Inventory {
        windows: None,
        distro: distros::recognise(&os),
        os_release: Some(os),
        packages: packages.collect(),
        gaps: Vec::new(),
    }
}

/// The digest of an image, by its number.
pub(crate) fn digest(number: u8) -> Digest {
    Digest::sha256(&[number; 32])
}

/// A server over a data directory and a store.
pub(crate) fn server(data: &Path, store: &Arc<Store>, replica: &str, clock: fn() -> Timestamp) -> Server {
    let server = Server::new(Config::default(), data.to_owned(), Vec::new(), replica.to_owned(), clock);
    server.set_store(Arc::clone(store));
    server.lifecycle.ready();
    server
}

/// A store in a file of a folder.
pub(crate) fn store(folder: &Path) -> Arc<Store> {
    Arc::new(Store::open(folder.join("server.sqlite").to_str().unwrap()).unwrap())
}

/// Scans an image: what is aboard is said, and held against the database of a data directory.
pub(crate) fn scan(store: &Store, data: &Path, number: u8, inventory: Inventory) {
    let digest = digest(number);
    let submission = Submission {
        digest: Some(digest.clone()),
        kind: ScanKind::Image,
        reference: format!("registry.example/app/image-{number}:1"),
        registry: "registry.example".to_owned(),
        repository: format!("app/image-{number}"),
        source: Vec::new(),
        priority: Priority::Asked,
        reason: Reason::Asked,
        attempts_max: 3,
        index_state: "state".to_owned(),
        is_forced: true,
    };
    store.submit(&submission, now()).unwrap();
    let claim = Claim {
        worker: "w",
        until: now() + jiff::SignedDuration::from_mins(1),
        per_registry_max: 100,
        all_max: 100,
        only: None,
    };
    let claimed = store.claim(&claim, now()).unwrap().unwrap();
    let image = Image {
        reference: submission.reference.clone(),
        digest: Some(digest),
        config_digest: None,
        platform: Platform::default(),
        layers: Vec::new(),
    };
    let database = Database::open(&database_path(data)).unwrap();
    let assessment = pipeline::assess(
        (image.clone(), inventory.clone()),
        Ok(&database),
        &Standings::default(),
        &Policy::default(),
    );
    let outcome = Outcome::Judged {
        inventory: Box::new(InventoryRow {
            image,
            inventory,
            index_state: "state".to_owned(),
            indexed_at: now(),
        }),
        judged: judging::judged(&assessment, now()),
        state: ScanState::Completed,
        reason: Reason::Complete,
        detail: "done".to_owned(),
    };
    assert!(store.finish(&claimed.lease, &outcome, now()).unwrap());
}
