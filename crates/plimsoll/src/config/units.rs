//! Durations and sizes as people write them: `6h`, `500MB`. A number without its unit is refused: nobody could
//! tell whether `10` are seconds or minutes.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A length of time above zero. A day has 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Time(pub(crate) Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Time, String> {
        let bad =
            || format!("`{text}` is not a length of time; write, for example, `30s`, `10m`, `6h` or `1d`");
        let span: Span = text.parse().map_err(|_| bad())?;
        if span.get_years() != 0 || span.get_months() != 0 {
            return Err(format!("`{text}` is not always equally long; write it in days, such as `30d`"));
        }
        let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| bad())?;
        if length <= SignedDuration::ZERO {
            return Err(format!("`{text}` is not above zero; write, for example, `10m`"));
        }
        Duration::try_from(length).map(Time).map_err(|_| bad())
    }
}

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Time, String> {
        text.parse()
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = SignedDuration::try_from(self.0).unwrap_or(SignedDuration::MAX);
        let hours = length.as_hours();
        match hours % 24 {
            0 if hours > 0 && length == SignedDuration::from_hours(hours) => write!(f, "{}d", hours / 24),
            _ => write!(f, "{length:#}"),
        }
    }
}

impl From<Time> for String {
    fn from(time: Time) -> String {
        time.to_string()
    }
}

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "title": "time", "examples": ["30s", "10m", "6h", "1d"]})
    }
}

/// A size in bytes above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Size(pub(crate) u64);

/// Units with their bytes, the largest first. `K` is not among them: it means a thousand to some.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim_start();
        let factor = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, bytes)| *bytes);
        let bytes =
            number.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
        match bytes {
            Some(0) => Err(format!("`{text}` is not above zero; write, for example, `500MB`")),
            Some(bytes) => Ok(Size(bytes)),
            None => Err(format!(
                "`{text}` is not a size; write a whole number and its unit, for example `500MB` or `4GiB`"
            )),
        }
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Size, String> {
        text.parse()
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, bytes) =
            UNITS.into_iter().find(|(_, bytes)| self.0.is_multiple_of(*bytes)).unwrap_or(("B", 1));
        write!(f, "{}{name}", self.0 / bytes)
    }
}

impl From<Size> for String {
    fn from(size: Size) -> String {
        size.to_string()
    }
}

impl JsonSchema for Size {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "title": "size", "examples": ["500MB", "4GiB"]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, seconds, shown) in [
            ("30s", 30, "30s"),
            ("10m", 600, "10m"),
            ("6h", 21_600, "6h"),
            ("1h 30m", 5_400, "1h 30m"),
            ("90m", 5_400, "1h 30m"),
            ("36h", 129_600, "36h"),
            ("1d", 86_400, "1d"),
            ("2w", 1_209_600, "14d"),
            ("PT6H", 21_600, "6h"),
        ] {
            let time: Time = text.parse().unwrap();
            assert_eq!((time.0.as_secs(), time.to_string().as_str()), (seconds, shown), "{text}");
            assert_eq!(time.to_string().parse::<Time>().unwrap(), time, "{text}");
        }
        for bad in ["", "10", "10 minuets", "-5m", "5m ago", "0s", "1mo", "1y", "99999999999999999d"] {
            assert!(bad.parse::<Time>().unwrap_err().contains("write"), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes, shown) in [
            ("500MB", 500_000_000, "500MB"),
            ("4GiB", 4 << 30, "4GiB"),
            ("4 gib", 4 << 30, "4GiB"),
            ("1000kB", 1_000_000, "1MB"),
            ("1536B", 1536, "1536B"),
            ("2048B", 2048, "2KiB"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!((size.0, size.to_string().as_str()), (bytes, shown), "{text}");
            assert_eq!(size.to_string().parse::<Size>().unwrap(), size, "{text}");
        }
        for bad in ["", "500", "MB", "-1MB", "1.5GB", "4K", "4GiBs", "0B", "99999999999TiB"] {
            assert!(bad.parse::<Size>().unwrap_err().contains("write"), "{bad}");
        }
    }
}
