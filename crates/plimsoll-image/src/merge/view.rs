//! How the paths of layers are seen: as they are, or as Windows sees them.
//!
//! For Windows they are lower-cased, so that what one layer calls `Files/Windows/system32` is what another calls
//! `files/WINDOWS/System32`; what is shown is the spelling of the top-most layer, below `C:\` where it is there.

use std::borrow::Cow;

use plimsoll_core::ecosystems::{self, Ecosystem};
use plimsoll_core::gap::{Gap, GapKind};
use plimsoll_core::image::Image;

use super::LayerInput;
use crate::catalogers::FoundPackage;
use crate::facts::{FileFacts, LayerFacts, ParentLink, PathMark};
use crate::windows::paths;

/// A directory that every Windows has.
const SYSTEM_DIRECTORY: &str = "files/windows/system32";

/// How the paths of layers are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// As they are.
    Exact,
    /// As Windows sees them.
    Windows,
}

impl View {
    /// What the image says of itself; or else what its layers show.
    pub(super) fn of(layers: &[LayerInput<'_>], image: Option<&Image>) -> View {
        let stated = image.and_then(|image| image.platform.is_windows());
        let is_windows = stated.unwrap_or_else(|| layers.iter().any(|(_, facts)| is_of_windows(facts)));
        if is_windows { View::Windows } else { View::Exact }
    }

    /// A layer's path as the one that all layers have for the same file.
    pub(super) fn key(self, path: &str) -> Cow<'_, str> {
        let is_lower = || !path.bytes().any(|byte| byte.is_ascii_uppercase());
        match self {
            View::Windows if !is_lower() => Cow::Owned(path.to_ascii_lowercase()),
            _ => Cow::Borrowed(path),
        }
    }

    /// The marks of the directories above a key and, last, its own.
    pub(super) fn marks(self, key: &str) -> Vec<PathMark> {
        match self {
            View::Windows if paths::is_of_windows_layer(key) => PathMark::folded_with_ancestors(key),
            _ => PathMark::with_ancestors(key),
        }
    }

    /// The mark of a layer's path.
    pub(super) fn mark(self, path: &str) -> PathMark {
        match self {
            View::Windows if paths::is_of_windows_layer(path) => PathMark::folded(path),
            _ => PathMark::of(path),
        }
    }

    /// A layer's path as it is in the image.
    pub(super) fn shown(self, path: &str) -> &str {
        match self {
            View::Windows => paths::below_drive(path).unwrap_or(path),
            View::Exact => path,
        }
    }

    /// The files of a layer that count.
    pub(super) fn files(self, facts: &LayerFacts) -> impl Iterator<Item = &FileFacts> {
        let more = if self == View::Windows { facts.windows.files.as_slice() } else { &[] };
        facts.files.iter().chain(more)
    }

    /// Whether a link counts.
    pub(super) fn has_link(self, link: &ParentLink) -> bool {
        self == View::Windows || !link.is_of_windows
    }

    /// Whether packages of a kind can be installed in such an image: Windows has no packages of distributions.
    pub(super) fn has_packages_of(self, ecosystem: &'static Ecosystem) -> bool {
        self == View::Exact || !ecosystem.is_os || std::ptr::eq(ecosystem, &ecosystems::WINDOWS)
    }

    /// What a package database says that is of another system.
    pub(super) fn foreign_packages(self, path: &str, packages: &[FoundPackage]) -> Option<Gap> {
        let foreign = packages.iter().find(|found| !self.has_packages_of(found.ecosystem))?;
        let detail = format!(
            "it states packages of a distribution (`{}`), and the image is one of Windows, so they were not judged",
            foreign.ecosystem.name
        );
        Some(Gap::new(GapKind::EvidenceUnreadable, format!("/{}", self.shown(path)), detail))
    }
}

fn is_of_windows(facts: &LayerFacts) -> bool {
    View::Windows.files(facts).any(|file| file.found.hive.is_some())
        || facts.paths.has(PathMark::folded(SYSTEM_DIRECTORY))
}
