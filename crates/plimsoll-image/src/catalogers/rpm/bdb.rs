//! Berkeley DB's hash format, `Packages`: what rpm wrote before SQLite (RHEL 8 and older, Amazon Linux 2).
//!
//! The file is pages of one size. Hash pages hold pairs of key and value from their end downwards; a value
//! that is too large for a page is a chain of overflow pages. Keys are package numbers, values header blobs;
//! number 0 is rpm's counter. Layouts are those of Berkeley DB's `src/dbinc/db_page.h`.
//!
//! What surprises: the pages are read in the order of the file, not bucket by bucket. Every pair is on some
//! hash page and pages that are given back become free pages, so nothing is missed and nothing is read
//! twice, and a damaged table of buckets costs no package. The byte order is that of the machine that wrote
//! the file.

use super::{Blob, ByteOrder, Each, Problem, index, u16_at, u32_at};

const MAGIC: u32 = 0x0006_1561;
const PAGE_BYTES_MIN: usize = 512;
const PAGE_BYTES_MAX: usize = 64 << 10;
const PAGE_HEADER_BYTES: usize = 26;

const PAGE_FREE: u8 = 0;
const PAGE_HASH_UNSORTED: u8 = 2;
const PAGE_OVERFLOW: u8 = 7;
const PAGE_HASH: u8 = 13;

const ITEM_INLINE: u8 = 1;
const ITEM_OFF_PAGE: u8 = 3;

/// Whether the file says that it is of this format.
pub fn is_one(database: &[u8]) -> bool {
    byte_order(database).is_some()
}

fn byte_order(database: &[u8]) -> Option<ByteOrder> {
    [ByteOrder::Little, ByteOrder::Big].into_iter().find(|order| u32_at(database, 12, *order) == Some(MAGIC))
}

/// Finds the header blobs of a database.
pub fn read(database: &[u8], each: Each<'_>) {
    let mut pages = match Pages::of(database, each) {
        Ok(pages) => pages,
        Err(problem) => return each(Err(problem)),
    };
    let mut buffer = Vec::new();
    for (number, page) in database.chunks_exact(pages.page_bytes).enumerate().skip(1) {
        let kind = page.get(25).copied().unwrap_or(PAGE_FREE);
        let stated = u32_at(page, 8, pages.order).map_or(0, index);
        if kind != PAGE_FREE && stated != number {
            each(Err(Problem::unreadable(format!("page {number} says that it is page {stated}"))));
        }
        match kind {
            PAGE_HASH | PAGE_HASH_UNSORTED => pages.hash_page(number, page, &mut buffer, each),
            PAGE_FREE | PAGE_OVERFLOW => {}
            _ => each(Err(Problem::unreadable(format!(
                "page {number} is of the unknown kind {kind}; the packages on it are lost"
            )))),
        }
    }
    let orphans = pages.orphans();
    if orphans > 0 {
        each(Err(Problem::unreadable(format!(
            "{orphans} pages hold parts of packages that no record names"
        ))));
    }
}

/// The pages of a database.
struct Pages<'a> {
    database: &'a [u8],
    order: ByteOrder,
    page_bytes: usize,
    /// For each page whether a value has used it as an overflow page. A page belongs to one value, so that
    /// neither a loop nor a shared page can make the work larger than the file.
    is_used: Vec<bool>,
}

impl<'a> Pages<'a> {
    fn of(database: &'a [u8], each: Each<'_>) -> Result<Pages<'a>, Problem> {
        let order = byte_order(database)
            .ok_or_else(|| Problem::unreadable("it is not a Berkeley DB hash database"))?;
        let page_bytes = u32_at(database, 20, order).map_or(0, index);
        if !page_bytes.is_power_of_two() || !(PAGE_BYTES_MIN..=PAGE_BYTES_MAX).contains(&page_bytes) {
            return Err(Problem::unreadable(format!("{page_bytes} bytes is no page size of Berkeley DB")));
        }
        if database.get(24) != Some(&0) {
            return Err(Problem::unreadable("the Berkeley DB database is encrypted"));
        }
        let last = u32_at(database, 32, order).map_or(0, index);
        let count = database.len() / page_bytes;
        // A file that is longer than stated is no loss: all of its pages are read.
        if last >= count || !database.len().is_multiple_of(page_bytes) {
            each(Err(Problem::unreadable(format!(
                "the database states {} pages of {page_bytes} bytes and has {} bytes",
                last.saturating_add(1),
                database.len()
            ))));
        }
        Ok(Pages { database, order, page_bytes, is_used: vec![false; count] })
    }

    fn page(&self, number: usize) -> Option<&'a [u8]> {
        let start = number.checked_mul(self.page_bytes)?;
        self.database.get(start..start.checked_add(self.page_bytes)?)
    }

    /// Overflow pages that no value has used.
    fn orphans(&self) -> usize {
        let is_orphan = |number: usize, is_used: bool| {
            !is_used && self.page(number).and_then(|page| page.get(25)) == Some(&PAGE_OVERFLOW)
        };
        self.is_used.iter().enumerate().skip(1).filter(|(number, used)| is_orphan(*number, **used)).count()
    }

    /// Reads the pairs of a hash page.
    fn hash_page(&mut self, number: usize, page: &[u8], buffer: &mut Vec<u8>, each: Each<'_>) {
        let entries = u16_at(page, 20, self.order).map_or(0, usize::from);
        if !entries.is_multiple_of(2) {
            each(Err(Problem::unreadable(format!("page {number} has a key without a value"))));
        }
        // Offsets fall from item to item. Where they do not, items overlap; this keeps such a page from being
        // read over and over.
        let mut bytes_left = self.page_bytes;
        for pair in 0..entries / 2 {
            let (key, value) = (self.item(page, pair * 2), self.item(page, pair * 2 + 1));
            let read = match (key, value) {
                (Some(key), Some(value)) if key.len() + value.len() <= bytes_left => {
                    bytes_left -= key.len() + value.len();
                    self.pair(key, value, buffer, each)
                }
                _ => Err("it does not lie on its page".to_owned()),
            };
            if let Err(detail) = read {
                each(Err(Problem::unreadable(format!("record {pair} of page {number}: {detail}"))));
            }
        }
    }

    /// The bytes of an item, from its own offset to that of the item before.
    fn item<'p>(&self, page: &'p [u8], item: usize) -> Option<&'p [u8]> {
        let offset = |item: usize| u16_at(page, PAGE_HEADER_BYTES + item * 2, self.order).map(usize::from);
        let end = match item.checked_sub(1) {
            Some(before) => offset(before)?,
            None => self.page_bytes,
        };
        let start = offset(item).filter(|start| *start >= PAGE_HEADER_BYTES)?;
        page.get(start..end).filter(|bytes| !bytes.is_empty())
    }

    fn pair(&mut self, key: &[u8], value: &[u8], buffer: &mut Vec<u8>, each: Each<'_>) -> Result<(), String> {
        let number = match key {
            [ITEM_INLINE, number @ ..] if number.len() == 4 => u32_at(number, 0, self.order).unwrap_or(0),
            _ => return Err("its key is not a package number".to_owned()),
        };
        match value {
            // rpm's counter.
            [ITEM_INLINE, count @ ..] if number == 0 && count.len() == 4 => {}
            [ITEM_INLINE, blob @ ..] => each(Ok(Blob { number: number.into(), bytes: blob })),
            [ITEM_OFF_PAGE, ..] if value.len() == 12 => {
                let field = |at| u32_at(value, at, self.order).map_or(0, index);
                let (first, length) = (field(4), field(8));
                self.gather(first, length, buffer)
                    .map_err(|detail| format!("package record {number}: {detail}"))?;
                each(Ok(Blob { number: number.into(), bytes: buffer }));
            }
            _ => return Err(format!("package record {number} is stored in an unknown way")),
        }
        Ok(())
    }

    /// Puts a chain of overflow pages together.
    fn gather(&mut self, first: usize, length: usize, buffer: &mut Vec<u8>) -> Result<(), String> {
        buffer.clear();
        let mut number = first;
        while number != 0 {
            let page = self.page(number).ok_or_else(|| format!("page {number} is not in the file"))?;
            if page.get(25) != Some(&PAGE_OVERFLOW) {
                return Err(format!("page {number} does not continue it"));
            }
            match self.is_used.get_mut(number) {
                Some(is_used) if !*is_used => *is_used = true,
                _ => return Err(format!("page {number} is in use already")),
            }
            let bytes = u16_at(page, 22, self.order).map_or(0, usize::from);
            let part = page.get(PAGE_HEADER_BYTES..PAGE_HEADER_BYTES + bytes);
            buffer.extend_from_slice(part.ok_or_else(|| format!("page {number} states too many bytes"))?);
            number = u32_at(page, 16, self.order).map_or(0, index);
        }
        if buffer.len() == length {
            Ok(())
        } else {
            Err(format!("{length} bytes are stated, {} are there", buffer.len()))
        }
    }
}
