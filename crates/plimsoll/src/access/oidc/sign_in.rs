//! Signing in at the provider with a browser: the authorization code flow (OpenID Connect Core 1.0, section 3.1), with
//! proof by key (RFC 7636, `S256`).
//!
//! Nothing is remembered here: what an answer is held against is in a cookie of the browser that began, so that any replica may take
//! the answer, and an answer that another browser was given is refused. The cookie needs no seal: whoever could change it
//! would only make their own sign-in fail.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use plimsoll_net::Request;
use plimsoll_report::html::view::query_of;
use plimsoll_report::link;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{ANSWER_TIME_MAX, DOCUMENT_BYTES_MAX, Provider, document, unauthorized};
use crate::config::{SignInConfig, secret};
use crate::refusal::Refusal;

/// Random bytes of each secret: as RFC 7636, section 7.1, wants them.
const SECRET_BYTES: usize = 32;

/// Longest word of the provider that is shown, in characters.
const WORD_CHARS_MAX: usize = 300;

/// Where the provider is asked.
#[derive(Debug)]
pub(super) struct Endpoints {
    authorization: String,
    token: String,
}

/// What an answer is held against. The browser keeps it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secrets {
    state: String,
    nonce: String,
    verifier: String,
}

impl Secrets {
    fn new() -> Result<Secrets, Refusal> {
        let random = || {
            let mut bytes = [0; SECRET_BYTES];
            let filled = rand::fill(&mut bytes);
            filled
                .map_err(|_| Refusal::new(500, "internal", "there are no random numbers to sign in with"))?;
            Ok::<String, Refusal>(URL_SAFE_NO_PAD.encode(bytes))
        };
        Ok(Secrets { state: random()?, nonce: random()?, verifier: random()? })
    }

    /// As a cookie has it.
    pub(crate) fn encode(&self) -> String {
        [self.state.as_str(), &self.nonce, &self.verifier].join(".")
    }

    /// What [`encode`](Self::encode) gave.
    pub(crate) fn decode(text: &str) -> Option<Secrets> {
        let is_own =
            |part: &&str| URL_SAFE_NO_PAD.decode(part).is_ok_and(|bytes| bytes.len() == SECRET_BYTES);
        let parts: Vec<&str> = text.split('.').filter(is_own).collect();
        let [state, nonce, verifier] = parts.as_slice() else { return None };
        let [state, nonce, verifier] = [state, nonce, verifier].map(|part| (*part).to_owned());
        Some(Secrets { state, nonce, verifier }).filter(|secrets| secrets.encode() == text)
    }

    /// Whether an answer is one to what this browser began.
    pub(crate) fn is_answered_by(&self, state: &str) -> bool {
        verify_slices_are_equal(self.state.as_bytes(), state.as_bytes()).is_ok()
    }
}

impl Provider {
    /// How people sign in at it, where they can.
    pub(crate) fn sign_in(&self) -> Option<&SignInConfig> {
        self.config.sign_in.as_ref()
    }

    /// Where a browser is sent, and what it keeps meanwhile. `back` is our own URL that it is sent back to.
    pub(crate) async fn begin(&self, back: &str, now: Timestamp) -> Result<(String, Secrets), Refusal> {
        let config = self.sign_in().ok_or_else(no_sign_in)?;
        let endpoints = self.endpoints(now).await?;
        let secrets = Secrets::new()?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&secrets.verifier));
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &config.client_id),
            ("redirect_uri", back),
            ("scope", &config.scopes.join(" ")),
            ("state", &secrets.state),
            ("nonce", &secrets.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        // RFC 6749, section 3.1: the endpoint may have a query of its own.
        let sign = if endpoints.authorization.contains('?') { '&' } else { '?' };
        Ok((format!("{}{sign}{query}", endpoints.authorization), secrets))
    }

    /// The token that a code is good for, verified, and that somebody may do something with it.
    pub(crate) async fn redeem(
        &self,
        code: &str,
        secrets: &Secrets,
        back: &str,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        let config = self.sign_in().ok_or_else(no_sign_in)?;
        let endpoints = self.endpoints(now).await?;
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", back),
            ("code_verifier", &secrets.verifier),
        ];
        let mut request = Request::post(&endpoints.token, Vec::new())
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Accept", "application/json");
        match &config.client_secret_file {
            // RFC 6749, section 2.3.1: both are encoded as in a form before they are joined.
            Some(file) => {
                let secret = secret(Some(file), None)
                    .map_err(|error| Refusal::new(500, "internal", format!("{error:#}")))?;
                let pair = format!("{}:{}", link::of_value(&config.client_id), link::of_value(&secret));
                request = request.header("Authorization", format!("Basic {}", STANDARD.encode(pair)));
            }
            None => pairs.push(("client_id", &config.client_id)),
        }
        request.body = Some(form(&pairs).into_bytes());
        let client = self.client.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let response = client.send(&request).map_err(|error| error.to_string())?;
            let status = response.status;
            let bytes = response.bytes(DOCUMENT_BYTES_MAX).map_err(|error| error.to_string())?;
            let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            Ok((status, answer))
        });
        let asked: Result<(u16, Value), String> = asked.await.map_err(|error| error.to_string()).flatten();
        let (status, answer) = asked.map_err(|why| unavailable(&why))?;
        let Some(token) = answer["id_token"].as_str().filter(|_| status == 200) else {
            let word = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
            return Err(refused(&word("error"), &word("error_description"), status));
        };
        let claims = self.verified(token, now).await?;
        let nonce = claims.rest.get("nonce").and_then(Value::as_str).unwrap_or_default();
        if verify_slices_are_equal(nonce.as_bytes(), secrets.nonce.as_bytes()).is_err() {
            return Err(unauthorized(
                "the token of the OpenID provider was made for another sign-in; sign in again",
            ));
        }
        self.principal(claims)?;
        Ok(token.to_owned())
    }

    /// Where the provider is asked; from its own document, which is kept like its keys.
    async fn endpoints(&self, now: Timestamp) -> Result<Arc<Endpoints>, Refusal> {
        let mut known = self.endpoints.lock().await;
        let lacks = known.value.is_none();
        let (client, config) = (self.client.clone(), self.config.clone());
        let (endpoints, why) = known.get(lacks, now, move || endpoints(&document(&client, &config)?)).await;
        endpoints.ok_or_else(|| {
            unavailable(why.as_deref().unwrap_or("it could not be asked less than a minute ago"))
        })
    }
}

fn endpoints(document: &Value) -> Result<Endpoints, String> {
    let text = |name: &str| {
        let url = document[name].as_str().unwrap_or_default();
        let is_url = plimsoll_net::host_and_port_of(url).is_some();
        is_url.then(|| url.to_owned()).ok_or_else(|| format!("its document has no `{name}`"))
    };
    Ok(Endpoints { authorization: text("authorization_endpoint")?, token: text("token_endpoint")? })
}

/// What the provider says where it lets nobody in (RFC 6749, sections 4.1.2.1 and 5.2).
pub(crate) fn refused(error: &str, description: &str, status: u16) -> Refusal {
    let short = |text: &str| text.chars().take(WORD_CHARS_MAX).collect::<String>();
    let error = if error.is_empty() { format!("status {status}") } else { short(error) };
    let description =
        if description.is_empty() { String::new() } else { format!(" ({})", short(description)) };
    unauthorized(format!(
        "the OpenID provider did not let you in: {error}{description}; sign in again, or ask whoever runs it"
    ))
}

fn no_sign_in() -> Refusal {
    Refusal::not_found("nobody signs in at a provider here: `[server.auth.oidc.sign_in]` is not configured")
}

fn unavailable(why: &str) -> Refusal {
    let seconds = ANSWER_TIME_MAX.as_secs();
    Refusal::unavailable(
        "unavailable",
        format!("the OpenID provider cannot be asked (it has {seconds} seconds to answer): {why}; try again"),
    )
}

/// Pairs as a form has them.
fn form(pairs: &[(&str, &str)]) -> String {
    query_of(pairs).trim_start_matches('?').to_owned()
}
