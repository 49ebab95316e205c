//! Go's build information: the version of Go and the modules that a program was built from.
//!
//! The linker writes a header of 32 bytes with a magic, 16-byte aligned, into the program's data. Since
//! Go 1.18 the two texts follow it; before, the header holds pointers to them. The format is described in
//! `debug/buildinfo` of Go's source, the module list in `runtime/debug` (`BuildInfo.String`).
//!
//! A main module often has no version of its own: built from a checkout it says `(devel)` or a made-up
//! `v0.0.0-..`, and comparing those with fixed versions would be wrong. A version given to the linker
//! (`-X main.version=..`) is taken instead, or the version stays empty.

use memchr::memmem;
use plimsoll_core::ecosystems::GOLANG;

use crate::catalogers::executable::layout::{self, Layout};
use crate::catalogers::{Found, FoundPackage, Problem};

mod linker_flags;

/// What the header begins with.
pub(super) const MAGIC: &[u8] = b"\xff Go buildinf:";

/// The header's alignment in memory and, as segments are aligned to more, in the file.
pub(super) const MAGIC_ALIGNMENT: u64 = 16;

/// Bytes from the magic to the texts.
const HEADER_BYTES: usize = 32;

/// Longest Go version, in bytes. A longer one means that the magic stood there by accident.
const VERSION_BYTES_MAX: usize = 256;

/// Longest module list, in bytes. Kubernetes needs 20 KB.
const MODULES_BYTES_MAX: usize = 4 << 20;

/// Most magics in one program that are followed. A real program has one, a scanner a few by accident.
pub(super) const MAGICS_MAX: usize = 1000;

/// What the linker wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BuildInfo<'a> {
    version: &'a str,
    modules: &'a [u8],
}

/// What stands at a magic.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading<'a> {
    /// The magic by accident: a program that reads programs has it too.
    Nothing,
    /// More bytes are needed: this many from the magic on.
    Short(usize),
    /// The build information.
    Complete(BuildInfo<'a>),
    /// Pointers to the texts.
    Pointers(Pointers),
    /// Build information that breaks its format or a limit.
    Bad(Problem),
}

/// The header of Go 1.13 to 1.17: addresses of two string headers, each an address and a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pointers {
    version: u64,
    modules: u64,
    word_bytes: usize,
    is_big_endian: bool,
}

/// Reads the build information of a program that is in memory whole.
pub(super) fn read_whole(bytes: &[u8], layout: &Layout, found: &mut Found) {
    let writable = layout.segments.iter().filter(|segment| segment.is_writable).map(|s| s.file.clone());
    let mut places: Vec<_> = layout.go_section.clone().into_iter().chain(writable).collect();
    if !layout.has_sections {
        places.push(0..bytes.len() as u64);
    }
    let mut magics_left = MAGICS_MAX;
    let mut bytes_left = bytes.len().saturating_mul(2);
    for place in places {
        let Some(part) = layout::slice(bytes, &place) else {
            continue;
        };
        // The build information's section stands in a segment, so bytes are looked at twice, but not more.
        let Some(left) = bytes_left.checked_sub(part.len()) else {
            found.problems.push(Problem::limit("its segments share bytes; not all were searched"));
            return;
        };
        bytes_left = left;
        for at in memmem::find_iter(part, MAGIC).map(|at| place.start + at as u64) {
            if !at.is_multiple_of(MAGIC_ALIGNMENT) {
                continue;
            }
            let Some(left) = magics_left.checked_sub(1) else {
                found.problems.push(too_many_magics());
                return;
            };
            magics_left = left;
            let rest = layout::slice(bytes, &(at..u64::MAX)).unwrap_or_default();
            if report(read_at(rest), bytes, layout, found) {
                return;
            }
        }
    }
}

/// What [`MAGICS_MAX`] kept from being read.
pub(super) fn too_many_magics() -> Problem {
    Problem::limit(format!(
        "more than {MAGICS_MAX} places look like Go's build information; the rest was not read"
    ))
}

/// Adds what stands at a magic. Says whether it was build information at all.
fn report(reading: Reading<'_>, bytes: &[u8], layout: &Layout, found: &mut Found) -> bool {
    match reading {
        Reading::Nothing => return false,
        Reading::Complete(info) => add(info, found),
        Reading::Bad(problem) => found.problems.push(problem),
        Reading::Short(_) => {
            found.problems.push(Problem::unreadable("Go's build information ends before its end"));
        }
        Reading::Pointers(pointers) => match pointers.follow(bytes, layout) {
            Some(info) => add(info, found),
            None if layout.go_section.is_none() => return false,
            None => {
                let detail = "Go's build information points outside of the program";
                found.problems.push(Problem::unreadable(detail));
            }
        },
    }
    true
}

/// Reads what stands at a magic, from the magic on.
pub(super) fn read_at(bytes: &[u8]) -> Reading<'_> {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
        return Reading::Short(HEADER_BYTES);
    };
    let flags = header[15];
    if flags & 2 == 0 {
        return Pointers::read(header).map_or(Reading::Nothing, Reading::Pointers);
    }
    let (version, at) = match text_at(bytes, HEADER_BYTES, VERSION_BYTES_MAX) {
        Ok(text_and_end) => text_and_end,
        Err(TextError::Short(needed)) => return Reading::Short(needed),
        Err(TextError::Long(_)) => return Reading::Nothing,
    };
    let Some(version) = go_version(version) else {
        return Reading::Nothing;
    };
    match text_at(bytes, at, MODULES_BYTES_MAX) {
        Ok((modules, _)) => Reading::Complete(BuildInfo { version, modules }),
        Err(TextError::Short(needed)) => Reading::Short(needed),
        Err(TextError::Long(length)) => Reading::Bad(Problem::limit(format!(
            "Go's module list states {length} bytes, more than the limit of {MODULES_BYTES_MAX}"
        ))),
    }
}

/// The version, if the text is one that some Go wrote.
fn go_version(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    (text.starts_with("go") || text.starts_with("devel")).then_some(text)
}

enum TextError {
    /// The text ends behind the bytes at hand: this many are needed.
    Short(usize),
    /// It states a length above its limit.
    Long(u64),
}

/// Reads a text that has its length before it, as a varint. Gives the text and where it ends.
fn text_at(bytes: &[u8], at: usize, bytes_max: usize) -> Result<(&[u8], usize), TextError> {
    /// A varint of 64 bits has at most this many bytes.
    const VARINT_BYTES_MAX: usize = 10;
    let rest = bytes.get(at..).unwrap_or_default();
    let mut length = 0u64;
    for (index, &byte) in rest.iter().take(VARINT_BYTES_MAX).enumerate() {
        length |= u64::from(byte & 0x7f).checked_shl(7 * index as u32).unwrap_or(0);
        if byte & 0x80 != 0 {
            continue;
        }
        let Some(length) = usize::try_from(length).ok().filter(|&length| length <= bytes_max) else {
            return Err(TextError::Long(length));
        };
        let start = at + index + 1;
        let end = start + length;
        return bytes.get(start..end).map(|text| (text, end)).ok_or(TextError::Short(end));
    }
    if rest.len() < VARINT_BYTES_MAX {
        Err(TextError::Short(at + VARINT_BYTES_MAX))
    } else {
        Err(TextError::Long(length))
    }
}

impl Pointers {
    fn read(header: &[u8; HEADER_BYTES]) -> Option<Pointers> {
        let word_bytes = usize::from(header[14]);
        let is_big_endian = header[15] & 1 != 0;
        let version = word(&header[16..], word_bytes, is_big_endian)?;
        let modules = word(header.get(16 + word_bytes..)?, word_bytes, is_big_endian)?;
        (version != 0).then_some(Pointers { version, modules, word_bytes, is_big_endian })
    }

    fn follow<'a>(&self, bytes: &'a [u8], layout: &Layout) -> Option<BuildInfo<'a>> {
        let version = go_version(self.text(bytes, layout, self.version, VERSION_BYTES_MAX)?)?;
        let modules = self.text(bytes, layout, self.modules, MODULES_BYTES_MAX).unwrap_or_default();
        Some(BuildInfo { version, modules })
    }

    fn text<'a>(&self, bytes: &'a [u8], layout: &Layout, header: u64, bytes_max: usize) -> Option<&'a [u8]> {
        let header = layout.at_address(bytes, header)?;
        let address = word(header, self.word_bytes, self.is_big_endian)?;
        let length = word(header.get(self.word_bytes..)?, self.word_bytes, self.is_big_endian)?;
        let length = usize::try_from(length).ok().filter(|&length| length <= bytes_max)?;
        layout.at_address(bytes, address)?.get(..length)
    }
}

fn word(bytes: &[u8], word_bytes: usize, is_big_endian: bool) -> Option<u64> {
    Some(match (word_bytes, is_big_endian) {
        (4, true) => u32::from_be_bytes(*bytes.first_chunk()?).into(),
        (4, false) => u32::from_le_bytes(*bytes.first_chunk()?).into(),
        (8, true) => u64::from_be_bytes(*bytes.first_chunk()?),
        (8, false) => u64::from_le_bytes(*bytes.first_chunk()?),
        _ => return None,
    })
}

/// Adds the packages of a program's build information.
pub(super) fn add(info: BuildInfo<'_>, found: &mut Found) {
    found.packages.push(FoundPackage::new(&GOLANG, "stdlib", standard_library_version(info.version)));
    let list = without_sentinels(info.modules);
    if list.is_empty() {
        let detail = "a Go program without a module list: the modules that it was built from are unknown";
        found.problems.push(Problem::unreadable(detail));
        return;
    }
    let list = String::from_utf8_lossy(list);
    let modules = Modules::read(&list, &mut found.problems);
    if let Some(main) = &modules.main {
        let linked = || linker_flags::version_of(main.path, &modules.linker_flags);
        let version = match main.version {
            stated if is_release(stated) => stated.to_owned(),
            _ => linked().unwrap_or_default(),
        };
        found.packages.push(FoundPackage::new(&GOLANG, main.path, version));
    }
    for module in &modules.dependencies {
        found.packages.push(FoundPackage::new(&GOLANG, module.path, module.version));
    }
}

/// The release of Go, without the leading `go` and what a vendor or an experiment adds. Empty for a
/// development version, which belongs to no release.
///
/// `go1.22.3 X:boringcrypto`, `go1.26.5 (Red Hat 1.26.5-1.el9)`, `go1.22rc1`, `devel go1.23-0123abc ..`.
fn standard_library_version(version: &str) -> &str {
    let release = version.strip_prefix("go").unwrap_or_default();
    let end = release.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(release.len());
    if release.starts_with(|c: char| c.is_ascii_digit()) { &release[..end] } else { "" }
}

/// The module list stands between two marks of 16 bytes, and ends with a line break.
fn without_sentinels(modules: &[u8]) -> &[u8] {
    match modules.len().checked_sub(17) {
        Some(last) if last >= 16 && modules[last] == b'\n' => &modules[16..=last],
        _ => &[],
    }
}

/// Whether a main module's version was ever released: not `(devel)`, and not made up from nothing but a commit.
fn is_release(version: &str) -> bool {
    version.starts_with('v') && version != "v0.0.0" && !version.starts_with("v0.0.0-")
}

struct Module<'a> {
    path: &'a str,
    version: &'a str,
}

#[derive(Default)]
struct Modules<'a> {
    main: Option<Module<'a>>,
    dependencies: Vec<Module<'a>>,
    linker_flags: String,
}

impl<'a> Modules<'a> {
    /// Reads the lines: `mod PATH VERSION SUM`, `dep ..`, `=> ..` for what replaces the line before it, and
    /// `build KEY=VALUE`.
    fn read(list: &'a str, problems: &mut Vec<Problem>) -> Modules<'a> {
        let mut modules = Modules::default();
        let mut bad_lines = 0u64;
        for line in list.lines().filter(|line| !line.is_empty()) {
            let (kind, rest) = line.split_once('\t').unwrap_or((line, ""));
            let mut fields = rest.split('\t');
            let path = fields.next().unwrap_or_default();
            let version = fields.next().unwrap_or_default();
            match kind {
                "mod" if !path.is_empty() => modules.main = Some(Module { path, version }),
                "dep" if !path.is_empty() => modules.dependencies.push(Module { path, version }),
                "=>" => match modules.dependencies.last_mut().or(modules.main.as_mut()) {
                    Some(replaced) => replaced.replace(path, version),
                    None => bad_lines += 1,
                },
                "build" => {
                    if let Some(flags) = rest.strip_prefix("-ldflags=") {
                        modules.linker_flags = linker_flags::unquote(flags);
                    }
                }
                "path" => {}
                _ => bad_lines += 1,
            }
        }
        if bad_lines > 0 {
            let detail = format!("{bad_lines} lines of Go's module list cannot be understood");
            problems.push(Problem::unreadable(detail));
        }
        modules
    }
}

impl<'a> Module<'a> {
    /// A module replaced by a directory keeps its name: that is what the code calls it, and the directory's
    /// version is unknown.
    fn replace(&mut self, path: &'a str, version: &'a str) {
        if !version.is_empty() && !path.is_empty() {
            self.path = path;
        }
        self.version = version;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_library_versions_are_releases() {
        for (version, expected) in [
            ("go1.22.3", "1.22.3"),
            ("go1.21", "1.21"),
            ("go1.22rc1", "1.22rc1"),
            ("go1.22.3 X:boringcrypto", "1.22.3"),
            ("go1.22.3-X:strictfipsruntime", "1.22.3"),
            ("go1.26.5 (Red Hat 1.26.5-1.el9)", "1.26.5"),
            ("go1.25.1+abcdef", "1.25.1"),
            ("devel go1.23-0123abc Tue Jan 2 00:00:00 2024 +0000", ""),
            ("devel +0123abc", ""),
            ("gofork", ""),
        ] {
            assert_eq!(standard_library_version(version), expected, "{version}");
        }
    }

    #[test]
    fn only_tags_are_releases() {
        for (version, expected) in [
            ("v1.2.3", true),
            ("v1.2.3+dirty", true),
            ("v1.2.4-0.20240102030405-0123456789ab", true),
            ("(devel)", false),
            ("", false),
            ("v0.0.0-20240102030405-0123456789ab", false),
            ("v0.0.0-20240102030405-0123456789ab+dirty", false),
            ("v0.0.1", true),
        ] {
            assert_eq!(is_release(version), expected, "{version}");
        }
    }
}
