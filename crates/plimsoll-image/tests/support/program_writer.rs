//! Writes the smallest ELF, PE and Mach-O programs: headers, and one writable stretch of data.
//!
//! Data begins at [`DATA_OFFSET`] in the file and at [`DATA_ADDRESS`] in memory; each section begins at a
//! multiple of 16.

/// Where data begins in the file.
pub(crate) const DATA_OFFSET: usize = 0x1000;

/// Where data begins in memory.
pub(crate) const DATA_ADDRESS: u64 = 0x40_5000;

/// A section's name and content.
pub(crate) type Section<'a> = (&'a str, &'a [u8]);

struct Bytes(Vec<u8>);

impl Bytes {
    fn text(&mut self, text: &str, length: usize) -> &mut Bytes {
        let end = self.0.len() + length;
        self.0.extend(text.as_bytes());
        self.0.resize(end, 0);
        self
    }
    fn u16(&mut self, numbers: &[u16]) -> &mut Bytes {
        numbers.iter().for_each(|number| self.0.extend(number.to_le_bytes()));
        self
    }
    fn u32(&mut self, numbers: &[u32]) -> &mut Bytes {
        numbers.iter().for_each(|number| self.0.extend(number.to_le_bytes()));
        self
    }
    fn u64(&mut self, numbers: &[u64]) -> &mut Bytes {
        numbers.iter().for_each(|number| self.0.extend(number.to_le_bytes()));
        self
    }
}

/// The sections' contents, one after another, and where each begins.
fn laid_out(sections: &[Section<'_>]) -> (Vec<u8>, Vec<u64>) {
    let mut data = Vec::new();
    let mut starts = Vec::new();
    for (_, content) in sections {
        data.resize(data.len().next_multiple_of(16), 0);
        starts.push(data.len() as u64);
        data.extend(*content);
    }
    (data, starts)
}

/// 64-bit ELF with a read-only segment before the writable one. Without its section table it is what
/// `strip --strip-section-headers` leaves.
pub(crate) fn elf(sections: &[Section<'_>], has_table: bool) -> Vec<u8> {
    let (data, starts) = laid_out(sections);
    let offset = DATA_OFFSET as u64;
    let mut names = Vec::from(*b"\0.shstrtab\0");
    let names_at = offset + data.len() as u64;
    let mut table = Bytes(vec![0; 64]);
    for ((name, content), start) in sections.iter().zip(&starts) {
        table.u32(&[names.len() as u32, 1]).u64(&[
            3,
            DATA_ADDRESS + start,
            offset + start,
            content.len() as u64,
        ]);
        table.u32(&[0, 0]).u64(&[16, 0]);
        names.extend(name.as_bytes());
        names.push(0);
    }
    table.u32(&[1, 3]).u64(&[0, 0, names_at, names.len() as u64]).u32(&[0, 0]).u64(&[1, 0]);
    let table_at = if has_table { names_at + names.len() as u64 } else { 0 };
    let count = if has_table { sections.len() as u16 + 2 } else { 0 };

    let mut out = Bytes(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec());
    out.u16(&[2, 62]).u32(&[1]).u64(&[0, 64, table_at]).u32(&[0]).u16(&[
        64,
        56,
        2,
        64,
        count,
        count.max(1) - 1,
    ]);
    out.u32(&[1, 5]).u64(&[0, DATA_ADDRESS - offset, 0, offset, offset, 0x1000]);
    out.u32(&[1, 6]).u64(&[offset, DATA_ADDRESS, 0, data.len() as u64, data.len() as u64, 0x1000]);
    out.text("", DATA_OFFSET - out.0.len());
    out.0.extend(&data);
    if has_table {
        out.0.extend(&names);
        out.0.extend(&table.0);
    }
    out.0
}

/// 64-bit PE; every section is writable.
pub(crate) fn pe(sections: &[Section<'_>]) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    let (data, starts) = laid_out(sections);
    let mut out = Bytes(b"MZ".to_vec());
    out.text("", 58).u32(&[64]).text("PE", 4);
    out.u16(&[0x8664, sections.len() as u16]).u32(&[0, 0, 0]).u16(&[240, 0x22]);
    // The optional header (PE32+), its data directories empty.
    out.u16(&[0x20b, 0]).u32(&[0, 0, 0, 0, 0]).u64(&[BASE]).u32(&[0x1000, 0x200]);
    out.u16(&[6, 0, 0, 0, 6, 0])
        .u32(&[0, 0x10_0000, 0x1000, 0])
        .u16(&[3, 0])
        .u64(&[0, 0, 0, 0])
        .u32(&[0, 16]);
    out.text("", 128);
    for ((name, content), start) in sections.iter().zip(&starts) {
        let size = content.len() as u32;
        let address = (DATA_ADDRESS - BASE + start) as u32;
        out.text(name, 8).u32(&[
            size,
            address,
            size,
            DATA_OFFSET as u32 + *start as u32,
            0,
            0,
            0,
            0xc000_0040,
        ]);
    }
    out.text("", DATA_OFFSET - out.0.len());
    out.0.extend(&data);
    out.0
}

/// 64-bit Mach-O with one segment `__DATA`.
pub(crate) fn mach_o(sections: &[Section<'_>]) -> Vec<u8> {
    let (data, starts) = laid_out(sections);
    let offset = DATA_OFFSET as u64;
    let command_bytes = 72 + 80 * sections.len() as u32;
    let mut out = Bytes(Vec::new());
    out.u32(&[0xfeed_facf, 0x0100_000c, 0, 2, 1, command_bytes, 0, 0]);
    out.u32(&[0x19, command_bytes]).text("__DATA", 16);
    out.u64(&[DATA_ADDRESS, data.len() as u64, offset, data.len() as u64]).u32(&[
        3,
        3,
        sections.len() as u32,
        0,
    ]);
    for ((name, content), start) in sections.iter().zip(&starts) {
        out.text(name, 16).text("__DATA", 16).u64(&[DATA_ADDRESS + start, content.len() as u64]);
        out.u32(&[(offset + start) as u32, 4, 0, 0, 0, 0, 0, 0]);
    }
    out.text("", DATA_OFFSET - out.0.len());
    out.0.extend(&data);
    out.0
}

/// Mach-O for several processors.
pub(crate) fn fat(programs: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"\xca\xfe\xba\xbe".to_vec();
    out.extend((programs.len() as u32).to_be_bytes());
    let mut start = 0x1000;
    for (index, program) in programs.iter().enumerate() {
        for number in [index as u32, 0, start as u32, program.len() as u32, 12] {
            out.extend(number.to_be_bytes());
        }
        start = (start + program.len()).next_multiple_of(0x1000);
    }
    for program in programs {
        out.resize(out.len().next_multiple_of(0x1000), 0);
        out.extend(program);
    }
    out
}
