//! From upstream advisories to the advisory database.

pub mod feeds;
