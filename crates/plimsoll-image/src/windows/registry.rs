//! The registry of a Windows image, as far as it says what is aboard: what one hive states, and what all say together.
//!
//! A base layer has whole hives. Each layer above has *differencing* ones, which hold what it changed: keys and values,
//! and marks that take away what is below. From the May 2023 updates on the servicing layer is such a one, so that the
//! base's hive alone says a version that is months old.
//!
//! Hives are large, and nothing of a Windows layer may be kept but facts. So a layer's hive is read once for the keys of
//! [`WANTED`]; these, with the marks on the way to them, are its facts, and are merged when an image's layers are.
//!
//! How the marks work: <https://github.com/msuhanov/regf/blob/master/Windows%20registry%20file%20format%20specification.md>
//! ("Layered keys"); United States patent application 20170279678.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

/// One kind of keys that is read.
#[derive(Debug)]
pub struct Wanted {
    /// Path below the hive's root, parts joined by `\`. A last part `*` means each key there.
    pub path: &'static str,
    /// How the names of keys that `*` means begin, lower-case; none for any.
    pub prefixes: &'static [&'static str],
    /// Names of the values that are read.
    pub values: &'static [&'static str],
}

impl Wanted {
    /// Whether a key of this name is one of those that `*` means.
    pub fn takes(&self, name: &str) -> bool {
        let begins =
            |prefix: &&str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        self.prefixes.is_empty() || self.prefixes.iter().any(begins)
    }
}

/// Where the version of the operating system stands.
pub const CURRENT_VERSION: &str = r"Microsoft\Windows NT\CurrentVersion";
/// The packages that servicing knows.
pub const PACKAGES: &str = r"Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages";
/// The .NET Framework 4.
pub const FRAMEWORK_4: &str = r"Microsoft\NET Framework Setup\NDP\v4\Full";
/// The .NET Framework 3.5.
pub const FRAMEWORK_3_5: &str = r"Microsoft\NET Framework Setup\NDP\v3.5";

/// Where installed programs are listed: for all users, those of 32 bits, and in a user's own hive.
pub const PROGRAMS: [&str; 3] = [
    r"Microsoft\Windows\CurrentVersion\Uninstall",
    r"WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall",
    r"Software\Microsoft\Windows\CurrentVersion\Uninstall",
];

const PROGRAM_VALUES: &[&str] = &["DisplayName", "DisplayVersion", "Publisher", "SystemComponent"];

/// All keys that are read.
pub static WANTED: &[Wanted] = &[
    Wanted {
        path: CURRENT_VERSION,
        prefixes: &[],
        values: &[
            "BuildLabEx",
            "CurrentBuild",
            "CurrentBuildNumber",
            "CurrentMajorVersionNumber",
            "CurrentMinorVersionNumber",
            "DisplayVersion",
            "EditionID",
            "InstallationType",
            "ReleaseId",
            "UBR",
        ],
    },
    Wanted {
        path: r"Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages\*",
        prefixes: &["package_"],
        values: &["CurrentState"],
    },
    Wanted { path: FRAMEWORK_4, prefixes: &[], values: &["Release", "Version"] },
    Wanted { path: FRAMEWORK_3_5, prefixes: &[], values: &["Install", "Version"] },
    Wanted { path: r"Microsoft\Windows\CurrentVersion\Uninstall\*", prefixes: &[], values: PROGRAM_VALUES },
    Wanted {
        path: r"WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall\*",
        prefixes: &[],
        values: PROGRAM_VALUES,
    },
    Wanted {
        path: r"Software\Microsoft\Windows\CurrentVersion\Uninstall\*",
        prefixes: &[],
        values: PROGRAM_VALUES,
    },
];

/// What one hive states of the wanted keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundHive {
    /// The keys, sorted by path: those that are wanted, and those on the way to them that mark something.
    pub keys: Vec<FoundKey>,
}

/// One key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundKey {
    /// Its path below the hive's root, parts joined by `\`, as it is spelled.
    pub path: String,
    /// What it means for the hives below.
    pub mark: Mark,
    /// Its wanted values by name, as they are spelled.
    pub values: Vec<(String, FoundValue)>,
}

/// What a key of a differencing hive means for the same key in the hives below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// What is below counts where this says nothing.
    #[default]
    Merge,
    /// The key and all that is below it are gone.
    Tombstone,
    /// The values of the key below do not count; the keys below it do.
    SupersedeLocal,
    /// Nothing below counts, neither of the key nor of the keys below it.
    SupersedeTree,
}

impl Mark {
    /// Whether nothing of the hives below shows through, at the key and below it.
    fn hides_all(self) -> bool {
        matches!(self, Mark::Tombstone | Mark::SupersedeTree)
    }
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FoundValue {
    /// A text.
    Text(String),
    /// A number.
    Number(u32),
    /// It is gone.
    Tombstone,
}

impl FoundHive {
    /// Bytes of memory that it takes, roughly.
    pub(crate) fn weight(&self) -> usize {
        let value = |(name, value): &(String, FoundValue)| {
            let text = if let FoundValue::Text(text) = value { text.len() } else { 0 };
            size_of::<(String, FoundValue)>() + name.len() + text
        };
        let key = |key: &FoundKey| {
            size_of::<FoundKey>() + key.path.len() + key.values.iter().map(value).sum::<usize>()
        };
        self.keys.iter().map(key).sum()
    }
}

/// Hives laid over each other, to be asked as if they were one.
#[derive(Debug, Default)]
pub struct Registry<'a> {
    /// The lowest first.
    hives: Vec<Indexed<'a>>,
}

/// One hive, its keys by lower-cased path.
#[derive(Debug)]
struct Indexed<'a> {
    layer: usize,
    keys: HashMap<String, &'a FoundKey>,
}

/// What stands in a registry and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stated<T> {
    /// What is stated.
    pub what: T,
    /// Index of the layer whose hive states it: the top-most that does.
    pub layer: usize,
}

impl<'a> Registry<'a> {
    /// Lays hives over each other, the lowest first. Each is named by the index of its layer.
    pub fn new(hives: impl IntoIterator<Item = (usize, &'a FoundHive)>) -> Registry<'a> {
        let indexed = |(layer, hive): (usize, &'a FoundHive)| Indexed {
            layer,
            keys: hive.keys.iter().map(|key| (key.path.to_lowercase(), key)).collect(),
        };
        Registry { hives: hives.into_iter().map(indexed).collect() }
    }

    /// Whether there is no hive at all.
    pub fn is_empty(&self) -> bool {
        self.hives.is_empty()
    }

    /// A key's text; empty ones are none.
    pub fn text(&self, path: &str, name: &str) -> Option<Stated<&'a str>> {
        let stated = self.value(path, name)?;
        match stated.what {
            FoundValue::Text(text) if !text.is_empty() => Some(Stated { what: text, layer: stated.layer }),
            _ => None,
        }
    }

    /// A key's number.
    pub fn number(&self, path: &str, name: &str) -> Option<Stated<u32>> {
        let stated = self.value(path, name)?;
        match stated.what {
            FoundValue::Number(number) => Some(Stated { what: *number, layer: stated.layer }),
            _ => None,
        }
    }

    fn value(&self, path: &str, name: &str) -> Option<Stated<&'a FoundValue>> {
        for (layer, key) in self.visible(path) {
            let mut values = key.values.iter();
            if let Some((_, value)) = values.find(|(own, _)| own.eq_ignore_ascii_case(name)) {
                return (*value != FoundValue::Tombstone).then_some(Stated { what: value, layer });
            }
            if key.mark == Mark::SupersedeLocal {
                return None;
            }
        }
        None
    }

    /// The names of the keys below a key, as they are spelled, each with the top-most layer that has it. Sorted.
    pub fn keys_below(&self, path: &str) -> Vec<Stated<&'a str>> {
        let prefix = format!("{}\\", path.to_lowercase());
        let mut names: BTreeMap<String, &'a str> = BTreeMap::new();
        for hive in &self.hives {
            for (lower, key) in &hive.keys {
                let rest =
                    lower.strip_prefix(&prefix).filter(|rest| !rest.is_empty() && !rest.contains('\\'));
                let name = key.path.rsplit_once('\\').map_or(key.path.as_str(), |(_, name)| name);
                if let Some(rest) = rest {
                    names.insert(rest.to_owned(), name);
                }
            }
        }
        let stated = |(lower, what): (String, &'a str)| {
            let (layer, _) = self.visible(&format!("{prefix}{lower}")).next()?;
            Some(Stated { what, layer })
        };
        names.into_iter().filter_map(stated).collect()
    }

    /// The keys of a path in the hives of which something shows, the top-most first.
    fn visible(&self, path: &str) -> impl Iterator<Item = (usize, &'a FoundKey)> {
        let path = path.to_lowercase();
        let mut is_hidden = false;
        let keys = self.hives.iter().rev().map_while(move |hive| {
            if is_hidden {
                return None;
            }
            let above = path.match_indices('\\').filter_map(|(at, _)| hive.keys.get(&path[..at]));
            let (root, own) = (hive.keys.get(""), hive.keys.get(&path));
            is_hidden = above.chain(root).chain(own).any(|key| key.mark.hides_all());
            Some(own.map(|key| (hive.layer, *key)))
        });
        keys.flatten().filter(|(_, key)| key.mark != Mark::Tombstone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hive of lines: a path, a mark and values `name=text`, a value of `-` being gone.
    fn hive(lines: &[&str]) -> FoundHive {
        let key = |line: &&str| {
            let mut words = line.split(' ');
            let path = words.next().unwrap_or_default().to_owned();
            let mark = match words.next() {
                Some("tombstone") => Mark::Tombstone,
                Some("local") => Mark::SupersedeLocal,
                Some("tree") => Mark::SupersedeTree,
                _ => Mark::Merge,
            };
            let value = |word: &str| {
                let (name, text) = word.split_once('=').expect("a value has a name");
                let value =
                    if text == "-" { FoundValue::Tombstone } else { FoundValue::Text(text.to_owned()) };
                (name.to_owned(), value)
            };
            FoundKey { path, mark, values: words.map(value).collect() }
        };
        FoundHive { keys: lines.iter().map(key).collect() }
    }

    /// What is asked of hives, the lowest first: `path name` for a value, a path for the keys below it.
    #[test]
    fn what_is_above_counts_and_marks_take_away() {
        let base = &[r"A merge x=1 y=1", r"A\B merge z=1", r"A\C merge"][..];
        for (case, layers, question, expected) in [
            ("the base alone", &[base][..], "A x", "1@0"),
            ("letters do not count", &[base], "a X", "1@0"),
            ("what is above counts", &[base, &["a merge X=2"]], "A x", "2@1"),
            ("what is not stated above shows", &[base, &["A merge x=2"]], "A y", "1@0"),
            ("a value is gone", &[base, &["A merge x=-"]], "A x", ""),
            ("and back", &[base, &["A merge x=-"], &["A merge x=3"]], "A x", "3@2"),
            ("a key is gone", &[base, &["A tombstone"]], "A x", ""),
            ("with all below it", &[base, &["A tombstone"]], r"A\B z", ""),
            ("a key is gone and back", &[base, &[r"A\B tombstone"], &[r"A\B merge q=3"]], r"A\B q", "3@2"),
            ("without what it had", &[base, &[r"A\B tombstone"], &[r"A\B merge q=3"]], r"A\B z", ""),
            ("W4: its values do not count", &[base, &["A local x=2"]], "A y", ""),
            ("W4: the keys below it do", &[base, &["A local x=2"]], r"A\B z", "1@0"),
            ("W4: nothing below counts", &[base, &["A tree"]], r"A\B z", ""),
            ("W4: nor its own", &[base, &["A tree x=2"]], "A y", ""),
            (
                "what stands in the superseding hive does",
                &[base, &["A tree", r"A\B merge z=2"]],
                r"A\B z",
                "2@1",
            ),
            ("nothing below a root", &[base, &[" tree", "A merge x=2"]], "A y", ""),
            ("keys of all", &[base, &[r"A\D merge"]], "A", "B@0 C@0 D@1"),
            ("keys that are gone", &[base, &[r"A\B tombstone"]], "A", "C@0"),
            ("keys of a superseding hive", &[base, &["A tree", r"A\D merge"]], "A", "D@1"),
            ("no hive", &[], "A x", ""),
        ] {
            let hives: Vec<FoundHive> = layers.iter().map(|lines| hive(lines)).collect();
            let registry = Registry::new(hives.iter().enumerate());
            let show = |stated: Stated<&str>| format!("{}@{}", stated.what, stated.layer);
            let answer = match question.split_once(' ') {
                Some((path, name)) => registry.text(path, name).map(show).unwrap_or_default(),
                None => registry.keys_below(question).into_iter().map(show).collect::<Vec<_>>().join(" "),
            };
            assert_eq!(answer, expected, "{case}");
        }
    }
}
