//! Collects what the feeds state, compactly, until it is written.
//!
//! A million affected packages must fit into a few hundred megabytes, so rows are structs of interned ids
//! and advisory bodies are compressed as they come. What a feed states is checked here, once: what is in a
//! [`Builder`] can be written.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::mem;
use std::path::Path;

use plimsoll_core::advisory::{
    Advisory, Affected, Cvss, EndOfLife, Epss, FeedRecord, Kev, Range, RangeEnd, Status,
};
use plimsoll_core::schemes::Scheme;
use plimsoll_core::{distros, ecosystems};
use sha2::{Digest, Sha256};

use super::bodies::Bodies;
use super::format::{self, Body, EndKind, KEY_BYTES_MAX, TEXT_BYTES_MAX, put_text, shorten};
use super::intern::Interner;
use super::rows::Head;
use super::write::{self, BuildError, Built};
use crate::feeds::Sink;

/// Longest description that is kept; longer ones are cut and end in an ellipsis.
pub const DESCRIPTION_CHARS_MAX: usize = 4_000;

/// Most rows of a database: fifty times what the public feeds have.
const ROWS_MAX: usize = 50_000_000;
/// Most entries of EPSS and of KEV, before later ones for the same CVE have replaced earlier ones.
const ENRICHMENTS_MAX: usize = 5_000_000;
/// Most different reasons that are counted by themselves in a feed.
const REASONS_MAX: usize = 64;
/// What reasons beyond [`REASONS_MAX`] are counted as.
const REASON_OTHER: &str = "other reasons";
/// Most refused records of a feed that are kept for people.
const EXAMPLES_MAX: usize = 20;
/// Longest reason or example that is kept.
const NOTE_CHARS_MAX: usize = 200;
/// Most namespaces of a feed.
const NAMESPACES_MAX: usize = 1_000;
/// Longest name of a namespace. Feed records list them, and those are read on opening.
const NAMESPACE_BYTES_MAX: usize = 100;

const FULL: &str = "the database is full";
const TEXT_TOO_LONG: &str = "a text is longer than 2048 bytes";

/// A row with ids of the builder's interners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PendingRow {
    /// Which pair in `packages`.
    pub(super) package: u32,
    pub(super) advisory: u32,
    /// Which of `versions`, 0 for none.
    pub(super) introduced: u32,
    /// Which of `versions`, 0 for none.
    pub(super) end: u32,
    /// Which pair in `limits`.
    pub(super) limits: u32,
    pub(super) head: Head,
}

/// What is kept of a feed while it is fed.
pub(super) struct PendingFeed {
    pub(super) record: FeedRecord,
    pub(super) first_advisory: u32,
    pub(super) namespaces: BTreeSet<String>,
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) skipped: BTreeMap<String, u64>,
    data_date: Option<jiff::Timestamp>,
    namespace_dates: BTreeMap<String, (jiff::Timestamp, String)>,
}

/// A database in the making.
pub struct Builder {
    pub(super) strings: Interner,
    pub(super) versions: Interner,
    /// Pairs of ids in `strings`: namespace and name, 4 bytes each.
    pub(super) packages: Interner,
    /// Pairs of ids in `strings`: module and architectures, 4 bytes each.
    pub(super) limits: Interner,
    pub(super) rows: Vec<PendingRow>,
    pub(super) feeds: Vec<PendingFeed>,
    /// Number of each advisory of the current feed, by 128 bits of its body's SHA-256.
    bodies: HashMap<u128, u32>,
    pub(super) advisories: u32,
    pending: Bodies,
    /// CVE, score, percentile. The last of a CVE counts.
    pub(super) epss: Vec<(u64, u32, u32)>,
    /// CVE, date added, due date, used by ransomware. The last of a CVE counts.
    pub(super) kev: Vec<(u64, u32, u32, bool)>,
    /// CVE, source, vector: ids in `strings`.
    pub(super) cvss: Vec<(u64, u32, u32)>,
    /// How long releases are supported, by namespace. The last of a release counts.
    pub(super) ends: BTreeMap<String, EndOfLife>,
    /// Id and products of package repositories, as ids in `strings`. The last of a repository counts.
    pub(super) repositories: Vec<(u32, u32)>,
    /// Namespace that the last statement was about: most come in runs.
    last_namespace: Option<(String, Namespace)>,
    scratch: Vec<u8>,
    /// The first bodies that could not be compressed; writing reports it.
    compression: io::Result<()>,
}

#[derive(Clone, Copy)]
struct Namespace {
    name: u32,
    scheme: &'static Scheme,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}

impl Builder {
    /// Begins with nothing.
    pub fn new() -> Builder {
        Builder {
            strings: Interner::new(),
            versions: Interner::new(),
            packages: Interner::new(),
            limits: Interner::new(),
            rows: Vec::new(),
            feeds: Vec::new(),
            bodies: HashMap::new(),
            advisories: 0,
            pending: Bodies::default(),
            epss: Vec::new(),
            kev: Vec::new(),
            cvss: Vec::new(),
            ends: BTreeMap::new(),
            repositories: Vec::new(),
            last_namespace: None,
            scratch: Vec::new(),
            compression: Ok(()),
        }
    }

    /// Begins the next feed. Its name and time of fetch come with the record; all else in it is filled as it
    /// is fed. Feeds keep this order in the database.
    pub fn begin_feed(&mut self, record: FeedRecord) -> FeedSink<'_> {
        self.bodies.clear();
        self.feeds.push(PendingFeed {
            data_date: record.data_date.as_deref().and_then(|date| date.parse().ok()),
            namespace_dates: BTreeMap::new(),
            namespaces: record.namespaces.iter().cloned().collect(),
            refused: record.refused.iter().cloned().collect(),
            skipped: record.skipped.iter().cloned().collect(),
            first_advisory: self.advisories,
            record,
        });
        FeedSink { builder: self }
    }

    /// Writes the database aside, verifies it and puts it in place of what stands at `path`, all at once.
    /// `built_at` is RFC 3339. The same feeds in the same order give the same bytes but for that time.
    ///
    /// The directory must be there, and should be of mode 0700: databases are mapped, and whoever can shorten
    /// one kills those who read it. An empty file `PATH.lock` stays beside the database.
    pub fn write(mut self, path: &Path, built_at: &str) -> Result<Built, BuildError> {
        mem::replace(&mut self.compression, Ok(())).map_err(BuildError::Compression)?;
        let frames = mem::take(&mut self.pending).finish().map_err(BuildError::Compression)?;
        write::write(self, frames, path, built_at)
    }

    /// Gives an advisory its number, the same one for the same body within a feed.
    fn number_body(&mut self, advisory: &Advisory) -> Result<u32, &'static str> {
        let body = Body::of(advisory, DESCRIPTION_CHARS_MAX).ok_or("its CVSS version is not known")?;
        let mut scratch = mem::take(&mut self.scratch);
        scratch.clear();
        self.scratch = postcard::to_extend(&body, scratch).map_err(|_| "it could not be encoded")?;
        if self.scratch.len() > format::BODY_BYTES_MAX {
            return Err("it is larger than 512 KiB");
        }
        let digest = Sha256::digest(&self.scratch);
        let hash = digest.first_chunk().map(|bytes| u128::from_le_bytes(*bytes)).ok_or("it has no hash")?;
        if let Some(number) = self.bodies.get(&hash) {
            return Ok(*number);
        }
        let number = self.advisories;
        self.advisories = number.checked_add(1).ok_or(FULL)?;
        self.bodies.insert(hash, number);
        if let Err(error) = self.pending.push(&self.scratch) {
            self.compression = Err(error);
        }
        Ok(number)
    }

    /// Finds a namespace's scheme, and gives its name an id.
    fn namespace(&mut self, name: &str) -> Result<Namespace, &'static str> {
        if let Some((last, namespace)) = &self.last_namespace
            && last == name
        {
            return Ok(*namespace);
        }
        if name.len() > NAMESPACE_BYTES_MAX {
            return Err("namespace is longer than 100 bytes");
        }
        let scheme = match distros::by_namespace(name) {
            Some(distro) => distro.ecosystem.scheme,
            None => ecosystems::by_name(name).ok_or("namespace is not known")?.scheme,
        };
        let namespace = Namespace { name: self.text(name)?, scheme };
        self.last_namespace = Some((name.to_owned(), namespace));
        Ok(namespace)
    }

    fn text(&mut self, text: &str) -> Result<u32, &'static str> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(TEXT_TOO_LONG);
        }
        self.strings.intern(text.as_bytes()).ok_or(FULL)
    }

    /// Stores a version as written with its key; the key is empty where there is none.
    fn version(&mut self, text: &str, key: &[u8]) -> Result<u32, &'static str> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(TEXT_TOO_LONG);
        }
        if key.len() > KEY_BYTES_MAX {
            return Err("a sort key is longer than 8192 bytes");
        }
        self.scratch.clear();
        put_text(&mut self.scratch, text.as_bytes());
        put_text(&mut self.scratch, key);
        self.versions.intern(&self.scratch).ok_or(FULL)
    }

    /// What a statement's rows have in common.
    fn template(&mut self, statement: &Affected) -> Result<(PendingRow, &'static Scheme), &'static str> {
        if statement.package.is_empty() {
            return Err("package has no name");
        }
        let namespace = self.namespace(&statement.namespace)?;
        let name = self.text(&statement.package)?;
        let package = self.packages.intern(&pair(namespace.name, name)).ok_or(FULL)?;
        let module = self.text(statement.module.as_deref().unwrap_or(""))?;
        let architectures = self.text(&statement.architectures.join(" "))?;
        let limits = match (module, architectures) {
            (0, 0) => 0,
            _ => self.limits.intern(&pair(module, architectures)).ok_or(FULL)?,
        };
        let head = Head {
            status: statement.status,
            fix: statement.fix,
            end: EndKind::Open,
            is_unparsable: false,
            severity: statement.severity,
        };
        let row = PendingRow { package, advisory: 0, introduced: 0, end: 0, limits, head };
        Ok((row, namespace.scheme))
    }

    /// Fills in a row's versions. The flag says whether they follow the scheme.
    fn range(&mut self, row: &mut PendingRow, scheme: &Scheme, range: &Range) -> Result<bool, &'static str> {
        let (kind, end) = match &range.end {
            RangeEnd::Open => (EndKind::Open, None),
            RangeEnd::Fixed(version) => (EndKind::Fixed, Some(version)),
            RangeEnd::Before(version) => (EndKind::Before, Some(version)),
            RangeEnd::Last(version) => (EndKind::Last, Some(version)),
        };
        row.head.end = kind;
        let key = |version: Option<&String>| version.map(|text| (scheme.key)(text)).transpose();
        let (low, high) = match (key(range.introduced.as_ref()), key(end)) {
            (Ok(low), Ok(high)) => (low.unwrap_or_default(), high.unwrap_or_default()),
            _ => {
                row.head.is_unparsable = true;
                (Vec::new(), Vec::new())
            }
        };
        let is_empty = match kind {
            EndKind::Open => false,
            EndKind::Fixed | EndKind::Before => low >= high,
            EndKind::Last => low > high,
        };
        if is_empty && !row.head.is_unparsable {
            return Err("range is empty");
        }
        if let Some(text) = &range.introduced {
            row.introduced = self.version(text, &low)?;
        }
        if let Some(text) = end {
            row.end = self.version(text, &high)?;
        }
        Ok(!row.head.is_unparsable)
    }
}

/// Two ids as bytes.
fn pair(first: u32, second: u32) -> [u8; 8] {
    (u64::from(second) << 32 | u64::from(first)).to_le_bytes()
}

/// Undoes [`pair`]; the empty text is a pair of zeros.
pub(super) fn unpair(bytes: &[u8]) -> (u32, u32) {
    (format::u32_at(bytes, 0).unwrap_or(0), format::u32_at(bytes, 4).unwrap_or(0))
}

/// Takes one feed's statements.
///
/// It refuses, with the reason counted in the feed's record, statements of a namespace that no distribution
/// or ecosystem has, empty ranges, and texts of absurd length. A range that does not follow its scheme is
/// counted there too, but kept as unparsable.
pub struct FeedSink<'a> {
    builder: &'a mut Builder,
}

impl FeedSink<'_> {
    fn feed(&mut self) -> &mut PendingFeed {
        self.builder.feeds.last_mut().expect("a sink is made after its feed is pushed")
    }

    /// Appends the rows of one statement.
    fn statement(&mut self, advisory: &str, statement: &Affected, rows: &mut Vec<PendingRow>) {
        let record = || format!("{advisory}: {} {}", statement.namespace, statement.package);
        let (template, scheme) = match self.builder.template(statement) {
            Ok(template) => template,
            Err(reason) => return self.refuse(&record(), reason),
        };
        // Who only says what is not affected leaves a release unserved.
        if statement.status != Status::NotAffected {
            self.namespace(&statement.namespace);
        }
        if statement.ranges.is_empty() {
            if statement.status != Status::NotAffected {
                return self.refuse(&record(), "no versions are stated");
            }
            rows.push(template);
        }
        for range in &statement.ranges {
            let mut row = template;
            match self.builder.range(&mut row, scheme, range) {
                Ok(true) => rows.push(row),
                Ok(false) => {
                    rows.push(row);
                    let record = format!("{} {}", record(), people(range));
                    self.refuse(&record, &format!("version does not follow `{}`", scheme.name));
                }
                Err(reason) => self.refuse(&format!("{} {}", record(), people(range)), reason),
            }
        }
    }
}

/// Writes a range for people.
fn people(range: &Range) -> String {
    let introduced = range.introduced.as_deref().unwrap_or("");
    match &range.end {
        RangeEnd::Open => format!("[{introduced}, )"),
        RangeEnd::Fixed(end) | RangeEnd::Before(end) => format!("[{introduced}, {end})"),
        RangeEnd::Last(end) => format!("[{introduced}, {end}]"),
    }
}

/// Counts a reason, or [`REASON_OTHER`] where there are too many.
fn count(reasons: &mut BTreeMap<String, u64>, reason: &str) {
    let reason = shorten(reason, NOTE_CHARS_MAX);
    if let Some(times) = reasons.get_mut(reason.as_ref()) {
        *times += 1;
    } else if reasons.len() < REASONS_MAX {
        reasons.insert(reason.into_owned(), 1);
    } else {
        *reasons.entry(REASON_OTHER.to_owned()).or_default() += 1;
    }
}

impl Sink for FeedSink<'_> {
    fn advisory(&mut self, advisory: &Advisory, affected: &[Affected]) {
        self.feed().record.records += 1;
        if affected.is_empty() {
            return self.skip("names no package");
        }
        let mut rows = Vec::with_capacity(affected.len());
        for statement in affected {
            self.statement(&advisory.id, statement, &mut rows);
        }
        if rows.is_empty() {
            return;
        }
        if rows.len() > ROWS_MAX - self.builder.rows.len() {
            return self.refuse(&advisory.id, FULL);
        }
        match self.builder.number_body(advisory) {
            Ok(number) => {
                self.builder.rows.extend(rows.into_iter().map(|row| PendingRow { advisory: number, ..row }))
            }
            Err(reason) => self.refuse(&advisory.id, reason),
        }
    }

    fn kev(&mut self, cve: &str, kev: Kev) {
        self.feed().record.records += 1;
        let entry = |builder: &mut Builder| {
            let packed = format::pack_cve(cve).ok_or("id is not a CVE")?;
            let (added, due) = (builder.text(&kev.date_added)?, builder.text(&kev.due_date)?);
            if builder.kev.len() >= ENRICHMENTS_MAX {
                return Err(FULL);
            }
            builder.kev.push((packed, added, due, kev.is_used_by_ransomware));
            Ok(())
        };
        if let Err(reason) = entry(self.builder) {
            self.refuse(cve, reason);
        }
    }

    fn epss(&mut self, cve: &str, epss: Epss) {
        self.feed().record.records += 1;
        let entry = |builder: &mut Builder| {
            let packed = format::pack_cve(cve).ok_or("id is not a CVE")?;
            let score = format::billionths(epss.score).ok_or("score is not between 0 and 1")?;
            let percentile =
                format::billionths(epss.percentile).ok_or("percentile is not between 0 and 1")?;
            if builder.epss.len() >= ENRICHMENTS_MAX {
                return Err(FULL);
            }
            builder.epss.push((packed, score, percentile));
            Ok(())
        };
        if let Err(reason) = entry(self.builder) {
            self.refuse(cve, reason);
        }
    }

    fn cvss(&mut self, cve: &str, vectors: &[Cvss]) {
        self.feed().record.records += 1;
        let entry = |builder: &mut Builder| {
            let packed = format::pack_cve(cve).ok_or("id is not a CVE")?;
            for cvss in vectors {
                let (source, vector) = (builder.text(&cvss.source)?, builder.text(&cvss.vector)?);
                if builder.cvss.len() >= ENRICHMENTS_MAX {
                    return Err(FULL);
                }
                builder.cvss.push((packed, source, vector));
            }
            Ok(())
        };
        if let Err(reason) = entry(self.builder) {
            self.refuse(cve, reason);
        }
    }

    fn end_of_life(&mut self, namespace: &str, end: EndOfLife) {
        self.feed().record.records += 1;
        if self.builder.ends.len() >= NAMESPACES_MAX {
            return self.refuse(namespace, FULL);
        }
        self.builder.ends.insert(namespace.to_owned(), end);
    }

    fn repository(&mut self, id: &str, products: &[&str]) {
        self.feed().record.records += 1;
        let entry = |builder: &mut Builder| {
            let (id, products) = (builder.text(id)?, builder.text(&products.join(" "))?);
            if builder.repositories.len() >= ENRICHMENTS_MAX {
                return Err(FULL);
            }
            builder.repositories.push((id, products));
            Ok(())
        };
        if let Err(reason) = entry(self.builder) {
            self.refuse(id, reason);
        }
    }

    fn refuse(&mut self, record: &str, reason: &str) {
        let feed = self.feed();
        count(&mut feed.refused, reason);
        if feed.record.examples.len() < EXAMPLES_MAX {
            let example = format!("{}: {reason}", shorten(record, NOTE_CHARS_MAX));
            feed.record.examples.push(shorten(&example, NOTE_CHARS_MAX * 2).into_owned());
        }
    }

    fn skip(&mut self, reason: &str) {
        count(&mut self.feed().skipped, reason);
    }

    fn data_date(&mut self, date: &str) {
        let Ok(time) = date.parse::<jiff::Timestamp>() else {
            return self.refuse(date, "date is not RFC 3339");
        };
        let feed = self.feed();
        if feed.data_date.is_none_or(|latest| time > latest) {
            feed.data_date = Some(time);
            feed.record.data_date = Some(date.to_owned());
        }
    }

    fn namespace_date(&mut self, namespace: &str, date: &str) {
        let Ok(time) = date.parse::<jiff::Timestamp>() else {
            return self.refuse(date, "date is not RFC 3339");
        };
        let feed = self.feed();
        if feed.namespaces.contains(namespace)
            && feed.namespace_dates.get(namespace).is_none_or(|(latest, _)| time > *latest)
        {
            feed.namespace_dates.insert(namespace.to_owned(), (time, date.to_owned()));
        }
    }

    fn namespace(&mut self, namespace: &str) {
        let feed = self.builder.feeds.last().expect("a sink is made after its feed is pushed");
        if feed.namespaces.contains(namespace) {
            return;
        }
        let is_full = feed.namespaces.len() >= NAMESPACES_MAX;
        let known = self.builder.namespace(namespace).map(drop);
        match if is_full { Err(FULL) } else { known } {
            Ok(()) => {
                self.feed().namespaces.insert(namespace.to_owned());
            }
            Err(reason) => self.refuse(namespace, reason),
        }
    }
}

impl PendingFeed {
    /// The record with all that was counted.
    pub(super) fn finish(self) -> FeedRecord {
        FeedRecord {
            namespaces: self.namespaces.into_iter().collect(),
            namespace_dates: self.namespace_dates.into_iter().map(|(name, (_, date))| (name, date)).collect(),
            refused: self.refused.into_iter().collect(),
            skipped: self.skipped.into_iter().collect(),
            ..self.record
        }
    }
}
