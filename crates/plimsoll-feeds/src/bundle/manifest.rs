//! `bundle.json`: what is in a bundle, where it came from, how old it is, and the digest of all of it.
//!
//! The file is canonical: the fields in the order of the structs below, indented by two blanks, a line feed at the end.
//! A manifest that reads well but is written otherwise is refused, so that one content has one id.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    BundleError, FEEDS_MAX, FILE_BYTES_MAX, FILES_MAX, FOLDER_DEPTH_MAX, FOLDERS, MANIFEST_BYTES_MAX,
    PAYLOAD_BYTES_MAX, hex,
};
use crate::snapshots::{PartState, State, is_part_name};
use crate::update::PARTS_MAX;

/// Version of the format.
pub(super) const FORMAT: u32 = 1;

/// Longest text in it, in bytes.
const TEXT_BYTES_MAX: usize = 8 << 10;

/// Most namespaces with dates of their own in a feed.
const NAMESPACES_MAX: usize = 10_000;

/// What a bundle brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// The files of the upstreams, from which the database is built where they arrive.
    Raw,
    /// The database.
    Built,
    /// The files, and the database that was built of them.
    Both,
}

impl Content {
    /// Whether it brings the files of the upstreams.
    pub fn has_snapshots(self) -> bool {
        self != Content::Built
    }

    /// Whether it brings the database.
    pub fn has_database(self) -> bool {
        self != Content::Raw
    }
}

/// What is in a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the format.
    pub format: u32,
    /// SHA-256, lower-case hex, of this file with an empty id.
    pub id: String,
    /// When it was exported, RFC 3339.
    pub created_at: String,
    /// What it brings.
    pub content: Content,
    /// Id of the bundle whose payloads are left out here.
    pub base: Option<String>,
    /// The feeds, sorted by name.
    pub feeds: Vec<FeedEntry>,
    /// The database that the exporter had of these feeds. Its payload is there where the content says so.
    pub database: Option<DatabaseEntry>,
    /// Files of the data directory, sorted by path.
    pub files: Vec<FileEntry>,
}

/// One feed. All dates are RFC 3339.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FeedEntry {
    /// Name.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// The upstream.
    pub url: String,
    /// Licence of the data.
    pub licence: String,
    /// Page with the terms of use.
    pub terms: String,
    /// When a part last changed at the exporter's.
    pub fetched_at: Option<String>,
    /// When the upstream last confirmed all parts.
    pub checked_at: Option<String>,
    /// The date that the data states.
    pub data_date: Option<String>,
    /// The same by namespace, where the parts age apart; sorted.
    pub namespace_dates: Vec<(String, String)>,
    /// The parts, sorted by name. None where only the database comes.
    pub parts: Vec<PartEntry>,
}

/// One file of a feed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PartEntry {
    /// Name, safe as a file name.
    pub name: String,
    /// Path below the feed's URL.
    pub path: String,
    /// Where it came from, without credentials.
    pub url: String,
    /// Whether the upstream has none.
    pub is_absent: bool,
    /// `ETag` that it came with.
    pub etag: Option<String>,
    /// `Last-Modified` that it came with.
    pub last_modified: Option<String>,
    /// What the upstream's index calls this state of it.
    pub revision: Option<String>,
    /// When it was fetched, RFC 3339.
    pub fetched_at: String,
    /// Its size.
    pub bytes: u64,
    /// Lower-case hex; empty where it is absent.
    pub sha256: String,
    /// Records that were read from it.
    pub records: u64,
    /// Its bytes in this bundle; `None` where they are not in it.
    pub payload: Option<Payload>,
}

/// The database.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseEntry {
    /// Its identity: `sha256:` and hex digits.
    pub id: String,
    /// When it was built, RFC 3339.
    pub built_at: String,
    /// What tells the snapshots (and the version of the program) that it was built from; empty where it was built of
    /// something else.
    pub snapshots: String,
    /// Size of the file.
    pub bytes: u64,
    /// Of the file, lower-case hex.
    pub sha256: String,
    /// Its bytes in this bundle; `None` where they are not in it.
    pub payload: Option<Payload>,
}

/// A file of the data directory.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Path below the data directory, with `/`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Lower-case hex.
    pub sha256: String,
    /// Its bytes in this bundle; `None` where they are not in it.
    pub payload: Option<Payload>,
}

/// The bytes of something, as they are stored in a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Payload {
    /// Name of the entry.
    pub entry: String,
    /// Whether it is one frame of zstd (RFC 8878).
    pub is_compressed: bool,
    /// Size as stored.
    pub bytes: u64,
    /// Of the stored bytes, lower-case hex.
    pub sha256: String,
}

/// A payload, and what it holds once inflated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    pub(super) payload: &'a Payload,
    pub(super) bytes: u64,
    pub(super) sha256: &'a str,
}

impl Manifest {
    /// Reads the bytes of `bundle.json` and holds them to everything that can be said of them alone.
    pub fn read(bytes: &[u8]) -> Result<Manifest, BundleError> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u64,
        }
        let invalid = |error: serde_json::Error| BundleError::Manifest(error.to_string());
        match serde_json::from_slice(bytes).map_err(invalid)? {
            Versioned { format } if format == u64::from(FORMAT) => {}
            Versioned { format: found } => return Err(BundleError::Version { found }),
        }
        let manifest: Manifest = serde_json::from_slice(bytes).map_err(invalid)?;
        manifest.check().map_err(BundleError::Manifest)?;
        if manifest.bytes() != bytes {
            return Err(BundleError::Manifest("it is not written as this program writes it".to_owned()));
        }
        if manifest.id != manifest.right_id() {
            return Err(BundleError::Manifest("its id is not that of its content".to_owned()));
        }
        Ok(manifest)
    }

    /// The bytes of `bundle.json`.
    pub fn bytes(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("plain structs are JSON");
        text.push(b'\n');
        text
    }

    /// The id that the content has.
    pub fn right_id(&self) -> String {
        let digest: [u8; 32] = Sha256::digest(Manifest { id: String::new(), ..self.clone() }.bytes()).into();
        hex(&digest)
    }

    /// The payloads that are in the bundle, in the order in which they come.
    pub fn payloads(&self) -> impl Iterator<Item = &Payload> {
        self.items().map(|item| item.payload)
    }

    /// The same, with what each holds.
    pub(super) fn items(&self) -> impl Iterator<Item = Item<'_>> {
        let parts = self.feeds.iter().flat_map(|feed| &feed.parts);
        let parts = parts.map(|part| (&part.payload, part.bytes, &part.sha256));
        let database = self.database.iter().map(|entry| (&entry.payload, entry.bytes, &entry.sha256));
        let files = self.files.iter().map(|file| (&file.payload, file.bytes, &file.sha256));
        parts.chain(database).chain(files).filter_map(|(payload, bytes, sha256)| {
            payload.as_ref().map(|payload| Item { payload, bytes, sha256 })
        })
    }

    /// What is wrong with it, for people.
    pub(super) fn check(&self) -> Result<(), String> {
        ensure(is_time(&self.created_at), || "`created_at` is no time".to_owned())?;
        ensure(self.base.as_deref().is_none_or(is_sha256), || "`base` is no id".to_owned())?;
        ensure(self.feeds.len() <= FEEDS_MAX, || format!("it has more than {FEEDS_MAX} feeds"))?;
        ensure(self.files.len() <= FILES_MAX, || format!("it has more than {FILES_MAX} files"))?;
        ensure(self.feeds.is_sorted_by(|a, b| a.name < b.name), || "its feeds are not in order".to_owned())?;
        ensure(self.files.is_sorted_by(|a, b| a.path < b.path), || "its files are not in order".to_owned())?;
        self.feeds.iter().try_for_each(|feed| feed.check(self.content))?;
        if let Some(database) = &self.database {
            database.check()?;
            let has_payload = database.payload.is_some();
            ensure(has_payload || !self.content.has_database() || self.base.is_some(), || {
                "it lacks the database that it is of".to_owned()
            })?;
            ensure(!has_payload || self.content.has_database(), || {
                "it has a database that it is not to have".to_owned()
            })?;
        }
        ensure(self.database.is_some() || !self.content.has_database(), || {
            "it names no database".to_owned()
        })?;
        self.files.iter().try_for_each(FileEntry::check)?;
        let is_whole = self.base.is_some()
            || (self.feeds.iter().flat_map(|feed| &feed.parts))
                .all(|part| part.is_absent || part.payload.is_some())
                && self.files.iter().all(|file| file.payload.is_some());
        ensure(is_whole, || "it leaves out payloads and names no bundle that has them".to_owned())?;
        let mut entries = HashSet::new();
        for payload in self.payloads() {
            ensure(entries.insert(&payload.entry), || format!("it has two entries `{}`", payload.entry))?;
        }
        Ok(())
    }
}

impl FeedEntry {
    fn check(&self, content: Content) -> Result<(), String> {
        let named = |what: &str| format!("feed `{}`: {what}", printable(&self.name));
        ensure(is_feed_name(&self.name), || named("that is no name of a feed"))?;
        let texts = [&self.title, &self.url, &self.licence, &self.terms];
        ensure(texts.iter().all(|text| text.len() <= TEXT_BYTES_MAX), || named("its texts are too long"))?;
        let dates = [&self.fetched_at, &self.checked_at, &self.data_date];
        let are_times = dates.into_iter().flatten().all(|date| is_time(date));
        ensure(are_times && self.namespace_dates.iter().all(|(_, date)| is_time(date)), || {
            named("one of its dates is no time")
        })?;
        let names_fit = self.namespace_dates.iter().all(|(name, _)| name.len() <= TEXT_BYTES_MAX);
        let are_in_order = self.namespace_dates.is_sorted_by(|a, b| a.0 < b.0);
        ensure(names_fit && are_in_order && self.namespace_dates.len() <= NAMESPACES_MAX, || {
            named("its namespaces are too many, too long or not in order")
        })?;
        ensure(self.parts.len() <= PARTS_MAX, || named("it has too many parts"))?;
        ensure(self.parts.is_empty() != content.has_snapshots(), || named("it has no parts, or should not"))?;
        self.parts.iter().try_for_each(|part| part.check(&self.name))?;
        ensure(self.parts.is_sorted_by(|a, b| a.name < b.name), || named("its parts are not in order"))
    }

    /// What stands in the data directory once it is imported.
    pub(super) fn state(&self) -> State {
        let parts = self.parts.iter().map(|part| (part.name.clone(), part.state()));
        State { parts: parts.collect(), fetched_at: self.fetched_at.clone(), ..State::default() }
    }
}

impl PartEntry {
    /// Of a part that is held.
    pub(super) fn of(name: &str, part: &PartState) -> PartEntry {
        let PartState {
            url,
            path,
            is_absent,
            etag,
            last_modified,
            revision,
            fetched_at,
            bytes,
            sha256,
            records,
        } = part.clone();
        let name = name.to_owned();
        PartEntry {
            name,
            path,
            url,
            is_absent,
            etag,
            last_modified,
            revision,
            fetched_at,
            bytes,
            sha256,
            records,
            payload: None,
        }
    }

    fn state(&self) -> PartState {
        let PartEntry {
            url,
            path,
            is_absent,
            etag,
            last_modified,
            revision,
            fetched_at,
            bytes,
            sha256,
            records,
            ..
        } = self.clone();
        PartState { url, path, is_absent, etag, last_modified, revision, fetched_at, bytes, sha256, records }
    }

    fn check(&self, feed: &str) -> Result<(), String> {
        let named = |what: &str| format!("feed `{feed}`: part `{}`: {what}", printable(&self.name));
        ensure(is_part_name(&self.name), || named("that cannot be a file name"))?;
        let texts = [Some(&self.path), Some(&self.url), self.etag.as_ref(), self.last_modified.as_ref()];
        let texts = texts.into_iter().chain([self.revision.as_ref()]).flatten();
        let mut texts = texts.chain([&self.fetched_at]);
        ensure(texts.all(|text| text.len() <= TEXT_BYTES_MAX), || named("its texts are too long"))?;
        ensure(is_time(&self.fetched_at), || named("`fetched_at` is no time"))?;
        if self.is_absent {
            let is_nothing = self.bytes == 0 && self.sha256.is_empty() && self.payload.is_none();
            return ensure(is_nothing, || named("it is absent and yet there"));
        }
        check_content(self.bytes, PAYLOAD_BYTES_MAX, &self.sha256, self.payload.as_ref()).map_err(named)?;
        let folder = format!("feeds/{feed}/");
        let is_below = self.payload.as_ref().is_none_or(|payload| payload.entry.starts_with(&folder));
        ensure(is_below, || named("its entry is another feed's"))
    }
}

impl DatabaseEntry {
    fn check(&self) -> Result<(), String> {
        let named = |what: &str| format!("database: {what}");
        ensure(self.id.strip_prefix("sha256:").is_some_and(is_sha256), || named("its id is none"))?;
        ensure(is_time(&self.built_at), || named("`built_at` is no time"))?;
        ensure(self.snapshots.is_empty() || is_sha256(&self.snapshots), || {
            named("`snapshots` is no digest")
        })?;
        check_content(self.bytes, PAYLOAD_BYTES_MAX, &self.sha256, self.payload.as_ref()).map_err(named)
    }
}

impl FileEntry {
    fn check(&self) -> Result<(), String> {
        let named = |what: &str| format!("file `{}`: {what}", printable(&self.path));
        ensure(is_file_path(&self.path), || named("it does not belong in a bundle"))?;
        check_content(self.bytes, FILE_BYTES_MAX, &self.sha256, self.payload.as_ref()).map_err(named)
    }
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn check_content(
    bytes: u64,
    bytes_max: u64,
    sha256: &str,
    payload: Option<&Payload>,
) -> Result<(), &'static str> {
    if bytes > bytes_max || payload.is_some_and(|payload| payload.bytes > PAYLOAD_BYTES_MAX) {
        return Err("it is too large");
    }
    if !is_sha256(sha256) || payload.is_some_and(|payload| !is_sha256(&payload.sha256)) {
        return Err("its digest is none");
    }
    match payload {
        Some(payload) if !is_entry(&payload.entry) => Err("its entry has no safe name"),
        Some(payload) if !payload.is_compressed && (payload.bytes != bytes || payload.sha256 != sha256) => {
            Err("it is stored as it is, with another size or digest")
        }
        _ => Ok(()),
    }
}

/// Whether it is a name that an entry of ours may have.
fn is_entry(entry: &str) -> bool {
    let is_reserved = super::tar::RESERVED.contains(&entry);
    !is_reserved && super::tar::header(entry, 0).is_some() && entry.split('/').all(is_component)
}

/// Whether a path below the data directory is one that bundles may carry.
pub(super) fn is_file_path(path: &str) -> bool {
    let depth = path.split('/').count();
    let is_known = path.split_once('/').is_some_and(|(folder, _)| FOLDERS.contains(&folder));
    is_known && depth <= FOLDER_DEPTH_MAX && is_entry(path)
}

/// Whether it is safe as the name of a file on every system.
fn is_component(name: &str) -> bool {
    let is_safe = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && name.bytes().all(is_safe)
}

fn is_feed_name(name: &str) -> bool {
    let is_safe = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=64).contains(&name.len()) && !name.starts_with('-') && name.bytes().all(is_safe)
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_time(text: &str) -> bool {
    text.len() <= 64 && text.parse::<Timestamp>().is_ok()
}

/// A text of somebody else's in an error: the beginning, without control characters.
fn printable(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// A limit on a manifest that is about to be written.
pub(super) fn check_size(bytes: &[u8]) -> Result<(), BundleError> {
    match bytes.len() as u64 <= MANIFEST_BYTES_MAX {
        true => Ok(()),
        false => Err(BundleError::Manifest(format!("it is larger than {MANIFEST_BYTES_MAX} bytes"))),
    }
}
