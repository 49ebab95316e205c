//! Brings the tables to the form that this version needs.
//!
//! Each file of `migrations/` is applied once, in the order of their numbers, all in one transaction that one opener
//! does at a time. What was applied is remembered with its checksum: a store of a newer version, or one whose tables
//! were made by something else, is refused before anything is changed.

use plimsoll_core::digest::hex;
use sha2::{Digest as _, Sha256};

use crate::StoreError;
use crate::engine::{Alone, Engine, Transaction};

/// The files, by number.
const MIGRATIONS: &[(u32, &str)] = &[
    (1, include_str!("../migrations/0001-start.sql")),
    (2, include_str!("../migrations/0002-clearances.sql")),
    (3, include_str!("../migrations/0003-queues.sql")),
    (4, include_str!("../migrations/0004-pages.sql")),
];

/// Applies what is missing.
pub(crate) fn migrate(engine: &Engine) -> Result<(), StoreError> {
    engine.transaction(|transaction| apply(transaction, MIGRATIONS))
}

fn apply(transaction: &mut Transaction<'_>, migrations: &[(u32, &str)]) -> Result<(), StoreError> {
    transaction.alone(Alone::Migrating)?;
    transaction.batch(
        "CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY, checksum {text} NOT NULL)",
    )?;
    let mut applied = Vec::new();
    for mut row in transaction.query("SELECT number, checksum FROM migrations ORDER BY number", &[])? {
        applied.push((row.number::<u32>()?, row.text()?));
    }
    let newest = migrations.last().map_or(0, |(number, _)| *number);
    if let Some((number, _)) = applied.iter().find(|(number, _)| *number > newest) {
        return Err(StoreError::Refused(format!(
            "it has form {number} of a newer version of Plimsoll, and this version knows forms up to {newest}; run \
             that version, or restore a copy from before it"
        )));
    }
    for (number, text) in migrations {
        let checksum = hex(&Sha256::digest(text.as_bytes()));
        match applied.iter().find(|(one, _)| one == number) {
            Some((_, known)) if *known == checksum => {}
            Some(_) => {
                return Err(StoreError::Damaged(format!(
                    "its form {number} was made by another text than this version has"
                )));
            }
            None => {
                transaction.batch(text)?;
                let values = [(*number).into(), checksum.into()];
                transaction.execute("INSERT INTO migrations (number, checksum) VALUES ($1, $2)", &values)?;
            }
        }
    }
    Ok(())
}
