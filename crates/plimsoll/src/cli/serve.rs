//! `plimsoll serve`.
//!
//! The server listens at once and says that it is not ready until its store is open. Everything that blocks has threads
//! of its own; when the server ends, workers hand back what they have, streams end, and it waits for both.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use jiff::Timestamp;
use plimsoll_store::Store;
use sha2::{Digest as _, Sha256};

use super::{Outcome, Session, misused};
use crate::config::{ServerConfig, secret};
use crate::jobs::{hearings, workers};
use crate::notify::kinds::Target;
use crate::server::Server;
use crate::{fleet, http, logs, notify, warnings, watch};
use demo::Demo;

mod changes;
mod demo;
mod feeding;
mod upkeep;

/// How long the store is waited for between two attempts to open it.
const STORE_WAIT: Duration = Duration::from_secs(2);

/// Serve: scan what registries and pipelines hand in, say where each scan stands, answer registries
///
/// Everything is set in the configuration file, sections `[server]` and those it names; `plimsoll config schema`
/// lists all keys. Without any, the server listens on 127.0.0.1:6060, remembers in a file of the data directory, and
/// keeps the feeds there fresh.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct ServeArgs {
    /// Address and port to listen on, in place of the configuration's.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where to remember, in place of the configuration's: a path, or postgres://USER@HOST/DATABASE.
    #[arg(long, value_name = "PLACE")]
    store: Option<String>,
    /// Leave the feeds as they are: something else keeps them fresh.
    #[arg(long)]
    no_update: bool,
    /// Show what there is to see: bundled images in every state, offline, in a temporary folder, without your
    /// configuration and data directory.
    #[arg(long, conflicts_with_all = ["store", "no_update"])]
    demo: bool,
}

/// Serves. The session is read where it is wanted: a demo has one of its own.
pub(super) fn run(
    session: impl FnOnce() -> anyhow::Result<Session>,
    args: &ServeArgs,
) -> anyhow::Result<Outcome> {
    let demo = args.demo.then(Demo::prepare).transpose()?;
    let session = match &demo {
        Some(demo) => demo.session()?,
        None => session()?,
    };
    let Session { data_dir, mut config, ca_files, .. } = session;
    if let Some(listen) = &args.listen {
        config.server.listen.clone_from(listen);
    }
    if args.store.is_some() {
        config.server.store.clone_from(&args.store);
    }
    config.server.updates_feeds &= !args.no_update;
    let replica = replica();
    // Held to the end, which is when the last traces are sent.
    let _traces = logs::start(&config, &replica).map_err(misused)?;
    let place = store_place(&config.server, &data_dir).map_err(misused)?;
    let targets = notify::open(&config, &config.net_settings(&ca_files, &[])).map_err(misused)?;
    let server = Arc::new(Server::new(config, data_dir, ca_files, replica, Timestamp::now));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads that serve")?;
    let served = runtime.block_on(serve(&server, place, targets, demo));
    // What is still in the middle of something, and was waited for long enough, ends with the process.
    runtime.shutdown_background();
    served?;
    match server.lifecycle.hindrance() {
        Some(hindrance) => bail!("the store cannot be opened: {hindrance}"),
        None => Ok(Outcome::Done),
    }
}

async fn serve(
    server: &Arc<Server>,
    place: String,
    targets: Vec<Target>,
    demo: Option<Demo>,
) -> anyhow::Result<()> {
    let listener = http::listen::bind(server).await?;
    let address = listener.local_addr().context("cannot tell the address that is listened on")?;
    tracing::info!(%address, replica = %server.replica, "listening");
    // Its folder is there until everything that writes to it has ended.
    let demo = Arc::new(demo.map(|demo| demo.open(address)).transpose()?);
    let (given_up, is_given_up) = tokio::sync::oneshot::channel();
    let work = {
        let (server, demo) = (Arc::clone(server), Arc::clone(&demo));
        thread::Builder::new()
            .name("start".to_owned())
            .spawn(move || {
                let begun = Instant::now();
                let started = open_store(&server, &place).map(|store| start(&server, store, begun, targets));
                if let (Some(Ok(_)), Some(demo)) = (&started, demo.as_ref()) {
                    demo.ask(&server);
                }
                // Nobody may listen any more.
                let _ = given_up.send(!matches!(started, Some(Ok(_))));
                started.transpose()
            })
            .context("cannot start a thread")?
    };
    let (end, ending) = tokio::sync::watch::channel(false);
    let of_end = Arc::clone(server);
    tokio::spawn(async move {
        tokio::select! {
            () = asked_to_end() => {
                tracing::info!("ending: no new work is taken, what is in hand goes back into the queue");
            }
            Ok(true) = is_given_up => {}
        }
        of_end.lifecycle.ending();
        of_end.bell.ring();
        end.send_replace(true);
        // Told as long as anybody may listen.
        end.closed().await;
    });
    http::listen::listen(Arc::clone(server), http::router(server), listener, ending).await?;
    let longest = server.config.server.limits.ending_time_max;
    let threads = tokio::task::spawn_blocking(move || -> anyhow::Result<()> {
        let started = work.join().map_err(|_| anyhow!("starting broke off; the log says more"))?;
        for thread in started.context("cannot start a thread that works with the store")?.unwrap_or_default()
        {
            drop(thread.join());
        }
        Ok(())
    });
    match tokio::time::timeout(longest.0, threads).await {
        Ok(ended) => {
            ended.context("the threads cannot be waited for")??;
            tracing::info!("ended");
        }
        Err(_) => {
            tracing::warn!("ended with work that did not hear of it within {longest}; it is done again")
        }
    }
    Ok(())
}

/// Waits for SIGTERM or SIGINT.
async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Opens the store, however long that takes. `None` where the server ends before, or where waiting is in vain: the place
/// is none, or holds what a newer version wrote.
fn open_store(server: &Server, place: &str) -> Option<Store> {
    server.lifecycle.migrating();
    while !server.lifecycle.is_ending() {
        let opened = Store::open(place).and_then(|store| {
            // Before anybody can ask, so that nothing that they cause falls before it.
            server.tell_after(store.last_event()?);
            Ok(store)
        });
        match opened {
            Ok(store) => return Some(store),
            Err(error) if error.is_transient() => {
                tracing::warn!(error = %error, "the store is not there yet");
                server.lifecycle.is_hindered(error.to_string());
                thread::sleep(STORE_WAIT);
            }
            Err(error) => {
                server.lifecycle.is_hindered(error.to_string());
                return None;
            }
        }
    }
    None
}

/// Starts all that works with the store. A machine that has no thread to give has no server: it would look alive, and
/// some of its work would never be done.
fn start(
    server: &Arc<Server>,
    store: Store,
    begun: Instant,
    targets: Vec<Target>,
) -> io::Result<Vec<JoinHandle<()>>> {
    let engine = store.engine();
    server.set_store(Arc::new(store));
    server.lifecycle.ready();
    // Not before: whoever reads it may ask at once.
    tracing::info!(engine, seconds = begun.elapsed().as_secs_f64(), "the store is open: ready");
    let mut threads = workers::start(server, workers::count(&server.config))?;
    threads.extend(hearings::start(server)?);
    threads.push(thread_of(server, "events", Server::tail)?);
    threads.push(thread_of(server, "upkeep", upkeep::run)?);
    watch::start(server)?;
    threads.push(thread_of(server, "changes", changes::run)?);
    threads.push(thread_of(server, "fleet", fleet::run)?);
    threads.extend(notify::start(server, targets)?);
    if server.config.server.updates_feeds {
        // Not waited for: it may be in the middle of a fetch, and ending that needs no care.
        drop(thread_of(server, "feeds", feeding::run)?);
    }
    Ok(threads)
}

fn thread_of(server: &Arc<Server>, name: &str, work: fn(&Server)) -> io::Result<JoinHandle<()>> {
    let server = Arc::clone(server);
    thread::Builder::new().name(name.to_owned()).spawn(move || work(&server))
}

/// Unique among replicas, and among starts of this one.
fn replica() -> String {
    let host = warnings::host();
    let seed = format!("{host} {} {}", std::process::id(), Timestamp::now().as_nanosecond());
    let digest = Sha256::digest(seed);
    format!("{host}-{}", &plimsoll_core::digest::hex(&digest)[..8])
}

/// Where the store is, with its password where that stands in a file.
fn store_place(config: &ServerConfig, data_dir: &std::path::Path) -> anyhow::Result<String> {
    let Some(place) = &config.store else {
        return Ok(data_dir.join("server.sqlite").display().to_string());
    };
    let Some(file) = &config.store_password_file else { return Ok(place.clone()) };
    let password = secret(Some(PathBuf::from(file).as_path()), None)?;
    with_password(place, &password).with_context(|| {
        "`store_password_file` of `[server]` is for a `store` like `postgres://USER@HOST/DATABASE`".to_owned()
    })
}

fn with_password(place: &str, password: &str) -> Option<String> {
    let (scheme, rest) = place.split_once("://")?;
    let (user, rest) = rest.split_once('@')?;
    let user = user.split(':').next()?;
    let escaped: String = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
    Some(format!("{scheme}://{user}:{escaped}@{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_of_a_file_goes_into_the_place() {
        for (place, wanted) in [
            ("postgres://u@h/d", Some("postgres://u:%70%2F@h/d")),
            ("postgres://u:old@h:1/d?x=y", Some("postgres://u:%70%2F@h:1/d?x=y")),
            ("/var/lib/x.sqlite", None),
            ("postgres://h/d", None),
        ] {
            assert_eq!(with_password(place, "p/").as_deref(), wanted, "{place}");
        }
    }
}
