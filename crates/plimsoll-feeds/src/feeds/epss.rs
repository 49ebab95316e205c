//! FIRST's Exploit Prediction Scoring System: one gzipped CSV, about 300,000 lines.
//!
//! The first line is a comment that carries the date of the scores:
//! `#model_version:v2025.03.14,score_date:2026-08-20T12:55:00Z`; the second names the columns. Mirrors keep
//! the file plain as well, so it is told by its first bytes, not by its name. Format:
//! <https://www.first.org/epss/data_stats>.

use plimsoll_core::advisory::Epss;

use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, inflate, lines, text};

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "epss",
    title: "EPSS",
    url: "https://epss.cyentia.com/epss_scores-current.csv.gz",
    format: "CSV, gzip",
    licence: "free use with attribution to FIRST",
    terms: "https://www.first.org/epss/",
    cadence_hours: 24,
    max_age_days: 7,
    covers: &[Covers::Flaws("CVEs")],
    gives: "the probability that they will be exploited",
    is_on_by_default: true,
    plan,
    parse,
};

/// Longest line, in bytes. Real ones stay below 80.
const LINE_BYTES_MAX: u64 = 1024;

/// Most lines. There were 310,000 in 2026.
const LINES_MAX: u64 = 5_000_000;

fn plan(_: &Feed, _: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    Ok(vec![Part::new("epss_scores-current.csv.gz", "")])
}

fn parse(_: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    let mut has_header = false;
    lines::each_line(&mut inflate::inflated(source)?, LINE_BYTES_MAX, &mut |number, line| {
        if number > LINES_MAX {
            return Err(ParseError(format!("there are more than {LINES_MAX} lines")));
        }
        let Some(line) = line else {
            return Err(ParseError(format!("line {number} is longer than {LINE_BYTES_MAX} bytes")));
        };
        let line = String::from_utf8_lossy(line);
        let line = line.trim();
        if let Some(comment) = line.strip_prefix('#') {
            if let Some(date) = score_date(comment) {
                sink.data_date(&date);
            }
        } else if !has_header {
            if !line.starts_with("cve,epss,percentile") {
                return Err(ParseError("the columns are not `cve,epss,percentile`".to_owned()));
            }
            has_header = true;
        } else if !line.is_empty() {
            match read(line) {
                Ok((cve, epss)) => sink.epss(cve, epss),
                Err(reason) => sink.refuse(&text::shortened(line, 80), reason),
            }
        }
        Ok(())
    })?;
    if has_header { Ok(()) } else { Err(ParseError("the file is empty".to_owned())) }
}

fn score_date(comment: &str) -> Option<String> {
    comment.split(',').find_map(|field| field.trim().strip_prefix("score_date:")).and_then(text::instant)
}

fn read(line: &str) -> Result<(&str, Epss), &'static str> {
    let mut fields = line.split(',').map(str::trim);
    let cve = fields.next().filter(|id| text::is_cve(id)).ok_or("the first column is not a CVE")?;
    let mut share = || fields.next()?.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    let score = share().ok_or("the score is not a number from 0 to 1")?;
    let percentile = share().ok_or("the percentile is not a number from 0 to 1")?;
    Ok((cve, Epss { score, percentile }))
}
