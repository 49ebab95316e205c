//! The OpenAPI 3.1 document and the reference page, made of the rows of all APIs.
//!
//! What stands before every handler answers for every endpoint, so its answers are added here and not written into each
//! row.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use axum::http::header;
use axum::routing::{MethodRouter, get};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::endpoint::{Access, Answer, Endpoint, Method, Parameter, Payload, Place, schema_of};
use super::{APIS, Api, Front, Refusal, health};
use crate::server::Server;

mod page;

/// The row.
pub(super) static API: Api = Api {
    name: "reference",
    about: "What can be asked, and how.",
    endpoints: &[
        row(
            "/openapi.json",
            "getOpenApi",
            "This document.",
            &[Answer {
                status: 200,
                about: "The OpenAPI document.",
                headers: &[],
                payload: Some(Payload { media_types: &["application/json"], schema: schema_of::<Value> }),
            }],
            || get(async || ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str())),
        ),
        row(
            "/docs",
            "getReference",
            "The same for people: a page without scripts that loads nothing.",
            &[Answer {
                status: 200,
                about: "The page.",
                headers: &[],
                payload: Some(Payload { media_types: &["text/html"], schema: schema_of::<String> }),
            }],
            || get(page::page),
        ),
    ],
    refuse: health::refuse,
    front: Front {
        refusal: Some(Payload { media_types: &["text/plain"], schema: schema_of::<String> }),
        ..Front::USUAL
    },
};

const fn row(
    path: &'static str,
    id: &'static str,
    about: &'static str,
    answers: &'static [Answer],
    route: fn() -> MethodRouter<Arc<Server>>,
) -> Endpoint {
    Endpoint {
        method: Method::Get,
        path,
        id,
        about,
        access: Access::Public,
        is_always_there: true,
        parameters: &[],
        body: None,
        answers,
        route,
    }
}

static DOCUMENT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document(APIS)));

/// The document of some APIs.
pub(super) fn document(apis: &[&Api]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for api in apis {
        for endpoint in api.endpoints {
            let operation = operation(&mut generator, api, endpoint);
            let path = paths.entry(open_path(endpoint.path)).or_default();
            path.insert(method(endpoint.method).to_owned(), operation);
        }
    }
    let tags: Vec<Value> =
        apis.iter().map(|api| json!({"name": api.name, "description": api.about})).collect();
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Plimsoll",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Says what is aboard a container image and what is known to be wrong with it.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A token of `plimsoll token new`, or of the OpenID provider."},
                "basic": {"type": "http", "scheme": "basic", "description": "Any user name, and a token as the password."},
                "key": {"type": "apiKey", "in": "header", "name": "X-ScannerAdapter-API-Key", "description": "A token, as Harbor sends it."},
            },
        },
    })
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Get => "get",
        Method::Post => "post",
        Method::Delete => "delete",
    }
}

/// axum's `{*rest}` is OpenAPI's `{rest}`.
fn open_path(path: &str) -> String {
    path.replace("{*", "{")
}

/// The scope that an endpoint takes, for people; `None` where it takes none.
fn scope(access: Access) -> Option<&'static str> {
    match access {
        Access::Public => None,
        Access::Read => Some("read"),
        Access::Submit => Some("submit"),
        Access::Admin => Some("admin"),
        Access::Metrics | Access::Admission => Some("read, where the configuration says so"),
    }
}

fn operation(generator: &mut SchemaGenerator, api: &Api, endpoint: &Endpoint) -> Value {
    let mut operation = json!({
        "operationId": endpoint.id,
        "summary": endpoint.about,
        "tags": [api.name],
        "responses": responses(generator, api, endpoint),
        "security": security(endpoint.access),
    });
    if let Some(scope) = scope(endpoint.access) {
        operation["x-plimsoll-scope"] = scope.into();
    }
    if !endpoint.parameters.is_empty() {
        let parameters = endpoint.parameters.iter().map(|parameter| self::parameter(generator, parameter));
        operation["parameters"] = parameters.collect();
    }
    if let Some(body) = &endpoint.body {
        operation["requestBody"] = json!({"required": true, "content": content(generator, body)});
    }
    operation
}

fn parameter(generator: &mut SchemaGenerator, parameter: &Parameter) -> Value {
    let place = match parameter.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Header => "header",
    };
    json!({
        "name": parameter.name,
        "in": place,
        "description": parameter.about,
        "required": parameter.is_required || parameter.place == Place::Path,
        "schema": (parameter.schema)(generator),
    })
}

fn security(access: Access) -> Value {
    match access {
        Access::Public => json!([]),
        // The configuration may let anybody read.
        Access::Read | Access::Metrics | Access::Admission => {
            json!([{"token": []}, {"basic": []}, {"key": []}, {}])
        }
        Access::Submit | Access::Admin => json!([{"token": []}, {"basic": []}, {"key": []}]),
    }
}

fn content(generator: &mut SchemaGenerator, payload: &Payload) -> Value {
    let schema = Value::from((payload.schema)(generator));
    payload.media_types.iter().map(|name| ((*name).to_owned(), json!({"schema": schema}))).collect()
}

fn responses(generator: &mut SchemaGenerator, api: &Api, endpoint: &Endpoint) -> Value {
    let mut responses = Map::new();
    for answer in endpoint.answers {
        let response = response(generator, answer);
        // A status with two meanings has both.
        match responses.get_mut(&answer.status.to_string()) {
            Some(known) => known["description"] = format!("{} {}", text(known), answer.about).into(),
            None => drop(responses.insert(answer.status.to_string(), response)),
        }
    }
    for (status, about) in before_handlers(endpoint) {
        if responses.contains_key(&status.to_string()) {
            continue;
        }
        let mut response = json!({"description": about});
        // Clair says nothing to whoever is not let in.
        let is_worded =
            (api.refuse)(&Refusal::new(status, "", "")).headers().contains_key(header::CONTENT_TYPE);
        if let Some(refusal) = api.front.refusal.as_ref().filter(|_| is_worded) {
            response["content"] = content(generator, refusal);
        }
        if matches!(status, 429 | 503) {
            response["headers"] = json!({"Retry-After": header("After how many seconds to ask again.")});
        }
        if status == 401 {
            response["headers"] = json!({"WWW-Authenticate": header("How to say who asks.")});
        }
        responses.insert(status.to_string(), response);
    }
    Value::Object(responses)
}

fn text(response: &Value) -> &str {
    response["description"].as_str().unwrap_or_default()
}

fn header(about: &str) -> Value {
    json!({"description": about, "schema": {"type": "string"}})
}

fn response(generator: &mut SchemaGenerator, answer: &Answer) -> Value {
    let mut response = json!({"description": answer.about});
    if !answer.headers.is_empty() {
        let headers = answer.headers.iter().map(|(name, about)| ((*name).to_owned(), header(about)));
        response["headers"] = headers.collect();
    }
    if let Some(payload) = &answer.payload {
        response["content"] = content(generator, payload);
    }
    response
}

/// What the guard answers before the handler of an endpoint is asked.
fn before_handlers(endpoint: &Endpoint) -> Vec<(u16, &'static str)> {
    let mut answers = Vec::new();
    if endpoint.body.is_some() {
        answers.extend([
            (400, "The body cannot be understood, or broke off."),
            (408, "The body did not come in time."),
            (413, "The body is too large."),
        ]);
    }
    if endpoint.access != Access::Public {
        answers.extend([
            (401, "Nobody says who asks, or the token is not known or has ended."),
            (403, "The token is not good for this."),
        ]);
    }
    answers.extend([
        (429, "Too many requests a second."),
        (500, "A mistake in plimsoll, or a store that cannot be understood."),
        (503, "The server is starting, migrating or ending, or its store cannot be reached."),
    ]);
    answers
}

#[cfg(test)]
mod tests;
