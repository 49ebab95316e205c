//! From upstream advisories to the advisory database.

pub mod database;
pub mod feeds;
