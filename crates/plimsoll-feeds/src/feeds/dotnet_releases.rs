//! .NET's own record of its releases: an index of channels (`8.0`), and a file of all releases of each.
//!
//! A release names the CVEs that it fixes, so the runtimes of its channel below its versions have them. It fills in what
//! Microsoft's security updates (`msrc`) leave out, on whatever system. What surprises:
//! - which of the runtimes has a flaw is not told. It is stated of the .NET runtime, which stands below all others; of ASP.NET
//!   Core's and the Windows desktop's only where the release gives them another version, which the first would not speak
//!   for. Where `msrc` tells them apart, it ranks first;
//! - a release of SDKs alone brings no runtime;
//! - the repository is taken, and not the blob store that has the same files under the same paths: it states the licence
//!   and has a history, and either may be mirrored;
//! - when a channel's support ends is stated too, and is not taken: packages have no releases that could end.
//!
//! Format: <https://github.com/dotnet/core/blob/main/release-notes/README.md>.

use plimsoll_core::advisory::{Advisory, Affected, FixState, Range, RangeEnd, Status};
use plimsoll_core::ecosystems;
use serde_json::Value;

use super::json::{self, Field, Text};
use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, inflate, text};

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "dotnet-releases",
    title: ".NET releases",
    url: "https://raw.githubusercontent.com/dotnet/core/main/release-notes",
    format: "JSON",
    licence: "MIT",
    terms: "https://github.com/dotnet/core/blob/main/LICENSE.TXT",
    cadence_hours: 24,
    max_age_days: 60,
    covers: &[Covers::Packages(&ecosystems::DOTNET)],
    gives: "CVEs and the releases that fix them, by channel",
    is_on_by_default: true,
    plan,
    parse,
};

const INDEX: &str = "releases-index.json";

/// The runtimes of a release, the one below all others first: field and package.
const RUNTIMES: [(&str, &str); 3] = [
    ("runtime", "dotnet-runtime"),
    ("aspnetcore-runtime", "aspnetcore-runtime"),
    ("windowsdesktop", "windowsdesktop-runtime"),
];

/// Most CVEs of one release.
const CVES_MAX: usize = 1_000;

fn plan(_: &Feed, index: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    let bad = |why: &str| PlanError(format!("`{INDEX}`: {why}"));
    let bytes = index.get(INDEX)?.ok_or_else(|| PlanError(format!("there is no `{INDEX}`")))?;
    let index: Value = serde_json::from_slice(&bytes).map_err(|_| bad("it is not JSON"))?;
    let channels = index.get("releases-index").and_then(Value::as_array);
    let channels = channels.ok_or_else(|| bad("its `releases-index` is not a list"))?;
    let mut parts: Vec<Part> = Vec::new();
    for channel in channels {
        // Where the file lies is known: the URL that the index gives may lead anywhere.
        let channel = channel.get("channel-version").and_then(Value::as_str).unwrap_or_default();
        if !is_channel(channel) {
            return Err(bad("a channel is none"));
        }
        let part = Part::new(format!("{channel}.json"), format!("{channel}/releases.json"));
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    Ok(parts)
}

/// `8.0`.
fn is_channel(text: &str) -> bool {
    let is_number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    text.split_once('.').is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

fn parse(reading: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    let channel = reading.part.path.split('/').next().unwrap_or_default();
    sink.namespace(ecosystems::DOTNET.name);
    let mut date = None;
    json::each_element(
        &mut inflate::inflated(source)?,
        "releases",
        &mut |release| {
            let release: Value = json::read(release);
            if let Err(reason) = read(channel, &release, sink) {
                let name = release.get("release-version").and_then(Value::as_str);
                sink.refuse(&text::shortened(name.unwrap_or("a release without a version"), 80), reason);
            }
        },
        &mut |field, value| {
            if field == "latest-release-date" {
                date = json::read::<Field<Text<'_>>>(value).text().and_then(text::instant);
            }
        },
    )?;
    if let Some(date) = date {
        sink.data_date(&date);
    }
    Ok(())
}

fn read(channel: &str, release: &Value, sink: &mut dyn Sink) -> Result<(), &'static str> {
    let flaws = match release.get("cve-list") {
        Some(Value::Array(flaws)) => flaws.as_slice(),
        None | Some(Value::Null) => &[],
        Some(_) => return Err("`cve-list` is not a list"),
    };
    if release.get("release-version").is_none() {
        return Err("it is no release");
    }
    if flaws.is_empty() {
        sink.skip("the release fixes no flaw that it names");
        return Ok(());
    }
    if flaws.len() > CVES_MAX {
        return Err("it names more than 1000 flaws");
    }
    let affected = runtimes(channel, release)?;
    let published = release.get("release-date").and_then(Value::as_str).and_then(text::instant);
    let mut bad = Ok(());
    for flaw in flaws {
        let field = |name| flaw.get(name).and_then(Value::as_str).unwrap_or_default();
        if !text::is_cve(field("cve-id")) {
            bad = Err("a flaw that it names is no CVE");
            continue;
        }
        let links = Some(field("cve-url")).filter(|link| text::is_link(link));
        let advisory = Advisory {
            id: field("cve-id").to_owned(),
            references: links.map(str::to_owned).into_iter().collect(),
            published: published.clone(),
            ..Advisory::default()
        };
        sink.advisory(&advisory, &affected);
    }
    bad
}

/// What has the release's flaws: its channel's runtimes below its versions.
fn runtimes(channel: &str, release: &Value) -> Result<Vec<Affected>, &'static str> {
    let version = |field| Some(release.get(field)?.get("version")?.as_str()?.trim());
    let lowest = version("runtime").ok_or("it names flaws and brings no runtime")?;
    let mut affected = Vec::new();
    for (field, package) in RUNTIMES {
        let Some(version) = version(field).filter(|version| field == "runtime" || *version != lowest) else {
            continue;
        };
        let is_of_channel = version.strip_prefix(channel).is_some_and(|rest| rest.starts_with('.'));
        if !is_of_channel || (ecosystems::DOTNET.scheme.key)(version).is_err() {
            return Err("the version of a runtime is none of its channel");
        }
        affected.push(Affected {
            namespace: ecosystems::DOTNET.name.to_owned(),
            package: package.to_owned(),
            status: Status::Affected,
            fix: FixState::Unstated,
            // Previews come before the first version and are of the channel.
            ranges: vec![Range {
                introduced: Some(format!("{channel}.0-0")),
                end: RangeEnd::Fixed(version.to_owned()),
            }],
            module: None,
            architectures: Vec::new(),
            severity: None,
        });
    }
    Ok(affected)
}
