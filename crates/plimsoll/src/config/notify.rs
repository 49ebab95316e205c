//! `[notify.NAME]`: who is told of what happens to images and feeds.
//!
//! One flat table a target, whatever its kind. Each kind is a row in `notify/kinds/` and says which of the keys it takes;
//! what it does not take is refused there.

use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::credentials::CredentialsConfig;
use super::units::Time;
use crate::notify::kinds::KINDS;
use crate::notify::severity;
use crate::notify::topics::TOPICS;

/// One target of notifications. Which keys it takes besides `kind`, `events`, `severity`, `fixable`, `repositories`,
/// `new_only`, `queue_max` and `queue_age_max` depends on its kind.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TargetConfig {
    /// How it is told.
    #[schemars(schema_with = "kind_schema")]
    pub(crate) kind: String,
    /// What it is told of. Without it all that its kind can tell.
    #[schemars(schema_with = "events_schema")]
    pub(crate) events: Option<Vec<String>>,
    /// Only of images with a finding, or of findings, that are at least so bad. `unknown`, the least, takes those of
    /// which nobody says how bad they are.
    #[schemars(schema_with = "severity_schema")]
    pub(crate) severity: Option<String>,
    /// Only of findings that have a fix.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) fixable: bool,
    /// Only of images in these repositories: `HOST/NAMESPACE/NAME`, in which `*` stands for anything but a `/`, `?`
    /// for one such character and `**` for anything. Without it all.
    pub(crate) repositories: Option<Vec<String>>,
    /// Only of what was not there before: findings that a new advisory database adds, and the first scan of an image.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) new_only: bool,

    /// Most deliveries that wait for it. Where there are more, the oldest are dropped, which is told. Without it 10000.
    pub(crate) queue_max: Option<u32>,
    /// How long a delivery may wait for it before it is dropped, which is told. Without it `7d`.
    pub(crate) queue_age_max: Option<Time>,

    /// `webhook`, `clair`: where the request goes. `amqp`: `amqps://HOST[:PORT][/VHOST]`.
    pub(crate) url: Option<String>,
    /// `webhook`: files with secrets that sign requests, as Standard Webhooks has it: base64, with or without `whsec_`.
    /// Each signs, so that a new one can be added before the old one is taken out.
    pub(crate) secret_files: Option<Vec<PathBuf>>,
    /// `webhook`: environment variables that hold such secrets.
    pub(crate) secret_envs: Option<Vec<String>>,
    /// `webhook`, `email`, `amqp`: who signs in.
    pub(crate) credentials: Option<CredentialsConfig>,
    /// Certificate authority to trust beside the system's (a PEM file).
    pub(crate) ca: Option<PathBuf>,
    /// Whether it may go without TLS.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) allow_plain: bool,

    /// `email`: the server, `smtps://HOST:465` or `smtp://HOST:587`.
    pub(crate) server: Option<String>,
    /// `email`: sender.
    pub(crate) from: Option<String>,
    /// `email`: receivers.
    pub(crate) to: Option<Vec<String>>,
    /// `email`: for how long what happens is gathered into one mail. Without it `15m`.
    pub(crate) digest: Option<Time>,

    /// `amqp`: the exchange, which must be there; empty for the default exchange.
    pub(crate) exchange: Option<String>,
    /// `amqp`: the routing key.
    pub(crate) routing_key: Option<String>,
    /// `amqp`: whether messages hold Clair's notifications themselves, not where to read them.
    pub(crate) direct: Option<bool>,
    /// `amqp` with `direct`: most notifications in one message. Without it 100.
    pub(crate) rollup: Option<u32>,
    /// `amqp`: a client's certificate and its key, for a broker that asks for one (a PKCS #12 file).
    pub(crate) identity_file: Option<PathBuf>,
    /// `amqp`: file with the password of `identity_file`.
    pub(crate) identity_password_file: Option<PathBuf>,

    /// `clair`, `amqp`: how whoever is told reaches `/notifier/api/v1/notification/` of this server. Without it made of
    /// `[server] url`.
    pub(crate) callback: Option<String>,
    /// `clair`: file with the pre-shared key, base64.
    pub(crate) psk_file: Option<PathBuf>,
    /// `clair`: environment variable that holds it.
    pub(crate) psk_env: Option<String>,
    /// `clair`, `amqp`: whether each finding is a notification of its own, not the worst of each image alone.
    pub(crate) disable_summary: Option<bool>,
}

fn is_false(value: &bool) -> bool {
    !*value
}

/// Keys that every kind takes.
const COMMON_KEYS: [&str; 8] =
    ["kind", "events", "severity", "fixable", "repositories", "new_only", "queue_max", "queue_age_max"];

impl TargetConfig {
    /// The first key that is set and that neither every kind takes nor this one.
    pub(crate) fn foreign_key(&self, keys: &[&str]) -> Option<String> {
        let Ok(toml::Value::Table(table)) = toml::Value::try_from(self) else { return None };
        table
            .into_iter()
            .map(|(key, _)| key)
            .find(|key| !COMMON_KEYS.contains(&key.as_str()) && !keys.contains(&key.as_str()))
    }
}

fn kind_schema(_: &mut SchemaGenerator) -> Schema {
    let words: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    json_schema!({"type": "string", "enum": words})
}

fn events_schema(_: &mut SchemaGenerator) -> Schema {
    let words: Vec<&str> = TOPICS.iter().map(|topic| topic.name).collect();
    json_schema!({"type": "array", "items": {"type": "string", "enum": words}})
}

fn severity_schema(_: &mut SchemaGenerator) -> Schema {
    let words = severity::NAMES;
    json_schema!({"type": "string", "enum": words})
}
