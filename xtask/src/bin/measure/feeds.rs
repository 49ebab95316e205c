//! Feeds of the size of the real ones, in the upstreams' formats, made of invented packages and flaws.
//!
//! What is written is computed from numbers: a run gives the same files as the last. Sizes follow what the
//! upstreams had in 2026: some 200,000 records for npm (most of them malicious packages), 80,000 flaws for Debian,
//! 300,000 scored CVEs.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::{mix, words};

/// OSV ecosystems, and how many records each has. Each record has two ranges.
const OSV: [(&str, u64); 4] = [("npm", 200_000), ("PyPI", 60_000), ("Go", 30_000), ("Maven", 30_000)];
/// Flaws that Debian's tracker lists, each in one package and five releases.
const DEBIAN_FLAWS: u64 = 80_000;
const DEBIAN_RELEASES: [&str; 5] = ["bullseye", "bookworm", "trixie", "forky", "sid"];
/// Statements of each of Alpine's files, and the releases that have one.
const ALPINE_STATEMENTS: u64 = 5_000;
const ALPINE_RELEASES: [u64; 6] = [18, 19, 20, 21, 22, 23];
/// CVEs with an EPSS score.
const SCORED: u64 = 300_000;

/// Writes all feeds, each below a folder of its name.
pub(crate) fn write(folder: &Path) -> anyhow::Result<()> {
    for (ecosystem, records) in OSV {
        osv(&folder.join("osv").join(ecosystem), ecosystem, records)?;
    }
    debian(&folder.join("debian-tracker"))?;
    alpine(&folder.join("alpine-secdb"))?;
    epss(&folder.join("epss"))
}

fn create(folder: &Path, name: &str) -> anyhow::Result<BufWriter<File>> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let path = folder.join(name);
    Ok(BufWriter::new(File::create(&path).with_context(|| format!("cannot write `{}`", path.display()))?))
}

fn osv(folder: &Path, ecosystem: &str, records: u64) -> anyhow::Result<()> {
    let mut zip = ZipWriter::new(create(folder, "all.zip")?);
    for number in 0..records {
        let id = format!("GHSA-{:012x}", mix(number + records));
        zip.start_file(format!("{id}.json"), SimpleFileOptions::default())?;
        let major = mix(number) % 20 + 1;
        let package = match ecosystem {
            "Maven" => format!("org.example:package-{}", mix(number) % (records / 4)),
            "Go" => format!("example.org/package-{}", mix(number) % (records / 4)),
            _ => format!("package-{}", mix(number) % (records / 4)),
        };
        let (summary, details) = (words(number, 9), words(number + 1, 40));
        write!(
            zip,
            r#"{{"schema_version":"1.7.0","id":"{id}","modified":"2026-0{}-01T00:00:00Z","published":"2025-01-01T00:00:00Z",
"aliases":["CVE-{}-{}"],"summary":"{summary}","details":"{details}",
"severity":[{{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}],
"affected":[{{"package":{{"ecosystem":"{ecosystem}","name":"{package}"}},
"ranges":[{{"type":"{}","events":[{{"introduced":"0"}},{{"fixed":"{major}.{}.1"}},{{"introduced":"{}.0.0"}},{{"fixed":"{}.0.{}"}}]}}]}}],
"references":[{{"type":"ADVISORY","url":"https://advisories.example/{id}"}}],
"database_specific":{{"severity":"HIGH"}}}}"#,
            number % 9 + 1,
            2015 + number % 11,
            200_000 + number,
            if ecosystem == "Go" { "SEMVER" } else { "ECOSYSTEM" },
            number % 30,
            major + 1,
            major + 1,
            number % 9 + 1,
        )?;
    }
    zip.finish()?.flush()?;
    Ok(())
}

fn debian(folder: &Path) -> anyhow::Result<()> {
    const PACKAGES: u64 = 4_000;
    let mut out = create(folder, "json")?;
    for package in 0..PACKAGES {
        write!(out, "{}\"source-{package}\": {{", if package == 0 { "{" } else { ",\n" })?;
        for (at, number) in (package..DEBIAN_FLAWS).step_by(4_000).enumerate() {
            let mut releases = String::new();
            for (index, release) in DEBIAN_RELEASES.iter().enumerate() {
                let separator = if index == 0 { "" } else { "," };
                let seed = mix(number * 8 + index as u64);
                let state = match seed % 3 {
                    0 => r#""status":"open","urgency":"low""#.to_owned(),
                    _ => format!(
                        r#""status":"resolved","fixed_version":"{}.{}-{}","urgency":"medium""#,
                        seed % 9 + 1,
                        seed % 40,
                        number % 7 + 1
                    ),
                };
                write!(releases, r#"{separator}"{release}":{{{state}}}"#)?;
            }
            write!(
                out,
                r#"{}"CVE-{}-{}": {{"description":"{}","scope":"local","releases":{{{releases}}}}}"#,
                if at == 0 { "" } else { "," },
                2004 + number % 22,
                10_000 + number,
                words(number, 30),
            )?;
        }
        out.write_all(b"}")?;
    }
    out.write_all(b"}\n")?;
    Ok(out.flush()?)
}

fn alpine(folder: &Path) -> anyhow::Result<()> {
    for release in ALPINE_RELEASES {
        let mut out = create(&folder.join(format!("v3.{release}")), "main.json")?;
        write!(out, r#"{{"distroversion":"v3.{release}","reponame":"main","packages":["#)?;
        for number in 0..ALPINE_STATEMENTS {
            let separator = if number == 0 { "" } else { "," };
            let cve = format!("CVE-{}-{}", 2015 + number % 11, 10_000 + number);
            write!(
                out,
                r#"{separator}{{"pkg":{{"name":"origin-{number}","secfixes":{{"{}.{}-r{}":["{cve}"]}}}}}}"#,
                number % 9 + 1,
                release,
                number % 5
            )?;
        }
        out.write_all(b"]}\n")?;
        out.flush()?;
    }
    Ok(())
}

fn epss(folder: &Path) -> anyhow::Result<()> {
    let mut out = GzEncoder::new(create(folder, "epss_scores-current.csv.gz")?, Compression::default());
    writeln!(out, "#model_version:v2025.03.14,score_date:2026-08-20T12:55:00Z\ncve,epss,percentile")?;
    for number in 0..SCORED {
        let share = |seed: u64| format!("0.{:05}", mix(seed) % 100_000);
        let (score, percentile) = (share(number), share(number + 1));
        writeln!(out, "CVE-{}-{},{score},{percentile}", 2004 + number % 22, 10_000 + number / 22)?;
    }
    Ok(out.finish()?.flush()?)
}
