//! What is asked to be promoted: manifests as they are written, and what a change of them changes.
//!
//! Files become [`Manifest`]s elsewhere. What surprises: a line that cannot be read is kept as a [`Fault`] beside those
//! that can, because a list that silently selects nothing would look as if there were nothing to do. Two states are
//! compared as they were read, never as text.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;

/// Longest tag, in bytes (OCI distribution specification, "Pulling manifests").
pub const TAG_BYTES_MAX: usize = 128;

/// One project: where its images come from and go to, and which they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Name of the project; empty where there is only one.
    pub project: String,
    /// The repositories' beginning to take from: `HOST/PREFIX`. A list of ours names whole references instead.
    pub source: Option<String>,
    /// The repositories' beginnings to promote to, in the file's order.
    pub destinations: Vec<String>,
    /// What is listed, in the file's order.
    pub lines: Vec<Line>,
    /// What is wrong with the files.
    pub faults: Vec<Fault>,
}

/// One digest of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The image, below the prefixes; the whole repository where there are none.
    pub image: String,
    /// The digest.
    pub digest: Digest,
    /// Its tags; none for a promotion by digest alone.
    pub tags: Vec<String>,
}

/// Something in a manifest that must not be there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// What sort of thing.
    pub kind: FaultKind,
    /// The file.
    pub file: String,
    /// What, and what to write. One sentence, no full stop.
    pub detail: String,
}

/// What can be wrong with a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// It does not follow its format, or a digest or a tag is none.
    Syntax,
    /// It says something twice.
    Duplicate,
    /// It reaches out of its project, or one of its two files is not there.
    Scope,
}

/// One thing that differs between two states.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The project.
    pub project: String,
    /// The image; empty where the change is of the registries.
    pub image: String,
    /// What happened to it.
    pub kind: ChangeKind,
}

/// What a change does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A digest is listed that was not.
    DigestAdded(Digest),
    /// A digest that was listed has more tags.
    TagsAdded(Digest, Vec<String>),
    /// A digest is not listed any more.
    DigestRemoved(Digest),
    /// A digest lost tags, and no other has them.
    TagsRemoved(Digest, Vec<String>),
    /// A tag is of another digest than before.
    TagMoved {
        /// The tag.
        tag: String,
        /// Whose it was.
        from: Digest,
        /// Whose it is.
        to: Digest,
    },
    /// The registries that a project is promoted from or to.
    RegistriesTouched,
}

impl ChangeKind {
    /// Name in reports, kebab-case.
    pub fn name(&self) -> &'static str {
        match self {
            ChangeKind::DigestAdded(_) => "digest-added",
            ChangeKind::TagsAdded(..) => "tags-added",
            ChangeKind::DigestRemoved(_) => "digest-removed",
            ChangeKind::TagsRemoved(..) => "tags-removed",
            ChangeKind::TagMoved { .. } => "tag-moved",
            ChangeKind::RegistriesTouched => "registries-touched",
        }
    }
}

/// Whether a text is a tag: a letter, digit or `_`, then also `.` and `-`.
pub fn is_tag(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= TAG_BYTES_MAX
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|b| is_word(b) || b == b'.' || b == b'-')
}

impl Manifest {
    /// Adds one digest of an image. A digest or a tag that is none, or that the image has already, is a fault.
    pub fn add(&mut self, file: &str, image: &str, digest: &str, tags: Vec<String>) {
        let mut fault = |kind, detail| self.faults.push(Fault { kind, file: file.to_owned(), detail });
        let parsed: Digest = match digest.parse() {
            Ok(parsed) => parsed,
            Err(error) => return fault(FaultKind::Syntax, format!("`{image}`: {error}")),
        };
        for tag in tags.iter().filter(|tag| !is_tag(tag)) {
            let rule = "a tag has up to 128 letters, digits, `_`, `.` and `-`";
            fault(FaultKind::Syntax, format!("`{image}`: `{}` is not a tag; {rule}", tag.escape_default()));
        }
        let same = |line: &&Line| line.image == image;
        if self.lines.iter().filter(same).any(|line| line.digest == parsed) {
            return fault(FaultKind::Duplicate, format!("`{image}` lists {parsed} twice"));
        }
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for tag in &tags {
            let elsewhere = self.lines.iter().filter(same).find(|line| line.tags.contains(tag));
            match elsewhere {
                Some(line) => fault(
                    FaultKind::Duplicate,
                    format!("`{image}` gives the tag `{tag}` to {} and to {parsed}", line.digest),
                ),
                None if !known.insert(tag) => {
                    fault(FaultKind::Duplicate, format!("`{image}` lists the tag `{tag}` of {parsed} twice"));
                }
                None => {}
            }
        }
        self.lines.push(Line { image: image.to_owned(), digest: parsed, tags });
    }
}

/// What differs between two states, sorted.
pub fn changes(base: &[Manifest], head: &[Manifest]) -> Vec<Change> {
    let mut changes = Vec::new();
    let projects: BTreeSet<&str> = base.iter().chain(head).map(|one| one.project.as_str()).collect();
    let none = Manifest::default();
    for project in projects {
        let of = |state: &'_ [Manifest]| state.iter().position(|one| one.project == project);
        let before = of(base).and_then(|at| base.get(at));
        let after = of(head).and_then(|at| head.get(at)).unwrap_or(&none);
        let places = |one: &Manifest| (one.source.clone(), one.destinations.clone());
        if places(before.unwrap_or(&none)) != places(after) {
            changes.push(Change {
                project: project.to_owned(),
                image: String::new(),
                kind: ChangeKind::RegistriesTouched,
            });
        }
        let (before, after) = (by_image(before.unwrap_or(&none)), by_image(after));
        let images: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
        let nothing = BTreeMap::new();
        for image in images {
            let kinds =
                changes_of(before.get(image).unwrap_or(&nothing), after.get(image).unwrap_or(&nothing));
            let change = |kind| Change { project: project.to_owned(), image: image.to_owned(), kind };
            changes.extend(kinds.into_iter().map(change));
        }
    }
    changes.sort_unstable();
    changes
}

/// The tags of each digest of one image.
type Tags<'a> = BTreeMap<&'a Digest, BTreeSet<&'a str>>;

fn by_image(manifest: &Manifest) -> BTreeMap<&str, Tags<'_>> {
    let mut images: BTreeMap<&str, Tags<'_>> = BTreeMap::new();
    for line in &manifest.lines {
        let tags = images.entry(&line.image).or_default().entry(&line.digest).or_default();
        tags.extend(line.tags.iter().map(String::as_str));
    }
    images
}

fn changes_of(before: &Tags<'_>, after: &Tags<'_>) -> Vec<ChangeKind> {
    let owner = |tags: &Tags<'_>, tag: &str| {
        tags.iter().find(|(_, of)| of.contains(tag)).map(|(digest, _)| (*digest).clone())
    };
    let none = BTreeSet::new();
    let mut kinds = Vec::new();
    for (digest, tags) in after {
        let had = before.get(*digest);
        let mut added = Vec::new();
        for tag in tags.difference(had.unwrap_or(&none)) {
            match owner(before, tag) {
                Some(from) => {
                    kinds.push(ChangeKind::TagMoved { tag: (*tag).to_owned(), from, to: (*digest).clone() })
                }
                None => added.push((*tag).to_owned()),
            }
        }
        if had.is_none() {
            kinds.push(ChangeKind::DigestAdded((*digest).clone()));
        } else if !added.is_empty() {
            kinds.push(ChangeKind::TagsAdded((*digest).clone(), added));
        }
    }
    for (digest, tags) in before {
        let has = after.get(*digest);
        let lost: Vec<String> = tags
            .difference(has.unwrap_or(&none))
            .filter(|tag| owner(after, tag).is_none())
            .map(|tag| (*tag).to_owned())
            .collect();
        if has.is_none() {
            kinds.push(ChangeKind::DigestRemoved((*digest).clone()));
        } else if !lost.is_empty() {
            kinds.push(ChangeKind::TagsRemoved((*digest).clone(), lost));
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(of: char) -> String {
        format!("sha256:{}", of.to_string().repeat(64))
    }

    /// `image digest-letter tag,tag` a line.
    fn manifest(lines: &str) -> Manifest {
        let mut manifest = Manifest { source: Some("h.example/from".to_owned()), ..Manifest::default() };
        for line in lines.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let tags = words.get(2).map_or(Vec::new(), |tags| tags.split(',').map(str::to_owned).collect());
            manifest.add("m.yaml", words[0], &digest(words[1].chars().next().unwrap()), tags);
        }
        manifest
    }

    #[test]
    fn what_changed_is_told() {
        for (base, head, expected) in [
            ("app a 1", "app a 1", ""),
            ("app a 1", "app a 1\napp b 2", "digest-added"),
            ("app a 1", "app a 1,1.0", "tags-added"),
            ("app a 1\napp b 2", "app b 2", "digest-removed"),
            ("app a 1,2", "app a 1", "tags-removed"),
            ("app a 1", "app b 1", "digest-added digest-removed tag-moved"),
            ("app a 1\napp b 2", "app a\napp b 1,2", "tag-moved"),
            ("app a 1", "app a 1\nother a 1", "digest-added"),
            ("app a 1\napp b 2", "app b 2\napp a 1", ""),
        ] {
            let kinds = changes(&[manifest(base)], &[manifest(head)]);
            let names: Vec<&str> = kinds.iter().map(|change| change.kind.name()).collect();
            assert_eq!(names.join(" "), expected, "{base:?} -> {head:?}");
        }
    }

    #[test]
    fn registries_and_whole_projects_are_compared_too() {
        let one = manifest("app a 1");
        let mut other = one.clone();
        other.destinations.push("h.example/to".to_owned());
        let names = |base: &[Manifest], head: &[Manifest]| {
            let changes = changes(base, head);
            changes.iter().map(|change| change.kind.name()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(std::slice::from_ref(&one), &[other]), "registries-touched");
        assert_eq!(names(std::slice::from_ref(&one), &[]), "registries-touched digest-removed");
        assert_eq!(names(&[], &[one]), "registries-touched digest-added");
    }

    #[test]
    fn faults_are_kept() {
        let mut manifest = manifest("app a 1");
        for (digest, tags, expected) in [
            ("sha256:12", vec![], "`app`: `sha256:12` is not a digest"),
            ("sha256:12\"", vec![], "is not a digest"),
            (&digest('A'), vec![], "is not a digest"),
            (&digest('a'), vec![], "lists sha256:aaaa"),
            (&digest('b'), vec!["1"], "gives the tag `1` to sha256:aaaa"),
            (&digest('c'), vec!["2", "2"], "lists the tag `2`"),
            (&digest('d'), vec!["-x"], "`-x` is not a tag"),
            (&digest('e'), vec![""], "`` is not a tag"),
        ] {
            let before = manifest.faults.len();
            manifest.add("m.yaml", "app", digest, tags.into_iter().map(str::to_owned).collect());
            let fault = manifest.faults.get(before).expect("there is a fault");
            assert!(fault.detail.contains(expected), "{}", fault.detail);
        }
    }
}
