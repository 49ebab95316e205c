//! `cargo xtask bench fleet`: how long a server takes to find which images of a large fleet a new advisory database
//! changes. `PLIMSOLL_BENCH_POSTGRES`, a `postgres://` place with an empty database, measures that store too.

use std::fs;
use std::io::BufReader;
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::{Bench, high_water_mark, line, mebibytes, watched};

/// Images of the fleet.
const IMAGES: u64 = 100_000;

/// Rows of the database.
const ROWS: u64 = 200_000;

/// Longest wait for the server to say that it is done.
const WAIT_MAX: Duration = Duration::from_secs(600);

/// What the server says when it is done.
const DONE: &str = "what the advisory database changes is told";

/// What it says when there is a database to compare with.
const FIRST: &str = "the advisory database is the first to compare with";

/// Ends the server with the bench.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Bench {
    /// Prints what a new database over the synthetic fleet costs, on SQLite and where there is one on PostgreSQL.
    /// `images` is [`IMAGES`] unless somebody is in a hurry.
    pub(super) fn fleet(&self, images: Option<u64>) -> anyhow::Result<()> {
        let images = images.unwrap_or(IMAGES);
        let folder = self.folder.join(format!("fleet-{images}"));
        let sqlite = folder.join("server.sqlite").display().to_string();
        self.fleet_in(&folder, "SQLite", &sqlite, images)?;
        match std::env::var("PLIMSOLL_BENCH_POSTGRES") {
            Ok(place) => self.fleet_in(&folder.with_extension("postgres"), "PostgreSQL", &place, images),
            Err(_) => {
                println!(
                    "skipped: PostgreSQL; set PLIMSOLL_BENCH_POSTGRES to a place with an empty database"
                );
                Ok(())
            }
        }
    }

    fn fleet_in(&self, folder: &Path, store: &str, place: &str, images: u64) -> anyhow::Result<()> {
        println!("\na new database with 500 changed advisories over {images} images, {store}");
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        let mut process = Process::new(&self.measure);
        process.arg("fleet").arg(folder).arg(place).arg(images.to_string()).arg(ROWS.to_string());
        let (filled, _) = watched(&mut process)?;
        let seconds = super::numbers(&filled, "fill_seconds").first().copied().unwrap_or(f64::NAN);
        line("storing the fleet, one worker", &format!("{:.0} images/s", images as f64 / seconds), "");
        let current = folder.join("database.plimsoll");
        fs::copy(folder.join("old.plimsoll"), &current)?;
        let mut process = Process::new(&self.plimsoll);
        process.args(["--quiet", "--data-dir"]).arg(folder).args([
            "serve",
            "--no-update",
            "--listen",
            "127.0.0.1:0",
        ]);
        process.args(["--store", place]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut serving = Serving(process.spawn().with_context(|| format!("cannot run {process:?}"))?);
        let stderr = serving.0.stderr.take().context("its log is piped")?;
        let mut log = BufReader::new(stderr);
        said(&mut log, FIRST)?;
        fs::rename(folder.join("new.plimsoll"), &current)?;
        let started = Instant::now();
        let done = said(&mut log, DONE)?;
        let seconds = started.elapsed().as_secs_f64();
        let status = fs::read_to_string(format!("/proc/{}/status", serving.0.id())).ok();
        let field = |name: &str| {
            done.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).unwrap_or("?")
        };
        line("packages held against both databases", field("packages"), "");
        line("images told", field("images"), "");
        line("from the new file to the last event", &format!("{seconds:.1} s"), "seconds");
        line("of that at work", &format!("{} s", field("seconds")), "");
        line("peak memory of the server", &mebibytes(status.as_deref().and_then(high_water_mark)), "");
        Ok(())
    }
}

/// Reads a log until something is said; that line.
fn said(log: &mut impl std::io::BufRead, what: &str) -> anyhow::Result<String> {
    let started = Instant::now();
    let mut text = String::new();
    loop {
        text.clear();
        ensure!(log.read_line(&mut text)? > 0, "the server ended before it said `{what}`");
        if text.contains(what) {
            return Ok(text);
        }
        ensure!(started.elapsed() < WAIT_MAX, "the server did not say `{what}`");
    }
}
