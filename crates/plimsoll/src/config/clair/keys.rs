//! Clair's names and what has their place here: the one table of both.

/// A set of Clair's updaters.
pub(super) struct Set {
    /// Its name in `updaters.sets`.
    pub(super) name: &'static str,
    /// The feeds that have its data; empty for those of OSV that are of languages.
    pub(super) feeds: &'static [&'static str],
    /// The set that took the place of one that is gone.
    pub(super) gone: Option<&'static str>,
}

const RED_HAT: &[&str] = &["redhat-vex", "redhat-repositories"];

/// Clair's sets, sorted by name. What it could not read (EPSS, KEV, further distributions) is in none.
pub(super) const SETS: &[Set] = &[
    Set { name: "alpine", feeds: &["alpine-secdb", "alpine-rejections"], gone: None },
    Set { name: "aws", feeds: &["amazon-updateinfo", "amazon1-updateinfo"], gone: None },
    Set { name: "clair.cvss", feeds: &["nvd"], gone: None },
    Set { name: "debian", feeds: &["debian-tracker"], gone: None },
    Set { name: "oracle", feeds: &["oracle-oval"], gone: None },
    Set { name: "osv", feeds: &[], gone: None },
    Set { name: "photon", feeds: &["photon-cve"], gone: None },
    Set { name: "rhcc", feeds: RED_HAT, gone: Some("rhel-vex") },
    Set { name: "rhel", feeds: RED_HAT, gone: Some("rhel-vex") },
    Set { name: "rhel-vex", feeds: RED_HAT, gone: None },
    Set { name: "suse", feeds: &["suse-oval"], gone: None },
    Set { name: "ubuntu", feeds: &["ubuntu-osv"], gone: None },
];

/// A key that says something of a feed.
pub(super) struct Key {
    /// Path from the top, its names parted by spaces. A name may have one `*`, which stands for any text.
    pub(super) path: &'static str,
    /// The feed, or `osv-*`.
    pub(super) feed: &'static str,
    pub(super) meaning: Meaning,
}

/// What a key means here.
pub(super) enum Meaning {
    /// The feed's URL, with the same files below it. The text says what else the mirror needs, if anything.
    Url(&'static str),
    /// The same as the path of a file.
    File,
    /// The URL of one zip of OSV's, two folders below the feed's URL.
    Zip,
    /// Time for one file.
    Timeout,
    /// A URL of files that the feed does not read.
    Elsewhere,
    /// A switch that turns the feed off.
    Off,
    /// The URL of one file of several.
    OneFile,
    /// Nothing, and why.
    Nothing(&'static str),
}

impl Key {
    /// Whether it stands at this path.
    pub(super) fn is_at(&self, path: &[&str]) -> bool {
        let names = self.path.split(' ');
        names.clone().count() == path.len() && names.zip(path).all(|(wanted, name)| is_match(wanted, name))
    }
}

fn is_match(wanted: &str, name: &str) -> bool {
    match wanted.split_once('*') {
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
        None => wanted == name,
    }
}

const REFUSED: Meaning = Meaning::Nothing("has no meaning here, and Clair no longer starts with it");
const COMPRESSION: Meaning =
    Meaning::Nothing("has no meaning here: what a file is compressed with is told by its first bytes");
const RELEASES: Meaning =
    Meaning::Nothing("has no meaning here: the releases are known without asking anybody for a list");

const NO_NAMES: Meaning =
    Meaning::Nothing("has no meaning here: Red Hat's images are known by their packages and repositories");

/// The keys. The first that stands at a path counts.
pub(super) const KEYS: &[Key] = &[
    Key { path: "matcher disable_enrichment", feed: "nvd", meaning: Meaning::Off },
    Key { path: "updaters config alpine url", feed: "alpine-secdb", meaning: Meaning::Url("") },
    Key { path: "updaters config alpine-* url", feed: "alpine-secdb", meaning: Meaning::OneFile },
    Key { path: "updaters config clair.cvss feed_root", feed: "nvd", meaning: Meaning::Url("") },
    Key { path: "updaters config clair.epss url", feed: "epss", meaning: Meaning::Url("") },
    Key { path: "updaters config clair.kev feed", feed: "kev", meaning: Meaning::Url("") },
    Key { path: "updaters config clair.kev feed_root", feed: "kev", meaning: Meaning::Url("") },
    Key { path: "updaters config debian archive_url", feed: "debian-tracker", meaning: REFUSED },
    Key { path: "updaters config debian json_url", feed: "debian-tracker", meaning: Meaning::Url("") },
    Key { path: "updaters config debian mirror_url", feed: "debian-tracker", meaning: RELEASES },
    Key { path: "updaters config debian oval_url", feed: "debian-tracker", meaning: REFUSED },
    Key {
        path: "updaters config debian/updater json_url",
        feed: "debian-tracker",
        meaning: Meaning::Url(""),
    },
    Key { path: "updaters config oracle-* compression", feed: "oracle-oval", meaning: COMPRESSION },
    Key { path: "updaters config oracle-* url", feed: "oracle-oval", meaning: Meaning::Elsewhere },
    Key {
        path: "updaters config osv url",
        feed: "osv-*",
        meaning: Meaning::Url(
            "the mirror needs the zips of distributions as well, which Clair passes over, such as `AlmaLinux/all.zip`; `plimsoll feeds list` shows which feeds are on",
        ),
    },
    Key { path: "updaters config osv/* url", feed: "osv-*", meaning: Meaning::Zip },
    Key { path: "updaters config photon compression", feed: "photon-cve", meaning: COMPRESSION },
    Key { path: "updaters config photon url", feed: "photon-cve", meaning: Meaning::Elsewhere },
    Key { path: "updaters config photon-* compression", feed: "photon-cve", meaning: COMPRESSION },
    Key { path: "updaters config photon-* url", feed: "photon-cve", meaning: Meaning::Elsewhere },
    Key { path: "updaters config rhcc url", feed: "redhat-vex", meaning: Meaning::Elsewhere },
    Key { path: "updaters config rhel url", feed: "redhat-vex", meaning: Meaning::Elsewhere },
    Key {
        path: "updaters config rhel-vex compressed_file_timeout",
        feed: "redhat-vex",
        meaning: Meaning::Timeout,
    },
    Key { path: "updaters config rhel-vex url", feed: "redhat-vex", meaning: Meaning::Url("") },
    Key {
        path: "updaters config suse url",
        feed: "suse-oval",
        meaning: Meaning::Url(
            "the mirror needs the files that end in `-affected.xml.gz` as well, which Clair does not read",
        ),
    },
    Key { path: "updaters config suse-* compression", feed: "suse-oval", meaning: COMPRESSION },
    Key { path: "updaters config suse-* url", feed: "suse-oval", meaning: Meaning::OneFile },
    Key { path: "updaters config ubuntu force", feed: "ubuntu-osv", meaning: RELEASES },
    Key { path: "updaters config ubuntu name", feed: "ubuntu-osv", meaning: RELEASES },
    Key { path: "updaters config ubuntu url", feed: "ubuntu-osv", meaning: Meaning::Elsewhere },
    Key { path: "updaters config ubuntu/* url", feed: "ubuntu-osv", meaning: Meaning::Elsewhere },
    Key { path: "updaters config ubuntu/* use_bzip2", feed: "ubuntu-osv", meaning: COMPRESSION },
    Key {
        path: "indexer scanner repo rhel-repository-scanner repo2cpe_mapping_url",
        feed: "redhat-repositories",
        meaning: Meaning::Url(""),
    },
    Key {
        path: "indexer scanner repo rhel-repository-scanner repo2cpe_mapping_file",
        feed: "redhat-repositories",
        meaning: Meaning::File,
    },
    Key {
        path: "indexer scanner package rhel_containerscanner name2repos_mapping_url",
        feed: "redhat-vex",
        meaning: NO_NAMES,
    },
    Key {
        path: "indexer scanner package rhel_containerscanner name2repos_mapping_file",
        feed: "redhat-vex",
        meaning: NO_NAMES,
    },
];

/// What is said of keys that have no counterpart.
pub(super) struct Note {
    /// How their paths begin, names parted by spaces.
    pub(super) path: &'static str,
    pub(super) text: &'static str,
}

impl Note {
    /// Whether it is meant for this path.
    pub(super) fn is_for(&self, path: &[&str]) -> bool {
        self.path.split(' ').eq(path.iter().copied().take(self.path.split(' ').count()))
    }
}

/// What is said of other keys that begin so.
pub(super) const NOTES: &[Note] = &[
    Note {
        path: "notifier webhook target",
        text: "has no meaning here: it is told of images. `[warnings.webhook]` is told of feeds that are late; set its `url` by hand if they should go there",
    },
    Note { path: "matchers", text: "has no meaning here: everything that an image has is matched" },
    Note {
        path: "indexer scanner package java",
        text: "has no meaning here: no service is asked about Java archives",
    },
    Note { path: "updaters filter", text: "has no meaning here, nor has it in Clair" },
    Note { path: "updaters config", text: "says nothing of a feed that is known here" },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that is misspelt here would turn off nothing, and the file that is written would be refused.
    #[test]
    fn every_feed_exists() {
        for name in SETS.iter().flat_map(|set| set.feeds).copied().chain(KEYS.iter().map(|key| key.feed)) {
            assert!(crate::config::select(name).is_ok(), "there is no feed `{name}`");
        }
    }

    #[test]
    fn tables_are_sorted_and_no_key_hides_another() {
        assert!(SETS.is_sorted_by(|one, other| one.name < other.name));
        for (at, key) in KEYS.iter().enumerate() {
            let first = KEYS.iter().position(|other| other.is_at(&key.path.split(' ').collect::<Vec<_>>()));
            assert_eq!(first, Some(at), "{:?}", key.path);
        }
    }
}
