//! Reading a registry hive, over bytes and without copying them.
//!
//! Format: <https://github.com/msuhanov/regf/blob/master/Windows%20registry%20file%20format%20specification.md>. A hive is a
//! *base block* of 4096 bytes and *cells* behind it, which name each other by their distance from the base block's end.
//! Keys are `nk` cells, values `vk` cells; a key's subkeys are in lists (`lf`, `lh`, `li`), which may stand in a list of
//! lists (`ri`); a value of more than 16,344 bytes is in pieces (`db`).
//!
//! What surprises:
//! - opening looks at the base block alone, whatever the hive's size: everything else is read where it is asked for;
//! - the root key is wherever the base block says, and neither its name nor its flags are what other readers demand: hives
//!   that a container's layers have are written by a library that leaves the flag of a root away;
//! - in a *differencing* hive keys and values carry marks that say what becomes of those below it;
//! - a checksum that is wrong, or a hive that was not written to its end, is told and no reason to refuse it.

use std::fmt;

/// Largest hive that is read, in bytes.
pub const HIVE_BYTES_MAX: usize = 512 << 20;
/// Largest value that is read, in bytes.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Most subkeys of one key that are listed. Servicing's list of packages has some ten thousand.
pub const SUBKEYS_MAX: usize = 1 << 20;
/// Most values of one key that are listed.
pub const VALUES_MAX: usize = 1 << 16;
/// How deep lists of subkeys may stand in each other. The format has two.
const LISTS_DEPTH_MAX: usize = 4;

/// Bytes of the base block.
const BASE_BYTES: usize = 4096;
/// Bytes of data that one piece of a large value has.
const PIECE_BYTES: usize = 16_344;
/// What an offset says that points nowhere.
const NOWHERE: u32 = u32::MAX;

/// Something in a hive is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at {at:#x}")]
pub struct HiveError {
    /// What is wrong.
    pub what: &'static str,
    /// Where, in bytes from the beginning of the file.
    pub at: usize,
    /// Whether it is no damage but a named limit.
    pub is_limit: bool,
}

impl HiveError {
    fn damage(what: &'static str, at: usize) -> HiveError {
        HiveError { what, at, is_limit: false }
    }

    fn limit(what: &'static str, at: usize) -> HiveError {
        HiveError { what, at, is_limit: true }
    }
}

/// An open hive.
#[derive(Clone, Copy)]
pub struct Hive<'b> {
    bytes: &'b [u8],
    root: u32,
    is_dirty: bool,
    has_right_sum: bool,
    /// Whether large values stand in pieces: from version 1.4 on.
    has_pieces: bool,
}

impl fmt::Debug for Hive<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hive").field("bytes", &self.bytes.len()).field("root", &self.root).finish()
    }
}

/// What a key of a differencing hive says of the same key in the hives below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Semantics {
    /// What is below shows where this key says nothing.
    Merge,
    /// The key is gone, with all that is below it.
    Tombstone,
    /// The values of the key below do not show; the keys below it do.
    SupersedeLocal,
    /// Nothing below shows.
    SupersedeTree,
}

/// Is given keys, and says whether to go on.
pub type EachKey<'f, 'b> = &'f mut dyn FnMut(Result<Key<'b>, HiveError>) -> bool;

/// A key.
#[derive(Clone, Copy, Debug)]
pub struct Key<'b> {
    hive: Hive<'b>,
    /// Where its cell begins in the file, and the cell.
    at: usize,
    cell: &'b [u8],
}

/// A value of a key.
#[derive(Clone, Copy, Debug)]
pub struct Value<'b> {
    hive: Hive<'b>,
    at: usize,
    cell: &'b [u8],
}

impl<'b> Hive<'b> {
    /// Opens a hive. Only its base block is looked at.
    pub fn open(bytes: &'b [u8]) -> Result<Hive<'b>, HiveError> {
        if bytes.len() > HIVE_BYTES_MAX {
            return Err(HiveError::limit("the hive is larger than what is read", 0));
        }
        if bytes.get(..4) != Some(b"regf") {
            return Err(HiveError::damage("it does not begin as a registry hive does", 0));
        }
        let base = bytes.get(..BASE_BYTES).ok_or(HiveError::damage("the base block is cut short", 0))?;
        let number = |at| u32_at(base, at).ok_or(HiveError::damage("the base block is cut short", at));
        if number(20)? != 1 || !(3..=6).contains(&number(24)?) {
            return Err(HiveError::damage("it is of a version that is not known", 20));
        }
        let sum = base
            .get(..508)
            .unwrap_or_default()
            .chunks_exact(4)
            .fold(0, |sum, word| sum ^ u32::from_le_bytes(word.try_into().unwrap_or_default()));
        let sum = match sum {
            0 => 1,
            NOWHERE => NOWHERE - 1,
            sum => sum,
        };
        Ok(Hive {
            bytes,
            root: number(36)?,
            is_dirty: number(4)? != number(8)?,
            has_right_sum: number(508)? == sum,
            has_pieces: number(24)? > 3,
        })
    }

    /// Whether the base block has the checksum that it says.
    pub fn has_right_sum(&self) -> bool {
        self.has_right_sum
    }

    /// Whether it was not written to its end, so that its log may know better.
    pub fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// The root key.
    pub fn root(&self) -> Result<Key<'b>, HiveError> {
        Key::at(*self, self.root)
    }

    /// The key with a path, parts joined by `\`, in whatever letters; `None` where there is none.
    pub fn key(&self, path: &str) -> Result<Option<Key<'b>>, HiveError> {
        let mut key = self.root()?;
        for name in path.split('\\').filter(|name| !name.is_empty()) {
            match key.subkey(name)? {
                Some(next) => key = next,
                None => return Ok(None),
            }
        }
        Ok(Some(key))
    }

    /// A cell by its offset: where its content begins in the file, and the content.
    fn cell(&self, offset: u32) -> Result<(usize, &'b [u8]), HiveError> {
        let at = usize::try_from(offset).ok().and_then(|offset| offset.checked_add(BASE_BYTES));
        let at = at.ok_or(HiveError::damage("an offset is too large", 0))?;
        let outside = HiveError::damage("a cell lies outside of the hive", at);
        let rest = self.bytes.get(at..).ok_or(outside.clone())?;
        let size = i32_at(rest, 0).ok_or(outside.clone())?;
        // A cell in use has a negative size.
        let length = usize::try_from(size.unsigned_abs()).unwrap_or(usize::MAX);
        if size >= 0 || length < 8 {
            return Err(HiveError::damage("a cell that is pointed to is not in use", at));
        }
        Ok((at, rest.get(4..length).ok_or(outside)?))
    }
}

impl<'b> Key<'b> {
    fn at(hive: Hive<'b>, offset: u32) -> Result<Key<'b>, HiveError> {
        let (at, cell) = hive.cell(offset)?;
        if cell.get(..2) != Some(b"nk") || cell.len() < 76 {
            return Err(HiveError::damage("there is no key", at));
        }
        Ok(Key { hive, at, cell })
    }

    fn number(&self, at: usize) -> u32 {
        // A key's cell has at least 76 bytes.
        u32_at(self.cell, at).unwrap_or_default()
    }

    /// Its name.
    pub fn name(&self) -> Result<String, HiveError> {
        Ok(text(self.stored_name()?, self.is_latin()))
    }

    fn stored_name(&self) -> Result<&'b [u8], HiveError> {
        let length = usize::from(u16_at(self.cell, 72).unwrap_or_default());
        self.cell.get(76..76 + length).ok_or(HiveError::damage("a key's name is cut short", self.at))
    }

    fn is_latin(&self) -> bool {
        u16_at(self.cell, 2).unwrap_or_default() & 0x20 != 0
    }

    /// Whether that is its name, in whatever letters.
    fn is_named(&self, name: &str) -> Result<bool, HiveError> {
        Ok(is_named(self.stored_name()?, self.is_latin(), name))
    }

    /// What it says of the same key in the hives below.
    pub fn semantics(&self) -> Semantics {
        match self.cell.get(13).copied().unwrap_or_default() & 0b11 {
            0 => Semantics::Merge,
            1 => Semantics::Tombstone,
            2 => Semantics::SupersedeLocal,
            _ => Semantics::SupersedeTree,
        }
    }

    /// The key below it with a name, in whatever letters. Where there is none, and a key below cannot be read, it may be that
    /// one, which is an error.
    pub fn subkey(&self, name: &str) -> Result<Option<Key<'b>>, HiveError> {
        let (mut found, mut failure) = (None, None);
        self.each_subkey(&mut |key| {
            match key.and_then(|key| Ok(key.is_named(name)?.then_some(key))) {
                Ok(key) => found = key,
                Err(error) => failure = failure.take().or(Some(error)),
            }
            found.is_none()
        })?;
        match (found, failure) {
            (None, Some(error)) => Err(error),
            (found, _) => Ok(found),
        }
    }

    /// Hands out the keys below it until told `false`, in the order in which they lie, each as far as it can be read. The
    /// error is of the list of them.
    pub fn each_subkey(&self, each: EachKey<'_, 'b>) -> Result<(), HiveError> {
        let (count, list) = (self.number(20), self.number(28));
        if count == 0 {
            return Ok(());
        }
        let mut listed = 0_u32;
        let mut counted = |key: Result<Key<'b>, HiveError>| {
            listed = listed.saturating_add(1);
            each(key)
        };
        let mut left = SUBKEYS_MAX;
        let was_all = self.list(list, 0, &mut left, &mut counted)?;
        match was_all && listed != count {
            true => {
                Err(HiveError::damage("a key says that it has more or fewer keys than are listed", self.at))
            }
            false => Ok(()),
        }
    }

    /// Whether to go on.
    fn list(
        &self,
        offset: u32,
        depth: usize,
        left: &mut usize,
        each: EachKey<'_, 'b>,
    ) -> Result<bool, HiveError> {
        let (at, cell) = self.hive.cell(offset)?;
        if depth > LISTS_DEPTH_MAX {
            return Err(HiveError::limit("lists of keys stand in each other too deep", at));
        }
        let count = usize::from(u16_at(cell, 2).unwrap_or_default());
        let (width, is_of_lists) = match cell.get(..2) {
            Some(b"lf" | b"lh") => (8, false),
            Some(b"li") => (4, false),
            Some(b"ri") => (4, true),
            _ => return Err(HiveError::damage("there is no list of keys", at)),
        };
        let entries = cell.get(4..4 + count * width);
        let entries = entries.ok_or(HiveError::damage("a list of keys is cut short", at))?;
        for entry in entries.chunks_exact(width) {
            let offset = u32_at(entry, 0).unwrap_or(NOWHERE);
            *left =
                left.checked_sub(1).ok_or(HiveError::limit("a key has too many keys below it", self.at))?;
            let goes_on = match is_of_lists {
                true => self.list(offset, depth + 1, left, each)?,
                false => each(Key::at(self.hive, offset)),
            };
            if !goes_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Its values, in the order in which they lie, each as far as it can be read. The error is of the list of them.
    pub fn values(&self) -> Result<impl Iterator<Item = Result<Value<'b>, HiveError>> + use<'b>, HiveError> {
        let hive = self.hive;
        let count = usize::try_from(self.number(36)).unwrap_or(usize::MAX);
        let offsets: &[u8] = match count {
            0 => &[],
            count if count > VALUES_MAX => {
                return Err(HiveError::limit("a key has too many values", self.at));
            }
            count => {
                let (at, cell) = hive.cell(self.number(40))?;
                cell.get(..count * 4).ok_or(HiveError::damage("a list of values is cut short", at))?
            }
        };
        Ok(offsets.chunks_exact(4).map(move |offset| {
            let (at, cell) = hive.cell(u32_at(offset, 0).unwrap_or(NOWHERE))?;
            if cell.get(..2) != Some(b"vk") || cell.len() < 20 {
                return Err(HiveError::damage("there is no value", at));
            }
            Ok(Value { hive, at, cell })
        }))
    }

    /// The value with a name, in whatever letters. Where there is none, and a value cannot be read, it may be that one, which
    /// is an error.
    pub fn value(&self, name: &str) -> Result<Option<Value<'b>>, HiveError> {
        let mut failure = None;
        for value in self.values()? {
            match value.and_then(|value| Ok(value.is_named(name)?.then_some(value))) {
                Ok(Some(value)) => return Ok(Some(value)),
                Ok(None) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(None), Err)
    }
}

impl<'b> Value<'b> {
    /// Its name; that of a key's unnamed value is empty.
    pub fn name(&self) -> Result<String, HiveError> {
        Ok(text(self.stored_name()?, self.is_latin()))
    }

    fn stored_name(&self) -> Result<&'b [u8], HiveError> {
        let length = usize::from(u16_at(self.cell, 2).unwrap_or_default());
        self.cell.get(20..20 + length).ok_or(HiveError::damage("a value's name is cut short", self.at))
    }

    fn is_latin(&self) -> bool {
        self.flags() & 1 != 0
    }

    /// Whether that is its name, in whatever letters.
    pub fn is_named(&self, name: &str) -> Result<bool, HiveError> {
        Ok(is_named(self.stored_name()?, self.is_latin(), name))
    }

    fn flags(&self) -> u16 {
        u16_at(self.cell, 16).unwrap_or_default()
    }

    /// Whether it says that the value of the hives below is gone.
    pub fn is_tombstone(&self) -> bool {
        self.flags() & 2 != 0
    }

    /// It as a text, without what stands behind its end; `None` where it is of another type.
    pub fn text(&self) -> Result<Option<String>, HiveError> {
        if !matches!(self.kind(), 1 | 2) {
            return Ok(None);
        }
        let data = self.data()?;
        let text = text(&data, false);
        Ok(Some(text.split('\0').next().unwrap_or_default().to_owned()))
    }

    /// It as a number of 32 bits; `None` where it is of another type.
    pub fn number(&self) -> Result<Option<u32>, HiveError> {
        if self.kind() != 4 {
            return Ok(None);
        }
        let number = u32_at(&self.data()?, 0);
        number.map(Some).ok_or(HiveError::damage("a number has fewer than four bytes", self.at))
    }

    fn kind(&self) -> u32 {
        u32_at(self.cell, 12).unwrap_or_default()
    }

    /// Its bytes. Up to four stand in the value itself.
    fn data(&self) -> Result<Vec<u8>, HiveError> {
        let cut = HiveError::damage("a value is cut short", self.at);
        let size = u32_at(self.cell, 4).unwrap_or_default();
        if size & 0x8000_0000 != 0 {
            let length = usize::try_from(size & 0x7fff_ffff).unwrap_or(usize::MAX);
            return self.cell.get(8..12).and_then(|data| data.get(..length)).map(<[u8]>::to_vec).ok_or(cut);
        }
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        if length > VALUE_BYTES_MAX {
            return Err(HiveError::limit("a value is larger than what is read", self.at));
        }
        if length == 0 {
            return Ok(Vec::new());
        }
        let (_, cell) = self.hive.cell(u32_at(self.cell, 8).unwrap_or(NOWHERE))?;
        if self.hive.has_pieces && length > PIECE_BYTES && cell.get(..2) == Some(b"db") {
            return self.pieces(cell, length);
        }
        cell.get(..length).map(<[u8]>::to_vec).ok_or(cut)
    }

    fn pieces(&self, cell: &[u8], length: usize) -> Result<Vec<u8>, HiveError> {
        let cut = HiveError::damage("a large value is cut short", self.at);
        let count = usize::from(u16_at(cell, 2).unwrap_or_default());
        let (_, list) = self.hive.cell(u32_at(cell, 4).unwrap_or(NOWHERE))?;
        let offsets = list.get(..count * 4).ok_or(cut.clone())?;
        let mut data = Vec::with_capacity(length);
        for offset in offsets.chunks_exact(4) {
            let (_, piece) = self.hive.cell(u32_at(offset, 0).unwrap_or(NOWHERE))?;
            let wanted = (length - data.len()).min(PIECE_BYTES);
            data.extend_from_slice(piece.get(..wanted).ok_or(cut.clone())?);
        }
        if data.len() == length { Ok(data) } else { Err(cut) }
    }
}

/// A name or a text: of one byte a character, or of UTF-16.
fn text(bytes: &[u8], is_latin: bool) -> String {
    if is_latin {
        return bytes.iter().copied().map(char::from).collect();
    }
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Whether a stored name is this one. Names of interest are ASCII, whose letters do not count; and a key may be looked for among
/// a hundred thousand, so that none is copied which can be compared as it stands.
fn is_named(stored: &[u8], is_latin: bool, name: &str) -> bool {
    match is_latin && stored.is_ascii() {
        true => stored.eq_ignore_ascii_case(name.as_bytes()),
        false => text(stored, is_latin).eq_ignore_ascii_case(name),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
