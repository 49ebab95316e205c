//! What the `executable` cataloger says of Go and Rust programs in each format, whole and as a stream.
//!
//! The programs are built here: headers, one writable segment, and in it what the linkers write.

#![allow(clippy::unwrap_used)]

use std::io::{self, Read};

use libdeflater::{CompressionLvl, Compressor};
use plimsoll_image::catalogers::{CATALOGERS, Cataloger, Entry, File, Found};
use proptest::prelude::*;

#[path = "support/program_writer.rs"]
mod program_writer;
#[path = "support/fixtures.rs"]
mod support;

use program_writer::{DATA_ADDRESS, DATA_OFFSET, elf, fat, mach_o, pe};

const MODULES: &str = "path\texample.com/app/cmd\nmod\texample.com/app\tv1.2.3\th1:x=\n\
    dep\tgolang.org/x/net\tv0.1.0\th1:x=\ndep\tgithub.com/a/old\tv1.0.0\n=>\tgithub.com/b/new\tv1.1.0\th1:x=\n\
    dep\tgithub.com/a/local\tv1.0.0\n=>\t../local\t\t\nbuild\t-compiler=gc\nbuild\tCGO_ENABLED=0\n";

const GO_PACKAGES: &[&str] = &[
    "golang example.com/app v1.2.3",
    "golang github.com/a/local ",
    "golang github.com/b/new v1.1.0",
    "golang golang.org/x/net v0.1.0",
    "golang stdlib 1.22.3",
];

const AUDIT_JSON: &str = r#"{"packages":[{"name":"adler","version":"1.0.2","source":"registry"},
    {"name":"app","version":"0.1.0","source":"local","dependencies":[0],"root":true},
    {"name":"autocfg","version":"1.1.0","source":"crates.io","kind":"build"},
    {"name":"itoa","version":"1.0.1","source":"crates.io","kind":"runtime"}]}"#;

const RUST_PACKAGES: &[&str] = &["cargo adler 1.0.2", "cargo app 0.1.0", "cargo itoa 1.0.1"];

fn row() -> &'static Cataloger {
    CATALOGERS.iter().copied().find(|row| row.name == "executable").unwrap()
}

/// How a program is read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Whole,
    Stream,
}

const WAYS: [Way; 2] = [Way::Whole, Way::Stream];

/// Gives few bytes at a time, as an inflating reader may.
struct Sips<'a>(&'a [u8]);

impl Read for Sips<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(10_007);
        self.0.read(&mut buffer[..length])
    }
}

fn read(bytes: &[u8], way: Way) -> Found {
    let mut content = Sips(bytes);
    let mut file = File::new("usr/bin/app", bytes.len() as u64, &mut content);
    if way == Way::Stream {
        file.whole_bytes_max = 0;
    }
    (row().read)(&mut file)
}

/// `ecosystem name version` and `! problem`, one a line.
fn lines(found: &Found) -> Vec<String> {
    let package = |p: &plimsoll_image::catalogers::FoundPackage| {
        assert!(p.inner_path.is_none());
        format!("{} {} {}", p.ecosystem.name, p.name, p.version)
    };
    let problems = found
        .problems
        .iter()
        .map(|problem| format!("! {}{}", if problem.is_limit { "limit: " } else { "" }, problem.detail));
    found.packages.iter().map(package).chain(problems).collect()
}

#[track_caller]
fn check(bytes: &[u8], way: Way, expected: &[&str]) {
    assert_eq!(lines(&read(bytes, way)), expected, "{way:?}");
}

fn varint_text(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut length = text.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend(text);
    out
}

/// The list between its two marks of 16 bytes.
fn marked(modules: &str) -> Vec<u8> {
    if modules.is_empty() {
        return Vec::new();
    }
    [&b"<<<<<<<<<<<<<<<<"[..], modules.as_bytes(), b">>>>>>>>>>>>>>>>"].concat()
}

/// As Go writes it since 1.18.
fn go_inline(version: &str, modules: &str) -> Vec<u8> {
    let mut out = b"\xff Go buildinf:\x08\x02".to_vec();
    out.resize(32, 0);
    out.extend(varint_text(version.as_bytes()));
    out.extend(varint_text(&marked(modules)));
    out
}

/// As Go wrote it from 1.13 to 1.17, to stand at an address.
fn go_pointers(
    version: &str,
    modules: &str,
    address: u64,
    word_bytes: usize,
    is_big_endian: bool,
) -> Vec<u8> {
    let word = |number: u64| match (word_bytes, is_big_endian) {
        (4, false) => (number as u32).to_le_bytes().to_vec(),
        (4, true) => (number as u32).to_be_bytes().to_vec(),
        (_, false) => number.to_le_bytes().to_vec(),
        (_, true) => number.to_be_bytes().to_vec(),
    };
    let modules = marked(modules);
    let mut out = b"\xff Go buildinf:".to_vec();
    out.extend([word_bytes as u8, u8::from(is_big_endian)]);
    out.extend(word(address + 32));
    out.extend(word(address + 48));
    out.resize(32, 0);
    out.extend(word(address + 64));
    out.extend(word(version.len() as u64));
    out.resize(48, 0);
    out.extend(word(address + 64 + version.len() as u64));
    out.extend(word(modules.len() as u64));
    out.resize(64, 0);
    out.extend(version.as_bytes());
    out.extend(modules);
    out
}

fn zlib(content: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::new(6).unwrap());
    let mut out = vec![0; compressor.zlib_compress_bound(content.len())];
    let length = compressor.zlib_compress(content, &mut out).unwrap();
    out.truncate(length);
    out
}

#[test]
fn fixtures_read_the_same_whole_and_as_a_stream() {
    for path in support::files_under("testdata/catalogers/executable") {
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(read(&bytes, Way::Whole), read(&bytes, Way::Stream), "{path}");
    }
}

#[test]
fn executables_of_some_size_are_wanted() {
    for (path, size, is_executable, expected) in [
        ("usr/bin/app", 5000, true, true),
        ("usr/bin/app", 4095, true, false),
        ("usr/bin/app", 5000, false, false),
        ("Files/app.EXE", 5000, false, true),
        ("exe", 5000, false, false),
        ("usr/lib/x.so", 5000, false, false),
    ] {
        assert_eq!((row().wants)(&Entry { path, size, is_executable }), expected, "{path} {size}");
    }
}

#[test]
fn go_programs_of_every_format_are_read_in_both_ways() {
    let list = go_inline("go1.22.3", MODULES);
    for way in WAYS {
        check(&elf(&[(".go.buildinfo", &list)], true), way, GO_PACKAGES);
        check(&elf(&[(".data", &list)], true), way, GO_PACKAGES);
        check(&elf(&[(".data", &list)], false), way, GO_PACKAGES);
        check(&pe(&[(".data", &list)]), way, GO_PACKAGES);
        check(&mach_o(&[("__go_buildinfo", &list)]), way, GO_PACKAGES);
        check(&fat(&[mach_o(&[("__data", &list)]), mach_o(&[("__data", &list)])]), way, GO_PACKAGES);
    }
}

#[test]
fn go_programs_from_before_1_18_are_read_whole() {
    let old = |version| go_pointers(version, MODULES, DATA_ADDRESS, 8, false);
    let expected: Vec<String> = GO_PACKAGES.iter().map(|line| line.replace("1.22.3", "1.17.2")).collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&elf(&[(".go.buildinfo", &old("go1.17.2"))], true), Way::Whole, &expected);
    check(&elf(&[(".data", &old("go1.17.2"))], false), Way::Whole, &expected);
    check(&pe(&[(".data", &old("go1.17.2"))]), Way::Whole, &expected);
    check(&mach_o(&[("__data", &old("go1.17.2"))]), Way::Whole, &expected);
    for (word_bytes, is_big_endian) in [(4, false), (4, true), (8, true)] {
        let list = go_pointers("go1.17.2", MODULES, DATA_ADDRESS, word_bytes, is_big_endian);
        check(&elf(&[(".go.buildinfo", &list)], true), Way::Whole, &expected);
    }
    check(
        &elf(&[(".data", &old("go1.17.2"))], true),
        Way::Stream,
        &[
            "! limit: a Go program from before Go 1.18 and larger than 33554432 bytes: its module list cannot be read",
        ],
    );
    let lost = go_pointers("go1.17.2", MODULES, 0x10, 8, false);
    check(
        &elf(&[(".go.buildinfo", &lost)], true),
        Way::Whole,
        &["! Go's build information points outside of the program"],
    );
}

#[test]
fn main_modules_have_a_version_only_if_one_is_stated() {
    for (modules, expected) in [
        ("path\ta.b/c\nmod\ta.b/c\t(devel)\t\n", "golang a.b/c "),
        ("mod\ta.b/c\tv0.0.0-20240102030405-0123456789ab\t\n", "golang a.b/c "),
        ("mod\ta.b/c\tv1.0.0+incompatible\t\n", "golang a.b/c v1.0.0+incompatible"),
        ("mod\ta.b/c\t(devel)\t\nbuild\t-ldflags=\"-s -X main.version=2.0.1\"\n", "golang a.b/c v2.0.1"),
        ("mod\ta.b/c\tv1.0.0\t\nbuild\t-ldflags=\"-X main.version=2.0.1\"\n", "golang a.b/c v1.0.0"),
    ] {
        let program = elf(&[(".go.buildinfo", &go_inline("go1.22.3", modules))], true);
        check(&program, Way::Whole, &[expected, "golang stdlib 1.22.3"]);
    }
}

#[test]
fn what_is_wrong_with_build_information_is_told() {
    let cut = |bytes: Vec<u8>, length: usize| bytes[..length].to_vec();
    for way in WAYS {
        for (list, expected) in [
            (
                go_inline("go1.22.3", ""),
                &[
                    "golang stdlib 1.22.3",
                    "! a Go program without a module list: the modules that it was built from are unknown",
                ][..],
            ),
            (
                go_inline("go1.22.3", "path\tcmd/go\nodd\tline\n=>\ta\tb\n"),
                &["golang stdlib 1.22.3", "! 2 lines of Go's module list cannot be understood"],
            ),
            (go_inline("go1.22.3", "path\tcmd/go\nbuild\t-compiler=gc\n"), &["golang stdlib 1.22.3"]),
            (go_inline("nonsense", MODULES), &[]),
            (
                [&go_inline("go1.22.3", "")[..41], &[0xff, 0xff, 0xff, 0x7f]].concat(),
                &["! limit: Go's module list states 268435455 bytes, more than the limit of 4194304"],
            ),
        ] {
            check(&elf(&[(".go.buildinfo", &list)], true), way, expected);
        }
        let program = elf(&[(".data", &go_inline("go1.22.3", MODULES))], false);
        let problem = ["! Go's build information ends before its end"];
        check(&cut(program, DATA_OFFSET + 100), way, &problem);
    }
}

#[test]
fn the_magic_by_accident_is_passed_over() {
    let list = go_inline("go1.22.3", MODULES);
    // Aligned, with something else behind it; then whole, and not aligned.
    let mut data = b"0123456789abcdef\xff Go buildinf: is what I look for".to_vec();
    data.resize(data.len().next_multiple_of(16) + 8, 0);
    data.extend(go_inline("go1.0.1", "mod\tother\tv9.0.0\n"));
    data.resize(data.len().next_multiple_of(16), 0);
    data.extend(&list);
    for way in WAYS {
        check(&elf(&[(".data", &data)], true), way, GO_PACKAGES);
    }
}

#[test]
fn a_program_in_a_program_is_not_this_program() {
    let mut program = elf(&[(".go.buildinfo", &go_inline("go1.22.3", MODULES))], true);
    let other = go_inline("go1.0.1", "mod\tother\tv9.0.0\n");
    // In front of the writable segment, where read-only data stands, and behind it.
    program[1024..1024 + other.len()].copy_from_slice(&other);
    program.resize(program.len().next_multiple_of(16), 0);
    program.extend(&other);
    for way in WAYS {
        check(&program, way, GO_PACKAGES);
    }
}

#[test]
fn rust_programs_of_every_format_are_read_in_both_ways() {
    let list = zlib(AUDIT_JSON.as_bytes());
    for way in WAYS {
        check(&elf(&[(".dep-v0", &list)], true), way, RUST_PACKAGES);
        check(&elf(&[(".data", &list)], false), way, RUST_PACKAGES);
        check(&pe(&[(".dep-v0", &list)]), way, RUST_PACKAGES);
        check(&mach_o(&[(".dep-v0", &list)]), way, RUST_PACKAGES);
    }
}

#[test]
fn what_is_wrong_with_audit_data_is_told() {
    let whole = zlib(AUDIT_JSON.as_bytes());
    let bomb = zlib(&[br#"{"packages":["#, &vec![b' '; 9 << 20][..]].concat());
    let bad = zlib(br#"{"packages":[{"name":"a","version":"1.0.0"},{"name":7},{"name":"b","version":"1","kind":"odd"}]}"#);
    let mut damaged = whole.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    for way in WAYS {
        let program = |list: &[u8]| elf(&[(".dep-v0", list)], true);
        check(
            &program(&bomb),
            way,
            &["! limit: Rust's audit data is larger than the limit of 8388608 bytes"],
        );
        check(
            &program(&bad),
            way,
            &["cargo a 1.0.0", "! 2 packages of Rust's audit data cannot be understood"],
        );
        let found = read(&program(&damaged), way);
        assert!(found.problems[0].detail.starts_with("Rust's audit data cannot be inflated"), "{found:?}");
        let found = read(&program(&zlib(br#"{"packages":["#)), way);
        assert!(found.problems[0].detail.starts_with("Rust's audit data is not the JSON"), "{found:?}");
    }
    check(&elf(&[(".dep-v0", &whole[..40])], true), Way::Whole, &["! Rust's audit data ends before its end"]);
}

#[test]
fn lists_are_found_wherever_the_windows_of_a_stream_end() {
    const WINDOW: usize = 256 << 10;
    let go = go_inline("go1.22.3", MODULES);
    let rust = zlib(AUDIT_JSON.as_bytes());
    let expected = [RUST_PACKAGES, GO_PACKAGES].concat();
    for end in [WINDOW - 512, WINDOW, 2 * WINDOW - 1024, 2 * WINDOW] {
        for at in (end - 256..=end + 32).step_by(16) {
            let mut data = vec![0; at - DATA_OFFSET];
            data.extend(&go);
            data.extend(&rust);
            data.resize(2 * WINDOW + 7777, 0);
            check(&elf(&[(".data", &data)], true), Way::Stream, &expected);
        }
    }
}

#[test]
fn lists_may_be_longer_than_a_window() {
    let modules: String = (0..20_000).map(|n| format!("dep\texample.com/m{n}\tv1.0.{n}\n")).collect();
    let crates: Vec<String> =
        (0..60_000).map(|n| format!(r#"{{"name":"c{n}","version":"1.{}.0"}}"#, n * 7919 % 99991)).collect();
    let rust = zlib(format!(r#"{{"packages":[{}]}}"#, crates.join(",")).as_bytes());
    assert!(modules.len() > 512 << 10 && rust.len() > 256 << 10);
    let program = elf(&[(".data", &[go_inline("go1.22.3", &modules), rust].concat())], false);
    for way in WAYS {
        let found = read(&program, way);
        assert_eq!((found.packages.len(), found.problems.len()), (80_001, 0), "{way:?}");
    }
}

#[test]
fn packed_programs_are_told() {
    let mut program = elf(&[(".data", &[7; 100])], false);
    program[200..204].copy_from_slice(b"UPX!");
    for way in WAYS {
        let problem = "! packed with UPX: what it was built from cannot be read; `upx -d` unpacks it";
        check(&program, way, &[problem]);
        check(&elf(&[(".data", b"UPX!")], true), way, &[]);
    }
}

#[test]
fn hostile_programs_reach_limits_and_end() {
    let magics = b"\xff Go buildinf:\x08\x02".repeat(3000);
    let streams = b"x\x9c\xed".repeat(100_000);
    for way in WAYS {
        let found = read(&elf(&[(".data", &magics)], true), way);
        assert!(found.problems.iter().any(|problem| problem.is_limit), "{way:?} {found:?}");
        check(&elf(&[(".data", &streams)], false), way, &[]);
    }
    let many: Vec<_> = (0..500).map(|_| (".x", &b""[..])).collect();
    check(
        &elf(&many, true),
        Way::Whole,
        &["! limit: has more than 400 sections; the rest was not looked at"],
    );
    let programs: Vec<_> = (0..9).map(|_| elf(&[], true)).collect();
    let problem = "! limit: holds programs for 9 processors, more than the limit of 8; the rest was not read";
    check(&fat(&programs), Way::Whole, &[problem]);
}

#[test]
fn what_is_no_program_is_left_after_its_first_bytes() {
    struct Fuse(usize);
    impl Read for Fuse {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(b'#');
            self.0 = self.0.checked_sub(buffer.len()).ok_or_else(|| io::Error::other("read on"))?;
            Ok(buffer.len())
        }
    }
    let mut content = Fuse(8);
    let found = (row().read)(&mut File::new("run.sh", 1 << 20, &mut content));
    assert_eq!(found, Found::default());
    // A Java class has the magic of Mach-O for several processors.
    let class = [b"\xca\xfe\xba\xbe\0\0\0\x34", &[0u8; 5000][..]].concat();
    assert_eq!(read(&class, Way::Whole), Found::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn mutated_programs_are_read_to_an_end(
        which in 0usize..5,
        changes in prop::collection::vec((0usize..900, any::<u8>()), 0..8),
        data_changes in prop::collection::vec((0usize..900, any::<u8>()), 0..4),
        end in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let go = go_inline("go1.22.3", MODULES);
        let old = go_pointers("go1.17", MODULES, DATA_ADDRESS, 8, false);
        let rust = zlib(AUDIT_JSON.as_bytes());
        let mut bytes = match which {
            0 => elf(&[(".go.buildinfo", &go), (".dep-v0", &rust)], true),
            1 => elf(&[(".data", &old)], false),
            2 => pe(&[(".data", &old), (".dep-v0", &rust)]),
            3 => mach_o(&[("__go_buildinfo", &go), (".dep-v0", &rust)]),
            _ => fat(&[mach_o(&[("__data", &old)]), mach_o(&[("__data", &go)])]),
        };
        let data = data_changes.into_iter().map(|(at, byte)| (at + DATA_OFFSET, byte));
        for (at, byte) in changes.into_iter().chain(data) {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        if is_cut {
            bytes.truncate(end.index(bytes.len()));
        }
        read(&bytes, Way::Whole);
        read(&bytes, Way::Stream);
    }
}
