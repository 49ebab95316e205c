//! Waivers: who answers for which flaw, in which images, why, and until when.
//!
//! What surprises: a waiver that is valid for longer than the policy allows is an error when it is read, not one that is cut.

use std::path::Path;

use anyhow::{anyhow, bail};
use jiff::civil::Date;
use jiff::{Span, ToSpan as _};
use plimsoll_core::clearance::Held;
use serde::Deserialize;

use super::flaws::Flaw;
use super::{Day, Files, yaml};
use crate::access::pattern;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiver {
    id: String,
    #[serde(default)]
    package: Option<String>,
    images: Vec<String>,
    reason: String,
    owner: String,
    expires: Day,
}

/// The waivers of a policy.
#[derive(Debug, Default)]
pub(crate) struct Waivers {
    waivers: Vec<Waiver>,
    today: Date,
}

impl Waivers {
    /// Reads a file of waivers, which may not run longer than so many days from today.
    pub(crate) fn read(path: &Path, files: &Files, today: Date, days_max: u16) -> anyhow::Result<Waivers> {
        let file = path.display();
        let Some(bytes) = files.read(path)? else {
            bail!("there is no file `{file}`, which the policy names")
        };
        let waivers: Vec<Waiver> = yaml(&bytes).map_err(|error| anyhow!("`{file}`: {error}"))?;
        let days: Span = i64::from(days_max).days();
        let latest = today.checked_add(days)?;
        for waiver in &waivers {
            let id = &waiver.id;
            let empty = [("id", id), ("reason", &waiver.reason), ("owner", &waiver.owner)];
            if let Some((field, _)) = empty.iter().find(|(_, text)| text.trim().is_empty()) {
                bail!("`{file}`: the waiver of `{id}` has no `{field}`");
            }
            if waiver.images.is_empty() {
                bail!("`{file}`: the waiver of `{id}` names no images; write `images: [\"team/app\"]`");
            }
            if waiver.expires.0 > latest {
                bail!(
                    "`{file}`: the waiver of `{id}` runs until {}, longer than {days_max} days",
                    waiver.expires.0
                );
            }
        }
        Ok(Waivers { waivers, today })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.waivers.len()
    }

    /// What becomes of a flaw that is refused. Says which waiver was used, by its place.
    pub(crate) fn apply(&self, image: &str, flaw: &Flaw, held: Held) -> (Held, Option<usize>) {
        if !matches!(held, Held::Refused(_) | Held::Untold(_)) {
            return (held, None);
        }
        let is_it = |waiver: &Waiver| {
            flaw.is_called(&waiver.id)
                && waiver.package.as_ref().is_none_or(|package| *package == flaw.package)
                && waiver.images.iter().any(|pattern| pattern::matches(pattern, image))
        };
        let mut matching = self.waivers.iter().enumerate().filter(|(_, waiver)| is_it(waiver));
        let Some(first) = matching.next() else { return (held, None) };
        // Of several the one that runs longest.
        let (at, waiver) =
            matching.fold(first, |best, one| if one.1.expires.0 > best.1.expires.0 { one } else { best });
        if waiver.expires.0 < self.today {
            let why = format!("the waiver of {} ran out on {}", waiver.owner, waiver.expires.0);
            return (Held::Expired(why), Some(at));
        }
        let held = Held::Waived {
            owner: waiver.owner.clone(),
            reason: waiver.reason.clone(),
            expires: waiver.expires.0.to_string(),
        };
        (held, Some(at))
    }

    /// Those that are not among the used ones, for people.
    pub(crate) fn unused(&self, used: &std::collections::BTreeSet<usize>) -> Vec<String> {
        let unused = self.waivers.iter().enumerate().filter(|(at, _)| !used.contains(at));
        unused
            .map(|(_, waiver)| format!("`{}` of {} until {}", waiver.id, waiver.owner, waiver.expires.0))
            .collect()
    }
}
