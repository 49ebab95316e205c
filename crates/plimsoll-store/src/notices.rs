//! Notifications as Clair keeps them: made at one time, read page by page, deleted by who read them.

use jiff::Timestamp;

use crate::engine::{Transaction, clean, json};
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
    /// Keeps a notification with its items, in their order. One that is there already stays as it is.
    pub fn put_notice(&self, id: &str, items: &[NoticeItem], now: Timestamp) -> Result<(), StoreError> {
        let rows: Vec<(usize, String, String)> = items
            .iter()
            .enumerate()
            .map(|(position, item)| (position, clean(&item.id), clean(&item.body)))
            .collect();
        let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
        self.engine.transaction(|transaction| {
            let is_new = transaction.execute(
                "INSERT INTO notices (id, at, items) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
                &[id.into(), now.into(), count.into()],
            )?;
            if is_new == 1 {
                transaction.execute(
                    "INSERT INTO notice_items (notice, position, id, body)
                     SELECT $2, CAST(listed.value->>0 AS BIGINT), listed.value->>1, listed.value->>2 FROM {rows}",
                    &[json(&rows).into(), id.into()],
                )?;
            }
            Ok(())
        })
    }

    /// A notification without its items. `None` where it is not known.
    pub fn notice(&self, id: &str) -> Result<Option<Notice>, StoreError> {
        self.engine.read(|transaction| notice(transaction, id))
    }

    /// Up to so many items after one of them (`None`: from the start; none follow one that is not there). `None` where
    /// the notification is not known.
    pub fn notice_items(
        &self,
        id: &str,
        after: Option<&str>,
        rows_max: u32,
    ) -> Result<Option<Vec<NoticeItem>>, StoreError> {
        self.engine.read(|transaction| {
            if notice(transaction, id)?.is_none() {
                return Ok(None);
            }
            let after = match after {
                None => -1,
                Some(item) => {
                    let position = "SELECT position FROM notice_items WHERE notice = $1 AND id = $2";
                    match transaction.row(position, &[id.into(), item.into()])? {
                        Some(mut row) => row.integer()?,
                        None => return Ok(Some(Vec::new())),
                    }
                }
            };
            let rows = transaction.query(
                "SELECT id, body FROM notice_items WHERE notice = $1 AND position > $2 ORDER BY position LIMIT $3",
                &[id.into(), after.into(), rows_max.into()],
            )?;
            let items = rows.into_iter().map(|mut row| Ok(NoticeItem { id: row.text()?, body: row.text()? }));
            items.collect::<Result<_, StoreError>>().map(Some)
        })
    }

    /// Forgets a notification. `false` where it is not known.
    pub fn delete_notice(&self, id: &str) -> Result<bool, StoreError> {
        self.engine.transaction(|transaction| {
            let deleted = transaction.execute("DELETE FROM notices WHERE id = $1", &[id.into()])?;
            Ok(deleted == 1)
        })
    }
}

fn notice(transaction: &mut Transaction<'_>, id: &str) -> Result<Option<Notice>, StoreError> {
    let row = transaction.row("SELECT id, at, items FROM notices WHERE id = $1", &[id.into()])?;
    row.map(|mut row| Ok(Notice { id: row.text()?, at: row.time()?, items: row.number()? })).transpose()
}
