//! Manifests of what is to be promoted: kpromo's, thick and thin, and our own short list.
//!
//! kpromo's formats are those of `promo-tools` (`promoter/image/schema`): YAML, unknown and duplicate keys are errors.
//! What surprises: thin manifests are two files a project, at a fixed depth: `manifests/PROJECT/promoter-manifest.yaml`
//! with the registries, which few may change, and `images/PROJECT/images.yaml` with the images. Ours has one digest a
//! line:
//!
//! ```text
//! # what ships
//! from registry.example/staging
//! to registry.example/production
//! harbour/app sha256:.. 1.0 1.0.3
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::bail;
use plimsoll_core::promotion::{Fault, FaultKind, Manifest};
use plimsoll_image::open::registry::reference::RepositoryName;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::files::Files;

/// Where the two files of a thin manifest are, below the folder.
const REGISTRIES: [&str; 2] = ["manifests", "promoter-manifest.yaml"];
const IMAGES: [&str; 2] = ["images", "images.yaml"];

/// Most lines that are read, of all manifests together.
const LINES_MAX: usize = 200_000;

/// Deepest aliases in YAML: manifests have none.
const ALIASES_MAX: usize = 100;

/// What is asked for, as it was typed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A thick manifest: registries and images in one file.
    Thick,
    /// A folder of thin manifests.
    Thin,
    /// Our own list.
    List,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Thick {
    registries: Vec<Registry>,
    images: Vec<Image>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registries {
    registries: Vec<Registry>,
    /// Deprecated, and means nothing.
    #[serde(rename = "imagesPath", default)]
    _images_path: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registry {
    name: String,
    #[serde(default)]
    src: bool,
    /// Who kpromo once signed in as.
    #[serde(rename = "service-account", default)]
    _service_account: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Image {
    name: String,
    /// Tags by digest.
    #[serde(default)]
    dmap: BTreeMap<String, Vec<String>>,
}

/// Reads the manifests of one argument. A file that is named and not there is an error only on disk: a base commit may
/// not have it yet.
pub(crate) fn read(kind: Kind, path: &Path, files: &Files) -> anyhow::Result<Vec<Manifest>> {
    let manifests = match kind {
        Kind::Thin => thin(path, files)?,
        Kind::Thick | Kind::List => match files.read(path)? {
            Some(bytes) => vec![one_file(kind, &path.display().to_string(), &bytes)],
            None if files.commit().is_some() => Vec::new(),
            None => bail!("there is no file `{}`", path.display()),
        },
    };
    let count: usize = manifests.iter().map(|manifest| manifest.lines.len()).sum();
    if count > LINES_MAX {
        bail!("`{}` lists {count} digests, more than {LINES_MAX}", path.display());
    }
    Ok(manifests)
}

/// A manifest that is one text, by the name that it has in reports.
pub(crate) fn one_file(kind: Kind, file: &str, bytes: &[u8]) -> Manifest {
    let mut manifest = Manifest::default();
    match kind {
        Kind::List => list(&mut manifest, file, bytes),
        Kind::Thick | Kind::Thin => {
            if let Some(thick) = yaml::<Thick>(&mut manifest, file, bytes) {
                registries(&mut manifest, file, thick.registries);
                images(&mut manifest, file, thick.images);
            }
        }
    }
    manifest
}

fn thin(folder: &Path, files: &Files) -> anyhow::Result<Vec<Manifest>> {
    let mut projects = BTreeSet::new();
    for [place, _] in [REGISTRIES, IMAGES] {
        projects.extend(files.names(&folder.join(place))?);
    }
    if projects.is_empty() && files.commit().is_none() {
        let (folder, [registries, _], [images, _]) = (folder.display(), REGISTRIES, IMAGES);
        bail!("`{folder}` has no thin manifests: there is nothing in `{registries}` and `{images}` below it");
    }
    let mut manifests = Vec::new();
    for project in projects {
        let [of_registries, of_images] = names_of(&project);
        let read = |name: &str| files.read(&folder.join(name));
        match (read(&of_registries)?, read(&of_images)?) {
            // A folder with neither is somebody else's.
            (None, None) => continue,
            (first, second) => manifests.push(project_of(&project, first.as_deref(), second.as_deref())),
        }
    }
    Ok(manifests)
}

/// What the two files of a project are called below the folder.
pub(crate) fn names_of(project: &str) -> [String; 2] {
    [REGISTRIES, IMAGES].map(|[place, name]| [place, project, name].join("/"))
}

/// A thin manifest: its registries and its images, as far as each is there.
pub(crate) fn project_of(project: &str, of_registries: Option<&[u8]>, of_images: Option<&[u8]>) -> Manifest {
    let mut manifest = Manifest { project: project.to_owned(), ..Manifest::default() };
    let [registries_name, images_name] = names_of(project);
    for (name, is_there) in [(&registries_name, of_registries.is_some()), (&images_name, of_images.is_some())]
    {
        if !is_there {
            let detail = "it is not there, and the project's other file is".to_owned();
            manifest.faults.push(Fault { kind: FaultKind::Scope, file: name.clone(), detail });
        }
    }
    let read = of_registries.and_then(|bytes| yaml::<Registries>(&mut manifest, &registries_name, bytes));
    if let Some(read) = read {
        registries(&mut manifest, &registries_name, read.registries);
    }
    if let Some(read) = of_images.and_then(|bytes| yaml::<Vec<Image>>(&mut manifest, &images_name, bytes)) {
        images(&mut manifest, &images_name, read);
    }
    manifest
}

fn yaml<T: DeserializeOwned>(manifest: &mut Manifest, file: &str, bytes: &[u8]) -> Option<T> {
    let budget = serde_saphyr::budget! { max_aliases: ALIASES_MAX };
    let options = serde_saphyr::options! { budget: budget };
    match serde_saphyr::from_slice_with_options(bytes, options) {
        Ok(read) => Some(read),
        Err(error) => {
            let place = error.location().map_or(String::new(), |place| format!("line {}: ", place.line()));
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            let fault = format!("{place}{}", first.chars().take(300).collect::<String>());
            manifest.faults.push(Fault { kind: FaultKind::Syntax, file: file.to_owned(), detail: fault });
            None
        }
    }
}

fn registries(manifest: &mut Manifest, file: &str, registries: Vec<Registry>) {
    let mut fault = |detail: String| {
        manifest.faults.push(Fault { kind: FaultKind::Syntax, file: file.to_owned(), detail });
    };
    let sources = registries.iter().filter(|registry| registry.src).count();
    if sources != 1 {
        fault(format!("{sources} registries have `src: true`; exactly one is where images come from"));
    }
    if registries.len() <= sources {
        fault("no registry is one to promote to".to_owned());
    }
    for registry in registries {
        if registry.src {
            manifest.source.get_or_insert(registry.name);
        } else {
            manifest.destinations.push(registry.name);
        }
    }
}

fn images(manifest: &mut Manifest, file: &str, images: Vec<Image>) {
    let mut known = BTreeSet::new();
    for image in images {
        if !known.insert(image.name.clone()) {
            let detail = format!("`{}` is listed twice", image.name);
            manifest.faults.push(Fault { kind: FaultKind::Duplicate, file: file.to_owned(), detail });
        }
        if !scope(manifest, file, &image.name) {
            continue;
        }
        for (digest, tags) in image.dmap {
            manifest.add(file, &image.name, &digest, tags);
        }
    }
}

/// Whether an image's name makes a repository below every prefix of its project.
fn scope(manifest: &mut Manifest, file: &str, image: &str) -> bool {
    let prefixes = manifest.source.iter().chain(&manifest.destinations);
    let bad = prefixes
        .map(|prefix| format!("{prefix}/{image}"))
        .find(|name| name.parse::<RepositoryName>().is_err());
    let Some(bad) = bad else { return true };
    let detail = format!("`{}` is not a repository", bad.escape_default());
    manifest.faults.push(Fault { kind: FaultKind::Scope, file: file.to_owned(), detail });
    false
}

/// Our own list.
fn list(manifest: &mut Manifest, file: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for (at, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        let known = manifest.faults.len();
        match words[..] {
            [] => {}
            ["from", prefix] if manifest.source.is_none() => manifest.source = Some(prefix.to_owned()),
            ["to", prefix] => manifest.destinations.push(prefix.to_owned()),
            [image, digest, ref tags @ ..] if !["from", "to"].contains(&image) => {
                if scope(manifest, file, image) {
                    let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
                    manifest.add(file, image, digest, tags);
                }
            }
            _ => {
                let detail = "write `from PREFIX` once, `to PREFIX`, or `IMAGE DIGEST [TAG ..]`".to_owned();
                manifest.faults.push(Fault { kind: FaultKind::Syntax, file: file.to_owned(), detail });
            }
        }
        for fault in manifest.faults.iter_mut().skip(known) {
            fault.detail = format!("line {}: {}", at + 1, fault.detail);
        }
    }
    if manifest.source.is_none() {
        let detail = "there is no line `from PREFIX`, which says where images come from".to_owned();
        manifest.faults.push(Fault { kind: FaultKind::Syntax, file: file.to_owned(), detail });
    }
}

#[cfg(test)]
mod tests;
