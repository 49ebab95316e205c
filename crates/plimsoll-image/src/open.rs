//! From a reference to the bytes of an image.

pub mod registry;
