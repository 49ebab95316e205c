//! What one file may cost, with limits small enough for a test.

use super::*;

#[path = "../../../tests/support/zip_writer.rs"]
mod zip_writer;

use zip_writer::{Frame, deflated, framed, stored, zip};

const SMALL: Limits = Limits {
    depth_max: 2,
    members_max: 8,
    path_bytes_max: 100,
    entries_max: 20,
    nested_bytes_max: 2_000,
    metadata_bytes_max: 500,
    inflated_bytes_max: 5_000,
    problems_max: 3,
};

fn library(version: usize) -> Vec<u8> {
    zip(&[stored("META-INF/maven/g/a/pom.properties", format!("version={version}").as_bytes())])
}

#[track_caller]
fn check(bytes: &[u8], packages: usize, problems: &[&str]) {
    let found = read_archive("x.jar", bytes, &SMALL);
    let details: Vec<&str> = found.problems.iter().map(|problem| problem.detail.as_str()).collect();
    assert_eq!(details, problems);
    assert_eq!(found.packages.len(), packages);
}

#[test]
fn members_are_counted_over_all_archives() {
    let items: Vec<_> = (0..5).map(|n| stored(&format!("{n}.jar"), &library(n))).collect();
    let problem = "the file has more than 8 archives and descriptions; the rest was not read";
    check(&zip(&items), 6, &[&format!("`3.jar`: {problem}"), &format!("`4.jar`: {problem}")]);
    let many: Vec<_> = (0..9).map(|n| stored(&format!("{n}.jar"), b"")).collect();
    let found = read_archive("x.jar", &zip(&many), &SMALL);
    assert_eq!(found.problems[0].detail, problem);
}

#[test]
fn paths_are_measured_with_what_is_around_them() {
    let long = "x".repeat(60);
    let outer = zip(&[stored(&format!("{long}.jar"), &zip(&[stored(&format!("{long}.jar"), &library(1))]))]);
    check(&outer, 2, &[&format!("`{long}.jar`: not read: an entry whose path has more than 100 bytes")]);
}

#[test]
fn entries_are_counted_over_all_archives() {
    let many: Vec<_> = (0..12).map(|n| stored(&n.to_string(), b"")).collect();
    let outer = zip(&[stored("a.jar", &zip(&many)), stored("b.jar", &zip(&many))]);
    check(&outer, 3, &["`b.jar`: the file has more than 20 entries; the rest was not read"]);
}

#[test]
fn depth_is_counted() {
    let deepest = zip(&[stored("3.jar", &library(1))]);
    let bytes = zip(&[stored("1.jar", &zip(&[stored("2.jar", &deepest)]))]);
    let detail = "`1.jar!/2.jar`: 1 archives in it were not read: they are nested deeper than 2";
    check(&bytes, 3, &[detail]);
}

#[test]
fn inflated_bytes_are_counted_over_all_archives() {
    let padded = |n| {
        let frame = Frame { prefix: vec![b'#'; 1_700], ..Frame::default() };
        deflated(&format!("{n}.jar"), &framed(&[stored("a", b"")], &frame))
    };
    check(
        &zip(&[padded(0), padded(1), padded(2)]),
        3,
        &["`2.jar`: not read: the file inflates to more than 5000 bytes"],
    );
}

#[test]
fn one_archive_inflates_to_its_limit() {
    check(
        &zip(&[deflated("a.jar", &[b'#'; 2_001]), deflated("META-INF/MANIFEST.MF", &[b'#'; 501])]),
        1,
        &[
            "`META-INF/MANIFEST.MF`: not read: 501 bytes are more than the limit of 500",
            "`a.jar`: not read: 2001 bytes are more than the limit of 2000",
        ],
    );
}

#[test]
fn problems_are_counted_when_they_are_many() {
    let reason = "not a readable zip archive: it has no end of central directory; it may be cut off";
    let outer = zip(&[stored("0.jar", b"x"), stored("1.jar", b"x"), stored("2.jar", b"x")]);
    check(&outer, 1, &[0, 1, 2].map(|n| format!("`{n}.jar`: {reason}")).each_ref().map(String::as_str));
    let items: Vec<_> = (0..2).map(|n| stored(&format!("{n}.jar"), &outer)).collect();
    let found = read_archive("x.jar", &zip(&items), &SMALL);
    assert_eq!(found.problems.len(), 4);
    assert_eq!(found.problems[3].detail, "3 more parts could not be read");
}
