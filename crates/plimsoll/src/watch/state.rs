//! How a watch goes, as all replicas and whoever asks can read it.

use jiff::Timestamp;
use plimsoll_store::{Store, StoreError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most problems that are kept.
pub(super) const PROBLEMS_MAX: usize = 20;

/// How a watch goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct WatchState {
    /// When the registry was last looked at, RFC 3339.
    pub(crate) last_poll: Option<String>,
    /// When that last went well, RFC 3339.
    pub(crate) last_success: Option<String>,
    /// When it is looked at next, RFC 3339; at once where there is no time.
    pub(crate) next_poll: Option<String>,
    /// What went wrong at the last look, where the whole look came to nothing.
    pub(crate) last_error: Option<String>,
    /// Looks that came to nothing since the last that did not.
    pub(crate) failures: u32,
    /// Repositories that were looked at.
    pub(crate) repositories: u64,
    /// Tags that were looked at.
    pub(crate) tags: u64,
    /// Images that were submitted.
    pub(crate) submitted: u64,
    /// What went wrong with single repositories and tags, and which limits were reached.
    pub(crate) problems: Vec<String>,
    /// Problems that are not listed.
    pub(crate) more_problems: u64,
}

impl WatchState {
    /// The state of a watch. What another version wrote, or nobody, is a watch that was never looked at.
    pub(crate) fn read(store: &Store, name: &str) -> Result<WatchState, StoreError> {
        let text = store.setting(&setting(name))?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    pub(super) fn write(&self, store: &Store, name: &str) -> Result<(), StoreError> {
        let text = serde_json::to_string(self).expect("texts and numbers can be written as JSON");
        store.set_setting(&setting(name), &text)
    }

    /// Whether it is to be looked at now. A time that cannot be read is due.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let next: Option<Timestamp> = self.next_poll.as_deref().and_then(|text| text.parse().ok());
        next.is_none_or(|next| next <= now)
    }
}

fn setting(name: &str) -> String {
    format!("watch.{name}")
}
