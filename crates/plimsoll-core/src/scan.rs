//! Where a scan stands: one closed set of states, each with a closed set of reasons.
//!
//! A server says these words to pipelines, registries and people; the wire names here are stable. The two states of
//! the service itself stand beside those of a scan, so that whoever asks after a scan always gets one of these words,
//! also where the service cannot look.

use std::fmt;

/// Where a scan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScanState {
    /// It waits for a worker.
    Queued,
    /// Its manifest and layers are being asked for.
    Fetching,
    /// Its layers are being read.
    Indexing,
    /// It is indexed, and there is nothing to match it against yet.
    FeedsNotLoaded,
    /// It is being held against the advisory database.
    Matching,
    /// An attempt failed for a reason that may pass; another one follows.
    Retrying,
    /// It is done; the reason says whether there are gaps.
    Completed,
    /// It can never be scanned as it is.
    Unsupported,
    /// It could not be scanned, and is not tried again by itself.
    Failed,
    /// Somebody called it off.
    Cancelled,
    /// The service is starting, migrating or ending.
    NotReady,
    /// The service cannot be asked, or cannot ask its own database.
    Unavailable,
}

impl ScanState {
    /// All states, in the order in which a scan meets them.
    pub const ALL: [ScanState; 12] = [
        ScanState::Queued,
        ScanState::Fetching,
        ScanState::Indexing,
        ScanState::FeedsNotLoaded,
        ScanState::Matching,
        ScanState::Retrying,
        ScanState::Completed,
        ScanState::Unsupported,
        ScanState::Failed,
        ScanState::Cancelled,
        ScanState::NotReady,
        ScanState::Unavailable,
    ];

    /// The state's stable name, snake_case.
    pub fn name(self) -> &'static str {
        match self {
            ScanState::Queued => "queued",
            ScanState::Fetching => "fetching",
            ScanState::Indexing => "indexing",
            ScanState::FeedsNotLoaded => "feeds_not_loaded",
            ScanState::Matching => "matching",
            ScanState::Retrying => "retrying",
            ScanState::Completed => "completed",
            ScanState::Unsupported => "unsupported",
            ScanState::Failed => "failed",
            ScanState::Cancelled => "cancelled",
            ScanState::NotReady => "not_ready",
            ScanState::Unavailable => "unavailable",
        }
    }

    /// The state of a name.
    pub fn of_name(name: &str) -> Option<ScanState> {
        ScanState::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more happens to the scan by itself.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            ScanState::Completed | ScanState::Unsupported | ScanState::Failed | ScanState::Cancelled
        )
    }

    /// Whether a worker has the scan in hand.
    pub fn is_at_work(self) -> bool {
        matches!(self, ScanState::Fetching | ScanState::Indexing | ScanState::Matching)
    }
}

impl fmt::Display for ScanState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a scan stands where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    // Queued.
    /// It was asked for.
    Asked,
    /// A registry that is watched has it.
    Watched,
    /// What images are indexed by has changed since it was scanned.
    Rescan,
    /// A worker handed it back before it ended.
    HandedBack,
    // Feeds not loaded.
    /// There is no advisory database yet.
    NoDatabase,
    /// The feeds that judge this image were never loaded, and are still to come.
    FeedsAwaited,
    // Retrying.
    /// The store's database refused a transaction: a deadlock, a serialization failure, a lock held too long.
    DatabaseConflict,
    /// The store's database cannot be reached.
    DatabaseUnavailable,
    /// The registry cannot be reached, stalls, or answers with an error of its own.
    RegistryUnavailable,
    /// The registry was asked too often.
    RateLimited,
    /// The worker that had it is gone.
    WorkerLost,
    /// It took longer than it may.
    TimedOut,
    /// This machine has no room for it.
    OutOfSpace,
    // Completed.
    /// Everything was read and judged.
    Complete,
    /// Some things could not be read, compared or known; the report says which.
    WithGaps,
    // Unsupported.
    /// It is an artifact of another kind: a chart, a signature, a list of packages.
    ArtifactType,
    /// Nothing says which distribution it is, or none that is known, and nothing else in it can be judged.
    UnknownOs,
    /// It has no layers.
    NoLayers,
    /// A layer is encrypted.
    EncryptedLayer,
    /// A layer is larger than this server reads.
    LayerTooLarge,
    /// It has more layers, or an index more images, than this server reads.
    TooManyLayers,
    /// A layer that the registry does not have and that may not be fetched from elsewhere.
    ForeignLayer,
    /// A layer of a kind that is no file system.
    LayerType,
    /// A manifest of a format that cannot be verified, Docker's schema 1.
    ManifestFormat,
    // Failed.
    /// The registry does not have it.
    NotFound,
    /// The registry does not let us.
    Unauthorized,
    /// Its bytes are not those of its digest.
    DigestMismatch,
    /// A document or a layer of it cannot be read.
    Corrupt,
    /// It lies where this server may not ask.
    AddressRefused,
    /// It was tried as often as it may be; the detail says what went wrong last.
    AttemptsExhausted,
    /// What was asked for cannot be understood.
    BadRequest,
    /// Something that should not happen.
    Internal,
    // Cancelled.
    /// Somebody asked for it.
    ByRequest,
    // The service.
    /// It has just been started.
    Starting,
    /// It brings its database to the form that it needs.
    Migrating,
    /// It is ending.
    Ending,
    /// It did not answer.
    Unreachable,
}

impl Reason {
    /// All reasons, by the state that they are of.
    pub const ALL: [Reason; 37] = [
        Reason::Asked,
        Reason::Watched,
        Reason::Rescan,
        Reason::HandedBack,
        Reason::NoDatabase,
        Reason::FeedsAwaited,
        Reason::DatabaseConflict,
        Reason::DatabaseUnavailable,
        Reason::RegistryUnavailable,
        Reason::RateLimited,
        Reason::WorkerLost,
        Reason::TimedOut,
        Reason::OutOfSpace,
        Reason::Complete,
        Reason::WithGaps,
        Reason::ArtifactType,
        Reason::UnknownOs,
        Reason::NoLayers,
        Reason::EncryptedLayer,
        Reason::LayerTooLarge,
        Reason::TooManyLayers,
        Reason::ForeignLayer,
        Reason::LayerType,
        Reason::ManifestFormat,
        Reason::NotFound,
        Reason::Unauthorized,
        Reason::DigestMismatch,
        Reason::Corrupt,
        Reason::AddressRefused,
        Reason::AttemptsExhausted,
        Reason::BadRequest,
        Reason::Internal,
        Reason::ByRequest,
        Reason::Starting,
        Reason::Migrating,
        Reason::Ending,
        Reason::Unreachable,
    ];

    /// The reason's stable name, snake_case.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Asked => "asked",
            Reason::Watched => "watched",
            Reason::Rescan => "rescan",
            Reason::HandedBack => "handed_back",
            Reason::NoDatabase => "no_database",
            Reason::FeedsAwaited => "feeds_awaited",
            Reason::DatabaseConflict => "database_conflict",
            Reason::DatabaseUnavailable => "database_unavailable",
            Reason::RegistryUnavailable => "registry_unavailable",
            Reason::RateLimited => "rate_limited",
            Reason::WorkerLost => "worker_lost",
            Reason::TimedOut => "timed_out",
            Reason::OutOfSpace => "out_of_space",
            Reason::Complete => "complete",
            Reason::WithGaps => "with_gaps",
            Reason::ArtifactType => "artifact_type",
            Reason::UnknownOs => "unknown_os",
            Reason::NoLayers => "no_layers",
            Reason::EncryptedLayer => "encrypted_layer",
            Reason::LayerTooLarge => "layer_too_large",
            Reason::TooManyLayers => "too_many_layers",
            Reason::ForeignLayer => "foreign_layer",
            Reason::LayerType => "layer_type",
            Reason::ManifestFormat => "manifest_format",
            Reason::NotFound => "not_found",
            Reason::Unauthorized => "unauthorized",
            Reason::DigestMismatch => "digest_mismatch",
            Reason::Corrupt => "corrupt",
            Reason::AddressRefused => "address_refused",
            Reason::AttemptsExhausted => "attempts_exhausted",
            Reason::BadRequest => "bad_request",
            Reason::Internal => "internal",
            Reason::ByRequest => "by_request",
            Reason::Starting => "starting",
            Reason::Migrating => "migrating",
            Reason::Ending => "ending",
            Reason::Unreachable => "unreachable",
        }
    }

    /// The reason of a name.
    pub fn of_name(name: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_and_are_snake_case() {
        for state in ScanState::ALL {
            assert_eq!(ScanState::of_name(state.name()), Some(state));
        }
        for reason in Reason::ALL {
            assert_eq!(Reason::of_name(reason.name()), Some(reason));
            assert!(reason.name().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        }
        assert_eq!(ScanState::of_name("asleep"), None);
    }
}
