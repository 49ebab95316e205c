//! The report as a comment on a pull request: the verdict first, then findings, coverage and gaps.
//!
//! Names come from the image and summaries from feeds, so none of it may become a link, a picture, a mention
//! of a person or HTML. GitHub refuses a comment above 65,536 characters: the tables stop before that and say
//! how much they leave out.

use std::fmt::Write as _;
use std::io::{self, Write};

use plimsoll_core::assessment::Assessment;
use plimsoll_core::policy::Verdict;

use super::{Context, Format};
use crate::heading::{self, FIRST_LINES_MAX, GAPS_OF_KIND_MAX, count};
use crate::link;
use crate::printable::{cut_chars, one_line, printable};
use crate::tally::Tally;

pub(super) static FORMAT: Format = Format {
    name: "markdown",
    title: "Markdown for a comment on a pull request",
    media_type: "text/markdown; charset=utf-8",
    write,
};

/// Bytes of a comment, a little below what GitHub takes.
const COMMENT_BYTES_MAX: usize = 65_000;
/// Bytes that the reasons in the first lines of all images may take together.
const REASONS_BYTES_MAX: usize = 10_000;
/// Bytes that the findings of all images may take together.
const FINDINGS_BYTES_MAX: usize = 30_000;
/// Bytes that the coverage of all images may take together.
const COVERAGE_BYTES_MAX: usize = 5_000;
/// Bytes that the gaps of all images may take together.
const GAPS_BYTES_MAX: usize = 10_000;
/// Longest text of one cell, in characters.
const CELL_CHARS_MAX: usize = 100;

/// Adds a line. Writing to a string cannot fail, so the result says nothing.
macro_rules! line {
    ($text:expr, $($arg:tt)*) => {
        writeln!($text, $($arg)*).expect("writing to a string cannot fail")
    };
}

fn write(assessments: &[Assessment], _: &Context, out: &mut dyn Write) -> io::Result<()> {
    let images = assessments.len().max(1);
    let mut text = String::new();
    for (at, assessment) in assessments.iter().enumerate() {
        let mut section = String::new();
        first_lines(&mut section, assessment, REASONS_BYTES_MAX / images);
        findings(&mut section, assessment, FINDINGS_BYTES_MAX / images);
        coverage(&mut section, assessment, COVERAGE_BYTES_MAX / images);
        gaps(&mut section, assessment, GAPS_BYTES_MAX / images);
        if text.len() + section.len() > COMMENT_BYTES_MAX {
            let left = count(assessments.len() - at, "image");
            line!(text, "### The comment has no room for {left}: see the report itself");
            break;
        }
        text.push_str(&section);
        text.push('\n');
    }
    out.write_all(text.trim_end().as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

fn first_lines(text: &mut String, assessment: &Assessment, bytes_max: usize) {
    let image = &assessment.image;
    let unjudged = heading::unjudged(assessment);
    line!(text, "### Plimsoll: {}\n", prose(&heading::verdict(assessment, unjudged.is_empty())));
    let told = unjudged
        .iter()
        .map(|gap| format!("- **Not judged**: {}: {}\n", code(&gap.subject), prose(&gap.detail)));
    if !first_of(text, told, bytes_max / 2) {
        line!(text, "- **Not judged**: more than this, see the gaps");
    }
    let late = heading::late(assessment);
    if !first_of(text, late.iter().map(|late| format!("- **Late**: {}\n", prose(late))), bytes_max / 2) {
        line!(text, "- **Late**: more feeds than this, see the coverage");
    }
    if let Verdict::Refused(reasons) = &assessment.verdict {
        let told =
            reasons.iter().map(|reason| format!("- {}: {}\n", prose(reason.rule), code(&reason.detail)));
        if !first_of(text, told, bytes_max / 2) {
            line!(text, "- and more, {} in all", count(reasons.len(), "reason"));
        }
    }
    line!(text, "- Image: {} ({})", code(&image.reference), prose(&image.platform.to_string()));
    if let Some(digest) = &image.digest {
        line!(text, "- Digest: {}", code(digest.as_str()));
    }
    line!(text, "- Distribution: {}", prose(&heading::distro(assessment)));
    line!(text, "- {}", totals(assessment));
    if let Some(rebase) = heading::rebase(assessment) {
        line!(text, "- To do: {}", escaped(&rebase));
    }
    text.push('\n');
}

/// Adds the first few lines that fit; whether these were all.
fn first_of(text: &mut String, lines: impl Iterator<Item = String>, bytes_max: usize) -> bool {
    let start = text.len();
    for (at, line) in lines.enumerate() {
        if at == FIRST_LINES_MAX || text.len() - start + line.len() > bytes_max {
            return false;
        }
        text.push_str(&line);
    }
    true
}

fn totals(assessment: &Assessment) -> String {
    let tally = Tally::of(&assessment.findings.findings);
    let mut out = format!(
        "{}, {}",
        count(assessment.inventory.packages.len(), "package"),
        count(tally.all.total, "finding")
    );
    if tally.all.total == 0 {
        if !heading::unjudged(assessment).is_empty() {
            out.push_str(", which does not mean clean: parts of the image were not judged");
        }
        return out;
    }
    for (at, (severity, of_severity)) in tally.rows().enumerate() {
        out.push_str(if at == 0 { ": " } else { ", " });
        out.push_str(&format!("{} {}", of_severity.total, heading::severity(severity)));
    }
    out.push_str(&format!("; {} fixable, {}", tally.all.fixable, heading::exploited(assessment, &tally)));
    out
}

fn findings(text: &mut String, assessment: &Assessment, bytes_max: usize) {
    let findings = heading::by_package(&assessment.findings.findings);
    if findings.is_empty() {
        return;
    }
    line!(text, "| Severity | Flaw | Package | Installed | Fixed in | KEV/EPSS | Summary |");
    line!(text, "|---|---|---|---|---|---|---|");
    let start = text.len();
    for (at, finding) in findings.iter().enumerate() {
        // Matching numbers the packages of this very inventory.
        let package = &assessment.inventory.packages[finding.package];
        let link = finding.references.iter().find_map(|reference| link::web(reference));
        let link = link.map_or_else(|| link::of_flaw(&finding.id), |link| link.into_owned());
        let mut row = String::new();
        line!(
            row,
            "| {} | [{}](<{}>) | {} | {} | {} | {} | {} |",
            heading::severity(finding.severity),
            prose(&finding.id),
            link.replace('&', "&amp;"),
            code(&package.name),
            code(&package.version),
            match finding.fixed_in {
                Some(_) => code(&heading::fix(finding)),
                None => prose(&heading::fix(finding)),
            },
            heading::marks(finding),
            prose(&heading::summary(finding)),
        );
        if text.len() - start + row.len() > bytes_max {
            line!(text, "\nThe table leaves out {}.", count(findings.len() - at, "finding"));
            break;
        }
        text.push_str(&row);
    }
    text.push('\n');
}

fn coverage(text: &mut String, assessment: &Assessment, bytes_max: usize) {
    match &assessment.database {
        Some(database) => {
            line!(text, "Database {} of {}.\n", code(&database.id), prose(&database.built_at));
        }
        None => line!(text, "There was no advisory database: nothing was compared.\n"),
    }
    let needs = &assessment.findings.coverage;
    if needs.is_empty() {
        return;
    }
    line!(text, "| Needs | State | Feed | Data of | Packages |");
    line!(text, "|---|---|---|---|---|");
    let start = text.len();
    for (at, need) in needs.iter().enumerate() {
        let mut row = String::new();
        line!(
            row,
            "| {} | {} | {} | {} | {} |",
            code(&need.needs),
            heading::standing(need),
            code(&need.feed),
            prose(need.data_date.as_deref().unwrap_or("unknown")),
            need.packages,
        );
        if text.len() - start + row.len() > bytes_max {
            line!(text, "\nThe table leaves out {}.", count(needs.len() - at, "need"));
            break;
        }
        text.push_str(&row);
    }
    text.push('\n');
}

fn gaps(text: &mut String, assessment: &Assessment, bytes_max: usize) {
    let gaps = assessment.gaps();
    if gaps.is_empty() {
        line!(text, "No gaps.");
        return;
    }
    line!(text, "<details>\n<summary>{}</summary>\n", count(gaps.len(), "gap"));
    let start = text.len();
    for of_kind in gaps.chunk_by(|a, b| a.kind == b.kind) {
        let mut shown = 0;
        for gap in of_kind.iter().take(GAPS_OF_KIND_MAX) {
            let row = format!("- {}: {}: {}\n", gap.kind, code(&gap.subject), prose(&gap.detail));
            if text.len() - start + row.len() > bytes_max {
                break;
            }
            text.push_str(&row);
            shown += 1;
        }
        if shown < of_kind.len() {
            line!(text, "- {}: {} more", of_kind[0].kind, of_kind.len() - shown);
        }
    }
    line!(text, "\n</details>");
}

/// A name, version or path. Inside `code` GitHub makes no mention and no link of anything.
fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("<code>{}</code>", escaped(&cut_chars(&printable(text), CELL_CHARS_MAX)))
}

/// Prose on one line, without markup. The empty comment behind `@` and `#` keeps GitHub from making a mention
/// or a reference of what follows.
fn prose(text: &str) -> String {
    let line = one_line(text);
    let escaped = escaped(&cut_chars(&line, CELL_CHARS_MAX));
    escaped.replace("&#64;", "&#64;<!-- -->").replace("&#35;", "&#35;<!-- -->")
}

/// Writes each character that is markup in Markdown or HTML as a character reference, which is text to both
/// (CommonMark 0.31 section 2.5). A `|` would end the cell of a table, even behind a backslash in code.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' | '<' | '>' | '"' | '\'' | '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '~' | '#' | '@'
            | '!' | '$' => write!(out, "&#{};", u32::from(c)).expect("writing to a string cannot fail"),
            _ => out.push(c),
        }
    }
    // Without its colon or its dot a bare address does not become a link.
    out.replace("://", "&#58;//").replace("www.", "www&#46;")
}
