//! From a reference to an inventory: opens an image and catalogues its layers.

pub mod catalogers;
pub mod open;
