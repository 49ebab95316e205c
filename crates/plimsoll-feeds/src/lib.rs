//! From upstream advisories to the advisory database.

pub mod database;
pub mod feeds;
mod fetch;
mod snapshots;
pub mod status;
pub mod update;

pub use fetch::{Answer, Transport, TransportError};
pub use snapshots::{Attempts, DirectoryError};
