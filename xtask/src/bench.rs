//! `cargo xtask bench`: what a scan and a database cost on this machine, next to what is aimed for.
//!
//! Times are ratios within one run, because they mean nothing between machines and little between runs: the
//! contenders take turns, five times, and the median counts. It prints what is and fails on no number.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::Command;
use crate::ci::is_installed;

mod clear;
mod feeds;
mod hook;
mod image;
mod load;
mod page;
#[allow(dead_code, reason = "it is the tests', which ask more of it")]
#[path = "../../crates/plimsoll-store/tests/support/postgres.rs"]
mod postgres;
mod server;
mod windows;

/// The row.
pub(crate) static COMMAND: Command = Command {
    name: "bench",
    about: "measures scans and the database, or `feeds`, or a `server` with a large fleet, or what people wait for a `page`, or `windows`, a base layer of 1.5 GB, or `clear`, a hundred digests; --image oci:DIR scans another image, --large a second one",
    run,
};

/// How often each contender runs.
const TURNS: usize = 5;
/// How many times as large the second image of `--large` is.
const LARGE: usize = 7;
/// Option, not for people, that makes an image: folder and scale.
const MAKE: &str = "--make";
/// The same of a Windows base layer: folder.
const MAKE_WINDOWS: &str = "--make-windows";
/// Rows of the synthetic database.
const ROWS: u64 = 1_000_000;

/// A bench that takes nothing but its name.
type Named = (&'static str, fn(&Bench) -> anyhow::Result<()>);

/// Those that there are.
static NAMED: [Named; 4] =
    [("clear", Bench::clear), ("feeds", Bench::feeds), ("page", Bench::page), ("windows", Bench::windows)];

/// What is run, and where what is made stands.
struct Bench {
    plimsoll: PathBuf,
    measure: PathBuf,
    xtask: PathBuf,
    folder: PathBuf,
    database: PathBuf,
}

fn run(root: &Path, arguments: &[String]) -> anyhow::Result<bool> {
    // What the bench asks its own release build to do; see `Bench::image`.
    if let [option, folder, scale] = arguments
        && option == MAKE
    {
        image::write(Path::new(folder), scale.parse()?)?;
        return Ok(true);
    }
    if let [option, folder] = arguments
        && option == MAKE_WINDOWS
    {
        windows::write(Path::new(folder))?;
        return Ok(true);
    }
    if let [what] = arguments
        && let Some((_, measure)) = NAMED.iter().find(|(name, _)| name == what)
    {
        measure(&Bench::build(root)?)?;
        return Ok(true);
    }
    if let [what, images @ ..] = arguments
        && what == "server"
    {
        Bench::build(root)?.server(images.first().map(|images| images.parse()).transpose()?)?;
        return Ok(true);
    }
    let mut named = None;
    let mut is_large = false;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--large" => is_large = true,
            "--image" => {
                let image = arguments.next().and_then(|image| image.strip_prefix("oci:"));
                named = Some(PathBuf::from(image.context("`--image` takes `oci:DIR`")?));
            }
            other => bail!(
                "`cargo xtask bench` has no `{other}`; it takes `clear`, `feeds`, `page`, `server [IMAGES]`, `windows`, or `--image oci:DIR` and `--large`"
            ),
        }
    }
    let bench = Bench::build(root)?;
    bench.database()?;
    let layout = match named {
        Some(layout) => layout,
        None => bench.image(1)?,
    };
    bench.scans(&layout)?;
    if is_large {
        let large = bench.image(LARGE)?;
        println!("peak memory of the larger image");
        bench.memory(&large)?;
    }
    Ok(true)
}

impl Bench {
    fn build(root: &Path) -> anyhow::Result<Bench> {
        println!("building in release");
        for arguments in
            [["--package", "plimsoll"].as_slice(), &["--package", "xtask", "--features", "measure"]]
        {
            let status = Process::new("cargo")
                .args(["build", "--quiet", "--release"])
                .args(arguments)
                .current_dir(root)
                .status()
                .context("cannot run `cargo`")?;
            ensure!(status.success(), "cannot build in release");
        }
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let release = target.join("release");
        let folder = target.join("bench");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
        Ok(Bench {
            plimsoll: release.join("plimsoll"),
            measure: release.join("measure"),
            xtask: release.join("xtask"),
            database: folder.join("database.plimsoll"),
            folder,
        })
    }

    /// The synthetic image, made if it is not there from an earlier run.
    fn image(&self, scale: usize) -> anyhow::Result<PathBuf> {
        let layout = self.folder.join(format!("image-{scale}"));
        if !layout.join("index.json").exists() {
            println!("making a synthetic image in {}", layout.display());
            if layout.exists() {
                fs::remove_dir_all(&layout)?;
            }
            // By the release build: compressing it takes the other one minutes.
            let mut process = Process::new(&self.xtask);
            let status = process.args(["bench", MAKE]).arg(&layout).arg(scale.to_string()).status()?;
            ensure!(status.success(), "cannot make the image");
        }
        Ok(layout)
    }

    /// Builds the synthetic database and matches against it, in a process of its own.
    fn database(&self) -> anyhow::Result<()> {
        let mut process = Process::new(&self.measure);
        process.arg("database").arg(&self.database).arg(ROWS.to_string());
        let (output, peak) = watched(&mut process)?;
        let value = |name| numbers(&output, name);
        let one = |name| value(name).first().copied().unwrap_or(f64::NAN);
        let (rows, bytes, seconds) = (one("rows"), one("bytes"), one("build_seconds"));
        println!("\ndatabase of {rows} affected-package rows");
        line("build", &format!("{seconds:.1} s, {:.0} rows/s", rows / seconds), "60 s");
        line("peak memory of building", &mebibytes(peak), "500 MiB");
        line("size", &format!("{:.1} MB, {:.1} bytes a row", bytes / 1e6, bytes / rows), "");
        let microseconds = |times: Vec<f64>| times.into_iter().map(|time| time * 1e6).collect::<Vec<f64>>();
        line("open", &format!("{} µs", spread(&microseconds(value("open_seconds")), 0)), "microseconds");
        for (times, findings) in [("few_seconds", "few_findings"), ("many_seconds", "many_findings")] {
            let milliseconds: Vec<f64> = value(times).into_iter().map(|time| time * 1e3).collect();
            let what = format!("open and match 2500 packages, {} findings", one(findings));
            line(&what, &format!("{} ms", spread(&milliseconds, 1)), "20 ms");
        }
        Ok(())
    }

    fn scan(&self, layout: &Path, rest: &[&str]) -> Process {
        let mut process = Process::new(&self.plimsoll);
        process.args(["--quiet", "--data-dir"]).arg(self.folder.join("data"));
        process.args(["scan", "--format", "json", "--database"]).arg(&self.database);
        process.arg(format!("oci:{}", layout.display())).args(rest);
        process
    }

    fn scans(&self, layout: &Path) -> anyhow::Result<()> {
        let cold = || self.scan(layout, &["--no-cache"]);
        let warm = || self.scan(layout, &[]);
        let floor = || {
            let mut process = Process::new(&self.measure);
            process.arg("floor").arg(layout);
            process
        };
        let (report, _) = watched(&mut warm())?;
        let (sizes, _) = watched(&mut floor())?;
        let size = |name| numbers(&sizes, name).first().copied().unwrap_or(f64::NAN) / 1e6;
        let packages = report.matches("\"licenses\":").count();
        println!("\nscan of {}", layout.display());
        println!(
            "  {:.0} MB in layers, {:.0} MB unpacked, {packages} packages",
            size("stored"),
            size("unpacked")
        );
        let has_pigz = is_installed("pigz") && is_installed("sha256sum");
        let mut times: [Vec<f64>; 4] = Default::default();
        for _ in 0..TURNS {
            times[0].push(timed(&mut floor())?);
            times[1].push(timed(&mut cold())?);
            times[2].push(timed(&mut warm())?);
            if has_pigz {
                times[3].push(timed(&mut pigz(layout))?);
            }
        }
        let [floor, cold, warm, pigz] = times;
        line("floor: inflate and hash", &format!("{} s", spread(&floor, 3)), "");
        line("cold scan, whole process", &format!("{} s", spread(&cold, 3)), "");
        line("cold scan / floor", &format!("{:.2}", median(&cold) / median(&floor)), "1.3");
        if has_pigz {
            line("pigz -dc | sha256sum, a layer at a time", &format!("{} s", spread(&pigz, 3)), "");
            line("cold scan / pigz", &format!("{:.2}", median(&cold) / median(&pigz)), "below 1");
        } else {
            line("pigz -dc | sha256sum", "skipped: needs `pigz` and `sha256sum`", "");
        }
        line("warm scan, whole process", &format!("{} s", spread(&warm, 3)), "");
        self.memory(layout)
    }

    fn memory(&self, layout: &Path) -> anyhow::Result<()> {
        let (_, cold) = watched(&mut self.scan(layout, &["--no-cache"]))?;
        line("peak memory of a cold scan", &mebibytes(cold), "150 MiB");
        Ok(())
    }
}

/// What a pipeline without a scanner would do to be sure of the layers.
fn pigz(layout: &Path) -> Process {
    let script = "for blob in \"$1\"/blobs/sha256/*; do
        [ \"$(head -c 2 \"$blob\" | od -An -tx1 | tr -d ' ')\" = 1f8b ] || continue
        pigz -dc <\"$blob\" | sha256sum
    done";
    let mut process = Process::new("sh");
    process.args(["-c", script, "sh"]).arg(layout);
    process
}

/// Runs to the end; how long it took.
fn timed(process: &mut Process) -> anyhow::Result<f64> {
    process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let started = Instant::now();
    let output = process.output().with_context(|| format!("cannot run {process:?}"))?;
    let seconds = started.elapsed().as_secs_f64();
    // Of a scan, 1 and 2 are answers.
    ensure!(
        output.status.code().is_some_and(|code| code < 3),
        "{process:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(seconds)
}

/// Runs to the end; what it wrote, and the most memory that it held, in KiB, where the system says (Linux).
fn watched(process: &mut Process) -> anyhow::Result<(String, Option<u64>)> {
    process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = process.spawn().with_context(|| format!("cannot run {process:?}"))?;
    let mut stdout = child.stdout.take().context("its output is piped")?;
    let reader = std::thread::spawn(move || std::io::read_to_string(&mut stdout));
    let status = format!("/proc/{}/status", child.id());
    let mut peak = None;
    let code = loop {
        // The mark only rises, so the last that is seen is short by what the last milliseconds added.
        peak = fs::read_to_string(&status).ok().and_then(|text| high_water_mark(&text)).or(peak);
        match child.try_wait()? {
            Some(status) => break status.code(),
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    ensure!(code.is_some_and(|code| code < 3), "{process:?} failed");
    let text = reader.join().expect("reading does not panic")?;
    Ok((text, peak))
}

fn high_water_mark(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

/// The numbers of a `name=1,2` line.
fn numbers(output: &str, name: &str) -> Vec<f64> {
    let values = output.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    values.into_iter().flat_map(|values| values.split(',')).filter_map(|value| value.parse().ok()).collect()
}

fn line(what: &str, is: &str, target: &str) {
    let target = if target.is_empty() { String::new() } else { format!("  (aim: {target})") };
    println!("  {what:<46} {is}{target}");
}

fn mebibytes(kibibytes: Option<u64>) -> String {
    kibibytes
        .map_or_else(|| "not known on this system".to_owned(), |peak| format!("{} MiB", peak.div_ceil(1024)))
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Median, and the least and the most.
fn spread(times: &[f64], digits: usize) -> String {
    let least = times.iter().copied().fold(f64::INFINITY, f64::min);
    let most = times.iter().copied().fold(0.0, f64::max);
    format!("{:.digits$} ({least:.digits$} to {most:.digits$})", median(times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(spread(&[3.0, 1.0, 2.0], 1), "2.0 (1.0 to 3.0)");
    }

    #[test]
    fn lines_of_numbers_are_read_by_their_whole_name() {
        let output = "rows_all=7\nrows=1,2.5\n";
        assert_eq!(numbers(output, "rows"), [1.0, 2.5]);
        assert!(numbers(output, "bytes").is_empty());
        assert_eq!(high_water_mark("VmPeak:\t 9 kB\nVmHWM:\t  123 kB\n"), Some(123));
    }
}
