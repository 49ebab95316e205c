//! Whether the chain of records is whole.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::{get, post};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::Refusal;
use super::super::endpoint::{Access, Answer, Endpoint, Method, Payload, schema_of};
use crate::server::{Chain, Server};

const CHAIN: Option<Payload> =
    Some(Payload { media_types: &["application/json"], schema: schema_of::<RecordChain> });

pub(super) const GET: Endpoint = Endpoint {
    method: Method::Get,
    path: "/api/v1/records",
    id: "getRecords",
    about: "How the records of clearances stood when they were last held against their digests: at the start, and every \
            ten minutes those that came since. Whoever keeps `head` elsewhere sees later whether the end was cut off.",
    access: Access::Read,
    is_always_there: false,
    parameters: &[],
    body: None,
    answers: &[Answer { status: 200, about: "How they stood.", headers: &[], payload: CHAIN }],
    route: || get(last),
};

pub(super) const CHECK: Endpoint = Endpoint {
    method: Method::Post,
    path: "/api/v1/records/check",
    id: "checkRecords",
    about: "Holds all records of clearances against their digests, from the first on.",
    access: Access::Admin,
    is_always_there: false,
    parameters: &[],
    body: None,
    answers: &[Answer { status: 200, about: "How they stand.", headers: &[], payload: CHAIN }],
    route: || post(check),
};

/// How the chain of records stands.
#[derive(Debug, Serialize, JsonSchema)]
struct RecordChain {
    /// `whole`, `broken`, or `unchecked` where nobody has looked yet.
    state: &'static str,
    /// The last record that is as it was written: 0 where there is none.
    number: u64,
    /// Its digest.
    head: Option<String>,
    /// The first record that is not as it was written.
    broken_at: Option<u64>,
    /// What is wrong with it.
    detail: Option<String>,
    /// When it was looked.
    checked_at: Option<String>,
}

impl From<&Chain> for RecordChain {
    fn from(chain: &Chain) -> RecordChain {
        let broken = chain.broken.as_ref();
        RecordChain {
            state: match (broken, chain.checked_at) {
                (Some(_), _) => "broken",
                (None, Some(_)) => "whole",
                (None, None) => "unchecked",
            },
            number: chain.head.number,
            head: chain.head.digest.as_ref().map(|digest| digest.as_str().to_owned()),
            broken_at: broken.map(|(number, _)| *number),
            detail: broken.map(|(_, detail)| detail.clone()),
            checked_at: chain.checked_at.map(|at| at.to_string()),
        }
    }
}

async fn last(State(server): State<Arc<Server>>) -> Json<RecordChain> {
    Json(RecordChain::from(&server.chain()))
}

async fn check(State(server): State<Arc<Server>>) -> Result<Json<RecordChain>, Refusal> {
    let chain = server.blocking(|server| Ok(server.check_all_records()?)).await?;
    Ok(Json(RecordChain::from(&chain)))
}
