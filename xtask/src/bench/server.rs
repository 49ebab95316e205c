//! `cargo xtask bench server [IMAGES]`: what a server with a large fleet costs, on SQLite and on PostgreSQL: how long a new
//! advisory database takes until every image that it changes is told of, how fast reports and statuses are answered,
//! and what memory all that takes.
//!
//! The fleet is written by `measure fleet`, past HTTP and on a disk of memory where there is one, kept for the next run, and
//! copied to PostgreSQL. Whoever asks shares the cores with the server. The load of the machine stands beside the numbers:
//! where it is higher than what the bench itself causes, they say little.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::hook::Hook;
use super::{Bench, line, load, numbers, postgres, watched};

/// Images of the fleet.
const IMAGES: u64 = 100_000;

/// Rows of the advisory database.
const ROWS: u64 = 200_000;

/// Images whose reports are asked for.
const ASKED: usize = 10_000;

/// Images of those that are asked for again and again.
const ASKED_OFTEN: usize = 200;

/// Connections that ask.
const CONNECTIONS: usize = 8;

/// Clients that wait for a change at once.
const WAITING: usize = 1_000;

/// Longest time of one series of questions.
const ASKING_MAX: Duration = Duration::from_secs(60);

/// Longest wait for something that the server does.
const WAIT_MAX: Duration = Duration::from_secs(900);

/// How lines of the log begin that tell of something wrong, behind their time.
const COMPLAINTS: [&str; 2] = [" WARN ", "ERROR "];

/// What the server says.
const LISTENING: &str = "listening";
const READY: &str = "the store is open: ready";
const FIRST: &str = "the advisory database is the first to compare with";
const DONE: &str = "what the advisory database changes is told";

/// A disk of memory, where the system has one.
const MEMORY_DISK: &str = "/dev/shm";

/// A server that ends with the bench.
pub(super) struct Serving {
    child: Child,
    pub(super) address: SocketAddr,
    log: Receiver<String>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A fleet in a store.
struct Fleet {
    name: &'static str,
    /// What `measure fleet` wrote beside the store.
    folder: PathBuf,
    place: String,
}

impl Bench {
    /// Prints what a server costs. `images` is [`IMAGES`] unless somebody is in a hurry.
    pub(super) fn server(&self, images: Option<u64>) -> anyhow::Result<()> {
        let images = images.unwrap_or(IMAGES);
        let index_state = self.index_state()?;
        let folder = self.folder.join(format!("fleet-{images}"));
        let filled = folder.join(format!("filled-{index_state:.8}.sqlite"));
        if !filled.exists() {
            self.fill(&folder, &filled, images, &index_state)?;
        }
        let work = tempfile::tempdir_in(&self.folder)?;
        let place = work.path().join("server.sqlite");
        fs::copy(&filled, &place)?;
        let place = place.display().to_string();
        self.measure_server(&Fleet { name: "SQLite", folder: folder.clone(), place }, images)?;
        drop(work);
        println!();
        let Some(postgres) = postgres::Server::start_here() else { return Ok(()) };
        let place = postgres.database();
        let mut process = Process::new(&self.measure);
        let status = process.arg("copy").arg(&filled).arg(&place).status()?;
        ensure!(status.success(), "cannot copy the fleet to PostgreSQL");
        // From here on what is acknowledged is on the disk.
        postgres.stop();
        postgres.put("postgresql.auto.conf", b"fsync = on\n");
        postgres.start();
        self.measure_server(&Fleet { name: "PostgreSQL", folder, place }, images)
    }

    /// What this version indexes by, as an empty server says.
    pub(super) fn index_state(&self) -> anyhow::Result<String> {
        let data = tempfile::tempdir()?;
        let store = data.path().join("server.sqlite").display().to_string();
        let serving = self.serve(data.path(), &store, "")?;
        let text = load::text(serving.address, "/indexer/api/v1/index_state")?;
        let state = text.split('"').nth(3).context("the server does not say what it indexes by")?;
        Ok(state.to_owned())
    }

    fn fill(&self, folder: &Path, filled: &Path, images: u64, index_state: &str) -> anyhow::Result<()> {
        println!("storing {images} images in SQLite");
        let memory = Path::new(MEMORY_DISK);
        let aside = match memory.is_dir() {
            true => tempfile::tempdir_in(memory)?,
            false => tempfile::tempdir_in(&self.folder)?,
        };
        let aside = aside.path().join("filled.sqlite");
        let mut process = Process::new(&self.measure);
        process.arg("fleet").arg(folder).arg(&aside).arg(images.to_string()).arg(ROWS.to_string());
        let (output, _) = watched(process.arg(index_state))?;
        let seconds = numbers(&output, "fill_seconds").first().copied().unwrap_or(f64::NAN);
        line("stored one after the other", &format!("{:.0} images/s", images as f64 / seconds), "");
        let part = filled.with_extension("part");
        fs::copy(&aside, &part)?;
        Ok(fs::rename(&part, filled)?)
    }

    /// A server on a store, once it is ready.
    pub(super) fn serve(&self, data: &Path, place: &str, config: &str) -> anyhow::Result<Serving> {
        let file = data.join("config.toml");
        fs::write(&file, config)?;
        let mut process = Process::new(&self.plimsoll);
        process
            .args(["--quiet", "--data-dir"])
            .arg(data)
            .arg("--config")
            .arg(file)
            .args(["serve", "--no-update"]);
        process.args(["--listen", "127.0.0.1:0", "--store", place]);
        process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = process.spawn().with_context(|| format!("cannot run {process:?}"))?;
        let stderr = child.stderr.take().context("its log is piped")?;
        let (sender, log) = channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(stderr).lines();
            lines.map_while(Result::ok).try_for_each(|line| {
                // What goes wrong costs time, and a number that has it in it must not stand without it.
                if COMPLAINTS.iter().any(|level| line.contains(level)) {
                    println!("  the server: {line}");
                }
                sender.send(line)
            })
        });
        let mut serving = Serving { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), log };
        let listening = serving.said(LISTENING)?;
        let address = field(&listening, "address").context("the server does not say where it listens")?;
        serving.address = address.parse()?;
        serving.said(READY)?;
        Ok(serving)
    }

    fn measure_server(&self, fleet: &Fleet, images: u64) -> anyhow::Result<()> {
        println!("\na server with {images} images, {}", fleet.name);
        // With what an earlier server compared it would know the new database.
        let data = tempfile::tempdir_in(&self.folder)?;
        let current = data.path().join("database.plimsoll");
        fs::copy(fleet.folder.join("old.plimsoll"), &current)?;
        let hook = Hook::start()?;
        let config = format!(
            "[notify.bench]\nkind = \"webhook\"\nurl = \"{}\"\nallow_plain = true\nevents = [\"findings.changed\"]\n",
            hook.url
        );
        let started = Instant::now();
        let mut serving = self.serve(data.path(), &fleet.place, &config)?;
        line("start, until it is ready", &format!("{:.2} s", started.elapsed().as_secs_f64()), "");
        serving.said(FIRST)?;
        serving.memory();
        let next = data.path().join("next.plimsoll");
        fs::copy(fleet.folder.join("new.plimsoll"), &next)?;
        fs::rename(&next, &current)?;
        fleet.rematch(&mut serving, &hook)?;
        serving.memory();
        fleet.ask(&serving)
    }
}

impl Serving {
    /// Reads the log until something is said; that line.
    fn said(&mut self, what: &str) -> anyhow::Result<String> {
        let started = Instant::now();
        while let Ok(line) = self.log.recv_timeout(WAIT_MAX.saturating_sub(started.elapsed())) {
            if line.contains(what) {
                return Ok(line);
            }
            if line.contains("WARN") || line.contains("ERROR") {
                println!("  the server says: {line}");
            }
        }
        bail!("the server did not say `{what}`")
    }

    /// Prints what memory it has now, and had at most, and how busy the machine is.
    pub(super) fn memory(&self) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let of = |name: &str| {
            let kibibytes = status
                .lines()
                .find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
            super::mebibytes(kibibytes)
        };
        line("  memory: now, at most", &format!("{}, {}", of("VmRSS:"), of("VmHWM:")), "");
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        line("  load of the machine, over one minute", load.split(' ').next().unwrap_or_default(), "");
    }
}

impl Fleet {
    fn list(&self, name: &str) -> anyhow::Result<Vec<String>> {
        let path = self.folder.join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// From a new database, which is there now, to the last webhook.
    fn rematch(&self, serving: &mut Serving, hook: &Hook) -> anyhow::Result<()> {
        let started = Instant::now();
        let done = serving.said(DONE)?;
        let seconds = started.elapsed().as_secs_f64();
        let field = |name: &str| field(&done, name).unwrap_or("?").to_owned();
        line("packages held against both databases", &field("packages"), "");
        line("images told of", &field("images"), "");
        line("from the new file to the last event", &format!("{seconds:.1} s"), "seconds");
        line("  of that at work", &format!("{} s", field("seconds")), "");
        let affected: HashSet<String> = self.list("affected")?.into_iter().collect();
        // Whoever is told twice is told soon: the last second is waited for in any case.
        let (mut told, mut grown) = (hook.told(), Instant::now());
        while grown.elapsed() < Duration::from_secs(if told.images.len() < affected.len() { 30 } else { 2 }) {
            std::thread::sleep(Duration::from_millis(200));
            let now = hook.told();
            if now.images.len() > told.images.len() {
                grown = Instant::now();
            }
            told = now;
        }
        let last = told.last.map_or(f64::NAN, |last| last.duration_since(started).as_secs_f64());
        let count = told.images.len();
        line(
            "from the new file to the last webhook",
            &format!("{last:.1} s, {:.0}/s", count as f64 / last),
            "",
        );
        let missing = affected.iter().filter(|image| !told.images.contains_key(*image)).count();
        let wrong = told.images.keys().filter(|image| !affected.contains(*image)).count();
        let twice = told.images.values().filter(|times| **times > 1).count();
        line(
            "images told by webhook",
            &format!(
                "{count} of {} that are affected: {missing} missing, {twice} more than once, {wrong} that are not",
                affected.len()
            ),
            "each once",
        );
        Ok(())
    }

    /// How fast reports and statuses are answered.
    fn ask(&self, serving: &Serving) -> anyhow::Result<()> {
        let mut digests = self.list("digests")?;
        // They are hashes, so in their order they are at random.
        digests.sort_unstable();
        digests.truncate(ASKED);
        let paths = |before: &str, digests: &[String], after: &str, times: usize| -> Vec<String> {
            let one = digests.iter().map(|digest| format!("{before}{digest}{after}"));
            one.cycle().take(digests.len() * times).collect()
        };
        let ask = |what: &str, paths: &[String], target: &str| -> anyhow::Result<()> {
            let asked = load::ask(serving.address, paths, CONNECTIONS, ASKING_MAX)?;
            line(what, &asked.text(), target);
            Ok(())
        };
        let often = &digests[..ASKED_OFTEN.min(digests.len())];
        let clair = "/matcher/api/v1/vulnerability_report/";
        let own = "/api/v1/scans/";
        ask("Clair's report, each for the first time", &paths(clair, &digests, "", 1), "")?;
        ask("Clair's report, each once more", &paths(clair, &digests, "", 1), "p99 200 ms")?;
        ask("Clair's report, a few images", &paths(clair, often, "", 50), "")?;
        serving.memory();
        ask("JSON report, each", &paths(own, &digests, "/report", 1), "p99 200 ms")?;
        ask("JSON report, a few images", &paths(own, often, "/report", 50), "")?;
        serving.memory();
        ask("status", &paths(own, &digests, "", 4), "2,000/s")?;
        let held = self.list("held")?.join("");
        let waiting = load::wait(serving.address, &format!("{own}{held}?wait=120s"), WAITING)?;
        ask(&format!("status, while {WAITING} wait for a change"), &paths(own, &digests, "", 4), "2,000/s")?;
        line("  of those that wait, still do", &load::still_waiting(&waiting).to_string(), "all");
        serving.memory();
        drop(waiting);
        Ok(())
    }
}

/// The value of a `name=value` in a line of the log.
fn field<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_log_are_read_by_their_whole_name() {
        let line = "INFO told images_before=3 images=7 seconds=0.5";
        assert_eq!(field(line, "images"), Some("7"));
        assert_eq!(field(line, "image"), None);
    }
}
