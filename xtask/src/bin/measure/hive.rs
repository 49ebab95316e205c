//! How long a registry hive takes to be opened, asked and gone through.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use plimsoll_image::windows::extract::extract;
use plimsoll_image::windows::hive::Hive;
use plimsoll_image::windows::registry::CURRENT_VERSION;

/// How often each is done.
const TURNS: usize = 20;

pub(crate) fn measure(file: &Path) -> anyhow::Result<()> {
    let bytes = fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    println!("bytes={}", bytes.len());
    let look_up = || -> anyhow::Result<()> {
        let key = Hive::open(&bytes)?.key(CURRENT_VERSION)?.context("it has no version")?;
        let revision = key.value("UBR")?.context("it has no revision")?.number()?;
        ensure!(revision == Some(2402), "the revision is {revision:?}");
        Ok(())
    };
    print("look_up_seconds", look_up)?;
    print("extract_seconds", || {
        let (found, problems) = extract(&bytes);
        ensure!(problems.is_empty() && found.keys.len() > 100, "{} keys, {problems:?}", found.keys.len());
        Ok(())
    })
}

fn print(name: &str, work: impl Fn() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut times = Vec::with_capacity(TURNS);
    for _ in 0..TURNS {
        let started = Instant::now();
        work()?;
        times.push(started.elapsed().as_secs_f64().to_string());
    }
    println!("{name}={}", times.join(","));
    Ok(())
}
