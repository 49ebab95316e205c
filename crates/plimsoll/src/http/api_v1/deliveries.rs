//! What is delivered to targets of notifications, how that goes, and having it done once more.
//!
//! What is shown of a delivery is what was said. Secrets are no part of it: they are read when something is sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query as AxumQuery, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use plimsoll_store::{Delivery, DeliveryFilter, DeliveryState};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::Refusal;
use super::super::endpoint::{Access, Answer, Endpoint, Method, Parameter, Payload, schema_of};
use super::query::Query;
use super::wire::Problem;
use crate::http::path::Path;
use crate::server::Server;

/// Longest body that is shown whole, in bytes.
const BODY_BYTES_MAX: usize = 64 << 10;

/// A list of deliveries.
#[derive(Serialize, JsonSchema)]
struct DeliveryList {
    /// The deliveries, the newest first.
    deliveries: Vec<DeliveryShown>,
    /// What to give as `before` for those that follow.
    next: Option<u64>,
}

/// One delivery.
#[derive(Serialize, JsonSchema)]
struct DeliveryShown {
    /// Its number.
    number: u64,
    /// Name of the target in the configuration.
    target: String,
    /// What tells it from all others to this target.
    key: String,
    /// `waiting`, `delivered`, `dead`, or `dropped` where too many waited or it waited for too long.
    state: String,
    /// When it was put in.
    at: String,
    /// Attempts so far.
    attempts: u32,
    /// When it is tried next, while it waits.
    due_at: Option<String>,
    /// When it was delivered, given up or dropped.
    ended_at: Option<String>,
    /// What went wrong last.
    error: Option<String>,
    /// Media type of the body.
    media_type: String,
    /// What is said; cut where it is very long.
    body: String,
    /// Whether the body is cut.
    is_body_cut: bool,
}

const JSON: &[&str] = &["application/json"];

const PROBLEM: Option<Payload> =
    Some(Payload { media_types: &["application/problem+json"], schema: schema_of::<Problem> });

const BAD: Answer =
    Answer { status: 400, about: "The request cannot be understood.", headers: &[], payload: PROBLEM };

pub(super) const LIST: Endpoint = Endpoint {
    method: Method::Get,
    path: "/api/v1/deliveries",
    id: "listDeliveries",
    about: "What is delivered to targets of notifications, and how that goes; the newest first.",
    access: Access::Admin,
    is_always_there: false,
    parameters: &[
        Parameter::query("target", "Only to this target.", schema_of::<String>),
        Parameter::query(
            "state",
            "Only those that are `waiting`, `delivered`, `dead` or `dropped`.",
            schema_of::<String>,
        ),
        Parameter::query(
            "before",
            "Only older ones than this number: `next` of the page before.",
            schema_of::<u64>,
        ),
        Parameter::query("rows", "How many at most.", schema_of::<u32>),
    ],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "The deliveries.",
            headers: &[],
            payload: Some(Payload { media_types: JSON, schema: schema_of::<DeliveryList> }),
        },
        BAD,
    ],
    route: || get(list),
};

pub(super) const REPLAY: Endpoint = Endpoint {
    method: Method::Post,
    path: "/api/v1/deliveries/{number}/replay",
    id: "replayDelivery",
    about: "Has a delivery made once more, whatever became of it; its attempts are counted anew.",
    access: Access::Admin,
    is_always_there: false,
    parameters: &[Parameter::path("number", "The delivery's number.", schema_of::<u64>)],
    body: None,
    answers: &[
        Answer { status: 202, about: "It is due now.", headers: &[], payload: None },
        BAD,
        Answer { status: 404, about: "There is no such delivery.", headers: &[], payload: PROBLEM },
    ],
    route: || post(replay),
};

async fn list(
    State(server): State<Arc<Server>>,
    AxumQuery(query): AxumQuery<BTreeMap<String, String>>,
) -> Result<Json<DeliveryList>, Refusal> {
    let query = Query::new(query, &["target", "state", "before", "rows"])?;
    let filter = DeliveryFilter {
        target: query.text("target").map(str::to_owned),
        state: query.text("state").map(state).transpose()?,
        before: query.text("before").map(number).transpose()?,
        rows_max: query.rows("rows")?,
    };
    let rows = filter.rows_max;
    let deliveries = server.blocking(move |server| Ok(server.store()?.deliveries(&filter)?)).await?;
    let is_full = u32::try_from(deliveries.len()).is_ok_and(|count| count >= rows);
    let next = deliveries.last().map(|delivery| delivery.number).filter(|_| is_full);
    Ok(Json(DeliveryList { deliveries: deliveries.iter().map(shown).collect(), next }))
}

async fn replay(State(server): State<Arc<Server>>, Path(text): Path<String>) -> Result<StatusCode, Refusal> {
    let number = number(&text)?;
    let replay = move |server: &Server| Ok(server.store()?.replay_delivery(number, (server.now)())?);
    match server.blocking(replay).await? {
        true => Ok(StatusCode::ACCEPTED),
        false => Err(Refusal::not_found(format!("there is no delivery {number}"))),
    }
}

fn state(text: &str) -> Result<DeliveryState, Refusal> {
    DeliveryState::of_name(text).ok_or_else(|| {
        Refusal::bad_request(format!("`{text}` is no state; the states are waiting, delivered, dead"))
    })
}

/// Numbers are those of a signed column.
fn number(text: &str) -> Result<u64, Refusal> {
    let number = text.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| Refusal::bad_request(format!("`{text}` is no number of a delivery")))
}

fn shown(delivery: &Delivery) -> DeliveryShown {
    let whole = String::from_utf8_lossy(&delivery.body);
    let end = whole.floor_char_boundary(BODY_BYTES_MAX);
    DeliveryShown {
        number: delivery.number,
        target: delivery.target.clone(),
        key: delivery.key.clone(),
        state: delivery.state.name().to_owned(),
        at: delivery.at.to_string(),
        attempts: delivery.attempts,
        due_at: (delivery.state == DeliveryState::Waiting).then(|| delivery.due_at.to_string()),
        ended_at: delivery.ended_at.map(|at| at.to_string()),
        error: delivery.error.clone(),
        media_type: delivery.media_type.clone(),
        body: whole[..end].to_owned(),
        is_body_cut: end < whole.len(),
    }
}
