//! Clair's notifier: notifications, page by page, until who was told of them deletes them.
//!
//! Clair answers for a notification that it does not know as if it were empty, and with an error when it is to be
//! deleted. Quay takes a 404 for "it is gone" in both places and gives the notification up, which is what is meant.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{delete, get};
use plimsoll_store::NoticeItem;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::negotiation::{media_type, negotiated, negotiated_first};
use super::{BAD_REQUEST, JSON, NOT_ACCEPTABLE, PROBLEM, Refusal, document, uuid};
use crate::access::Principal;
use crate::http::endpoint::{Access, Answer, Endpoint, Method, Parameter, Payload, schema_of};
use crate::http::path::Path;
use crate::server::Server;

const PAGE_TYPES: &[&str] = &["application/vnd.clair.notification_page.v1+json", JSON];

/// Items of a page where the client does not say.
const PAGE_SIZE: u32 = 500;

/// Most items of a page; the page says how many it may have.
const PAGE_SIZE_MAX: u32 = 5_000;

const ID: Parameter = Parameter::path("id", "A notification's UUID.", schema_of::<String>);

const GONE: Answer = Answer {
    status: 404,
    about: "There is no such notification, or not any more.",
    headers: &[],
    payload: PROBLEM,
};

pub(super) const PAGE: Endpoint = Endpoint {
    method: Method::Get,
    path: "/notifier/api/v1/notification/{id}",
    id: "clairGetNotification",
    about: "A page of a notification.",
    access: Access::Read,
    is_always_there: false,
    parameters: &[
        ID,
        Parameter::query("page_size", "Most items of the page: 500, and 5000 at most.", schema_of::<u32>),
        Parameter::query("next", "`next` of the page before.", schema_of::<String>),
    ],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "The page.",
            headers: &[],
            payload: Some(Payload { media_types: PAGE_TYPES, schema: schema_of::<NotificationPage> }),
        },
        BAD_REQUEST,
        GONE,
        NOT_ACCEPTABLE,
    ],
    route: || negotiated_first(get(page)),
};

pub(super) const DELETE: Endpoint = Endpoint {
    method: Method::Delete,
    path: "/notifier/api/v1/notification/{id}",
    id: "clairDeleteNotification",
    about: "Forgets a notification.",
    access: Access::Submit,
    is_always_there: false,
    parameters: &[ID],
    body: None,
    answers: &[
        Answer { status: 200, about: "It is forgotten.", headers: &[], payload: None },
        BAD_REQUEST,
        GONE,
        NOT_ACCEPTABLE,
    ],
    route: || negotiated(delete(delete_one)),
};

/// A page of a notification.
#[derive(Serialize, JsonSchema)]
struct NotificationPage {
    page: PageSize,
    /// The items, as they were made.
    notifications: Vec<Value>,
}

/// How large a page may be, and what follows.
#[derive(Serialize, JsonSchema)]
struct PageSize {
    size: u32,
    /// What to give as `next`; not there on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

async fn page(
    State(server): State<Arc<Server>>,
    principal: Principal,
    Path(id): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let media_type = media_type(&headers, PAGE_TYPES)?;
    let id = uuid(&id)?;
    let size = page_size(query.get("page_size").map_or("", String::as_str))?;
    let after = match query.get("next").map_or("", String::as_str) {
        "" => None,
        next => Some(uuid(next).map_err(|_| Refusal::bad_request("`next` is no UUID"))?),
    };
    check_reaches_all(&principal)?;
    let items = server
        .blocking(move |server| {
            // One more, to know whether there is another page.
            let found = server.store()?.notice_items(&id, after.as_deref(), size + 1)?;
            found.ok_or_else(gone)
        })
        .await?;
    Ok(document(StatusCode::OK, media_type, &page_of(items, size)?))
}

fn page_of(mut items: Vec<NoticeItem>, size: u32) -> Result<NotificationPage, Refusal> {
    let rows = usize::try_from(size).unwrap_or(usize::MAX);
    let has_more = items.len() > rows;
    items.truncate(rows);
    let next = items.last().filter(|_| has_more).map(|item| item.id.clone());
    let notifications: Result<Vec<Value>, _> =
        items.iter().map(|item| serde_json::from_str(&item.body)).collect();
    let notifications = notifications.map_err(|error| {
        Refusal::new(500, "internal", format!("an item of the notification is damaged: {error}"))
    })?;
    Ok(NotificationPage { page: PageSize { size, next }, notifications })
}

fn page_size(text: &str) -> Result<u32, Refusal> {
    if text.is_empty() {
        return Ok(PAGE_SIZE);
    }
    match text.parse::<u32>() {
        Ok(size) if size > 0 => Ok(size.min(PAGE_SIZE_MAX)),
        _ => Err(Refusal::bad_request("`page_size` is no number from 1 on")),
    }
}

async fn delete_one(
    State(server): State<Arc<Server>>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let id = uuid(&id)?;
    check_reaches_all(&principal)?;
    let is_forgotten = server.blocking(move |server| Ok(server.store()?.delete_notice(&id)?)).await?;
    if is_forgotten { Ok(StatusCode::OK) } else { Err(gone()) }
}

/// A notification is of images of all repositories, and its id can be worked out: for whoever is held to some there is
/// none.
fn check_reaches_all(principal: &Principal) -> Result<(), Refusal> {
    match principal.is_limited() {
        true => Err(gone()),
        false => Ok(()),
    }
}

fn gone() -> Refusal {
    Refusal::not_found("there is no such notification, or not any more")
}
