//! Tars, whole layers and the documents of images. The first byte of a tar or layer says how the rest is wrapped.

use std::io::{self, Read, Write};
use std::time::Duration;

use plimsoll_image::layers::{Expected, Shared, read_layer};
use plimsoll_image::limits::Limits;
use plimsoll_image::open::documents::{Config, Document, Index};
use plimsoll_image::tar::{Archive, clean_path};

use crate::bytes::summed_tar;

/// How much of an entry's content is read; a sparse file claims any size in a few bytes.
const CONTENT_BYTES_MAX: u64 = 1 << 20;

/// Every entry and its content.
pub fn tar(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let bytes = if first % 2 == 0 { summed_tar(rest) } else { rest.to_vec() };
    let mut archive = Archive::new(bytes.as_slice());
    while let Ok(Some(header)) = archive.next_entry() {
        assert_eq!(clean_path(&header.path), header.path, "a path is clean");
        let content = io::copy(&mut (&mut archive).take(CONTENT_BYTES_MAX), &mut io::sink());
        assert!(content.is_err() || content.is_ok_and(|count| count == header.size.min(CONTENT_BYTES_MAX)));
    }
    let mut seekable = Archive::new(io::BufReader::new(io::Cursor::new(&bytes)));
    while let Ok(Some(_)) = seekable.next_entry() {
        if seekable.content_offset().is_err() || seekable.seek_past_content().is_err() {
            break;
        }
    }
}

/// A layer, with limits that small inputs reach.
pub fn layer(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let bytes = match first % 3 {
        0 => summed_tar(rest),
        1 => gzip(&summed_tar(rest)),
        _ => rest.to_vec(),
    };
    let limits = Limits {
        unpacked_bytes_max: 8 << 20,
        inflate_free_bytes: 1 << 20,
        entries_max: 500,
        whole_bytes_max: 256 << 10,
        held_bytes_max: 1 << 20,
        problems_max: 50,
        time_max: Duration::from_secs(60),
        ..Limits::default()
    };
    let expected = Expected { digest: None, diff_id: None, size: None };
    let mut open = || Ok(Box::new(io::Cursor::new(bytes.clone())) as Box<dyn Read + Send>);
    let pass = read_layer(&Shared::new(&limits), &expected, &mut open);
    assert!(pass.facts.problems.len() <= 2 * limits.problems_max + 2);
    plimsoll_image::merge::merge(&[(None, &pass.facts), (None, &pass.facts)], None);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("writing to memory cannot fail")
}

/// Manifests, indexes and configs.
pub fn image_documents(data: &[u8]) {
    for media_type in ["", "application/vnd.oci.image.manifest.v1+json"] {
        if let Ok(Document::Manifest(manifest)) = Document::parse(data, media_type) {
            manifest.artifact_kind();
        }
    }
    if let Ok(index) = serde_json::from_slice::<Index>(data) {
        for child in index.manifests {
            assert!(!(child.media_type.is_empty() && child.is_index()));
            child.is_attestation();
        }
    }
    if let Ok(config) = serde_json::from_slice::<Config>(data) {
        config.commands();
        drop(config.platform().to_string());
    }
}
