//! Bundles of feeds. The input is a bundle, or a manifest, a zero byte and the payloads one behind the other.

use std::io::Read;

use plimsoll_feeds::bundle::{BundleError, Head, Incoming, Manifest, Payload, TarBundle, inspect};

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
        let length = usize::try_from(payload.bytes).unwrap_or(usize::MAX).min(self.rest.len());
        let (payload, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(Box::new(payload))
    }

    fn end(&mut self) -> Result<(), BundleError> {
        Ok(())
    }
}

/// A bundle, read to its end into nothing. The id of a manifest is set right, since random bytes never have it.
pub fn bundle(data: &[u8]) {
    if let Ok(manifest) = inspect(&mut TarBundle::new(data)) {
        assert_eq!(Manifest::read(&manifest.bytes()).ok(), Some(manifest));
    }
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (text, rest) = data.split_at(end);
    let Ok(mut manifest) = serde_json::from_slice::<Manifest>(text) else { return };
    manifest.id = manifest.right_id();
    let head = Head { manifest: manifest.bytes(), signature: None };
    drop(inspect(&mut Pieces { head, rest: rest.get(1..).unwrap_or_default() }));
}
