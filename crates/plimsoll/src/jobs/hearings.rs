//! Clearances that the server is asked for: taking them in, and deciding them on threads of their own.
//!
//! A hearing is claimed with a lease, as a scan is; one attempt is a function from what is asked to an outcome, while a
//! thread beside it keeps the lease. What surprises: a registry that does not answer leaves a clearance undecided, which
//! is an outcome; only after the last attempt is it recorded as one.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::clearance::Demands;
use plimsoll_core::scan::Reason;
use plimsoll_image::cache::LayerCache;
use plimsoll_image::catalog::Options;
use plimsoll_store::{Hearing, HearingClaimed, HearingOutcome, Lease, NewHearing, Store};
use sha2::{Digest as _, Sha256};

use super::attempt::{limits, retry_wait};
use super::pulse::{LEASE, lease_end};
use crate::access::Principal;
use crate::clear::clearing::{Means, clear, wants_database};
use crate::clear::observe::Asking;
use crate::refusal::Refusal;
use crate::server::Server;

mod decision;
mod demanded;
pub(crate) mod request;

use demanded::Demanded;
use request::{ClearanceRequest, Understood};

/// How long a worker waits at most before it looks for work again.
const LOOK: Duration = Duration::from_secs(1);

/// How long a worker waits after the store could not be asked.
const STORE_WAIT: Duration = Duration::from_secs(2);

/// How often a lease is prolonged.
const BEAT: Duration = Duration::from_secs(2);

/// How often it is looked whether the worker is done, or is to stop.
const BEAT_LOOK: Duration = Duration::from_millis(200);

/// How long a worker has to stop by itself.
const STOP: Duration = Duration::from_secs(2);

/// How often the store is told of an outcome before the lease is left to run out.
const TELL_ATTEMPTS: u32 = 5;

/// Takes a clearance in for somebody; whether it is new. What this returns is stored.
pub(crate) fn ask(
    server: &Server,
    principal: &Principal,
    request: &ClearanceRequest,
) -> Result<(Hearing, bool), Refusal> {
    let config = &server.config;
    let understood = request.understand()?;
    let policy = config.clearances.policy(request.policy.as_deref()).map_err(Refusal::bad_request)?;
    request::check(&understood.places, principal, config)?;
    let now = (server.now)();
    let demanded = Demanded::read(config, policy, now).map_err(|error| {
        Refusal::new(
            500,
            "internal",
            format!("the policy `{policy}` of this server cannot be read: {error:#}"),
        )
    })?;
    // What was decided is decided by the policy of that time, so the one of now must be named.
    let stored = ClearanceRequest { policy: Some(policy.to_owned()), ..request.clone() };
    let asked = NewHearing {
        inputs: inputs(server, policy, &understood, &demanded),
        policy: policy.to_owned(),
        asked_by: principal.name.clone(),
        request: serde_json::to_vec(&stored).expect("texts and lists can be written as JSON"),
        places: understood.places,
        attempts_max: config.clearances.attempts_max.max(1),
        is_fresh: request.fresh,
    };
    let (hearing, is_new) = server.store()?.ask(&asked, now)?;
    if is_new {
        server.bell.ring();
    }
    Ok((hearing, is_new))
}

/// What is wrong with policies of the configuration, by name: nothing is cleared by one that cannot be read.
pub(crate) fn broken_policies(server: &Server) -> Vec<(String, anyhow::Error)> {
    let now = (server.now)();
    let names = server.config.clearances.policies.keys();
    let read = |name: &String| Some((name.clone(), Demanded::read(&server.config, name, now).err()?));
    names.filter_map(read).collect()
}

/// All that the answer is made from: candidates, manifests, policies with their waivers, the advisories and how feeds
/// stand on this day. Empty where a digest is not known before its tag is asked for.
fn inputs(server: &Server, policy: &str, understood: &Understood, demanded: &Demanded) -> String {
    let asked = &understood.asked;
    if asked.candidates.iter().any(|candidate| candidate.digest.is_none()) {
        return String::new();
    }
    let mut hasher = Sha256::new();
    let mut field = |text: &str| {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    };
    field(env!("CARGO_PKG_VERSION"));
    field(policy);
    field(&server.advised().stamp);
    for (name, digest) in demanded.files.iter().chain(&asked.files) {
        field(name);
        field(digest.as_str());
    }
    field(asked.base.as_deref().unwrap_or_default());
    for candidate in &asked.candidates {
        field(&candidate.name);
        field(&candidate.project);
        field(&candidate.source);
        field(candidate.digest.as_ref().map_or("", |digest| digest.as_str()));
        for text in [&candidate.tags, &candidate.destinations] {
            field(&text.len().to_string());
            text.iter().for_each(|text| field(text));
        }
    }
    plimsoll_core::digest::hex(&hasher.finalize())
}

/// Starts so many workers as are configured. They end when the server does, and hand back what they have.
pub(crate) fn start(server: &Arc<Server>) -> io::Result<Vec<JoinHandle<()>>> {
    for (name, error) in broken_policies(server) {
        tracing::warn!("nothing is cleared by the policy `{name}`, which cannot be read: {error:#}");
    }
    let start = |number| {
        let server = Arc::clone(server);
        let name = format!("{}-clearances-{number}", server.replica);
        thread::Builder::new().name(format!("clearances-{number}")).spawn(move || run(&server, &name))
    };
    (0..server.config.clearances.workers).map(start).collect()
}

fn run(server: &Server, worker: &str) {
    let mut heard = 0;
    while !server.lifecycle.is_ending() {
        let Ok(store) = server.store() else { return };
        let now = (server.now)();
        match store.claim_hearing(worker, lease_end(now), now) {
            Ok(Some(claimed)) => make(server, store, claimed),
            Ok(None) => server.bell.wait(&mut heard, LOOK),
            Err(error) => {
                server.metrics.store_failed(&error);
                tracing::warn!(error = %error, "no clearance could be claimed");
                server.bell.wait(&mut heard, STORE_WAIT);
            }
        }
    }
}

/// Makes an attempt and tells the store what came of it.
pub(crate) fn make(server: &Server, store: &Store, claimed: HearingClaimed) {
    let HearingClaimed { hearing, request, lease } = claimed;
    let span = tracing::info_span!("clearance", id = %hearing.id, attempt = hearing.attempt);
    let _entered = span.enter();
    let stop = Stop::default();
    let outcome = while_beating(server, store, &lease, &stop, || {
        // Nothing of the work is looked at afterwards but what it returns.
        catch_unwind(AssertUnwindSafe(|| attempt(server, &hearing, &request, &stop)))
            .unwrap_or_else(|_| failed(Reason::Internal, "a mistake in plimsoll; the log says more"))
    });
    let outcome = match stop.why() {
        None => outcome,
        Some(Why::Lost) => {
            tracing::info!("the lease is another's by now");
            return;
        }
        Some(Why::Ending) => HearingOutcome::HandedBack,
        Some(Why::TimedOut) => {
            let longest = server.config.clearances.attempt_time_max;
            let detail = format!("it took longer than {longest} (`attempt_time_max` of `[clearances]`)");
            retry(server, &hearing, Reason::TimedOut, detail)
        }
    };
    server.metrics.clearance_ended(&outcome);
    tell(server, store, &lease, &outcome);
    server.bell.ring();
}

fn tell(server: &Server, store: &Store, lease: &Lease, outcome: &HearingOutcome) {
    match outcome {
        HearingOutcome::Decided { decision, detail, .. } => {
            tracing::info!(verdict = decision.verdict.name(), "{detail}");
        }
        HearingOutcome::Retry { reason, detail, .. } => {
            tracing::info!(reason = reason.name(), "tried again: {detail}");
        }
        HearingOutcome::HandedBack => tracing::info!("handed back"),
        HearingOutcome::Failed { reason, detail } => {
            tracing::warn!(reason = reason.name(), "failed: {detail}")
        }
    }
    for attempt in 1..=TELL_ATTEMPTS {
        match store.finish_hearing(lease, outcome, (server.now)()) {
            Ok(_) => return,
            Err(error) if error.is_transient() && attempt < TELL_ATTEMPTS => {
                thread::sleep(BEAT_LOOK * attempt)
            }
            Err(error) => {
                server.metrics.store_failed(&error);
                tracing::error!(error = %error, "the outcome could not be stored; the clearance is tried again");
                return;
            }
        }
    }
}

fn failed(reason: Reason, detail: impl Into<String>) -> HearingOutcome {
    HearingOutcome::Failed { reason, detail: detail.into() }
}

fn retry(server: &Server, hearing: &Hearing, reason: Reason, detail: String) -> HearingOutcome {
    let wait = retry_wait(&hearing.id, hearing.attempt, None);
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    HearingOutcome::Retry { reason, detail, at: (server.now)().checked_add(wait).unwrap_or(Timestamp::MAX) }
}

fn attempt(server: &Server, hearing: &Hearing, request: &[u8], stop: &Stop) -> HearingOutcome {
    let request: ClearanceRequest = match serde_json::from_slice(request) {
        Ok(request) => request,
        Err(error) => {
            let detail = format!("what was asked is of another version; ask again: {error}");
            return failed(Reason::BadRequest, detail);
        }
    };
    let understood = match request.understand() {
        Ok(understood) => understood,
        Err(refusal) => return failed(Reason::BadRequest, refusal.message),
    };
    match decide(server, hearing, understood, stop) {
        Ok(outcome) => outcome,
        // Nobody reads it where the worker was told to stop.
        Err(error) => failed(Reason::Internal, format!("{error:#}")),
    }
}

fn decide(
    server: &Server,
    hearing: &Hearing,
    understood: Understood,
    stop: &Stop,
) -> anyhow::Result<HearingOutcome> {
    let now = (server.now)();
    let demanded = Demanded::read(&server.config, &hearing.policy, now)?;
    let limits = limits(server);
    let cache = LayerCache::new(&server.data_dir.join("verified-layers"), &limits);
    let options = Options {
        limits: &limits,
        cache: Some(&cache),
        threads: None,
        progress: &|_| {},
        is_cancelled: &|| stop.why().is_some(),
    };
    let asking = Asking::new(server.registry_client()?, server.registry_options("", None));
    let advised = server.advised();
    let database = match wants_database(&demanded.policies) {
        true => advised.database.as_ref().map_err(String::as_str),
        false => Err("no policy asks for advisories"),
    };
    let means = Means {
        policies: &demanded.policies,
        demands: Demands::default(),
        level: demanded.level(),
        asking: &asking,
        options: &options,
        evidence: &[],
        database,
        standings: &advised.standings,
        now,
    };
    let clearance = clear(understood.asked, &means)?;
    if hearing.attempt < hearing.attempts_max
        && let Some(detail) = decision::may_pass(&clearance)
    {
        return Ok(retry(server, hearing, Reason::RegistryUnavailable, detail));
    }
    let hold_max =
        SignedDuration::try_from(server.config.clearances.hold_max.0).unwrap_or(SignedDuration::MAX);
    let decision = match decision::of(&clearance, &hearing.policy, &demanded, hold_max, now) {
        Ok(decision) => decision,
        Err(detail) => return Ok(failed(Reason::BadRequest, detail)),
    };
    Ok(HearingOutcome::Decided {
        decision: Box::new(decision),
        reports: decision::reports(&clearance)?,
        detail: decision::summary(&clearance),
    })
}

/// Whether a worker is to stop. Shared by its threads and the one that keeps its lease.
#[derive(Debug, Default)]
struct Stop(AtomicU8);

/// Why a worker is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// The lease is another's, or could not be kept.
    Lost,
    /// The server ends.
    Ending,
    /// It took longer than it may.
    TimedOut,
}

impl Stop {
    fn why(&self) -> Option<Why> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(Why::Lost),
            2 => Some(Why::Ending),
            _ => Some(Why::TimedOut),
        }
    }

    /// The first reason counts.
    fn end(&self, why: Why) {
        let code = match why {
            Why::Lost => 1,
            Why::Ending => 2,
            Why::TimedOut => 3,
        };
        let _ = self.0.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Does some work while its lease is kept.
fn while_beating<T>(
    server: &Server,
    store: &Store,
    lease: &Lease,
    stop: &Stop,
    work: impl FnOnce() -> T,
) -> T {
    let (done, is_done) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || beat(server, store, lease, stop, &is_done));
        let result = work();
        drop(done);
        result
    })
}

fn beat(server: &Server, store: &Store, lease: &Lease, stop: &Stop, is_done: &mpsc::Receiver<()>) {
    let time_max = server.config.clearances.attempt_time_max.0;
    let (started, mut kept, mut beaten) = (Instant::now(), Instant::now(), Instant::now());
    let mut stopped_at: Option<Instant> = None;
    while matches!(is_done.recv_timeout(BEAT_LOOK), Err(RecvTimeoutError::Timeout)) {
        if server.lifecycle.is_ending() {
            stop.end(Why::Ending);
        }
        if started.elapsed() > time_max {
            stop.end(Why::TimedOut);
        }
        // A worker that waits for a registry does not hear that the server ends before it answers.
        if stop.why() == Some(Why::Ending) {
            let since = *stopped_at.get_or_insert_with(Instant::now);
            let is_late = since.elapsed() >= STOP;
            if is_late && store.finish_hearing(lease, &HearingOutcome::HandedBack, (server.now)()).is_ok() {
                return;
            }
        }
        if beaten.elapsed() < BEAT {
            continue;
        }
        beaten = Instant::now();
        match store.beat_hearing(lease, lease_end((server.now)())) {
            Ok(true) => kept = beaten,
            Ok(false) => stop.end(Why::Lost),
            Err(_) if kept.elapsed() > LEASE => stop.end(Why::Lost),
            Err(_) => {}
        }
    }
}
