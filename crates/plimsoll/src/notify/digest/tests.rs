//! Mails, as a reader sees them.

use super::*;
use crate::notify::tests::samples::{all, changes, occurrence};

const URL: &str = "https://plimsoll.example";

#[test]
fn a_mail() {
    let paragraphs: Vec<Paragraph> = all().iter().map(|happened| paragraph(happened, URL)).collect();
    let letter = letter(&paragraphs, "ship.example");
    insta::assert_snapshot!("text", format!("{}\n\n{}", letter.subject, letter.text));
    insta::assert_snapshot!("html", letter.html);
}

#[test]
fn what_others_say_is_no_markup_and_no_line() {
    let mut hostile = changes();
    for finding in &mut hostile.findings {
        finding.package = "<script>alert(1)</script>{paragraphs}\n\nDear all".to_owned();
        finding.link = "javascript:alert(1)".to_owned();
    }
    let happened = occurrence("findings.changed", 1, "sha256:aa", What::Findings(hostile));
    let letter = letter(&[paragraph(&happened, URL)], "<i>host\r\nBcc: x");
    assert!(!letter.html.contains("<script") && !letter.html.contains("javascript:"), "{}", letter.html);
    assert!(letter.html.contains("&lt;script&gt;alert(1)&lt;/script&gt;{paragraphs}"), "{}", letter.html);
    assert!(!letter.subject.contains('\n') && !letter.text.contains("\nDear all"), "{}", letter.text);
}

#[test]
fn a_mail_is_not_endless() {
    let one = paragraph(&all()[0], URL);
    let many = vec![one; PARAGRAPHS_MAX + 7];
    let letter = letter(&many, "ship.example");
    assert_eq!(letter.text.matches("registry.example/team/app:1.2").count(), PARAGRAPHS_MAX);
    assert!(letter.text.contains("7 more are not named here."), "{}", letter.text);
    assert!(letter.subject.ends_with("107 images with changed findings"), "{}", letter.subject);
}
