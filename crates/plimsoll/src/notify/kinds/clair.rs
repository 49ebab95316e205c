//! As Clair tells Quay: a request that says where to read, signed with the key that both share.
//!
//! The body names a notification, which whoever is told then reads page by page from `/notifier/api/v1/notification/`.
//! One notification is of all images whose events were read together.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use plimsoll_net::Request;
use serde_json::json;

use anyhow::Context as _;

use super::{Around, Draft, Kind, Prepared, Ways, Went, needed};
use crate::config::{TargetConfig, secret};
use crate::notify::topics::Topic;
use crate::notify::{items, posting};
use crate::warnings::message::clean;

/// The row.
pub(super) static KIND: Kind = Kind {
    name: "clair",
    about: "Clair's webhook, which Quay listens to",
    keys: &["url", "callback", "psk_file", "psk_env", "disable_summary", "ca", "allow_plain"],
    tells: Topic::is_of_findings,
    open,
};

/// The issuer that Clair names.
const ISSUER: &str = "clair-notifier";

/// How long before now a token begins, and after now ends, in seconds: Quay allows clocks no difference at all.
const SKEW_SECONDS: i64 = 60;

/// Where notifications are read, below the server's URL.
const CALLBACK_PATH: &str = "/notifier/api/v1/notification/";

fn open(config: &TargetConfig, around: &Around<'_>) -> anyhow::Result<Ways> {
    let url = needed(&config.url, "url")?.to_owned();
    key(config)?;
    let client = posting::client(config, &url, around.net)?;
    let (name, callback) = (around.name.to_owned(), callback(config, around));
    let is_each = config.disable_summary.unwrap_or_default();
    let config = config.clone();
    Ok(Ways {
        prepare: Box::new(move |happened, now| {
            let items = items::items(happened, is_each);
            if items.is_empty() {
                return Prepared::default();
            }
            let id = items::notice_id(&name, happened);
            let draft = Draft {
                key: id.clone(),
                media_type: "application/json",
                body: body(&id, &callback),
                due_at: now,
            };
            Prepared { drafts: vec![draft], notices: vec![(id, items)] }
        }),
        // Clair itself takes only 200 for an answer and tells for ever whoever says 204. Any 2xx says that it was
        // taken, and is believed here; Quay says 200.
        send: Box::new(move |deliveries, now| {
            let sent = deliveries.iter().map(|delivery| {
                // The body has a length: Quay's older releases refuse chunks.
                let request =
                    Request::post(&url, delivery.body.as_slice()).header("Content-Type", "application/json");
                match key(&config) {
                    Ok(None) => posting::post(&client, &request, now),
                    Ok(Some(key)) => {
                        let request = request.header("Authorization", format!("Bearer {}", token(&key, now)));
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

/// Where notifications are read, with `/` at its end.
pub(super) fn callback(config: &TargetConfig, around: &Around<'_>) -> String {
    let callback = config
        .callback
        .clone()
        .unwrap_or_else(|| format!("{}{CALLBACK_PATH}", around.server_url.trim_end_matches('/')));
    if callback.ends_with('/') { callback } else { callback + "/" }
}

/// What is said: which notification, and where to read it.
pub(super) fn body(id: &str, callback: &str) -> String {
    json!({"notification_id": id, "callback": format!("{callback}{id}")}).to_string()
}

fn key(config: &TargetConfig) -> anyhow::Result<Option<hmac::Key>> {
    if config.psk_file.is_none() && config.psk_env.is_none() {
        return Ok(None);
    }
    let encoded = secret(config.psk_file.as_deref(), config.psk_env.as_deref())?;
    let bytes = BASE64_STANDARD.decode(encoded.trim()).ok().context("the pre-shared key is not base64")?;
    anyhow::ensure!(!bytes.is_empty(), "the pre-shared key is empty");
    Ok(Some(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
}

/// A JSON Web Token (RFC 7519) with the claims that Quay demands.
fn token(key: &hmac::Key, now: Timestamp) -> String {
    let now = now.as_second();
    let claims = json!({
        "iss": ISSUER,
        "nbf": now - SKEW_SECONDS,
        "iat": now - SKEW_SECONDS,
        "exp": now + SKEW_SECONDS,
    });
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let part = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let tag = hmac::sign(key, signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};

    use super::*;

    /// Held against another implementation, with no leeway, as Quay has it.
    #[test]
    fn tokens_hold_now_and_with_clocks_a_minute_apart() {
        let secret = [7; 32];
        let now = Timestamp::now();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "nbf"]);
        validation.set_issuer(&[ISSUER]);
        let read = |token: &str, secret: &[u8]| {
            decode::<BTreeMap<String, serde_json::Value>>(
                token,
                &DecodingKey::from_secret(secret),
                &validation,
            )
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let claims = read(&token(&key, now), &secret).unwrap().claims;
        let names: Vec<&str> = claims.keys().map(String::as_str).collect();
        assert_eq!(names, ["exp", "iat", "iss", "nbf"]);
        assert_eq!(claims["iat"], now.as_second() - 60);
        assert_eq!(claims["exp"], now.as_second() + 60);
        assert!(read(&token(&key, now), &[8; 32]).is_err(), "another key");
        let ago = now - jiff::SignedDuration::from_secs(120);
        assert!(read(&token(&key, ago), &secret).is_err(), "too old");
    }

    #[test]
    fn callbacks() {
        let net = plimsoll_net::Settings::default();
        let around =
            Around { name: "quay", net: &net, server_url: "https://plimsoll.example", host: "ship.example" };
        let of = |callback: Option<&str>| {
            super::callback(
                &TargetConfig { callback: callback.map(str::to_owned), ..TargetConfig::default() },
                &around,
            )
        };
        assert_eq!(of(None), "https://plimsoll.example/notifier/api/v1/notification/");
        assert_eq!(of(Some("https://other.example/n")), "https://other.example/n/");
        insta::assert_snapshot!(
            body("c0ffee00-0000-8000-8000-000000000001", &of(None)),
            @r#"{"callback":"https://plimsoll.example/notifier/api/v1/notification/c0ffee00-0000-8000-8000-000000000001","notification_id":"c0ffee00-0000-8000-8000-000000000001"}"#
        );
    }
}
