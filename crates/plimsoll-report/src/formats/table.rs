//! The report for a person at a terminal.
//!
//! The first lines say which image and which distribution, what the verdict is and what was not judged at
//! all. Then come the findings, one a row, and after them always the totals, the coverage and the gaps.
//! Everything fits the width of the terminal; what is too long is cut with an ellipsis or wrapped, but the
//! id of a flaw is always whole, even where that makes a row too wide.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

use anstyle::{AnsiColor, Style};
use plimsoll_core::advisory::Severity;
use plimsoll_core::assessment::Assessment;
use plimsoll_core::coverage::Coverage;
use plimsoll_core::finding::Finding;
use plimsoll_core::gap::Gap;
use plimsoll_core::policy::Verdict;

use super::{Context, Format};
use crate::heading::{self, FIRST_LINES_MAX, GAPS_OF_KIND_MAX, count};
use crate::printable::{columns, cut, one_line, printable, wrap};
use crate::tally::Tally;

pub(super) static FORMAT: Format = Format {
    name: "table",
    title: "Tables for a person at a terminal",
    media_type: "text/plain; charset=utf-8",
    write,
};

/// Narrowest terminal that is laid out for; on a narrower one rows are longer than a line.
const COLUMNS_MIN: usize = 60;
/// Columns that the labels of the first lines take.
const LABEL_COLUMNS: usize = 14;
/// Widest a column of names or versions gets, and narrowest it is cut to.
const CELL_COLUMNS: (usize, usize) = (40, 8);
/// Narrowest summary that is worth its place, and the widest there is.
const SUMMARY_COLUMNS: (usize, usize) = (16, 160);
/// Longest text of a reason or a gap, in columns.
const TEXT_COLUMNS_MAX: usize = 300;
/// Blanks between columns.
const BETWEEN: usize = 2;

const HEADING: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const ALARM: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();

fn write(assessments: &[Assessment], context: &Context, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page {
        out: BufWriter::with_capacity(1 << 16, out),
        width: context.width.max(COLUMNS_MIN),
        colour: context.colour,
        pending: 0,
    };
    for (at, assessment) in assessments.iter().enumerate() {
        if at > 0 {
            page.out.write_all(b"\n\n")?;
        }
        first_lines(&mut page, assessment)?;
        findings(&mut page, assessment)?;
        totals(&mut page, assessment)?;
        coverage(&mut page, assessment)?;
        gaps(&mut page, assessment)?;
    }
    page.out.flush()
}

/// Where lines go, and how they look.
struct Page<'a> {
    out: BufWriter<&'a mut dyn Write>,
    width: usize,
    colour: bool,
    /// Blanks to write before the next text of this row; none are left at the end of a line.
    pending: usize,
}

impl Page<'_> {
    /// Writes a text in a style, or without one where there are no colours.
    fn styled(&mut self, style: Style, text: &str) -> io::Result<()> {
        if self.colour && !style.is_plain() {
            write!(self.out, "{style}{text}{style:#}")
        } else {
            self.out.write_all(text.as_bytes())
        }
    }

    /// Writes a heading after an empty line.
    fn heading(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(b"\n")?;
        self.styled(HEADING, text)?;
        self.out.write_all(b"\n")
    }

    /// Writes a text behind a label, wrapped, its further lines below its first.
    fn labelled(&mut self, label: &str, style: Style, text: &str) -> io::Result<()> {
        self.styled(HEADING, &format!("{label:LABEL_COLUMNS$}"))?;
        for (at, line) in wrap(text, self.width.saturating_sub(LABEL_COLUMNS)).iter().enumerate() {
            if at > 0 {
                self.indent(LABEL_COLUMNS)?;
            }
            self.styled(style, line)?;
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Writes a text wrapped and indented.
    fn indented(&mut self, by: usize, text: &str) -> io::Result<()> {
        for line in wrap(text, self.width.saturating_sub(by)) {
            self.indent(by)?;
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }

    fn indent(&mut self, by: usize) -> io::Result<()> {
        write!(self.out, "{:by$}", "")
    }

    /// Writes a cell of a row, cut to its column.
    fn cell(&mut self, style: Style, text: &str, width: usize) -> io::Result<()> {
        let text = cut(text, width);
        if !text.is_empty() {
            self.indent(self.pending)?;
            self.pending = 0;
            self.styled(style, &text)?;
        }
        self.pending = self.pending.saturating_add(width - columns(&text) + BETWEEN);
        Ok(())
    }

    /// Ends a row of cells.
    fn end_of_row(&mut self) -> io::Result<()> {
        self.pending = 0;
        self.out.write_all(b"\n")
    }
}

fn first_lines(page: &mut Page<'_>, assessment: &Assessment) -> io::Result<()> {
    let image = &assessment.image;
    let unjudged = heading::unjudged(assessment);
    let platform = image.platform.to_string();
    let reference = format!("{} ({})", printable(&image.reference), printable(&platform));
    page.labelled("Image", Style::new(), &reference)?;
    if let Some(digest) = &image.digest {
        page.labelled("", Style::new(), digest.as_str())?;
    }
    let distro_style = if assessment.inventory.distro.is_some() { Style::new() } else { WARNING };
    page.labelled("Distribution", distro_style, &heading::distro(assessment))?;
    for gap in unjudged.iter().take(FIRST_LINES_MAX) {
        page.labelled("NOT JUDGED", WARNING, &told(gap))?;
    }
    if unjudged.len() > FIRST_LINES_MAX {
        let text = format!("and {} more, see the gaps below", unjudged.len() - FIRST_LINES_MAX);
        page.labelled("NOT JUDGED", WARNING, &text)?;
    }
    let late = heading::late(assessment);
    for text in late.iter().take(FIRST_LINES_MAX) {
        page.labelled("FEEDS", WARNING, &cut(text, TEXT_COLUMNS_MAX))?;
    }
    if late.len() > FIRST_LINES_MAX {
        let text = format!("{} more are late, see the coverage below", late.len() - FIRST_LINES_MAX);
        page.labelled("FEEDS", WARNING, &text)?;
    }
    let style = match &assessment.verdict {
        Verdict::NothingDemanded if unjudged.is_empty() => Style::new(),
        Verdict::Cleared(_) if unjudged.is_empty() => GOOD,
        Verdict::NothingDemanded | Verdict::Cleared(_) | Verdict::Undecided(_) => WARNING,
        Verdict::Refused(_) => ALARM,
    };
    page.labelled("Verdict", style, &heading::verdict(assessment, unjudged.is_empty()))?;
    if let Verdict::Refused(reasons) = &assessment.verdict {
        for reason in reasons.iter().take(FIRST_LINES_MAX) {
            let text = format!("{}: {}", reason.rule, one_line(&reason.detail));
            page.labelled("", Style::new(), &cut(&text, TEXT_COLUMNS_MAX))?;
        }
        if reasons.len() > FIRST_LINES_MAX {
            page.labelled("", Style::new(), &format!("and {} more", reasons.len() - FIRST_LINES_MAX))?;
        }
    }
    Ok(())
}

/// What a gap says, on one line.
fn told(gap: &Gap) -> String {
    let text = format!("{}: {}", printable(&gap.subject), one_line(&gap.detail));
    cut(&text, TEXT_COLUMNS_MAX).into_owned()
}

/// One row of the findings, each text as it will stand there.
struct Row<'a> {
    severity: Option<Severity>,
    id: Cow<'a, str>,
    /// Package, installed version, fixed version.
    cells: [Cow<'a, str>; 3],
    marks: String,
    is_exploited: bool,
    summary: Cow<'a, str>,
}

const SEVERITY: &str = "SEVERITY";
const ID: &str = "ID";
const CELLS: [&str; 3] = ["PACKAGE", "INSTALLED", "FIXED IN"];
const MARKS: &str = "KEV/EPSS";
const SUMMARY: &str = "SUMMARY";

fn findings(page: &mut Page<'_>, assessment: &Assessment) -> io::Result<()> {
    let findings = &assessment.findings.findings;
    if findings.is_empty() {
        return Ok(());
    }
    let rows: Vec<Row<'_>> =
        heading::by_package(findings).into_iter().map(|finding| row(finding, assessment)).collect();
    page.heading(&format!("Findings ({})", findings.len()))?;
    let widths = Widths::of(&rows, page.width);
    header(page, &widths)?;
    rows.iter().try_for_each(|row| write_row(page, row, &widths))
}

fn row<'a>(finding: &'a Finding, assessment: &'a Assessment) -> Row<'a> {
    // Matching numbers the packages of this very inventory.
    let package = &assessment.inventory.packages[finding.package];
    Row {
        severity: finding.severity,
        id: printable(&finding.id),
        cells: [
            printable(&package.name),
            printable(&package.version),
            Cow::Owned(printable(&heading::fix(finding)).into_owned()),
        ],
        marks: heading::marks(finding),
        is_exploited: finding.kev.is_some() || finding.is_exploited,
        summary: heading::summary(finding),
    }
}

/// Columns that each column takes. The summary has what is left; `None` where that is too little.
struct Widths {
    severity: usize,
    id: usize,
    cells: [usize; 3],
    marks: usize,
    summary: Option<usize>,
}

impl Widths {
    fn of(rows: &[Row<'_>], width: usize) -> Widths {
        let widest = |header: &str, text: &dyn Fn(&Row<'_>) -> usize| {
            rows.iter().map(text).max().unwrap_or(0).max(columns(header))
        };
        let severity = widest(SEVERITY, &|row| columns(heading::severity(row.severity)));
        let id = widest(ID, &|row| columns(&row.id));
        let marks = widest(MARKS, &|row| columns(&row.marks));
        let mut cells =
            [0, 1, 2].map(|at| widest(CELLS[at], &|row| columns(&row.cells[at])).min(CELL_COLUMNS.0));
        let fixed = severity + id + marks + 5 * BETWEEN;
        shrink(&mut cells, width.saturating_sub(fixed));
        let left = width.saturating_sub(fixed + BETWEEN + cells.iter().sum::<usize>());
        let summary = (left >= SUMMARY_COLUMNS.0).then_some(left.min(SUMMARY_COLUMNS.1));
        Widths { severity, id, cells, marks, summary }
    }
}

/// Makes columns of names narrower until they fit together: the widest gives way first.
fn shrink(cells: &mut [usize], width: usize) {
    while cells.iter().sum::<usize>() > width {
        let Some(widest) = cells.iter_mut().filter(|cell| **cell > CELL_COLUMNS.1).max() else { break };
        *widest -= 1;
    }
}

fn header(page: &mut Page<'_>, widths: &Widths) -> io::Result<()> {
    page.cell(DIM, SEVERITY, widths.severity)?;
    page.cell(DIM, ID, widths.id)?;
    for (title, width) in CELLS.iter().zip(widths.cells) {
        page.cell(DIM, title, width)?;
    }
    page.cell(DIM, MARKS, widths.marks)?;
    if let Some(width) = widths.summary {
        page.cell(DIM, SUMMARY, width)?;
    }
    page.end_of_row()
}

fn write_row(page: &mut Page<'_>, row: &Row<'_>, widths: &Widths) -> io::Result<()> {
    let plain = Style::new();
    page.cell(style_of(row.severity), heading::severity(row.severity), widths.severity)?;
    page.cell(plain, &row.id, widths.id)?;
    for (cell, width) in row.cells.iter().zip(widths.cells) {
        page.cell(plain, cell, width)?;
    }
    page.cell(if row.is_exploited { ALARM } else { plain }, &row.marks, widths.marks)?;
    if let Some(width) = widths.summary {
        page.cell(plain, &row.summary, width)?;
    }
    page.end_of_row()
}

fn style_of(severity: Option<Severity>) -> Style {
    match severity {
        Some(Severity::Critical) => ALARM,
        Some(Severity::High) => AnsiColor::Red.on_default(),
        Some(Severity::Medium) => AnsiColor::Yellow.on_default(),
        Some(Severity::Low) => AnsiColor::Cyan.on_default(),
        Some(Severity::Negligible) => DIM,
        None => AnsiColor::Magenta.on_default(),
    }
}

fn totals(page: &mut Page<'_>, assessment: &Assessment) -> io::Result<()> {
    let tally = Tally::of(&assessment.findings.findings);
    page.heading("Summary")?;
    page.indented(2, &count(assessment.inventory.packages.len(), "package"))?;
    let mut text = count(tally.all.total, "finding");
    for (at, (severity, of_severity)) in tally.rows().enumerate() {
        text.push_str(if at == 0 { ": " } else { ", " });
        text.push_str(&format!("{} {}", of_severity.total, heading::severity(severity)));
    }
    page.indented(2, &text)?;
    if tally.all.total > 0 {
        page.indented(
            2,
            &format!("{} fixable, {}", tally.all.fixable, heading::exploited(assessment, &tally)),
        )?;
        if let Some(text) = heading::rebase(assessment) {
            page.indented(2, &text)?;
        }
    } else if !heading::unjudged(assessment).is_empty() {
        page.indented(2, "no findings does not mean clean: parts of the image were not judged")?;
    }
    Ok(())
}

const NEEDS: [&str; 5] = ["NEEDS", "STATE", "FEED", "DATA OF", "PACKAGES"];

fn coverage(page: &mut Page<'_>, assessment: &Assessment) -> io::Result<()> {
    page.heading("Coverage")?;
    match &assessment.database {
        Some(database) => {
            let text = format!("database {} of {}", printable(&database.id), printable(&database.built_at));
            page.indented(2, &text)?;
        }
        None => page.indented(2, "no advisory database: nothing was compared")?,
    }
    if assessment.findings.coverage.is_empty() {
        return page.indented(2, "no feed was asked");
    }
    let needs = &assessment.findings.coverage;
    let rows = needs.iter().map(|need| {
        let day = heading::day(need.data_date.as_deref().unwrap_or("-"));
        [
            printable(&need.needs),
            heading::standing(need).into(),
            printable(&need.feed),
            printable(day),
            need.packages.to_string().into(),
        ]
    });
    let rows: Vec<[Cow<'_, str>; 5]> = [NEEDS.map(Cow::Borrowed)].into_iter().chain(rows).collect();
    let mut widths = [0, 1, 2, 3, 4]
        .map(|at| rows.iter().map(|row| columns(&row[at])).max().unwrap_or(0).min(CELL_COLUMNS.0));
    shrink(&mut widths, page.width.saturating_sub(2 + 4 * BETWEEN));
    for (at, row) in rows.iter().enumerate() {
        page.pending = 2;
        let is_fresh = needs.get(at.wrapping_sub(1)).map(Coverage::is_fresh);
        for (place, (cell, width)) in row.iter().zip(widths).enumerate() {
            let style = match is_fresh {
                None => DIM,
                Some(false) if place == 1 => WARNING,
                Some(_) => Style::new(),
            };
            page.cell(style, cell, width)?;
        }
        page.end_of_row()?;
    }
    Ok(())
}

fn gaps(page: &mut Page<'_>, assessment: &Assessment) -> io::Result<()> {
    let gaps = assessment.gaps();
    page.heading(&format!("Gaps ({})", gaps.len()))?;
    if gaps.is_empty() {
        return page.indented(2, "none");
    }
    for of_kind in gaps.chunk_by(|a, b| a.kind == b.kind) {
        for (at, gap) in of_kind.iter().enumerate() {
            if at == 0 {
                page.indented(2, &format!("{} ({})", gap.kind, of_kind.len()))?;
            }
            if at < GAPS_OF_KIND_MAX {
                page.indented(4, &told(gap))?;
            }
        }
        if of_kind.len() > GAPS_OF_KIND_MAX {
            page.indented(4, &format!("and {} more", of_kind.len() - GAPS_OF_KIND_MAX))?;
        }
    }
    Ok(())
}
