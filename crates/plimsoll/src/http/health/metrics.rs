//! `/metrics`: what was counted, and what stands somewhere and is read now.
//!
//! A store that does not answer takes the metrics that are its own with it and leaves all others: they are needed most
//! when something is wrong.

use std::fmt::{self, Write as _};

use plimsoll_core::advisory::Advisories as _;
use plimsoll_core::scan::ScanState;
use plimsoll_feeds::status::FeedStatus;
use plimsoll_store::Counts;

use crate::feed_metrics::{self, escaped, head};
use crate::http::Refusal;
use crate::server::{Chain, Server};
use crate::standings::statuses;
use crate::warnings::{self, channels};

/// All metrics.
pub(super) fn text(server: &Server) -> Result<String, Refusal> {
    let counts = server.store().ok().map(|store| store.counts());
    if let Some(Err(error)) = &counts {
        server.metrics.store_failed(error);
    }
    let counts = counts.and_then(Result::ok);
    write(server, counts.as_ref()).map_err(|_| Refusal::new(500, "internal", "metrics cannot be written"))
}

/// All metrics, with what the store counts where it answers.
pub(super) fn write(server: &Server, counts: Option<&Counts>) -> Result<String, fmt::Error> {
    let mut out = feeds(server)?;
    let ready = u8::from(server.lifecycle.not_ready().is_none());
    gauge(&mut out, "plimsoll_ready", "Whether the server is ready.", &[(String::new(), ready.into())])?;
    let up = u8::from(counts.is_some());
    gauge(&mut out, "plimsoll_store_up", "Whether the store answers.", &[(String::new(), up.into())])?;
    if let Some(counts) = counts {
        stored(&mut out, server, counts)?;
    }
    records(&mut out, &server.chain())?;
    out.push_str(&server.metrics.text()?);
    out.push_str("# EOF\n");
    Ok(out)
}

fn feeds(server: &Server) -> Result<String, fmt::Error> {
    let all = statuses(&server.config, &server.data_dir, (server.now)());
    let on: Vec<&FeedStatus> = all.iter().filter(|feed| feed.is_enabled).collect();
    let advised = server.advised();
    let database = advised.database.as_ref().ok();
    let database = database.map(|database| (database.identity(), database.advisory_count() as u64));
    let mut memory = warnings::read(&server.data_dir);
    let names = channels::configured(&server.config.warnings);
    memory.retain_channels(|name| names.contains(&name));
    feed_metrics::text(&on, database, &memory)
}

/// Nothing before somebody has looked: whether they are whole is not known then.
fn records(out: &mut String, chain: &Chain) -> fmt::Result {
    if chain.checked_at.is_none() {
        return Ok(());
    }
    let one = |value: u64| [(String::new(), value)];
    let help = "Whether the records of clearances are as they were written.";
    gauge(out, "plimsoll_records_whole", help, &one(u8::from(chain.broken.is_none()).into()))?;
    let help = "Records of clearances that are as they were written.";
    gauge(out, "plimsoll_records_checked", help, &one(chain.head.number))
}

fn stored(out: &mut String, server: &Server, counts: &Counts) -> fmt::Result {
    let states: Vec<(String, u64)> = ScanState::ALL
        .iter()
        .filter(|state| !matches!(state, ScanState::NotReady | ScanState::Unavailable))
        .map(|state| (label("state", state.name()), counts.scans.get(state).copied().unwrap_or_default()))
        .collect();
    gauge(out, "plimsoll_scans_in_state", "Scans by where they stand, over all replicas.", &states)?;
    let age = counts.oldest_queued.map_or(0, |since| (server.now)().duration_since(since).as_secs());
    let age = u64::try_from(age).unwrap_or_default();
    let one = |value: u64| [(String::new(), value)];
    gauge(
        out,
        "plimsoll_queue_oldest_age_seconds",
        "How long the oldest scan that waits has waited.",
        &one(age),
    )?;
    gauge(out, "plimsoll_images_indexed", "Images with an inventory.", &one(counts.inventories))?;
    gauge(out, "plimsoll_layers_indexed", "Layers with an inventory.", &one(counts.layers))?;
    gauge(out, "plimsoll_packages_known", "Distinct packages in all inventories.", &one(counts.packages))?;
    let of = |pick: fn(&(u64, u64)) -> u64| -> Vec<(String, u64)> {
        counts.deliveries.iter().map(|(target, counts)| (label("target", target), pick(counts))).collect()
    };
    gauge(out, "plimsoll_deliveries_waiting", "Notifications that wait.", &of(|(waiting, _)| *waiting))?;
    gauge(out, "plimsoll_deliveries_dead", "Notifications that were given up.", &of(|(_, dead)| *dead))?;
    let dropped: Vec<(String, u64)> =
        counts.dropped.iter().map(|(target, count)| (label("target", target), *count)).collect();
    let help = "Notifications that were dropped, because too many waited or they waited for too long.";
    gauge(out, "plimsoll_deliveries_dropped", help, &dropped)
}

fn label(name: &str, value: &str) -> String {
    format!("{{{name}=\"{}\"}}", escaped(value))
}

fn gauge(out: &mut String, name: &str, help: &str, samples: &[(String, u64)]) -> fmt::Result {
    head(out, name, help)?;
    samples.iter().try_for_each(|(labels, value)| writeln!(out, "{name}{labels} {value}"))
}
