//! Why the store did not do what it was asked.

/// Why the store did not do what it was asked. None of these means that there was nothing.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It lost against other transactions as often as it may be tried: deadlock, serialization failure, a lock held
    /// too long. It may be asked again later.
    #[error("the database is busy with conflicting changes: {0}; it may be asked again")]
    Conflict(String),
    /// It cannot be reached. It may be asked again later.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// The place is not one.
    #[error("`{place}` is no place for a store: {reason}")]
    BadPlace {
        /// The place, without its password.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What is stored is not what this version stores.
    #[error("the database holds what cannot be understood: {0}")]
    Damaged(String),
    /// Anything else.
    #[error("the database refuses: {0}")]
    Refused(String),
}

impl StoreError {
    /// Whether asking again later may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, StoreError::Conflict(_) | StoreError::Unavailable(_))
    }
}
