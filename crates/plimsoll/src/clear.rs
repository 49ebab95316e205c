//! May these digests ship: reads what is asked, looks at it in its registries, and has the core judge.
//!
//! The command line is in `cli/clear.rs`; what it writes is in `plimsoll-report`.

pub(crate) mod audit;
pub(crate) mod candidates;
pub(crate) mod clearing;
pub(crate) mod evidence;
pub(crate) mod files;
pub(crate) mod judging;
mod lists;
pub(crate) mod manifests;
pub(crate) mod observe;
pub(crate) mod policy;
mod predecessor;
pub(crate) mod promote;
pub(crate) mod summaries;
