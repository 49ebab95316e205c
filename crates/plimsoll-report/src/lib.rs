//! From assessments to bytes.

pub mod formats;
