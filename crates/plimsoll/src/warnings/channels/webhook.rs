//! By an HTTP request, signed as Standard Webhooks has it (standardwebhooks.com, specification 1.0.0):
//! HMAC-SHA256 over `ID.TIMESTAMP.BODY`, so that the receiver knows who speaks, and that it is no old message.
//!
//! A POST is sent once. One that fails is sent again at the next run, with the same id, by which a receiver that
//! took the first one knows it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use plimsoll_net::{Client, Request, Settings, redacted};

use super::{Channel, SendFn};
use crate::config::WarningsConfig;
use crate::config::secret;
use crate::warnings::message::Message;

/// The row.
pub(super) static CHANNEL: Channel =
    Channel { name: "webhook", is_configured: |config| config.webhook.is_some(), open };

/// Longest time for the whole request: a receiver takes a message and answers, it does not work on it.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(60);

/// Shortest secret, in bytes; the specification's.
const SECRET_BYTES_MIN: usize = 24;

fn open(config: &WarningsConfig, net: &Settings) -> anyhow::Result<Option<SendFn>> {
    let Some(config) = &config.webhook else { return Ok(None) };
    let key = match (config.secret_file.as_deref(), config.secret_env.as_deref()) {
        (None, None) => None,
        (file, variable) => Some(key(&secret(file, variable)?)?),
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

fn key(secret: &str) -> anyhow::Result<hmac::Key> {
    let encoded = secret.strip_prefix("whsec_").unwrap_or(secret);
    let bytes = BASE64_STANDARD.decode(encoded).ok().context("the webhook's secret is not base64")?;
    if bytes.len() < SECRET_BYTES_MIN {
        bail!("the webhook's secret has {} bytes, {SECRET_BYTES_MIN} are the least", bytes.len());
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn request(url: &str, message: &Message, key: Option<&hmac::Key>) -> Request {
    let body = message.json();
    let timestamp = message.at.as_second().to_string();
    let request = Request::post(url, body.as_bytes())
        .header("Content-Type", "application/json")
        .header("webhook-id", &message.id)
        .header("webhook-timestamp", &timestamp);
    match key {
        Some(key) => request.header("webhook-signature", signature(key, &message.id, &timestamp, &body)),
        None => request,
    }
}

fn signature(key: &hmac::Key, id: &str, timestamp: &str, body: &str) -> String {
    let tag = hmac::sign(key, format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn signatures_are_those_of_the_specification() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_are_base64_and_long_enough() {
        assert!(key("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_ok(), "the prefix may be missing");
        for secret in ["", "whsec_", "whsec_****", "c2hvcnQ="] {
            assert!(key(secret).is_err(), "{secret}");
        }
    }
}
