//! How all images together stood, day by day.

use std::ops::ControlFlow;

use jiff::civil::Date;
use plimsoll_core::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::wire::judged_of_json;
use crate::{Judged, Severities, Store, StoreError};

/// Scans read at once.
const SCANS_AT_ONCE_MAX: u32 = 2_000;

/// How all images stood on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Day {
    /// Images that were judged, by the worst that was known of them.
    pub worst: Severities,
    /// Those of which nothing was known.
    pub without: u32,
    /// Images with findings that have a fix.
    pub fixable: u32,
    /// Images with findings that are exploited.
    pub exploited: u32,
    /// Images that were judged with gaps, or with feeds that were late.
    pub unsure: u32,
}

impl Day {
    /// Counts an image in.
    pub fn add(&mut self, judged: &Judged) {
        let images = match judged.findings.worst() {
            Some(severity) => self.worst.of_mut(severity),
            None => &mut self.without,
        };
        *images += 1;
        self.fixable += u32::from(judged.fixable > 0);
        self.exploited += u32::from(judged.exploited > 0);
        self.unsure += u32::from(judged.gaps > 0 || !judged.late_feeds.is_empty());
    }
}

impl Store {
    /// Every image that was judged, in the order of digests, with what was found; until told to stop. Of what is not
    /// supported nothing is known, so it is not among them.
    pub fn each_judged(
        &self,
        each: &mut dyn FnMut(Digest, Judged) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let rows = self.engine.query(
                "SELECT id, judged FROM scans WHERE kind = 'image' AND judged IS NOT NULL AND state <> 'unsupported' AND id > $1
                 ORDER BY id LIMIT $2",
                &[after.as_str().into(), SCANS_AT_ONCE_MAX.into()],
            )?;
            if rows.is_empty() {
                return Ok(());
            }
            for mut row in rows {
                after = row.text()?;
                let judged = judged_of_json(&row.text()?)?;
                let digest =
                    after.parse().map_err(|_| StoreError::Damaged(format!("`{after}` is no digest")))?;
                if each(digest, judged).is_break() {
                    return Ok(());
                }
            }
        }
    }

    /// Notes how all images stand on a day, in place of what was noted of it.
    pub fn note_day(&self, date: Date, day: &Day) -> Result<(), StoreError> {
        let values = [date.to_string().into(), crate::engine::json(day).into()];
        self.engine.transaction(|transaction| {
            transaction.execute(
                "INSERT INTO days (day, body) VALUES ($1, $2) ON CONFLICT (day) DO UPDATE SET body = excluded.body",
                &values,
            )?;
            Ok(())
        })
    }

    /// The newest days that are noted, the oldest of them first.
    pub fn days(&self, rows_max: u32) -> Result<Vec<(Date, Day)>, StoreError> {
        let rows =
            self.engine.query("SELECT day, body FROM days ORDER BY day DESC LIMIT $1", &[rows_max.into()])?;
        let mut days = Vec::new();
        for mut row in rows {
            let (date, body) = (row.text()?, row.text()?);
            let damaged = |what: String| StoreError::Damaged(format!("the day `{date}`: {what}"));
            let day = serde_json::from_str(&body).map_err(|error| damaged(error.to_string()))?;
            days.push((date.parse().map_err(|_| damaged("no date".to_owned()))?, day));
        }
        days.reverse();
        Ok(days)
    }
}
