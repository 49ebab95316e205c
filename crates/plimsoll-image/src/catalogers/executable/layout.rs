//! Where a program keeps what: the sections and segments of ELF, PE and Mach-O files.
//!
//! Segments stand in a file's first bytes in all three formats, so they are also known of a file that
//! streams by. ELF's sections stand at the end, and `strip` may have removed them.

use std::ops::Range;

use object::read::elf::{FileHeader, ProgramHeader};
use object::read::macho::{FatArch, MachHeader, MachOFatFile32, MachOFatFile64, Segment as MachSegment};
use object::read::pe::ImageNtHeaders;
use object::{Endianness, FileKind, LittleEndian, Object, ObjectSection, elf, macho, pe};

use crate::catalogers::Problem;

/// Most segments and most sections of one program. Real ones have less than a hundred; thousands of them, all
/// over the same bytes, would be looked through again and again.
const PARTS_MAX: usize = 400;

/// A format of program files, as its first bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// ELF, PE or Mach-O with one program.
    One,
    /// Mach-O with a program for each of several processors.
    Fat,
}

/// What the first eight bytes tell. `None` for what is no program.
pub(super) fn format_of(head: &[u8]) -> Option<Format> {
    match *head.first_chunk::<4>()? {
        [0x7f, b'E', b'L', b'F'] | [b'M', b'Z', ..] => Some(Format::One),
        [0xfe, 0xed, 0xfa, 0xce | 0xcf] | [0xce | 0xcf, 0xfa, 0xed, 0xfe] => Some(Format::One),
        // Java classes begin with the same four bytes. Then comes their version, which is 45 or more, where
        // Mach-O has the number of processors.
        [0xca, 0xfe, 0xba, 0xbe | 0xbf] => {
            let count = head.get(4..8)?.first_chunk::<4>()?;
            (u32::from_be_bytes(*count) < 45).then_some(Format::Fat)
        }
        _ => None,
    }
}

/// The programs in a Mach-O file for several processors.
pub(super) fn programs_in_fat(bytes: &[u8]) -> Vec<&[u8]> {
    if let Ok(file) = MachOFatFile32::parse(bytes) {
        return file.arches().iter().filter_map(|arch| arch.data(bytes).ok()).collect();
    }
    match MachOFatFile64::parse(bytes) {
        Ok(file) => file.arches().iter().filter_map(|arch| arch.data(bytes).ok()).collect(),
        Err(_) => Vec::new(),
    }
}

/// A stretch of the file that is mapped when the program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// First address in memory.
    pub(super) address: u64,
    /// Where it stands in the file.
    pub(super) file: Range<u64>,
    /// Whether the program may write to it.
    pub(super) is_writable: bool,
}

/// The parts of one program.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// Mapped stretches. Empty where the headers cannot be read.
    pub(super) segments: Vec<Segment>,
    /// Where Go's build information stands, if a section says so.
    pub(super) go_section: Option<Range<u64>>,
    /// Where Rust's audit data stands, if a section says so.
    pub(super) rust_section: Option<Range<u64>>,
    /// Whether there is a readable section table at all.
    pub(super) has_sections: bool,
    /// That there are more parts than are looked at.
    pub(super) problem: Option<Problem>,
}

impl Layout {
    /// Reads the headers of a program that is in memory whole.
    pub(super) fn of(bytes: &[u8]) -> Layout {
        let mut layout = Layout { segments: segments_of(bytes), ..Layout::default() };
        if layout.segments.len() >= PARTS_MAX {
            let detail = format!("has {PARTS_MAX} segments or more; the rest was not looked at");
            layout.problem = Some(Problem::limit(detail));
        }
        let Ok(file) = object::File::parse(bytes) else {
            return layout;
        };
        for (index, section) in file.sections().enumerate() {
            layout.has_sections = true;
            if index >= PARTS_MAX {
                let detail = format!("has more than {PARTS_MAX} sections; the rest was not looked at");
                layout.problem = Some(Problem::limit(detail));
                break;
            }
            let Some((start, size)) = section.file_range() else {
                continue;
            };
            let range = start..start.saturating_add(size);
            match section.name_bytes() {
                Ok(b".go.buildinfo" | b"__go_buildinfo") => layout.go_section = Some(range),
                Ok(b".dep-v0") => layout.rust_section = Some(range),
                _ => {}
            }
        }
        layout
    }

    /// The bytes of the file from an address on, to the end of its segment.
    pub(super) fn at_address<'a>(&self, bytes: &'a [u8], address: u64) -> Option<&'a [u8]> {
        self.segments.iter().find_map(|segment| {
            let start = segment.file.start.checked_add(address.checked_sub(segment.address)?)?;
            slice(bytes, &(start..segment.file.end)).filter(|rest| !rest.is_empty())
        })
    }
}

/// The part of a file that a range names, cut off at the file's end.
pub(super) fn slice<'a>(bytes: &'a [u8], range: &Range<u64>) -> Option<&'a [u8]> {
    let start = usize::try_from(range.start).ok()?;
    let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(bytes.len());
    bytes.get(start..end)
}

/// The first [`PARTS_MAX`] segments of a program, from its first bytes alone. Empty where they cannot be read.
pub(super) fn segments_of(head: &[u8]) -> Vec<Segment> {
    let segments = match FileKind::parse(head) {
        Ok(FileKind::Elf32) => elf_segments::<elf::FileHeader32<Endianness>>(head),
        Ok(FileKind::Elf64) => elf_segments::<elf::FileHeader64<Endianness>>(head),
        Ok(FileKind::Pe32) => pe_segments::<pe::ImageNtHeaders32>(head),
        Ok(FileKind::Pe64) => pe_segments::<pe::ImageNtHeaders64>(head),
        Ok(FileKind::MachO32) => macho_segments::<macho::MachHeader32<Endianness>>(head),
        Ok(FileKind::MachO64) => macho_segments::<macho::MachHeader64<Endianness>>(head),
        _ => return Vec::new(),
    };
    segments.unwrap_or_default()
}

fn elf_segments<H: FileHeader<Endian = Endianness>>(head: &[u8]) -> object::Result<Vec<Segment>> {
    let header = H::parse(head)?;
    let endian = header.endian()?;
    let loaded = header.program_headers(endian, head)?.iter();
    Ok(loaded
        .take(PARTS_MAX)
        .filter(|segment| segment.p_type(endian) == elf::PT_LOAD)
        .map(|segment| {
            let (start, size) = segment.file_range(endian);
            Segment {
                address: segment.p_vaddr(endian).into(),
                file: start..start.saturating_add(size),
                is_writable: segment.p_flags(endian).contains(elf::PF_W),
            }
        })
        .collect())
}

fn pe_segments<H: ImageNtHeaders>(head: &[u8]) -> object::Result<Vec<Segment>> {
    use object::read::pe::ImageOptionalHeader;
    let mut offset = pe::ImageDosHeader::parse(head)?.nt_headers_offset().into();
    let (headers, _) = H::parse(head, &mut offset)?;
    let base = headers.optional_header().image_base();
    let sections = headers.sections(head, offset)?;
    Ok(sections
        .iter()
        .take(PARTS_MAX)
        .map(|section| {
            let start = u64::from(section.pointer_to_raw_data.get(LittleEndian));
            let size = u64::from(section.size_of_raw_data.get(LittleEndian));
            let flags = section.characteristics.get(LittleEndian);
            Segment {
                address: base.wrapping_add(section.virtual_address.get(LittleEndian).into()),
                file: start..start.saturating_add(size),
                is_writable: flags.contains(pe::IMAGE_SCN_MEM_WRITE),
            }
        })
        .collect())
}

fn macho_segments<H: MachHeader<Endian = Endianness>>(head: &[u8]) -> object::Result<Vec<Segment>> {
    let header = H::parse(head, 0)?;
    let endian = header.endian()?;
    let mut commands = header.load_commands(endian, head, 0)?;
    let mut segments = Vec::new();
    while segments.len() < PARTS_MAX
        && let Some(command) = commands.next()?
    {
        if let Some((segment, _)) = H::Segment::from_command(command)? {
            let (start, size) = segment.file_range(endian);
            segments.push(Segment {
                address: segment.vmaddr(endian).into(),
                file: start..start.saturating_add(size),
                is_writable: segment.initprot(endian).contains(macho::VM_PROT_WRITE),
            });
        }
    }
    Ok(segments)
}
