//! Looks at a registry of the test's own, on loopback.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Response, Uri};
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{Priority, ScanFilter, TagFilter};

use super::*;
use crate::config::Config;

/// What a registry has: repositories, their tags, and the byte that fills each digest.
type Content = BTreeMap<String, BTreeMap<String, u8>>;

/// A registry: what it has, whether it lists its repositories, and paths that it answers with a status.
#[derive(Default)]
struct Registry {
    content: Content,
    has_catalog: bool,
    trouble: BTreeMap<String, u16>,
    asked: Vec<String>,
}

type Shared = Arc<Mutex<Registry>>;

async fn answer(State(registry): State<Shared>, method: Method, uri: Uri) -> Response<Body> {
    let mut registry = registry.lock().unwrap();
    let path = uri.path().to_owned();
    registry.asked.push(format!("{method} {path}"));
    let status = |status: u16, body: String| {
        Response::builder().status(status).header("Retry-After", "600").body(Body::from(body)).unwrap()
    };
    if let Some(trouble) = registry.trouble.get(&path) {
        return status(*trouble, "{}".to_owned());
    }
    let rest = path.strip_prefix("/v2/").unwrap_or_default();
    if rest == "_catalog" && registry.has_catalog {
        let names: Vec<&String> = registry.content.keys().collect();
        return status(200, serde_json::json!({"repositories": names}).to_string());
    }
    if let Some(name) = rest.strip_suffix("/tags/list")
        && let Some(tags) = registry.content.get(name)
    {
        let tags: Vec<&String> = tags.keys().collect();
        return status(200, serde_json::json!({"name": name, "tags": tags}).to_string());
    }
    if let Some((name, tag)) = rest.split_once("/manifests/")
        && let Some(byte) = registry.content.get(name).and_then(|tags| tags.get(tag))
    {
        let digest = plimsoll_core::digest::Digest::sha256(&[*byte; 32]);
        return Response::builder()
            .header("Docker-Content-Digest", digest.as_str())
            .body(Body::empty())
            .unwrap();
    }
    status(404, r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#.to_owned())
}

fn content(lines: &[(&str, &str, u8)]) -> Content {
    let mut content = Content::new();
    for (repository, tag, byte) in lines {
        content.entry((*repository).to_owned()).or_default().insert((*tag).to_owned(), *byte);
    }
    content
}

fn now() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

fn later() -> Timestamp {
    "2030-01-01T02:00:00Z".parse().unwrap()
}

struct World {
    registry: Shared,
    host: String,
    store: Arc<Store>,
    /// At `now` and two hours later.
    servers: [Arc<Server>; 2],
    _folder: tempfile::TempDir,
}

impl World {
    async fn new(watch: &str, registry: Registry) -> World {
        let registry = Arc::new(Mutex::new(registry));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&registry));
        drop(tokio::spawn(axum::serve(listener, router).into_future()));
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("server.sqlite").display().to_string();
        let store = Arc::new(Store::open(&place).unwrap());
        // The registry is in no list of allowed ones but its watch.
        let config = format!(
            "[server]\nregistries_allowed = []\n[registries.\"*\"]\nplain_http = true\n\
             [watch.team]\nregistry = '{host}'\n{watch}"
        );
        let server = |replica: &str, now: fn() -> Timestamp| {
            let config = Config::parse(&config).unwrap();
            let data_dir = folder.path().to_owned();
            let server = Server::new(config, data_dir, Vec::new(), replica.to_owned(), now);
            server.set_store(Arc::clone(&store));
            server.lifecycle.ready();
            Arc::new(server)
        };
        let servers = [server("first", now), server("second", later)];
        World { registry, host, store, servers, _folder: folder }
    }

    /// Looks if that is due; the state afterwards, and what was asked.
    async fn look(&self, at: usize) -> (WatchState, Vec<String>) {
        self.registry.lock().unwrap().asked.clear();
        let (server, store) = (Arc::clone(&self.servers[at]), Arc::clone(&self.store));
        let looked = tokio::task::spawn_blocking(move || {
            look_if_due(&server, &store, "team", &server.config.watch["team"])
        });
        looked.await.unwrap().unwrap();
        let mut asked = self.registry.lock().unwrap().asked.clone();
        asked.sort_unstable();
        (WatchState::read(&self.store, "team").unwrap(), asked)
    }

    /// `REPOSITORY:TAG=BYTE` of all tags that are known.
    fn tags(&self) -> String {
        let filter = TagFilter { rows_max: 100, ..TagFilter::default() };
        let tags = self.store.tags(&filter).unwrap();
        assert!(tags.iter().all(|tag| tag.registry == self.host));
        let line = |tag: &plimsoll_store::Tag| {
            let byte = u8::from_str_radix(&tag.digest.hex()[..2], 16).unwrap();
            format!("{}:{}={byte}", tag.repository, tag.tag)
        };
        tags.iter().map(line).collect::<Vec<_>>().join(" ")
    }

    /// What is queued: the byte of each digest.
    fn queued(&self) -> Vec<u8> {
        let filter = ScanFilter { rows_max: 100, ..ScanFilter::default() };
        let scans = self.store.scans(&filter).unwrap();
        for scan in &scans {
            assert_eq!((scan.state, scan.reason), (ScanState::Queued, Reason::Watched));
            assert_eq!(scan.priority, Priority::Watched);
        }
        let byte = |id: &str| u8::from_str_radix(&id["sha256:".len()..][..2], 16).unwrap();
        scans.iter().map(|scan| byte(&scan.id)).collect()
    }
}

#[tokio::test]
async fn what_is_new_is_submitted_and_what_is_gone_is_forgotten() {
    let watch = "repositories = ['team/*', '!team/scratch-*']\ntags = ['*', '!*-debug']\nrequests_max = 3";
    let registry = Registry {
        has_catalog: true,
        content: content(&[
            ("other/app", "1", 9),
            ("team/app", "1", 1),
            ("team/app", "1-debug", 8),
            ("team/app", "latest", 1),
            ("team/base", "3", 3),
            ("team/scratch-x", "1", 7),
        ]),
        ..Registry::default()
    };
    let world = World::new(watch, registry).await;
    let (state, _) = world.look(0).await;
    assert_eq!(state.last_error, None);
    assert_eq!((state.repositories, state.tags, state.submitted), (2, 3, 2));
    assert_eq!(state.problems, [""; 0]);
    assert_eq!(world.tags(), "team/app:1=1 team/app:latest=1 team/base:3=3");
    assert_eq!(world.queued(), [1, 3]);
    // It is not due again.
    let (_, asked) = world.look(0).await;
    assert_eq!(asked, [""; 0]);
    world.registry.lock().unwrap().content =
        content(&[("team/app", "1", 1), ("team/app", "latest", 2), ("team/new", "1", 1)]);
    let (state, asked) = world.look(1).await;
    assert_eq!((state.repositories, state.tags, state.submitted), (2, 3, 2));
    assert_eq!(world.tags(), "team/app:1=1 team/app:latest=2 team/new:1=1");
    assert_eq!(world.queued(), [1, 2, 3]);
    assert_eq!(
        asked,
        [
            "GET /v2/_catalog",
            "GET /v2/team/app/tags/list",
            "GET /v2/team/new/tags/list",
            "HEAD /v2/team/app/manifests/1",
            "HEAD /v2/team/app/manifests/latest",
            "HEAD /v2/team/new/manifests/1",
        ]
    );
}

#[tokio::test]
async fn repositories_that_are_named_need_no_list_and_one_that_is_wrong_spoils_no_other() {
    let watch = "repositories = ['team/app', 'team/gone', 'team/odd']\ntags_max = 1";
    let registry = Registry {
        content: content(&[("team/app", "1", 1), ("team/app", "2", 2), ("team/odd", "1", 3)]),
        trouble: [("/v2/team/odd/manifests/1".to_owned(), 403)].into(),
        ..Registry::default()
    };
    let world = World::new(watch, registry).await;
    let (state, asked) = world.look(0).await;
    assert!(!asked.iter().any(|line| line.contains("_catalog")), "{asked:?}");
    assert_eq!((state.last_error, state.repositories, state.submitted), (None, 3, 1));
    assert_eq!(world.tags(), "team/app:1=1");
    let problems: Vec<String> =
        state.problems.iter().map(|text| text.replace(&world.host, "[HOST]")).collect();
    insta::assert_snapshot!(problems.join("\n"));
}

/// A proxy whose registry is away says 404 of everything, and something else says 200.
#[tokio::test]
async fn tags_are_forgotten_only_where_the_registry_itself_says_that_they_are_gone() {
    for (name, status, kept) in [
        ("bare", Some(404), "team/app:1=1 team/other:1=2"),
        ("no list", Some(200), "team/app:1=1 team/other:1=2"),
        ("stated", None, "team/other:1=2"),
    ] {
        let both = content(&[("team/app", "1", 1), ("team/other", "1", 2)]);
        let registry = Registry { content: both, ..Registry::default() };
        let world = World::new("repositories = ['team/app', 'team/other']", registry).await;
        world.look(0).await;
        {
            let mut registry = world.registry.lock().unwrap();
            registry.content.remove("team/app");
            registry.trouble =
                status.map(|status| ("/v2/team/app/tags/list".to_owned(), status)).into_iter().collect();
        }
        let (state, _) = world.look(1).await;
        assert_eq!((state.problems.len(), world.tags().as_str()), (1, kept), "{name}: {state:?}");
    }
}

#[tokio::test]
async fn a_look_that_comes_to_nothing_says_why_and_is_made_again() {
    let mut lines = Vec::new();
    for (name, path, status) in
        [("no list", "/v2/_catalog", 401), ("too often", "/v2/team/app/tags/list", 429)]
    {
        let registry = Registry {
            has_catalog: true,
            content: content(&[("team/app", "1", 1)]),
            trouble: [(path.to_owned(), status)].into(),
            ..Registry::default()
        };
        let world = World::new("repositories = ['team/*']", registry).await;
        let (state, _) = world.look(0).await;
        assert_eq!((state.failures, state.last_success.as_deref()), (1, None));
        let next: Timestamp = state.next_poll.as_deref().unwrap().parse().unwrap();
        let wait = next.duration_since(now()).as_secs();
        assert!(if status == 429 { wait == 600 } else { (54..=60).contains(&wait) }, "{wait}");
        lines.push(format!("{name}: {}", state.last_error.unwrap().replace(&world.host, "[HOST]")));
        world.registry.lock().unwrap().trouble.clear();
        let (state, _) = world.look(1).await;
        assert_eq!((state.failures, state.last_error, state.submitted), (0, None, 1));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn another_replicas_duty_is_left_to_it() {
    let registry = Registry { content: content(&[("team/app", "1", 1)]), ..Registry::default() };
    let world = World::new("repositories = ['team/app']", registry).await;
    let until = now() + SignedDuration::from_secs(60);
    assert!(world.store.take_duty("watch team", "another", until, now()).unwrap());
    let (state, asked) = world.look(0).await;
    assert_eq!((state, asked), (WatchState::default(), Vec::new()));
}

/// A hook is as new as when it came, a look as old as when it began.
#[tokio::test]
async fn what_came_while_somebody_looked_for_long_stays() {
    let lines = [("team/app", "1", 1), ("team/app", "2", 2), ("team/app", "3", 3)];
    let registry = Registry { content: content(&lines), ..Registry::default() };
    let world = World::new("repositories = ['team/app']\ntags = ['1', '2']", registry).await;
    let digest = plimsoll_core::digest::Digest::sha256(&[9; 32]);
    let meanwhile = now() + SignedDuration::from_mins(5);
    let of = |tag: &str| plimsoll_store::Tag {
        registry: world.host.clone(),
        repository: "team/app".to_owned(),
        tag: tag.to_owned(),
        digest: digest.clone(),
        since: meanwhile,
        seen_at: meanwhile,
    };
    // One that was chosen, one that was not, and one that the list did not have yet.
    world.store.note_tags(&[of("2"), of("3"), of("4")], meanwhile).unwrap();
    world.look(0).await;
    assert_eq!(world.tags(), "team/app:1=1 team/app:2=9 team/app:3=9 team/app:4=9");
    world.look(1).await;
    assert_eq!(world.tags(), "team/app:1=1 team/app:2=2 team/app:3=9", "a later look knows better");
}

#[tokio::test]
async fn a_look_that_is_anothers_by_now_changes_nothing() {
    let registry = Registry { content: content(&[("team/app", "1", 1)]), ..Registry::default() };
    let world = World::new("repositories = ['team/app']", registry).await;
    let (server, store) = (Arc::clone(&world.servers[0]), Arc::clone(&world.store));
    let polled = tokio::task::spawn_blocking(move || {
        let asked = std::sync::atomic::AtomicU32::new(0);
        let keeps = || asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        poll(&server, &store, &server.config.watch["team"], &keeps).unwrap()
    });
    assert_eq!((polled.await.unwrap().submitted, world.tags().as_str(), world.queued().len()), (0, "", 0));
    assert!(world.registry.lock().unwrap().asked.contains(&"HEAD /v2/team/app/manifests/1".to_owned()));
}

#[tokio::test]
async fn what_was_learnt_before_a_registry_had_enough_is_kept_and_the_rest_is_told() {
    let lines = [("team/app", "1", 1), ("team/app", "2", 2), ("team/app", "3", 3), ("team/other", "1", 4)];
    let registry = Registry {
        content: content(&lines),
        trouble: [("/v2/team/app/manifests/2".to_owned(), 429)].into(),
        ..Registry::default()
    };
    let world = World::new("repositories = ['team/app', 'team/other']\nrequests_max = 1", registry).await;
    let (state, _) = world.look(0).await;
    let error = state.last_error.unwrap();
    assert!(
        error.ends_with(
            "; 2 tags of `team/app` were not looked at; 0 of 2 repositories were looked at to their end"
        ),
        "{error}"
    );
    assert_eq!((world.tags().as_str(), world.queued()), ("team/app:1=1", vec![1]));
    world.registry.lock().unwrap().trouble.clear();
    let (state, _) = world.look(1).await;
    assert_eq!((state.last_error, state.submitted), (None, 3));
    assert_eq!(world.tags(), "team/app:1=1 team/app:2=2 team/app:3=3 team/other:1=4");
    // It is known now, and a registry that has enough does not make it forgotten.
    let trouble = ["1", "2"].map(|tag| (format!("/v2/team/app/manifests/{tag}"), 429));
    world.registry.lock().unwrap().trouble = trouble.into();
    WatchState::default().write(&world.store, "team").unwrap();
    let (state, _) = world.look(1).await;
    assert!(state.last_error.unwrap().contains("3 tags of `team/app` were not looked at"));
    assert_eq!(world.tags(), "team/app:1=1 team/app:2=2 team/app:3=3 team/other:1=4");
}

/// A repository that was made while the list was read is not in it, and not gone.
#[tokio::test]
async fn a_repository_that_is_newer_than_the_list_stays() {
    let registry =
        Registry { has_catalog: true, content: content(&[("team/app", "1", 1)]), ..Registry::default() };
    let world = World::new("repositories = ['team/*']", registry).await;
    let meanwhile = now() + SignedDuration::from_mins(5);
    let tag = |repository: &str, seen_at: Timestamp| plimsoll_store::Tag {
        registry: world.host.clone(),
        repository: repository.to_owned(),
        tag: "1".to_owned(),
        digest: plimsoll_core::digest::Digest::sha256(&[2; 32]),
        since: seen_at,
        seen_at,
    };
    let before = now() - SignedDuration::from_mins(5);
    world.store.note_tags(&[tag("team/new", meanwhile), tag("team/old", before)], meanwhile).unwrap();
    world.look(0).await;
    assert_eq!(world.tags(), "team/app:1=1 team/new:1=2");
    world.look(1).await;
    assert_eq!(world.tags(), "team/app:1=1");
}
