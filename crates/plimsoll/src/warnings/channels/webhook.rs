//! By an HTTP request, signed as Standard Webhooks has it.
//!
//! A POST is sent once. One that fails is sent again at the next run, with the same id, by which a receiver that
//! took the first one knows it.

use std::time::Duration;

use anyhow::bail;
use aws_lc_rs::hmac;
use plimsoll_net::{Client, Request, Settings, redacted};

use super::{Channel, SendFn};
use crate::config::WarningsConfig;
use crate::config::secret;
use crate::signing;
use crate::warnings::message::Message;

/// The row.
pub(super) static CHANNEL: Channel =
    Channel { name: "webhook", is_configured: |config| config.webhook.is_some(), open };

/// Longest time for the whole request: a receiver takes a message and answers, it does not work on it.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(60);

fn open(config: &WarningsConfig, net: &Settings) -> anyhow::Result<Option<SendFn>> {
    let Some(config) = &config.webhook else { return Ok(None) };
    let key = match (config.secret_file.as_deref(), config.secret_env.as_deref()) {
        (None, None) => None,
        (file, variable) => Some(signing::key(&secret(file, variable)?)?),
    };
    let mut settings = net.clone();
    settings.ca_files.extend(config.ca.clone());
    settings.total_timeout = TOTAL_TIMEOUT;
    if config.allow_plain {
        // Nothing but this one URL is asked: a POST is not redirected.
        settings.plain_http_hosts = vec!["*".to_owned()];
    }
    if !config.url.starts_with("https://") && !config.url.starts_with("http://") {
        bail!("`{}` is no URL for a webhook; write `https://HOST/PATH`", redacted(&config.url));
    }
    let client = Client::new(settings)?;
    let url = config.url.clone();
    Ok(Some(Box::new(move |message: &Message| {
        let response = client.send(&request(&url, message, key.as_ref()))?;
        if !response.is_success() {
            bail!("`{}` answers with status {}", redacted(&url), response.status);
        }
        Ok(())
    })))
}

fn request(url: &str, message: &Message, key: Option<&hmac::Key>) -> Request {
    let body = message.json();
    let request = Request::post(url, body.as_bytes()).header("Content-Type", "application/json");
    signing::signed(
        request,
        &message.id,
        message.at.as_second(),
        &body,
        key.map_or(&[], std::slice::from_ref),
    )
}
