//! What registries send when something was pushed or deleted: `POST /api/v1/hooks/KIND`.
//!
//! A push notes where the tag leads and has the digest scanned; a deletion forgets the tag. What is not believed or not
//! understood is told in the answer, which is 202 all the same: registries send again and again what is refused, and it would
//! be refused again.

use std::str::FromStr as _;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use jiff::Timestamp;
use plimsoll_core::digest::Digest;
use plimsoll_image::open::registry::reference::RegistryReference;
use plimsoll_store::{Store, Tag, TagFilter};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::api_v1;
use super::endpoint::{Access, Answer, Endpoint, Method, Parameter, Payload, schema_of};
use super::{Api, Front, Refusal};
use crate::access::Principal;
use crate::http::path::Path;
use crate::jobs::submission::{self, Asked};
use crate::server::Server;
use kinds::{BODY_BYTES_MAX, Event, Happened, KINDS};

mod belief;
mod kinds;

/// Most tags of a repository that may lead to a digest that is deleted.
const TAGS_MAX: u32 = 10_000;

/// The row.
pub(super) static API: Api = Api {
    name: "hooks",
    about: "Webhooks of registries: what is pushed is scanned.",
    endpoints: &[RECEIVE],
    refuse: api_v1::refuse,
    front: Front {
        refusal: Some(Payload {
            media_types: &["application/problem+json"],
            schema: schema_of::<api_v1::wire::Problem>,
        }),
        ..Front::USUAL
    },
};

const RECEIVE: Endpoint = Endpoint {
    method: Method::Post,
    path: "/api/v1/hooks/{kind}",
    id: "receiveHook",
    about: "Takes a registry's webhook. Only registries that the configuration names are believed.",
    access: Access::Submit,
    is_always_there: false,
    parameters: &[Parameter::path("kind", "Who sends it.", kind_schema)],
    body: Some(Payload { media_types: &["application/json"], schema: schema_of::<serde_json::Value> }),
    answers: &[
        Answer {
            status: 202,
            about: "It was read; the body says what came of it.",
            headers: &[],
            payload: Some(Payload { media_types: &["application/json"], schema: schema_of::<Received> }),
        },
        Answer { status: 400, about: "The body is no JSON.", headers: &[], payload: None },
        Answer { status: 404, about: "There is no such kind.", headers: &[], payload: None },
    ],
    route: || post(receive),
};

fn kind_schema(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    json_schema!({"type": "string", "enum": names})
}

/// What came of a webhook.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "HookReceived")]
struct Received {
    /// What is scanned, or was already.
    submitted: Vec<String>,
    /// Tags that were forgotten.
    forgotten: Vec<String>,
    /// What was not believed.
    refused: Vec<Refused>,
    /// What was not understood.
    problems: Vec<String>,
    /// Problems that are not listed.
    more_problems: usize,
    /// Events that are of no interest, such as pulls.
    ignored: usize,
}

/// Something that was not believed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HookRefused")]
struct Refused {
    /// What the event named.
    name: String,
    /// Why not, and what to do.
    why: String,
}

async fn receive(
    State(server): State<Arc<Server>>,
    principal: Principal,
    Path(kind): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<Received>), Refusal> {
    let row = kinds::by_name(&kind).ok_or_else(|| {
        let known: Vec<String> =
            KINDS.iter().map(|row| format!("`{}` ({})", row.name, row.about.trim_end_matches('.'))).collect();
        Refusal::not_found(format!("there is no kind `{kind}` of webhooks; there are {}", known.join(", ")))
    })?;
    if body.len() > BODY_BYTES_MAX {
        let message = format!("the webhook is larger than {BODY_BYTES_MAX} bytes");
        return Err(Refusal::new(413, "too_large", message));
    }
    let events = kinds::read(row, &body)
        .map_err(|error| Refusal::bad_request(format!("the webhook is not JSON: {error}")))?;
    let mut received = Received {
        problems: events.problems,
        more_problems: events.more_problems,
        ignored: events.ignored,
        ..Received::default()
    };
    let mut believed = Vec::new();
    for event in &events.events {
        match believe(event, &server, &principal) {
            Ok(reference) => believed.push((event.happened, reference)),
            Err(why) => {
                let name = event.names.first().cloned().unwrap_or_default();
                received.refused.push(Refused { name, why });
            }
        }
    }
    let received = server
        .blocking(move |server| {
            let store = server.store()?;
            for (happened, reference) in &believed {
                match happened {
                    Happened::Pushed => pushed(server, &principal, reference, &mut received)?,
                    Happened::Deleted => deleted(server, store, reference, &mut received)?,
                }
            }
            if !received.submitted.is_empty() {
                server.bell.ring();
            }
            Ok(received)
        })
        .await?;
    Ok((StatusCode::ACCEPTED, Json(received)))
}

/// The image that an event speaks of, by the first of its names that is believed; why none is.
fn believe(event: &Event, server: &Server, principal: &Principal) -> Result<RegistryReference, String> {
    let mut why = Vec::new();
    for name in &event.names {
        let tag = event.tag.as_ref().map_or(String::new(), |tag| format!(":{tag}"));
        let digest = event.digest.as_ref().map_or(String::new(), |digest| format!("@{digest}"));
        let found = RegistryReference::from_str(&format!("{name}{tag}{digest}"))
            .map_err(|error| error.to_string())
            .and_then(|reference| belief::check(&reference, &server.config).map(|()| reference));
        match found {
            Ok(reference) if principal.may_submit(reference.name.host(), reference.name.path()) => {
                return Ok(reference);
            }
            Ok(reference) => why.push(format!("this token may not submit `{}`", reference.name)),
            Err(reason) => why.push(reason),
        }
    }
    Err(why.into_iter().next().unwrap_or_else(|| "it has no name".to_owned()))
}

fn pushed(
    server: &Server,
    principal: &Principal,
    reference: &RegistryReference,
    received: &mut Received,
) -> Result<(), Refusal> {
    let store = server.store()?;
    let text = reference.to_string();
    let submission = submission::of_reference(&text, None, false, Asked::WATCHED, &server.config);
    let submission = match submission.and_then(|submission| submission::by(principal, submission)) {
        Ok(submission) => submission,
        Err(refusal) => {
            received.refused.push(Refused { name: text, why: refusal.message });
            return Ok(());
        }
    };
    let now = (server.now)();
    // First: whoever is killed in between submits it again, instead of never.
    if !store.submit(&submission, now)?.is_place_noted {
        let problem =
            format!("`{text}` is scanned, and is in too many repositories to remember this one of it");
        received.problems.push(problem);
    }
    // Who is held to some repositories is believed nothing that the registry does not show.
    if let (Some(tag), Some(digest), false) = (&reference.tag, &reference.digest, principal.is_limited()) {
        store.note_tags(&[noted(reference, tag, digest, now)], now)?;
    }
    received.submitted.push(text);
    Ok(())
}

fn noted(reference: &RegistryReference, tag: &str, digest: &Digest, now: Timestamp) -> Tag {
    Tag {
        registry: reference.name.host().to_owned(),
        repository: reference.name.path().to_owned(),
        tag: tag.to_owned(),
        digest: digest.clone(),
        since: now,
        seen_at: now,
    }
}

/// Forgets a tag, or all tags that lead to a digest.
fn deleted(
    server: &Server,
    store: &Store,
    reference: &RegistryReference,
    received: &mut Received,
) -> Result<(), Refusal> {
    if reference.tag.is_none() && reference.digest.is_none() {
        let problem = format!("`{}` is deleted, but not which tag or digest of it", reference.name);
        received.problems.push(problem);
        return Ok(());
    }
    let filter = TagFilter {
        registry: reference.name.host().to_owned(),
        repository: reference.name.path().to_owned(),
        rows_max: TAGS_MAX,
        ..TagFilter::default()
    };
    // With the image all its tags go; a tag alone leaves the others.
    let is_meant = |tag: &Tag| match &reference.digest {
        Some(digest) => tag.digest == *digest,
        None => reference.tag.as_ref() == Some(&tag.tag),
    };
    let gone: Vec<Tag> = store.tags(&filter)?.into_iter().filter(is_meant).collect();
    let names = gone.iter().map(|tag| format!("{}:{}", reference.name, tag.tag));
    received.forgotten.extend(names);
    store.forget_these_tags(&gone, (server.now)())?;
    Ok(())
}

#[cfg(test)]
mod tests;
