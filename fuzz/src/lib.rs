//! What every fuzz target does with its bytes; `fuzz_targets/NAME.rs` only calls the function `NAME` here.
//!
//! A target fails by panicking, by taking longer than ten seconds, or by taking more memory than
//! `run.sh` allows. Where a format protects itself with sums, the target sets them right, since random bytes
//! would never get behind them. Inputs of targets with several rows or paths begin with a line of text that
//! names them, so that `seeds.sh` can write them without knowing an order.

mod bundle;
mod bytes;
mod catalogers;
mod database;
mod feeds;
mod files;
mod hooks;
mod layers;
mod merge;
mod mirror;
mod place;
mod rpm;
mod text;
mod trust;
mod windows;

pub use bundle::bundle;
pub use catalogers::{catalogers, executable, java_archive};
pub use database::advisory_database;
pub use feeds::{feed_osv_record, feeds};
pub use hooks::hooks;
pub use layers::{image_documents, layer, tar};
pub use merge::merge;
pub use mirror::mirror;
pub use rpm::{rpm_bdb, rpm_header, rpm_ndb, rpm_sqlite};
pub use text::{registry, report_text, schemes};
pub use trust::{cosign_object, evidence_bundle, gcb_file, statement};
pub use windows::hive;
