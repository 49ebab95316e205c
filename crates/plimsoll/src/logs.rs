//! The log of the server: to standard error, as text or as JSON, a line an event; and traces, where they are wanted.
//!
//! No secret is ever logged: neither headers, nor queries, nor paths as they were asked, nor the configuration.

use std::io;

use anyhow::Context as _;
use tracing::Subscriber;
use tracing_subscriber::filter::{EnvFilter, LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::Config;
use crate::traces::{Exporter, Layer as TracesLayer};

/// Begins to log, once a process. What it returns sends the last traces when it is dropped.
pub(crate) fn start(config: &Config, replica: &str) -> anyhow::Result<Option<Exporter>> {
    let traces = config.server.traces.as_ref();
    let (layer, exporter) = match traces.map(|traces| Exporter::start(traces, config, replica)).transpose()? {
        Some((layer, exporter)) => (Some(layer), Some(exporter)),
        None => (None, None),
    };
    subscriber(config, io::stderr, layer)?.try_init().context("the log has begun already")?;
    Ok(exporter)
}

/// What takes events and spans.
fn subscriber<W>(
    config: &Config,
    writer: W,
    traces: Option<TracesLayer>,
) -> anyhow::Result<impl Subscriber + Send + Sync + 'static>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let log = &config.server.log;
    let filter = EnvFilter::builder().parse(log);
    let filter = filter.with_context(|| {
        format!("`log = \"{log}\"` in `[server]` is not understood; write, for example, `info` or `plimsoll=debug,warn`")
    })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = match config.server.log_json {
        true => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        false => lines.with_ansi(false).boxed(),
    };
    let traced = Targets::new().with_target("plimsoll", LevelFilter::INFO);
    Ok(registry().with(lines.with_filter(filter)).with(traces.map(|layer| layer.with_filter(traced))))
}

#[cfg(test)]
mod tests;
