//! OCI image layouts: a directory, or a tar of one.
//!
//! Format: OCI image specification, `image-layout.md`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use plimsoll_core::digest::Digest;

use super::documents::{Descriptor, Index};
use super::tar_file::TarFile;
use super::{OpenError, Opened, PlatformChoice, Selection, Store, resolve};
use crate::limits::Limits;

/// The annotation that names an image in a layout.
const NAME: &str = "org.opencontainers.image.ref.name";

/// Opens images in a layout directory.
pub fn open_directory(
    reference: &str,
    directory: &Path,
    selection: &Selection,
    choice: &PlatformChoice,
    limits: &Limits,
) -> Result<Opened, OpenError> {
    open(reference, Files::Directory(directory.to_owned()), selection, choice, limits)
}

/// Opens images in a tar of a layout.
pub fn open_archive(
    reference: &str,
    file: &Path,
    selection: &Selection,
    choice: &PlatformChoice,
    limits: &Limits,
) -> Result<Opened, OpenError> {
    open(reference, Files::Archive(TarFile::index(file, limits)?), selection, choice, limits)
}

fn open(
    reference: &str,
    files: Files,
    selection: &Selection,
    choice: &PlatformChoice,
    limits: &Limits,
) -> Result<Opened, OpenError> {
    let bytes = files.small("index.json", limits)?;
    let index: Index = serde_json::from_slice(&bytes).map_err(|error| OpenError::Malformed {
        what: format!("`index.json` of `{reference}`"),
        detail: error.to_string(),
    })?;
    let top = select(reference, &files, index.manifests, selection)?;
    resolve(Box::new(files), reference, &top, choice, limits)
}

/// Picks what a reference means among what `index.json` names.
fn select(
    reference: &str,
    files: &Files,
    manifests: Vec<Descriptor>,
    selection: &Selection,
) -> Result<Vec<Descriptor>, OpenError> {
    let names = || {
        let mut names: Vec<&str> =
            manifests.iter().filter_map(|m| m.annotations.get(NAME)).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() { "nothing with a name".to_owned() } else { format!("`{}`", names.join("`, `")) }
    };
    let not_found = || OpenError::NotFound {
        what: format!("`{reference}`"),
        detail: format!("the layout has {}", names()),
    };
    match selection {
        Selection::Digest(digest) => match manifests.iter().find(|m| m.digest == *digest) {
            Some(descriptor) => Ok(vec![descriptor.clone()]),
            // A child of an index stands in the layout without being named in `index.json`.
            None => match files.open(&blob_path(digest)).map_err(|source| files.io(source))? {
                Some((size, _)) => Ok(vec![Descriptor::new("", digest.clone(), size)]),
                None => Err(not_found()),
            },
        },
        Selection::Tag(tag) => {
            let named: Vec<Descriptor> =
                manifests.iter().filter(|m| m.annotations.get(NAME) == Some(tag)).cloned().collect();
            if named.is_empty() { Err(not_found()) } else { Ok(named) }
        }
        Selection::Only => {
            let images: Vec<Descriptor> = manifests.iter().filter(|m| !m.is_attestation()).cloned().collect();
            let mut distinct: Vec<Option<&String>> = images.iter().map(|m| m.annotations.get(NAME)).collect();
            distinct.sort_unstable();
            distinct.dedup();
            match (images.len(), distinct.len()) {
                (0, _) => Err(OpenError::NotFound {
                    what: format!("an image in `{reference}`"),
                    detail: "its `index.json` names none".to_owned(),
                }),
                (_, 1) => Ok(images),
                _ => Err(OpenError::BadReference {
                    reference: reference.to_owned(),
                    reason: format!("the layout has several images; add one of {} behind a colon", names()),
                }),
            }
        }
    }
}

fn blob_path(digest: &Digest) -> String {
    let algorithm = digest.as_str().split_once(':').map_or("sha256", |(algorithm, _)| algorithm);
    format!("blobs/{algorithm}/{}", digest.hex())
}

/// The files of a layout.
enum Files {
    Directory(PathBuf),
    Archive(TarFile),
}

impl Files {
    /// Opens a file and tells its size; `None` if there is none.
    fn open(&self, name: &str) -> io::Result<Option<(u64, Box<dyn Read + Send>)>> {
        match self {
            Files::Archive(archive) => archive.open(name),
            Files::Directory(directory) => match File::open(directory.join(name)) {
                Ok(file) => Ok(Some((file.metadata()?.len(), Box::new(file)))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    fn small(&self, name: &str, limits: &Limits) -> Result<Vec<u8>, OpenError> {
        let Some((size, file)) = self.open(name).map_err(|source| self.io(source))? else {
            return Err(OpenError::NotFound {
                what: format!("`{name}` in `{}`", self.path().display()),
                detail: "this is not an OCI image layout".to_owned(),
            });
        };
        let max = limits.document_bytes_max;
        if size > max {
            let detail = format!("it is larger than {max} bytes (document_bytes_max)");
            return Err(OpenError::Mismatch { what: format!("`{name}`"), detail });
        }
        let mut bytes = Vec::new();
        file.take(max).read_to_end(&mut bytes).map_err(|source| self.io(source))?;
        Ok(bytes)
    }

    fn path(&self) -> &Path {
        match self {
            Files::Directory(directory) => directory,
            Files::Archive(archive) => archive.path(),
        }
    }

    fn io(&self, source: io::Error) -> OpenError {
        OpenError::Io { path: self.path().display().to_string(), source }
    }
}

impl Store for Files {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, OpenError> {
        self.blob(descriptor)
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, OpenError> {
        let path = blob_path(&descriptor.digest);
        match self.open(&path).map_err(|source| self.io(source))? {
            Some((_, file)) => Ok(file),
            None => Err(OpenError::NotFound {
                what: format!("blob {}", descriptor.digest),
                detail: format!("`{path}` is not in `{}`", self.path().display()),
            }),
        }
    }
}
