//! From a reference to an inventory: opens an image and catalogues its layers.
//!
//! [`open`] finds an image's manifest, config and layers wherever they are and verifies them; [`layers`] reads
//! each layer once and hands evidence to the [`catalogers`]; [`merge`] joins what the layers state.

pub mod catalogers;
pub mod facts;
pub mod layers;
pub mod limits;
pub mod merge;
pub mod tar;
