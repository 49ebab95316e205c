//! Signing what is sent to webhooks, as Standard Webhooks has it (standardwebhooks.com, specification 1.0.0):
//! HMAC-SHA256 over `ID.TIMESTAMP.BODY`, so that the receiver knows who speaks, and that it is no old message.
//!
//! Warnings and notifications share it. There may be several keys at once: while a secret is replaced, a receiver
//! takes whichever signature it can verify.

use anyhow::{Context as _, bail};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use plimsoll_net::Request;

/// Shortest secret, in bytes; the specification's.
const SECRET_BYTES_MIN: usize = 24;

/// Reads a secret: base64, with or without `whsec_`.
pub(crate) fn key(secret: &str) -> anyhow::Result<hmac::Key> {
    let encoded = secret.strip_prefix("whsec_").unwrap_or(secret);
    let bytes = BASE64_STANDARD.decode(encoded).ok().context("the webhook's secret is not base64")?;
    if bytes.len() < SECRET_BYTES_MIN {
        bail!("the webhook's secret has {} bytes, {SECRET_BYTES_MIN} are the least", bytes.len());
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// A request with the three headers of the scheme; without keys it is not signed.
pub(crate) fn signed(request: Request, id: &str, at_second: i64, body: &str, keys: &[hmac::Key]) -> Request {
    let timestamp = at_second.to_string();
    let request = request.header("webhook-id", id).header("webhook-timestamp", &timestamp);
    if keys.is_empty() {
        return request;
    }
    let signatures: Vec<String> = keys.iter().map(|key| signature(key, id, &timestamp, body)).collect();
    request.header("webhook-signature", signatures.join(" "))
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
