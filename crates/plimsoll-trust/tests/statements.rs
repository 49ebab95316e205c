//! What statements say, a file each: `testdata/statements/KIND/CASE.json`, read as a claim that nobody signed.

#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use plimsoll_core::digest::Digest;
use plimsoll_core::evidence::{Content, Item, Place, Predicate, Scheme, Standing};
use plimsoll_trust::claim::read_claim;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/statements")
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

fn read(path: &Path) -> Item {
    let place = Place { scheme: Scheme::Buildkit, name: String::new() };
    read_claim(&fs::read(path).unwrap(), &Digest::sha256(&[0x11; 32]), place)
}

#[test]
fn every_statement_is_read_as_its_kind_says() {
    for kind in sorted(&folder()).into_iter().filter(|path| path.is_dir()) {
        let mut told = String::new();
        let cases = sorted(&kind);
        assert!(!cases.is_empty());
        for case in cases {
            let item = read(&case);
            writeln!(told, "## {}", name(&case)).unwrap();
            match &item.standing {
                Standing::Unsigned => {}
                Standing::Refused(refusal) => {
                    writeln!(told, "refused, {}: {}", refusal.kind.name(), refusal.detail).unwrap();
                }
                other => panic!("nobody signed it: {}", other.name()),
            }
            if let (Standing::Unsigned, Content::Statement(statement)) = (&item.standing, &item.content) {
                writeln!(told, "{:#?}", statement.predicate).unwrap();
            }
        }
        let kind = kind.file_name().unwrap().to_str().unwrap().replace('.', "_");
        insta::assert_snapshot!(kind, told);
    }
}

/// The names of the files say what the reader must do; the snapshots could be accepted without being read.
#[test]
fn the_files_names_hold() {
    for kind in sorted(&folder()).into_iter().filter(|path| path.is_dir()) {
        for case in sorted(&kind) {
            let item = read(&case);
            let is_refused = matches!(item.standing, Standing::Refused(_));
            assert_eq!(is_refused, name(&kind) == "refused", "{}", case.display());
            let unreadable = matches!(&item.content, Content::Statement(statement)
                if matches!(statement.predicate, Predicate::Unreadable(_)));
            assert_eq!(unreadable, name(&case).contains("unreadable"), "{}", case.display());
        }
    }
}
