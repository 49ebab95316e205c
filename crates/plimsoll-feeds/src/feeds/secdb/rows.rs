//! The rolling distributions: one file states all that there is.

use plimsoll_core::distros;

use super::read;
use crate::feeds::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source};

/// What all rows share.
const ROW: Feed = Feed {
    name: "",
    title: "",
    url: "",
    format: "JSON",
    licence: "public",
    terms: "",
    cadence_hours: 6,
    max_age_days: 7,
    covers: &[],
    gives: "fixed versions, and packages that never were affected",
    is_on_by_default: true,
    plan,
    parse,
};

/// Chainguard OS.
pub(in crate::feeds) static CHAINGUARD: Feed = Feed {
    name: "chainguard-secdb",
    title: "Chainguard Security Database",
    url: "https://packages.cgr.dev/chainguard/security.json",
    terms: "https://www.chainguard.dev/legal",
    covers: &[Covers::Distro(&distros::chainguard::DISTRO)],
    ..ROW
};

/// MinimOS.
pub(in crate::feeds) static MINIMOS: Feed = Feed {
    name: "minimos-secdb",
    title: "MinimOS Security Database",
    url: "https://packages.mini.dev/advisories/secdb/security.json",
    terms: "https://www.minimus.io",
    covers: &[Covers::Distro(&distros::minimos::DISTRO)],
    ..ROW
};

/// Wolfi.
pub(in crate::feeds) static WOLFI: Feed = Feed {
    name: "wolfi-secdb",
    title: "Wolfi Security Database",
    url: "https://packages.wolfi.dev/os/security.json",
    terms: "https://github.com/wolfi-dev/advisories",
    covers: &[Covers::Distro(&distros::wolfi::DISTRO)],
    ..ROW
};

fn plan(_: &Feed, _: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    Ok(vec![Part::new("security.json", "")])
}

fn parse(reading: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    for covers in reading.feed.covers {
        if let Covers::Distro(distro) = covers {
            read(&distro.namespace(""), page, source, sink)?;
        }
    }
    Ok(())
}

/// Chainguard has a page for each id of its own; the others are described by those who gave them.
fn page(id: &str) -> Option<String> {
    id.starts_with("CGA-").then(|| format!("https://images.chainguard.dev/security/{id}"))
}
