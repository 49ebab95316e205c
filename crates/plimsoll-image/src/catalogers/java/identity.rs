//! What an archive is, from what it states and what its file is called.
//!
//! `pom.properties` is Maven's own word. Without it, the file name gives the artifact and its version, the
//! manifest what the name lacks. A group is taken only where it is written out: a wrong one would find
//! another project's flaws. The exceptions are rows in `groups.rs`.

use std::collections::BTreeSet;

use crate::catalogers::java::groups;
use crate::catalogers::java::metadata::{Manifest, Pom};

/// All that is known of an archive.
pub(super) struct Archive<'a> {
    /// File name, with its ending.
    pub(super) file_name: &'a str,
    /// Its manifest; empty where it has none.
    pub(super) manifest: &'a Manifest,
    /// Its own `pom.properties` and those of the archives that were merged into it.
    pub(super) poms: &'a [PomFile],
    /// Whether some entry's name begins with a directory.
    pub(super) has_directory: &'a dyn Fn(&str) -> bool,
}

/// One `pom.properties` and where it stands.
pub(super) struct PomFile {
    /// `META-INF/maven/GROUP/ARTIFACT/pom.properties`.
    pub(super) path: String,
    /// What it states.
    pub(super) stated: Pom,
}

/// One package that an archive is or holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity<'a> {
    /// `group:artifact`, or the artifact alone.
    pub(super) name: String,
    /// Empty where nothing states it.
    pub(super) version: String,
    /// The `pom.properties` of what was merged into the archive; `None` for the archive itself.
    pub(super) pom_path: Option<&'a str>,
}

impl<'a> Archive<'a> {
    /// The archive itself first, where it can be told, then what was merged into it.
    pub(super) fn identities(&self) -> Vec<Identity<'a>> {
        let file = FileName::read(self.file_name, self.manifest);
        let main = self.main_pom(&file);
        let mut identities = Vec::with_capacity(self.poms.len() + 1);
        match main {
            Some(main) => {
                let (group, artifact) = self.poms[main].coordinates();
                let stated = self.poms[main].stated.version.clone();
                let version = stated.unwrap_or_else(|| self.version(&file));
                identities.push(Identity { name: join(group, artifact), version, pom_path: None });
            }
            None if self.poms.is_empty() || file.version.is_some() => identities.push(self.own(&file)),
            None => {}
        }
        let mut seen = BTreeSet::new();
        for (index, pom) in self.poms.iter().enumerate() {
            let (group, artifact) = pom.coordinates();
            let name = join(group, artifact);
            let version = pom.stated.version.clone().unwrap_or_default();
            if Some(index) != main && seen.insert((name.clone(), version.clone())) {
                identities.push(Identity { name, version, pom_path: Some(&pom.path) });
            }
        }
        identities
    }

    /// The `pom.properties` of the archive itself: the one that its name begins with, the longest of several;
    /// a single one unless the file's name has another version; one that the manifest calls by its name.
    fn main_pom(&self, file: &FileName<'_>) -> Option<usize> {
        let poms = || self.poms.iter().enumerate();
        let named = poms().filter(|(_, pom)| {
            let (group, artifact) = pom.coordinates();
            let full = format!("{group}.{artifact}");
            begins_with_part(file.stem, artifact) || begins_with_part(file.stem, &full)
        });
        if let Some((index, _)) = named.max_by_key(|(_, pom)| pom.coordinates().1.len()) {
            return Some(index);
        }
        if let [pom] = self.poms {
            let fits = file.version.is_none() || pom.stated.version.as_deref() == file.version;
            return fits.then_some(0);
        }
        let title = self.manifest.title.as_deref()?;
        let mut titled = poms()
            .filter(|(_, pom)| pom.coordinates().1 == title && pom.stated.version == self.manifest.version);
        titled.next().filter(|_| file.version.is_none()).map(|(index, _)| index)
    }

    /// The archive itself, without a `pom.properties`.
    fn own(&self, file: &FileName<'_>) -> Identity<'a> {
        let manifest = self.manifest;
        if let (Some(group), Some(artifact)) = (&manifest.plugin_group, &manifest.plugin_name) {
            let version = manifest.plugin_version.as_deref().or(file.version).unwrap_or_default();
            let version = version.split_whitespace().next().unwrap_or_default().to_owned();
            return Identity { name: join(group, artifact), version, pom_path: None };
        }
        let version = self.version(file);
        let title = manifest.title.as_deref().filter(|title| is_artifact(title));
        let stated_artifact = if file.version.is_none() { title } else { None };
        let artifact = stated_artifact.unwrap_or(file.artifact);
        let stated = [manifest.vendor_id.as_deref(), manifest.bundle_name.as_deref()];
        let by_group = |name| group_before(name, artifact).map(|group| join(group, artifact));
        // Quarkus calls its files `group.artifact-version.jar`.
        let by_title = |title| group_before(artifact, title).map(|group| join(group, title));
        let name = groups::name_of(artifact, self.has_directory)
            .or_else(|| groups::name_of(file.artifact, self.has_directory))
            .or_else(|| stated.into_iter().flatten().find_map(by_group))
            .or_else(|| title.and_then(by_title));
        Identity { name: name.unwrap_or_else(|| artifact.to_owned()), version, pom_path: None }
    }

    /// The version: the file name's, without a classifier if the manifest tells which part is the version;
    /// else the manifest's.
    fn version(&self, file: &FileName<'_>) -> String {
        let stated = manifest_version(self.manifest);
        match (file.version, stated) {
            (Some(named), Some(stated)) if begins_with_part(named, stated) => stated.to_owned(),
            (Some(named), _) => named.to_owned(),
            (None, stated) => stated.unwrap_or_default().to_owned(),
        }
    }
}

impl PomFile {
    /// Group and artifact; what the file does not state stands in its path.
    fn coordinates(&self) -> (&str, &str) {
        let mut parts = self.path.rsplit('/').skip(1);
        let artifact = parts.next().unwrap_or_default();
        let group = parts.next().unwrap_or_default();
        let stated = &self.stated;
        (stated.group.as_deref().unwrap_or(group), stated.artifact.as_deref().unwrap_or(artifact))
    }
}

fn manifest_version(manifest: &Manifest) -> Option<&str> {
    let candidates = [&manifest.version, &manifest.bundle_version];
    candidates.into_iter().flatten().find_map(|version| {
        let version = version.split_whitespace().next()?;
        version.contains(|c: char| c.is_ascii_digit()).then_some(version)
    })
}

/// The group of `group.artifact`. Only an artifact with a hyphen is told from the last part of a package
/// name, in which no hyphen can stand: `com.google.guava` is a group that ends like its artifact. A group of
/// two parts is no more than its owner's domain: `org.apache.tomcat-catalina` is of the group `org.apache.tomcat`.
fn group_before<'n>(name: &'n str, artifact: &str) -> Option<&'n str> {
    let group = name.strip_suffix(artifact)?.strip_suffix('.')?;
    (artifact.contains('-') && group.split('.').count() > 2 && is_artifact(group)).then_some(group)
}

/// Whether a text can be an artifact's name, and not a title for people.
fn is_artifact(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// Whether a text begins with a part, and the part ends there.
fn begins_with_part(text: &str, part: &str) -> bool {
    !part.is_empty()
        && text.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.', '_']))
}

fn join(group: &str, artifact: &str) -> String {
    if group.is_empty() { artifact.to_owned() } else { format!("{group}:{artifact}") }
}

/// A file name: `artifact-1.2.3.jar`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileName<'a> {
    /// Without the ending.
    stem: &'a str,
    /// Without the version.
    artifact: &'a str,
    /// What stands behind the artifact: the version, and a classifier if there is one.
    version: Option<&'a str>,
}

impl<'a> FileName<'a> {
    fn read(file_name: &'a str, manifest: &Manifest) -> FileName<'a> {
        let stem = file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem);
        let split = |at: usize| FileName { stem, artifact: &stem[..at], version: Some(&stem[at + 1..]) };
        let hyphens = || stem.match_indices('-').map(|(at, _)| at).filter(|&at| at > 0);
        if let Some(stated) = manifest_version(manifest)
            && let Some(at) = hyphens().find(|&at| begins_with_part(&stem[at + 1..], stated))
        {
            return split(at);
        }
        match hyphens().find(|&at| looks_like_version(&stem[at + 1..])) {
            Some(at) => split(at),
            None => FileName { stem, artifact: stem, version: None },
        }
    }
}

/// Whether a text begins with a number and has no number behind a word, as the name `log4j-1.2-api-2.14.1` has
/// behind its first hyphen.
fn looks_like_version(text: &str) -> bool {
    let starts_with_digit = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    let mut parts = text.split('-');
    if !parts.next().is_some_and(starts_with_digit) {
        return false;
    }
    let mut had_word = false;
    parts.all(|part| {
        had_word |= !starts_with_digit(part);
        !(had_word && starts_with_digit(part) && part.contains('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_split_before_the_version() {
        for (name, manifest_version, artifact, version) in [
            ("spring-core-5.3.20.jar", None, "spring-core", Some("5.3.20")),
            ("guava-31.1-jre.jar", None, "guava", Some("31.1-jre")),
            ("log4j-1.2-api-2.14.1.jar", None, "log4j-1.2-api", Some("2.14.1")),
            ("log4j-1.2-api-2.14.1.jar", Some("2.14.1"), "log4j-1.2-api", Some("2.14.1")),
            ("a-1.0-20240102.030405-1.jar", None, "a", Some("1.0-20240102.030405-1")),
            (
                "netty-epoll-4.1.9.Final-linux-x86_64.jar",
                None,
                "netty-epoll",
                Some("4.1.9.Final-linux-x86_64"),
            ),
            ("kafka_2.13-2.8.0.jar", None, "kafka_2.13", Some("2.8.0")),
            ("a-SNAPSHOT.jar", Some("SNAPSHOT"), "a-SNAPSHOT", None),
            ("a-RELEASE7.jar", Some("RELEASE7"), "a", Some("RELEASE7")),
            ("tools.jar", Some("1.8.0"), "tools", None),
            ("-1.0.jar", None, "-1.0", None),
            ("app.jar", None, "app", None),
        ] {
            let manifest = Manifest { version: manifest_version.map(str::to_owned), ..Manifest::default() };
            let file = FileName::read(name, &manifest);
            assert_eq!((file.artifact, file.version), (artifact, version), "{name}");
        }
    }

    #[test]
    fn only_a_hyphen_tells_an_artifact_from_a_package() {
        for (name, artifact, expected) in [
            (
                "com.fasterxml.jackson.core.jackson-databind",
                "jackson-databind",
                Some("com.fasterxml.jackson.core"),
            ),
            ("com.google.guava", "guava", None),
            ("org.postgresql", "postgresql", None),
            ("org.apache.commons.commons-text", "commons-text", Some("org.apache.commons")),
            ("org.apache.tomcat-catalina", "tomcat-catalina", None),
            ("The Example Company.a-b", "a-b", None),
            ("xcommons-text", "commons-text", None),
        ] {
            assert_eq!(group_before(name, artifact), expected, "{name}");
        }
    }
}
