//! Which feeds an image needs, and whether each is there.

/// What one need of an image looks like in the database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coverage {
    /// The namespace that is needed: `alpine:3.20`, `pypi`.
    pub needs: String,
    /// The feed that serves it, or that should.
    pub feed: String,
    /// Whether it does.
    pub state: CoverageState,
    /// RFC 3339 date that the feed's data states, else when it was fetched.
    pub data_date: Option<String>,
    /// How many packages of the image stand on it.
    pub packages: usize,
}

/// Whether a needed feed is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CoverageState {
    /// It is, and fresh.
    Loaded,
    /// It is, and older than its warning period.
    Stale,
    /// The database has nothing for the namespace.
    Missing,
    /// No feed for it is known to Plimsoll.
    Unsupported,
}

impl CoverageState {
    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            CoverageState::Loaded => "loaded",
            CoverageState::Stale => "stale",
            CoverageState::Missing => "missing",
            CoverageState::Unsupported => "unsupported",
        }
    }
}
