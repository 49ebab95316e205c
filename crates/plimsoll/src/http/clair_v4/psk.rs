//! Tokens that are signed with a key that both sides share, as Quay sends them to Clair.
//!
//! Quay's tokens say who signed them and when they end, and nothing else; so what is not stated is not demanded.

use std::fmt;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

use crate::access::{Knows, Principal, unauthorized};
use crate::config::{Config, Scope};

/// Who Clair's own parts say that they are; always let in.
const OWN_ISSUER: &str = "clair-intraservice";

/// By how much clocks may differ, in seconds.
const LEEWAY_SECONDS: f64 = 15.0;

/// Longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// A shared key, and who may sign with it.
pub(crate) struct Keys {
    verifying: DecodingKey,
    issuers: Vec<String>,
}

/// Why a token does not count. Told to the log; a client learns only that it is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadToken {
    /// It is no token, of another algorithm, or not signed with the key.
    Signature,
    /// Its time is over.
    Expired,
    /// Its time is yet to come.
    Early,
    /// Somebody signed it who may not.
    Issuer,
}

impl fmt::Display for BadToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadToken::Signature => "it is not signed with the shared key",
            BadToken::Expired => "it has expired",
            BadToken::Early => "it is from the future; compare the clocks",
            BadToken::Issuer => "its issuer is not one of `issuers` in `[server.psk]`",
        })
    }
}

/// What a token says. Times are numbers that may have a fraction (RFC 7519, section 2).
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    iss: String,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
}

impl Keys {
    /// Reads a key as Quay and Clair are configured with it, in base64.
    pub(crate) fn read(key: &str, issuers: &[String]) -> anyhow::Result<Keys> {
        let bytes = BASE64_STANDARD.decode(key.trim()).ok().context("the shared key is not base64")?;
        if bytes.is_empty() {
            bail!("the shared key is empty");
        }
        Ok(Keys { verifying: DecodingKey::from_secret(&bytes), issuers: issuers.to_vec() })
    }
}

/// The way to know whose such a token is, where a key is configured. Whoever has the key may do all that Clair's API
/// has.
pub(crate) fn knows(config: &Config) -> anyhow::Result<Option<Knows>> {
    let Some(key) = config.server.psk.key().context("in `[server.psk]`")? else { return Ok(None) };
    let keys = Keys::read(&key, &config.server.psk.issuers).context("in `[server.psk]`")?;
    let knows = move |token: &str, now: Timestamp| match verify(&keys, token, now) {
        Ok(issuer) => Some(Ok(Principal::everywhere(format!("psk:{issuer}"), Scope::Admin))),
        // It may be somebody else's.
        Err(BadToken::Signature) => None,
        Err(bad) => Some(Err(unauthorized(format!("the token is not taken: {bad}")))),
    };
    Ok(Some(Box::new(knows)))
}

/// Who signed a token, where it counts now.
pub(crate) fn verify(keys: &Keys, token: &str, now: Timestamp) -> Result<String, BadToken> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(BadToken::Signature);
    }
    let mut validation = Validation::new(Algorithm::HS256);
    validation.algorithms = vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
    // Times are compared below: with our clock, and only where they are stated.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let decoded = decode::<Said>(token, &keys.verifying, &validation).map_err(|_| BadToken::Signature)?;
    let Said { iss, exp, nbf, iat } = decoded.claims;
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact in 53 bits")]
    let now = now.as_second() as f64;
    if exp.is_some_and(|exp| now > exp + LEEWAY_SECONDS) {
        return Err(BadToken::Expired);
    }
    if [nbf, iat].into_iter().flatten().any(|from| now < from - LEEWAY_SECONDS) {
        return Err(BadToken::Early);
    }
    if iss != OWN_ISSUER && !keys.issuers.contains(&iss) {
        return Err(BadToken::Issuer);
    }
    Ok(iss)
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_900_000_000;

    fn now() -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }

    fn keys(byte: u8) -> Keys {
        Keys::read(&BASE64_STANDARD.encode([byte; 32]), &["quay".to_owned()]).unwrap()
    }

    fn token(algorithm: Algorithm, claims: &Value, byte: u8) -> String {
        encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(&[byte; 32])).unwrap()
    }

    #[test]
    fn tokens_count_by_what_they_state() {
        let (own, table) = (
            keys(7),
            [
                (json!({"iss": "quay", "exp": NOW + 300}), Ok("quay")),
                (json!({"iss": "quay"}), Ok("quay")),
                (json!({"iss": "clair-intraservice", "exp": NOW}), Ok("clair-intraservice")),
                (json!({"iss": "quay", "exp": NOW - 15}), Ok("quay")),
                (json!({"iss": "quay", "exp": NOW - 16}), Err(BadToken::Expired)),
                (json!({"iss": "quay", "nbf": NOW + 15}), Ok("quay")),
                (json!({"iss": "quay", "nbf": NOW + 16}), Err(BadToken::Early)),
                (json!({"iss": "quay", "iat": 1_900_000_016.5}), Err(BadToken::Early)),
                (json!({"iss": "quay", "iat": 1_900_000_014.5, "aud": "whoever"}), Ok("quay")),
                (json!({"iss": "key"}), Err(BadToken::Issuer)),
                (json!({"exp": NOW + 300}), Err(BadToken::Issuer)),
                (json!({"iss": "quay", "exp": "soon"}), Err(BadToken::Signature)),
            ],
        );
        for (claims, expected) in table {
            for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                let got = verify(&own, &token(algorithm, &claims, 7), now());
                assert_eq!(got, expected.map(str::to_owned), "{claims}");
            }
        }
    }

    #[test]
    fn other_keys_and_other_algorithms_do_not_count() {
        let claims = json!({"iss": "quay", "exp": NOW + 300});
        let good = token(Algorithm::HS256, &claims, 7);
        assert_eq!(verify(&keys(8), &good, now()), Err(BadToken::Signature));
        let part = |value: Value| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signature = good.rsplit('.').next().unwrap();
        for (algorithm, signature) in
            [("none", ""), ("none", signature), ("RS256", signature), ("ES256", "AAAA")]
        {
            let header = part(json!({"alg": algorithm, "typ": "JWT"}));
            let forged = format!("{header}.{}.{signature}", part(claims.clone()));
            assert_eq!(verify(&keys(7), &forged, now()), Err(BadToken::Signature), "{algorithm}");
        }
        for not_a_token in ["", ".", "a.b.c", &good[1..], &"a".repeat(TOKEN_BYTES_MAX + 1)] {
            assert_eq!(verify(&keys(7), not_a_token, now()), Err(BadToken::Signature));
        }
    }

    #[test]
    fn keys_are_base64() {
        for key in ["", "geheim!", "c2hvcnQ"] {
            assert!(Keys::read(key, &[]).is_err(), "{key}");
        }
    }
}
