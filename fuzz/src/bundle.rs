//! Bundles of feeds. The input is a bundle, an export of Clair's updaters, or a manifest, a zero byte and the payloads
//! one behind the other.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;

use plimsoll_feeds::bundle::{
    BundleError, Head, ImportOptions, ImportReport, Incoming, Manifest, Payload, PublicKey, TarBundle,
    import, import_stream, inspect,
};
use sha2::{Digest, Sha256};

use crate::place::empty_folder;

/// The bundle of the test data, and the key that it is signed with.
const SIGNED: &str = "../crates/plimsoll-feeds/testdata/bundles/kev.bundle";
const KEY: &str = "../crates/plimsoll-feeds/testdata/bundles/ours.pub";

/// When all of it is imported: after the signed one was made.
const NOW: &str = "2027-01-01T00:00:00Z";

/// A manifest with any payloads.
struct Pieces<'a> {
    head: Head,
    rest: &'a [u8],
}

impl Incoming for Pieces<'_> {
    fn head(&mut self) -> Result<Head, BundleError> {
        Ok(self.head.clone())
    }

    fn payload<'a>(&'a mut self, payload: &Payload) -> Result<Box<dyn Read + 'a>, BundleError> {
        let (payload, rest) = cut(self.rest, payload.bytes);
        self.rest = rest;
        Ok(Box::new(payload))
    }

    fn end(&mut self) -> Result<(), BundleError> {
        Ok(())
    }
}

/// A bundle, read to its end into nothing and then into data directories.
pub fn bundle(data: &[u8]) {
    if let Ok(manifest) = inspect(&mut TarBundle::new(data)) {
        assert_eq!(Manifest::read(&manifest.bytes()).ok(), Some(manifest));
    }
    let of_key = into_new_directory(|options| {
        let options = ImportOptions { keys: vec![key().clone()], allows_unsigned: false, ..options };
        import_stream(&options, data, now(), &mut |_| {})
    });
    let is_signed = of_key.is_ok_and(|report| report.id.as_deref() != Some(signed_id()));
    assert!(!is_signed, "the key signed one bundle alone");
    drop(into_new_directory(|options| import_stream(&options, data, now(), &mut |_| {})));
    pieces(data);
}

/// Imports a manifest and payloads twice, which must do nothing the second time. Digests and the id are set right, since
/// random bytes never have them.
fn pieces(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (text, rest) = data.split_at(end);
    let rest = rest.get(1..).unwrap_or_default();
    let Ok(mut manifest) = serde_json::from_slice::<Manifest>(text) else { return };
    set_right(&mut manifest, rest);
    let head = Head { manifest: manifest.bytes(), signature: None };
    drop(inspect(&mut Pieces { head: head.clone(), rest }));
    drop(into_new_directory(|options| {
        let once = || import(&options, &mut Pieces { head: head.clone(), rest }, now(), &mut |_| {});
        let first = once()?;
        let second = once();
        assert!(second.is_ok(), "{first:?}, then {second:?}");
        second
    }));
}

fn set_right(manifest: &mut Manifest, mut rest: &[u8]) {
    let parts = manifest.feeds.iter_mut().flat_map(|feed| &mut feed.parts);
    let parts = parts.map(|part| (&mut part.payload, &mut part.bytes, &mut part.sha256));
    let database = manifest.database.iter_mut();
    let database = database.map(|entry| (&mut entry.payload, &mut entry.bytes, &mut entry.sha256));
    let files = manifest.files.iter_mut();
    let files = files.map(|file| (&mut file.payload, &mut file.bytes, &mut file.sha256));
    for (payload, bytes, sha256) in parts.chain(database).chain(files) {
        let Some(payload) = payload else { continue };
        let content;
        (content, rest) = cut(rest, payload.bytes);
        let digest = Sha256::digest(content);
        payload.bytes = content.len() as u64;
        payload.sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        if !payload.is_compressed {
            (*bytes, *sha256) = (payload.bytes, payload.sha256.clone());
        }
    }
    manifest.id = manifest.right_id();
}

fn cut(bytes: &[u8], length: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len()))
}

/// Hands out a directory that nothing is in, and holds that nothing came to lie beside it.
fn into_new_directory(
    import: impl FnOnce(ImportOptions) -> Result<ImportReport, BundleError>,
) -> Result<ImportReport, BundleError> {
    let root = empty_folder("bundle");
    let result = import(ImportOptions {
        data_dir: root.join("data"),
        keys: Vec::new(),
        allows_unsigned: true,
        allows_older: false,
        off: BTreeSet::new(),
        waits_for_others: false,
    });
    let names =
        fs::read_dir(&root).expect("it is there").map(|entry| entry.expect("it is listed").file_name());
    assert!(names.into_iter().all(|name| name == "data"), "something lies beside the data directory");
    result
}

fn now() -> jiff::Timestamp {
    NOW.parse().expect("it is a time")
}

fn key() -> &'static PublicKey {
    static READ: OnceLock<PublicKey> = OnceLock::new();
    READ.get_or_init(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(KEY);
        PublicKey::read(&path).expect("the test data has it")
    })
}

fn signed_id() -> &'static str {
    static READ: OnceLock<String> = OnceLock::new();
    READ.get_or_init(|| {
        let bytes =
            fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(SIGNED)).expect("the test data has it");
        inspect(&mut TarBundle::new(bytes.as_slice())).expect("it is a bundle").id
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_right_comes_in() {
        let bytes =
            fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(SIGNED)).expect("the test data has it");
        bundle(&bytes);
        let mut manifest = inspect(&mut TarBundle::new(bytes.as_slice())).expect("it is a bundle");
        manifest.feeds.remove(0);
        manifest.database = None;
        let part = &mut manifest.feeds[0].parts[0];
        let payload = part.payload.as_mut().expect("it is raw");
        (payload.is_compressed, payload.bytes) = (false, 1000);
        let document = br#"{"vulnerabilities": []}"#;
        set_right(&mut manifest, document);
        let head = Head { manifest: manifest.bytes(), signature: None };
        let report = into_new_directory(|options| {
            import(&options, &mut Pieces { head, rest: document }, now(), &mut |_| {})
        });
        assert!(report.is_ok_and(|report| report.feeds.len() == 1));
    }
}
