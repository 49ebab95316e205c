//! Reading one payload of a bundle, and holding it to sizes and digests.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;

use super::export::Hashed;
use super::manifest::Item;
use super::{BundleError, Incoming};
use crate::snapshots::on;

/// Bytes that are copied at a time.
const BLOCK_BYTES: usize = 256 << 10;

/// Reads one payload to its end, into a new file or nowhere, and holds it to sizes and digests.
pub(super) fn unpack(
    incoming: &mut dyn Incoming,
    item: Item<'_>,
    to: Option<&Path>,
) -> Result<(), BundleError> {
    let file = to.map(|path| on("create", path, File::create(path))).transpose()?;
    let payload = item.payload;
    let damaged = |what: &str| BundleError::Damaged(format!("`{}` {what}", payload.entry));
    let mut stored = Hashed::new(incoming.payload(payload)?.take(payload.bytes.saturating_add(1)));
    if payload.is_compressed {
        let decoder = zstd::stream::read::Decoder::new(&mut stored).map_err(BundleError::Read)?;
        save(&mut decoder.single_frame(), item, &file, to)?;
    } else {
        save(&mut stored, item, &file, to)?;
    }
    // What follows the frame counts as well.
    io::copy(&mut stored, &mut io::sink()).map_err(BundleError::Read)?;
    if stored.bytes != payload.bytes {
        return Err(damaged("is not as long as it should be"));
    }
    if stored.sha256() != payload.sha256 {
        return Err(damaged("is not what was exported"));
    }
    match (&file, to) {
        (Some(file), Some(path)) => Ok(on("write", path, file.sync_all())?),
        _ => Ok(()),
    }
}

/// Writes the content of a payload.
fn save(
    from: &mut dyn Read,
    item: Item<'_>,
    file: &Option<File>,
    to: Option<&Path>,
) -> Result<(), BundleError> {
    let damaged = |what: &str| BundleError::Damaged(format!("`{}` {what}", item.payload.entry));
    let mut content = Hashed::new(from.take(item.bytes.saturating_add(1)));
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let count = match content.read(&mut block) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.get_ref().is_some_and(|cause| cause.is::<plimsoll_net::NetError>()) => {
                return Err(BundleError::Read(error));
            }
            // What zstd finds wrong has no kind of its own.
            Err(error) if item.payload.is_compressed && error.kind() == io::ErrorKind::Other => {
                return Err(damaged("cannot be inflated"));
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(damaged("ends too early"));
            }
            Err(error) => return Err(BundleError::Read(error)),
        };
        if let (Some(mut file), Some(path)) = (file.as_ref(), to) {
            on("write", path, file.write_all(block.get(..count).unwrap_or_default()))?;
        }
    }
    if content.bytes != item.bytes || content.sha256() != item.sha256 {
        return Err(damaged("is not what was exported"));
    }
    Ok(())
}
