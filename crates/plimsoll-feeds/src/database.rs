//! The advisory database: one immutable file of our own format, built aside, mapped, replaced by rename.
//!
//! [`Builder`] takes what the feeds state and writes the file; [`Database`] opens it in microseconds and
//! answers from the mapped bytes. [`diff()`] compares two, [`export_sqlite`] writes one out for people who
//! want to query it. `format.rs` says what each byte means.
//!
//! Opening checks the frame of the file, not its content: that is [`Database::verify`]'s part, done when a
//! file is built or arrives. Lookups bear any content all the same; what does not make sense is a
//! [`LookupError`](plimsoll_core::advisory::LookupError).

mod bodies;
mod build;
mod diff;
mod format;
mod intern;
mod map;
mod names;
mod open;
mod rows;
mod sqlite;
mod verify;
mod write;

pub use build::{Builder, DESCRIPTION_CHARS_MAX, FeedSink};
pub use diff::{AdvisoryName, Diff, diff, packages_rated_anew};
pub use names::Names;
pub use open::{Database, OpenError};
pub use sqlite::{ExportError, export_sqlite};
pub use write::{BuildError, Built};
pub(crate) use write::{beside, sync_directory};
