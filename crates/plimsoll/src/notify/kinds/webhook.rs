//! By an HTTP request with a CloudEvent, signed as Standard Webhooks has it.
//!
//! The signature is made anew for each attempt: a receiver refuses old timestamps. The id stays, by which it knows
//! what it took before.

use aws_lc_rs::hmac;
use plimsoll_net::{Client, Request};

use super::{Around, Draft, Kind, Prepared, Ways, Went, needed};
use crate::config::{TargetConfig, secret};
use crate::notify::{cloudevents, posting};
use crate::signing;
use crate::warnings::message::clean;

/// The row.
pub(super) static KIND: Kind = Kind {
    name: "webhook",
    about: "an HTTP request with a signed CloudEvent",
    keys: &["url", "secret_files", "secret_envs", "credentials", "ca", "allow_plain"],
    tells: |_| true,
    open,
};

fn open(config: &TargetConfig, around: &Around<'_>) -> anyhow::Result<Ways> {
    let url = needed(&config.url, "url")?.to_owned();
    keys(config)?;
    let client = posting::client(config, &url, around.net)?;
    authorized(&client, config, &url)?;
    let source = around.server_url.to_owned();
    let config = config.clone();
    Ok(Ways {
        prepare: Box::new(move |happened, now| {
            let drafts = happened.iter().map(|(key, happened)| Draft {
                key: key.clone(),
                media_type: cloudevents::MEDIA_TYPE,
                body: cloudevents::json(happened, &source),
                due_at: now,
            });
            Prepared { drafts: drafts.collect(), notices: Vec::new() }
        }),
        send: Box::new(move |deliveries, now| {
            let sent = deliveries.iter().map(|delivery| {
                let body = String::from_utf8_lossy(&delivery.body);
                let request =
                    Request::post(&url, body.as_bytes()).header("Content-Type", &delivery.media_type);
                let id = id(&body).unwrap_or_else(|| format!("dlv_{}", delivery.number));
                match keys(&config).and_then(|keys| Ok((keys, authorized(&client, &config, &url)?))) {
                    Ok((keys, client)) => {
                        let request = signing::signed(request, &id, now.as_second(), &body, &keys);
                        posting::post(&client, &request, now)
                    }
                    Err(error) => Went::Later { error: clean(&format!("{error:#}")), after: None },
                }
            });
            sent.collect()
        }),
        batch_max: 1,
        gathers: None,
    })
}

/// A client that says who this server is, as the files and variables say it now.
fn authorized(client: &Client, config: &TargetConfig, url: &str) -> anyhow::Result<Client> {
    match &config.credentials {
        Some(credentials) => Ok(client.authorized(url, credentials.authorization()?)?),
        None => Ok(client.clone()),
    }
}

/// The keys that sign, in the order in which they are configured.
fn keys(config: &TargetConfig) -> anyhow::Result<Vec<hmac::Key>> {
    let files = config.secret_files.iter().flatten().map(|file| secret(Some(file), None));
    let variables = config.secret_envs.iter().flatten().map(|variable| secret(None, Some(variable)));
    files.chain(variables).map(|secret| signing::key(&secret?)).collect()
}

/// The id in the body, which is the event's.
fn id(body: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct OnlyId {
        id: String,
    }
    serde_json::from_str::<OnlyId>(body).ok().map(|event| event.id)
}
