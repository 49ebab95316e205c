//! How the registries that are watched go: when each was last looked at, what went wrong, when it is looked at next.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use schemars::JsonSchema;
use serde::Serialize;

use super::endpoint::{Access, Answer, Endpoint, Method, Payload, schema_of};
use super::{Api, Front, Refusal, api_v1};
use crate::access::Principal;
use crate::server::Server;
use crate::watch::WatchState;

/// The row.
pub(super) static API: Api = Api {
    name: "watches",
    about: "Registries that are watched.",
    endpoints: &[LIST],
    refuse: api_v1::refuse,
    front: Front {
        refusal: Some(Payload {
            media_types: &["application/problem+json"],
            schema: schema_of::<api_v1::wire::Problem>,
        }),
        ..Front::USUAL
    },
};

const LIST: Endpoint = Endpoint {
    method: Method::Get,
    path: "/api/v1/watches",
    id: "listWatches",
    about: "How each registry goes that is watched.",
    access: Access::Read,
    is_always_there: false,
    parameters: &[],
    body: None,
    answers: &[Answer {
        status: 200,
        about: "All of them, by the names of the configuration.",
        headers: &[],
        payload: Some(Payload { media_types: &["application/json"], schema: schema_of::<WatchList> }),
    }],
    route: || get(list),
};

/// Registries that are watched.
#[derive(Debug, Serialize, JsonSchema)]
struct WatchList {
    /// By the names of the configuration.
    watches: BTreeMap<String, Watch>,
}

/// A registry that is watched.
#[derive(Debug, Serialize, JsonSchema)]
struct Watch {
    /// `HOST[:PORT]`.
    registry: String,
    /// How it goes.
    #[serde(flatten)]
    state: WatchState,
}

async fn list(State(server): State<Arc<Server>>, principal: Principal) -> Result<Json<WatchList>, Refusal> {
    let list = server
        .blocking(move |server| {
            let store = server.store()?;
            let mut watches = BTreeMap::new();
            for (name, watch) in &server.config.watch {
                let mut state = WatchState::read(store, name)?;
                if principal.is_limited() {
                    // They name repositories.
                    state.problems.clear();
                    state.last_error = state.last_error.map(|_| "it was not looked at".to_owned());
                }
                watches.insert(name.clone(), Watch { registry: watch.registry.clone(), state });
            }
            Ok(WatchList { watches })
        })
        .await?;
    Ok(Json(list))
}
