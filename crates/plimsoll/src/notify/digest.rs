//! What happened as a mail: one paragraph an image or a feed, as text and as HTML. Pure.
//!
//! What is gathered is kept as JSON until the mail is written. Names, summaries and errors come from outside: in the text
//! no line of theirs becomes a line of ours, and in the HTML nothing of theirs is markup.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::cloudevents::url;
use super::severity;
use super::topics::{Found, Occurrence, What};
use crate::rematch::changes::{BySeverity, Change, ChangeKind, Changes, Tally};
use crate::warnings::message::clean;

/// Most findings that are named of one image.
const LINES_MAX: usize = 20;

/// Most images and feeds in one mail; of the others it says how many there are.
pub(crate) const PARAGRAPHS_MAX: usize = 100;

/// Most names of one image in its heading.
const NAMES_MAX: usize = 3;

const DIGEST_HTML: &str = include_str!("templates/digest.html");
const PARAGRAPH_HTML: &str = include_str!("templates/paragraph.html");

/// What is said of one image or feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Paragraph {
    /// Name of the topic.
    pub(crate) event: String,
    /// What it is about.
    pub(crate) title: String,
    /// One sentence.
    pub(crate) gist: String,
    /// Findings, or what else there is to say.
    pub(crate) lines: Vec<Line>,
    /// How many findings are not among the lines.
    pub(crate) left_out: u64,
    /// Where more of it is said; empty for none.
    pub(crate) url: String,
}

/// One line of a paragraph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// The line.
    pub(crate) text: String,
    /// Where more of it is said; empty for none.
    pub(crate) url: String,
}

/// A mail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// What is said of something that happened.
pub(crate) fn paragraph(happened: &Occurrence, server_url: &str) -> Paragraph {
    let mut paragraph = Paragraph {
        event: happened.topic.name.to_owned(),
        title: title(happened),
        gist: String::new(),
        lines: Vec::new(),
        left_out: 0,
        url: url(happened, server_url).unwrap_or_default(),
    };
    match &happened.what {
        What::Findings(changes) => {
            paragraph.gist = gist(changes);
            paragraph.lines = changes.findings.iter().take(LINES_MAX).map(finding_line).collect();
            let named = u64::try_from(paragraph.lines.len()).unwrap_or(u64::MAX);
            paragraph.left_out = changes.total().saturating_sub(named);
        }
        What::Scan(scan) => {
            paragraph.gist = match &scan.found {
                Some(found) => format!("Scanned: {}.", found_text(found)),
                None => format!("{}: {}", capital(happened.topic.about), clean(&scan.detail)),
            };
            if scan.reason == "with_gaps" {
                paragraph.lines.push(plain("Some things could not be read or known; the report says which."));
            }
        }
        What::Dropped(dropped) => {
            paragraph.url.clear();
            let count = dropped.too_old.saturating_add(dropped.too_many);
            let notifications = if count == 1 { "notification" } else { "notifications" };
            paragraph.gist =
                format!("It took nothing for so long that {count} {notifications} to it were dropped.");
        }
        What::Feed(feed) => {
            paragraph.gist = match feed.age_days {
                _ if feed.state == "recovered" => "It is as it should be again.".to_owned(),
                None => "It is late: there is no data of it.".to_owned(),
                Some(1) => "It is late: its data is 1 day old.".to_owned(),
                Some(days) => format!("It is late: its data is {days} days old."),
            };
            paragraph.lines.extend(feed.error.as_deref().map(|error| plain(&clean(error))));
        }
        What::Clearance(ended) => {
            paragraph.gist = match &ended.verdict {
                Some(verdict) => {
                    let (verdict, policy) = (capital(&clean(verdict)), clean(&ended.policy));
                    format!("{verdict} by policy `{policy}`: {}.", clean(&ended.detail))
                }
                None => format!("{}: {}", capital(happened.topic.about), clean(&ended.detail)),
            };
            let repositories = ended.repositories.iter().take(LINES_MAX);
            paragraph.lines.extend(repositories.map(|repository| plain(&clean(repository))));
            let rest = ended.repositories.len().saturating_sub(LINES_MAX);
            paragraph.left_out = u64::try_from(rest).unwrap_or(u64::MAX);
        }
    }
    paragraph
}

/// A mail of all of it. `host` is the machine that speaks.
pub(crate) fn letter(paragraphs: &[Paragraph], host: &str) -> Letter {
    let (named, others) = paragraphs.split_at(paragraphs.len().min(PARAGRAPHS_MAX));
    let subject = format!("plimsoll on {}: {}", clean(host), what_of(paragraphs));
    let opening = format!("{}.", capital(&what_of(paragraphs)));
    let more = match others.len() {
        0 => String::new(),
        1 => "1 more is not named here. ".to_owned(),
        count => format!("{count} more are not named here. "),
    };
    let closing = format!("{more}Sent by plimsoll on {}.", clean(host));
    let mut text = format!("{opening}\n\n");
    let mut html = String::new();
    for paragraph in named {
        write_text(&mut text, paragraph);
        html += &paragraph_html(paragraph);
    }
    text += &format!("{closing}\n");
    let html = fill(
        DIGEST_HTML,
        &[
            ("subject", &escape(&subject)),
            ("opening", &escape(&opening)),
            ("paragraphs", &html),
            ("closing", &escape(&closing)),
        ],
    );
    Letter { subject, text, html }
}

fn title(happened: &Occurrence) -> String {
    if let What::Feed(feed) = &happened.what {
        return clean(&format!("{} ({})", happened.subject, feed.title));
    }
    if matches!(happened.what, What::Dropped(_)) {
        return clean(&format!("target {}", happened.subject));
    }
    let names: Vec<&str> = happened.names.iter().take(NAMES_MAX).map(String::as_str).collect();
    let left_out = u64::try_from(happened.names.len().saturating_sub(NAMES_MAX)).unwrap_or(u64::MAX);
    let more = happened.more_names.saturating_add(left_out);
    match (names.is_empty(), more) {
        (true, _) => clean(&happened.subject),
        (false, 0) => clean(&format!("{} ({})", names.join(", "), short(&happened.subject))),
        (false, more) => {
            clean(&format!("{} and {more} more names ({})", names.join(", "), short(&happened.subject)))
        }
    }
}

fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

fn gist(changes: &Changes) -> String {
    let mut parts = Vec::new();
    for (tally, word) in [(&changes.added, "new"), (&changes.changed, "changed"), (&changes.removed, "gone")]
    {
        let count = tally.all.total();
        if count > 0 {
            let findings = if count == 1 { "finding" } else { "findings" };
            parts.push(format!("{count} {word} {findings} ({})", by_severity(tally.all)));
        }
    }
    let fixable = Tally { all: changes.added.fixable, ..Tally::default() }.all.total();
    if fixable > 0 {
        parts.push(format!("{fixable} of the new ones can be fixed"));
    }
    format!("{}.", parts.join(", "))
}

/// `1 critical, 2 high`: severities in words.
fn by_severity(count: BySeverity) -> String {
    let parts = [
        (count.critical, "critical"),
        (count.high, "high"),
        (count.medium, "medium"),
        (count.low, "low"),
        (count.negligible, "negligible"),
        (count.unknown, "of unknown severity"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    parts.collect::<Vec<String>>().join(", ")
}

fn found_text(found: &Found) -> String {
    let findings = match found.findings.total() {
        0 => "no findings".to_owned(),
        1 => format!("1 finding ({})", by_severity(found.findings)),
        count => format!("{count} findings ({})", by_severity(found.findings)),
    };
    let packages =
        if found.packages == 1 { "1 package".to_owned() } else { format!("{} packages", found.packages) };
    format!("{packages}, {findings}, {} with a fix", found.fixable)
}

fn finding_line(finding: &Change) -> Line {
    let Change { id, package, version, summary, .. } = finding;
    let severity = severity::name(finding.rating());
    let mut text = match finding.change {
        ChangeKind::Added => format!("{severity}: {id} in {package} {version}"),
        ChangeKind::Changed => format!("changed, {severity}: {id} in {package} {version}"),
        ChangeKind::Removed => format!("gone, {severity}: {id} in {package} {version}"),
    };
    if let Some(fixed_in) = &finding.fixed_in {
        text += &format!(", fixed in {fixed_in}");
    }
    if finding.is_exploited {
        text += ", known to be exploited";
    }
    if let Some(before) = &finding.before
        && before.severity != finding.severity
    {
        text += &format!(", before {}", before.severity.as_deref().unwrap_or("unknown"));
    }
    if !summary.is_empty() {
        text += &format!(": {summary}");
    }
    Line { text: clean(&text), url: web_url(&finding.link) }
}

fn plain(text: &str) -> Line {
    Line { text: text.to_owned(), url: String::new() }
}

/// A link, where it is one that a browser may follow.
fn web_url(link: &str) -> String {
    let is_web = link.starts_with("https://") || link.starts_with("http://");
    let is_plain = link.chars().all(|c| c.is_ascii_graphic());
    if is_web && is_plain { link.to_owned() } else { String::new() }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// `2 images with changed findings, 1 late feed`.
fn what_of(paragraphs: &[Paragraph]) -> String {
    let mut parts = Vec::new();
    for (event, one, several) in [
        ("findings.changed", "1 image with changed findings", "images with changed findings"),
        ("scan.completed", "1 scan done", "scans done"),
        ("scan.failed", "1 scan failed", "scans failed"),
        ("scan.unsupported", "1 image unsupported", "images unsupported"),
        ("deliveries.dropped", "1 target lost notifications", "targets lost notifications"),
        ("feed.late", "1 feed late", "feeds late"),
        ("feed.recovered", "1 feed recovered", "feeds recovered"),
    ] {
        match paragraphs.iter().filter(|paragraph| paragraph.event == event).count() {
            0 => {}
            1 => parts.push(one.to_owned()),
            count => parts.push(format!("{count} {several}")),
        }
    }
    parts.join(", ")
}

fn write_text(out: &mut String, paragraph: &Paragraph) {
    let Paragraph { title, gist, lines, left_out, url, .. } = paragraph;
    let _ = writeln!(out, "{title}\n  {gist}");
    for line in lines {
        let _ = writeln!(out, "  - {}", line.text);
    }
    if *left_out > 0 {
        let _ = writeln!(out, "  and {left_out} more");
    }
    if !url.is_empty() {
        let _ = writeln!(out, "  {url}");
    }
    out.push('\n');
}

fn paragraph_html(paragraph: &Paragraph) -> String {
    let title = linked(&paragraph.title, &paragraph.url);
    let mut lines = String::new();
    for line in &paragraph.lines {
        let _ = writeln!(lines, "<li>{}</li>", linked(&line.text, &line.url));
    }
    if paragraph.left_out > 0 {
        let _ = writeln!(lines, "<li>and {} more</li>", paragraph.left_out);
    }
    if !lines.is_empty() {
        lines = format!("<ul>\n{lines}</ul>");
    }
    fill(PARAGRAPH_HTML, &[("title", &title), ("gist", &escape(&paragraph.gist)), ("lines", &lines)])
}

fn linked(text: &str, url: &str) -> String {
    match url {
        "" => escape(text),
        url => format!("<a href=\"{}\">{}</a>", escape(url), escape(text)),
    }
}

/// Text as HTML, between tags and within quotes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c => escaped.push(c),
        }
    }
    escaped
}

/// A template with its `{words}` replaced. What they are replaced by is not looked at again.
fn fill(template: &str, words: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, from)) = rest.split_once('{') {
        filled += before;
        let found = words
            .iter()
            .find_map(|(word, value)| from.strip_prefix(word)?.strip_prefix('}').map(|after| (value, after)));
        match found {
            Some((value, after)) => {
                filled += value;
                rest = after;
            }
            None => {
                filled.push('{');
                rest = from;
            }
        }
    }
    filled + rest
}

#[cfg(test)]
mod tests;
