//! Whether the records of clearances are as they were written: held against their digests at the start, and from then
//! on as they come.
//!
//! What surprises: a chain that is broken stays so until it is found whole from its first record on. Records from the broken
//! one on clear nothing meanwhile.

use std::sync::PoisonError;

use jiff::Timestamp;
use plimsoll_store::{Ended, RecordHead, StoreError};

use super::Server;

/// Records that are held against their digests at once. One may have some megabytes.
const ROWS_MAX: u32 = 20;

/// How far the records were looked at, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The last record that is as it was written.
    pub(crate) head: RecordHead,
    /// The first that is not, and what is wrong with it.
    pub(crate) broken: Option<(u64, String)>,
    /// When somebody looked to the end; `None` where nobody has yet.
    pub(crate) checked_at: Option<Timestamp>,
}

impl Default for Chain {
    fn default() -> Chain {
        Chain { head: RecordHead { number: 0, digest: None }, broken: None, checked_at: None }
    }
}

impl Chain {
    /// Whether a record may be relied on.
    pub(crate) fn holds(&self, number: u64) -> bool {
        self.broken.as_ref().is_none_or(|(broken, _)| number < *broken)
    }
}

impl Server {
    /// What was found when it was last looked.
    pub(crate) fn chain(&self) -> Chain {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at the records that came since the last look, or at all of them where there was none.
    pub(crate) fn check_records(&self) -> Result<Chain, StoreError> {
        match self.chain() {
            Chain { broken: Some(_), .. } => self.check_all_records(),
            chain => self.check_after(chain.head),
        }
    }

    /// Looks at all records.
    pub(crate) fn check_all_records(&self) -> Result<Chain, StoreError> {
        self.check_after(Chain::default().head)
    }

    fn check_after(&self, mut head: RecordHead) -> Result<Chain, StoreError> {
        let Some(store) = self.store.get() else { return Ok(self.chain()) };
        let broken = loop {
            let checked = store.check_records(&head, ROWS_MAX)?;
            head = checked.head;
            match checked.ended {
                Ended::More if self.lifecycle.is_ending() => return Ok(self.chain()),
                Ended::More => {}
                Ended::Whole => break None,
                Ended::Broken(number, detail) => {
                    tracing::error!(
                        record = number,
                        "the records of clearances are not as they were: {detail}"
                    );
                    break Some((number, detail));
                }
            }
        };
        let chain = Chain { head, broken, checked_at: Some((self.now)()) };
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain.clone();
        Ok(chain)
    }
}
