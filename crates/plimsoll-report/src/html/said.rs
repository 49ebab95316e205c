//! Text as a page shows it.

use std::borrow::Cow;

use maud::{Markup, html};

use crate::link;
use crate::printable::{cut_chars, one_line, printable};

/// Longest name or version that is shown, in characters.
const NAME_CHARS_MAX: usize = 160;

/// Longest sentence.
pub(crate) const SENTENCE_CHARS_MAX: usize = 600;

/// Longest description.
pub(crate) const PROSE_CHARS_MAX: usize = 1_200;

/// Most links that a finding shows.
pub(crate) const LINKS_MAX: usize = 8;

/// A name, a version, a path: nothing in it is obeyed, and it is cut where it is very long.
pub fn shown(text: &str) -> String {
    printable(&cut_chars(text, NAME_CHARS_MAX)).into_owned()
}

/// A sentence on one line.
pub(crate) fn sentence(text: &str) -> String {
    one_line(&cut_chars(text, SENTENCE_CHARS_MAX)).into_owned()
}

/// Prose in paragraphs.
pub(crate) fn prose(text: &str) -> Markup {
    let text = cut_chars(text, PROSE_CHARS_MAX);
    let paragraphs = text.split("\n\n").map(one_line).filter(|paragraph| !paragraph.is_empty());
    html! { @for paragraph in paragraphs { p { (paragraph) } } }
}

/// The day of an RFC 3339 time.
pub fn day(time: &str) -> Cow<'_, str> {
    printable(crate::heading::day(time))
}

/// A link to the web; the text alone where it leads anywhere else.
pub(crate) fn web(url: &str) -> Markup {
    let text = shown(url);
    match link::web(url) {
        Some(href) => html! { a href=(href) rel="noopener noreferrer nofollow" { (text) } },
        None => html! { span.unlinked title="This is no link to the web." { (text) } },
    }
}

/// A size for people: `278 MB`.
pub fn size(bytes: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => {
            let tenths = (bytes.saturating_mul(10) + unit / 2) / unit;
            match tenths {
                0..100 => format!("{}.{} {name}", tenths / 10, tenths % 10),
                _ => format!("{} {name}", (tenths + 5) / 10),
            }
        }
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded() {
        for (bytes, wanted) in
            [(0, "0 bytes"), (999, "999 bytes"), (1_500, "1.5 kB"), (9_960, "10 kB"), (278_400_000, "278 MB")]
        {
            assert_eq!(size(bytes), wanted);
        }
    }

    #[test]
    fn only_links_to_the_web_are_links() {
        let evil = web("javascript:alert(1)").into_string();
        assert!(!evil.contains("href") && evil.contains("javascript:alert(1)"), "{evil}");
        let good = web("https://a.example/\"><b>").into_string();
        assert!(good.contains("href=\"https://a.example/%22%3E%3Cb%3E\""), "{good}");
    }

    #[test]
    fn long_and_turned_text_is_harmless() {
        assert_eq!(shown(&"9".repeat(10_000)).chars().count(), NAME_CHARS_MAX);
        assert_eq!(shown("gpj.\u{202e}exe"), "gpj.\\u{202e}exe");
    }
}
