//! Programs of Windows of about one kibibyte, with nothing in them but a version.
//!
//! Format: <https://learn.microsoft.com/windows/win32/debug/pe-format>; the version's:
//! <https://learn.microsoft.com/windows/win32/menurc/vs-versioninfo>.

/// Where the resources stand in the file and in memory.
const SECTION_FILE: u32 = 0x200;
const SECTION_MEMORY: u32 = 0x1000;

/// A library for amd64 that states a version of up to four numbers.
///
/// # Panics
///
/// Where a part of the version is no number of 16 bits.
pub fn with_version(version: &str) -> Vec<u8> {
    let mut numbers = version.split('.').map(|part| part.parse::<u16>().expect("a version has numbers"));
    let numbers: [u16; 4] = std::array::from_fn(|_| numbers.next().unwrap_or(0));
    let resources = resources(&version_info(numbers));
    let mut file = headers(resources.len());
    file.resize(SECTION_FILE as usize, 0);
    file.extend_from_slice(&resources);
    file.resize(file.len().next_multiple_of(0x200), 0);
    file
}

fn headers(section: usize) -> Vec<u8> {
    let section = u32::try_from(section).expect("it is small");
    let mut out = vec![0_u8; 0x40];
    out[..2].copy_from_slice(b"MZ");
    out[0x3c] = 0x40;
    out.extend_from_slice(b"PE\0\0");
    // Machine, one section, the size of the optional header, a library.
    out.extend_from_slice(&0x8664_u16.to_le_bytes());
    out.extend_from_slice(&1_u16.to_le_bytes());
    out.extend_from_slice(&[0; 12]);
    out.extend_from_slice(&240_u16.to_le_bytes());
    out.extend_from_slice(&0x2022_u16.to_le_bytes());
    let mut optional = vec![0_u8; 240];
    let mut put = |at: usize, bytes: &[u8]| optional[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &0x20b_u16.to_le_bytes());
    put(24, &0x1_8000_0000_u64.to_le_bytes());
    put(32, &0x1000_u32.to_le_bytes());
    put(36, &0x200_u32.to_le_bytes());
    put(56, &0x2000_u32.to_le_bytes());
    put(60, &SECTION_FILE.to_le_bytes());
    put(68, &3_u16.to_le_bytes());
    put(108, &16_u32.to_le_bytes());
    // The third directory is that of resources.
    put(128, &SECTION_MEMORY.to_le_bytes());
    put(132, &section.to_le_bytes());
    out.extend_from_slice(&optional);
    out.extend_from_slice(b".rsrc\0\0\0");
    for number in [section, SECTION_MEMORY, section.next_multiple_of(0x200), SECTION_FILE] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&[0; 12]);
    out.extend_from_slice(&0x4000_0040_u32.to_le_bytes());
    out
}

/// Three directories (type, name, language), the entry that points to the data, and the data.
fn resources(data: &[u8]) -> Vec<u8> {
    const ENTRY_AT: u32 = 3 * 24;
    let mut out = Vec::new();
    for (id, below) in [(16_u32, 24 | 0x8000_0000), (1, 48 | 0x8000_0000), (1033, ENTRY_AT)] {
        out.extend_from_slice(&[0; 12]);
        out.extend_from_slice(&0_u16.to_le_bytes());
        out.extend_from_slice(&1_u16.to_le_bytes());
        out.extend_from_slice(&id.to_le_bytes());
        out.extend_from_slice(&below.to_le_bytes());
    }
    let size = u32::try_from(data.len()).expect("it is small");
    for number in [SECTION_MEMORY + ENTRY_AT + 16, size, 0, 0] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(data);
    out
}

fn version_info([major, minor, build, revision]: [u16; 4]) -> Vec<u8> {
    let high = |high: u16, low: u16| (u32::from(high) << 16) | u32::from(low);
    let mut fixed = Vec::new();
    let file = [high(major, minor), high(build, revision)];
    for number in
        [0xfeef_04bd, 0x0001_0000, file[0], file[1], file[0], file[1], 0x3f, 0, 0x0004_0004, 2, 0, 0, 0]
    {
        fixed.extend_from_slice(&number.to_le_bytes());
    }
    let mut out = vec![0_u8; 6];
    out.extend("VS_VERSION_INFO\0".encode_utf16().flat_map(u16::to_le_bytes));
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend_from_slice(&fixed);
    let length = u16::try_from(out.len()).expect("it is small");
    out[..2].copy_from_slice(&length.to_le_bytes());
    out[2..4].copy_from_slice(&52_u16.to_le_bytes());
    out
}
