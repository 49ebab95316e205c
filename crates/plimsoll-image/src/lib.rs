//! From a reference to an inventory: opens an image and catalogues its layers.
//!
//! [`open`] finds an image's manifest, config and layers wherever they are and verifies them; [`catalog`] has
//! each layer read once by [`layers`], which hands evidence to the [`catalogers`], and has [`merge`] join what
//! the layers state. [`inspect`] looks at an image in a registry more closely, for those who promote it, and
//! [`attached`] at what speaks of it.

pub mod attached;
pub mod cache;
pub mod catalog;
pub mod catalogers;
pub mod cause;
pub mod facts;
pub mod inspect;
pub mod layers;
pub mod limits;
pub mod merge;
pub mod open;
pub mod tar;
pub mod windows;
