//! What tests are made of: Windows images and their parts, and signed evidence, written from nothing.
//!
//! Nothing of Microsoft's may be in a test. Hives, layers, programs, configs and manifests are therefore made here, by what
//! is documented of their formats. Nor can a test have keys of Sigstore's public instance, so [`pki`] is one of our own. Nothing that is shipped depends on this crate.

pub mod hive;
pub mod image;
pub mod layer;
pub mod pe;
pub mod pki;
