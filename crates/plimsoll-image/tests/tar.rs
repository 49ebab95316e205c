//! Archives of every format, held against what another reader says of them, and damaged ones.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::fs;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use plimsoll_core::digest::hex;
use plimsoll_image::tar::{Archive, EXTENSION_BYTES_MAX, Kind, TarError, clean_path};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/tar");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "gz"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 8);
    paths
}

fn inflate(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

/// Lists an archive as the expectation files do.
fn list(bytes: &[u8]) -> Result<String, TarError> {
    let mut archive = Archive::new(BufReader::with_capacity(700, bytes));
    let mut out = String::new();
    while let Some(header) = archive.next_entry()? {
        let kind = match &header.kind {
            Kind::Directory => "dir".to_owned(),
            Kind::Symlink(target) => format!("symlink {target}"),
            Kind::HardLink(target) => format!("hardlink {target}"),
            Kind::Special => "special".to_owned(),
            Kind::File => {
                let mut content = Vec::new();
                archive.by_ref().take(64 << 20).read_to_end(&mut content)?;
                assert_eq!(content.len() as u64, header.size.min(64 << 20), "{}", header.path);
                format!("file {} {}", content.len(), &hex(&Sha256::digest(&content))[..16])
            }
        };
        writeln!(out, "{}\t{:o}\t{kind}", header.path, header.mode).unwrap();
    }
    Ok(out)
}

#[test]
fn every_format_reads_as_another_reader_reads_it() {
    for path in fixtures() {
        let expected = fs::read_to_string(path.with_extension("").with_extension("txt")).unwrap();
        assert_eq!(list(&inflate(&path)).unwrap(), expected, "{}", path.display());
    }
}

#[test]
fn content_that_nobody_reads_is_skipped() {
    for path in fixtures() {
        let bytes = inflate(&path);
        let mut archive = Archive::new(&bytes[..]);
        let mut count = 0;
        while archive.next_entry().unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, list(&bytes).unwrap().lines().count(), "{}", path.display());
    }
}

#[test]
fn an_archive_that_is_cut_off_is_an_error_and_never_a_panic() {
    for path in fixtures() {
        let bytes = inflate(&path);
        let whole = list(&bytes).unwrap();
        for length in (0..bytes.len().min(40_000)).step_by(97) {
            match list(&bytes[..length]) {
                // Cut at the end of an entry there is nothing to tell: tar states no count.
                Ok(part) => assert!(whole.starts_with(&part)),
                Err(error) => assert!(matches!(error, TarError::Read(_) | TarError::Damaged(_)), "{error}"),
            }
        }
    }
}

fn block(name: &str, size: &str, kind: u8) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..107].copy_from_slice(b"0000644");
    block[124..124 + size.len()].copy_from_slice(size.as_bytes());
    block[156] = kind;
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    block
}

#[test]
fn an_endless_long_name_is_refused_by_its_header() {
    let bytes = block("././@LongLink", "77777777777", b'L');
    match list(&bytes) {
        Err(TarError::TooLarge { max, .. }) => assert_eq!(max, EXTENSION_BYTES_MAX),
        other => panic!("{other:?}"),
    }
}

#[test]
fn links_and_directories_have_no_content_whatever_they_state() {
    let mut bytes = block("dir/", "00000001000", b'5');
    bytes.extend(block("after", "00000000000", b'0'));
    assert_eq!(list(&bytes).unwrap().lines().count(), 2);
}

#[test]
fn a_stray_zero_block_does_not_end_an_archive() {
    let mut bytes = vec![0; 512];
    bytes.extend(block("after", "00000000000", b'0'));
    bytes.extend([0; 1024]);
    bytes.extend(block("hidden", "00000000000", b'0'));
    assert_eq!(list(&bytes).unwrap().lines().count(), 1);
}

#[test]
fn paths_never_leave_the_root() {
    for (path, cleaned) in [
        ("./a//b/../c/", "a/c"),
        ("../../etc/passwd", "etc/passwd"),
        ("/..", ""),
        ("a/../../b", "b"),
        ("a/./b", "a/b"),
    ] {
        assert_eq!(clean_path(path), cleaned, "{path}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn flipped_bytes_never_panic(
        which in 0usize..8,
        flips in prop::collection::vec((0usize..20_000, any::<u8>()), 1..8),
    ) {
        let paths = fixtures();
        let mut bytes = inflate(&paths[which % paths.len()]);
        bytes.truncate(30_000);
        for (at, value) in flips {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        drop(list(&bytes));
    }
}
