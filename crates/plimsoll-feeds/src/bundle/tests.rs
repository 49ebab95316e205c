//! Two machines: one that fetches and exports, one that imports.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use plimsoll_core::advisory::{Advisories as _, DatabaseIdentity};
use plimsoll_net::{Client, Settings};
use tempfile::TempDir;

use super::*;
use crate::database::Database;
use crate::feeds::{self, Feed};
use crate::status::status;
use crate::update::{DatabaseReport, UpdateError, UpdateOptions, Upstream, database_path, lock, update};

mod format;

const DAY: i64 = 86_400;
const BOTH_FEEDS: &[&str] = &["alpine-secdb", "kev"];

/// A machine with a data directory, and upstreams that it may fetch from.
struct Machine {
    root: TempDir,
    options: UpdateOptions,
    urls: BTreeMap<String, String>,
}

impl Machine {
    fn new() -> Machine {
        let root = tempfile::tempdir().unwrap();
        let options = UpdateOptions::new(root.path().join("data"));
        let mut urls = BTreeMap::new();
        for (feed, path) in [("kev", "upstream/kev.json"), ("alpine-secdb", "upstream/alpine")] {
            urls.insert(feed.to_owned(), format!("file://{}", root.path().join(path).display()));
        }
        Machine { root, options, urls }
    }

    /// One that has fetched.
    fn with_feeds() -> Machine {
        let machine = Machine::new();
        machine.write_kev(1, "2025-12-30T00:00:00Z");
        machine.write_secdb("v3.20", "1.0-r0");
        machine.write_secdb("v3.21", "1.0-r0");
        machine.update(BOTH_FEEDS, 1).unwrap();
        machine
    }

    fn data(&self) -> &Path {
        &self.options.data_dir
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.path().join("upstream").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn write_kev(&self, entries: usize, released: &str) {
        let entry = |at| {
            format!(r#"{{"cveID": "CVE-2024-{at:04}", "dateAdded": "2024-01-01", "dueDate": "2024-01-22"}}"#)
        };
        let entries: Vec<String> = (1..=entries).map(entry).collect();
        let released =
            if released.is_empty() { String::new() } else { format!(r#""dateReleased": "{released}", "#) };
        self.write("kev.json", &format!(r#"{{{released}"vulnerabilities": [{}]}}"#, entries.join(",")));
    }

    fn write_secdb(&self, release: &str, fixed: &str) {
        let package = |at| {
            format!(r#"{{"pkg": {{"name": "p{at}", "secfixes": {{"{fixed}": ["CVE-2022-{at:04}"]}}}}}}"#)
        };
        let packages: Vec<String> = (1..20).map(package).collect();
        self.write(
            &format!("alpine/{release}/main.json"),
            &format!(r#"{{"packages": [{}]}}"#, packages.join(",")),
        );
    }

    fn update(&self, names: &[&str], day: i64) -> Result<(), UpdateError> {
        let client = Client::new(Settings::default()).unwrap();
        let upstreams = |feed: &'static Feed| {
            Ok(Upstream { urls: vec![self.urls[feed.name].clone()], ..Upstream::own(feed, &client) })
        };
        let report = update(&self.options, &rows(names), &upstreams, time(day), &mut |_| {})?;
        assert!(
            report
                .feeds
                .iter()
                .all(|feed| !matches!(feed.outcome, crate::update::FeedOutcome::Failed { .. })),
            "{report:?}"
        );
        Ok(())
    }

    fn prepare(
        &self,
        content: Content,
        since: Option<Manifest>,
        key: Option<&SigningKey>,
    ) -> Result<Export, BundleError> {
        let options = ExportOptions {
            data_dir: self.data().to_owned(),
            feeds: None,
            needed: Vec::new(),
            content,
            since,
            waits_for_others: false,
        };
        Export::prepare(&options, key, time(2), &mut |_| {})
    }

    fn export(&self, content: Content, since: Option<Manifest>, key: Option<&SigningKey>) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.prepare(content, since, key).unwrap().write(&mut bytes).unwrap();
        bytes
    }

    fn import(&self, bundle: &[u8]) -> Result<ImportReport, BundleError> {
        self.import_with(bundle, |_| {})
    }

    fn import_with(
        &self,
        bundle: &[u8],
        change: impl FnOnce(&mut ImportOptions),
    ) -> Result<ImportReport, BundleError> {
        let mut options = ImportOptions {
            data_dir: self.data().to_owned(),
            keys: Vec::new(),
            allows_unsigned: true,
            allows_older: false,
            off: Default::default(),
            waits_for_others: false,
        };
        change(&mut options);
        import_stream(&options, bundle, time(10), &mut |_| {})
    }

    fn database(&self) -> Option<Vec<u8>> {
        fs::read(database_path(self.data())).ok()
    }

    fn identity(&self) -> DatabaseIdentity {
        let database = Database::open(&database_path(self.data())).unwrap();
        database.verify().unwrap();
        database.identity().clone()
    }

    /// All files of the data directory with their content, but the lock.
    fn content(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.data().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.to_str().unwrap().ends_with(".lock") {
                    files.insert(path.strip_prefix(self.data()).unwrap().to_owned(), fs::read(path).unwrap());
                }
            }
        }
        files
    }
}

fn rows(names: &[&str]) -> Vec<&'static Feed> {
    names.iter().map(|name| feeds::by_name(name).unwrap()).collect()
}

/// The first of January 2026, and so many days.
fn time(day: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + day * DAY).unwrap()
}

fn words(report: &ImportReport) -> String {
    let feeds = report.feeds.iter().map(|feed| match &feed.arrived {
        Arrived::Replaced { changed, unchanged, .. } => format!("{changed} new {unchanged} old"),
        other => format!("{other:?}"),
    });
    let mut words: Vec<String> = feeds.collect();
    words.push(match &report.database {
        ImportedDatabase::Delivered(_) => "delivered".to_owned(),
        ImportedDatabase::Built(DatabaseReport::Built(..)) => "built".to_owned(),
        ImportedDatabase::Built(DatabaseReport::Unchanged(_)) => "same".to_owned(),
        ImportedDatabase::Built(DatabaseReport::NoSnapshots) => "nothing".to_owned(),
    });
    words.join(", ")
}

#[test]
fn what_arrives_is_what_was_there_to_the_byte() {
    let a = Machine::with_feeds();
    for (content, expected) in [
        (Content::Raw, "2 new 0 old, 1 new 0 old, built"),
        (Content::Both, "2 new 0 old, 1 new 0 old, delivered"),
        (Content::Built, "InDatabase, InDatabase, delivered"),
    ] {
        let b = Machine::new();
        let bundle = a.export(content, None, None);
        assert_eq!(words(&b.import(&bundle).unwrap()), expected);
        assert_eq!(b.database(), a.database(), "{content:?}");
        assert_eq!(b.identity(), a.identity());
        // Once more changes nothing.
        let before = b.content();
        b.import(&bundle).unwrap();
        if content.has_snapshots() {
            assert_eq!(b.content(), before);
        }
    }
}

#[test]
fn equal_content_is_equal_bytes() {
    let a = Machine::with_feeds();
    let key = SigningKey::generate().unwrap();
    let [first, second] = [(), ()].map(|()| a.export(Content::Both, None, Some(&key)));
    assert!(first == second);
    let b = Machine::new();
    b.import(&a.export(Content::Both, None, None)).unwrap();
    let mut manifests =
        [&a, &b].map(|machine| machine.prepare(Content::Both, None, None).unwrap().manifest().clone());
    for manifest in &mut manifests {
        manifest.id.clear();
    }
    assert_eq!(manifests[0], manifests[1], "it can be carried on");
}

#[test]
fn a_delta_needs_what_it_leaves_out() {
    let a = Machine::with_feeds();
    let first = a.prepare(Content::Raw, None, None).unwrap();
    first.remember().unwrap();
    let mut base = Vec::new();
    first.write(&mut base).unwrap();
    let id = first.manifest().id.clone();
    drop(first);
    let stays = Machine::new();
    stays.import(&base).unwrap();
    a.write_secdb("v3.21", "1.1-r0");
    a.update(BOTH_FEEDS, 3).unwrap();
    let delta = a.export(Content::Raw, Some(remembered(a.data(), &id).unwrap()), None);
    assert!(remembered(a.data(), &"0".repeat(64)).is_err());
    let manifest = inspect(&mut TarBundle::new(delta.as_slice())).unwrap();
    let payloads: Vec<&str> = manifest.payloads().map(|payload| payload.entry.as_str()).collect();
    assert_eq!(payloads, ["feeds/alpine-secdb/v3.21-main.json.zst"]);
    // To a machine without the first.
    let b = Machine::new();
    let error = b.import(&delta).unwrap_err().to_string();
    assert!(
        error.contains(&format!("since bundle {id}")) && error.contains("`v3.20-main.json` of feed"),
        "{error}"
    );
    assert!(b.content().is_empty());
    // To one whose part is damaged, though as long as it should be.
    b.import(&base).unwrap();
    let part = b.data().join("snapshots/alpine-secdb/v3.20-main.json");
    let whole = fs::read(&part).unwrap();
    fs::write(&part, vec![b' '; whole.len()]).unwrap();
    assert!(matches!(b.import(&delta), Err(BundleError::Base { .. })));
    fs::write(&part, whole).unwrap();
    assert_eq!(words(&b.import(&delta).unwrap()), "1 new 1 old, Confirmed, built");
    assert_eq!((b.database(), b.identity()), (a.database(), a.identity()));
    // A chain: a delta to the delta.
    a.write_kev(3, "2026-01-03T00:00:00Z");
    a.update(BOTH_FEEDS, 4).unwrap();
    let next = a.export(Content::Raw, Some(manifest), None);
    assert!(matches!(stays.import(&next), Err(BundleError::Base { .. })), "it lacks the one between");
    assert_eq!(words(&b.import(&next).unwrap()), "Confirmed, 1 new 0 old, built");
    assert_eq!(b.database(), a.database());
}

#[test]
fn older_data_is_refused_and_named_with_both_dates() {
    let a = Machine::with_feeds();
    let old = a.export(Content::Raw, None, None);
    a.write_kev(2, "2025-12-31T00:00:00Z");
    a.write_secdb("v3.21", "1.1-r0");
    a.update(BOTH_FEEDS, 3).unwrap();
    let new = a.export(Content::Raw, None, None);
    let b = Machine::new();
    b.import(&new).unwrap();
    let before = b.content();
    let error = b.import(&old).unwrap_err();
    let BundleError::Older(older) = &error else { panic!("{error}") };
    assert_eq!(older.len(), 2);
    assert_eq!(
        error.to_string(),
        "the bundle is older than what is held: `alpine-secdb` is here with data confirmed 2026-01-04T00:00:00Z, the \
         bundle's is of 2026-01-02T00:00:00Z; `kev` is here with data of 2025-12-31T00:00:00Z, the bundle's is of \
         2025-12-30T00:00:00Z; import it with `--allow-older` if that is what you want"
    );
    assert_eq!(b.content(), before);
    b.import_with(&old, |options| options.allows_older = true).unwrap();
    let first = Machine::new();
    first.import(&old).unwrap();
    assert_eq!(b.database(), first.database());
    // What the data says of itself outweighs when it was fetched.
    let late = Machine::new();
    late.write_kev(1, "2025-12-29T00:00:00Z");
    late.write_secdb("v3.20", "1.0-r0");
    late.update(BOTH_FEEDS, 9).unwrap();
    let refused = a.import(&late.export(Content::Raw, None, None)).unwrap_err().to_string();
    assert!(refused.contains("`kev`") && !refused.contains("`alpine-secdb`"), "{refused}");
    // The same for a database alone, also where it lacks a feed.
    let built = Machine::new();
    built.import(&a.export(Content::Built, None, None)).unwrap();
    let c = Machine::new();
    c.write_kev(1, "2025-12-30T00:00:00Z");
    c.update(&["kev"], 1).unwrap();
    let refused = built.import(&c.export(Content::Built, None, None)).unwrap_err().to_string();
    assert!(
        refused.contains("`kev` is here with data of 2025-12-31")
            && refused.contains("the bundle's database has none"),
        "{refused}"
    );
}

#[test]
fn old_data_never_looks_fresh() {
    let a = Machine::with_feeds();
    let b = Machine::new();
    b.import(&a.export(Content::Raw, None, None)).unwrap();
    let built = Machine::new();
    built.import(&a.export(Content::Built, None, None)).unwrap();
    let of = |machine: &Machine| {
        let all = status(machine.data(), &BTreeMap::new(), time(30));
        let two = all.into_iter().filter(|feed| BOTH_FEEDS.contains(&feed.name));
        two.map(|feed| (feed.fetched_at, feed.checked_at, feed.data_date, feed.age_days)).collect::<Vec<_>>()
    };
    assert_eq!(of(&b), of(&a));
    assert_eq!(of(&built), of(&a));
    let text = |text: &str| Some(text.to_owned());
    let fetched = "2026-01-02T00:00:00Z";
    assert_eq!(
        of(&b),
        [
            (text(fetched), text(fetched), None, Some(29)),
            (text(fetched), text(fetched), text("2025-12-30T00:00:00Z"), Some(32)),
        ]
    );
}

#[test]
fn an_imported_database_is_not_lost_to_an_update() {
    let a = Machine::with_feeds();
    let b = Machine::new();
    b.import(&a.export(Content::Built, None, None)).unwrap();
    let imported = b.database();
    b.write_kev(3, "2026-01-03T00:00:00Z");
    let refused = b.update(&["kev"], 3).unwrap_err().to_string();
    assert!(refused.contains("would lose `alpine-secdb`"), "{refused}");
    assert_eq!(b.database(), imported);
    // A bundle with the files of one of its feeds.
    let c = Machine::new();
    c.write_kev(3, "2026-01-03T00:00:00Z");
    c.update(&["kev"], 3).unwrap();
    let error = b.import(&c.export(Content::Raw, None, None)).unwrap_err();
    assert!(matches!(&error, BundleError::Imported(lost) if lost == "`alpine-secdb`"), "{error}");
    assert_eq!(b.database(), imported);
    // It can be carried on as it is, and not as files.
    let carried = Machine::new();
    carried.import(&b.export(Content::Built, None, None)).unwrap();
    assert_eq!(carried.database(), imported);
    assert!(matches!(b.prepare(Content::Raw, None, None), Err(BundleError::Nothing(_))));
    // All of its feeds at once.
    b.write_secdb("v3.20", "1.0-r0");
    b.update(BOTH_FEEDS, 4).unwrap();
    assert_ne!(b.database(), imported);
    b.update(&["kev"], 5).unwrap();
    // A database beside snapshots would not last.
    let error = b.import(&a.export(Content::Built, None, None)).unwrap_err();
    assert!(matches!(&error, BundleError::Snapshots(feeds) if feeds == "`alpine-secdb`, `kev`"), "{error}");
}

#[test]
fn what_else_is_held_stays() {
    let a = Machine::new();
    a.write_kev(1, "2025-12-30T00:00:00Z");
    a.update(&["kev"], 1).unwrap();
    let b = Machine::new();
    b.write_secdb("v3.20", "1.0-r0");
    b.update(&["alpine-secdb"], 1).unwrap();
    assert_eq!(words(&b.import(&a.export(Content::Both, None, None)).unwrap()), "1 new 0 old, built");
    let database = Database::open(&database_path(b.data())).unwrap();
    assert_eq!(database.feeds().iter().map(|feed| feed.name.as_str()).collect::<Vec<_>>(), BOTH_FEEDS);
}

/// A bundle need not be a tar file: its pieces can be carried one by one.
#[test]
fn pieces_can_be_carried_one_by_one() {
    struct Blobs {
        head: Head,
        blobs: BTreeMap<String, Vec<u8>>,
        opened: RefCell<Vec<String>>,
    }
    impl Incoming for Blobs {
        fn head(&mut self) -> Result<Head, BundleError> {
            Ok(self.head.clone())
        }

        fn payload<'a>(&'a mut self, payload: &Payload) -> Result<Box<dyn Read + 'a>, BundleError> {
            self.opened.borrow_mut().push(payload.entry.clone());
            let blob = self.blobs.get(&payload.sha256);
            Ok(Box::new(blob.ok_or_else(|| BundleError::Damaged("no blob".to_owned()))?.as_slice()))
        }

        fn end(&mut self) -> Result<(), BundleError> {
            Ok(())
        }
    }
    let a = Machine::with_feeds();
    let export = a.prepare(Content::Both, None, None).unwrap();
    let blobs = export.payloads().map(|(payload, reader)| {
        let mut bytes = Vec::new();
        reader.open().unwrap().read_to_end(&mut bytes).unwrap();
        (payload.sha256.clone(), bytes)
    });
    let mut blobs = Blobs { blobs: blobs.collect(), head: export.head().clone(), opened: RefCell::default() };
    drop(export);
    let b = Machine::new();
    let options = ImportOptions {
        data_dir: b.data().to_owned(),
        keys: Vec::new(),
        allows_unsigned: true,
        allows_older: false,
        off: Default::default(),
        waits_for_others: false,
    };
    import(&options, &mut blobs, time(10), &mut |_| {}).unwrap();
    assert_eq!(b.database(), a.database());
    assert_eq!(blobs.opened.borrow().len(), 4);
    for blob in blobs.blobs.values_mut() {
        blob.push(0);
    }
    assert!(matches!(inspect(&mut blobs), Err(BundleError::Damaged(_))), "what it gives is not believed");
}

/// What a kill leaves, at each step of an import that counts: the next one to take the lock finishes it.
#[test]
fn an_import_that_counts_is_carried_to_its_end() {
    let a = Machine::with_feeds();
    let key = SigningKey::generate().unwrap();
    let with_key = |options: &mut ImportOptions| options.keys = vec![key.public().clone()];
    fs::create_dir_all(a.data().join("trust")).unwrap();
    fs::write(a.data().join("trust/one.pem"), "one").unwrap();
    let old = a.export(Content::Both, None, Some(&key));
    a.write_kev(2, "2025-12-31T00:00:00Z");
    a.write_secdb("v3.21", "1.1-r0");
    fs::write(a.data().join("trust/one.pem"), "two").unwrap();
    a.update(BOTH_FEEDS, 3).unwrap();
    let new = a.export(Content::Both, None, Some(&key));
    let expected = Machine::new();
    expected.import_with(&old, with_key).unwrap();
    expected.import_with(&new, with_key).unwrap();
    let expected = expected.content();
    // Folders are copied before the change and after it, and mixed: what is named was not done yet.
    let steps = ["alpine-secdb", "kev", "trust", "database"];
    for done in 0..=steps.len() {
        let b = Machine::new();
        b.import_with(&old, with_key).unwrap();
        let before = b.content();
        stage_only(&b, &new, with_key);
        let staged = b.content();
        assert!(staged.keys().any(|path| path.ends_with("journal.json")));
        let journal: journal::Journal =
            serde_json::from_slice(&fs::read(b.data().join("snapshots/.import/journal.json")).unwrap())
                .unwrap();
        for step in &steps[..done] {
            match *step {
                "trust" => fs::rename(
                    b.data().join("snapshots/.import/files/trust/one.pem"),
                    b.data().join("trust/one.pem"),
                )
                .unwrap(),
                "database" => {
                    fs::rename(b.data().join("snapshots/.import/database"), database_path(b.data())).unwrap();
                }
                feed => {
                    let (_, state) = journal.feeds.iter().find(|(name, _)| name == feed).unwrap();
                    let folder = crate::snapshots::Folder::of(&b.data().join("snapshots"), feed);
                    folder.commit(state).unwrap();
                }
            }
        }
        assert_ne!(b.content(), before);
        // By an update of something else, or by the same import.
        if done % 2 == 0 {
            let _lock = lock(b.data(), false).unwrap();
            journal::settle(b.data()).unwrap();
        } else {
            b.import_with(&new, with_key).unwrap();
        }
        assert_eq!(b.content().keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        assert!(b.content() == expected, "after {done} steps");
    }
}

/// Imports a bundle up to the moment at which it counts: the first file that is to be replaced cannot be.
fn stage_only(machine: &Machine, bundle: &[u8], with_key: impl FnOnce(&mut ImportOptions)) {
    let in_the_way = machine.data().join("snapshots/alpine-secdb/v3.21-main.json");
    let whole = fs::read(&in_the_way).unwrap();
    fs::remove_file(&in_the_way).unwrap();
    fs::create_dir_all(in_the_way.join("folder")).unwrap();
    let stopped = machine.import_with(bundle, with_key).unwrap_err();
    assert!(matches!(stopped, BundleError::Directory(_)), "{stopped}");
    fs::remove_dir_all(&in_the_way).unwrap();
    fs::write(&in_the_way, whole).unwrap();
}

#[test]
fn what_was_staged_and_does_not_count_is_thrown_away() {
    let a = Machine::with_feeds();
    let b = Machine::new();
    let bundle = a.export(Content::Both, None, None);
    b.import(&bundle).unwrap();
    let before = b.content();
    for path in [
        "snapshots/.import/database",
        "snapshots/.import/files/trust/x",
        "snapshots/kev/.staged/known_exploited_vulnerabilities.json",
    ] {
        let path = b.data().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "half").unwrap();
    }
    b.import(&bundle).unwrap();
    assert!(b.content() == before);
}

#[test]
fn only_one_at_a_time() {
    let a = Machine::with_feeds();
    let bundle = a.export(Content::Raw, None, None);
    let b = Machine::new();
    let _lock = [lock(a.data(), false).unwrap(), lock(b.data(), false).unwrap()];
    let is_busy = |error: &BundleError| matches!(error, BundleError::Update(UpdateError::Busy(_)));
    assert!(a.prepare(Content::Raw, None, None).is_err_and(|error| is_busy(&error)));
    assert!(b.import(&bundle).is_err_and(|error| is_busy(&error)));
}

#[test]
fn what_cannot_be_exported_is_said() {
    let empty = Machine::new();
    fs::create_dir_all(empty.data()).unwrap();
    let nothing = |machine: &Machine, content| match machine.prepare(content, None, None) {
        Err(BundleError::Nothing(what)) => what,
        other => panic!("{other:?}"),
    };
    assert!(nothing(&empty, Content::Raw).contains("no snapshots"));
    assert!(nothing(&empty, Content::Built).contains("no database"));
    let a = Machine::with_feeds();
    let part = a.data().join("snapshots/alpine-secdb/v3.20-main.json");
    let whole = fs::read(&part).unwrap();
    for damaged in [b"x".to_vec(), vec![b'x'; whole.len()], [whole.clone(), b"x".to_vec()].concat()] {
        fs::write(&part, damaged).unwrap();
        assert!(nothing(&a, Content::Raw).contains("is not what was fetched any more"));
    }
    fs::write(&part, whole).unwrap();
    fs::remove_file(database_path(a.data())).unwrap();
    assert!(nothing(&a, Content::Both).contains("no database"));
    fs::create_dir_all(a.data().join("trust")).unwrap();
    fs::write(a.data().join("trust/a b"), "").unwrap();
    assert!(nothing(&a, Content::Raw).contains("cannot be in a bundle"));
}

/// An export of Clair's updaters, for a row that reads a line as a date.
static CLAIR: Feed = Feed {
    name: "clair-export",
    title: "",
    url: "",
    format: "",
    licence: "",
    terms: "",
    cadence_hours: 1,
    max_age_days: 1,
    covers: &[],
    gives: "",
    is_on_by_default: false,
    plan: |_, _| Ok(vec![feeds::Part::new("updaters.json", "")]),
    parse: |_, source, sink| {
        let mut text = String::new();
        source.read_to_string(&mut text).map_err(|error| feeds::ParseError(error.to_string()))?;
        for date in text.split('"').filter(|text| text.starts_with("20")) {
            sink.data_date(date);
            sink.epss("CVE-2030-0001", plimsoll_core::advisory::Epss { score: 0.5, percentile: 0.5 });
        }
        Ok(())
    },
};

#[test]
fn exports_of_clair_keep_their_dates() {
    let b = Machine::new();
    let mut options = ImportOptions {
        data_dir: b.data().to_owned(),
        keys: Vec::new(),
        allows_unsigned: false,
        allows_older: false,
        off: Default::default(),
        waits_for_others: false,
    };
    let import = |options: &ImportOptions, text: &str| {
        let folder = crate::snapshots::Folder::of(&b.data().join("snapshots"), CLAIR.name);
        let report = clair::import(&CLAIR, options, text.as_bytes(), time(10), &mut |_| {})?;
        Ok::<_, BundleError>((
            report.feeds[0].arrived.clone(),
            folder.state().fetched_at,
            folder.attempts().checked_at,
        ))
    };
    let export = r#"{"Date": "2025-11-01T00:00:00Z"}{"Date": "2025-12-01T00:00:00Z"}"#;
    assert!(matches!(import(&options, export), Err(BundleError::ClairUnsigned)));
    options.allows_unsigned = true;
    let date = Some("2025-12-01T00:00:00Z".to_owned());
    let new = Arrived::Replaced { changed: 1, unchanged: 0, bytes: export.len() as u64 };
    assert_eq!(import(&options, export).unwrap(), (new, date.clone(), date.clone()));
    assert_eq!(import(&options, export).unwrap(), (Arrived::Unchanged, date.clone(), date.clone()));
    let before = b.content();
    assert!(matches!(import(&options, "{}"), Err(BundleError::Parse { .. })), "it holds no records");
    assert!(b.content() == before);
}
