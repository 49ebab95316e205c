//! What could not be read, parsed, compared or known.
//!
//! A gap is a value in the result. It never becomes a log line, and a result that has gaps is not clean.

use std::fmt;

/// One thing that the result does not know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gap {
    /// What sort of thing is unknown.
    pub kind: GapKind,
    /// What it is about: a path, a package, a layer digest, a feed or a namespace.
    pub subject: String,
    /// What happened and, where there is something to do, what to do. One sentence, no full stop.
    pub detail: String,
}

impl Gap {
    /// Builds a gap.
    pub fn new(kind: GapKind, subject: impl Into<String>, detail: impl Into<String>) -> Gap {
        Gap { kind, subject: subject.into(), detail: detail.into() }
    }
}

/// The closed list of what can be unknown. Ordered as a report shows them: the widest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GapKind {
    /// There is no advisory database to match against.
    DatabaseMissing,
    /// Nothing says which distribution this is, or Plimsoll has no row for it.
    UnknownDistro,
    /// The database holds nothing for a distribution or ecosystem that the image needs.
    FeedMissing,
    /// The feed that judges a distribution or an ecosystem is not there; others, which say less, are.
    FeedPartial,
    /// The data of a needed feed is older than its warning period.
    FeedStale,
    /// The distribution's release is out of support: flaws found since then are not in its advisories.
    EndOfLife,
    /// Asking the advisory database failed, which is not the same as finding nothing.
    LookupFailed,
    /// A layer could not be read to its end.
    LayerUnreadable,
    /// A layer's bytes are not what its digest or size says.
    LayerMismatch,
    /// A layer of Windows that its publisher lets no registry have was not fetched.
    ForeignUnavailable,
    /// A layer or artifact of a kind that Plimsoll does not read.
    Unsupported,
    /// How far the operating system is updated is what the image claims of itself; nothing in it was seen to say so.
    LevelClaimed,
    /// What the image claims of its operating system is not what is in it.
    ClaimMismatch,
    /// Nobody states advisories for packages of a kind.
    NoFeed,
    /// A named limit was reached and what lies behind it was not looked at.
    LimitReached,
    /// A package database or manifest file, or a part of one, could not be parsed.
    EvidenceUnreadable,
    /// An installed version does not follow its scheme, so it was not compared.
    VersionUnparsable,
    /// An advisory's range does not follow its scheme, so it was not compared.
    RangeUnparsable,
    /// The version of a package is not stated, so it was not matched.
    VersionUnknown,
    /// Only a part of a package's name is stated, so it was not looked up.
    NameUnknown,
    /// A finding has no severity, so it cannot be held against a severity threshold.
    SeverityUnknown,
}

impl GapKind {
    /// All kinds, widest first.
    pub const ALL: [GapKind; 21] = [
        GapKind::DatabaseMissing,
        GapKind::UnknownDistro,
        GapKind::FeedMissing,
        GapKind::FeedPartial,
        GapKind::FeedStale,
        GapKind::EndOfLife,
        GapKind::LookupFailed,
        GapKind::LayerUnreadable,
        GapKind::LayerMismatch,
        GapKind::ForeignUnavailable,
        GapKind::Unsupported,
        GapKind::LevelClaimed,
        GapKind::ClaimMismatch,
        GapKind::NoFeed,
        GapKind::LimitReached,
        GapKind::EvidenceUnreadable,
        GapKind::VersionUnparsable,
        GapKind::RangeUnparsable,
        GapKind::VersionUnknown,
        GapKind::NameUnknown,
        GapKind::SeverityUnknown,
    ];

    /// The kind's stable name in reports, kebab-case.
    pub fn name(self) -> &'static str {
        match self {
            GapKind::DatabaseMissing => "database-missing",
            GapKind::UnknownDistro => "unknown-distro",
            GapKind::FeedMissing => "feed-missing",
            GapKind::FeedPartial => "feed-partial",
            GapKind::FeedStale => "feed-stale",
            GapKind::EndOfLife => "end-of-life",
            GapKind::LookupFailed => "lookup-failed",
            GapKind::LayerUnreadable => "layer-unreadable",
            GapKind::LayerMismatch => "layer-mismatch",
            GapKind::ForeignUnavailable => "foreign-unavailable",
            GapKind::Unsupported => "unsupported",
            GapKind::LevelClaimed => "level-claimed",
            GapKind::ClaimMismatch => "claim-mismatch",
            GapKind::NoFeed => "no-feed",
            GapKind::LimitReached => "limit-reached",
            GapKind::EvidenceUnreadable => "evidence-unreadable",
            GapKind::VersionUnparsable => "version-unparsable",
            GapKind::RangeUnparsable => "range-unparsable",
            GapKind::VersionUnknown => "version-unknown",
            GapKind::NameUnknown => "name-unknown",
            GapKind::SeverityUnknown => "severity-unknown",
        }
    }

    /// Whether such a gap means that a whole part of the image was not judged at all, so that even a plain
    /// scan has not done its job.
    pub fn leaves_image_unjudged(self) -> bool {
        matches!(
            self,
            GapKind::DatabaseMissing
                | GapKind::UnknownDistro
                | GapKind::FeedMissing
                | GapKind::LookupFailed
                | GapKind::LayerUnreadable
                | GapKind::LayerMismatch
                | GapKind::ForeignUnavailable
                | GapKind::Unsupported
        )
    }
}

impl fmt::Display for GapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
