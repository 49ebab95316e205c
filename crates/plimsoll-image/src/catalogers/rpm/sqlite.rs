//! SQLite, `rpmdb.sqlite`, which rpm knows since 4.16 (Fedora, RHEL 9, Azure Linux).
//!
//! Only as much of SQLite's file format (<https://www.sqlite.org/fileformat2.html>) as it takes to walk two
//! tables: `Packages` has a row per package, its second column being the header blob; `Name` names the
//! packages and serves as a check that none was missed. Indexes, views and SQL are not touched.
//!
//! What surprises: the number of a package is the row's id and stands in no column.

use std::collections::BTreeSet;

use super::{Blob, ByteOrder, Each, Problem, index, u16_at, u32_at};

const MAGIC: &[u8] = b"SQLite format 3\0";
const FILE_HEADER_BYTES: usize = 100;
const PAGE_BYTES_MIN: usize = 512;
const USABLE_BYTES_MIN: usize = 480;

const TABLE_INTERIOR: u8 = 0x05;
const TABLE_LEAF: u8 = 0x0d;

/// Columns of a row that are looked at; the tables here have five at most.
const COLUMNS_MAX: usize = 5;

/// Whether the file says that it is of this format.
pub fn is_one(database: &[u8]) -> bool {
    database.starts_with(MAGIC)
}

/// Finds the header blobs of a database.
pub fn read(database: &[u8], each: Each<'_>) {
    let mut tables = match Tables::of(database, each) {
        Ok(tables) => tables,
        Err(problem) => return each(Err(problem)),
    };
    let (mut packages, mut names) = (None, None);
    tables.rows(1, each, &mut |row, _| {
        if let [Value::Bytes(b"table"), Value::Bytes(name), _, Value::Number(root), ..] =
            row.columns.as_slice()
        {
            let root = u32::try_from(*root).unwrap_or(0);
            match *name {
                b"Packages" => packages = Some(root),
                b"Name" => names = Some(root),
                _ => {}
            }
        }
    });
    let Some(packages) = packages else {
        return each(Err(Problem::unreadable("the SQLite database has no table `Packages`")));
    };
    let mut seen = BTreeSet::new();
    tables.rows(packages, each, &mut |row, each| {
        seen.insert(row.id);
        match row.columns.get(1) {
            Some(Value::Bytes(bytes)) => each(Ok(Blob { number: row.id, bytes })),
            _ => each(Err(Problem::unreadable(format!("package record {} has no header", row.id)))),
        }
    });
    let mut missed = BTreeSet::new();
    if let Some(names) = names {
        tables.rows(names, each, &mut |row, _| {
            if let Some(Value::Number(package)) = row.columns.get(1)
                && !seen.contains(package)
            {
                missed.insert(*package);
            }
        });
    }
    if let Some(first) = missed.first() {
        each(Err(Problem::unreadable(format!(
            "packages that the table `Name` lists have no record: {}, the first being number {first}",
            missed.len()
        ))));
    }
}

/// A row of a table.
struct Row<'a> {
    id: u64,
    columns: Vec<Value<'a>>,
}

/// A value of a column, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Value<'a> {
    /// A number; a negative one is out of range for all that is asked here and reads as its bits.
    Number(u64),
    /// A text or a blob.
    Bytes(&'a [u8]),
    /// Null or a fraction.
    Other,
}

/// Takes a row; problems of its own go to the second argument.
type EachRow<'f> = &'f mut dyn FnMut(Row<'_>, Each<'_>);

/// The tables of a database.
struct Tables<'a> {
    database: &'a [u8],
    page_bytes: usize,
    /// Bytes of a page that tables may use.
    usable_bytes: usize,
    /// For each page whether it has been read. A page belongs to one table and one row, so that neither a loop
    /// nor a shared page can make the work larger than the file.
    is_read: Vec<bool>,
}

impl<'a> Tables<'a> {
    fn of(database: &'a [u8], each: Each<'_>) -> Result<Tables<'a>, Problem> {
        let page_bytes = match u16_at(database, 16, ByteOrder::Big) {
            Some(1) => 1 << 16,
            stated => stated.map_or(0, usize::from),
        };
        let reserved_bytes = database.get(20).copied().map_or(0, usize::from);
        let usable_bytes = page_bytes.saturating_sub(reserved_bytes);
        if !page_bytes.is_power_of_two() || page_bytes < PAGE_BYTES_MIN || usable_bytes < USABLE_BYTES_MIN {
            return Err(Problem::unreadable(format!("{page_bytes} bytes is no page size of SQLite")));
        }
        let field = |at| u32_at(database, at, ByteOrder::Big).unwrap_or(0);
        // The number of pages is stated by newer versions alone, which say so by these two being the same.
        let is_count_stated = field(24) == field(92);
        let (stated, count) = (index(field(28)), database.len() / page_bytes);
        if !database.len().is_multiple_of(page_bytes) || (is_count_stated && stated > count) {
            each(Err(Problem::unreadable(format!(
                "the database states {stated} pages of {page_bytes} bytes and has {} bytes",
                database.len()
            ))));
        }
        Ok(Tables { database, page_bytes, usable_bytes, is_read: vec![false; count] })
    }

    /// A page, once.
    fn page(&mut self, number: u32) -> Result<&'a [u8], String> {
        let at = index(number).checked_sub(1).ok_or("there is no page 0")?;
        let start = at.saturating_mul(self.page_bytes);
        let page = self
            .database
            .get(start..start.saturating_add(self.page_bytes))
            .ok_or_else(|| format!("page {number} is not in the file"))?;
        match self.is_read.get_mut(at) {
            Some(is_read) if !*is_read => *is_read = true,
            _ => return Err(format!("page {number} is in use already")),
        }
        page.get(..self.usable_bytes).ok_or_else(|| format!("page {number} is cut off"))
    }

    /// Walks the table whose root is a page, in the order of the rows.
    fn rows(&mut self, root: u32, each: Each<'_>, each_row: EachRow<'_>) {
        let mut pages = vec![root];
        let mut buffer = Vec::new();
        // Every page is read once, so this ends.
        while let Some(number) = pages.pop() {
            let read = self.page(number).and_then(|page| {
                let tree = TreePage::of(number, page)
                    .ok_or_else(|| format!("page {number} is no page of a table"))?;
                if tree.is_leaf {
                    self.leaf(&tree, &mut buffer, each, each_row);
                    Ok(())
                } else {
                    tree.children(&mut pages)
                }
            });
            if let Err(detail) = read {
                each(Err(Problem::unreadable(format!("a table of the SQLite database: {detail}"))));
            }
        }
    }

    fn leaf(&mut self, tree: &TreePage<'_>, buffer: &mut Vec<u8>, each: Each<'_>, each_row: EachRow<'_>) {
        // Cells do not overlap. This keeps such a page from being read over and over.
        let mut bytes_left = tree.bytes.len();
        for cell in 0..tree.cells {
            let row =
                tree.cell(cell).ok_or_else(|| "it does not lie on its page".to_owned()).and_then(|bytes| {
                    let (id, payload) = self.payload(bytes, &mut bytes_left, buffer)?;
                    let columns =
                        columns(payload).ok_or_else(|| format!("row {id} does not follow the format"))?;
                    Ok(Row { id, columns })
                });
            match row {
                Ok(row) => each_row(row, each),
                Err(detail) => {
                    each(Err(Problem::unreadable(format!("cell {cell} of page {}: {detail}", tree.number))));
                }
            }
        }
    }

    /// The id and the record of a cell, the record being put together in the buffer if it continues on
    /// overflow pages (*Cell Payload Overflow Pages* in the specification).
    fn payload<'b>(
        &mut self,
        cell: &'b [u8],
        bytes_left: &mut usize,
        buffer: &'b mut Vec<u8>,
    ) -> Result<(u64, &'b [u8]), String> {
        let head = varint(cell).and_then(|(length, rest)| Some((length, varint(rest)?)));
        let (length, (id, rest)) = head.ok_or("its head is cut off")?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let local_max = self.usable_bytes - 35;
        let local = if length <= local_max {
            length
        } else {
            let part = self.usable_bytes - 4;
            let local_min = (self.usable_bytes - 12) * 32 / 255 - 23;
            let local = local_min + (length - local_min) % part;
            if local <= local_max { local } else { local_min }
        };
        let payload = rest.get(..local).ok_or_else(|| format!("row {id} is cut off"))?;
        *bytes_left = bytes_left.checked_sub(local).ok_or_else(|| format!("row {id} overlaps others"))?;
        if local == length {
            return Ok((id, payload));
        }
        buffer.clear();
        buffer.extend_from_slice(payload);
        let mut next = u32_at(rest, local, ByteOrder::Big).ok_or_else(|| format!("row {id} is cut off"))?;
        while buffer.len() < length {
            let page = self.page(next).map_err(|detail| format!("row {id}: {detail}"))?;
            let (head, part) = page.split_at_checked(4).unwrap_or_default();
            buffer.extend_from_slice(part.get(..length - buffer.len()).unwrap_or(part));
            next = u32_at(head, 0, ByteOrder::Big).unwrap_or(0);
        }
        if next != 0 {
            return Err(format!("row {id} goes on beyond its {length} bytes"));
        }
        Ok((id, buffer))
    }
}

/// A page of a table's tree.
struct TreePage<'a> {
    number: u32,
    is_leaf: bool,
    cells: usize,
    /// Where the offsets of the cells start.
    offsets_start: usize,
    bytes: &'a [u8],
}

impl<'a> TreePage<'a> {
    fn of(number: u32, bytes: &'a [u8]) -> Option<TreePage<'a>> {
        let start = if number == 1 { FILE_HEADER_BYTES } else { 0 };
        let (is_leaf, header_bytes) = match *bytes.get(start)? {
            TABLE_LEAF => (true, 8),
            TABLE_INTERIOR => (false, 12),
            _ => return None,
        };
        let cells = usize::from(u16_at(bytes, start + 3, ByteOrder::Big)?);
        Some(TreePage { number, is_leaf, cells, offsets_start: start + header_bytes, bytes })
    }

    /// A cell and what follows it on the page.
    fn cell(&self, cell: usize) -> Option<&'a [u8]> {
        let offset = u16_at(self.bytes, self.offsets_start + cell * 2, ByteOrder::Big)?;
        self.bytes.get(usize::from(offset)..)
    }

    /// Puts the pages below this one on a stack, the leftmost on top.
    fn children(&self, pages: &mut Vec<u32>) -> Result<(), String> {
        let rightmost = u32_at(self.bytes, self.offsets_start - 4, ByteOrder::Big);
        pages.extend(rightmost);
        let mut lost = 0;
        for cell in (0..self.cells).rev() {
            match self.cell(cell).and_then(|bytes| u32_at(bytes, 0, ByteOrder::Big)) {
                Some(page) => pages.push(page),
                None => lost += 1,
            }
        }
        if lost == 0 {
            Ok(())
        } else {
            Err(format!("{lost} pages below page {} cannot be found", self.number))
        }
    }
}

/// The first columns of a record (*Record Format* in the specification).
fn columns(record: &[u8]) -> Option<Vec<Value<'_>>> {
    let (header_bytes, _) = varint(record)?;
    let (header, mut body) = record.split_at_checked(usize::try_from(header_bytes).ok()?)?;
    let (_, mut types) = varint(header)?;
    let mut columns = Vec::with_capacity(COLUMNS_MAX);
    while !types.is_empty() && columns.len() < COLUMNS_MAX {
        let (kind, rest) = varint(types)?;
        types = rest;
        let bytes = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            _ => (kind - 12) / 2,
        };
        let (value, rest) = body.split_at_checked(usize::try_from(bytes).ok()?)?;
        body = rest;
        columns.push(match kind {
            0 | 7 => Value::Other,
            8 => Value::Number(0),
            9 => Value::Number(1),
            1..=6 => Value::Number(value.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))),
            _ => Value::Bytes(value),
        });
    }
    Some(columns)
}

/// A number of one to nine bytes and what follows it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        if at == 8 {
            return Some((number << 8 | u64::from(*byte), &bytes[9..]));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[at + 1..]));
        }
    }
    None
}
