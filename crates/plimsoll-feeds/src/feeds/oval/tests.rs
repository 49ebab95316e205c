//! What documents may not do, and what is left out of them.

use crate::feeds::tests::{bzip2ed, parsed};

/// A document of Oracle's with these definitions.
fn oracle(definitions: &str) -> String {
    format!("<oval_definitions><definitions>{definitions}</definitions></oval_definitions>")
}

/// A definition of Oracle's with these criteria under its release and architecture.
fn erratum(criteria: &str) -> String {
    format!(
        r#"<definition class="patch"><metadata><title>ELSA-2024-0001: a (LOW)</title></metadata>
        <criteria operator="AND"><criterion comment="Oracle Linux 9 is installed"/>
        <criterion comment="Oracle Linux arch is x86_64"/>{criteria}</criteria></definition>"#
    )
}

fn earlier(name: &str) -> String {
    format!(r#"<criterion comment="{name} is earlier than 0:1-1"/>"#)
}

#[track_caller]
fn check(criteria: &str, expected: &str) {
    let (result, received) = parsed("oracle-oval", "", oracle(&erratum(criteria)).as_bytes());
    assert!(result.is_ok(), "{result:?}");
    assert!(received.contains(expected), "{received}");
}

#[test]
fn documents_that_are_none_are_no_part() {
    let whole = oracle(&erratum(&earlier("a")));
    for document in ["", "{}", "<html></html>", "<oval_definitions/>", "\u{feff}", "<oval_definitions>"] {
        for feed in ["azurelinux-oval", "oracle-oval", "suse-oval"] {
            assert!(parsed(feed, "", document.as_bytes()).0.is_err(), "{feed} {document}");
        }
    }
    for length in [1, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
        assert!(parsed("oracle-oval", "", &whole.as_bytes()[..length]).0.is_err(), "cut to {length}");
    }
    let compressed = bzip2ed(whole.as_bytes());
    assert_eq!(parsed("oracle-oval", "", &compressed).1, parsed("oracle-oval", "", whole.as_bytes()).1);
    assert!(parsed("oracle-oval", "", &compressed[..compressed.len() - 5]).0.is_err());
}

#[test]
fn criteria_that_are_nested_too_deep_are_no_part() {
    let deep = format!("{}{}", "<criteria>".repeat(100_000), "</criteria>".repeat(100_000));
    assert!(parsed("oracle-oval", "", oracle(&erratum(&deep)).as_bytes()).0.is_err());
}

#[test]
fn criteria_that_multiply_too_far_are_refused() {
    let any = |name: &str| {
        let all: String = (0..400).map(|number| earlier(&format!("{name}{number}"))).collect();
        format!(r#"<criteria operator="OR">{all}</criteria>"#)
    };
    check(&format!("{}{}", any("a"), any("b")), "refused `ELSA-2024-0001`: criteria multiply to more than");
}

#[test]
fn criteria_that_are_too_many_are_refused() {
    let many = format!(r#"<criteria operator="OR">{}</criteria>"#, "<criterion/>".repeat(200_001));
    check(&many, "refused `ELSA-2024-0001`: it has more than 200,000 criteria");
}

#[test]
fn statements_that_are_too_many_are_refused() {
    let any = |inner: String| format!(r#"<criteria operator="OR">{inner}</criteria>"#);
    let releases =
        (1..61).map(|n| format!(r#"<criterion comment="Oracle Linux {n} is installed"/>"#)).collect();
    let packages = (0..10_000).map(|n| earlier(&format!("a{n}"))).collect();
    let definition = erratum(&any(packages)).replacen(
        r#"<criterion comment="Oracle Linux 9 is installed"/>"#,
        &any(releases),
        1,
    );
    let (result, received) = parsed("oracle-oval", "", oracle(&definition).as_bytes());
    assert!(result.is_ok());
    assert!(received.contains("refused `ELSA-2024-0001`: it makes more than 500,000 statements"));
}

#[test]
fn limits_are_told_apart_from_packages() {
    let all = |inner: &str| format!(r#"<criteria operator="AND">{inner}</criteria>"#);
    let any = |inner: &str| format!(r#"<criteria operator="OR">{inner}</criteria>"#);
    let release = |name: &str| format!(r#"<criterion comment="{name} is installed"/>"#);
    let module = |name: &str| format!(r#"<criterion comment="Module {name} is enabled"/>"#);
    let a = earlier("a");
    // Alternatives, also of nothing but limits.
    check(&any(&format!("{a}{}", earlier("b"))), "- ol:9 a affected [, 1-1 fixed)\n  - ol:9 b affected");
    check(
        &all(&format!("{}{a}", any(&(release("Oracle Linux 8") + &release("Oracle Linux 9"))))),
        "- ol:9 a",
    );
    // What contradicts the release above never holds, and what has no limits holds.
    check(&all(&format!("{}{a}", release("Oracle Linux 8"))), "skipped: it speaks of other products");
    check(&all(&format!("{}{a}", all(""))), "- ol:9 a affected");
    check(&all(&format!("{}{a}", any(""))), "skipped: it speaks of other products");
    check(&all(&format!("{}{a}", module("m:1"))), "module m:1");
    check(
        &all(&format!("{}{}{a}", module("m:1"), module("m:2"))),
        "refused `ELSA-2024-0001`: criteria ask for several modules at once",
    );
}
