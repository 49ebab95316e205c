//! An advisory database in memory, and the cases that fill it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::advisory::{
    Advisories, Advisory, Cvss, DatabaseIdentity, EndOfLife, Enrichment, Epss, FeedRecord, FixState, High,
    Interval, Kev, LookupError, Row, Severity, Status,
};
use plimsoll_core::distros;
use plimsoll_core::ecosystems;
use plimsoll_core::gap::{Gap, GapKind};
use plimsoll_core::inventory::{Inventory, Package, Release, SourcePackage};
use plimsoll_core::standings::{Standing, Standings};

/// What goes into matching.
#[derive(Default)]
pub(crate) struct Case {
    pub(crate) inventory: Inventory,
    pub(crate) database: Memory,
    /// How the feeds stand.
    pub(crate) standings: Standings,
}

/// The database.
#[derive(Default)]
pub(crate) struct Memory {
    feeds: Vec<FeedRecord>,
    /// With the feed of each.
    advisories: Vec<(usize, Advisory)>,
    rows: Vec<StoredRow>,
    enrichments: BTreeMap<String, Enrichment>,
    ends: BTreeMap<String, EndOfLife>,
    repositories: BTreeMap<String, Vec<String>>,
    /// `rows openssl`, `advisory CVE-..`, `enrichment CVE-..`.
    failures: BTreeSet<String>,
    identity: DatabaseIdentity,
    /// How often a body was asked for.
    pub(crate) bodies_read: Cell<usize>,
}

struct StoredRow {
    namespace: String,
    package: String,
    advisory: u32,
    status: Status,
    range: StoredRange,
    fix: FixState,
    module: String,
    architectures: String,
    severity: Option<Severity>,
}

#[derive(Default)]
struct StoredRange {
    introduced: String,
    end: String,
    has_fix: bool,
    is_through: bool,
    /// Lower and upper key; `None` where a version does not follow the scheme.
    keys: Option<(Vec<u8>, Vec<u8>)>,
}

impl StoredRange {
    fn read(namespace: &str, text: &str) -> StoredRange {
        let scheme = match distros::by_namespace(namespace) {
            Some(distro) => distro.ecosystem.scheme,
            None => ecosystems::by_name(namespace).expect("the namespace is known").scheme,
        };
        let mut range = StoredRange::default();
        for part in text.split(',').filter(|part| *part != "all") {
            if let Some(version) = part.strip_prefix(">=") {
                version.clone_into(&mut range.introduced);
            } else if let Some(version) = part.strip_prefix("<=") {
                version.clone_into(&mut range.end);
                range.is_through = true;
            } else if let Some(version) = part.strip_prefix("<!") {
                version.clone_into(&mut range.end);
            } else {
                part.strip_prefix('<').expect("a range is known").clone_into(&mut range.end);
                range.has_fix = true;
            }
        }
        let key = |version: &str| if version.is_empty() { Ok(Vec::new()) } else { (scheme.key)(version) };
        range.keys = key(&range.introduced).ok().zip(key(&range.end).ok());
        range
    }

    fn interval(&self) -> Interval<'_> {
        let Some((low, high)) = &self.keys else { return Interval::Unparsable };
        let high = match (self.end.as_str(), self.is_through) {
            ("", _) => High::Open,
            (_, true) => High::Through(high),
            (_, false) => High::Before(high),
        };
        Interval::Keys { low, high }
    }
}

impl Memory {
    /// Brings the rows into another order, the same for the same seed.
    pub(crate) fn shuffle(&mut self, seed: u64) {
        let mut state = seed;
        for last in (1..self.rows.len()).rev() {
            // Knuth's constants (MMIX) are good enough for a few rows.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            self.rows.swap(last, (state >> 33) as usize % (last + 1));
        }
    }

    fn check(&self, what: &str) -> Result<(), LookupError> {
        if self.failures.contains(what) { Err(LookupError(format!("`{what}` is damaged"))) } else { Ok(()) }
    }
}

impl Advisories for Memory {
    fn rows<'a>(
        &'a self,
        namespace: &str,
        package: &str,
        each: &mut dyn FnMut(Row<'a>),
    ) -> Result<(), LookupError> {
        for row in self.rows.iter().filter(|row| row.namespace == namespace && row.package == package) {
            each(Row {
                advisory: row.advisory,
                feed: self.advisories[row.advisory as usize].0,
                status: row.status,
                fix: row.fix,
                interval: row.range.interval(),
                introduced: &row.range.introduced,
                end: &row.range.end,
                has_fix: row.range.has_fix,
                module: &row.module,
                architectures: &row.architectures,
                severity: row.severity,
            });
        }
        self.check(&format!("rows {package}"))
    }

    fn advisory(&self, advisory: u32) -> Result<Advisory, LookupError> {
        self.bodies_read.set(self.bodies_read.get() + 1);
        let (_, body) = &self.advisories[advisory as usize];
        self.check(&format!("advisory {}", body.id))?;
        Ok(body.clone())
    }

    fn enrichment(&self, cve: &str) -> Result<Enrichment, LookupError> {
        self.check(&format!("enrichment {cve}"))?;
        Ok(self.enrichments.get(cve).cloned().unwrap_or_default())
    }

    fn end_of_life(&self, namespace: &str) -> Option<EndOfLife> {
        self.ends.get(namespace).cloned()
    }

    fn products(&self, repository: &str) -> Result<Vec<String>, LookupError> {
        self.check(&format!("products {repository}"))?;
        Ok(self.repositories.get(repository).cloned().unwrap_or_default())
    }

    fn feeds(&self) -> &[FeedRecord] {
        &self.feeds
    }

    fn identity(&self) -> &DatabaseIdentity {
        &self.identity
    }
}

/// The words of a line and its `key=value`s.
struct Line<'a> {
    words: Vec<&'a str>,
    options: BTreeMap<&'a str, &'a str>,
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Line<'a> {
        let is_option = |word: &&str| {
            word.split_once('=')
                .is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'))
        };
        let (options, words): (Vec<&str>, Vec<&str>) = line.split_whitespace().partition(is_option);
        Line { words, options: options.iter().filter_map(|option| option.split_once('=')).collect() }
    }

    /// A word, `-` being empty.
    #[track_caller]
    fn word(&self, at: usize) -> String {
        let word =
            self.words.get(at).unwrap_or_else(|| panic!("a word is missing in `{}`", self.words.join(" ")));
        if *word == "-" { String::new() } else { (*word).to_owned() }
    }

    fn option(&mut self, key: &str) -> Option<String> {
        let value = self.options.remove(key)?;
        Some(if value == "-" { String::new() } else { value.to_owned() })
    }

    fn list(&mut self, key: &str) -> Vec<String> {
        self.option(key).map(|list| list.split(',').map(str::to_owned).collect()).unwrap_or_default()
    }

    fn severity(&mut self) -> Option<Severity> {
        self.option("severity").map(|word| Severity::from_vendor_word(&word).expect("the severity is known"))
    }
}

impl Case {
    /// Reads the lines that go in.
    #[track_caller]
    pub(crate) fn read(input: &str) -> Case {
        let mut case = Case::default();
        for text in input.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let mut line = Line::read(text);
            case.line(&mut line);
            assert!(line.options.is_empty(), "an option of `{text}` is not known");
        }
        case
    }

    fn line(&mut self, line: &mut Line<'_>) {
        match line.words[0] {
            "distro" => self.inventory.distro = Some(release(&line.word(1))),
            "gap" => {
                let kind = GapKind::ALL.into_iter().find(|kind| kind.name() == line.words[1]);
                self.inventory.gaps.push(Gap::new(kind.expect("the kind is known"), line.word(2), "told"));
            }
            "package" => self.inventory.packages.push(package(line)),
            "feed" => self.feed(line),
            "advisory" => self.advisory(line),
            "row" => self.row(line),
            "kev" => {
                let kev =
                    Kev { date_added: line.word(2), due_date: String::new(), is_used_by_ransomware: false };
                self.database.enrichments.entry(line.word(1)).or_default().kev = Some(kev);
            }
            "epss" => {
                let epss = Epss { score: line.word(2).parse().expect("it is a number"), percentile: 0.5 };
                self.database.enrichments.entry(line.word(1)).or_default().epss = Some(epss);
            }
            "off" => self.standing(&line.word(1)).is_off = true,
            "failing" => {
                let since = line.word(2);
                self.standing(&line.word(1)).failing_since = Some(since);
            }
            "cvss" => {
                let vector = Cvss::read(&line.word(2), &line.word(3)).expect("it is a vector");
                self.database.enrichments.entry(line.word(1)).or_default().cvss.push(vector);
            }
            "today" => self.standings.today = line.word(1),
            "ends" => {
                let date = Some(line.word(2)).filter(|date| !date.is_empty());
                let end = EndOfLife { date, is_over: false, extended_until: line.option("extended") };
                self.database.ends.insert(line.word(1), end);
            }
            "fail" => {
                self.database.failures.insert(line.words[1..].join(" "));
            }
            other => panic!("`{other}` is not known"),
        }
    }

    fn standing(&mut self, feed: &str) -> &mut Standing {
        self.standings.feeds.entry(feed.to_owned()).or_default()
    }

    fn feed(&mut self, line: &mut Line<'_>) {
        let (name, date) = (line.word(1), line.word(2));
        let date = match date.strip_suffix('!') {
            Some(date) => {
                self.standing(&name).stale_before = Some("9999-01-01T00:00:00Z".to_owned());
                date.to_owned()
            }
            None => date,
        };
        let mut namespaces: Vec<String> = line.words[3..].iter().map(|one| (*one).to_owned()).collect();
        namespaces.sort();
        self.database.feeds.push(FeedRecord {
            name,
            fetched_at: "2026-02-02".to_owned(),
            data_date: Some(date).filter(|date| !date.is_empty()),
            namespaces,
            ..FeedRecord::default()
        });
    }

    fn advisory(&mut self, line: &mut Line<'_>) {
        let feed = self.database.feeds.iter().position(|feed| feed.name == line.words[1]);
        let vectors = line.list("cvss");
        let body = Advisory {
            id: line.word(2),
            aliases: line.list("aliases"),
            flaws: line.list("flaws"),
            severity: line.severity(),
            cvss: vectors.iter().map(|vector| Cvss::read("test", vector).expect("it is a vector")).collect(),
            ..Advisory::default()
        };
        self.database.advisories.push((feed.expect("the feed stands above"), body));
    }

    fn row(&mut self, line: &mut Line<'_>) {
        let statuses = [Status::Affected, Status::NotAffected, Status::Fixed, Status::UnderInvestigation];
        let fixes = [FixState::None, FixState::Deferred, FixState::WillNotFix, FixState::EndOfLife];
        let namespace = line.word(1);
        let fix = line.option("fix").map(|name| {
            fixes.into_iter().find(|fix| fix.name() == name).expect("the state of a fix is known")
        });
        let status = statuses.into_iter().find(|status| status.name() == line.words[3]);
        self.database.rows.push(StoredRow {
            range: StoredRange::read(&namespace, &line.word(4)),
            namespace,
            package: line.word(2),
            advisory: (self.database.advisories.len() - 1) as u32,
            status: status.expect("the status is known"),
            fix: fix.unwrap_or_default(),
            module: line.option("module").unwrap_or_default(),
            architectures: line.option("arch").unwrap_or_default().replace('+', " "),
            severity: line.severity(),
        });
    }
}

fn release(namespace: &str) -> Release {
    let distro = distros::by_namespace(namespace).expect("the distribution is known");
    let release = namespace.split_once(':').map_or("", |(_, release)| release);
    Release { distro, release: release.to_owned() }
}

fn package(line: &mut Line<'_>) -> Package {
    let source = line.option("source").map(|source| {
        let (name, version) = source.split_once('@').expect("a source has a version, perhaps an empty one");
        SourcePackage { name: name.to_owned(), version: version.to_owned() }
    });
    Package {
        ecosystem: ecosystems::by_name(line.words[1]).expect("the ecosystem is known"),
        name: line.word(2),
        version: line.word(3),
        purl: String::new(),
        source,
        architecture: line.option("arch"),
        module: line.option("module"),
        licenses: Vec::new(),
        evidence_path: "/evidence".to_owned(),
        layer: None,
        owned_by: line.option("owned-by"),
    }
}
