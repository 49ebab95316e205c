//! One attempt at one scan: from what was claimed to an outcome, which the store is told.
//!
//! Whatever happens becomes an outcome. What may pass is tried again, later each time; what lies in the image itself
//! ends the scan with the reason; a damaged layer ends it too, since a result without it would look better than the
//! image is.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::digest::{Digest, hex};
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_image::cache::{self, LayerStore};
use plimsoll_image::catalog::{CataloguedImage, Options, catalog};
use plimsoll_image::cause::Cause;
use plimsoll_image::facts::LayerFacts;
use plimsoll_image::layers::LayerFailure;
use plimsoll_image::limits::Limits;
use plimsoll_image::open::{OpenError, Opened};
use plimsoll_net::asked_wait;
use plimsoll_store::{Change, Claimed, InventoryRow, Lease, Outcome, Scan, ScanKind, Store, StoreError};
use sha2::{Digest as _, Sha256};

use super::judging;
use super::pulse::{Beating, Pulse, Stop, while_beating};
use super::source::Source;
use crate::rematch;
use crate::server::{Advised, Server};

mod opening;

/// Wait before the second attempt; it doubles from there.
const RETRY_WAIT: Duration = Duration::from_secs(10);

/// Longest wait before another attempt.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(15 * 60);

/// How often the store is told of an outcome before the lease is left to run out.
const TELL_ATTEMPTS: u32 = 5;

/// Wait between two of these.
const TELL_WAIT: Duration = Duration::from_millis(500);

/// Makes an attempt and tells the store what came of it. Where the store cannot be told, the lease runs out and
/// somebody else tries again: nothing is lost but the work.
pub(crate) fn make(server: &Server, claimed: Claimed) {
    let Ok(store) = server.store() else { return };
    let Claimed { scan, source, lease } = claimed;
    let span = tracing::info_span!("scan", id = %scan.id, attempt = scan.attempt);
    let _entered = span.enter();
    let started = (server.now)();
    let stamp = server.advised().stamp.clone();
    let pulse = Pulse::default();
    let beating = Beating {
        store,
        lease: &lease,
        is_ending: &|| server.lifecycle.is_ending(),
        time_max: Duration::from_secs(u64::from(server.config.server.scan_minutes_max) * 60),
        stopped,
        now: server.now,
    };
    let used = OnceLock::new();
    server.metrics.worker_began();
    let outcome = while_beating(&beating, &pulse, || {
        let work = Work { server, store, scan: &scan, lease: &lease, pulse: &pulse, used: &used };
        caught(|| work.outcome(&source))
    });
    server.metrics.worker_ended();
    let (known, read, bytes_read) = pulse.layers_read();
    server.metrics.layers(known, read, bytes_read);
    let Some(outcome) = outcome else {
        tracing::info!("the lease is another's by now");
        return;
    };
    tell(server, store, &lease, &outcome);
    catch_up(server, store, &outcome, used.get().map(Arc::as_ref));
    if matches!(outcome, Outcome::Awaiting { .. }) && server.advised().stamp != stamp {
        // What it waits for may have come while it was judged.
        wake(server, store);
    }
    let seconds = (server.now)().duration_since(started).as_secs_f64();
    let (state, reason, detail) = said(&outcome);
    server.metrics.scan_finished(state, reason, seconds);
    tracing::info!(state = state.name(), reason = reason.name(), seconds, "{detail}");
    server.bell.ring();
}

/// What came of some work, also where that is a panic: an image that finds a mistake of ours ends its own scan, and
/// neither the worker nor, by coming back when its lease has run out, the next one.
fn caught(work: impl FnOnce() -> Option<Outcome>) -> Option<Outcome> {
    // Nothing of the work is looked at afterwards but the pulse, which is counters.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let detail = "a mistake in plimsoll; the log says more".to_owned();
        Some(failed(Reason::Internal, detail))
    })
}

/// What an outcome means for the log.
fn said(outcome: &Outcome) -> (ScanState, Reason, String) {
    match outcome {
        Outcome::Resolved(to) => {
            let digest = to.digest.as_ref().map_or("", |digest| digest.as_str());
            (ScanState::Completed, Reason::Complete, format!("it is {digest}"))
        }
        Outcome::Index { children, .. } => {
            (ScanState::Completed, Reason::Complete, format!("an index of {}", children.len()))
        }
        Outcome::Judged { state, reason, detail, .. } | Outcome::Ended { state, reason, detail } => {
            (*state, *reason, detail.clone())
        }
        Outcome::Awaiting { reason, detail, .. } => (ScanState::FeedsNotLoaded, *reason, detail.clone()),
        Outcome::Retry { reason, detail, .. } => (ScanState::Retrying, *reason, detail.clone()),
        Outcome::HandedBack => (ScanState::Queued, Reason::HandedBack, String::new()),
    }
}

fn tell(server: &Server, store: &Store, lease: &Lease, outcome: &Outcome) {
    for attempt in 1..=TELL_ATTEMPTS {
        match store.finish(lease, outcome, (server.now)()) {
            Ok(_) => return,
            Err(error) if error.is_transient() && attempt < TELL_ATTEMPTS => {
                std::thread::sleep(TELL_WAIT * attempt);
            }
            Err(error) => {
                server.metrics.store_failed(&error);
                tracing::error!(error = %error, "the outcome could not be stored; the scan is tried again");
                return;
            }
        }
    }
}

/// Images may have been told of another database while this one was judged.
fn catch_up(server: &Server, store: &Store, outcome: &Outcome, used: Option<&Advised>) {
    let Outcome::Judged { inventory, judged, .. } = outcome else { return };
    let Some(Ok(database)) = used.map(|used| &used.database) else { return };
    if let Err(error) = rematch::catch_up(server, store, inventory, judged, database) {
        tracing::warn!(error = %error, "what a newer database changes of the image could not be told");
    }
}

/// Where this does not work, the scan is woken like those that have waited long.
fn wake(server: &Server, store: &Store) {
    let now = (server.now)();
    let soon = now.checked_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
    if let Err(error) = store.wake_awaiting(soon, now) {
        server.metrics.store_failed(&error);
        tracing::warn!(error = %error, "a scan that waits for feeds could not be woken");
    }
}

/// What one attempt works with.
struct Work<'a> {
    server: &'a Server,
    store: &'a Store,
    scan: &'a Scan,
    lease: &'a Lease,
    pulse: &'a Pulse,
    /// What it is judged with.
    used: &'a OnceLock<Arc<Advised>>,
}

/// Why an attempt came to its end before its end.
enum Broken {
    /// The store did not answer as it should.
    Store(StoreError),
    /// The image could not be opened.
    Open(OpenError),
    /// What the documents say against it, or what became of its layers.
    Image(Cause, String),
    /// The worker was told to stop.
    Stopped,
    /// The lease is another's.
    Lost,
    /// The source is gone or of another version.
    NoSource,
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Broken {
        Broken::Store(error)
    }
}

impl From<OpenError> for Broken {
    fn from(error: OpenError) -> Broken {
        Broken::Open(error)
    }
}

impl Work<'_> {
    /// `None` where the lease is another's, who will say what comes of the scan.
    fn outcome(&self, source: &[u8]) -> Option<Outcome> {
        match self.run(source) {
            Ok(outcome) => Some(outcome),
            Err(Broken::Lost) => None,
            Err(Broken::Stopped) => self.stopped(),
            Err(broken) => Some(self.broken(&broken)),
        }
    }

    fn run(&self, source: &[u8]) -> Result<Outcome, Broken> {
        let index_state = cache::index_state();
        let known =
            self.scan.digest.as_ref().map(|digest| self.store.inventory(digest)).transpose()?.flatten();
        if let Some(row) = known.filter(|row| row.index_state == index_state) {
            self.advance(ScanState::Matching, "its layers are known".to_owned(), Some(ScanKind::Image))?;
            return Ok(self.judge(row));
        }
        let source = Source::decode(source).or_else(|| self.named()).ok_or(Broken::NoSource)?;
        let opened = match opening::open(self, &source)? {
            opening::Found::Elsewhere(submission) => return Ok(Outcome::Resolved(submission)),
            opening::Found::Index { children, submissions } => {
                return Ok(Outcome::Index { children, submissions });
            }
            opening::Found::Image(opened) => opened,
        };
        let row = self.index(opened, index_state)?;
        self.advance(ScanState::Matching, String::new(), Some(ScanKind::Image))?;
        Ok(self.judge(row))
    }

    /// The source of a scan that is made again long after it was asked for: what it is called, without anybody's
    /// credentials.
    fn named(&self) -> Option<Source> {
        let reference = Some(self.scan.reference.clone()).filter(|reference| !reference.is_empty())?;
        Some(Source::Registry { reference, authorization: None, plain_http: false, is_forced: false })
    }

    fn index(&self, opened: Opened, index_state: String) -> Result<InventoryRow, Broken> {
        let limits = limits(self.server);
        let first = opened.images.first().ok_or_else(|| {
            Broken::Image(Cause::NotFound, "there is no image behind the reference".to_owned())
        })?;
        if let Some((cause, detail)) = first.obstacle(&limits) {
            return Err(Broken::Image(cause, detail));
        }
        let image = first.image.clone();
        let count = image.layers.len();
        let plural = if count == 1 { "" } else { "s" };
        self.advance(ScanState::Indexing, format!("{count} layer{plural}"), Some(ScanKind::Image))?;
        let fingerprint = cache::fingerprint(&limits);
        let kept = KeptLayers { store: self.store, fingerprint: &fingerprint };
        let options = Options {
            limits: &limits,
            cache: Some(&kept),
            threads: None,
            progress: &|progress| self.pulse.note(progress),
            is_cancelled: &|| self.pulse.stop().is_some(),
        };
        let catalogued = catalog(&opened, &options).map_err(|_| Broken::Stopped)?;
        let Some(CataloguedImage { inventory, failures }) = catalogued.into_iter().next() else {
            return Err(Broken::Image(Cause::NotFound, "there is no image behind the reference".to_owned()));
        };
        let is_windows = image.platform.is_windows() == Some(true);
        if let Some((cause, detail)) = unusable(&failures, count, is_windows) {
            return Err(Broken::Image(cause, detail));
        }
        Ok(InventoryRow { image, inventory, index_state, indexed_at: (self.server.now)() })
    }

    fn judge(&self, row: InventoryRow) -> Outcome {
        let advised = Arc::clone(self.used.get_or_init(|| self.server.advised()));
        judging::outcome(row, &self.server.config, &self.server.data_dir, &advised, (self.server.now)())
    }

    fn advance(&self, state: ScanState, detail: String, kind: Option<ScanKind>) -> Result<(), Broken> {
        let change = Change { state, detail, kind };
        match self.store.advance(self.lease, &change, (self.server.now)())? {
            true => Ok(()),
            false => Err(Broken::Lost),
        }
    }

    fn stopped(&self) -> Option<Outcome> {
        let minutes = self.server.config.server.scan_minutes_max;
        match self.pulse.stop()? {
            Stop::TimedOut => {
                let detail =
                    format!("it took longer than {minutes} minutes (`scan_minutes_max` of `[server]`)");
                Some(self.retry(Reason::TimedOut, detail, None))
            }
            stop => stopped(stop),
        }
    }

    fn broken(&self, broken: &Broken) -> Outcome {
        if let Broken::Store(error) = broken {
            self.server.metrics.store_failed(error);
        }
        match broken {
            Broken::Store(StoreError::Conflict(detail)) => {
                self.retry(Reason::DatabaseConflict, format!("the database was busy: {detail}"), None)
            }
            Broken::Store(error) if error.is_transient() => {
                self.retry(Reason::DatabaseUnavailable, error.to_string(), None)
            }
            Broken::Store(error) => failed(Reason::Internal, error.to_string()),
            Broken::Open(error) => self.caused(&error.cause(), error.to_string()),
            Broken::Image(cause, detail) => self.caused(cause, detail.clone()),
            // Whoever submits it again gives it again.
            Broken::NoSource => failed(
                Reason::NotFound,
                "how to get the image is not known any more; submit it again".to_owned(),
            ),
            Broken::Stopped | Broken::Lost => Outcome::HandedBack,
        }
    }

    fn caused(&self, cause: &Cause, detail: String) -> Outcome {
        match fate(cause) {
            Fate::Retry(reason) => {
                let after = match cause {
                    Cause::RateLimited { retry_after } => {
                        retry_after.as_deref().and_then(|text| asked_wait(text, (self.server.now)().into()))
                    }
                    _ => None,
                };
                self.retry(reason, detail, after)
            }
            Fate::Unsupported(reason) => Outcome::Ended { state: ScanState::Unsupported, reason, detail },
            Fate::Failed(reason) => failed(reason, detail),
        }
    }

    fn retry(&self, reason: Reason, detail: String, asked: Option<Duration>) -> Outcome {
        let now = (self.server.now)();
        let wait = retry_wait(&self.scan.id, self.scan.attempt, asked);
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        Outcome::Retry { reason, detail, at: now.checked_add(wait).unwrap_or(Timestamp::MAX) }
    }
}

/// How an attempt ends that somebody else ended; `None` where that is not for the worker to say.
fn stopped(stop: Stop) -> Option<Outcome> {
    match stop {
        Stop::Lost | Stop::TimedOut => None,
        Stop::Ending => Some(Outcome::HandedBack),
        Stop::Cancelled => Some(Outcome::Ended {
            state: ScanState::Cancelled,
            reason: Reason::ByRequest,
            detail: "it was called off while it was being worked on".to_owned(),
        }),
    }
}

fn failed(reason: Reason, detail: String) -> Outcome {
    Outcome::Ended { state: ScanState::Failed, reason, detail }
}

/// How long to wait before another attempt: twice as long each time, shortened by up to a half, so that a thousand
/// scans that failed together do not come back together; never sooner than the registry asks for.
pub(super) fn retry_wait(id: &str, attempt: u32, asked: Option<Duration>) -> Duration {
    let doubled =
        RETRY_WAIT.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1))).min(RETRY_WAIT_MAX);
    let digest = Sha256::digest(format!("{id} {attempt}"));
    let jitter = f64::from(digest.first().copied().unwrap_or_default()) / 510.0;
    let wait = doubled.saturating_sub(doubled.mul_f64(jitter));
    wait.max(asked.unwrap_or_default().min(RETRY_WAIT_MAX))
}

/// What becomes of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Retry(Reason),
    Unsupported(Reason),
    Failed(Reason),
}

fn fate(cause: &Cause) -> Fate {
    match cause {
        Cause::RateLimited { .. } => Fate::Retry(Reason::RateLimited),
        Cause::Unavailable | Cause::BrokenOff | Cause::BadAnswer => Fate::Retry(Reason::RegistryUnavailable),
        Cause::File => Fate::Retry(Reason::OutOfSpace),
        Cause::TimeLimit => Fate::Retry(Reason::TimedOut),
        Cause::Artifact(_) => Fate::Unsupported(Reason::ArtifactType),
        Cause::NoLayers => Fate::Unsupported(Reason::NoLayers),
        Cause::TooManyLayers => Fate::Unsupported(Reason::TooManyLayers),
        Cause::LayerTooLarge => Fate::Unsupported(Reason::LayerTooLarge),
        Cause::EncryptedLayer => Fate::Unsupported(Reason::EncryptedLayer),
        Cause::ForeignLayer => Fate::Unsupported(Reason::ForeignLayer),
        Cause::LayerType(_) => Fate::Unsupported(Reason::LayerType),
        Cause::Schema1 => Fate::Unsupported(Reason::ManifestFormat),
        Cause::NotFound | Cause::NoSuchPlatform => Fate::Failed(Reason::NotFound),
        Cause::Unauthorized => Fate::Failed(Reason::Unauthorized),
        Cause::AddressRefused => Fate::Failed(Reason::AddressRefused),
        Cause::Mismatch => Fate::Failed(Reason::DigestMismatch),
        Cause::Malformed | Cause::Corrupt | Cause::Limit => Fate::Failed(Reason::Corrupt),
        Cause::BadReference => Fate::Failed(Reason::BadRequest),
        Cause::NotTrusted => Fate::Retry(Reason::RegistryUnavailable),
        Cause::Configuration | Cause::Cancelled => Fate::Failed(Reason::Internal),
    }
}

/// Which failure of a layer keeps the rest from being a result. A layer that nobody can have, of another kind, or
/// beyond a limit leaves a gap beside what the others say; all of them so leave nothing, but for Windows: there what the image
/// claims is enough to judge the operating system by.
fn unusable(failures: &[(Digest, LayerFailure)], layers: usize, is_windows: bool) -> Option<(Cause, String)> {
    let is_bearable = |failure: &LayerFailure| {
        matches!(failure.cause, Cause::ForeignLayer | Cause::LayerType(_) | Cause::Limit)
    };
    let first = failures.iter().find(|(_, failure)| !is_bearable(failure));
    let has_claims = is_windows && failures.iter().all(|(_, failure)| failure.cause == Cause::ForeignLayer);
    let all = failures.first().filter(|_| failures.len() >= layers && !has_claims);
    let (digest, failure) = first.or(all)?;
    Some((failure.cause.clone(), format!("layer {digest}: {}", failure.detail)))
}

/// The limits by which the server reads images.
pub(crate) fn limits(server: &Server) -> Limits {
    let config = &server.config.server;
    Limits {
        layer_bytes_max: config.layer_mib_max.saturating_mul(1 << 20),
        time_max: Duration::from_secs(u64::from(config.scan_minutes_max) * 60),
        ..Limits::default()
    }
}

/// What keeps layers between scans: the store.
struct KeptLayers<'a> {
    store: &'a Store,
    fingerprint: &'a str,
}

impl LayerStore for KeptLayers<'_> {
    /// A store that does not answer costs time, not truth.
    fn get(&self, digest: &Digest) -> Option<LayerFacts> {
        cache::decode(&self.store.layer(digest, self.fingerprint).ok()??)
    }

    fn put(&self, digest: &Digest, facts: &LayerFacts) -> std::io::Result<()> {
        let bytes = cache::encode(facts)?;
        self.store.put_layer(digest, self.fingerprint, &bytes).map_err(std::io::Error::other)
    }
}

/// A digest of text, for ids.
pub(crate) fn digest_text(text: &str) -> String {
    hex(&Sha256::digest(text))
}

#[cfg(test)]
mod tests;
