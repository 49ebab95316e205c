//! Which parts a feed has: the updates of each repository of each release.
//!
//! A release is taken whole or not at all. One that the upstream does not have is no part; one of which it has an
//! architecture and not the other is an error, since images of that other would look clean. The repositories
//! beside a release's own may each be absent: most of Amazon Linux 2's topics have no updates, or are for one
//! architecture.

use std::collections::BTreeSet;

use serde_json::Value;

use super::repomd;
use crate::feeds::{Index, Part, PlanError};

/// Most repositories that a catalogue names. Amazon Linux 2 has some 70.
const TOPICS_MAX: usize = 500;

/// Longest name of a repository, in bytes.
const TOPIC_BYTES_MAX: usize = 60;

/// The file of Amazon's repositories that says where a repository lies. It is replaced as a whole with each
/// change.
const MIRROR_LIST: &str = "mirror.list";

/// A release and where its repositories lie.
pub(super) struct Release {
    /// As the distribution's namespace has it.
    pub(super) name: String,
    pub(super) architectures: &'static [&'static str],
    /// Path of its own repository, `{arch}` standing for the architecture. Of a repository that moves, the path
    /// of its `mirror.list`.
    pub(super) path: String,
    /// Names of its other repositories.
    pub(super) others: &'static [&'static str],
    /// Path of the others, `{repository}` standing for the name.
    pub(super) path_of_others: &'static str,
    /// A file that names further ones, `{"topics": [{"n": NAME}]}`.
    pub(super) catalogue: Option<&'static str>,
}

/// What a part is of. Its name says so: `2-x86_64.xml`, `2-x86_64-nginx1.xml`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) release: &'a str,
    pub(super) architecture: &'a str,
    /// `None` for the release's own repository.
    pub(super) repository: Option<&'a str>,
}

impl<'a> Place<'a> {
    /// Reads the name of a part.
    pub(super) fn read(part: &'a str) -> Option<Place<'a>> {
        let mut fields = part.strip_suffix(".xml")?.splitn(3, '-');
        let (release, architecture) = (fields.next()?, fields.next()?);
        Some(Place { release, architecture, repository: fields.next() })
    }

    fn part(&self) -> String {
        let own = format!("{}-{}", self.release, self.architecture);
        self.repository.map_or_else(|| format!("{own}.xml"), |other| format!("{own}-{other}.xml"))
    }
}

/// The parts of all releases.
pub(super) fn parts(releases: &[Release], index: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    let mut parts = Vec::new();
    for release in releases {
        let own = own_parts(release, index)?;
        if own.is_empty() {
            continue;
        }
        parts.extend(own);
        for repository in others(release, index)? {
            for architecture in release.architectures {
                let place = Place { release: &release.name, architecture, repository: Some(&repository) };
                let path = release.path_of_others.replace("{repository}", &repository);
                parts.extend(part(&place, &path, index)?);
            }
        }
    }
    Ok(parts)
}

/// The parts of a release's own repository: one for each architecture, or none.
fn own_parts(release: &Release, index: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    let (mut found, mut missing) = (Vec::new(), None);
    for architecture in release.architectures {
        let place = Place { release: &release.name, architecture, repository: None };
        match part(&place, &release.path, index)? {
            Some(part) => found.push(part),
            None => missing = Some(release.path.replace("{arch}", architecture)),
        }
    }
    match missing {
        Some(missing) if !found.is_empty() => Err(PlanError(format!(
            "release {} is there, but not the updates of `{missing}`; a mirror must have all architectures of a \
             release or none",
            release.name
        ))),
        Some(_) => Ok(Vec::new()),
        None => Ok(found),
    }
}

/// Names of a release's other repositories, sorted.
fn others(release: &Release, index: &mut dyn Index) -> Result<BTreeSet<String>, PlanError> {
    let mut names: BTreeSet<String> = release.others.iter().map(|name| (*name).to_owned()).collect();
    let Some(path) = release.catalogue else { return Ok(names) };
    let bad = |reason: &str| PlanError(format!("`{path}` {reason}"));
    let bytes = index.get(path)?.ok_or_else(|| {
        bad("is not there; it names the repositories of the release, so a mirror must have it")
    })?;
    let catalogue: Value =
        serde_json::from_slice(&bytes).map_err(|error| bad(&format!("is not JSON: {error}")))?;
    let topics =
        catalogue.get("topics").and_then(Value::as_array).ok_or_else(|| bad("has no list `topics`"))?;
    if topics.len() > TOPICS_MAX {
        return Err(bad(&format!("names more than {TOPICS_MAX} repositories")));
    }
    for topic in topics {
        let name = topic.get("n").and_then(Value::as_str).filter(|name| is_topic(name));
        names.insert(name.ok_or_else(|| bad("has a topic without a usable name"))?.to_owned());
    }
    Ok(names)
}

/// Whether a name can stand in a path and in the name of a part.
fn is_topic(name: &str) -> bool {
    name.len() <= TOPIC_BYTES_MAX && is_segment(name) && !name.contains(['+', '~', '='])
}

fn is_segment(segment: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.+~=".contains(&b);
    !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(is_plain)
}

/// The part of one repository; `None` where it is not there or has no updates.
fn part(place: &Place<'_>, path: &str, index: &mut dyn Index) -> Result<Option<Part>, PlanError> {
    let mut path = path.replace("{arch}", place.architecture);
    if path.ends_with(MIRROR_LIST) {
        let Some(list) = index.get(&path)? else { return Ok(None) };
        path = mirrored(&path, &list, place.architecture)?;
    }
    let index_path = format!("{path}/repodata/repomd.xml");
    let Some(bytes) = index.get(&index_path)? else { return Ok(None) };
    let bad = |reason: String| PlanError(format!("`{index_path}` is not what it should be: {reason}"));
    let Some(updates) = repomd::update_info(&bytes).map_err(|error| bad(error.to_string()))? else {
        return Ok(None);
    };
    if !updates.path.split('/').all(is_segment) {
        return Err(bad("the path of `updateinfo` is not one below the repository".to_owned()));
    }
    let revision = updates.digest.split_once(':').filter(|(_, digest)| !digest.is_empty());
    Ok(Some(Part {
        revision: revision.is_some().then_some(updates.digest),
        ..Part::new(place.part(), format!("{path}/{}", updates.path))
    }))
}

/// The path of a repository, of the first URL of its mirror list: what follows the host, from the folder on that
/// the list itself lies in at the top. So it holds below another URL too, also where a mirror has put its own into
/// the list.
fn mirrored(list_path: &str, list: &[u8], architecture: &str) -> Result<String, PlanError> {
    let bad = || PlanError(format!("`{list_path}` names no URL of a repository"));
    let text = std::str::from_utf8(list).map_err(|_| bad())?;
    let url = text.lines().map(str::trim).find(|line| !line.is_empty()).ok_or_else(bad)?;
    let (_, rest) = url.split_once("://").ok_or_else(bad)?;
    let (_, path) = rest.split_once('/').ok_or_else(bad)?;
    let path = path.replace("$basearch", architecture);
    let top = list_path.split('/').next().unwrap_or_default();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let start = segments.iter().position(|segment| *segment == top).unwrap_or_default();
    let segments = segments.get(start..).unwrap_or_default();
    if segments.iter().all(|segment| is_segment(segment)) { Ok(segments.join("/")) } else { Err(bad()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirror_lists_lead_below_any_url() {
        const LIST: &str = "2/core/latest/x86_64/mirror.list";
        for (list, expected) in [
            ("https://cdn.amazonlinux.com/2/core/2.0/x86_64/221a\n\n", Some("2/core/2.0/x86_64/221a")),
            ("\r\nhttps://cdn.amazonlinux.com/2/core/2.0/$basearch/1/\r\n", Some("2/core/2.0/x86_64/1")),
            ("http://other.example/2/core/a\nhttp://third.example/2/core/b", Some("2/core/a")),
            ("https://mirror.example/amazon/2/core/a", Some("2/core/a")),
            ("https://mirror.example/elsewhere/a", Some("elsewhere/a")),
            ("https://cdn.amazonlinux.com/2/../../etc", None),
            ("https://cdn.amazonlinux.com/2/core/a?b", None),
            ("https://cdn.amazonlinux.com", None),
            ("<html>", None),
            ("", None),
        ] {
            let path = mirrored(LIST, list.as_bytes(), "x86_64");
            assert_eq!(path.ok().as_deref(), expected, "{list}");
        }
    }

    #[test]
    fn part_names_say_what_they_are_of() {
        for (release, architecture, repository, name) in [
            ("2", "x86_64", None, "2-x86_64.xml"),
            ("2", "aarch64", Some("aws-nitro-enclaves-cli"), "2-aarch64-aws-nitro-enclaves-cli.xml"),
            ("2", "x86_64", Some("php8.1"), "2-x86_64-php8.1.xml"),
        ] {
            let place = Place { release, architecture, repository };
            assert_eq!(place.part(), name);
            assert_eq!(Place::read(name), Some(place));
        }
        assert_eq!(Place::read("part"), None);
    }
}
