//! The updates of one `updateinfo.xml`, one at a time.
//!
//! The format is described by those who write it only: createrepo_c's
//! <https://github.com/rpm-software-management/createrepo_c/blob/master/src/xml_dump_updateinfo.c>. What
//! surprises: an epoch is an attribute of its own, `0` or none meaning the same; a module stands in the
//! collection, before its packages; source packages are listed among the others.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::BufRead;

use super::xml::{Document, Element, Step};
use crate::feeds::{ParseError, text};

/// Most packages of one update. TeX Live, the source of the most, has some thousands for each architecture.
const PACKAGES_MAX: usize = 50_000;

/// Most references of one update. Kernel updates have some hundreds.
const REFERENCES_MAX: usize = 5_000;

/// How much of one text is enough, in bytes: no further piece is added. What is kept is shortened further.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// How much of an attribute of a reference is read, in bytes.
const REFERENCE_BYTES_MAX: usize = 2_048;

/// One `<update>`.
#[derive(Default)]
pub(super) struct Update {
    pub(super) id: String,
    /// `security`, `bugfix`, `enhancement`, `newpackage`.
    pub(super) kind: String,
    pub(super) title: String,
    pub(super) severity: String,
    pub(super) description: String,
    /// As it is written.
    pub(super) issued: String,
    /// As it is written.
    pub(super) updated: String,
    pub(super) references: Vec<Reference>,
    pub(super) packages: Vec<Package>,
    /// Why something of it was left out.
    pub(super) problems: BTreeSet<&'static str>,
}

/// One `<reference>`.
pub(super) struct Reference {
    pub(super) href: String,
    pub(super) id: String,
    /// `cve`, `bugzilla`, `self`.
    pub(super) kind: String,
    pub(super) title: String,
}

/// One `<package>`.
pub(super) struct Package {
    pub(super) name: String,
    /// Epoch, version and release.
    pub(super) version: String,
    pub(super) architecture: String,
    /// `nodejs:18`.
    pub(super) module: Option<String>,
}

/// Hands out each update.
pub(super) fn each_update<'a>(
    bytes: Box<dyn BufRead + 'a>,
    each: &mut dyn FnMut(Update),
) -> Result<(), ParseError> {
    let mut document = Document::new(bytes);
    let mut update = None;
    let mut place = Place::default();
    loop {
        match document.step()? {
            Step::Open(1, root) if root.name() != "updates" => {
                return Err(ParseError("its outermost element is not `updates`".to_owned()));
            }
            Step::Open(2, element) if element.name() == "update" => {
                place = Place::default();
                update = Some(Update { kind: element.attribute("type").into_owned(), ..Update::default() });
            }
            Step::Open(depth, element) => {
                if let Some(update) = &mut update {
                    open(update, &mut place, depth, &element);
                }
            }
            Step::Close(2) => {
                if let Some(update) = update.take() {
                    each(update);
                }
            }
            Step::Close(_) => place.field = Field::Other,
            Step::Text(piece) => {
                if let Some(update) = &mut update {
                    add(update, place.field, &piece);
                }
            }
            Step::Nothing => {}
            Step::End => return Ok(()),
        }
    }
}

/// Where in an update the reader is.
#[derive(Default)]
struct Place {
    field: Field,
    /// Module of the collection.
    module: Option<String>,
}

/// The child of an update whose text is being read.
#[derive(Clone, Copy, Default)]
enum Field {
    #[default]
    Other,
    Id,
    Title,
    Severity,
    Description,
}

fn open(update: &mut Update, place: &mut Place, depth: usize, element: &Element<'_>) {
    place.field = Field::Other;
    match (depth, element.name()) {
        (3, "id") => place.field = Field::Id,
        (3, "title") => place.field = Field::Title,
        (3, "severity") => place.field = Field::Severity,
        (3, "description") => place.field = Field::Description,
        (3, "issued") => update.issued = element.attribute("date").into_owned(),
        (3, "updated") => update.updated = element.attribute("date").into_owned(),
        (4, "reference") if update.references.len() < REFERENCES_MAX => {
            update.references.push(reference(element));
        }
        (4, "reference") => drop(update.problems.insert("it has more than 5000 references")),
        (4, "collection") => place.module = None,
        (5, "module") => match module(element) {
            Some(module) => place.module = Some(module),
            None => drop(update.problems.insert("a module has no usable name and stream")),
        },
        (5, "package") if update.packages.len() < PACKAGES_MAX => match package(element) {
            Some(package) => update.packages.push(Package { module: place.module.clone(), ..package }),
            None => drop(update.problems.insert("a package has no usable name or version")),
        },
        (5, "package") => drop(update.problems.insert("it has more than 50000 packages")),
        _ => {}
    }
}

fn add(update: &mut Update, field: Field, piece: &str) {
    let text = match field {
        Field::Other => return,
        Field::Id => &mut update.id,
        Field::Title => &mut update.title,
        Field::Severity => &mut update.severity,
        Field::Description => &mut update.description,
    };
    if text.len() < TEXT_BYTES_MAX {
        text.push_str(piece);
    }
}

fn reference(element: &Element<'_>) -> Reference {
    let values = element.values(["href", "id", "type", "title"]);
    let [href, id, kind, title] = values.map(|value| text::shortened(&value, REFERENCE_BYTES_MAX));
    Reference { href, id, kind, title }
}

fn module(element: &Element<'_>) -> Option<String> {
    let [name, stream] = element.values(["name", "stream"]);
    let is_usable = |part: &Cow<'_, str>| text::is_id(part) && !part.contains(':');
    (is_usable(&name) && is_usable(&stream)).then(|| format!("{name}:{stream}"))
}

/// Reads a package; whether its version follows rpm's scheme is for the sink to say.
fn package(element: &Element<'_>) -> Option<Package> {
    let [name, version, release, epoch, architecture] =
        element.values(["name", "version", "release", "epoch", "arch"]);
    let is_usable = text::is_package_name(&name) && text::is_id(&version) && text::is_id(&release);
    let version = match &*epoch {
        "" | "0" => format!("{version}-{release}"),
        epoch => format!("{}:{version}-{release}", text::shortened(epoch, 20)),
    };
    let architecture = text::shortened(&architecture, 40);
    is_usable.then(|| Package { name: name.into_owned(), version, architecture, module: None })
}
