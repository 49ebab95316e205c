//! By AMQP 0.9.1, as Clair does: a message that says where to read, or with `direct` the notifications themselves.
//! What Clair knows nothing of is a CloudEvent.
//!
//! The exchange is only asked for, never made. Each message is confirmed by the broker, and it counts as an error where
//! no queue takes it: it would be lost.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use jiff::Timestamp;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::types::FieldTable;
use lapin::uri::{AMQPScheme, AMQPUri, SASLMechanism};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ExchangeKind};
use plimsoll_net::redacted;
use plimsoll_store::Delivery;

use super::{Around, Draft, Kind, Prepared, Ways, Went, clair, needed};
use crate::config::{TargetConfig, secret};
use crate::notify::topics::{Occurrence, What};
use crate::notify::{cloudevents, items};
use crate::warnings::message::clean;

/// The row.
pub(super) static KIND: Kind = Kind {
    name: "amqp",
    about: "a message through an AMQP 0.9.1 broker",
    keys: &[
        "url",
        "exchange",
        "routing_key",
        "direct",
        "rollup",
        "credentials",
        "ca",
        "identity_file",
        "identity_password_file",
        "allow_plain",
        "callback",
        "disable_summary",
    ],
    tells: |_| true,
    open,
};

/// Longest time for connecting, and for handing over all messages of one go.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(60);

/// Most messages of one go.
const BATCH_MAX: u32 = 64;

/// Notifications in one message where nothing else is configured.
const ROLLUP: u32 = 100;

/// Largest file with a certificate, in bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// AMQP's mark of a message that outlives a restart of the broker.
const PERSISTENT: u8 = 2;

fn open(config: &TargetConfig, around: &Around<'_>) -> anyhow::Result<Ways> {
    let routing_key = needed(&config.routing_key, "routing_key")?;
    for (key, text) in
        [("exchange", config.exchange.as_deref().unwrap_or_default()), ("routing_key", routing_key)]
    {
        if text.len() > usize::from(u8::MAX) {
            bail!("`{key}` is longer than 255 bytes, which AMQP cannot say");
        }
    }
    let is_direct = config.direct.unwrap_or_default();
    let rollup = match config.rollup {
        Some(0) => bail!("`rollup` is 0; leave it out for {ROLLUP}"),
        Some(_) if !is_direct => bail!("`rollup` is of use only with `direct = true`"),
        rollup => usize::try_from(rollup.unwrap_or(ROLLUP)).unwrap_or(usize::MAX),
    };
    drop((uri(config)?, tls(config)?));
    let (name, source) = (around.name.to_owned(), around.server_url.to_owned());
    let callback = (!is_direct).then(|| clair::callback(config, around));
    let is_each = config.disable_summary.unwrap_or_default();
    let config = config.clone();
    Ok(Ways {
        prepare: Box::new(move |happened, now| {
            let (findings, others): (Vec<_>, Vec<_>) = happened
                .iter()
                .cloned()
                .partition(|(_, happened)| matches!(happened.what, What::Findings(_)));
            let mut prepared = match &callback {
                Some(callback) => by_callback(&name, callback, &findings, is_each, now),
                None => directly(&name, rollup, &findings, is_each, now),
            };
            prepared.drafts.extend(others.iter().map(|(key, happened)| Draft {
                key: key.clone(),
                media_type: cloudevents::MEDIA_TYPE,
                body: cloudevents::json(happened, &source),
                due_at: now,
            }));
            prepared
        }),
        send: Box::new(move |deliveries, now| {
            let mut answered = Vec::with_capacity(deliveries.len());
            let sent = send(&config, deliveries, now, &mut answered);
            with_the_rest(answered, sent, deliveries.len())
        }),
        batch_max: BATCH_MAX,
        gathers: None,
    })
}

/// One message that says where all of it is to be read.
fn by_callback(
    name: &str,
    callback: &str,
    findings: &[(String, Occurrence)],
    is_each: bool,
    now: Timestamp,
) -> Prepared {
    let items = items::items(findings, is_each);
    if items.is_empty() {
        return Prepared::default();
    }
    let id = items::notice_id(name, findings);
    let draft = Draft {
        key: id.clone(),
        media_type: "application/json",
        body: clair::body(&id, callback),
        due_at: now,
    };
    Prepared { drafts: vec![draft], notices: vec![(id, items)] }
}

/// Messages with so many notifications each.
fn directly(
    name: &str,
    rollup: usize,
    findings: &[(String, Occurrence)],
    is_each: bool,
    now: Timestamp,
) -> Prepared {
    let items = items::items(findings, is_each);
    let id = items::notice_id(name, findings);
    let drafts = items.chunks(rollup).enumerate().map(|(at, items)| {
        let bodies: Vec<&str> = items.iter().map(|item| item.body.as_str()).collect();
        Draft {
            key: format!("{id}/{at}"),
            media_type: "application/json",
            body: format!("[{}]", bodies.join(",")),
            due_at: now,
        }
    });
    Prepared { drafts: drafts.collect(), notices: Vec::new() }
}

fn uri(config: &TargetConfig) -> anyhow::Result<AMQPUri> {
    let url = needed(&config.url, "url")?;
    let bad = || format!("`{}` is no broker; write `amqps://HOST/VHOST`", redacted(url));
    let mut uri: AMQPUri = url.parse().ok().with_context(bad)?;
    if url.split_once("://").is_some_and(|(_, rest)| rest.split('/').next().unwrap_or_default().contains('@'))
    {
        bail!("the broker's URL has a user in it; they belong in `credentials`");
    }
    if uri.scheme == AMQPScheme::AMQP && !config.allow_plain {
        bail!("{}, or say `allow_plain = true`", bad());
    }
    match &config.credentials {
        Some(credentials) => {
            let user = credentials.user.clone().context("the credentials have no `user`")?;
            uri.authority.userinfo.username = user;
            uri.authority.userinfo.password =
                secret(credentials.password_file.as_deref(), credentials.password_env.as_deref())?;
        }
        // The certificate says who it is.
        None if config.identity_file.is_some() => uri.query.auth_mechanism = Some(SASLMechanism::External),
        None => bail!("`credentials` or `identity_file` is missing; a broker asks who it is"),
    }
    Ok(uri)
}

fn tls(config: &TargetConfig) -> anyhow::Result<OwnedTLSConfig> {
    let read = |path: &std::path::Path| {
        let shown = path.display();
        let size = std::fs::metadata(path).with_context(|| format!("cannot read `{shown}`"))?.len();
        if size > FILE_BYTES_MAX {
            bail!("`{shown}` has {size} bytes, too many for a certificate");
        }
        std::fs::read(path).with_context(|| format!("cannot read `{shown}`"))
    };
    let identity = match &config.identity_file {
        None if config.identity_password_file.is_some() => bail!("`identity_file` is missing"),
        None => None,
        Some(path) => {
            let password = match &config.identity_password_file {
                None => String::new(),
                Some(file) => secret(Some(file), None)?,
            };
            Some(OwnedIdentity::PKCS12 { der: read(path)?, password })
        }
    };
    let cert_chain = match &config.ca {
        None => None,
        Some(path) => Some(
            String::from_utf8(read(path)?).ok().with_context(|| format!("`{}` is no PEM", path.display()))?,
        ),
    };
    Ok(OwnedTLSConfig { identity, cert_chain })
}

/// How all of them went: those that the broker answered as it did, however handing over ended; the others, of which it is
/// not known whether they came, are sent again under the same message id.
fn with_the_rest(mut answered: Vec<Went>, sent: anyhow::Result<()>, count: usize) -> Vec<Went> {
    if let Err(error) = sent {
        let error = clean(&format!("{error:#}"));
        answered.resize(count, Went::Later { error, after: None });
    }
    answered
}

/// Connects, hands everything over, and leaves. `answered` gets what the broker says of each, as far as it does.
fn send(
    config: &TargetConfig,
    deliveries: &[Delivery],
    now: Timestamp,
    answered: &mut Vec<Went>,
) -> anyhow::Result<()> {
    let (uri, tls) = (uri(config)?, tls(config)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shown = redacted(config.url.as_deref().unwrap_or_default());
    let went = runtime.block_on(async {
        let handed =
            tokio::time::timeout(TOTAL_TIMEOUT, hand_over(config, uri, tls, deliveries, now, answered)).await;
        handed.map_err(|_| anyhow!("it took longer than {} s", TOTAL_TIMEOUT.as_secs()))?
    });
    runtime.shutdown_background();
    went.with_context(|| format!("cannot send through `{shown}`"))
}

async fn hand_over(
    config: &TargetConfig,
    uri: AMQPUri,
    tls: OwnedTLSConfig,
    deliveries: &[Delivery],
    now: Timestamp,
    answered: &mut Vec<Went>,
) -> anyhow::Result<()> {
    let properties = ConnectionProperties::default().with_connection_name("plimsoll".into());
    let runtime = lapin::runtime::default_runtime()?;
    let connection = Connection::connect_uri_with_config(uri, properties, tls, runtime).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let exchange = config.exchange.clone().unwrap_or_default();
    if !exchange.is_empty() {
        // The kind is not looked at where nothing is made.
        let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let declared = channel.exchange_declare(
            exchange.as_str().into(),
            ExchangeKind::Direct,
            options,
            FieldTable::default(),
        );
        declared.await.with_context(|| format!("the exchange `{exchange}` cannot be used"))?;
    }
    for delivery in deliveries {
        answered.push(publish(config, &channel, &exchange, delivery, now).await?);
    }
    // Everything is confirmed; how the broker takes its leave changes nothing.
    drop(connection.close(200, "done".into()).await);
    Ok(())
}

async fn publish(
    config: &TargetConfig,
    channel: &Channel,
    exchange: &str,
    delivery: &Delivery,
    now: Timestamp,
) -> anyhow::Result<Went> {
    let routing_key = config.routing_key.as_deref().unwrap_or_default();
    let properties = BasicProperties::default()
        .with_content_type(delivery.media_type.as_str().into())
        .with_app_id("plimsoll".into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(delivery.key.as_str().into())
        .with_timestamp(u64::try_from(now.as_second()).unwrap_or_default());
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let published =
        channel.basic_publish(exchange.into(), routing_key.into(), options, &delivery.body, properties);
    Ok(match published.await?.await? {
        Confirmation::Ack(None) => Went::Delivered,
        Confirmation::Ack(Some(_)) => Went::Later {
            error: format!("no queue takes messages with the routing key `{routing_key}`; bind one"),
            after: None,
        },
        Confirmation::Nack(_) | Confirmation::NotRequested => Went::Later {
            error: "the broker does not take responsibility for the message".to_owned(),
            after: None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was confirmed before the connection broke is not sent again, and what was refused keeps its reason.
    #[test]
    fn what_a_broker_answered_stays_answered() {
        let later = |error: &str| Went::Later { error: error.to_owned(), after: None };
        let broken =
            || Err(anyhow!("the connection is closed").context("cannot send through `amqps://mq.example`"));
        let lost = || later("cannot send through `amqps://mq.example`: the connection is closed");
        for (answered, sent, wanted) in [
            (vec![], broken(), vec![lost(), lost(), lost()]),
            (vec![Went::Delivered], broken(), vec![Went::Delivered, lost(), lost()]),
            (
                vec![Went::Delivered, later("bind one")],
                broken(),
                vec![Went::Delivered, later("bind one"), lost()],
            ),
            (vec![Went::Delivered; 3], broken(), vec![Went::Delivered; 3]),
            (vec![Went::Delivered; 3], Ok(()), vec![Went::Delivered; 3]),
        ] {
            assert_eq!(with_the_rest(answered, sent, 3), wanted);
        }
    }
}
