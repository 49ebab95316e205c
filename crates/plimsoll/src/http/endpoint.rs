//! What an endpoint is: a row that says what is asked, who may ask, what is answered, and who does it.

use std::sync::Arc;

use axum::routing::MethodRouter;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::server::Server;

/// One way to ask the server.
pub(crate) struct Endpoint {
    /// How.
    pub(crate) method: Method,
    /// Where, as axum writes it: `/api/v1/scans/{id}`.
    pub(crate) path: &'static str,
    /// Unique among all endpoints, camelCase: OpenAPI's `operationId`.
    pub(crate) id: &'static str,
    /// One line for people.
    pub(crate) about: &'static str,
    /// Who may ask.
    pub(crate) access: Access,
    /// Whether it answers before the store is open and while the server ends.
    pub(crate) is_always_there: bool,
    /// What is asked in the path, the query and the headers.
    pub(crate) parameters: &'static [Parameter],
    /// What is sent along.
    pub(crate) body: Option<Payload>,
    /// Everything that may be answered, but for what stands before every handler: 401 and 403 where access is
    /// limited, 408 and 413 where there is a body, 429, 500 and 503.
    pub(crate) answers: &'static [Answer],
    /// Who answers.
    pub(crate) route: fn() -> MethodRouter<Arc<Server>>,
}

/// How it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// Reads.
    Get,
    /// Asks for something to be done.
    Post,
    /// Takes away.
    Delete,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody.
    Public,
    /// Who may read; what belongs to repositories only as far as the token reaches.
    Read,
    /// Who may have images scanned.
    Submit,
    /// Who may change what the server does.
    Admin,
    /// Who may read metrics, which the configuration says.
    Metrics,
    /// Who may ask whether pods may start, which the configuration says.
    Admission,
}

/// One thing that is asked.
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: &'static str,
    /// Where it stands.
    pub(crate) place: Place,
    /// For people.
    pub(crate) about: &'static str,
    /// Whether it must be there; in a path it always is.
    pub(crate) is_required: bool,
    /// What it looks like.
    pub(crate) schema: SchemaFn,
}

impl Parameter {
    /// One in the path, which is always there.
    pub(crate) const fn path(name: &'static str, about: &'static str, schema: SchemaFn) -> Parameter {
        Parameter { name, place: Place::Path, about, is_required: true, schema }
    }

    /// One in the query that may be left out.
    pub(crate) const fn query(name: &'static str, about: &'static str, schema: SchemaFn) -> Parameter {
        Parameter { name, place: Place::Query, about, is_required: false, schema }
    }

    /// One in the headers that may be left out.
    pub(crate) const fn header(name: &'static str, about: &'static str, schema: SchemaFn) -> Parameter {
        Parameter { name, place: Place::Header, about, is_required: false, schema }
    }

    /// The same, which must be there.
    pub(crate) const fn needed(self) -> Parameter {
        Parameter { is_required: true, ..self }
    }
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// In a header.
    Header,
}

/// What is sent, either way.
pub(crate) struct Payload {
    /// Its media types, the usual one first.
    pub(crate) media_types: &'static [&'static str],
    /// What it looks like.
    pub(crate) schema: SchemaFn,
}

/// One answer.
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// When it comes, for people.
    pub(crate) about: &'static str,
    /// Headers that come with it: name and meaning.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// What comes with it.
    pub(crate) payload: Option<Payload>,
}

/// Makes a schema.
pub(crate) type SchemaFn = fn(&mut SchemaGenerator) -> Schema;

/// The schema of a type.
pub(crate) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
