//! `cargo xtask bench page`: how long people wait for a page, and how large it is: one server, one image of 5,000 findings, a
//! repository of 200 tags, and a database of the size of all feeds together.
//!
//! Pages take turns over one connection, with a page without data among them as the floor. Nothing is compressed.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::time::Instant;

use anyhow::{Context as _, ensure};

use super::{Bench, line, load, watched};

/// Rows of the advisory database: 350,000 advisories.
const ROWS: u64 = 1_000_000;

/// How often each page is asked for.
const TIMES: usize = 200;

/// What is aimed for: the whole page.
const AIM: &str = "200 ms, 300 kB";

/// What came of asking for a page.
#[derive(Default)]
struct Asked {
    /// Milliseconds until the whole page, of the first time alone: nothing of it was in memory.
    first: f64,
    /// Milliseconds until the first byte, in the order in which it was asked.
    to_first_byte: Vec<f64>,
    /// Milliseconds until the last one.
    to_last_byte: Vec<f64>,
    bytes: usize,
}

impl Bench {
    /// Prints what pages cost.
    pub(super) fn page(&self) -> anyhow::Result<()> {
        let index_state = self.index_state()?;
        let work = tempfile::tempdir_in(&self.folder)?;
        let place = work.path().join("server.sqlite").display().to_string();
        println!("storing images, tags and advisories");
        let mut process = std::process::Command::new(&self.measure);
        process.arg("page").arg(work.path()).arg(&place).arg(ROWS.to_string()).arg(&index_state);
        let (output, _) = watched(&mut process)?;
        let said = |name: &str| {
            let line = output.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.map(str::to_owned).with_context(|| format!("`measure page` does not say `{name}`"))
        };
        let database = fs::metadata(work.path().join("database.plimsoll"))?.len();
        let pages = [
            ("floor: the page of signing in", "/ui/sign-in".to_owned(), ""),
            ("report of 5,000 findings", format!("/ui/images/{}", said("large")?), AIM),
            ("tags, 200 of them", format!("/ui/repositories/{}", said("repository")?), AIM),
            ("overview", "/".to_owned(), AIM),
            ("search for a flaw", format!("/ui/search?flaw={}", said("flaw")?), AIM),
            ("search for a flaw that nothing has", "/ui/search?flaw=CVE-1999-9999999".to_owned(), AIM),
            ("search for a package", format!("/ui/search?package={}", said("package")?), AIM),
        ];
        let serving = self.serve(work.path(), &place, "")?;
        let mut connection = BufReader::new(load::connect(serving.address)?);
        let mut all: Vec<Asked> = pages.iter().map(|_| Asked::default()).collect();
        for turn in 0..TIMES {
            for (asked, (_, path, _)) in all.iter_mut().zip(&pages) {
                let began = Instant::now();
                let milliseconds = || began.elapsed().as_secs_f64() * 1e3;
                load::put(connection.get_mut(), path)?;
                ensure!(!connection.fill_buf()?.is_empty(), "the server broke off at `{path}`");
                asked.to_first_byte.push(milliseconds());
                let (status, bytes) = load::answer(&mut connection)?;
                asked.to_last_byte.push(milliseconds());
                ensure!(status == 200, "`{path}` is answered with {status}");
                asked.bytes = bytes;
                if turn == 0 {
                    asked.first = milliseconds();
                }
            }
        }
        println!(
            "\npages, {TIMES} times each in turn: {} images, {} findings on them, a database of {:.0} MB",
            said("images")?,
            said("findings")?,
            database as f64 / 1e6
        );
        println!("  (milliseconds to the first byte and to the last: median, 99 of 100)");
        for (asked, (what, _, aim)) in all.iter().zip(&pages) {
            line(what, &asked.text(), aim);
        }
        serving.memory();
        Ok(())
    }
}

impl Asked {
    fn text(&self) -> String {
        let share = |times: &[f64], share: f64| {
            let mut sorted = times.to_vec();
            sorted.sort_by(f64::total_cmp);
            let last = sorted.len().saturating_sub(1) as f64;
            sorted.get((last * share).round() as usize).copied().unwrap_or(f64::NAN)
        };
        let both = |times: &[f64]| format!("{:.1}, {:.1}", share(times, 0.5), share(times, 0.99));
        format!(
            "{}; {} (the very first {:.0}); {:.0} kB",
            both(&self.to_first_byte),
            both(&self.to_last_byte),
            self.first,
            self.bytes as f64 / 1e3
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_is_said_in_one_line() {
        let times: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        let asked = Asked { first: 300.4, to_first_byte: times.clone(), to_last_byte: times, bytes: 12_345 };
        assert_eq!(asked.text(), "50.0, 99.0; 50.0, 99.0 (the very first 300); 12 kB");
    }
}
