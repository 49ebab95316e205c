//! Checks of manifests: `manifest.*` of their text, `diff.*` of what a change does.
//!
//! What surprises: a removed line and a change of registries refuse, since neither needs a new image and both change
//! what production runs.

use super::{Check, Outcome, Weight};
use crate::promotion::{Change, ChangeKind, Fault, FaultKind};

/// One kind of fault: the check, its kind, and what holds where there is none.
static OF_TEXT: [(&str, FaultKind, &str); 3] = [
    ("manifest.duplicate", FaultKind::Duplicate, "nothing is listed twice"),
    (
        "manifest.scope",
        FaultKind::Scope,
        "every image is below its project, every project has both of its files",
    ),
    ("manifest.syntax", FaultKind::Syntax, "every digest and every tag follows the grammar"),
];

/// One kind of change: the check, what a change of the kind means, and whether a change is of it.
type OfChange = (&'static str, Weight, fn(&ChangeKind) -> bool, &'static str);

static OF_CHANGE: [OfChange; 4] = [
    (
        "diff.registries-touched",
        Weight::Refuse,
        |kind| matches!(kind, ChangeKind::RegistriesTouched),
        "registries are as they were",
    ),
    (
        "diff.removed",
        Weight::Refuse,
        |kind| matches!(kind, ChangeKind::DigestRemoved(_) | ChangeKind::TagsRemoved(..)),
        "nothing is removed",
    ),
    ("diff.tag-moved", Weight::Refuse, |kind| matches!(kind, ChangeKind::TagMoved { .. }), "no tag is moved"),
    (
        "diff.tag-only",
        Weight::Inform,
        |kind| matches!(kind, ChangeKind::TagsAdded(..)),
        "no digest gets a further tag",
    ),
];

pub(super) fn checks(faults: &[Fault], changes: Option<&[Change]>, count: usize) -> Vec<Check> {
    let mut checks = Vec::new();
    for (id, weight, is_it, well) in OF_CHANGE {
        let Some(changes) = changes else { continue };
        let found: Vec<String> = changes.iter().filter(|one| is_it(&one.kind)).map(described).collect();
        let (outcome, detail) = match found.is_empty() {
            true => (Outcome::Pass, well.to_owned()),
            false => (Outcome::Fail, found.join("; ")),
        };
        checks.push(Check { id, outcome, weight, detail });
    }
    for (id, kind, well) in OF_TEXT {
        let of_kind = faults.iter().filter(|fault| fault.kind == kind);
        let found: Vec<String> = of_kind.map(|fault| format!("`{}`: {}", fault.file, fault.detail)).collect();
        let (outcome, detail) = match found.is_empty() {
            true => (Outcome::Pass, format!("{well} ({count} lines)")),
            false => (Outcome::Fail, found.join("; ")),
        };
        checks.push(Check { id, outcome, weight: Weight::Refuse, detail });
    }
    checks
}

fn described(change: &Change) -> String {
    let image = &change.image;
    let tags = |tags: &[String]| tags.iter().map(|tag| format!("`{tag}`")).collect::<Vec<_>>().join(", ");
    match &change.kind {
        ChangeKind::DigestAdded(digest) => format!("`{image}` {digest} is new"),
        ChangeKind::TagsAdded(digest, added) => format!("`{image}` {digest} gets {}", tags(added)),
        ChangeKind::DigestRemoved(digest) => format!("`{image}` {digest} is not listed any more"),
        ChangeKind::TagsRemoved(digest, lost) => format!("`{image}` {digest} loses {}", tags(lost)),
        ChangeKind::TagMoved { tag, from, to } => format!("`{image}:{tag}` was {from} and is {to}"),
        ChangeKind::RegistriesTouched => match change.project.as_str() {
            "" => "the registries are others than before".to_owned(),
            project => format!("the registries of `{project}` are others than before"),
        },
    }
}
