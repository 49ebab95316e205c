//! Registry hives, written from nothing.
//!
//! Format: <https://github.com/msuhanov/regf/blob/master/Windows%20registry%20file%20format%20specification.md>.
//!
//! ```
//! use plimsoll_testkit::hive::Hive;
//!
//! let bytes = Hive::base().value(r"Microsoft\Windows NT\CurrentVersion", "UBR", 2402_u32).build();
//! assert_eq!(&bytes[..4], b"regf");
//! ```

use std::collections::BTreeMap;

/// Bytes of the base block.
const BASE_BYTES: usize = 4096;
/// Bytes of data that one piece of a large value has.
const PIECE_BYTES: usize = 16_344;
/// What an offset says that points nowhere.
const NOWHERE: u32 = u32::MAX;

/// A value's data.
#[derive(Clone, Debug)]
pub enum Data {
    /// `REG_SZ`.
    Text(String),
    /// `REG_DWORD`.
    Number(u32),
    /// `REG_BINARY`.
    Bytes(Vec<u8>),
    /// A value that takes away that of the hives below.
    Tombstone,
}

impl From<&str> for Data {
    fn from(text: &str) -> Data {
        Data::Text(text.to_owned())
    }
}

impl From<u32> for Data {
    fn from(number: u32) -> Data {
        Data::Number(number)
    }
}

impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Data {
        Data::Bytes(bytes)
    }
}

/// What a key says of the same key in the hives below, as the format numbers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Semantics {
    /// What is below shows.
    #[default]
    Merge = 0,
    /// The key is gone.
    Tombstone = 1,
    /// Its values below do not show.
    SupersedeLocal = 2,
    /// Nothing below shows.
    SupersedeTree = 3,
}

/// How lists of subkeys are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lists {
    /// `lf`, with the first letters of names.
    Fast,
    /// `lh`, with hashes of names.
    Hash,
    /// `li`, of offsets alone.
    Index,
    /// `ri`, lists of lists.
    Root,
}

#[derive(Clone, Debug, Default)]
struct Key {
    name: String,
    semantics: Semantics,
    /// By upper-cased name, which is the order in which they lie.
    keys: BTreeMap<String, Key>,
    values: Vec<(String, Data)>,
}

/// A hive on its way.
#[derive(Clone, Debug)]
pub struct Hive {
    root: Key,
    is_differencing: bool,
    minor: u32,
    lists: Lists,
    root_flags: u16,
    is_dirty: bool,
    has_wide_names: bool,
}

impl Hive {
    /// A whole hive.
    pub fn base() -> Hive {
        Hive {
            root: Key { name: "ROOT".to_owned(), ..Key::default() },
            is_differencing: false,
            minor: 5,
            lists: Lists::Hash,
            root_flags: 0x2c,
            is_dirty: false,
            has_wide_names: false,
        }
    }

    /// A hive of what a layer changed, as the library writes it that makes them: without the flag of a root.
    pub fn differencing() -> Hive {
        Hive { is_differencing: true, root_flags: 0x20, ..Hive::base() }
    }

    /// A value of a key, parts of whose path are joined by `\`; the keys on the way are made.
    #[must_use]
    pub fn value(mut self, path: &str, name: &str, data: impl Into<Data>) -> Hive {
        let key = self.reach(path);
        key.values.retain(|(known, _)| known != name);
        key.values.push((name.to_owned(), data.into()));
        self
    }

    /// A key without values.
    #[must_use]
    pub fn key(mut self, path: &str) -> Hive {
        self.reach(path);
        self
    }

    /// What a key says of the same key in the hives below.
    #[must_use]
    pub fn semantics(mut self, path: &str, semantics: Semantics) -> Hive {
        self.reach(path).semantics = semantics;
        self
    }

    /// A key that takes away that of the hives below.
    #[must_use]
    pub fn tombstone_key(self, path: &str) -> Hive {
        self.semantics(path, Semantics::Tombstone)
    }

    /// A value that takes away that of the hives below.
    #[must_use]
    pub fn tombstone_value(self, path: &str, name: &str) -> Hive {
        self.value(path, name, Data::Tombstone)
    }

    /// The format's minor version, 3 to 6.
    #[must_use]
    pub fn minor(self, minor: u32) -> Hive {
        Hive { minor, ..self }
    }

    /// How lists of subkeys are written.
    #[must_use]
    pub fn lists(self, lists: Lists) -> Hive {
        Hive { lists, ..self }
    }

    /// Sequence numbers that differ, as of a hive that was not written to its end.
    #[must_use]
    pub fn dirty(self) -> Hive {
        Hive { is_dirty: true, ..self }
    }

    /// Names in UTF-16 instead of a byte a character.
    #[must_use]
    pub fn wide_names(self) -> Hive {
        Hive { has_wide_names: true, ..self }
    }

    fn reach(&mut self, path: &str) -> &mut Key {
        path.split('\\').filter(|name| !name.is_empty()).fold(&mut self.root, |key, name| {
            key.keys
                .entry(name.to_uppercase())
                .or_insert_with(|| Key { name: name.to_owned(), ..Key::default() })
        })
    }

    /// The hive's bytes.
    pub fn build(&self) -> Vec<u8> {
        let mut cells = Cells { bytes: vec![0; 32], hive: self };
        let root = cells.key(&self.root, NOWHERE, self.root_flags);
        cells.finish(root)
    }
}

/// The cells of a hive, in one bin.
struct Cells<'h> {
    bytes: Vec<u8>,
    hive: &'h Hive,
}

impl Cells<'_> {
    /// Adds a cell; gives its offset.
    fn cell(&mut self, content: &[u8]) -> u32 {
        let offset = number(self.bytes.len());
        let length = (content.len() + 4).next_multiple_of(8);
        self.bytes.extend_from_slice(&number(length).wrapping_neg().to_le_bytes());
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len() + length - 4 - content.len(), 0);
        offset
    }

    fn key(&mut self, key: &Key, parent: u32, flags: u16) -> u32 {
        let (name, is_latin) = self.name(&key.name);
        let mut content = vec![0_u8; 76];
        content[..2].copy_from_slice(b"nk");
        let flags = if is_latin { flags } else { flags & !0x20 };
        content[2..4].copy_from_slice(&flags.to_le_bytes());
        content[13] = key.semantics as u8;
        for at in [28, 32, 40, 44, 48] {
            content[at..at + 4].copy_from_slice(&NOWHERE.to_le_bytes());
        }
        content[16..20].copy_from_slice(&parent.to_le_bytes());
        content[72..74].copy_from_slice(&short(name.len()).to_le_bytes());
        content.extend_from_slice(&name);
        let offset = self.cell(&content);
        let at = usize::try_from(offset).expect("hives are small") + 4;
        if !key.values.is_empty() {
            let offsets: Vec<u8> =
                key.values.iter().flat_map(|(name, data)| self.value(name, data).to_le_bytes()).collect();
            let list = self.cell(&offsets);
            self.put(at + 36, number(key.values.len()));
            self.put(at + 40, list);
        }
        if !key.keys.is_empty() {
            let below: Vec<(&str, u32)> =
                key.keys.values().map(|key| (key.name.as_str(), self.key(key, offset, 0x20))).collect();
            let list = self.list(&below);
            self.put(at + 20, number(key.keys.len()));
            self.put(at + 28, list);
        }
        offset
    }

    fn list(&mut self, keys: &[(&str, u32)]) -> u32 {
        // A list's length has 16 bits, and real ones have some hundred entries.
        const ENTRIES_MAX: usize = 500;
        if keys.len() > ENTRIES_MAX || (self.hive.lists == Lists::Root && keys.len() > 1) {
            let each = keys.len().div_ceil(2).clamp(1, ENTRIES_MAX);
            let lists: Vec<u32> = keys.chunks(each).map(|keys| self.leaf(keys)).collect();
            let mut content = b"ri".to_vec();
            content.extend_from_slice(&short(lists.len()).to_le_bytes());
            content.extend(lists.iter().flat_map(|list| list.to_le_bytes()));
            return self.cell(&content);
        }
        self.leaf(keys)
    }

    fn leaf(&mut self, keys: &[(&str, u32)]) -> u32 {
        let kind: &[u8] = match self.hive.lists {
            Lists::Fast => b"lf",
            Lists::Hash => b"lh",
            Lists::Index | Lists::Root => b"li",
        };
        let mut content = kind.to_vec();
        content.extend_from_slice(&short(keys.len()).to_le_bytes());
        for (name, offset) in keys {
            content.extend_from_slice(&offset.to_le_bytes());
            match self.hive.lists {
                Lists::Fast => {
                    let letters: Vec<u8> = name.bytes().chain([0; 4]).take(4).collect();
                    content.extend_from_slice(&letters);
                }
                Lists::Hash => {
                    let hash = name
                        .to_uppercase()
                        .encode_utf16()
                        .fold(0_u32, |hash, unit| hash.wrapping_mul(37).wrapping_add(u32::from(unit)));
                    content.extend_from_slice(&hash.to_le_bytes());
                }
                Lists::Index | Lists::Root => {}
            }
        }
        self.cell(&content)
    }

    fn value(&mut self, name: &str, data: &Data) -> u32 {
        let (name, is_latin) = self.name(name);
        let (kind, bytes) = match data {
            Data::Text(text) => (1, utf_16(&format!("{text}\0"))),
            Data::Number(number) => (4, number.to_le_bytes().to_vec()),
            Data::Bytes(bytes) => (3, bytes.clone()),
            Data::Tombstone => (0, Vec::new()),
        };
        let mut flags = u16::from(is_latin);
        let (size, at) = match data {
            Data::Tombstone => {
                flags |= 2;
                (0, NOWHERE)
            }
            _ if bytes.len() <= 4 => {
                let mut inline = [0; 4];
                inline[..bytes.len()].copy_from_slice(&bytes);
                (number(bytes.len()) | 0x8000_0000, u32::from_le_bytes(inline))
            }
            _ => (number(bytes.len()), self.data(&bytes)),
        };
        let mut content = b"vk".to_vec();
        content.extend_from_slice(&short(name.len()).to_le_bytes());
        for number in [size, at, kind] {
            content.extend_from_slice(&number.to_le_bytes());
        }
        content.extend_from_slice(&flags.to_le_bytes());
        content.extend_from_slice(&[0; 2]);
        content.extend_from_slice(&name);
        self.cell(&content)
    }

    /// A value's bytes, in pieces where they are many.
    fn data(&mut self, bytes: &[u8]) -> u32 {
        // Version 1.3 has no pieces.
        if bytes.len() <= PIECE_BYTES || self.hive.minor == 3 {
            return self.cell(bytes);
        }
        let pieces: Vec<u32> = bytes.chunks(PIECE_BYTES).map(|piece| self.cell(piece)).collect();
        let list: Vec<u8> = pieces.iter().flat_map(|piece| piece.to_le_bytes()).collect();
        let list = self.cell(&list);
        let mut content = b"db".to_vec();
        content.extend_from_slice(&short(pieces.len()).to_le_bytes());
        content.extend_from_slice(&list.to_le_bytes());
        self.cell(&content)
    }

    fn name(&self, name: &str) -> (Vec<u8>, bool) {
        match name.is_ascii() && !self.hive.has_wide_names {
            true => (name.as_bytes().to_vec(), true),
            false => (utf_16(name), false),
        }
    }

    fn put(&mut self, at: usize, number: u32) {
        self.bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }

    /// The base block, and the bin with its head.
    fn finish(mut self, root: u32) -> Vec<u8> {
        let used = self.bytes.len();
        let length = (used + 8).next_multiple_of(4096);
        self.bytes.resize(length, 0);
        // What is left is one free cell.
        self.put(used, number(length - used));
        self.bytes[..4].copy_from_slice(b"hbin");
        self.put(4, 0);
        self.put(8, number(length));
        let mut base = vec![0_u8; BASE_BYTES];
        base[..4].copy_from_slice(b"regf");
        let mut put = |at: usize, number: u32| base[at..at + 4].copy_from_slice(&number.to_le_bytes());
        put(4, 2);
        put(8, if self.hive.is_dirty { 1 } else { 2 });
        put(20, 1);
        put(24, self.hive.minor);
        put(32, 1);
        put(36, root);
        put(40, number(length));
        put(44, 1);
        put(144, if self.hive.is_differencing { 2 } else { 0 });
        let sum = base[..508]
            .chunks_exact(4)
            .fold(0, |sum, word| sum ^ u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        base[508..512].copy_from_slice(&sum.to_le_bytes());
        base.extend_from_slice(&self.bytes);
        base
    }
}

fn utf_16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn number(length: usize) -> u32 {
    u32::try_from(length).expect("hives of tests are below 4 GiB")
}

fn short(length: usize) -> u16 {
    u16::try_from(length).expect("lists and names of tests are short")
}
