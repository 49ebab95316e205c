//! From upstream advisories to the advisory database.

pub mod bundle;
pub mod database;
pub mod feeds;
mod fetch;
pub mod mirror;
mod snapshots;
pub mod status;
pub mod update;

pub use fetch::{Answer, Transport, TransportError};
pub use snapshots::{Attempts, DirectoryError};
