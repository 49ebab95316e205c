//! Which versions of a package are affected, from the builds that have the fix in one stream or another.
//!
//! A minor release of Red Hat Enterprise Linux is a stream: builds for it say so in their release, `17.el9_2` or
//! `111.module+el8.9.0+..`, and fixes are carried back to streams that are still kept. So the versions with the fix are
//! no interval: `17.el9_2` has it and `24.el9`, which is higher, has not. What is stated here is
//! - affected: everything below the highest fix of the main stream, cut at the lower ones, so that the fix that is told
//!   is the next one;
//! - except the later builds of every stream with a lower fix: those of its tag, from the fix on.
//!
//! The tag stands in the middle of the release, so that the builds of a tag are no interval either. They are where a
//! stream goes on counting after the tag (`23.el9_2.4`) or before it (`284.30.1.el9_2`). Where it counts in the place
//! of the package's own number (`17.el9_2`, `18.el9_2`), each of the next numbers gets an interval.

use std::collections::BTreeMap;

use plimsoll_core::advisory::{Range, RangeEnd};
use plimsoll_core::schemes;

/// How many numbers after a stream's fix are taken as its own where no fix of a later stream says how far they can go.
const NUMBERS_MAX: u64 = 6;

/// The same where one does.
const NUMBERS_TO_NEXT_MAX: u64 = 12;

/// The builds with the fix, by what they are ordered by: the main stream's and those of others.
#[derive(Debug, Default)]
pub(super) struct Fixes {
    main: BTreeMap<Vec<u8>, String>,
    extended: BTreeMap<Vec<u8>, Extended>,
}

#[derive(Debug)]
struct Extended {
    version: String,
    /// Whether no stream comes after this one.
    is_last: bool,
}

/// Which versions are affected and which are not, although they lie among those.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) affected: Vec<Range>,
    pub(super) excepted: Vec<Range>,
}

impl Fixes {
    /// Notes a build with the fix: `[epoch:]version-release`.
    pub(super) fn note(&mut self, version: String, is_main: bool, is_last: bool) -> Result<(), &'static str> {
        let key =
            (schemes::rpm::SCHEME.key)(&version).map_err(|_| "the version of a fix is no rpm version")?;
        if is_main {
            self.main.insert(key, version);
        } else {
            self.extended.insert(key, Extended { version, is_last });
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.main.is_empty() && self.extended.is_empty()
    }

    pub(super) fn has_main(&self) -> bool {
        !self.main.is_empty()
    }

    /// What the fixes say, where the main stream has one or nothing is said of it. Of a flaw that is fixed in other
    /// streams alone their fixes are all there is.
    pub(super) fn versions(&self) -> Versions {
        let own: Vec<(&Vec<u8>, &str)> = if self.main.is_empty() {
            self.extended.iter().map(|(key, one)| (key, one.version.as_str())).collect()
        } else {
            self.main.iter().map(|(key, version)| (key, version.as_str())).collect()
        };
        let mut versions = Versions::default();
        let mut low = None;
        for (_, version) in &own {
            versions.affected.push(Range { introduced: low, end: RangeEnd::Fixed((*version).to_owned()) });
            low = Some((*version).to_owned());
        }
        versions.excepted = self.excepted(own.last().map(|(key, _)| key.as_slice()));
        versions
    }

    /// What the fixes of other streams say where the main stream has none.
    pub(super) fn versions_without_end(&self) -> Versions {
        let affected = vec![Range { introduced: None, end: RangeEnd::Open }];
        Versions { affected, excepted: self.excepted(None) }
    }

    /// Later builds of the streams whose fix lies below `top`.
    fn excepted(&self, top: Option<&[u8]>) -> Vec<Range> {
        let is_below = |key: &[u8]| top.is_none_or(|top| key < top);
        let mut all: BTreeMap<&[u8], (&str, bool)> = BTreeMap::new();
        all.extend(
            self.extended.iter().map(|(key, one)| (key.as_slice(), (one.version.as_str(), one.is_last))),
        );
        all.extend(self.main.iter().map(|(key, version)| (key.as_slice(), (version.as_str(), false))));
        let mut builds = all.iter().peekable();
        let mut excepted = Vec::new();
        while let Some((key, (version, is_last))) = builds.next() {
            if !is_below(key) {
                break;
            }
            let next = builds.peek().map(|(_, (version, _))| *version);
            excepted.extend(later_builds(version, next, *is_last));
        }
        excepted.retain(|range| {
            let low = range.introduced.as_deref().and_then(|low| (schemes::rpm::SCHEME.key)(low).ok());
            low.is_some_and(|low| is_below(&low))
        });
        excepted
    }
}

/// The builds of a stream from one on. `next` is the next higher fix, of a later stream.
fn later_builds(version: &str, next: Option<&str>, is_last: bool) -> Vec<Range> {
    let range = |low: &str, high: String| Range {
        introduced: Some(low.to_owned()),
        end: if high.is_empty() { RangeEnd::Open } else { RangeEnd::Before(high) },
    };
    if is_last {
        return vec![range(version, String::new())];
    }
    let Some(build) = Build::of(version) else {
        // Nothing tells the later builds of the stream from those of others.
        return vec![range(version, format!("{version}.0"))];
    };
    let Build { upstream, number, .. } = build;
    if let Some(first) = build.first_of_several() {
        return vec![range(version, format!("{upstream}-{}", first + 1))];
    }
    let mut ranges = vec![range(version, build.with(number, build.minor + 1))];
    let Some((before, last)) = build.counted() else { return ranges };
    let next = next.and_then(Build::of).filter(|next| next.upstream == upstream);
    let next = next.and_then(|next| Some(next.counted()?.1));
    let end = match next {
        Some(next) => next.min(last + NUMBERS_TO_NEXT_MAX),
        None => last + NUMBERS_MAX,
    };
    for later in last + 1..=end {
        let number = format!("{before}{later}");
        ranges.push(range(&build.with(&number, build.minor), build.with(&number, build.minor + 1)));
    }
    ranges
}

/// A build that names its minor release: `1:3.0.7` `17` `.el9_` `2` ``.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Build<'v> {
    /// Epoch and version.
    upstream: &'v str,
    /// The release up to the tag.
    number: &'v str,
    /// What stands between number and minor release.
    tag: &'v str,
    minor: u64,
    /// What stands after the tag.
    rest: &'v str,
}

impl<'v> Build<'v> {
    fn of(version: &'v str) -> Option<Build<'v>> {
        let (upstream, release) = version.rsplit_once('-')?;
        let (at, between) = match release.find(".module+el") {
            Some(at) => (at, (".module+el", '.')),
            None => (release.find(".el")?, (".el", '_')),
        };
        let (number, rest) = release.split_at(at);
        let (start, separator) = between;
        let (major, after) = rest.get(start.len()..)?.split_once(separator)?;
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let (minor, after) = after.split_at(digits);
        if major.is_empty() || !major.bytes().all(|b| b.is_ascii_digit()) || number.is_empty() {
            return None;
        }
        let tag = rest.get(..start.len() + major.len() + 1)?;
        Some(Build { upstream, number, tag, minor: minor.parse().ok().filter(|m| *m < 1000)?, rest: after })
    }

    /// The lowest build of a minor release with a number.
    fn with(&self, number: &str, minor: u64) -> String {
        format!("{}-{number}{}{minor}", self.upstream, self.tag)
    }

    /// Whether the stream goes on counting after its tag. Builds of a module have other things there.
    fn counts_after_tag(&self) -> bool {
        !self.rest.is_empty() && !self.tag.starts_with(".module")
    }

    /// The first of several numbers before the tag, where the stream goes on counting with the later ones. A 0 there is
    /// that of a version before the first, and says nothing.
    fn first_of_several(&self) -> Option<u64> {
        let is_number =
            |text: &str| !text.is_empty() && text.len() < 9 && text.bytes().all(|b| b.is_ascii_digit());
        let (first, _) = self.number.split_once('.')?;
        let are_numbers = self.number.split('.').all(is_number) && !self.counts_after_tag();
        first.parse().ok().filter(|first| are_numbers && *first > 0)
    }

    /// What the stream goes on counting with, if it counts in the package's own number: what stands before the last
    /// number of it, and that.
    fn counted(&self) -> Option<(&'v str, u64)> {
        if self.counts_after_tag() {
            return None;
        }
        let start = self.number.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
        let (before, last) = self.number.split_at(start);
        Some((before, last.parse().ok().filter(|last| *last < 1_000_000)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether versions are affected, `!` before those that are not.
    #[track_caller]
    fn check(main: &[&str], extended: &[&str], is_open: bool, installed: &str) {
        let mut fixes = Fixes::default();
        for version in main {
            fixes.note((*version).to_owned(), true, false).unwrap();
        }
        for version in extended {
            let (version, is_last) =
                version.strip_suffix('$').map_or((*version, false), |version| (version, true));
            fixes.note(version.to_owned(), false, is_last).unwrap();
        }
        let versions = if is_open { fixes.versions_without_end() } else { fixes.versions() };
        let key = |version: &str| (schemes::rpm::SCHEME.key)(version).unwrap();
        for one in installed.split_whitespace() {
            let (version, expected) = one.strip_prefix('!').map_or((one, true), |version| (version, false));
            let is_in = |range: &Range| {
                let low = range.introduced.as_deref().map(key).unwrap_or_default();
                let is_below = match &range.end {
                    RangeEnd::Fixed(end) | RangeEnd::Before(end) => key(version) < key(end),
                    _ => true,
                };
                low <= key(version) && is_below
            };
            let is_affected = versions.affected.iter().any(is_in) && !versions.excepted.iter().any(is_in);
            assert_eq!(is_affected, expected, "{version}: {versions:?}");
        }
    }

    #[test]
    fn a_stream_counts_after_its_tag() {
        // CVE-2023-38545 in curl: fixes of 9.0 (extended), 9.2 and 9.3.
        check(
            &["7.76.1-23.el9_2.4", "7.76.1-26.el9_3.2"],
            &["7.76.1-14.el9_0.9"],
            false,
            "7.76.1-14.el9 7.76.1-14.el9_0.8 !7.76.1-14.el9_0.9 !7.76.1-14.el9_0.11 7.76.1-14.el9_1.1 7.76.1-19.el9_1 \
             7.76.1-23.el9 7.76.1-23.el9_2.1 !7.76.1-23.el9_2.4 !7.76.1-23.el9_2.10 7.76.1-24.el9 7.76.1-26.el9 \
             7.76.1-26.el9_3.1 !7.76.1-26.el9_3.2 !7.76.1-29.el9_4 !7.76.1-31.el9",
        );
    }

    #[test]
    fn a_stream_counts_before_its_tag() {
        check(
            &["5.14.0-362.8.1.el9_3"],
            &["5.14.0-70.80.1.el9_0", "5.14.0-284.30.1.el9_2"],
            false,
            "5.14.0-70.79.1.el9_0 !5.14.0-70.80.1.el9_0 !5.14.0-70.101.1.el9_0 5.14.0-162.6.1.el9_1 \
             5.14.0-284.25.1.el9_2 !5.14.0-284.30.1.el9_2 !5.14.0-284.99.1.el9_2 5.14.0-362.el9 \
             !5.14.0-362.8.1.el9_3 !5.14.0-427.el9",
        );
    }

    #[test]
    fn a_dot_in_the_packages_own_number_is_no_count_of_a_stream() {
        check(
            &["1.2-9.el9"],
            &["1.2-2.1.el9_2.3", "1.2-3.git12.el9_2"],
            false,
            "1.2-2.1.el9_2.2 !1.2-2.1.el9_2.3 !1.2-2.1.el9_2.10 1.2-2.1.el9_3 1.2-2.2.el9 !1.2-3.git12.el9_2 \
             !1.2-3.git13.el9_2 1.2-3.git12.el9_3 1.2-4.el9 !1.2-9.el9",
        );
    }

    #[test]
    fn a_stream_counts_in_the_packages_own_number() {
        check(
            &["1:3.0.7-25.el9_3"],
            &["1:3.0.7-17.el9_2"],
            false,
            "1:3.0.7-16.el9_2 !1:3.0.7-17.el9_2 !1:3.0.7-18.el9_2 !1:3.0.7-18.el9_2.1 1:3.0.7-18.el9 1:3.0.7-18.el9_3 \
             1:3.0.7-24.el9 !1:3.0.7-25.el9_3 !1:3.0.7-27.el9",
        );
    }

    #[test]
    fn what_is_not_fixed_in_the_main_stream_is_fixed_in_others() {
        check(
            &[],
            &["1.2-3.el8_6.1"],
            true,
            "1.2-3.el8 !1.2-3.el8_6.1 !1.2-3.el8_6.2 1.2-3.el8_7 1.2-4.el8 9-1.el8",
        );
        // Nothing comes after the last stream of all.
        check(
            &[],
            &["32:9.8.2-0.68.rc1.el6_10.17$"],
            true,
            "32:9.8.2-0.68.rc1.el6_10.16 !32:9.8.2-0.68.rc1.el6_10.17 !32:9.9-1.el6",
        );
    }

    #[test]
    fn other_streams_stand_for_a_main_one_of_which_nothing_is_said() {
        check(
            &[],
            &["1.2-3.el9_0.1", "1.2-8.el9_2.1"],
            false,
            "1.2-3.el9 !1.2-3.el9_0.1 !1.2-3.el9_0.5 1.2-8.el9 !1.2-8.el9_2.1 !1.2-9.el9",
        );
    }

    #[test]
    fn builds_of_modules_have_their_release_after_a_plus() {
        check(
            &["2.5.9-111.module+el8.9.0+19193+435404ae"],
            &["2.5.5-106.module+el8.2.0+10000+00000000", "2.5.9-107.module+el8.4.0+12000+ffffffff"],
            false,
            "2.5.5-105.module+el8.2.0+3847+4ff5d2a7 !2.5.5-106.module+el8.2.0+10000+00000000 \
             !2.5.5-107.module+el8.2.0+20000+00000000 2.5.9-107.module+el8.3.0+1+1 \
             !2.5.9-107.module+el8.4.0+12000+ffffffff !2.5.9-108.module+el8.4.0+12345+ffffffff \
             2.5.9-110.module+el8.6.0+15956+aa803fc1 !2.5.9-111.module+el8.10.0+1+1",
        );
    }

    #[test]
    fn a_build_without_a_minor_release_excepts_itself_alone() {
        check(
            &["1.2-10.el9", "1.2-12.el9_4.1"],
            &[],
            false,
            "1.2-9.el9 !1.2-10.el9 1.2-11.el9 1.2-12.el9_4 !1.2-12.el9_4.1",
        );
    }
}
