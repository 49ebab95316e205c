//! What `docker save` writes: a tar with `manifest.json`, configs and unpacked layers.
//!
//! Its layers are known by the digest of what they unpack to, which the config states; that is what they are
//! held against. Format: Docker image specification 1.2, "Combined Image JSON + Filesystem Changeset Format".

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use plimsoll_core::digest::Digest;
use plimsoll_core::image::{Image, Layer};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::documents::{Config, Descriptor};
use super::tar_file::TarFile;
use super::{OpenError, Opened, OpenedImage, Selection, Store};
use crate::limits::Limits;

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "Config")]
    config: String,
    #[serde(rename = "RepoTags", default)]
    tags: Option<Vec<String>>,
    #[serde(rename = "Layers", default)]
    layers: Vec<String>,
}

/// Opens an image in an archive.
pub fn open(
    reference: &str,
    file: &Path,
    selection: &Selection,
    limits: &Limits,
) -> Result<Opened, OpenError> {
    let archive = TarFile::index(file, limits)?;
    let bytes = small(&archive, "manifest.json", limits)?;
    let malformed = |what: &str, detail: String| OpenError::Malformed { what: format!("`{what}`"), detail };
    let entries: Vec<Entry> =
        serde_json::from_slice(&bytes).map_err(|error| malformed("manifest.json", error.to_string()))?;
    let entry = select(reference, &entries, selection)?;
    let bytes = small(&archive, &entry.config, limits)?;
    let config: Config =
        serde_json::from_slice(&bytes).map_err(|error| malformed(&entry.config, error.to_string()))?;
    let diff_ids = &config.rootfs.diff_ids;
    if diff_ids.len() != entry.layers.len() || entry.layers.len() > limits.layers_max {
        let detail = format!(
            "its config lists {} layers and `manifest.json` {} (at most {})",
            diff_ids.len(),
            entry.layers.len(),
            limits.layers_max
        );
        return Err(malformed(reference, detail));
    }
    let commands = config.commands();
    let mut paths = HashMap::new();
    let mut layers = Vec::new();
    let mut descriptors = Vec::new();
    for (index, (diff_id, path)) in diff_ids.iter().zip(&entry.layers).enumerate() {
        let size = member_size(&archive, path)?;
        const MEDIA_TYPE: &str = "application/vnd.docker.image.rootfs.diff.tar";
        layers.push(Layer {
            digest: diff_id.clone(),
            diff_id: Some(diff_id.clone()),
            media_type: MEDIA_TYPE.to_owned(),
            size,
            created_by: commands.get(index).cloned().flatten(),
        });
        descriptors.push(Descriptor::new(MEDIA_TYPE, diff_id.clone(), size));
        paths.insert(diff_id.clone(), path.clone());
    }
    let image = Image {
        reference: reference.to_owned(),
        digest: None,
        config_digest: Some(Digest::sha256(&Sha256::digest(&bytes).into())),
        platform: config.platform(),
        layers,
    };
    let images = vec![OpenedImage { image, layers: descriptors, gaps: Vec::new() }];
    Ok(Opened { images, store: Box::new(Saved { archive, paths }) })
}

fn select<'a>(reference: &str, entries: &'a [Entry], selection: &Selection) -> Result<&'a Entry, OpenError> {
    let tags = |entry: &'a Entry| entry.tags.iter().flatten();
    let found = match selection {
        Selection::Only if entries.len() == 1 => entries.first(),
        Selection::Only => None,
        Selection::Tag(tag) => entries.iter().find(|entry| {
            tags(entry).any(|name| {
                // `1`, and `ship:1` of `docker.io/harbour/ship:1`, which some tools write out.
                name == tag || name.strip_suffix(tag.as_str()).is_some_and(|rest| rest.ends_with([':', '/']))
            })
        }),
        Selection::Digest(digest) => entries.iter().find(|entry| entry.config.contains(digest.hex())),
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = entries.iter().flat_map(tags).map(String::as_str).collect();
        let detail = match (entries.len(), names.is_empty()) {
            (0, _) => "the archive has none".to_owned(),
            (_, true) => "the archive has nothing with a name".to_owned(),
            (_, false) => format!("the archive has `{}`; name one behind a colon", names.join("`, `")),
        };
        OpenError::NotFound { what: format!("the image that `{reference}` means"), detail }
    })
}

fn small(archive: &TarFile, name: &str, limits: &Limits) -> Result<Vec<u8>, OpenError> {
    let max = limits.document_bytes_max;
    let (size, member) = member(archive, name)?;
    if size > max {
        let detail = format!("it is larger than {max} bytes (document_bytes_max)");
        return Err(OpenError::Mismatch { what: format!("`{name}`"), detail });
    }
    let mut bytes = Vec::new();
    member
        .take(max)
        .read_to_end(&mut bytes)
        .map_err(|source| OpenError::Io { path: name.to_owned(), source })?;
    Ok(bytes)
}

fn member_size(archive: &TarFile, name: &str) -> Result<u64, OpenError> {
    Ok(member(archive, name)?.0)
}

fn member(archive: &TarFile, name: &str) -> Result<(u64, Box<dyn Read + Send>), OpenError> {
    let path = archive.path().display();
    match archive.open(name) {
        Ok(Some(member)) => Ok(member),
        Ok(None) => Err(OpenError::NotFound {
            what: format!("`{name}` in `{path}`"),
            detail: "this is not what `docker save` writes, or it is cut off".to_owned(),
        }),
        Err(source) => Err(OpenError::Io { path: path.to_string(), source }),
    }
}

/// The layers of a saved image, by what they unpack to.
struct Saved {
    archive: TarFile,
    paths: HashMap<Digest, String>,
}

impl Store for Saved {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, OpenError> {
        self.blob(descriptor)
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, OpenError> {
        let name = self.paths.get(&descriptor.digest).map_or("", String::as_str);
        Ok(member(&self.archive, name)?.1)
    }

    fn layers_are_by_diff_id(&self) -> bool {
        true
    }
}
