//! A synthetic Windows base layer as large as a real one, with a registry hive of 300,000 keys; and what reading them costs.

use std::fs;
use std::path::Path;
use std::process::Command as Process;

use anyhow::ensure;
use flate2::Compression;
use plimsoll_testkit::hive::Hive;

use super::image::Filler;
use super::{Bench, line, mebibytes, median, numbers, spread, timed, watched};
use crate::pack::Layout;

/// Keys of the hive, about as many as that of a full server.
const KEYS: usize = 300_000;
/// Of them, those that servicing has.
const PACKAGES: usize = 12_000;
/// Mebibytes of content of the layer; compressed it has about 1.5 GB.
const MEBIBYTES: usize = 3_600;
/// How often each contender runs: each takes many seconds.
const TURNS: usize = 3;

/// Makes the layout.
pub(super) fn write(folder: &Path) -> anyhow::Result<()> {
    let mut layout = Layout::new(folder)?;
    layout.layer(Compression::fast(), |tar| {
        tar.directory("Files")?;
        tar.file("Files/Windows/System32/config/SOFTWARE", 0o644, &hive())?;
        Filler { tar, seed: 1 }.libraries("Files/Windows/System32/fill", MEBIBYTES)
    })?;
    layout.finish("windows", "bench")
}

fn hive() -> Vec<u8> {
    let current = r"Microsoft\Windows NT\CurrentVersion";
    let servicing = r"Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages";
    let mut hive = Hive::base().value(current, "CurrentBuild", "20348").value(current, "UBR", 2402_u32);
    for number in 0..PACKAGES {
        let name = match number % 40 {
            0 => format!("Package_for_KB50{number:05}~31bf3856ad364e35~amd64~~10.0.1.1"),
            _ => format!("Microsoft-Windows-Part-{number}~31bf3856ad364e35~amd64~~10.0.20348.2402"),
        };
        hive = hive.value(&format!(r"{servicing}\{name}"), "CurrentState", 0x70_u32);
    }
    for number in 0..KEYS - PACKAGES {
        let path =
            format!(r"Classes\Interface\{:03}\{{{number:08x}-0000-0000-C000-000000000046}}", number % 600);
        hive = hive.value(&path, "ThreadingModel", "Both");
    }
    hive.build()
}

impl Bench {
    /// What a large hive and a large base layer cost.
    pub(super) fn windows(&self) -> anyhow::Result<()> {
        self.hive()?;
        let layout = self.folder.join("windows");
        if !layout.join("index.json").exists() {
            println!("making a synthetic base layer in {}", layout.display());
            if layout.exists() {
                fs::remove_dir_all(&layout)?;
            }
            let status =
                Process::new(&self.xtask).args(["bench", super::MAKE_WINDOWS]).arg(&layout).status()?;
            ensure!(status.success(), "cannot make the image");
        }
        let floor = || {
            let mut process = Process::new(&self.measure);
            process.arg("floor").arg(&layout);
            process
        };
        let scan = || {
            let mut process = Process::new(&self.plimsoll);
            process.args(["--quiet", "--data-dir"]).arg(self.folder.join("data"));
            process.args(["scan", "--format", "json", "--no-cache"]).arg(format!("oci:{}", layout.display()));
            process
        };
        let (sizes, _) = watched(&mut floor())?;
        let size = |name| numbers(&sizes, name).first().copied().unwrap_or(f64::NAN) / 1e6;
        println!("\nscan of a base layer of {:.0} MB, {:.0} MB unpacked", size("stored"), size("unpacked"));
        let mut times: [Vec<f64>; 2] = Default::default();
        for _ in 0..TURNS {
            times[0].push(timed(&mut floor())?);
            times[1].push(timed(&mut scan())?);
        }
        let [floor_times, cold] = times;
        line("floor: inflate and hash", &format!("{} s", spread(&floor_times, 2)), "");
        line("cold scan, whole process", &format!("{} s", spread(&cold, 2)), "");
        line("cold scan / floor", &format!("{:.2}", median(&cold) / median(&floor_times)), "1.3");
        let (_, peak) = watched(&mut scan())?;
        line("peak memory of a cold scan", &mebibytes(peak), "150 MiB");
        Ok(())
    }

    fn hive(&self) -> anyhow::Result<()> {
        let file = self.folder.join("SOFTWARE");
        fs::write(&file, hive())?;
        let (output, peak) = watched(Process::new(&self.measure).arg("hive").arg(&file))?;
        let spread = |name, scale: f64, digits| {
            let times: Vec<f64> = numbers(&output, name).into_iter().map(|time| time * scale).collect();
            super::spread(&times, digits)
        };
        let bytes = numbers(&output, "bytes").first().copied().unwrap_or(f64::NAN);
        println!("\nhive of {KEYS} keys, {:.1} MB", bytes / 1e6);
        line(
            "open and look one value up",
            &format!("{} µs", spread("look_up_seconds", 1e6, 1)),
            "milliseconds",
        );
        line("take all that is wanted", &format!("{} ms", spread("extract_seconds", 1e3, 2)), "milliseconds");
        line("peak memory, the hive in it", &mebibytes(peak), "");
        Ok(())
    }
}
