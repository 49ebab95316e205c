//! Every feed over its fixtures: `testdata/feeds/FEED/CASE/` holds the upstream's files under their paths, and
//! `received.snap` what a sink received of them. A feed's only file is called `document`. A zip may be a
//! folder of its entries instead, so that people can read it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use plimsoll_core::advisory::{RangeEnd, Status};

use super::archive::tests::entry;
use super::*;

/// Writes down what it receives.
#[derive(Default)]
struct Received(String);

macro_rules! line {
    ($to:expr, $($arg:tt)*) => { writeln!($to.0, $($arg)*).expect("a String takes all") };
}

impl Received {
    fn list(&mut self, name: &str, values: &[String]) {
        if !values.is_empty() {
            line!(self, "  {name}: {}", values.join(" "));
        }
    }

    fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            line!(self, "  {name}: {}", value.replace('\n', " / "));
        }
    }

    fn affected(&mut self, one: &Affected) {
        let mut line = format!("  - {} {} {}", one.namespace, one.package, one.status.name());
        for range in &one.ranges {
            let low = range.introduced.as_deref().unwrap_or("");
            let high = match &range.end {
                RangeEnd::Open => "..)".to_owned(),
                RangeEnd::Fixed(version) => format!("{version} fixed)"),
                RangeEnd::Before(version) => format!("{version})"),
                RangeEnd::Last(version) => format!("{version}]"),
            };
            write!(line, " [{low}, {high}").expect("a String takes all");
        }
        assert!(one.status == Status::NotAffected || !one.ranges.is_empty(), "{one:?}");
        if one.fix.name() != "unstated" {
            write!(line, " fix {}", one.fix.name()).expect("a String takes all");
        }
        if let Some(module) = &one.module {
            write!(line, " module {module}").expect("a String takes all");
        }
        if !one.architectures.is_empty() {
            write!(line, " on {}", one.architectures.join(",")).expect("a String takes all");
        }
        if let Some(severity) = one.severity {
            write!(line, " severity {severity}").expect("a String takes all");
        }
        line!(self, "{line}");
    }
}

impl Sink for Received {
    fn advisory(&mut self, advisory: &Advisory, affected: &[Affected]) {
        line!(self, "advisory {}", advisory.id);
        self.list("aliases", &advisory.aliases);
        self.list("flaws", &advisory.flaws);
        self.text("summary", &advisory.summary);
        self.text("description", &advisory.description);
        self.text("severity", advisory.severity.map_or("", |severity| severity.name()));
        for cvss in &advisory.cvss {
            line!(self, "  cvss: {} {} {:.1} by {}", cvss.version, cvss.vector, cvss.score, cvss.source);
        }
        self.list("references", &advisory.references);
        for update in &advisory.updates {
            line!(
                self,
                "  update: {} {} {} {}",
                update.name,
                update.namespace,
                update.package,
                update.version
            );
        }
        self.text("component", &advisory.component);
        self.text("exploited", if advisory.is_exploited { "yes" } else { "" });
        self.text("published", advisory.published.as_deref().unwrap_or_default());
        self.text("modified", advisory.modified.as_deref().unwrap_or_default());
        affected.iter().for_each(|one| self.affected(one));
    }

    fn kev(&mut self, cve: &str, kev: Kev) {
        line!(self, "kev {cve} {kev:?}");
    }

    fn epss(&mut self, cve: &str, epss: Epss) {
        line!(self, "epss {cve} {epss:?}");
    }

    fn cvss(&mut self, cve: &str, vectors: &[Cvss]) {
        for cvss in vectors {
            line!(self, "cvss {cve} {} {} {:.1} by {}", cvss.version, cvss.vector, cvss.score, cvss.source);
        }
    }

    fn end_of_life(&mut self, namespace: &str, end: EndOfLife) {
        line!(self, "end of life of {namespace} {end:?}");
    }

    fn repository(&mut self, id: &str, products: &[&str]) {
        line!(self, "repository {id}: {}", products.join(" "));
    }

    fn refuse(&mut self, record: &str, reason: &str) {
        assert!(record.len() < 400, "the record is not shortened: {} bytes", record.len());
        line!(self, "refused `{record}`: {reason}");
    }

    fn skip(&mut self, reason: &str) {
        line!(self, "skipped: {reason}");
    }

    fn data_date(&mut self, date: &str) {
        line!(self, "data date {date}");
    }

    fn namespace_date(&mut self, namespace: &str, date: &str) {
        line!(self, "data date of {namespace} {date}");
    }

    fn namespace(&mut self, namespace: &str) {
        line!(self, "namespace {namespace}");
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/feeds")
}

/// Folders in a folder, sorted.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut folders: Vec<_> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// A case's file. One that is not there is made of the file of its name without `.gz`, `.bz2`, `.xz` or `.zst`; a
/// zip or a tar of the folder. A folder in place of a file is a tar of it.
fn file(case: &Path, path: &str) -> Option<Vec<u8>> {
    let path = if path.is_empty() { "document" } else { path };
    let folder = case.join(path.strip_suffix("/all.zip").unwrap_or("-").replace("%20", " "));
    if folder.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        let named = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        return Some(zipped(entries.iter().map(|path| (named(path), fs::read(path).unwrap()))));
    }
    fs::read(case.join(path)).ok().or_else(|| compressed(case, path))
}

fn compressed(case: &Path, path: &str) -> Option<Vec<u8>> {
    if case.join(path).is_dir() {
        return Some(tarred(&case.join(path)));
    }
    let (plain, ending) = path.rsplit_once('.')?;
    let compress: fn(&[u8]) -> Vec<u8> = match ending {
        "gz" => gzipped,
        "bz2" => bzip2ed,
        "xz" => xzed,
        "zst" => |bytes| zstd::encode_all(bytes, 0).unwrap(),
        "tar" => return case.join(plain).is_dir().then(|| tarred(&case.join(plain))),
        _ => return None,
    };
    file(case, plain).map(|bytes| compress(&bytes))
}

/// A case's file before it is compressed.
fn inflated(case: &Path, path: &str) -> Option<Vec<u8>> {
    let plain = [".gz", ".bz2", ".xz", ".zst"].iter().find_map(|ending| path.strip_suffix(ending));
    plain.and_then(|plain| file(case, plain)).or_else(|| file(case, path))
}

pub(super) fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn bzip2ed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn xzed(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A tar of a folder's files, sorted, under their paths below it.
pub(super) fn tarred(folder: &Path) -> Vec<u8> {
    let (mut files, mut left) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = left.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() { left.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    let entry = |path: PathBuf| {
        let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
        entry(b'0', name, &fs::read(&path).unwrap())
    };
    let mut tar = files.into_iter().flat_map(entry).collect::<Vec<u8>>();
    tar.resize(tar.len() + 1024, 0);
    tar
}

fn zipped(entries: impl IntoIterator<Item = (String, Vec<u8>)>) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The index files of a case.
struct CaseIndex<'a>(&'a Path);

impl Index for CaseIndex<'_> {
    fn get(&mut self, path: &str) -> Result<Option<Vec<u8>>, PlanError> {
        Ok(file(self.0, path))
    }

    fn held(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The parts of a case.
struct CaseSnapshot<'a>(&'a Path, &'a [Part]);

impl Snapshot for CaseSnapshot<'_> {
    fn names(&self) -> Vec<String> {
        let present = self.1.iter().filter(|part| file(self.0, &part.path).is_some());
        let mut names: Vec<String> = present.map(|part| part.name.clone()).collect();
        names.sort();
        names
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Source>>> {
        let part = self.1.iter().find(|part| part.name == name);
        let bytes = part.and_then(|part| file(self.0, &part.path));
        Ok(bytes.map(|bytes| Box::new(Cursor::new(bytes)) as Box<dyn Source>))
    }
}

/// Reads bytes as a part of a feed that has no other.
pub(super) fn parsed(feed: &str, path: &str, bytes: &[u8]) -> (Result<(), ParseError>, String) {
    parsed_part(feed, &Part::new("part", path), bytes)
}

/// Reads bytes as a part of a feed that has no other, for a feed that asks for the part's name.
pub(super) fn parsed_part(feed: &str, part: &Part, bytes: &[u8]) -> (Result<(), ParseError>, String) {
    let feed = by_name(feed).expect("the feed is listed");
    let mut received = Received::default();
    let snapshot = CaseSnapshot(Path::new("/nowhere"), &[]);
    let reading = Reading { feed, part, snapshot: &snapshot };
    let result = (feed.parse)(&reading, &mut Cursor::new(bytes), &mut received);
    (result, received.0)
}

/// What the feeds of a group receive of a case. A group of several feeds says which.
fn received(feeds: &[&'static Feed], case: &Path) -> String {
    let mut received = Received::default();
    for feed in feeds {
        let parts = match (feed.plan)(feed, &mut CaseIndex(case)) {
            Ok(parts) => parts,
            Err(error) => {
                line!(received, "no plan: {error}");
                continue;
            }
        };
        let is_there = |part: &Part| file(case, &part.path).is_some();
        if feeds.len() > 1 {
            if !parts.iter().any(is_there) {
                continue;
            }
            line!(received, "feed {}", feed.name);
        }
        let snapshot = CaseSnapshot(case, &parts);
        for part in &parts {
            let Some(bytes) = file(case, &part.path) else {
                assert!(part.may_be_absent, "{} has no {}", case.display(), part.path);
                continue;
            };
            line!(received, "part {}", part.name);
            let reading = Reading { feed, part, snapshot: &snapshot };
            if let Err(error) = (feed.parse)(&reading, &mut Cursor::new(bytes), &mut received) {
                line!(received, "failed: {error}");
            }
        }
    }
    received.0
}

/// The feeds that a folder of fixtures is for: the one of its name, or all whose names begin with it.
fn group(folder: &Path) -> Vec<&'static Feed> {
    let name = folder.file_name().unwrap().to_str().unwrap();
    let is_of = |feed: &&&Feed| {
        feed.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    by_name(name).map_or_else(|| FEEDS.iter().filter(is_of).copied().collect(), |feed| vec![feed])
}

#[test]
fn every_feed_reads_its_fixtures() {
    for folder in folders(&fixtures()) {
        let cases = folders(&folder);
        assert!(!cases.is_empty(), "{} has no case", folder.display());
        for case in cases {
            let received = received(&group(&folder), &case);
            insta::with_settings!({
                snapshot_path => &case,
                prepend_module_to_snapshot => false,
                omit_expression => true,
            }, {
                insta::assert_snapshot!("received", received);
            });
        }
    }
}

#[test]
fn every_feed_has_fixtures() {
    let covered: Vec<&str> =
        folders(&fixtures()).iter().flat_map(|folder| group(folder)).map(|feed| feed.name).collect();
    for feed in FEEDS {
        assert!(covered.contains(&feed.name), "{}", feed.name);
    }
    for folder in folders(&fixtures()) {
        assert!(!group(&folder).is_empty(), "{}", folder.display());
    }
}

/// A feed covers a distribution or a language if, and only if, that names the feed.
#[test]
fn feeds_and_what_they_cover_agree() {
    for feed in FEEDS {
        for covers in feed.covers {
            let names = match covers {
                Covers::Distro(row) => row.feeds,
                Covers::Packages(row) => row.feeds,
                Covers::Flaws(_) | Covers::Other(_) => continue,
            };
            assert!(names.contains(&feed.name), "{} covers {}", feed.name, covers.title());
        }
    }
    let named = |name: &&str, is_it: &dyn Fn(&Covers) -> bool| {
        let feed = by_name(name).unwrap_or_else(|| panic!("there is no feed {name}"));
        assert!(feed.covers.iter().any(is_it), "{name}");
    };
    for row in plimsoll_core::distros::DISTROS {
        let is_it = |covers: &Covers| matches!(covers, Covers::Distro(other) if other.id == row.id);
        row.feeds.iter().for_each(|name| named(name, &is_it));
    }
    for row in plimsoll_core::ecosystems::ECOSYSTEMS {
        let is_it = |covers: &Covers| matches!(covers, Covers::Packages(other) if other == row);
        row.feeds.iter().for_each(|name| named(name, &is_it));
    }
}

#[test]
fn rows_are_sorted_and_complete() {
    assert!(FEEDS.windows(2).all(|pair| pair[0].name < pair[1].name));
    for feed in FEEDS {
        let is_kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(feed.name.chars().all(is_kebab), "{}", feed.name);
        let is_url = feed.url.is_empty() || feed.url.starts_with("https://") && !feed.url.ends_with('/');
        assert!(is_url && feed.terms.starts_with("https://"), "{}", feed.name);
        assert!(!feed.url.is_empty() || !feed.is_on_by_default, "{}", feed.name);
        assert!(!feed.covers.is_empty(), "{}", feed.name);
        assert!(feed.cadence_hours > 0 && feed.max_age_days * 24 > feed.cadence_hours, "{}", feed.name);
        for text in [feed.title, feed.format, feed.licence, feed.gives] {
            assert!(!text.is_empty(), "{}", feed.name);
        }
    }
}

/// Each feed with each case of its group for which it has a plan.
fn plans() -> Vec<(&'static Feed, PathBuf, Vec<Part>)> {
    let mut plans = Vec::new();
    for folder in folders(&fixtures()) {
        for case in folders(&folder) {
            for feed in group(&folder) {
                if let Ok(parts) = (feed.plan)(feed, &mut CaseIndex(&case)) {
                    plans.push((feed, case.clone(), parts));
                }
            }
        }
    }
    plans
}

#[test]
fn part_names_are_unique_and_safe_as_file_names() {
    for (feed, _, parts) in plans() {
        let names: std::collections::BTreeSet<_> = parts.iter().map(|part| &part.name).collect();
        assert_eq!(names.len(), parts.len(), "{}", feed.name);
        for name in names {
            let is_safe = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            assert!(!name.starts_with('.') && name.chars().all(is_safe), "{name}");
        }
    }
}

/// Where a part of each feed lies that holds JSON.
const JSON_PARTS: &[(&str, &str)] = &[
    ("alpine-secdb", "v3.20/main.json"),
    ("debian-tracker", ""),
    ("dotnet-releases", "8.0/releases.json"),
    ("end-of-life", ""),
    ("kev", ""),
    ("msrc", "cvrf/2025-Jul"),
    ("nvd", "nvdcve-2.0-2002.json"),
    ("photon-cve", "cve_data_photon4.0.json"),
];

#[test]
fn a_document_that_is_cut_short_is_no_part() {
    for (feed, path) in JSON_PARTS {
        let cases = folders(&fixtures().join(feed));
        let whole = cases.iter().find_map(|case| file(case, path)).expect("a case has the part");
        for length in [0, 1, whole.len() / 3, whole.len() / 2, whole.trim_ascii_end().len() - 1] {
            let (result, _) = parsed(feed, path, &whole[..length]);
            assert!(result.is_err(), "{feed} cut to {length}");
        }
    }
}

#[test]
fn a_document_of_another_shape_is_no_part() {
    for (feed, path) in JSON_PARTS {
        for document in ["null", "[]", "3", "\"text\"", "<html></html>", "{} {}"] {
            assert!(parsed(feed, path, document.as_bytes()).0.is_err(), "{feed} {document}");
        }
    }
    assert!(parsed("alpine-secdb", "v3.20/main.json", br#"{"packages": {}}"#).0.is_err());
    assert!(parsed("kev", "", br#"{"vulnerabilities": 3}"#).0.is_err());
}

#[test]
fn depth_does_not_exhaust_the_stack() {
    let deep = "[".repeat(1_000_000);
    for (feed, path, document) in [
        ("alpine-secdb", "v3.20/main.json", format!("{{\"packages\": [{deep}")),
        ("debian-tracker", "", format!("{{\"zlib\": {{\"CVE-2024-0001\": {deep}")),
        ("debian-tracker", "", format!("{{\"zlib\": {deep}")),
        ("kev", "", format!("{{\"vulnerabilities\": [{deep}")),
        ("kev", "", format!("{{\"notes\": {deep}")),
    ] {
        assert!(parsed(feed, path, document.as_bytes()).0.is_err(), "{feed}");
    }
    let bytes = zipped([("GO-1.json".to_owned(), format!("{{\"database_specific\": {deep}").into_bytes())]);
    let (result, received) = parsed("osv-go", "Go/all.zip", &bytes);
    assert!(result.is_ok());
    assert_eq!(received, "namespace golang\nrefused `GO-1.json`: it is not JSON\n");
}

#[test]
fn a_record_of_many_megabytes_is_no_part() {
    let huge = "x".repeat(17 << 20);
    for (feed, path, document) in [
        ("alpine-secdb", "v3.20/main.json", format!(r#"{{"packages": [{{"pkg": {{"name": "{huge}"}}}}]}}"#)),
        ("debian-tracker", "", format!(r#"{{"zlib": {{"{huge}": {{}}}}}}"#)),
        ("kev", "", format!(r#"{{"vulnerabilities": [{{"cveID": "{huge}"}}]}}"#)),
        ("epss", "", format!("cve,epss,percentile\n{huge}")),
    ] {
        let (result, _) = parsed(feed, path, document.as_bytes());
        let error = result.expect_err(feed).to_string();
        assert!(error.contains("larger than 16 MiB") || error.contains("longer than"), "{feed}: {error}");
    }
}

#[test]
fn many_records_together_may_be_large() {
    let entry = format!(r#"{{"cveID": "{}"}}"#, "x".repeat(1 << 20));
    let document = format!(r#"{{"vulnerabilities": [{}]}}"#, vec![entry; 40].join(","));
    let (result, received) = parsed("kev", "", document.as_bytes());
    assert!(result.is_ok());
    assert_eq!(received.lines().count(), 40);
}

#[test]
fn long_texts_are_cut() {
    let record = format!(
        r#"{{"id": "GO-1", "details": "{}", "affected": [{{"package": {{"ecosystem": "Go", "name": "m"}},
            "versions": ["1.0.0"]}}]}}"#,
        "long ".repeat(100_000)
    );
    let (result, received) =
        parsed("osv-go", "Go/all.zip", &zipped([("GO-1.json".to_owned(), record.into_bytes())]));
    assert!(result.is_ok());
    assert!(received.contains("advisory GO-1") && received.len() < 6000, "{} bytes", received.len());
}

#[test]
fn a_zip_that_is_cut_short_is_no_part() {
    let whole = zipped((0..20).map(|n| (format!("GO-{n}.json"), b"{}".to_vec())));
    for length in [0, 4, 22, whole.len() / 2, whole.len() - 30, whole.len() - 1] {
        assert!(
            parsed("osv-go", "Go/all.zip", &whole[..length]).0.is_err(),
            "cut to {length} of {}",
            whole.len()
        );
    }
}

#[test]
fn an_entry_that_inflates_too_far_is_refused_alone() {
    let bomb = vec![b' '; (16 << 20) + 1];
    let good = br#"{"id": "GO-2", "affected": [{"package": {"ecosystem": "Go", "name": "m"}, "versions": ["1.0.0"]}]}"#;
    let mut bytes = zipped([("GO-1.json".to_owned(), bomb), ("GO-2.json".to_owned(), good.to_vec())]);
    let expected = "namespace golang\nrefused `GO-1.json`: the entry is larger than 16 MiB\nadvisory GO-2\n  \
                    - golang m affected [1.0.0, 1.0.0]\n";
    assert_eq!(parsed("osv-go", "Go/all.zip", &bytes).1, expected);
    // The size that the entry claims is made small; what counts is what comes out.
    let size = u32::try_from((16 << 20) + 1).unwrap().to_le_bytes();
    let claims: Vec<usize> = (0..bytes.len() - 4).filter(|&at| bytes[at..at + 4] == size).collect();
    assert!(!claims.is_empty());
    for at in claims {
        bytes[at..at + 4].copy_from_slice(&100_u32.to_le_bytes());
    }
    let (result, received) = parsed("osv-go", "Go/all.zip", &bytes);
    assert!(result.is_ok());
    assert!(received.starts_with("namespace golang\nrefused `GO-1.json`: "), "{received}");
    assert!(received.contains("advisory GO-2"), "{received}");
}

#[test]
fn a_damaged_entry_is_refused_alone() {
    let record = |n: u32| {
        format!(
            r#"{{"id": "GO-{n}", "details": "{n}", "affected": [{{"package": {{"ecosystem": "Go", "name": "m"}}, "versions": ["1.0.0"]}}]}}"#
        )
    };
    let mut bytes = zipped((1..4).map(|n| (format!("GO-{n}.json"), record(n).into_bytes())));
    let name = b"GO-2.json";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap() + name.len() + 20;
    bytes[at] ^= 0xff;
    let (result, received) = parsed("osv-go", "Go/all.zip", &bytes);
    assert!(result.is_ok());
    assert!(received.contains("advisory GO-1") && received.contains("advisory GO-3"), "{received}");
    assert!(received.contains("refused `GO-2.json`: the entry is damaged"), "{received}");
}

#[test]
fn compressed_scores_are_told_by_their_first_bytes() {
    let plain = file(&fixtures().join("epss/plain"), "").unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&plain).unwrap();
    let gzip = gzip.finish().unwrap();
    let (result, received) = parsed("epss", "", &gzip);
    assert!(result.is_ok());
    assert_eq!(received, parsed("epss", "", &plain).1);
    assert!(parsed("epss", "", &gzip[..gzip.len() - 9]).0.is_err(), "cut short");
    assert!(parsed("epss", "", b"").0.is_err(), "empty");
    assert!(parsed("epss", "", b"<html>\n</html>\n").0.is_err(), "another document");
}

#[test]
fn an_export_that_is_cut_short_is_no_part() {
    let whole = file(&fixtures().join("clair-export/updaters"), "").unwrap();
    let gzip = gzipped(&whole);
    assert_eq!(parsed("clair-export", "", &gzip).1, parsed("clair-export", "", &whole).1);
    for cut in [&b""[..], b"<html>\n", &whole[..whole.len() / 2], &gzip[..gzip.len() / 2]] {
        assert!(parsed("clair-export", "", cut).0.is_err(), "{}", cut.len());
    }
}

/// Half of a download must not pass for all of it, and records alone do not say what will not be fixed.
#[test]
fn both_parts_of_ubuntu_must_be_whole() {
    let case = fixtures().join("ubuntu-osv/states");
    let feed = by_name("ubuntu-osv").expect("the feed is listed");
    let parts = (feed.plan)(feed, &mut CaseIndex(&case)).unwrap();
    let [records, vex] = [0, 1].map(|at| file(&case, &parts[at].path).unwrap());
    let read = |part: usize, records: &[u8], vex: &[u8]| {
        let held = Held(BTreeMap::from([(parts[1].name.clone(), vex.to_vec())]));
        let reading = Reading { feed, part: &parts[part], snapshot: &held };
        let bytes = if part == 0 { records } else { vex };
        (feed.parse)(&reading, &mut Cursor::new(bytes), &mut Received::default())
    };
    assert!(read(0, &records, &vex).is_ok() && read(1, &records, &vex).is_ok());
    for length in [0, 40, records.len() / 2, records.len() - 1] {
        assert!(read(0, &records[..length], &vex).is_err(), "records cut to {length}");
    }
    for length in [0, 40, vex.len() / 2, vex.len() - 1] {
        assert!(read(0, &records, &vex[..length]).is_err(), "VEX cut to {length}, with the records");
        assert!(read(1, &records, &vex[..length]).is_err(), "VEX cut to {length}, alone");
    }
}

#[test]
fn an_archive_of_something_else_is_no_part() {
    let case = fixtures().join("ubuntu-osv/states");
    let other = file(&case, "osv/osv-all.tar.xz").unwrap();
    assert!(parsed("github-advisories", "", &other).0.is_err());
    let plain = file(&fixtures().join("github-advisories/quirks"), "").unwrap();
    assert_eq!(
        parsed("github-advisories", "", &gzipped(&plain)).1,
        parsed("github-advisories", "", &plain).1
    );
    for length in [0, 10, plain.len() / 2, plain.len() - 1024] {
        assert!(parsed("github-advisories", "", &gzipped(&plain[..length])).0.is_err(), "cut to {length}");
    }
}

#[test]
fn a_list_that_is_cut_short_is_no_part() {
    let list = file(&fixtures().join("debian-advisories/lists"), "data/DSA/list").unwrap();
    assert!(parsed("debian-advisories", "data/DSA/list", &list).0.is_ok());
    for length in [0, 1, list.len() / 2, list.len() - 1] {
        assert!(parsed("debian-advisories", "data/DSA/list", &list[..length]).0.is_err(), "cut to {length}");
    }
    let long = format!("[07 Mar 2024] DSA-1-1 {}\n", "x".repeat(300 << 10));
    assert!(parsed("debian-advisories", "data/DSA/list", long.as_bytes()).0.is_err());
}

/// Parts in memory.
struct Held(BTreeMap<String, Vec<u8>>);

impl Snapshot for Held {
    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Source>>> {
        Ok(self.0.get(name).map(|bytes| Box::new(Cursor::new(bytes.clone())) as Box<dyn Source>))
    }
}

/// Pseudo-random numbers, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

#[test]
fn damage_anywhere_is_borne() {
    let mut dice = Dice(1);
    for (feed, case, parts) in plans() {
        // What is compressed is damaged as it is inflated: else hardly anything of it would be read.
        let present = parts.iter().filter_map(|part| Some((part, inflated(&case, &part.path)?)));
        let present: Vec<(&Part, Vec<u8>)> = present.collect();
        let held = present.iter().map(|(part, bytes)| (part.name.clone(), bytes.clone()));
        let snapshot = Held(held.collect());
        for (part, bytes) in present {
            for _ in 0..100 {
                let mut damaged = bytes.clone();
                for _ in 0..=dice.below(3) {
                    let at = dice.below(damaged.len());
                    damaged[at] = b"\"{}[],:0e\\\0\xff"[dice.below(12)];
                }
                let end = if dice.below(4) == 0 { dice.below(damaged.len()) } else { damaged.len() };
                // Whatever comes of it, it comes without a panic, and what is received makes sense.
                let reading = Reading { feed, part, snapshot: &snapshot };
                let _ = (feed.parse)(&reading, &mut Cursor::new(&damaged[..end]), &mut Received::default());
            }
        }
    }
}
