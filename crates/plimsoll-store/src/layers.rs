//! What each layer states, by its verified digest and what it was read by.

use plimsoll_core::digest::Digest;

use crate::{Store, StoreError};

impl Store {
    /// The facts of a layer that was read before by the same rules.
    pub fn layer(&self, digest: &Digest, fingerprint: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let rows = self.engine.query(
            "SELECT facts FROM layers WHERE digest = $1 AND fingerprint = $2",
            &[digest.into(), fingerprint.into()],
        )?;
        rows.into_iter().next().map(|mut row| row.blob()).transpose()
    }

    /// Keeps the facts of a layer whose digest has been verified.
    pub fn put_layer(&self, digest: &Digest, fingerprint: &str, facts: &[u8]) -> Result<(), StoreError> {
        let values = [digest.into(), fingerprint.into(), facts.into()];
        self.engine.transaction(|transaction| {
            transaction.execute(
                "INSERT INTO layers (digest, fingerprint, facts) VALUES ($1, $2, $3)
                 ON CONFLICT (digest, fingerprint) DO UPDATE SET facts = excluded.facts",
                &values,
            )?;
            Ok(())
        })
    }
}
