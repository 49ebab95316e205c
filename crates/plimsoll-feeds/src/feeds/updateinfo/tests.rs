//! Documents that nobody should have to read.

use super::super::tests::{gzipped, parsed_part};
use super::*;

fn read(document: &[u8]) -> (Result<(), String>, String) {
    let (result, received) = parsed_part("fedora-updateinfo", &Part::new("41-x86_64.xml", ""), document);
    (result.map_err(|error| error.to_string()), received)
}

/// A document of one update, with a text in its description.
fn document(description: &str) -> String {
    format!(
        r#"<updates><update type="security"><id>FEDORA-1</id><description>{description}</description>
        <pkglist><collection><package name="a" version="1" release="1" arch="x86_64"/></collection></pkglist>
        </update></updates>"#
    )
}

#[test]
fn a_document_that_is_cut_short_is_no_part() {
    let whole = document("text");
    assert!(read(whole.as_bytes()).0.is_ok());
    for length in 0..whole.len() {
        assert!(read(&whole.as_bytes()[..length]).0.is_err(), "cut to {length}");
    }
    let compressed = gzipped(whole.as_bytes());
    assert_eq!(read(&compressed), read(whole.as_bytes()));
    assert!(read(&compressed[..compressed.len() - 9]).0.is_err());
}

#[test]
fn a_document_of_another_shape_is_no_part() {
    for other in [
        "",
        "{}",
        "not there",
        "<html></html>",
        "<repomd/>",
        "<updates/><updates/>",
        "<updates></update>",
        "<updates><update></updates></update>",
        "<updates \u{0}",
    ] {
        assert!(read(other.as_bytes()).0.is_err(), "{other}");
    }
    assert!(read(b"<updates/>").0.is_ok());
    assert!(read(b"<updates>\xff\xfe</updates>").0.is_err(), "it is not UTF-8");
    let (result, _) = parsed_part("fedora-updateinfo", &Part::new("part", ""), b"<updates/>");
    assert!(result.is_err(), "the part is of no release");
}

#[test]
fn depth_is_limited() {
    let deep = format!("<updates>{}", "<update>".repeat(1_000_000));
    let error = read(deep.as_bytes()).0.unwrap_err();
    assert_eq!(error, "more than 64 elements stand in one another");
}

#[test]
fn one_long_text_or_tag_is_an_error_and_many_are_not() {
    let long = "x".repeat(5 << 20);
    for document in [document(&long), document(&format!("<a b=\"{long}\"/>")), format!("<{long}")] {
        let error = read(document.as_bytes()).0.unwrap_err();
        assert!(error.contains("longer than 4194304 bytes"), "{error}");
    }
    let many = document(&"<![CDATA[some text]]>".repeat(500_000));
    let (result, received) = read(many.as_bytes());
    assert!(result.is_ok());
    assert!(received.len() < 6_000, "{} bytes", received.len());
}

#[test]
fn entities_are_not_expanded() {
    let laughs =
        r#"<!DOCTYPE updates [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>"#;
    let (result, received) = read(format!("{laughs}{}", document("&b;&c;&lt;")).as_bytes());
    assert!(result.is_ok());
    assert!(received.contains("description: &b;&c;<\n"), "{received}");
}

#[test]
fn many_attributes_are_read_in_time() {
    let attributes: String = (0..100_000).map(|number| format!(" a{number}='1'")).collect();
    let (result, received) = read(document("").replace("name=", &format!("{attributes} name=")).as_bytes());
    assert!(result.is_ok());
    assert!(received.contains("fedora:41 a affected"), "{received}");
}
