//! Mirrors of folders that stand in for upstreams, and updates from the mirrors.

use jiff::Timestamp;
use plimsoll_net::{Client, Settings};
use tempfile::TempDir;

use super::*;
use crate::feeds;
use crate::update::{UpdateOptions, database_path, update};

const NAMES: &[&str] = &["alpine-secdb", "kev"];

struct World {
    root: TempDir,
    options: MirrorOptions,
    urls: BTreeMap<String, String>,
}

/// Feeds from these URLs alone.
fn from(urls: &BTreeMap<String, String>) -> impl Fn(&'static Feed) -> Result<Upstream, String> + '_ {
    move |feed| {
        let client = Client::new(Settings::default()).unwrap();
        Ok(Upstream { urls: vec![urls[feed.name].clone()], ..Upstream::own(feed, &client) })
    }
}

impl World {
    fn new() -> World {
        let root = tempfile::tempdir().unwrap();
        let options = MirrorOptions::new(root.path().join("a mirror"));
        let mut urls = BTreeMap::new();
        for (feed, path) in [("kev", "upstream/kev.json"), ("alpine-secdb", "upstream/alpine")] {
            urls.insert(feed.to_owned(), format!("file://{}", root.path().join(path).display()));
        }
        let world = World { root, options, urls };
        world.write("kev.json", r#"{"vulnerabilities": [{"cveID": "CVE-2024-0001", "dateAdded": "2024-01-01", "dueDate": "2024-01-22"}]}"#);
        world.secdb("v3.20", "1.0-r0");
        world.secdb("v3.21", "1.0-r0");
        world
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.path().join("upstream").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.root.path().join("upstream").join(path)).unwrap();
    }

    fn secdb(&self, release: &str, fixed: &str) {
        let text = format!(
            r#"{{"packages": [{{"pkg": {{"name": "z", "secfixes": {{"{fixed}": ["CVE-2022-0001"]}}}}}}]}}"#
        );
        self.write(&format!("alpine/{release}/main.json"), &text);
    }

    fn mirror(&self) -> Vec<Result<Mirrored, String>> {
        let rows: Vec<_> = NAMES.iter().map(|name| feeds::by_name(name).unwrap()).collect();
        let reports = mirror(&self.options, &rows, &from(&self.urls), &mut |_| {}).unwrap();
        reports.into_iter().map(|report| report.outcome).collect()
    }

    /// New, old and removed files of each feed.
    fn counts(&self) -> Vec<(usize, usize, usize)> {
        self.mirror()
            .into_iter()
            .map(Result::unwrap)
            .map(|done| (done.changed, done.unchanged, done.removed))
            .collect()
    }

    /// The database of an update from these URLs.
    fn database(&self, name: &str, urls: &BTreeMap<String, String>) -> Vec<u8> {
        let data_dir = self.root.path().join(name);
        let options = UpdateOptions::new(&data_dir);
        let rows: Vec<_> = NAMES.iter().map(|name| feeds::by_name(name).unwrap()).collect();
        update(&options, &rows, &from(urls), Timestamp::UNIX_EPOCH, &mut |_| {}).unwrap();
        fs::read(database_path(&data_dir)).unwrap()
    }

    /// The URLs in the configuration that was written.
    fn urls(&self) -> BTreeMap<String, String> {
        let text = fs::read_to_string(self.options.dir.join(CONFIG)).unwrap();
        let mut urls = BTreeMap::new();
        let mut feed = None;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("[feeds.") {
                feed = Some(name.trim_end_matches(']').to_owned());
            } else if let Some(url) = line.strip_prefix("url = ") {
                urls.insert(feed.take().unwrap(), url.trim_matches('"').to_owned());
            }
        }
        urls
    }

    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        let mut folders = vec![self.options.dir.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => files.push(path.strip_prefix(&self.options.dir).unwrap().display().to_string()),
                }
            }
        }
        files.sort();
        files
    }
}

#[test]
fn an_update_from_a_mirror_makes_the_same_database() {
    let world = World::new();
    assert_eq!(world.counts(), [(2, 0, 0), (1, 0, 0)]);
    assert_eq!(
        world.files(),
        [
            ".plimsoll-mirror/alpine-secdb.jsonl",
            ".plimsoll-mirror/kev.jsonl",
            ".plimsoll-mirror/lock",
            "alpine-secdb/v3.20/main.json",
            "alpine-secdb/v3.21/main.json",
            "kev/known_exploited_vulnerabilities.json",
            "plimsoll-mirror.toml",
        ]
    );
    let urls = world.urls();
    assert!(urls["kev"].ends_with("/a%20mirror/kev/known_exploited_vulnerabilities.json"), "{urls:?}");
    assert!(world.database("of-mirror", &urls) == world.database("of-upstream", &world.urls));
}

/// The same where an index of the upstream says which files there are.
#[test]
fn files_that_say_which_others_there_are_are_mirrored() {
    let mut world = World::new();
    let feed = "alpine-secdb";
    // A feed with an index stands in; its parser is the one of the row.
    static INDEXED: Feed = Feed {
        name: "alpine-secdb",
        title: "",
        url: "",
        format: "",
        licence: "",
        terms: "",
        cadence_hours: 1,
        max_age_days: 1,
        covers: &[],
        gives: "",
        is_on_by_default: true,
        plan: |_, index| {
            let list = index.get("lists/all.txt")?.ok_or_else(|| PlanError("no list".to_owned()))?;
            assert_eq!(index.get("lists/none.txt")?, None);
            let list = String::from_utf8(list).unwrap();
            Ok(list
                .lines()
                .map(|line| Part {
                    revision: Some("1".to_owned()),
                    ..Part::new(line.replace('/', "-"), line)
                })
                .collect())
        },
        parse: |_, _, _| Ok(()),
    };
    world.write("alpine/lists/all.txt", "v3.20/main.json\nv3.21/main.json\n");
    let urls = world.urls.clone();
    let counts = |world: &World| {
        let mut reports = mirror(&world.options, &[&INDEXED], &from(&urls), &mut |_| {}).unwrap();
        let done = reports.pop().unwrap().outcome.unwrap();
        (done.changed, done.unchanged, done.removed)
    };
    assert_eq!(counts(&world), (3, 0, 0));
    // A part that the index calls as before is not even asked for.
    world.secdb("v3.20", "9.0-r0");
    assert_eq!(counts(&world), (0, 3, 0));
    world.write("alpine/lists/all.txt", "v3.20/main.json\n");
    assert_eq!(counts(&world), (1, 1, 1));
    assert!(!world.options.dir.join(feed).join("v3.21/main.json").exists());
    assert_eq!(fs::read(world.options.dir.join(feed).join("lists/all.txt")).unwrap(), b"v3.20/main.json\n");
    for path in ["../../x", "/etc/x", "a//b", "a/./b", "%2e%2e/x", "a%00b", "a?b", "C:/x", "%zz", ".hidden/x"]
    {
        world.write("alpine/lists/all.txt", &format!("{path}\n"));
        let error =
            mirror(&world.options, &[&INDEXED], &from(&urls), &mut |_| {}).unwrap().pop().unwrap().outcome;
        assert!(error.clone().unwrap_err().contains("cannot be served from a folder"), "{path}: {error:?}");
    }
    world.options.base_url = Some("https://feeds.example/".to_owned());
    world.mirror();
    assert_eq!(world.urls()[feed], "https://feeds.example/alpine-secdb");
}

#[test]
fn only_what_has_changed_is_fetched() {
    let world = World::new();
    world.mirror();
    assert_eq!(world.counts(), [(0, 2, 0), (0, 1, 0)]);
    world.secdb("v3.21", "1.1-r10");
    world.secdb("v3.22", "1.1-r10");
    assert_eq!(world.counts(), [(2, 1, 0), (0, 1, 0)]);
    world.remove("alpine/v3.20/main.json");
    assert_eq!(world.counts(), [(0, 2, 1), (0, 1, 0)]);
    // A file that was lost or cut here is fetched again.
    let mirrored = world.options.dir.join("alpine-secdb/v3.21/main.json");
    fs::write(&mirrored, "{").unwrap();
    assert_eq!(world.counts(), [(1, 1, 0), (0, 1, 0)]);
    fs::remove_file(&mirrored).unwrap();
    assert_eq!(world.counts(), [(1, 1, 0), (0, 1, 0)]);
    // So is one of which a kill left no note, or half of one.
    let journal = world.options.dir.join(".plimsoll-mirror/alpine-secdb.jsonl");
    let whole = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, &whole[..whole.len() - 10]).unwrap();
    assert_eq!(world.counts(), [(1, 1, 0), (0, 1, 0)]);
    assert_eq!(fs::read_to_string(&journal).unwrap(), whole);
}

#[test]
fn a_feed_that_fails_keeps_what_was_mirrored_and_stops_no_other() {
    let world = World::new();
    world.mirror();
    let before = world.files();
    world.remove("kev.json");
    world.secdb("v3.20", "2.0-r10");
    let outcomes = world.mirror();
    assert_eq!(outcomes[0].as_ref().unwrap().changed, 1);
    assert!(outcomes[1].as_ref().unwrap_err().contains("there is no `file://"), "{outcomes:?}");
    assert_eq!(world.files(), before);
    let _held = lock(&world.options.dir).unwrap();
    assert!(matches!(
        mirror(&world.options, &[], &from(&world.urls), &mut |_| {}),
        Err(MirrorError::Busy(_))
    ));
}
