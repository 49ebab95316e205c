//! NDB, `Packages.db`: rpm's own format, used by SUSE.
//!
//! A header of 32 bytes, then 16-byte *slots* up to the end of the slot pages, then blobs in blocks of 16
//! bytes. A slot says at which block a package's blob starts and how many blocks it takes. A blob has a head
//! of 16 bytes, which repeats the package's number, and a tail of 12 with a checksum. Everything is
//! little-endian. The layout is that of rpm's `lib/backend/ndb/rpmpkg.c`.
//!
//! What surprises: a slot of a deleted package is all zeros but for its magic; the blob itself stays.

use std::collections::BTreeSet;

use super::{Blob, ByteOrder, Each, Problem, index, u32_at};

const MAGIC: &[u8] = b"RpmP";
const SLOT_MAGIC: &[u8] = b"Slot";
const BLOB_MAGIC: &[u8] = b"BlbS";
const TAIL_MAGIC: &[u8] = b"BlbE";

const HEADER_BYTES: usize = 32;
const SLOT_BYTES: usize = 16;
const PAGE_BYTES: usize = 4096;
const BLOCK_BYTES: usize = 16;
const HEAD_BYTES: usize = 16;
const TAIL_BYTES: usize = 12;

/// Whether the file says that it is of this format.
pub fn is_one(database: &[u8]) -> bool {
    database.starts_with(MAGIC)
}

/// Finds the header blobs of a database.
pub fn read(database: &[u8], each: Each<'_>) {
    let (Some(version), Some(slot_pages)) = (field(database, 4), field(database, 12)) else {
        return each(Err(Problem::unreadable("the NDB database ends within its header")));
    };
    if version != 0 {
        return each(Err(Problem::unreadable(format!("version {version} of NDB is not known"))));
    }
    let slots_end = index(slot_pages).saturating_mul(PAGE_BYTES);
    let slots = database.get(HEADER_BYTES..slots_end.min(database.len())).unwrap_or_default();
    let rest = database.get(slots_end..).unwrap_or_default();
    if slots_end > database.len() || slot_pages == 0 || rest.starts_with(SLOT_MAGIC) {
        each(Err(Problem::unreadable(format!(
            "the NDB database states {slot_pages} pages of slots, which does not fit its {} bytes",
            database.len()
        ))));
    }
    let mut space = Space { starts: BTreeSet::new(), bytes_left: database.len() };
    for (number, slot) in slots.chunks_exact(SLOT_BYTES).enumerate() {
        if let Err(detail) = read_slot(database, slot, &mut space, each) {
            each(Err(Problem::unreadable(format!("slot {number}: {detail}"))));
        }
    }
}

/// Which of the file the blobs so far take. Blobs do not overlap; this keeps a thousand slots that share one
/// from being a thousand readings, and tells of a slot that was overwritten with another.
struct Space {
    /// The block where each starts.
    starts: BTreeSet<u32>,
    bytes_left: usize,
}

impl Space {
    fn take(&mut self, block: u32, bytes: usize) -> bool {
        let bytes_left = self.bytes_left.checked_sub(bytes);
        self.bytes_left = bytes_left.unwrap_or(0);
        bytes_left.is_some() && self.starts.insert(block)
    }
}

fn read_slot(database: &[u8], slot: &[u8], space: &mut Space, each: Each<'_>) -> Result<(), String> {
    if !slot.starts_with(SLOT_MAGIC) {
        return Err("it is not a slot".to_owned());
    }
    let [package, block, blocks] = [4, 8, 12].map(|at| field(slot, at).unwrap_or(0));
    if [package, block, blocks] == [0; 3] {
        return Ok(());
    }
    let start = index(block).saturating_mul(BLOCK_BYTES);
    let bytes = index(blocks).saturating_mul(BLOCK_BYTES);
    let blob = database
        .get(start..start.saturating_add(bytes))
        .ok_or_else(|| format!("package record {package} is not in the file"))?;
    if !blob.starts_with(BLOB_MAGIC) || field(blob, 4) != Some(package) {
        return Err(format!("package record {package} is not at its place"));
    }
    if !space.take(block, bytes) {
        return Err(format!("package record {package} shares its place with others"));
    }
    let length = field(blob, 12).map_or(0, index);
    let tail_start = blob.len().checked_sub(TAIL_BYTES);
    let header = HEAD_BYTES.checked_add(length).and_then(|end| blob.get(HEAD_BYTES..end));
    let (Some(header), Some((body, tail))) = (header, tail_start.and_then(|at| blob.split_at_checked(at)))
    else {
        return Err(format!("package record {package} is longer than its place"));
    };
    if body.len() < HEAD_BYTES + length {
        return Err(format!("package record {package} is longer than its place"));
    }
    each(Ok(Blob { number: package.into(), bytes: header }));
    let is_whole = tail.ends_with(TAIL_MAGIC) && field(tail, 4).map(index) == Some(length);
    if is_whole && field(tail, 0) == Some(adler32(body)) {
        Ok(())
    } else {
        Err(format!("package record {package} does not fit its checksum; what it says may be wrong"))
    }
}

fn field(bytes: &[u8], offset: usize) -> Option<u32> {
    u32_at(bytes, offset, ByteOrder::Little)
}

/// Adler-32 (RFC 1950, section 8.2).
fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65521;
    // The most bytes after which neither sum can have overflowed.
    const RUN: usize = 5552;
    let (mut low, mut high) = (1_u32, 0_u32);
    for run in bytes.chunks(RUN) {
        for byte in run {
            low += u32::from(*byte);
            high += low;
        }
        low %= MODULUS;
        high %= MODULUS;
    }
    high << 16 | low
}
