//! Where Quay's clients find the security endpoint: the container security operator asks each registry for this.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use serde_json::{Value, json};

use super::{JSON, Routes, base_url, method_not_allowed};
use crate::http::endpoint::{Access, Answer, Endpoint, Method, Payload, schema_of};
use crate::server::Server;

pub(super) const CAPABILITIES: Endpoint = Endpoint {
    method: Method::Get,
    path: "/.well-known/app-capabilities",
    id: "quayGetCapabilities",
    about: "Where clients of Quay find out how secure an image is.",
    access: Access::Public,
    is_always_there: true,
    parameters: &[],
    body: None,
    answers: &[Answer {
        status: 200,
        about: "Templates of URLs.",
        headers: &[],
        payload: Some(Payload { media_types: JSON, schema: schema_of::<Value> }),
    }],
    route: || -> Routes { get(capabilities).fallback(method_not_allowed) },
};

async fn capabilities(State(server): State<Arc<Server>>) -> Json<Value> {
    let base = base_url(&server);
    let of_manifest =
        format!("{base}/api/v1/repository/{{namespace}}/{{reponame}}/manifest/{{digest}}/security");
    // Quay also names a page of the image, which is the registry's, and an endpoint by image id, which is gone.
    Json(json!({
        "appName": "io.quay",
        "capabilities": { "io.quay.manifest-security": { "rest-api-template": of_manifest } },
    }))
}
