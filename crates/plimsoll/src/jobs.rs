//! Scans as work: taking them in, doing them, and saying where they stand.
//!
//! `submission` decides what may be asked for and what the store keeps of it; `workers` claim scans; one `attempt` at
//! one scan is a function from what was claimed to an outcome, while a `pulse` keeps its lease; `judging` turns an
//! inventory into what is noted of it; `status` says where a scan stands, also one of an index.

pub(crate) mod attempt;
pub(crate) mod hand;
pub(crate) mod hearings;
pub(crate) mod judging;
mod pulse;
pub(crate) mod source;
pub(crate) mod status;
pub(crate) mod submission;
pub(crate) mod workers;
