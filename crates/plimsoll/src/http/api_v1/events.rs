//! What happens, as a stream (Server-Sent Events, HTML standard section 9.2) that goes on where it broke off.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query as AxumQuery, State};
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use plimsoll_core::scan::ScanState;
use plimsoll_store::{Event, EventKind};
use serde_json::{Value, json};
use tokio_stream::Stream;

use super::super::Refusal;
use super::super::endpoint::{Access, Answer, Endpoint, Method, Parameter, Payload, schema_of};
use super::query::Query;
use crate::access::Principal;
use crate::jobs::status::names_its_place;
use crate::server::{Heard, Listener, Server};

/// Events read at once.
const ROWS_MAX: u32 = 500;

/// How often a line is sent that says nothing, so that nobody between takes the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) const EVENTS: Endpoint = Endpoint {
    method: Method::Get,
    path: "/api/v1/events",
    id: "streamEvents",
    about: "What happens, as it happens: a stream of Server-Sent Events. A client that gives the number of the last \
            event that it has misses none; where some are no longer kept, the first event is `missed`.",
    access: Access::Read,
    is_always_there: false,
    parameters: &[
        Parameter::header(
            "Last-Event-ID",
            "The number of the last event that is known; events after it follow.",
            schema_of::<u64>,
        ),
        Parameter::query(
            "after",
            "The same, where a header cannot be set. Without either, only what happens from now on.",
            schema_of::<u64>,
        ),
        Parameter::query(
            "id",
            "Only what happens to this: a scan's id, a digest, a feed.",
            schema_of::<String>,
        ),
    ],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "The stream. Each event has a number as `id`, a kind as `event` (`scan`, `findings`, `feed`, \
                    `database`, `tag`, `clearance`, `deliveries`, `missed`), and JSON as `data` with `at`, `subject` and more of it.",
            headers: &[],
            payload: Some(Payload { media_types: &["text/event-stream"], schema: schema_of::<String> }),
        },
        Answer { status: 400, about: "The request cannot be understood.", headers: &[], payload: None },
    ],
    route: || get(events),
};

async fn events(
    State(server): State<Arc<Server>>,
    principal: Principal,
    AxumQuery(query): AxumQuery<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let query = Query::new(query, &["after", "id"])?;
    let header = headers.get("last-event-id").map(|value| value.to_str().unwrap_or("?").to_owned());
    let after = header.or_else(|| query.text("after").map(str::to_owned));
    let after = after.map(|text| {
        let number: Result<u64, _> = text.parse();
        number.map_err(|_| Refusal::bad_request(format!("`{text}` is no event's number")))
    });
    let after = after.transpose()?;
    // Before the store is asked, so that nothing falls in between.
    let listener = server.listen();
    let (first, last) = server
        .blocking(|server| {
            let store = server.store()?;
            Ok((store.first_event()?, store.last_event()?))
        })
        .await?;
    let is_missed = after.is_some_and(|after| after.saturating_add(1) < first);
    let follower = Follower {
        server,
        principal,
        only: query.text("id").map(str::to_owned),
        listener,
        after: after.map_or(last, |after| if is_missed { first.saturating_sub(1) } else { after.min(last) }),
        read_up_to: last,
        ready: VecDeque::new(),
        missed: is_missed.then_some(first),
    };
    let stream = Sse::new(stream(follower)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(stream.into_response())
}

/// What one client of the stream has had, and what it gets next.
struct Follower {
    server: Arc<Server>,
    principal: Principal,
    only: Option<String>,
    listener: Listener,
    /// The last event that it has had, or that was passed over.
    after: u64,
    /// Up to here events are read from the store; later ones are heard.
    read_up_to: u64,
    ready: VecDeque<Arc<Event>>,
    missed: Option<u64>,
}

/// The stream of a follower.
fn stream(follower: Follower) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    tokio::spawn(follow(follower, sender));
    tokio_stream::wrappers::ReceiverStream::new(receiver)
}

async fn follow(mut follower: Follower, sender: tokio::sync::mpsc::Sender<Result<sse::Event, Infallible>>) {
    if let Some(first) = follower.missed {
        let data = json!({ "detail": "some events are no longer kept", "first": first });
        let event = sse::Event::default().event(MISSED).data(data.to_string());
        if sender.send(Ok(event)).await.is_err() {
            return;
        }
    }
    loop {
        let event = tokio::select! {
            event = follower.next() => event,
            () = sender.closed() => return,
        };
        let Some(event) = event else { return };
        if sender.send(Ok(event)).await.is_err() {
            return;
        }
    }
}

impl Follower {
    /// The next event that the client is told of; `None` where the server ends or the store cannot be asked: the
    /// client comes again with the number of the last one that it has.
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            while let Some(event) = self.ready.pop_front() {
                if event.number > self.after {
                    self.after = event.number;
                    match self.said(&event).await {
                        Ok(Some(said)) => return Some(said),
                        Ok(None) => {}
                        // Whether it may be told is not known, so it is neither told nor passed over.
                        Err(refusal) => {
                            broke_off(&refusal);
                            return None;
                        }
                    }
                }
            }
            if self.server.lifecycle.is_ending() {
                return None;
            }
            if self.after < self.read_up_to {
                let after = self.after;
                let read = self
                    .server
                    .blocking(move |server| Ok(server.store()?.events(after, ROWS_MAX, Duration::ZERO)?))
                    .await
                    .inspect_err(broke_off)
                    .ok()?;
                if read.is_empty() {
                    self.after = self.read_up_to;
                }
                self.ready = read.into_iter().map(Arc::new).collect();
                continue;
            }
            match self.listener.hear().await {
                // Numbers have no holes: what was not heard is read.
                Heard::Event(event) if event.number > self.after.saturating_add(1) => {
                    self.read_up_to = event.number;
                }
                Heard::Event(event) => self.ready.push_back(event),
                Heard::TooMuch => {
                    let last = self.server.blocking(|server| Ok(server.store()?.last_event()?)).await;
                    let last = last.inspect_err(broke_off).ok()?;
                    self.read_up_to = last;
                }
                Heard::Ended => return None,
            }
        }
    }

    /// Whether what happened to an image of others happened to one of ours too.
    async fn is_of_ours(&self, subject: &str) -> Result<bool, Refusal> {
        let (subject, principal) = (subject.to_owned(), self.principal.clone());
        let looked = self.server.blocking(move |server| {
            let scan = server.store()?.scan(&subject)?;
            scan.map_or(Ok(false), |scan| server.may_see(&principal, &scan))
        });
        looked.await
    }

    async fn said(&self, event: &Event) -> Result<Option<sse::Event>, Refusal> {
        if self.only.as_ref().is_some_and(|only| *only != event.subject) {
            return Ok(None);
        }
        let mut body: Value = serde_json::from_str(&event.body).unwrap_or(Value::Null);
        if event.kind == EventKind::ClearanceChanged && !sees_all_places(&self.principal, &body) {
            return Ok(None);
        }
        let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let is_of_a_scan = event.kind != EventKind::ClearanceChanged;
        if is_of_a_scan && !self.principal.may_see(&text("registry"), &text("repository")) {
            if !self.is_of_ours(&event.subject).await? {
                return Ok(None);
            }
            // Not what it is called in a repository of others.
            let state = ScanState::of_name(&text("state"));
            let detail = state.is_none_or(names_its_place).then_some("detail");
            for key in ["reference", "registry", "repository"].into_iter().chain(detail) {
                body.as_object_mut().map(|fields| fields.remove(key));
            }
        }
        let mut data = json!({ "at": event.at.to_string(), "subject": event.subject });
        if let (Some(data), Value::Object(more)) = (data.as_object_mut(), body) {
            data.extend(more);
        }
        let event = sse::Event::default().id(event.number.to_string()).event(kind_name(event.kind));
        Ok(Some(event.data(data.to_string())))
    }
}

/// Whether somebody may see every repository that a clearance speaks of.
fn sees_all_places(principal: &Principal, body: &Value) -> bool {
    let places = body.get("repositories").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let is_seen = |place: &Value| {
        let place = place.as_str().and_then(|place| place.split_once('/'));
        place.is_some_and(|(registry, repository)| principal.may_see(registry, repository))
    };
    !principal.is_limited() || (!places.is_empty() && places.iter().all(is_seen))
}

/// The client comes again and is told what it missed; why it has to is for the log.
fn broke_off(refusal: &Refusal) {
    tracing::warn!(error = %refusal.message, "a stream of events broke off");
}

/// What an event is called that says that others are no longer kept.
const MISSED: &str = "missed";

/// What events of the stream are called, whichever there are.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    EventKind::ALL.into_iter().map(kind_name).chain([MISSED])
}

/// What a kind of event is called in the stream.
fn kind_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::ScanChanged => "scan",
        EventKind::FindingsChanged => "findings",
        EventKind::FeedChanged => "feed",
        EventKind::DatabaseChanged => "database",
        EventKind::DeliveriesDropped => "deliveries",
        EventKind::TagChanged => "tag",
        EventKind::ClearanceChanged => "clearance",
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_store::ScanKind;

    use super::*;
    use crate::access::Pattern;
    use crate::config::{Config, Scope};
    use crate::http::tests::samples::{TestServer, now};

    fn follower(server: &Arc<Server>, principal: Principal) -> Follower {
        Follower {
            server: Arc::clone(server),
            principal,
            only: None,
            listener: server.listen(),
            after: 0,
            read_up_to: 0,
            ready: VecDeque::new(),
            missed: None,
        }
    }

    fn event(number: u64) -> Arc<Event> {
        let body = r#"{"registry":"registry.example","repository":"bank/vault"}"#.to_owned();
        Arc::new(Event { number, at: now(), kind: EventKind::ScanChanged, subject: "x".to_owned(), body })
    }

    /// Also where what is heard begins later than what is told: at the start, or after too much at once.
    #[test]
    fn what_was_not_heard_is_read() {
        let server = TestServer::new("", false);
        for byte in 1..=3 {
            server.submit(byte, ScanKind::Image);
        }
        let mut follower = follower(&server.server, Principal::everywhere("anybody", Scope::Read));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        server.server.tell(event(3));
        for number in 1..=3 {
            assert!(runtime.block_on(follower.next()).is_some());
            assert_eq!(follower.after, number);
        }
    }

    /// The client comes again, and is told then.
    #[tokio::test]
    async fn a_store_that_does_not_answer_ends_the_stream() {
        let folder = tempfile::tempdir().unwrap();
        let server =
            Server::new(Config::default(), folder.path().to_owned(), Vec::new(), "r".to_owned(), now);
        let repositories = Pattern::parse("registry.example/team/*").map(|pattern| vec![pattern]);
        let limited = Principal { repositories, ..Principal::everywhere("team", Scope::Read) };
        let mut follower = follower(&Arc::new(server), limited);
        follower.ready.push_back(event(1));
        assert!(follower.next().await.is_none());
    }
}
