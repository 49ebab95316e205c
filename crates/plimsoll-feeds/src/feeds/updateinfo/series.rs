//! How far down a repository's statements reach, where several repositories of a release have one package.
//!
//! Amazon Linux 2 has `php` in its core repository (5.4) and in a repository for each newer series, and nothing
//! says of an installed package which one it is from. A fix in 8.0 says nothing of 5.4 and must not be held
//! against it, so the statements of a repository begin where the series below it ends: that is the highest version
//! that any *other* repository has below the oldest version of this one, and a series is a first and a second
//! number. `php` 8.0.25 with 7.4.30 below it begins at 7.5, `kernel` 5.10.50 with 5.4.181 below it at 5.5, and
//! what has nothing below it begins at the beginning.
//!
//! Where two repositories have the same series (`containerd`, for Docker and for ECS) they have the same builds,
//! and nothing is cut off: of what cannot be told apart, what one calls affected is affected. Likewise where a
//! repository that moves on from series to series (`golang` in core) has passed another that does not: its fixes
//! are an update for those packages as well.
//!
//! What is not known here: a repository that has a package and never had an update of it. Another's statements
//! about that package reach down to it.

use std::collections::{BTreeMap, HashMap};

use plimsoll_core::ecosystems;

use crate::feeds::ParseError;

/// Most versions of packages of one release, of which Amazon Linux 2 has some 150,000 by estimate.
const VERSIONS_MAX: usize = 1_000_000;

/// Versions that have a fix, by sort key.
type Versions = BTreeMap<Vec<u8>, String>;

/// The versions of all repositories of a release.
#[derive(Default)]
pub(super) struct Survey {
    /// Package, then number of the repository.
    packages: HashMap<String, BTreeMap<usize, Versions>>,
    versions: usize,
}

impl Survey {
    /// Notes a version of a package in a repository. One that does not follow the scheme says nothing here.
    pub(super) fn note(&mut self, repository: usize, package: &str, version: &str) -> Result<(), ParseError> {
        let Ok(key) = (ecosystems::RPM.scheme.key)(version) else { return Ok(()) };
        if !self.packages.contains_key(package) {
            self.packages.insert(package.to_owned(), BTreeMap::new());
        }
        let Some(repositories) = self.packages.get_mut(package) else { return Ok(()) };
        if repositories.entry(repository).or_default().insert(key, version.to_owned()).is_none() {
            self.versions += 1;
        }
        if self.versions > VERSIONS_MAX {
            return Err(ParseError(format!("a release has more than {VERSIONS_MAX} versions of packages")));
        }
        Ok(())
    }

    /// Where the statements of each repository begin.
    pub(super) fn bounds(self) -> Bounds {
        let shared = self.packages.into_iter().filter(|(_, repositories)| repositories.len() > 1);
        let bounds = shared.flat_map(|(package, repositories)| {
            let begins = repositories.keys().filter_map(|repository| {
                Some(((*repository, package.clone()), beginning(&repositories, *repository)?))
            });
            begins.collect::<Vec<_>>()
        });
        Bounds(bounds.collect())
    }
}

/// Where the statements of repositories begin; only what does not begin at the beginning is in it.
#[derive(Default)]
pub(super) struct Bounds(HashMap<(usize, String), String>);

impl Bounds {
    /// Where the statements of a repository about a package begin.
    pub(super) fn of(&self, repository: usize, package: &str) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&(repository, package.to_owned())).cloned()
    }
}

fn beginning(repositories: &BTreeMap<usize, Versions>, own: usize) -> Option<String> {
    let (oldest, _) = repositories.get(&own)?.first_key_value()?;
    let others = repositories.iter().filter(|(repository, _)| **repository != own);
    let below = others.filter_map(|(_, versions)| versions.range::<Vec<u8>, _>(..oldest).next_back());
    let (_, highest) = below.max()?;
    let beginning = end_of_series(highest)?;
    let key = (ecosystems::RPM.scheme.key)(&beginning).ok()?;
    (key <= *oldest).then_some(beginning)
}

/// The first version after the series of a version: `1:5.5` of `1:5.4.181-99.amzn2`.
fn end_of_series(version: &str) -> Option<String> {
    let (epoch, rest) = version.split_once(':').map_or(("", version), |(epoch, rest)| (epoch, rest));
    let (version, _release) = rest.rsplit_once('-')?;
    let mut parts = version.split('.').map(leading_number);
    let (first, second) = (parts.next()??, parts.next().flatten());
    let end = match second {
        Some(second) => format!("{first}.{}", second.checked_add(1)?),
        None => first.checked_add(1)?.to_string(),
    };
    Some(if epoch.is_empty() { end } else { format!("{epoch}:{end}") })
}

fn leading_number(part: &str) -> Option<u64> {
    let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
    part.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Versions of repositories, separated by `|`, and where each begins.
    #[track_caller]
    fn check(repositories: &str, expected: &[&str]) {
        let mut survey = Survey::default();
        for (repository, versions) in repositories.split('|').enumerate() {
            for version in versions.split_whitespace() {
                survey.note(repository, "package", version).unwrap();
            }
        }
        let bounds = survey.bounds();
        let begins: Vec<String> = (0..expected.len())
            .map(|repository| bounds.of(repository, "package").unwrap_or_default())
            .collect();
        assert_eq!(begins, expected, "{repositories}");
    }

    #[test]
    fn a_series_begins_where_the_one_below_ends() {
        check("5.4.16-46.amzn2 | 8.0.25-1 8.0.30-1 | 7.4.28-1 7.4.30-1", &["", "7.5", "5.5"]);
        check("4.14.26-54 4.14.350-266 | 5.4.50-25 5.4.181-99 | 5.10.35-31", &["", "4.15", "5.5"]);
        check("1.12.2-1 | 1.20.0-2 1.22.1-1", &["", "1.13"]);
        check("9.2.24-6 | 11.5-1 11.22-1 | 14.3-1", &["", "9.3", "11.23"]);
        check("1:1.0.2k-19 | 1:1.1.1c-2", &["", "1:1.1"]);
        check("250-1 | 252-1", &["", "251"]);
    }

    #[test]
    fn one_series_in_two_repositories_is_not_divided() {
        check("1.4.6-2 1.6.8-1 | 1.4.6-3 1.6.8-2", &["", ""]);
        check("2.0-1 | 2.0-1", &["", ""]);
        check("2.0.9-1 | 2.0.1-1", &["", ""]);
    }

    #[test]
    fn a_repository_that_moves_on_is_cut_off_nowhere() {
        check("1.13.4-1 1.18.9-1 1.20.8-1 | 1.19.10-1 1.19.13-1", &["", "1.19"]);
    }

    #[test]
    fn what_cannot_be_read_divides_nothing() {
        check("x:y-1 | 2.0-1", &["", ""]);
        check("abc-1 | 2.0-1", &["", ""]);
    }
}
