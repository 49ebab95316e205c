//! Whether the server can do its work. What keeps it from answering at all makes it not ready; what makes its answers
//! late or poor is a warning, since another replica would do no better.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::advisory::Advisories as _;
use plimsoll_feeds::status::FeedStatus;
use schemars::JsonSchema;
use serde::Serialize;

use crate::config::units::Time;
use crate::http::Refusal;
use crate::jobs::hearings;
use crate::server::Server;
use crate::standings::statuses;

/// Longest time for the store to answer.
const STORE_TIME_MAX: Duration = Duration::from_secs(3);

/// A scan that waits longer is warned of.
const WAITING_TIME_MAX: SignedDuration = SignedDuration::from_mins(30);

/// Most feeds that are named in a warning.
const FEEDS_NAMED_MAX: usize = 8;

/// Whether the server can do its work.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Readiness {
    /// `ready` or `not_ready`.
    status: &'static str,
    /// Each thing that was looked at.
    checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize, JsonSchema)]
struct Check {
    /// What was looked at: `database`, `feeds`, `policies`, `queue`, `records`, `server`, `store`, `tokens`.
    name: &'static str,
    /// `ok`; `warning`: it works, and somebody should look after it; `failed`: the server is not ready.
    status: &'static str,
    /// For people: how it stands, and what to do.
    detail: String,
}

impl Readiness {
    /// Whether requests may be sent here.
    pub(super) fn is_ready(&self) -> bool {
        self.status == "ready"
    }
}

/// What a look found.
enum Found {
    Ok(String),
    Warning(String),
    Failed(String),
}

/// Looks at one thing.
type Look = fn(&Server) -> Found;

/// What is looked at, sorted by name. All but `server` wait for disks or the network.
static CHECKS: &[(&str, Look)] = &[
    ("database", database),
    ("feeds", feeds),
    ("policies", policies),
    ("queue", queue),
    ("records", records),
    ("server", server_itself),
    ("store", store),
    ("tokens", tokens),
];

/// Looks at everything.
pub(super) async fn look(server: &Arc<Server>) -> Readiness {
    let looks = async {
        // A store that hangs must not take one thread more with each question.
        let permit = Arc::clone(&server.probes).try_acquire_owned();
        let Ok(permit) = permit else {
            return Err(Refusal::unavailable(
                "unavailable",
                "earlier questions to the store are not answered yet",
            ));
        };
        let work = server.blocking(move |server| {
            let looked = CHECKS.iter().map(|(name, look)| check(name, look(server))).collect::<Vec<_>>();
            drop(permit);
            Ok(looked)
        });
        tokio::time::timeout(STORE_TIME_MAX, work).await.unwrap_or_else(|_| {
            Err(Refusal::unavailable(
                "unavailable",
                format!("the store did not answer within {STORE_TIME_MAX:?}"),
            ))
        })
    };
    let checks = match looks.await {
        Ok(checks) => checks,
        Err(refusal) => {
            vec![check("server", server_itself(server)), check("store", Found::Failed(refusal.message))]
        }
    };
    let is_ready = checks.iter().all(|check| check.status != "failed");
    Readiness { status: if is_ready { "ready" } else { "not_ready" }, checks }
}

fn check(name: &'static str, found: Found) -> Check {
    let (status, detail) = match found {
        Found::Ok(detail) => ("ok", detail),
        Found::Warning(detail) => ("warning", detail),
        Found::Failed(detail) => ("failed", detail),
    };
    Check { name, status, detail }
}

fn database(server: &Server) -> Found {
    match &server.advised().database {
        Ok(database) => {
            let identity = database.identity();
            match too_old(server, &identity.built_at) {
                Some(max) => Found::Failed(format!(
                    "{}, built {}, is older than {max} (`database_age_max` of `[admission]`); see `plimsoll feeds status`",
                    identity.id, identity.built_at
                )),
                None => Found::Ok(format!("{}, built {}", identity.id, identity.built_at)),
            }
        }
        Err(reason) if server.config.admission.database_age_max.is_some() => Found::Failed(format!(
            "{reason}, and `database_age_max` of `[admission]` demands one; see `plimsoll feeds update`"
        )),
        Err(reason) => Found::Warning(format!(
            "{reason}; images are indexed and wait for it, see `plimsoll feeds update` and `updates_feeds` in `[server]`"
        )),
    }
}

/// How old the database may be, where it is older. One whose age is not known is.
fn too_old(server: &Server, built_at: &str) -> Option<Time> {
    let max = server.config.admission.database_age_max?;
    let age = built_at.parse().ok().map(|built: Timestamp| (server.now)().duration_since(built));
    let is_young = age.is_some_and(|age| SignedDuration::try_from(max.0).is_ok_and(|max| age <= max));
    (!is_young).then_some(max)
}

fn feeds(server: &Server) -> Found {
    let all = statuses(&server.config, &server.data_dir, (server.now)());
    let needy: Vec<&FeedStatus> = all.iter().filter(|feed| feed.state().needs_attention()).collect();
    if needy.is_empty() {
        return Found::Ok(format!(
            "{} are on, and all are fresh",
            all.iter().filter(|feed| feed.is_enabled).count()
        ));
    }
    let named =
        needy.iter().take(FEEDS_NAMED_MAX).map(|feed| format!("{} is {}", feed.name, feed.state().title()));
    let rest = needy.len().saturating_sub(FEEDS_NAMED_MAX);
    let rest = if rest > 0 { format!(", and {rest} more") } else { String::new() };
    Found::Warning(format!(
        "{}{rest}; `plimsoll feeds status` says why",
        named.collect::<Vec<_>>().join(", ")
    ))
}

fn policies(server: &Server) -> Found {
    let broken = hearings::broken_policies(server);
    match (server.config.clearances.policies.len(), broken.is_empty()) {
        (0, _) => Found::Ok(
            "none is configured, so clearances demand nothing but what ships being whole".to_owned(),
        ),
        (count, true) => Found::Ok(format!("{count} of clearances can be read")),
        (_, false) => Found::Warning(format!(
            "cannot be read, and clear nothing: `{}`; `plimsoll policy check` says why",
            broken.into_iter().map(|(name, _)| name).collect::<Vec<_>>().join("`, `")
        )),
    }
}

fn queue(server: &Server) -> Found {
    let Ok(store) = server.store() else {
        return Found::Ok("not looked at before the store is open".to_owned());
    };
    match store.counts() {
        Ok(counts) => {
            let age = counts.oldest_queued.map(|since| (server.now)().duration_since(since));
            match age.filter(|age| *age > WAITING_TIME_MAX) {
                Some(age) => Found::Warning(format!(
                    "the oldest scan has waited for {} minutes; more `workers` or replicas would help",
                    age.as_mins()
                )),
                None => Found::Ok("no scan has waited for long".to_owned()),
            }
        }
        Err(error) => {
            server.metrics.store_failed(&error);
            Found::Warning(format!("cannot be looked at: {error}"))
        }
    }
}

fn records(server: &Server) -> Found {
    let chain = server.chain();
    match (&chain.broken, chain.checked_at) {
        (Some((number, detail)), _) => Found::Warning(format!(
            "{detail}; what is recorded from {number} on clears nothing until the store is as it was, see \
             `POST /api/v1/records/check`"
        )),
        (None, None) => Found::Ok("the records of clearances were not looked at yet".to_owned()),
        (None, Some(_)) => match &chain.head.digest {
            None => Found::Ok("there are no records of clearances".to_owned()),
            Some(digest) => {
                Found::Ok(format!("{} records of clearances, the last {digest}", chain.head.number))
            }
        },
    }
}

fn server_itself(server: &Server) -> Found {
    match server.lifecycle.not_ready() {
        Some(reason) => Found::Failed(format!("it is {reason}")),
        None => Found::Ok(format!("version {}", env!("CARGO_PKG_VERSION"))),
    }
}

fn store(server: &Server) -> Found {
    let store = match server.store() {
        Ok(store) => store,
        Err(refusal) => return Found::Failed(refusal.message),
    };
    match store.ping() {
        Ok(()) => Found::Ok(store.engine().to_owned()),
        Err(error) => {
            server.metrics.store_failed(&error);
            Found::Failed(error.to_string())
        }
    }
}

fn tokens(server: &Server) -> Found {
    match server.door() {
        Err(refusal) => Found::Failed(refusal.message),
        Ok(door) => match door.problem() {
            Some(problem) => Found::Warning(problem),
            None => Found::Ok("as configured".to_owned()),
        },
    }
}
