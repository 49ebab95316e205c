//! Updates from folders that stand in for upstreams, over the feeds' own rows.

use std::path::{Path, PathBuf};

use plimsoll_core::advisory::Advisories;
use plimsoll_net::Settings;
use tempfile::TempDir;

use super::*;
use crate::feeds;
use crate::status::{FeedStatus, status};

/// Upstreams and a data directory.
struct World {
    root: TempDir,
    options: UpdateOptions,
    /// By feed.
    urls: BTreeMap<String, Vec<String>>,
    part_bytes_max: u64,
    /// Seconds since the epoch; each update is a day later.
    now: i64,
}

const KEV_ENTRY: &str = r#"{"cveID": "CVE-2024-0001", "dateAdded": "2024-01-01", "dueDate": "2024-01-22"}"#;

impl World {
    fn new() -> World {
        let root = tempfile::tempdir().unwrap();
        let options = UpdateOptions::new(root.path().join("data"));
        let urls = BTreeMap::new();
        let mut world = World { root, options, urls, part_bytes_max: PART_BYTES_MAX, now: 1_767_225_600 };
        for (feed, path) in [("kev", "kev.json"), ("alpine-secdb", "alpine")] {
            world.urls.insert(feed.to_owned(), vec![world.url(path)]);
        }
        world.kev(KEV_ENTRY);
        world.secdb("v3.20/main.json", "1.2.12-r2");
        world
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.path().join("upstream").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn url(&self, path: &str) -> String {
        format!("file://{}", self.root.path().join("upstream").join(path).display())
    }

    fn upstream(&self, feed: &Feed) -> Upstream {
        let client = Client::new(Settings::default()).unwrap();
        let part_bytes_max = self.part_bytes_max;
        Upstream { urls: self.urls[feed.name].clone(), transport: Arc::new(client), part_bytes_max }
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.root.path().join("upstream").join(path)).unwrap();
    }

    fn kev(&self, entries: &str) {
        self.write("kev.json", &format!(r#"{{"vulnerabilities": [{entries}]}}"#));
    }

    fn secdb(&self, path: &str, fixed: &str) {
        self.secdb_of("alpine", path, fixed);
    }

    fn secdb_of(&self, mirror: &str, path: &str, fixed: &str) {
        let package =
            format!(r#"{{"pkg": {{"name": "zlib", "secfixes": {{"{fixed}": ["CVE-2022-37434"]}}}}}}"#);
        self.write(&format!("{mirror}/{path}"), &format!(r#"{{"packages": [{package}]}}"#));
    }

    fn try_update(&mut self, names: &[&str]) -> Result<UpdateReport, UpdateError> {
        self.now += 86_400;
        let rows: Vec<_> = names.iter().map(|name| feeds::by_name(name).unwrap()).collect();
        let upstreams = |feed| Ok(self.upstream(feed));
        update(&self.options, &rows, &upstreams, Timestamp::from_second(self.now).unwrap(), &mut |_| {})
    }

    /// Updates, and says what became of it: one word each.
    fn update(&mut self, names: &[&str]) -> String {
        let report = self.try_update(names).unwrap();
        let mut words: Vec<String> = report.feeds.iter().map(|feed| word(&feed.outcome)).collect();
        words.push(match report.database {
            DatabaseReport::Built(_, left_out) if left_out.is_empty() => "built".to_owned(),
            DatabaseReport::Built(_, left_out) => format!("built without {}", left_out[0].0),
            DatabaseReport::Unchanged(_) => "same".to_owned(),
            DatabaseReport::NoSnapshots => "nothing".to_owned(),
        });
        words.join(", ")
    }

    fn status(&self, feed: &str) -> FeedStatus {
        let now = Timestamp::from_second(self.now + 3 * 86_400).unwrap();
        let all = status(&self.options.data_dir, &BTreeMap::new(), now);
        all.into_iter().find(|status| status.name == feed).unwrap()
    }

    fn data(&self, path: &str) -> PathBuf {
        self.options.data_dir.join(path)
    }

    /// The version of zlib that has the fix, by the database, and how many CVEs are known to be exploited.
    fn known(&self) -> String {
        let Ok(database) = Database::open(&database_path(&self.options.data_dir)) else {
            return "no database".to_owned();
        };
        database.verify().unwrap();
        let mut fixed = Vec::new();
        for namespace in ["alpine:3.20", "alpine:3.21"] {
            database.rows(namespace, "zlib", &mut |row| fixed.push(row.end.to_owned())).unwrap();
        }
        let is_exploited = |cve: &&str| database.enrichment(cve).unwrap().kev.is_some();
        let exploited = ["CVE-2024-0001", "CVE-2024-0002"].iter().filter(|cve| is_exploited(cve)).count();
        format!("zlib {}, {exploited} exploited", fixed.join(" "))
    }
}

fn word(outcome: &FeedOutcome) -> String {
    match outcome {
        FeedOutcome::Updated { changed, unchanged, .. } => format!("{changed} new {unchanged} old"),
        FeedOutcome::Unchanged => "unchanged".to_owned(),
        FeedOutcome::Failed { has_snapshot: true, .. } => "failed".to_owned(),
        FeedOutcome::Failed { has_snapshot: false, .. } => "failed without a snapshot".to_owned(),
    }
}

const BOTH: &[&str] = &["alpine-secdb", "kev"];

#[test]
fn what_is_new_is_built_and_what_is_not_is_left_alone() {
    let mut world = World::new();
    assert_eq!(world.update(BOTH), "1 new 0 old, 1 new 0 old, built");
    assert_eq!(world.known(), "zlib 1.2.12-r2, 1 exploited");
    let before = fs::read(world.data(DATABASE)).unwrap();
    let fetched_at = world.status("kev").fetched_at;
    assert_eq!(world.update(BOTH), "unchanged, unchanged, same");
    assert_eq!(fs::read(world.data(DATABASE)).unwrap(), before);
    let status = world.status("kev");
    assert_eq!(status.fetched_at, fetched_at);
    assert!(status.checked_at > fetched_at);
    assert_eq!(status.age_days, Some(3), "days since it was confirmed, for a feed that states no date");
    world.secdb("v3.21/main.json", "1.3.1-r0");
    assert_eq!(world.update(BOTH), "1 new 1 old, unchanged, built");
    assert_eq!(world.known(), "zlib 1.2.12-r2 1.3.1-r0, 1 exploited");
}

#[test]
fn progress_names_what_is_being_done() {
    let world = World::new();
    let upstreams = |feed| Ok(world.upstream(feed));
    let mut steps = Vec::new();
    let rows = [feeds::by_name("kev").unwrap()];
    update(&world.options, &rows, &upstreams, Timestamp::UNIX_EPOCH, &mut |step| {
        steps.push(match step {
            Progress::Fetching { part, done, of, .. } => format!("fetching {part} {done}/{of}"),
            Progress::Verifying { part, .. } => format!("verifying {part}"),
            Progress::Building { feed } => format!("building {feed}"),
            Progress::Writing => "writing".to_owned(),
        });
    })
    .unwrap();
    let part = "known_exploited_vulnerabilities.json";
    let expected = [&format!("fetching {part} 0/1"), &format!("verifying {part}"), "building kev", "writing"];
    assert_eq!(steps, expected);
}

#[test]
fn feeds_that_are_not_asked_stay_in_the_database() {
    let mut world = World::new();
    world.update(BOTH);
    world.kev(&format!("{KEV_ENTRY}, {}", KEV_ENTRY.replace("0001", "0002")));
    assert_eq!(world.update(&["kev"]), "1 new 0 old, built");
    assert_eq!(world.known(), "zlib 1.2.12-r2, 2 exploited");
}

#[test]
fn a_feed_that_fails_keeps_its_snapshot_and_stops_no_other() {
    let mut world = World::new();
    world.update(BOTH);
    world.secdb("v3.21/main.json", "1.3.1-r0");
    world.write("alpine/v3.20/main.json", r#"{"packages": [{"pkg""#);
    world.kev(&format!("{KEV_ENTRY}, {}", KEV_ENTRY.replace("0001", "0002")));
    assert_eq!(world.update(BOTH), "failed, 1 new 0 old, built");
    assert_eq!(world.known(), "zlib 1.2.12-r2, 2 exploited", "not even the part that was fine counts");
    let first = world.status("alpine-secdb");
    assert!(
        first.error.as_deref().unwrap().contains("`v3.20-main.json` is not what it should be"),
        "{first:?}"
    );
    assert_eq!(world.update(BOTH), "failed, unchanged, same");
    let second = world.status("alpine-secdb");
    assert_eq!((&second.failing_since, &second.fetched_at), (&first.failing_since, &first.fetched_at));
    assert_eq!(second.age_days, Some(5));
    world.secdb("v3.20/main.json", "1.2.12-r3");
    assert_eq!(world.update(BOTH), "2 new 0 old, unchanged, built");
    let third = world.status("alpine-secdb");
    assert_eq!((third.error, third.failing_since), (None, None));
}

#[test]
fn parts_that_are_gone_or_empty_or_too_large_are_failures() {
    let mut world = World::new();
    assert_eq!(world.update(BOTH), "1 new 0 old, 1 new 0 old, built");
    world.remove("kev.json");
    world.remove("alpine/v3.20/main.json");
    assert_eq!(world.update(BOTH), "failed, failed, same");
    assert!(world.status("kev").error.unwrap().starts_with("there is no `file://"));
    assert!(
        world.status("alpine-secdb").error.unwrap().starts_with("none of its files is there below `file://")
    );
    world.kev("");
    assert_eq!(world.update(&["kev"]), "failed, same");
    assert_eq!(world.status("kev").error.unwrap(), "its files hold no records");
    world.kev(KEV_ENTRY);
    world.part_bytes_max = 20;
    assert_eq!(world.update(&["kev"]), "failed, same");
    assert_eq!(world.known(), "zlib 1.2.12-r2, 1 exploited");
}

#[test]
fn the_next_url_is_asked_when_one_fails() {
    let mut world = World::new();
    for mirror in ["first", "second"] {
        world.secdb_of(mirror, "v3.20/main.json", "1.2.12-r2");
    }
    let urls = ["first", "second"].map(|mirror| world.url(mirror)).to_vec();
    world.urls.insert("alpine-secdb".to_owned(), urls);
    let alpine = &["alpine-secdb"];
    assert_eq!(world.update(alpine), "1 new 0 old, built");
    // Half a mirror: all comes from the next, also what the first still has.
    world.secdb_of("first", "v3.21/main.json", "1.3.1-r0");
    world.write("first/v3.20/main.json", "{");
    world.secdb_of("second", "v3.20/main.json", "1.2.13-r0");
    let report = world.try_update(alpine).unwrap();
    assert_eq!(word(&report.feeds[0].outcome), "1 new 0 old");
    let failed = &report.feeds[0].failed_urls;
    let start = format!("`{}`: `v3.20-main.json` is not what it should be", world.url("first"));
    assert!(failed.len() == 1 && failed[0].starts_with(&start), "{failed:?}");
    assert_eq!(world.known(), "zlib 1.2.13-r0, 0 exploited");
    assert_eq!(world.status("alpine-secdb").error, None);
    // What one URL gave as validators is not said to another, even where they would be equal.
    let part = |mirror: &str| world.root.path().join("upstream").join(mirror).join("v3.20/main.json");
    fs::copy(part("second"), part("first")).unwrap();
    let modified = fs::metadata(part("second")).unwrap().modified().unwrap();
    File::options().append(true).open(part("first")).unwrap().set_modified(modified).unwrap();
    world.remove("first/v3.21/main.json");
    assert_eq!(world.update(alpine), "unchanged, same", "fetched again, and found to be the same");
    let state = Folder::of(&snapshots_path(&world.options.data_dir), "alpine-secdb").state();
    assert!(state.parts["v3.20-main.json"].url.contains("/first/"), "{state:?}");
    // All failed: all are named.
    world.remove("first/v3.20/main.json");
    world.write("second/v3.20/main.json", "{");
    assert_eq!(world.update(alpine), "failed, same");
    let error = world.status("alpine-secdb").error.unwrap();
    let named = ["first", "second"].map(|mirror| error.contains(&format!("`{}`: ", world.url(mirror))));
    assert!(error.starts_with("all its URLs failed: ") && named == [true, true], "{error}");
    assert_eq!(world.known(), "zlib 1.2.13-r0, 0 exploited");
}

#[test]
fn a_feed_that_cannot_be_asked_stops_no_other() {
    let mut world = World::new();
    world.update(BOTH);
    let rows = [feeds::by_name("alpine-secdb").unwrap(), feeds::by_name("kev").unwrap()];
    let upstreams = |feed: &'static Feed| match feed.name {
        "kev" => Err("the password is missing".to_owned()),
        _ => Ok(world.upstream(feed)),
    };
    update(&world.options, &rows, &upstreams, Timestamp::UNIX_EPOCH, &mut |_| {}).unwrap();
    assert_eq!(world.status("kev").error.as_deref(), Some("the password is missing"));
    assert_eq!(world.status("alpine-secdb").error, None);
}

#[test]
fn a_feed_that_is_turned_off_leaves_the_database_and_comes_back() {
    let mut world = World::new();
    world.update(BOTH);
    world.options.off.insert("kev");
    assert_eq!(world.update(&["alpine-secdb"]), "unchanged, built");
    assert_eq!(world.known(), "zlib 1.2.12-r2, 0 exploited");
    assert!(world.status("kev").has_snapshot && !world.status("kev").is_in_database);
    world.options.off.clear();
    assert_eq!(world.update(&[]), "built");
    assert_eq!(world.known(), "zlib 1.2.12-r2, 1 exploited");
}

#[test]
fn a_release_that_the_upstream_drops_is_dropped() {
    let mut world = World::new();
    world.secdb("v3.21/main.json", "1.3.1-r0");
    assert_eq!(world.update(BOTH), "2 new 0 old, 1 new 0 old, built");
    world.remove("alpine/v3.21/main.json");
    assert_eq!(world.update(BOTH), "0 new 1 old, unchanged, built");
    assert_eq!(world.known(), "zlib 1.2.12-r2, 1 exploited");
    assert!(!world.data("snapshots/alpine-secdb/v3.21-main.json").exists());
    assert_eq!(world.status("alpine-secdb").present, ["v3.20-main.json"]);
}

#[test]
fn nothing_is_built_from_nothing() {
    let mut world = World::new();
    world.remove("kev.json");
    assert_eq!(world.update(&["kev"]), "failed without a snapshot, nothing");
    assert_eq!(world.known(), "no database");
    let status = world.status("kev");
    assert!(
        !status.has_snapshot && status.age_days.is_none() && status.failing_since.is_some(),
        "{status:?}"
    );
}

#[test]
fn one_update_at_a_time() {
    let mut world = World::new();
    world.update(BOTH);
    let held = lock(&world.options.data_dir, false).unwrap();
    assert!(matches!(world.try_update(BOTH), Err(UpdateError::Busy(_))));
    drop(held);
    assert_eq!(world.update(BOTH), "unchanged, unchanged, same");
}

#[test]
fn an_update_that_was_killed_is_made_good() {
    let mut world = World::new();
    world.update(BOTH);
    // While it fetched.
    let staged = world.data("snapshots/kev/.staged");
    fs::create_dir(&staged).unwrap();
    fs::write(staged.join("known_exploited_vulnerabilities.json"), "{").unwrap();
    assert_eq!(world.update(BOTH), "unchanged, unchanged, same");
    assert!(!staged.exists());
    // After the snapshots had changed and before the database had.
    let old = fs::read(world.data(DATABASE)).unwrap();
    world.secdb("v3.20/main.json", "1.2.13-r0");
    assert_eq!(world.update(BOTH), "1 new 0 old, unchanged, built");
    fs::write(world.data(DATABASE), &old).unwrap();
    assert_eq!(world.update(BOTH), "unchanged, unchanged, built");
    assert_eq!(world.known(), "zlib 1.2.13-r0, 1 exploited");
    fs::remove_file(world.data(DATABASE)).unwrap();
    assert_eq!(world.update(BOTH), "unchanged, unchanged, built");
}

#[test]
fn a_damaged_snapshot_is_left_out_and_fetched_again() {
    let mut world = World::new();
    world.update(BOTH);
    let part = world.data("snapshots/kev/known_exploited_vulnerabilities.json");
    let length = fs::metadata(&part).unwrap().len();
    fs::write(&part, vec![b'x'; usize::try_from(length).unwrap()]).unwrap();
    world.secdb("v3.20/main.json", "1.2.13-r0");
    assert_eq!(world.update(BOTH), "1 new 0 old, unchanged, built without kev");
    assert_eq!(world.known(), "zlib 1.2.13-r0, 0 exploited");
    assert!(world.status("kev").error.unwrap().starts_with("the snapshot is damaged: "));
    assert_eq!(world.update(BOTH), "unchanged, unchanged, built");
    assert_eq!(world.known(), "zlib 1.2.13-r0, 1 exploited");
    // A part that is missing or cut is noticed before anything is built.
    for cut_to in [None, Some("{")] {
        match cut_to {
            None => fs::remove_file(&part).unwrap(),
            Some(text) => fs::write(&part, text).unwrap(),
        }
        assert_eq!(world.update(BOTH), "unchanged, unchanged, same");
        assert_eq!(fs::metadata(&part).unwrap().len(), length);
    }
}

#[test]
fn status_says_how_a_feed_stands() {
    let mut world = World::new();
    world.write("alpine/last-update", "2025-12-20T00:00:00Z");
    world.secdb("edge/main.json", "not a version");
    world.update(BOTH);
    let status = world.status("alpine-secdb");
    assert_eq!(status.present, ["edge-main.json", "last-update", "v3.20-main.json"]);
    assert_eq!(status.namespaces, ["alpine:3.20", "alpine:edge"]);
    assert_eq!((status.records, status.is_in_database), (2, true));
    assert_eq!(status.data_date.as_deref(), Some("2025-12-20T00:00:00Z"));
    assert_eq!((status.age_days, status.is_stale()), (Some(16), true));
    let other = world.status("osv-pypi");
    assert!(!other.has_snapshot && other.error.is_none() && !other.is_stale());
    let nowhere = status_of_nowhere(&world.root.path().join("nowhere"));
    assert!(nowhere.iter().all(|status| !status.has_snapshot) && nowhere.len() == FEEDS.len());
}

fn status_of_nowhere(path: &Path) -> Vec<FeedStatus> {
    status(path, &BTreeMap::new(), Timestamp::UNIX_EPOCH)
}

/// An index that no longer names a month, and an upstream that no longer has it, take nothing away.
#[test]
fn a_part_that_stays_outlives_its_upstream() {
    let mut world = World::new();
    world.urls.insert("msrc".to_owned(), vec![world.url("msrc")]);
    let month = |fixed: &str| {
        format!(
            r#"{{"Vulnerability": [{{"CVE": "CVE-2024-0001", "Remediations": [
                {{"Type": 2, "FixedBuild": "{fixed}", "ProductID": ["11924"]}}]}}]}}"#
        )
    };
    world.write("msrc/updates", r#"[{"ID": "2019-Jan"}, {"ID": "2024-Jun"}]"#);
    world.write("msrc/cvrf/2019-Jan", &month("10.0.20348.1"));
    world.write("msrc/cvrf/2024-Jun", &month("10.0.20348.2"));
    assert_eq!(world.update(&["msrc"]), "3 new 0 old, built");
    world.write("msrc/updates", r#"[{"ID": "2024-Jun"}]"#);
    world.remove("msrc/cvrf/2019-Jan");
    assert_eq!(world.update(&["msrc"]), "1 new 2 old, built");
    // What the index leaves out and the upstream has is found all the same.
    world.write("msrc/updates", "[]");
    world.write("msrc/cvrf/2024-Jul", &month("10.0.20348.3"));
    assert_eq!(world.update(&["msrc"]), "2 new 2 old, built");
    assert!(world.data("snapshots/msrc/2019-Jan.json").exists());
}
