//! Writes zips, honest and hostile ones.

use libdeflater::{CompressionLvl, Compressor, crc32};

/// One entry; what is stated of it may be untrue.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) data: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) size: u32,
    pub(crate) crc: u32,
    /// Points to the local header of an earlier entry, and writes none.
    pub(crate) shares_with: Option<usize>,
}

pub(crate) fn stored(name: &str, content: &[u8]) -> Item {
    Item {
        name: name.into(),
        data: content.into(),
        method: 0,
        flags: 0,
        size: content.len() as u32,
        crc: crc32(content),
        shares_with: None,
    }
}

pub(crate) fn deflated(name: &str, content: &[u8]) -> Item {
    let mut compressor = Compressor::new(CompressionLvl::new(6).unwrap());
    let mut data = vec![0; compressor.deflate_compress_bound(content.len())];
    let length = compressor.deflate_compress(content, &mut data).unwrap();
    data.truncate(length);
    Item { data, method: 8, ..stored(name, content) }
}

/// What stands around the entries.
#[derive(Clone, Default)]
pub(crate) struct Frame {
    pub(crate) prefix: Vec<u8>,
    /// Whether the offsets count from the prefix's start.
    pub(crate) counts_prefix: bool,
    /// Whether all numbers stand in ZIP64 fields.
    pub(crate) is_wide: bool,
    pub(crate) comment: Vec<u8>,
}

pub(crate) fn zip(items: &[Item]) -> Vec<u8> {
    framed(items, &Frame::default())
}

pub(crate) fn framed(items: &[Item], frame: &Frame) -> Vec<u8> {
    let mut out = frame.prefix.clone();
    let base = if frame.counts_prefix { 0 } else { frame.prefix.len() };
    let mut directory = Vec::new();
    let mut offsets: Vec<usize> = Vec::new();
    for item in items {
        let offset = item.shares_with.map_or(out.len() - base, |index| offsets[index]);
        offsets.push(offset);
        let common = |out: &mut Vec<u8>, is_wide: bool| {
            let compressed = if is_wide { u32::MAX } else { item.data.len() as u32 };
            let size = if is_wide { u32::MAX } else { item.size };
            out.extend(item.flags.to_le_bytes());
            out.extend(item.method.to_le_bytes());
            out.extend([0; 4]);
            out.extend(item.crc.to_le_bytes());
            out.extend(compressed.to_le_bytes());
            out.extend(size.to_le_bytes());
            out.extend((item.name.len() as u16).to_le_bytes());
        };
        if item.shares_with.is_none() {
            out.extend(b"PK\x03\x04\x14\0");
            common(&mut out, false);
            out.extend([0; 2]);
            out.extend(item.name.as_bytes());
            out.extend(&item.data);
        }
        directory.extend(b"PK\x01\x02\x14\0\x14\0");
        common(&mut directory, frame.is_wide);
        directory.extend((if frame.is_wide { 28u16 } else { 0 }).to_le_bytes());
        directory.extend([0; 10]);
        let stated = if frame.is_wide { u32::MAX } else { offset as u32 };
        directory.extend(stated.to_le_bytes());
        directory.extend(item.name.as_bytes());
        if frame.is_wide {
            directory.extend([1, 0, 24, 0]);
            directory.extend(u64::from(item.size).to_le_bytes());
            directory.extend((item.data.len() as u64).to_le_bytes());
            directory.extend((offset as u64).to_le_bytes());
        }
    }
    let start = out.len() - base;
    out.extend(&directory);
    end(&mut out, items.len(), directory.len(), start, base, frame);
    out
}

fn end(out: &mut Vec<u8>, count: usize, size: usize, start: usize, base: usize, frame: &Frame) {
    if frame.is_wide {
        let record = out.len() - base;
        out.extend(b"PK\x06\x06");
        out.extend(44u64.to_le_bytes());
        out.extend([0; 12]);
        for number in [count, count, size, start] {
            out.extend((number as u64).to_le_bytes());
        }
        out.extend(b"PK\x06\x07\0\0\0\0");
        out.extend((record as u64).to_le_bytes());
        out.extend(1u32.to_le_bytes());
    }
    let narrow = |number: usize| if frame.is_wide { u32::MAX } else { number as u32 };
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend((narrow(count) as u16).to_le_bytes());
    out.extend((narrow(count) as u16).to_le_bytes());
    out.extend(narrow(size).to_le_bytes());
    out.extend(narrow(start).to_le_bytes());
    out.extend((frame.comment.len() as u16).to_le_bytes());
    out.extend(&frame.comment);
}
