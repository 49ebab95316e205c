//! What every format writes for a handful of assessments, and what must hold for all of them.

mod samples;

use plimsoll_report::formats::{FORMATS, by_name, json};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

/// Where the schema of our own report is kept.
const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schema/report-1.json");
/// Set to anything, this makes the schema's test write the file instead of comparing it.
const UPDATE: &str = "PLIMSOLL_UPDATE_SCHEMA";

#[test]
fn every_format_of_every_sample() {
    for (name, assessments) in samples::all() {
        for format in FORMATS {
            let text = samples::written(format, &assessments, &samples::context(110));
            let text = if format.name == "html" { in_lines(&text) } else { text };
            insta::assert_snapshot!(format!("{name}-{}", format.name), text);
        }
    }
}

/// A page without what is the same on each, an element a line, so that a change of it can be read.
fn in_lines(page: &str) -> String {
    let body = page.split_once("<main").expect("it has a main part").1;
    format!("<main{}", body.replace("><", ">\n<"))
}

#[test]
fn the_page_runs_nothing_loads_nothing_and_keeps_hostile_text_as_text() {
    let html = by_name("html").unwrap();
    for (name, assessments) in samples::all() {
        let text = samples::written(html, &assessments, &samples::context(80));
        for tag in text.split('<').skip(1).map(|rest| rest.split_once('>').expect("it ends").0) {
            // Without what stands between quotes.
            let bare: String = tag.split('"').step_by(2).collect();
            let element = bare.split_whitespace().next().unwrap_or_default();
            assert!(!["script", "img", "link", "iframe", "b"].contains(&element), "{name}: {tag}");
            for attribute in [" style=", " src=", " on"] {
                assert!(!bare.contains(attribute), "{name}: {tag}");
            }
            assert!(!tag.contains("href=\"javascript"), "{name}: {tag}");
        }
        assert!(text.contains("content=\"default-src 'none'; style-src 'sha256-"), "{name}");
    }
}

#[test]
fn a_long_version_is_cut() {
    let mut assessment = samples::rich();
    assessment.inventory.packages[0].version = "9".repeat(10_000);
    let text = samples::written(by_name("html").unwrap(), &[assessment], &samples::context(80));
    assert!(!text.contains(&"9".repeat(200)));
}

#[test]
fn the_table_is_coloured_only_where_asked() {
    let table = by_name("table").unwrap();
    let mut context = samples::context(110);
    let plain = samples::written(table, &[samples::rich()], &context);
    assert!(!plain.contains('\x1b'));
    context.colour = true;
    let coloured = samples::written(table, &[samples::rich()], &context);
    assert!(coloured.contains("\x1b[1m\x1b[31mcritical\x1b[0m"), "{coloured:?}");
    assert_eq!(without_styles(&coloured), plain);
}

/// Leaves out `ESC [ .. m`.
fn without_styles(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.split_once('m').expect("a style ends with `m`").1);
    }
    out
}

#[test]
fn the_table_fits_the_terminal_and_keeps_ids_whole() {
    let table = by_name("table").unwrap();
    for (name, assessments) in samples::all() {
        for width in [0, 60, 72, 80, 110, 200, usize::MAX] {
            let text = samples::written(table, &assessments, &samples::context(width));
            let ids: Vec<&str> =
                assessments.iter().flat_map(|a| &a.findings.findings).map(|f| f.id.as_str()).collect();
            for id in &ids {
                assert!(text.contains(&*plimsoll_report::printable::printable(id)), "{name} {width} {id}");
            }
            // A long id makes a row longer than the line: then only the other lines have to fit.
            let fits_ids = ids.iter().all(|id| id.len() < 20) && width >= 80;
            let rows_max = if fits_ids { width } else { usize::MAX };
            for line in text.lines() {
                let is_row = line.contains("CVE-")
                    || line.contains("EVIL")
                    || line.starts_with("SEVERITY")
                    || line.contains("GHSA")
                    || line.contains("GO-20");
                let max = if is_row { rows_max } else { width.max(60) };
                assert!(line.width() <= max, "{name} {width}: {line}");
            }
        }
    }
}

#[test]
fn nothing_hostile_reaches_a_terminal() {
    for format in FORMATS {
        let text = samples::written(format, &[samples::hostile()], &samples::context(usize::MAX));
        let bad = text.chars().find(|c| {
            (c.is_control() && *c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        });
        assert_eq!(bad, None, "{}", format.name);
    }
}

#[test]
fn json_keeps_hostile_names_as_they_are() {
    let hostile = samples::hostile();
    let text =
        samples::written(by_name("json").unwrap(), std::slice::from_ref(&hostile), &samples::context(80));
    let report: Value = serde_json::from_str(&text).unwrap();
    for (package, read) in hostile.inventory.packages.iter().zip(report["packages"].as_array().unwrap()) {
        assert_eq!(read["name"], package.name.as_str());
        assert_eq!(read["evidence_path"], package.evidence_path.as_str());
    }
}

#[test]
fn nothing_in_a_comment_is_markup() {
    let text = samples::written(by_name("markdown").unwrap(), &[samples::hostile()], &samples::context(80));
    for markup in ["<img", "<b>", "<script", "@octocat", "](java", "**bold", "\n# ", "www.evil", "//evil"] {
        assert!(!text.replace("&#58;//evil", "").contains(markup), "{markup}");
    }
}

#[test]
fn what_was_not_judged_is_said_first_and_never_reads_as_clean() {
    for (name, assessment) in [
        ("undecided", samples::undecided()),
        ("unknown-distro", samples::unknown_distro()),
        ("hostile", samples::hostile()),
    ] {
        let page = samples::written(
            by_name("html").unwrap(),
            std::slice::from_ref(&assessment),
            &samples::context(80),
        );
        let start = page.split_once("class=\"tallies\"").unwrap().0;
        assert!(start.contains("Not everything was judged"), "{name}");
        for (format, lines) in [("table", 6), ("markdown", 3)] {
            let text = samples::written(
                by_name(format).unwrap(),
                std::slice::from_ref(&assessment),
                &samples::context(200),
            );
            let start = text.lines().take(lines).collect::<Vec<_>>().join("\n").to_lowercase();
            assert!(start.contains("not judged"), "{name} {format}: {start}");
            assert!(!text.contains("cleared"), "{name} {format}");
        }
    }
    // Even a policy that allows gaps, and a core that made no gap of it, do not make it read as clean.
    let mut bare = samples::clean();
    bare.database = None;
    let text = samples::written(by_name("table").unwrap(), &[bare], &samples::context(200));
    assert!(text.contains("NOT JUDGED") && text.contains("cleared only because gaps are allowed"), "{text}");
}

#[test]
fn a_comment_is_never_longer_than_github_takes() {
    let mut assessment = samples::large(5_000);
    for at in 0..500 {
        let kind = plimsoll_core::gap::GapKind::ALL[at % 14];
        let gap = plimsoll_core::gap::Gap::new(kind, format!("{at}|").repeat(50), "<&>".repeat(200));
        assessment.inventory.gaps.push(gap);
    }
    let markdown = by_name("markdown").unwrap();
    for images in [1, 6, 60] {
        let several = vec![assessment.clone(); images];
        let text = samples::written(markdown, &several, &samples::context(80));
        assert!(text.len() < 65_536, "{}", text.len());
        assert!(text.contains("The table leaves out "));
        assert_eq!(text.contains("The comment has no room for "), images == 60);
    }
}

#[test]
fn the_same_assessments_give_the_same_bytes() {
    for format in FORMATS {
        let write = || samples::written(format, &samples::platforms(), &samples::context(80));
        assert_eq!(write(), write(), "{}", format.name);
    }
    // Our own report and those for people say nothing of when they were written.
    let mut later = samples::context(80);
    later.now = "2031-01-01T00:00:00Z".to_owned();
    for name in ["json", "markdown", "sarif", "table"] {
        let format = by_name(name).unwrap();
        let rich = [samples::rich()];
        assert_eq!(
            samples::written(format, &rich, &samples::context(80)),
            samples::written(format, &rich, &later),
            "{name}"
        );
    }
}

#[test]
fn the_schema_of_our_report_is_the_committed_one() {
    let schema = json::schema();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(SCHEMA, &schema).unwrap();
    }
    let committed = std::fs::read_to_string(SCHEMA).unwrap_or_default();
    assert!(
        committed == schema,
        "docs/schema/report-1.json is not what the wire types say; if the change is meant, run \
         `{UPDATE}=1 cargo test -p plimsoll-report` and commit the file"
    );
}

#[test]
fn our_report_follows_its_schema() {
    let schema: Value = serde_json::from_str(&json::schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (name, assessments) in samples::all().into_iter().chain([("none", Vec::new())]) {
        let text = samples::written(by_name("json").unwrap(), &assessments, &samples::context(80));
        let report: Value = serde_json::from_str(&text).unwrap();
        let errors: Vec<String> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    let text = samples::written(by_name("json").unwrap(), &[samples::rich()], &samples::context(80));
    let mut report: Value = serde_json::from_str(&text).unwrap();
    for (pointer, wrong) in [
        ("/schema", "plimsoll/report/2"),
        ("/findings/0/severity", "terrible"),
        ("/verdict/answer", "maybe"),
        ("/packages", "none"),
    ] {
        let place = report.pointer_mut(pointer).unwrap();
        let right = std::mem::replace(place, Value::from(wrong));
        assert!(!validator.is_valid(&report), "{pointer}");
        *report.pointer_mut(pointer).unwrap() = right;
    }
    assert!(validator.is_valid(&report));
}

#[test]
fn sarif_says_what_code_scanning_goes_by() {
    let read = |assessments: &[_]| -> Value {
        let text = samples::written(by_name("sarif").unwrap(), assessments, &samples::context(80));
        serde_json::from_str(&text).unwrap()
    };
    let log = read(&[samples::rich()]);
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    for (id, level, score) in [
        ("CVE-2030-0001", "error", Some("10.0")),
        // The vendor says high and the highest vector critical: the middle of high.
        ("CVE-2030-0002", "error", Some("8.0")),
        ("CVE-2030-0003", "note", Some("2.0")),
        ("CVE-2030-0004", "note", Some("0.1")),
        ("GO-2030-0005", "warning", None),
    ] {
        let rule = rules.iter().find(|rule| rule["id"] == id).unwrap();
        assert_eq!(rule["defaultConfiguration"]["level"], level, "{id}");
        assert_eq!(rule["properties"].get("security-severity").and_then(Value::as_str), score, "{id}");
    }
    let results = log["runs"][0]["results"].as_array().unwrap();
    let mut hashes = Vec::new();
    results.iter().for_each(|result| strings_of("primaryLocationLineHash", result, &mut hashes));
    assert!(hashes.len() == 7 && is_unique(&hashes), "{hashes:?}");

    for (assessments, expected) in [
        (vec![samples::rich()], vec![true]),
        (vec![samples::undecided()], vec![false]),
        (samples::platforms(), vec![true, false]),
    ] {
        let log = read(&assessments);
        let runs = log["runs"].as_array().unwrap();
        let successful: Vec<_> =
            runs.iter().map(|run| run["invocations"][0]["executionSuccessful"].as_bool().unwrap()).collect();
        assert_eq!(successful, expected);
        let categories: Vec<&str> =
            runs.iter().filter_map(|run| run["automationDetails"]["id"].as_str()).collect();
        assert!(is_unique(&categories) && (runs.len() == 1 || categories.len() == runs.len()));
    }
}

#[test]
fn cyclonedx_keeps_the_words_of_vendor_and_cvss_apart() {
    let text = samples::written(by_name("cyclonedx").unwrap(), &[samples::rich()], &samples::context(80));
    let bom: Value = serde_json::from_str(&text).unwrap();
    let ratings = bom["vulnerabilities"][1]["ratings"].as_array().unwrap();
    let words: Vec<_> = ratings
        .iter()
        .map(|rating| (rating["method"].as_str().unwrap(), rating["severity"].as_str().unwrap()))
        .collect();
    assert_eq!(
        words,
        [("other", "high"), ("CVSSv3", "critical"), ("CVSSv4", "critical"), ("CVSSv2", "high")]
    );
}

#[test]
fn references_inside_documents_resolve() {
    for (name, assessments) in samples::all() {
        let read = |format: &str| -> Value {
            let text = samples::written(by_name(format).unwrap(), &assessments, &samples::context(80));
            serde_json::from_str(&text).unwrap()
        };
        let bom = read("cyclonedx");
        let mut refs = Vec::new();
        strings_of("bom-ref", &bom, &mut refs);
        assert!(is_unique(&refs), "{name}: {refs:?}");
        let mut used = Vec::new();
        strings_of("ref", &bom, &mut used);
        assert!(used.iter().all(|one| refs.contains(one)), "{name}");

        let document = read("spdx");
        let mut ids = Vec::new();
        strings_of("SPDXID", &document, &mut ids);
        assert!(is_unique(&ids), "{name}: {ids:?}");
        let mut used = Vec::new();
        strings_of("relatedSpdxElement", &document, &mut used);
        assert!(!used.is_empty() && used.iter().all(|one| ids.contains(one)), "{name}");

        for run in read("sarif")["runs"].as_array().unwrap() {
            for result in run["results"].as_array().unwrap() {
                let rule = result["ruleIndex"].as_u64().unwrap() as usize;
                assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"], "{name}");
            }
        }
    }
}

/// Collects every string under a key, at any depth.
fn strings_of<'a>(key: &str, value: &'a Value, out: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field.as_str() {
                    Some(text) if name == key => out.push(text),
                    _ => strings_of(key, field, out),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| strings_of(key, item, out)),
        _ => {}
    }
}

fn is_unique(texts: &[&str]) -> bool {
    let set: std::collections::HashSet<_> = texts.iter().collect();
    set.len() == texts.len()
}
