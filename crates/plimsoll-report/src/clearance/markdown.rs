//! For people, as a comment on a change: the verdict first, then why, then what each check compared.
//!
//! What surprises: passing checks are shown too, folded, since a reader who signs for a release asks what was looked
//! at; and what was not checked is always listed.

use std::io::{self, Write};

use plimsoll_core::clearance::{Check, Clearance, Entry, Outcome, Verdict, Weight};
use plimsoll_core::promotion::ChangeKind;

use super::{Format, digest, is_bad, title};

mod columns;
mod vouched;

use crate::printable::one_line;

/// The row.
pub(super) static FORMAT: Format =
    Format { name: "markdown", title: "for a comment on a change", media_type: "text/markdown", write };

/// Most files that are named with their digests; the JSON names all.
const FILES_SHOWN_MAX: usize = 4;

fn write(clearance: &Clearance, version: &str, out: &mut dyn Write) -> io::Result<()> {
    let [cleared, undecided, refused] = clearance.counts();
    writeln!(out, "# Clearance: {}\n", clearance.verdict().name().to_uppercase())?;
    writeln!(
        out,
        "{} of {} cleared, {refused} refused, {undecided} undecided.",
        cleared,
        clearance.entries.len()
    )?;
    writeln!(out)?;
    writeln!(out, "{}", inputs(clearance, version))?;
    if let Some(changes) = changes(clearance) {
        writeln!(out, "\n{changes}")?;
    }
    table(clearance, out)?;
    reasons(clearance, out)?;
    evidence(clearance, out)?;
    writeln!(out, "\n## Not checked\n")?;
    for line in clearance.unchecked() {
        writeln!(out, "- {}", text(&line))?;
    }
    Ok(())
}

fn inputs(clearance: &Clearance, version: &str) -> String {
    let inputs = &clearance.inputs;
    let mut parts = vec![format!("Level `{}`", inputs.level.name())];
    if let Some(base) = &inputs.base {
        parts.push(format!("base `{base}`"));
    }
    for policy in &inputs.policies {
        let at = policy.commit.as_ref().map_or(String::new(), |commit| format!(" at `{commit}`"));
        let (name, digest) = (text(&policy.name), &policy.digest);
        parts.push(format!("policy {name} (`{}` {digest}{at})", one_line(&policy.file)));
    }
    if let Some(database) = &inputs.database {
        parts.push(format!("database `{}`", database.id));
    }
    match inputs.files.len() > FILES_SHOWN_MAX {
        true => parts.push(format!("{} manifest files", inputs.files.len())),
        false => {
            parts.extend(inputs.files.iter().map(|(path, digest)| format!("`{}` {digest}", one_line(path))));
        }
    }
    parts.push(format!("Plimsoll {version}"));
    format!("{}.", parts.join("; "))
}

/// What a change does, in one sentence.
fn changes(clearance: &Clearance) -> Option<String> {
    clearance.inputs.base.as_ref()?;
    let count = |is_it: fn(&ChangeKind) -> bool| {
        clearance.changes.iter().filter(|change| is_it(&change.kind)).count()
    };
    Some(format!(
        "The change: {} digests added, {} get further tags, {} removals, {} tags moved, {} projects with other registries.",
        count(|kind| matches!(kind, ChangeKind::DigestAdded(_))),
        count(|kind| matches!(kind, ChangeKind::TagsAdded(..))),
        count(|kind| matches!(kind, ChangeKind::DigestRemoved(_) | ChangeKind::TagsRemoved(..))),
        count(|kind| matches!(kind, ChangeKind::TagMoved { .. })),
        count(|kind| matches!(kind, ChangeKind::RegistriesTouched)),
    ))
}

/// A row an entry, a column a question.
fn table(clearance: &Clearance, out: &mut dyn Write) -> io::Result<()> {
    if clearance.entries.is_empty() {
        return writeln!(out, "\nNothing is to be judged.");
    }
    let headings: Vec<&str> = columns::COLUMNS.iter().map(|column| column.heading).collect();
    writeln!(out, "\n| entry | digest | {} | result |", headings.join(" | "))?;
    writeln!(out, "|{}", "---|".repeat(headings.len() + 3))?;
    for entry in &clearance.entries {
        let short = digest(entry).map_or("-", |digest| digest.short());
        let cells: Vec<String> = columns::COLUMNS.iter().map(|column| text(&(column.cell)(entry))).collect();
        let verdict = entry.verdict().name().to_uppercase();
        let title = text(&title(entry));
        writeln!(out, "| {title} | `{short}` | {} | {verdict} |", cells.join(" | "))?;
    }
    Ok(())
}

/// What keeps it from shipping, then what is told beside.
fn reasons(clearance: &Clearance, out: &mut dyn Write) -> io::Result<()> {
    /// A heading, and which checks stand below it.
    type Section = (&'static str, fn(&Check) -> bool);
    const SECTIONS: [Section; 2] = [
        ("Why", |check| check.verdict() != Verdict::Cleared),
        ("Also seen", |check| is_bad(check) && check.weight != Weight::Refuse),
    ];
    for (heading, is_it) in SECTIONS {
        let of_manifests: Vec<&Check> = clearance.checks.iter().filter(|check| is_it(check)).collect();
        let of_entries: Vec<(&Entry, Vec<&Check>)> = clearance
            .entries
            .iter()
            .map(|entry| (entry, entry.checks.iter().filter(|check| is_it(check)).collect::<Vec<_>>()))
            .filter(|(_, checks)| !checks.is_empty())
            .collect();
        if of_manifests.is_empty() && of_entries.is_empty() {
            continue;
        }
        writeln!(out, "\n## {heading}")?;
        if !of_manifests.is_empty() {
            writeln!(out, "\nThe manifests:\n")?;
            lines(&of_manifests, out)?;
        }
        for (entry, checks) in of_entries {
            let digest = digest(entry).map_or(String::new(), |digest| format!(" `{digest}`"));
            writeln!(out, "\n{}{digest}:\n", text(&title(entry)))?;
            lines(&checks, out)?;
        }
    }
    Ok(())
}

/// Every check, with what it compared.
fn evidence(clearance: &Clearance, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n## Evidence")?;
    if !clearance.checks.is_empty() {
        writeln!(out, "\n<details><summary>the manifests</summary>\n")?;
        lines(&clearance.checks.iter().collect::<Vec<_>>(), out)?;
        writeln!(out, "\n</details>")?;
    }
    for entry in &clearance.entries {
        let digest = digest(entry).map_or(String::new(), |digest| format!(" {digest}"));
        writeln!(out, "\n<details><summary>{}{digest}</summary>\n", text(&title(entry)))?;
        let (asked, not_asked): (Vec<&Check>, Vec<&Check>) =
            entry.checks.iter().partition(|check| check.outcome != Outcome::NotApplicable);
        lines(&asked, out)?;
        if !not_asked.is_empty() {
            let ids: Vec<&str> = not_asked.iter().map(|check| check.id).collect();
            writeln!(out, "- **N/A** {}", ids.join(", "))?;
        }
        for image in &entry.observed.images {
            let bytes: u64 = image.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.size));
            let platform =
                image.config.as_ref().map_or_else(|_| "unread".to_owned(), |c| c.platform.to_string());
            let (digest, layers) = (&image.digest, image.layers.len());
            writeln!(out, "- image `{digest}`: {}, {layers} layers, {bytes} bytes", text(&platform))?;
        }
        vouched::write(entry, out)?;
        writeln!(out, "\n</details>")?;
    }
    Ok(())
}

fn lines(checks: &[&Check], out: &mut dyn Write) -> io::Result<()> {
    for check in checks {
        writeln!(out, "- **{}** {}: {}", check.outcome.name(), check.id, text(&check.detail))?;
    }
    Ok(())
}

/// A text that means nothing to Markdown but its code spans, which are ours: a registry's words may hold anything.
///
/// In a code span nothing has to be escaped, and what is escaped is shown so. Where the spans are not plain to see, all of
/// the text is taken for prose.
fn text(text: &str) -> String {
    let line = one_line(text);
    let ticks = line.matches('`').count();
    let has_spans = ticks.is_multiple_of(2) && !line.contains("``");
    let mut out = String::new();
    let mut is_in_span = false;
    for c in line.chars() {
        match c {
            '`' if has_spans => {
                is_in_span = !is_in_span;
                out.push(c);
            }
            // It ends a cell of a table even in a code span.
            '|' => out.push_str("\\|"),
            c if is_in_span => out.push(c),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '`' | '[' | ']' | '*' | '!' | '#' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '@' => out.push_str("&#64;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn prose_means_nothing_and_code_spans_stay_as_they_are() {
        for (given, expected) in [
            ("a <b> & @c", "a &lt;b&gt; &amp; &#64;c"),
            ("by `x@refs/tags/v1.*` of #1", "by `x@refs/tags/v1.*` of \\#1"),
            ("`a|b`", "`a\\|b`"),
            ("one ` alone *x*", "one \\` alone \\*x\\*"),
            ("``<b>``", "\\`\\`&lt;b&gt;\\`\\`"),
            ("`a` <b> `c`", "`a` &lt;b&gt; `c`"),
        ] {
            assert_eq!(text(given), expected);
        }
    }
}
