//! What is held where a bundle arrives, and whether the bundle is older.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use plimsoll_core::advisory::{Advisories as _, FeedRecord};

use super::{FeedEntry, Older};
use crate::Attempts;
use crate::database::Database;
use crate::feeds::FEEDS;
use crate::snapshots::{Folder, State};
use crate::update::{database_path, snapshots_path};

/// What is held.
pub(super) struct Here {
    pub(super) states: BTreeMap<&'static str, State>,
    pub(super) attempts: BTreeMap<&'static str, Attempts>,
    pub(super) database: Option<Database>,
}

impl Here {
    pub(super) fn read(data_dir: &Path) -> Here {
        let snapshots = snapshots_path(data_dir);
        let folders = || FEEDS.iter().map(|feed| (feed.name, Folder::of(&snapshots, feed.name)));
        Here {
            states: folders().map(|(name, folder)| (name, folder.state())).collect(),
            attempts: folders().map(|(name, folder)| (name, folder.attempts())).collect(),
            database: Database::open(&database_path(data_dir)).ok(),
        }
    }

    pub(super) fn records(&self) -> &[FeedRecord] {
        self.database.as_ref().map_or(&[], |database| database.feeds())
    }

    /// How a bundle's feed is older than what is held; `None` where it is not, or nothing is held.
    ///
    /// What the data says of itself outweighs when it was fetched. Where the parts of a feed age apart, one older part
    /// is enough: it would be a step back for its release.
    pub(super) fn older(&self, entry: &FeedEntry) -> Option<Older> {
        let record = self.records().iter().find(|record| record.name == entry.name);
        let state = self.states.get(entry.name.as_str());
        let checked_at =
            self.attempts.get(entry.name.as_str()).and_then(|attempts| attempts.checked_at.as_ref());
        let older = |what, held: &str, bundled: &str| Older {
            feed: entry.name.clone(),
            what,
            held: held.to_owned(),
            bundled: Some(bundled.to_owned()),
        };
        if let Some(record) = record {
            for (namespace, bundled) in &entry.namespace_dates {
                let held = record.namespace_dates.iter().find(|(name, _)| name == namespace);
                if let Some((_, held)) = held.filter(|(_, held)| is_before(bundled, held)) {
                    return Some(older("data of", held, bundled));
                }
            }
            if let (Some(held), Some(bundled)) = (&record.data_date, &entry.data_date)
                && held != bundled
            {
                return is_before(bundled, held).then(|| older("data of", held, bundled));
            }
        }
        let is_held = record.is_some() || state.is_some_and(State::has_snapshot);
        let fetched_at = state.and_then(|state| state.fetched_at.as_ref());
        let pairs = [
            (checked_at, &entry.checked_at, "data confirmed"),
            (fetched_at, &entry.fetched_at, "data fetched"),
        ];
        let known =
            pairs.into_iter().find_map(|(held, bundled, what)| Some((held?, bundled.as_ref()?, what)));
        let (held, bundled, what) = known.filter(|_| is_held)?;
        is_before(bundled, held).then(|| older(what, held, bundled))
    }
}

/// Whether a time is before another. What is no time is before nothing.
pub(super) fn is_before(a: &str, b: &str) -> bool {
    matches!((a.parse::<Timestamp>(), b.parse::<Timestamp>()), (Ok(a), Ok(b)) if a < b)
}
