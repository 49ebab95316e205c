//! Notifications as Clair keeps them: made at one time, read page by page, deleted by who read them.

use jiff::Timestamp;

use crate::{Store, StoreError};

/// One notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// A UUID.
    pub id: String,
    /// When it was made.
    pub at: Timestamp,
    /// How many items it has.
    pub items: u64,
}

/// One item of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeItem {
    /// A UUID.
    pub id: String,
    /// JSON.
    pub body: String,
}

impl Store {
    /// Keeps a notification with its items, in their order.
    pub fn put_notice(&self, id: &str, items: &[NoticeItem], now: Timestamp) -> Result<(), StoreError> {
        let _ = (id, items, now);
        Err(StoreError::unfinished())
    }

    /// Up to so many items after one of them (`None`: from the start). `None` where the notification is not known.
    pub fn notice_items(
        &self,
        id: &str,
        after: Option<&str>,
        rows_max: u32,
    ) -> Result<Option<Vec<NoticeItem>>, StoreError> {
        let _ = (id, after, rows_max);
        Err(StoreError::unfinished())
    }

    /// Forgets a notification. `false` where it is not known.
    pub fn delete_notice(&self, id: &str) -> Result<bool, StoreError> {
        let _ = id;
        Err(StoreError::unfinished())
    }
}
