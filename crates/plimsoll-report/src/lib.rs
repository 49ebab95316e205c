//! From assessments to bytes.
//!
//! [`formats`] is the list of ways to write a report, [`clearance`] that of ways to say what may ship. Everything else here is what several of them share:
//! how text from an image is made safe to look at, how links, licences and identities are written, and what
//! a report says first. Core types are never serialized: each JSON format has wire structs of its own.

pub mod clearance;
pub mod formats;
mod heading;
pub mod html;
mod identity;
mod licence;
pub mod link;
pub mod printable;
mod tally;
