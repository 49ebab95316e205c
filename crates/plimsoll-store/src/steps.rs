//! Work that is done once although whoever does it may be killed in between: a setting says how far it is, and moves
//! together with what comes of it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plimsoll_core::digest::Digest;

use crate::engine::json;
use crate::wire::{judged_of_json, judged_to_json};
use crate::{Judged, NewEvent, Store, StoreError};

/// One step of such work.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// Name of the setting.
    pub setting: &'a str,
    /// What it must still be; `None` for one that is not there yet.
    pub before: Option<&'a str>,
    /// What it is afterwards.
    pub after: &'a str,
    /// What happened. What happened to an image that is among `judged` and keeps what was noted of it did not happen.
    pub events: &'a [NewEvent],
    /// What was found with another database: the image, what was noted of it, and what is to be. One of which
    /// something else was noted in between keeps that.
    pub judged: &'a [(Digest, Judged, Judged)],
}

impl Store {
    /// Takes a step. `false` where somebody else has taken it, and then nothing has changed.
    pub fn take_step(&self, step: &Step<'_>, now: Timestamp) -> Result<bool, StoreError> {
        let judged = step
            .judged
            .iter()
            .map(|(digest, before, after)| (digest.as_str(), judged_to_json(before), judged_to_json(after)));
        let judged = json(&judged.collect::<Vec<_>>());
        self.engine.transaction(|transaction| {
            let moved = match step.before {
                Some(before) => transaction.execute(
                    "UPDATE settings SET value = $3 WHERE name = $1 AND value = $2",
                    &[step.setting.into(), before.into(), step.after.into()],
                )?,
                None => transaction.execute(
                    "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
                    &[step.setting.into(), step.after.into()],
                )?,
            };
            if moved != 1 {
                return Ok(false);
            }
            let mut kept: BTreeSet<&str> = step.judged.iter().map(|(digest, ..)| digest.as_str()).collect();
            if !step.judged.is_empty() {
                let moved = transaction.query(
                    "UPDATE scans SET judged = given.after
                     FROM (SELECT listed.value->>0 AS id, listed.value->>1 AS before, listed.value->>2 AS after
                           FROM {rows}) AS given
                     WHERE scans.id = given.id AND scans.judged = given.before RETURNING scans.id",
                    &[judged.as_str().into()],
                )?;
                for mut row in moved {
                    kept.remove(row.text()?.as_str());
                }
            }
            let happened = step.events.iter().filter(|event| !kept.contains(event.subject.as_str()));
            happened.for_each(|event| transaction.note(event.clone(), now));
            Ok(true)
        })
    }

    /// What was found in images, in short, for those of which something is noted. Sorted by digest.
    pub fn judged(&self, digests: &[Digest]) -> Result<Vec<(Digest, Judged)>, StoreError> {
        let rows: Vec<[&str; 1]> = digests.iter().map(|digest| [digest.as_str()]).collect();
        let rows = self.engine.query(
            "SELECT scans.id, scans.judged FROM {rows} JOIN scans ON scans.id = listed.value->>0
             WHERE scans.judged IS NOT NULL ORDER BY scans.id",
            &[json(&rows).into()],
        )?;
        let judged = rows.into_iter().map(|mut row| {
            let id = row.text()?;
            let digest = id.parse().map_err(|_| StoreError::Damaged(format!("`{id}` is no digest")))?;
            Ok((digest, judged_of_json(&row.text()?)?))
        });
        judged.collect()
    }
}
