//! Reading Windows images on whatever system: registry hives, the versions of files, and what they say together.
//!
//! Only facts of a layer are kept: names, versions, numbers. No hive and no file of Windows is.

pub mod assemble;
pub mod extract;
pub mod hive;
pub mod paths;
pub mod registry;
pub mod version_resource;
