//! Reading a file line by line, each of bounded length.

use std::io::{self, BufRead, Read};

use super::ParseError;

/// Takes a line's number and its bytes.
type OnLine<'a> = dyn FnMut(u64, Option<&[u8]>) -> Result<(), ParseError> + 'a;

/// Hands out the lines, without their ends, and their numbers from 1 on. A line of more than `line_bytes_max` bytes
/// is handed out as `None`, and its rest is passed over.
pub(super) fn each_line(
    lines: &mut dyn BufRead,
    line_bytes_max: u64,
    on_line: &mut OnLine<'_>,
) -> Result<(), ParseError> {
    let unreadable = |error: io::Error| ParseError(format!("cannot read it: {error}"));
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        // One byte more for the end of the line.
        let limit = line_bytes_max.saturating_add(1);
        let length = lines.take(limit).read_until(b'\n', &mut line).map_err(unreadable)?;
        if length == 0 {
            break;
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if length as u64 == limit {
            lines.skip_until(b'\n').map_err(unreadable)?;
            on_line(number, None)?;
            continue;
        }
        on_line(number, Some(&line))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_handed_out_and_those_that_are_too_long_are_told() {
        for (text, expected) in [
            ("", ""),
            ("\n", "1= "),
            ("a", "1=a "),
            ("a\nb\n", "1=a 2=b "),
            ("abcd\nb", "1=abcd 2=b "),
            ("abcde\nb", "1! 2=b "),
            ("abcdefghijkl\nb\n", "1! 2=b "),
            ("b\nabcde", "1=b 2! "),
            ("b\nabcd", "1=b 2=abcd "),
        ] {
            let mut got = String::new();
            each_line(&mut text.as_bytes(), 4, &mut |number, line| {
                got += &match line {
                    Some(line) => format!("{number}={} ", String::from_utf8_lossy(line)),
                    None => format!("{number}! "),
                };
                Ok(())
            })
            .unwrap();
            assert_eq!(got, expected, "{text:?}");
        }
    }
}
