//! Months as the documents are called: `2024-Jun`, and `2017-May-B` for a second one of a month.

use std::fmt;

use super::super::text;

const NAMES: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Longest of what may stand behind the month.
const REST_BYTES_MAX: usize = 4;

/// A month, or a second document of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month {
    year: u16,
    /// From 0.
    month: usize,
    /// `B`; empty for the first document.
    rest: String,
}

impl Month {
    /// Reads a document's id; `None` for what is none, so that an id is safe in a path and as a file's name.
    pub(super) fn read(id: &str) -> Option<Month> {
        let (date, rest) = match id.splitn(3, '-').collect::<Vec<_>>()[..] {
            [year, month] => ((year, month), ""),
            [year, month, rest] if is_rest(rest) => ((year, month), rest),
            _ => return None,
        };
        let (year, month) = date;
        let month = NAMES.iter().position(|name| *name == month)?;
        // A date that there is: four digits.
        text::date(&format!("{year}-01-01"))?;
        Some(Month { year: year.parse().ok()?, month, rest: rest.to_owned() })
    }

    /// The month before.
    pub(super) fn before(&self) -> Month {
        let (year, month) = match self.month.checked_sub(1) {
            Some(month) => (self.year, month),
            None => (self.year.saturating_sub(1), NAMES.len() - 1),
        };
        Month { year, month, rest: String::new() }
    }

    /// The month behind it.
    pub(super) fn after(&self) -> Month {
        let (year, month) = match self.month + 1 {
            month if month < NAMES.len() => (self.year, month),
            _ => (self.year.saturating_add(1), 0),
        };
        Month { year, month, rest: String::new() }
    }
}

fn is_rest(text: &str) -> bool {
    (1..=REST_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{}", self.year, NAMES.get(self.month).copied().unwrap_or_default())?;
        if self.rest.is_empty() { Ok(()) } else { write!(f, "-{}", self.rest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_read_and_have_neighbours() {
        for (id, expected) in [
            ("2024-Jun", Some(("2024-Jun", "2024-May", "2024-Jul"))),
            ("2024-Jan", Some(("2024-Jan", "2023-Dec", "2024-Feb"))),
            ("2024-Dec", Some(("2024-Dec", "2024-Nov", "2025-Jan"))),
            ("2017-May-B", Some(("2017-May-B", "2017-Apr", "2017-Jun"))),
            ("2024-jun", None),
            ("24-Jun", None),
            ("+024-Jun", None),
            ("2024-Jun-../..", None),
            ("2024-Jun-", None),
            ("2024", None),
            ("CVE-2024-30080", None),
            ("", None),
        ] {
            let read = Month::read(id).map(|month| [month.clone(), month.before(), month.after()]);
            let read = read.map(|months| months.map(|month| month.to_string()));
            let expected = expected.map(|(a, b, c)| [a, b, c].map(str::to_owned));
            assert_eq!(read, expected, "{id}");
        }
    }

    #[test]
    fn later_months_are_greater() {
        let months = ["2023-Dec", "2024-Jan", "2024-Apr", "2024-May", "2024-May-B", "2024-Jun"];
        let months = months.map(|id| Month::read(id).expect("it is one"));
        assert!(months.is_sorted());
    }
}
