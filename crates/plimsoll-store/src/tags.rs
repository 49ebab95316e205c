//! Which names lead to which digests, as registries said.

use jiff::Timestamp;
use plimsoll_core::digest::Digest;

use crate::{Store, StoreError};

/// A name and where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// `HOST[:PORT]`.
    pub registry: String,
    /// `NAMESPACE/NAME`.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// Where it leads: a manifest or an index.
    pub digest: Digest,
    /// When it was first seen to lead there.
    pub since: Timestamp,
    /// When it was last seen.
    pub seen_at: Timestamp,
}

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// `HOST[:PORT]`.
    pub registry: String,
    /// `NAMESPACE/NAME`.
    pub repository: String,
    /// Tags that are known.
    pub tags: u64,
    /// When one was last seen.
    pub seen_at: Timestamp,
}

/// Which tags are listed: all that fit the fields that are not empty.
#[derive(Clone, Debug, Default)]
pub struct TagFilter {
    /// Only of this registry.
    pub registry: String,
    /// Only of this repository.
    pub repository: String,
    /// Only those that lead here.
    pub digest: Option<Digest>,
    /// Only after this tag, in the order of registry, repository and tag.
    pub after: Option<(String, String, String)>,
    /// Most rows.
    pub rows_max: u32,
}

impl Store {
    /// Notes that tags lead to digests. Returns those that are new or lead elsewhere than before; each of these is an
    /// event.
    pub fn note_tags(&self, tags: &[Tag], now: Timestamp) -> Result<Vec<Tag>, StoreError> {
        let _ = (tags, now);
        Err(StoreError::unfinished())
    }

    /// Forgets the tags of a repository that were last seen before a time; returns them. Each is an event.
    pub fn forget_tags(
        &self,
        registry: &str,
        repository: &str,
        seen_before: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Tag>, StoreError> {
        let _ = (registry, repository, seen_before, now);
        Err(StoreError::unfinished())
    }

    /// Tags, sorted.
    pub fn tags(&self, filter: &TagFilter) -> Result<Vec<Tag>, StoreError> {
        let _ = filter;
        Err(StoreError::unfinished())
    }

    /// Repositories with tags, sorted, after one of them.
    pub fn repositories(
        &self,
        after: Option<(&str, &str)>,
        rows_max: u32,
    ) -> Result<Vec<Repository>, StoreError> {
        let _ = (after, rows_max);
        Err(StoreError::unfinished())
    }

    /// The digests of images (not indexes) by which an image is part of an index, and the reverse: indexes that name
    /// this digest as a child.
    pub fn parents(&self, digest: &Digest) -> Result<Vec<Digest>, StoreError> {
        let _ = digest;
        Err(StoreError::unfinished())
    }
}
