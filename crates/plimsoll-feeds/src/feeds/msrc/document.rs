//! What a document of either form has, in words of our own.

use super::super::{ParseError, Source, inflate, text};
use super::{json_form, xml_form};

/// What may stand before the first bracket.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One thing that a document states.
pub(super) enum Item {
    /// A product, by its number.
    Product { id: String, name: String },
    /// When the document was last changed, RFC 3339.
    Date(String),
    /// A flaw.
    Vulnerability(Vulnerability),
}

/// A flaw.
#[derive(Debug, Default)]
pub(super) struct Vulnerability {
    /// `CVE-2024-30080`, `ADV190013`; as stated.
    pub(super) id: String,
    pub(super) title: String,
    pub(super) description: String,
    /// The part of the product that has it.
    pub(super) component: String,
    pub(super) is_exploited: bool,
    /// Numbers of the products that are known to be affected.
    pub(super) affected: Vec<String>,
    /// Words for how bad it is.
    pub(super) severities: Vec<Stated>,
    /// CVSS vectors.
    pub(super) vectors: Vec<Stated>,
    pub(super) fixes: Vec<Fix>,
    /// When it was published and changed, RFC 3339.
    pub(super) dates: Vec<String>,
    /// What was not understood of it.
    pub(super) problems: Vec<&'static str>,
}

/// A text that is stated of products; of all where it names none.
#[derive(Debug, Default)]
pub(super) struct Stated {
    pub(super) text: String,
    pub(super) products: Vec<String>,
}

impl Stated {
    pub(super) fn is_of(&self, product: &str) -> bool {
        self.products.is_empty() || self.products.iter().any(|one| one == product)
    }
}

/// A fix of the vendor's.
#[derive(Debug, Default)]
pub(super) struct Fix {
    /// Number of the update, or whatever stands in its place: `Release Notes`.
    pub(super) name: String,
    /// `Security Update`, `Security Hotpatch Update`.
    pub(super) kind: String,
    /// The build that has it, as stated; empty where none is.
    pub(super) build: String,
    pub(super) products: Vec<String>,
}

impl Fix {
    /// The update's name: `KB5039227`.
    pub(super) fn update(&self) -> Option<String> {
        let number = self.name.trim().trim_start_matches("KB");
        let is_number = (6..=8).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| format!("KB{number}"))
    }
}

/// Hands out what a document states, whichever form it has.
pub(super) fn read(source: &mut dyn Source, on_item: &mut dyn FnMut(Item)) -> Result<(), ParseError> {
    let mut bytes = inflate::inflated(source)?;
    let start = bytes.fill_buf().map_err(|error| ParseError(format!("cannot read it: {error}")))?;
    let mark = if start.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let is_xml = start.get(mark..).unwrap_or_default().trim_ascii_start().starts_with(b"<");
    bytes.consume(mark);
    if is_xml {
        return xml_form::read(bytes, on_item);
    }
    json_form::read(&mut *bytes, on_item)
}

impl Vulnerability {
    /// Takes a note of a kind: a number in JSON, a word in XML.
    pub(super) fn note(&mut self, kind: &str, value: &str) {
        match kind {
            "2" | "Description" => self.description = plain(value),
            "7" | "Tag" => self.component = one_line(value),
            // Answers to questions, who assigned the id, and other texts.
            _ => {}
        }
    }

    pub(super) fn status(&mut self, kind: &str, products: Vec<String>) {
        match kind {
            "3" | "Known Affected" => self.affected.extend(products),
            _ => self.problems.push("a product's status is of a kind that is not known"),
        }
    }

    pub(super) fn threat(&mut self, kind: &str, value: &str, products: Vec<String>) {
        match kind {
            "0" | "Impact" => {}
            "1" | "Exploit Status" => {
                let words = one_line(value).to_ascii_lowercase();
                self.is_exploited |= words.contains("exploited:yes");
                self.is_exploited |= words.contains("latest software release:exploitation detected");
            }
            "3" | "Severity" => self.severities.push(Stated { text: one_line(value), products }),
            _ => self.problems.push("a threat is of a kind that is not known"),
        }
    }

    pub(super) fn vector(&mut self, value: &str, products: Vec<String>) {
        if !value.trim().is_empty() {
            self.vectors.push(Stated { text: value.trim().to_owned(), products });
        }
    }

    pub(super) fn remediation(&mut self, kind: &str, fix: Fix) {
        match kind {
            "2" | "Vendor Fix" => self.fixes.push(fix),
            "0" | "Workaround" | "1" | "Mitigation" | "3" | "Release Notes" | "5" | "Known Issue" => {}
            _ => self.problems.push("a remediation is of a kind that is not known"),
        }
    }
}

/// A time. Those in documents bear no zone and are UTC.
pub(super) fn instant(stated: &str) -> Option<String> {
    text::instant(&format!("{}Z", stated.trim())).or_else(|| text::instant(stated))
}

/// A text with each stretch of blanks one blank.
pub(super) fn one_line(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text of a piece of HTML: what browsers would show, roughly.
fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut pieces = html.split('<');
    text.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        match piece.split_once('>') {
            Some((tag, rest)) if tag.starts_with(|c: char| c.is_ascii_alphabetic() || "/!".contains(c)) => {
                text.push(' ');
                text.push_str(rest);
            }
            _ => {
                text.push('<');
                text.push_str(piece);
            }
        }
    }
    let entities =
        [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    one_line(&entities.iter().fold(text, |text, (entity, character)| text.replace(entity, character)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_a_line_of_text() {
        for (html, expected) in [
            ("<p>One &amp; two</p>\n<p>three</p>", "One & two three"),
            ("if a < b and c > d", "if a < b and c > d"),
            ("<br/>cut <a href=\"x\">here", "cut here"),
            ("&amp;lt;", "&lt;"),
            ("<p", "<p"),
            ("", ""),
        ] {
            assert_eq!(plain(html), expected, "{html}");
        }
    }

    #[test]
    fn updates_have_numbers() {
        for (name, expected) in [
            ("5039227", Some("KB5039227")),
            ("KB5039227", Some("KB5039227")),
            (" 890830 ", Some("KB890830")),
            ("Release Notes", None),
            ("5039227 and more", None),
            ("1", None),
            ("", None),
        ] {
            let fix = Fix { name: name.to_owned(), ..Fix::default() };
            assert_eq!(fix.update().as_deref(), expected, "{name}");
        }
    }
}
