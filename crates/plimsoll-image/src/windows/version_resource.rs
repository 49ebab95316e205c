//! The version that a Windows program or library states in its resources.
//!
//! Format: <https://learn.microsoft.com/windows/win32/menurc/vs-versioninfo> within a PE file's resource directory
//! (<https://learn.microsoft.com/windows/win32/debug/pe-format#the-rsrc-section>). The fixed part has four numbers of 16
//! bits; what the texts beside it say is for people and is not read.

use object::LittleEndian as LE;
use object::pe::{ImageNtHeaders32, ImageNtHeaders64, RT_VERSION};
use object::read::pe::{ImageNtHeaders, PeFile, ResourceDirectory, ResourceDirectoryEntryData};

/// Most entries of one resource directory that are looked at. Real ones have tens.
const ENTRIES_MAX: usize = 4096;

/// Where the fixed part begins: three numbers of 16 bits, `VS_VERSION_INFO` with its end in UTF-16, and what aligns it.
const FIXED_AT: usize = 40;

/// How the fixed part begins.
const SIGNATURE: [u8; 4] = 0xfeef_04bd_u32.to_le_bytes();

/// The file's version, `4.8.4584.8`; `None` where it states none.
///
/// The error says what is wrong with the file. Sentence without a full stop.
pub fn file_version(bytes: &[u8]) -> Result<Option<String>, String> {
    let kind = object::FileKind::parse(bytes).map_err(|_| "is no PE file".to_owned())?;
    match kind {
        object::FileKind::Pe32 => of::<ImageNtHeaders32>(bytes),
        object::FileKind::Pe64 => of::<ImageNtHeaders64>(bytes),
        _ => Err("is no PE file".to_owned()),
    }
}

fn of<Pe: ImageNtHeaders>(bytes: &[u8]) -> Result<Option<String>, String> {
    let said = |error: object::Error| format!("its PE headers cannot be read: {error}");
    let file = PeFile::<Pe>::parse(bytes).map_err(said)?;
    let sections = file.section_table();
    let resources = file.data_directories().resource_directory(bytes, &sections).map_err(said)?;
    let Some(resources) = resources else { return Ok(None) };
    let Some((address, size)) = version_at(&resources).map_err(said)? else { return Ok(None) };
    let data = sections.pe_data_at(bytes, address).ok_or("its version lies outside of the file")?;
    let length = usize::try_from(size).unwrap_or(usize::MAX).min(data.len());
    let fixed = data.get(..length).and_then(|data| data.get(FIXED_AT..)).unwrap_or_default();
    if fixed.get(..4) != Some(&SIGNATURE[..]) {
        return Err("its version resource is none".to_owned());
    }
    let number = |at: usize| Some(u16::from_le_bytes([*fixed.get(at)?, *fixed.get(at + 1)?]));
    // The high half of each pair stands behind the low one.
    match (number(10), number(8), number(14), number(12)) {
        (Some(major), Some(minor), Some(build), Some(revision)) => {
            Ok(Some(format!("{major}.{minor}.{build}.{revision}")))
        }
        _ => Err("its version resource ends in the middle".to_owned()),
    }
}

/// Address and size of the first version: type, name, language.
fn version_at(resources: &ResourceDirectory<'_>) -> object::read::Result<Option<(u32, u32)>> {
    let root = resources.root()?;
    let versions = root.entries.iter().take(ENTRIES_MAX);
    let mut versions = versions.filter(|entry| entry.name_or_id().id() == Some(RT_VERSION));
    let Some(mut entry) = versions.next() else { return Ok(None) };
    // Two directories stand below the type's.
    for _ in 0..3 {
        match entry.data(*resources)? {
            ResourceDirectoryEntryData::Data(data) => {
                return Ok(Some((data.offset_to_data.get(LE), data.size.get(LE))));
            }
            ResourceDirectoryEntryData::Table(table) => match table.entries.first() {
                Some(first) => entry = first,
                None => return Ok(None),
            },
        }
    }
    Ok(None)
}
