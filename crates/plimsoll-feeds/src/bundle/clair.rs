//! Exports of Clair's updaters (`clairctl export-updaters`): a JSON object a line, as it is or compressed with gzip or
//! zstd. They become the snapshot of the feed that reads them.
//!
//! Such a file has neither signature nor digests, and its lines say when Clair fetched them. That date is kept: the data
//! is never younger than it says. Where it says nothing, nobody has confirmed it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};

use jiff::Timestamp;
use plimsoll_core::advisory::{Advisory, Affected, Cvss, EndOfLife, Epss, Kev};

use super::export::Hashed;
use super::held::{Here, is_before};
use super::import::{Arrived, ImportOptions, ImportReport, ImportedDatabase, ImportedFeed};
use super::journal::{Journal, Staging, settle};
use super::{BundleError, FeedEntry};
use crate::Attempts;
use crate::feeds::{Feed, Index, PlanError, Sink};
use crate::snapshots::{Folder, PartState, State, is_part_name, on};
use crate::update::{PART_BYTES_MAX, Parts, Progress, build, lock, parse, snapshots_path};

/// The feed that reads them.
pub(super) const FEED: &str = "clair-export";

/// Whether the beginning of a file is that of an export.
pub(super) fn is_export(begin: &[u8]) -> bool {
    let mut first = [0; 1];
    let first = match begin {
        [0x1f, 0x8b, ..] => flate2::read::GzDecoder::new(begin).read_exact(&mut first).map(|()| first),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = zstd::stream::read::Decoder::new(begin);
            decoder.and_then(|mut decoder| decoder.read_exact(&mut first)).map(|()| first)
        }
        [b'{', ..] => return true,
        _ => return false,
    };
    first.is_ok_and(|first| first == *b"{")
}

/// No index: what an export holds is one file.
struct Nothing;

impl Index for Nothing {
    fn get(&mut self, _: &str) -> Result<Option<Vec<u8>>, PlanError> {
        Ok(None)
    }

    fn held(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Imports an export as the only part of a feed.
pub(super) fn import(
    row: &'static Feed,
    options: &ImportOptions,
    from: impl Read,
    now: Timestamp,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<ImportReport, BundleError> {
    if !options.allows_unsigned {
        return Err(BundleError::ClairUnsigned);
    }
    let plan = (row.plan)(row, &mut Nothing).ok().and_then(|mut parts| parts.pop());
    let part = plan.filter(|part| is_part_name(&part.name)).ok_or(BundleError::Clair)?;
    let data_dir = &options.data_dir;
    let _lock = lock(data_dir, options.waits_for_others)?;
    settle(data_dir)?;
    let folder = Folder::of(&snapshots_path(data_dir), row.name);
    let held = folder.state();
    folder.stage()?;
    on_progress(Progress::Fetching { feed: row.name, part: &part.name, done: 0, of: 1 });
    let staged = stage(row, &part, &folder, from, now, on_progress);
    let (mut state, date) = staged.inspect_err(|_| drop(folder.discard()))?;
    let new = state.parts.get(&part.name).map(|part| &part.sha256);
    let is_same = held.parts.get(&part.name).map(|part| &part.sha256) == new;
    let bytes = state.parts.values().map(|part| part.bytes).sum();
    if is_same {
        folder.discard()?;
    } else {
        let entry = FeedEntry { name: row.name.to_owned(), data_date: date.clone(), ..FeedEntry::default() };
        let older = Here::read(data_dir).older(&entry).filter(|_| !options.allows_older);
        if let Some(older) = older {
            folder.discard()?;
            return Err(BundleError::Older(vec![older]));
        }
        state.fetched_at = Some(date.clone().unwrap_or_else(|| now.to_string()));
        let attempted_at = Some(now.to_string());
        folder.stage_attempts(&Attempts { checked_at: date.clone(), attempted_at, ..Attempts::default() })?;
        let staging = Staging::of(data_dir);
        staging.begin()?;
        staging.commit(&Journal { feeds: vec![(row.name.to_owned(), state)], ..Journal::default() })?;
    }
    let database = ImportedDatabase::Built(build(data_dir, &options.off, &now.to_string(), on_progress)?);
    let arrived = match is_same {
        true => Arrived::Unchanged,
        false => Arrived::Replaced { changed: 1, unchanged: 0, bytes },
    };
    let feed = ImportedFeed { feed: row.name.to_owned(), arrived, checked_at: date.clone(), data_date: date };
    Ok(ImportReport {
        id: None,
        created_at: None,
        signer: None,
        feeds: vec![feed],
        files: Vec::new(),
        files_left_out: Vec::new(),
        database,
    })
}

/// Writes the file aside and reads it as the database will.
fn stage(
    row: &'static Feed,
    part: &crate::feeds::Part,
    folder: &Folder,
    from: impl Read,
    now: Timestamp,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(State, Option<String>), BundleError> {
    let path = folder.staged(&part.name);
    let mut file = on("create", &path, File::create(&path))?;
    let mut content = Hashed::new(from.take(PART_BYTES_MAX + 1));
    io::copy(&mut content, &mut file).map_err(BundleError::Read)?;
    on("write", &path, file.sync_all())?;
    if content.bytes > PART_BYTES_MAX {
        return Err(BundleError::Damaged(format!("it is larger than {PART_BYTES_MAX} bytes")));
    }
    let mut part_state = PartState {
        path: part.path.clone(),
        fetched_at: now.to_string(),
        bytes: content.bytes,
        sha256: content.sha256(),
        ..PartState::default()
    };
    let state_of = |part_state| State { parts: [(part.name.clone(), part_state)].into(), ..State::default() };
    let states = state_of(part_state.clone()).parts;
    let staged = BTreeSet::from([part.name.as_str()]);
    on_progress(Progress::Verifying { feed: row.name, part: &part.name });
    let mut dated = Dated::default();
    let snapshot = Parts { folder, states: &states, staged: &staged };
    let failed =
        |error: String| BundleError::Parse { feed: row.name.to_owned(), part: part.name.clone(), error };
    parse(row, part, &snapshot, &mut dated).map_err(|error| failed(error.to_string()))?;
    if dated.records == 0 {
        return Err(failed("it holds no records".to_owned()));
    }
    part_state.records = dated.records;
    Ok((state_of(part_state), dated.date))
}

/// Counts records, and keeps the latest date.
#[derive(Default)]
struct Dated {
    records: u64,
    date: Option<String>,
}

impl Sink for Dated {
    fn advisory(&mut self, _: &Advisory, _: &[Affected]) {
        self.records += 1;
    }

    fn kev(&mut self, _: &str, _: Kev) {
        self.records += 1;
    }

    fn epss(&mut self, _: &str, _: Epss) {
        self.records += 1;
    }

    fn cvss(&mut self, _: &str, _: &[Cvss]) {
        self.records += 1;
    }

    fn end_of_life(&mut self, _: &str, _: EndOfLife) {
        self.records += 1;
    }

    fn repository(&mut self, _: &str, _: &[&str]) {
        self.records += 1;
    }

    fn refuse(&mut self, _: &str, _: &str) {}

    fn skip(&mut self, _: &str) {}

    fn data_date(&mut self, date: &str) {
        if date.parse::<Timestamp>().is_ok() && self.date.as_ref().is_none_or(|known| is_before(known, date))
        {
            self.date = Some(date.to_owned());
        }
    }

    fn namespace_date(&mut self, _: &str, date: &str) {
        self.data_date(date);
    }

    fn namespace(&mut self, _: &str) {}
}
