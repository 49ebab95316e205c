//! What the server counts, for `/metrics`.
//!
//! What happens is counted here as it happens. What stands somewhere anyway (the queue, feeds, the database) is read when
//! somebody asks, in `http/health/metrics.rs`. Labels take words from closed lists and names of the configuration, never
//! what a client sends.

use std::sync::atomic::AtomicU64;

use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{HearingOutcome, StoreError};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper ends of the buckets for requests, in seconds.
const REQUEST_SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Upper ends of the buckets for scans, in seconds.
const SCAN_SECONDS: [f64; 11] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    endpoint: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    endpoint: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    state: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cached {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Delivered {
    target: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

/// How a delivery went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeliveryResult {
    /// The other side took it.
    Delivered,
    /// It did not, and is asked again.
    Failed,
    /// It did not as often as it may be asked.
    GivenUp,
    /// It was not asked any more, because too many waited or it waited for too long.
    Dropped,
}

/// What the server counts.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    request_seconds: Family<Endpoint, Histogram, fn() -> Histogram>,
    scans: Family<Ended, Counter>,
    scan_seconds: Family<Ended, Histogram, fn() -> Histogram>,
    layers: Family<Cached, Counter>,
    store_errors: Family<Kind, Counter>,
    deliveries: Family<Delivered, Counter>,
    clearances: Family<Outcome, Counter>,
    admissions: Family<Outcome, Counter>,
    workers_busy: Gauge,
    layer_bytes: Counter<u64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("plimsoll"),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(|| Histogram::new(REQUEST_SECONDS)),
            scans: Family::default(),
            scan_seconds: Family::new_with_constructor(|| Histogram::new(SCAN_SECONDS)),
            layers: Family::default(),
            store_errors: Family::default(),
            deliveries: Family::default(),
            clearances: Family::default(),
            admissions: Family::default(),
            workers_busy: Gauge::default(),
            layer_bytes: Counter::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        let build: Family<Build, Gauge> = Family::default();
        build.get_or_create(&Build { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register("build_info", "Which version runs", build);
        registry.register("http_requests", "Requests that were answered", self.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time to answer a request, without the time to send the body",
            Unit::Seconds,
            self.request_seconds.clone(),
        );
        registry.register("scans", "Attempts at scans that ended, by state and reason", self.scans.clone());
        registry.register_with_unit(
            "scan_duration",
            "Time of an attempt at a scan",
            Unit::Seconds,
            self.scan_seconds.clone(),
        );
        registry.register(
            "layers",
            "Layers of images that were wanted: known before, or read",
            self.layers.clone(),
        );
        registry.register_with_unit(
            "layer_read",
            "Stored bytes of layers that were read",
            Unit::Bytes,
            self.layer_bytes.clone(),
        );
        registry.register(
            "workers_busy",
            "Workers of this replica that are at work",
            self.workers_busy.clone(),
        );
        registry.register("store_errors", "What the store could not do", self.store_errors.clone());
        registry.register("deliveries", "Attempts to deliver a notification", self.deliveries.clone());
        registry.register(
            "clearances",
            "Attempts at clearances that ended, by what came of them",
            self.clearances.clone(),
        );
        registry.register(
            "admissions",
            "Objects of Kubernetes that were asked about, by what was answered",
            self.admissions.clone(),
        );
    }

    /// A request was answered.
    pub(crate) fn request(&self, endpoint: &'static str, status: u16, seconds: f64) {
        self.requests.get_or_create(&Answered { endpoint, status }).inc();
        self.request_seconds.get_or_create(&Endpoint { endpoint }).observe(seconds);
    }

    /// An attempt at a scan ended: with a final state, or with `retrying`, or `queued` where it was handed back.
    pub(crate) fn scan_finished(&self, state: ScanState, reason: Reason, seconds: f64) {
        let ended = Ended { state: state.name(), reason: reason.name() };
        self.scans.get_or_create(&ended).inc();
        self.scan_seconds.get_or_create(&ended).observe(seconds);
    }

    /// Layers of an image were known before, or had to be read.
    pub(crate) fn layers(&self, known: u64, read: u64, bytes_read: u64) {
        self.layers.get_or_create(&Cached { result: "hit" }).inc_by(known);
        self.layers.get_or_create(&Cached { result: "miss" }).inc_by(read);
        self.layer_bytes.inc_by(bytes_read);
    }

    /// A worker begins.
    pub(crate) fn worker_began(&self) {
        self.workers_busy.inc();
    }

    /// A worker that began has ended.
    pub(crate) fn worker_ended(&self) {
        self.workers_busy.dec();
    }

    /// The store could not do something.
    pub(crate) fn store_failed(&self, error: &StoreError) {
        let kind = match error {
            StoreError::Conflict(_) => "conflict",
            StoreError::Unavailable(_) => "unavailable",
            StoreError::BadPlace { .. } => "bad_place",
            StoreError::Damaged(_) => "damaged",
            StoreError::Refused(_) => "refused",
        };
        self.store_errors.get_or_create(&Kind { kind }).inc();
    }

    /// Attempts to deliver to a target of the configuration ended.
    pub(crate) fn delivered(&self, target: &str, result: DeliveryResult, count: usize) {
        let result = match result {
            DeliveryResult::Delivered => "delivered",
            DeliveryResult::Failed => "failed",
            DeliveryResult::GivenUp => "given_up",
            DeliveryResult::Dropped => "dropped",
        };
        let delivered = Delivered { target: target.to_owned(), result };
        self.deliveries.get_or_create(&delivered).inc_by(count as u64);
    }

    /// An attempt at a clearance ended.
    pub(crate) fn clearance_ended(&self, outcome: &HearingOutcome) {
        let outcome = match outcome {
            HearingOutcome::Decided { decision, .. } => decision.verdict.name(),
            HearingOutcome::Retry { .. } => "retrying",
            HearingOutcome::HandedBack => "handed_back",
            HearingOutcome::Failed { .. } => "failed",
        };
        self.clearances.get_or_create(&Outcome { outcome }).inc();
    }

    /// A cluster was answered: whether it may start, and whether somebody was warned.
    pub(crate) fn admission_answered(&self, is_allowed: bool, is_warned: bool) {
        let outcome = match (is_allowed, is_warned) {
            (false, _) => "denied",
            (true, true) => "warned",
            (true, false) => "allowed",
        };
        self.admissions.get_or_create(&Outcome { outcome }).inc();
    }

    /// All of it as text, without the mark of the end.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode_registry(&mut text, &self.registry)?;
        Ok(sorted(&text))
    }
}

/// The values of each metric in the order of their labels: the crate keeps them in no order. What belongs to one
/// histogram stays as it is.
fn sorted(text: &str) -> String {
    let mut sorted = Vec::new();
    for block in text.split_inclusive('\n').collect::<Vec<_>>().chunk_by(|a, b| is_head(a) == is_head(b)) {
        let from = sorted.len();
        sorted.extend_from_slice(block);
        if !is_head(block[0]) {
            sorted[from..].sort_by_key(|line| labels(line));
        }
    }
    sorted.concat()
}

fn is_head(line: &str) -> bool {
    line.starts_with('#')
}

/// The labels of a value, without the one that tells the buckets of a histogram apart, which comes first.
fn labels(line: &str) -> &str {
    let labels =
        line.split_once('{').map_or("", |(_, rest)| rest.rsplit_once('}').map_or("", |(labels, _)| labels));
    let Some(rest) = labels.strip_prefix("le=\"") else { return labels };
    rest.split_once("\",").map_or("", |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_sorted_and_histograms_stay_together() {
        let text = "# HELP b\n# TYPE b counter\nb{x=\"2\"} 1\nb{x=\"1\"} 2\n# HELP h\n\
                    h_sum{x=\"2\"} 1\nh_bucket{le=\"1\",x=\"2\"} 1\nh_bucket{le=\"+Inf\",x=\"2\"} 1\n\
                    h_sum{x=\"1\"} 1\nh_bucket{le=\"1\",x=\"1\"} 1\nh_bucket{le=\"+Inf\",x=\"1\"} 1\n";
        let wanted = "# HELP b\n# TYPE b counter\nb{x=\"1\"} 2\nb{x=\"2\"} 1\n# HELP h\n\
                      h_sum{x=\"1\"} 1\nh_bucket{le=\"1\",x=\"1\"} 1\nh_bucket{le=\"+Inf\",x=\"1\"} 1\n\
                      h_sum{x=\"2\"} 1\nh_bucket{le=\"1\",x=\"2\"} 1\nh_bucket{le=\"+Inf\",x=\"2\"} 1\n";
        assert_eq!(sorted(text), wanted);
    }
}
