//! Traces by OpenTelemetry's protocol: spans are gathered, and sent as OTLP over HTTP with JSON.
//!
//! Our own, since what is needed is a queue and one document; the crates for it bring an HTTP client and a protocol
//! compiler. What surprises:
//!
//! - Nothing ever waits for the collector. Spans that it cannot take in time are lost, and the log says how many.
//! - A trace that a client began goes on: the field `traceparent` of a span without a parent names it (W3C Trace Context).
//!   Whether it is sent is our decision all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use aws_lc_rs::rand;
use plimsoll_core::digest::hex;
use plimsoll_net::{Client, Request, Settings, host_and_port_of};
use serde_json::{Value, json};
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::config::{Config, TracesConfig};

/// Most spans that wait for the collector.
const WAITING_MAX: usize = 4096;

/// Most spans in one document.
const BATCH_MAX: usize = 256;

/// Longest time that a span waits for others.
const BATCH_TIME_MAX: Duration = Duration::from_secs(2);

/// Longest time for the collector to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest text of an attribute, in bytes.
const TEXT_BYTES_MAX: usize = 1024;

/// Gathers spans.
pub(crate) struct Layer {
    sender: SyncSender<Span>,
    lost: Arc<AtomicU64>,
    one_of: u32,
}

/// Sends spans, from a thread of its own. The last ones are sent when it is dropped.
pub(crate) struct Exporter {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A span that is gathered.
#[derive(Clone, Debug)]
struct Span {
    trace: [u8; 16],
    id: [u8; 8],
    parent: Option<[u8; 8]>,
    name: &'static str,
    begun: SystemTime,
    ended: SystemTime,
    attributes: Vec<(&'static str, Value)>,
}

/// Whether a span is gathered, kept with it.
enum Kept {
    Yes(Box<Span>),
    No,
}

impl Exporter {
    /// Starts the thread.
    pub(crate) fn start(
        traces: &TracesConfig,
        config: &Config,
        replica: &str,
    ) -> anyhow::Result<(Layer, Exporter)> {
        let host = host_and_port_of(&traces.url)
            .with_context(|| "`url` in `[server.traces]` is none of http or https; write, for example, `https://collector.example:4318`")?;
        let settings = Settings {
            ca_files: traces.ca.iter().cloned().collect(),
            plain_http_hosts: if traces.allow_plain { vec![host.clone()] } else { Vec::new() },
            only_hosts: config.offline.then(|| vec![host]),
            total_timeout: ANSWER_TIME_MAX,
            ..Settings::default()
        };
        let mut client = Client::new(settings)?;
        if let Some(credentials) = &traces.credentials {
            client = client.authorized(&traces.url, credentials.authorization()?)?;
        }
        let url = format!("{}/v1/traces", traces.url.trim_end_matches('/'));
        let (sender, spans) = sync_channel(WAITING_MAX);
        let (stop, stopped) = sync_channel(0);
        let lost = Arc::new(AtomicU64::new(0));
        let collector = Collector {
            client,
            url,
            replica: replica.to_owned(),
            lost: Arc::clone(&lost),
            is_failing: false,
        };
        let thread = std::thread::Builder::new().name("traces".to_owned());
        let thread =
            thread.spawn(move || collector.run(&spans, &stopped)).context("cannot start a thread")?;
        let layer = Layer { sender, lost, one_of: traces.one_of.max(1) };
        Ok((layer, Exporter { stop: Some(stop), thread: Some(thread) }))
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Layer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut seen = Seen::default();
        attributes.record(&mut seen);
        let parent = span.parent().and_then(|parent| match parent.extensions().get::<Kept>() {
            Some(Kept::Yes(parent)) => Some(Some((parent.trace, Some(parent.id)))),
            Some(Kept::No) => Some(None),
            None => None,
        });
        let origin = match parent {
            Some(origin) => origin,
            None if u32::from_le_bytes(random()) % self.one_of != 0 => None,
            None => Some(seen.traceparent.unwrap_or_else(|| (random(), None))),
        };
        let kept = match origin {
            None => Kept::No,
            Some((trace, parent)) => {
                let (begun, name) = (SystemTime::now(), attributes.metadata().name());
                let id = random();
                Kept::Yes(Box::new(Span {
                    trace,
                    id,
                    parent,
                    name,
                    begun,
                    ended: begun,
                    attributes: seen.attributes,
                }))
            }
        };
        span.extensions_mut().insert(kept);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(Kept::Yes(kept)) = span.extensions_mut().get_mut::<Kept>() {
            let mut seen = Seen::default();
            values.record(&mut seen);
            kept.attributes.extend(seen.attributes);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        if let Some(Kept::Yes(mut kept)) = span.extensions_mut().remove::<Kept>() {
            kept.ended = SystemTime::now();
            if self.sender.try_send(*kept).is_err() {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// The fields of a span.
#[derive(Default)]
struct Seen {
    attributes: Vec<(&'static str, Value)>,
    traceparent: Option<([u8; 16], Option<[u8; 8]>)>,
}

impl Visit for Seen {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "traceparent" {
            self.traceparent = traceparent(value);
        } else if !value.is_empty() {
            let end = value.floor_char_boundary(TEXT_BYTES_MAX);
            self.attributes.push((field.name(), json!({"stringValue": value[..end]})));
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.attributes.push((field.name(), json!({"intValue": value.to_string()})));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.attributes.push((field.name(), json!({"intValue": value.to_string()})));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.attributes.push((field.name(), json!({"boolValue": value})));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.attributes.push((field.name(), json!({"doubleValue": value})));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// `00-TRACE-PARENT-FLAGS`, in hexadecimal digits.
fn traceparent(text: &str) -> Option<([u8; 16], Option<[u8; 8]>)> {
    let mut parts = text.split('-');
    let (version, trace, parent) = (parts.next()?, parts.next()?, parts.next()?);
    let trace = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0 && trace.len() == 32)?;
    let parent = u64::from_str_radix(parent, 16).ok().filter(|id| *id != 0 && parent.len() == 16)?;
    (version.len() == 2 && version != "ff").then(|| (trace.to_be_bytes(), Some(parent.to_be_bytes())))
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Without random bytes spans would share their ids, which confuses a picture and nothing else.
    let _ = rand::fill(&mut bytes);
    bytes
}

struct Collector {
    client: Client,
    url: String,
    replica: String,
    lost: Arc<AtomicU64>,
    is_failing: bool,
}

impl Collector {
    fn run(mut self, spans: &Receiver<Span>, stopped: &Receiver<()>) {
        loop {
            let is_last = stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Disconnected);
            let batch = if is_last { spans.try_iter().collect() } else { gather(spans) };
            for batch in batch.chunks(BATCH_MAX) {
                self.send(batch);
            }
            if is_last {
                return;
            }
        }
    }

    fn send(&mut self, batch: &[Span]) {
        let body = document(batch, &self.replica).to_string();
        let request = Request::post(&self.url, body).header("Content-Type", "application/json");
        let failed = match self.client.send(&request) {
            Ok(response) if response.is_success() => None,
            Ok(response) => Some(format!("it answers {}", response.status)),
            Err(error) => Some(error.to_string()),
        };
        let mut lost = self.lost.swap(0, Ordering::Relaxed);
        if failed.is_some() {
            lost += batch.len() as u64;
        }
        match &failed {
            Some(reason) if !self.is_failing => tracing::warn!("traces cannot be sent: {reason}"),
            None if self.is_failing => tracing::info!("traces can be sent again"),
            Some(_) | None => {}
        }
        self.is_failing = failed.is_some();
        if lost > 0 {
            tracing::debug!("{lost} spans of traces are lost");
        }
    }
}

/// Waits for a span, and a little for those after it.
fn gather(spans: &Receiver<Span>) -> Vec<Span> {
    let end = Instant::now() + BATCH_TIME_MAX;
    let mut batch = Vec::new();
    while batch.len() < BATCH_MAX {
        let left = end.saturating_duration_since(Instant::now());
        match spans.recv_timeout(left.min(BATCH_TIME_MAX / 8)) {
            Ok(span) => batch.push(span),
            Err(RecvTimeoutError::Timeout) if batch.is_empty() && !left.is_zero() => return batch,
            Err(RecvTimeoutError::Timeout) if !left.is_zero() => {}
            Err(_) => break,
        }
    }
    batch
}

/// OTLP's `ExportTraceServiceRequest` in its JSON form.
fn document(batch: &[Span], replica: &str) -> Value {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let spans: Vec<Value> = batch.iter().map(span).collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": [
            text("service.name", "plimsoll"),
            text("service.version", env!("CARGO_PKG_VERSION")),
            text("service.instance.id", replica),
        ]},
        "scopeSpans": [{"scope": {"name": "plimsoll"}, "spans": spans}],
    }]})
}

fn span(span: &Span) -> Value {
    let nanoseconds =
        |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos()).to_string();
    let find =
        |name: &str| span.attributes.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| value);
    let is_server = find("otel.kind").is_some_and(|kind| kind["stringValue"] == "server");
    let status = find("http.response.status_code").and_then(|value| value["intValue"].as_str());
    let is_error = status.is_some_and(|status| status.starts_with('5'));
    let attributes: Vec<Value> = span
        .attributes
        .iter()
        .filter(|(key, _)| !key.starts_with("otel."))
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect();
    let mut shown = json!({
        "traceId": hex(&span.trace),
        "spanId": hex(&span.id),
        "name": span.name,
        // SPAN_KIND_SERVER and SPAN_KIND_INTERNAL.
        "kind": if is_server { 2 } else { 1 },
        "startTimeUnixNano": nanoseconds(span.begun),
        "endTimeUnixNano": nanoseconds(span.ended),
        "attributes": attributes,
        "status": if is_error { json!({"code": 2}) } else { json!({}) },
    });
    if let Some(parent) = span.parent {
        shown["parentSpanId"] = hex(&parent).into();
    }
    shown
}

#[cfg(test)]
mod tests;
