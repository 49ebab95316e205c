//! What `plimsoll status` prints for people.

use std::fmt::Write as _;

use plimsoll_report::printable::one_line;

use crate::http::api_v1::wire::{ImageVerdict, ScanProgress, ScanStatus, SeverityCounts, VerdictAnswer};

/// Most gaps and reasons of an image that are shown; the rest is counted.
const LINES_MAX: usize = 10;

const MIB: u64 = 1 << 20;

/// Where it stands, in one line for a spinner.
pub(super) fn progress(status: &ScanStatus) -> String {
    let mut line = format!("{} ({})", status.state, status.reason);
    if let Some(position) = status.position {
        let _ = write!(line, ", {position} before it");
    }
    if let Some(progress) = &status.progress {
        let _ = write!(line, ", {}", progress_text(progress));
    }
    if let Some(at) = &status.retry_at {
        let _ = write!(line, ", again at {at}");
    }
    if !status.detail.is_empty() {
        let _ = write!(line, ": {}", one_line(&status.detail));
    }
    line
}

fn progress_text(progress: &ScanProgress) -> String {
    let ScanProgress { layers_done, layers, bytes_done, bytes } = progress;
    match bytes {
        0 => format!("layer {layers_done} of {layers}, {} MiB", bytes_done / MIB),
        _ => format!("layer {layers_done} of {layers}, {} of {} MiB", bytes_done / MIB, bytes / MIB),
    }
}

/// All that came of it.
pub(super) fn of(image: &str, status: &ScanStatus, verdict: Option<&VerdictAnswer>) -> String {
    let mut out = String::new();
    let mut line = |label: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "{label:<10} {}", one_line(value));
        }
    };
    line("image", image);
    line("digest", status.digest.as_deref().unwrap_or_default());
    line("state", &format!("{} ({})", status.state, status.reason));
    line("detail", &status.detail);
    if !status.is_final && status.max_attempts > 0 {
        line("attempt", &format!("{} of {}", status.attempt, status.max_attempts));
        line("retry at", status.retry_at.as_deref().unwrap_or_default());
        line("position", &status.position.map_or(String::new(), |position| position.to_string()));
        line("progress", &status.progress.as_ref().map_or(String::new(), progress_text));
        line("awaiting", &status.awaited_feeds.join(", "));
    }
    let Some(verdict) = verdict else { return out };
    for one in &verdict.images {
        if verdict.images.len() > 1 {
            let _ = writeln!(out, "\n{} {}", one_line(&one.platform), one.digest);
        }
        out += &of_image(one);
    }
    let _ = writeln!(out, "verdict    {}", verdict.verdict.to_uppercase());
    out
}

fn of_image(image: &ImageVerdict) -> String {
    let SeverityCounts { critical, high, medium, low, negligible, unknown } = image.findings;
    let mut out = format!(
        "findings   {critical} critical, {high} high, {medium} medium, {low} low, {negligible} negligible, \
         {unknown} unrated; {} fixable\n",
        image.fixable
    );
    for (label, lines) in [("refused", &image.reasons), ("gap", &image.gaps)] {
        for line in lines.iter().take(LINES_MAX) {
            let _ = writeln!(out, "{label:<10} {}", one_line(line));
        }
        if lines.len() > LINES_MAX {
            let _ = writeln!(out, "{label:<10} and {} more", lines.len() - LINES_MAX);
        }
    }
    out
}
