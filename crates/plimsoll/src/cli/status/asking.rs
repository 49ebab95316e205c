//! Asking a server over its own API.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use plimsoll_core::scan::Reason;
use plimsoll_net::{Authorization, Client, NetError, Request, Response, host_and_port_of};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::super::Session;
use crate::http::api_v1::wire::{Problem, ScanStatus, VerdictAnswer};

/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// A server and who asks it.
pub(super) struct ScanServer {
    client: Arc<Client>,
    url: String,
}

/// What came of a question.
pub(super) enum Asked {
    /// Where the scan stands.
    Status(Box<ScanStatus>),
    /// No answer of use.
    Not(Unanswered),
    /// The server does not understand, or will not do it: asking again is in vain.
    Refused(String),
}

/// Why there is no answer of use.
#[derive(Debug)]
pub(super) struct Unanswered {
    /// For people.
    pub(super) detail: String,
    /// Whether the server is there and not ready.
    pub(super) is_not_ready: bool,
    /// What it says why.
    pub(super) reason: Option<Reason>,
    /// Whether asking again may help.
    pub(super) is_transient: bool,
}

impl ScanServer {
    pub(super) fn new(session: &Session, url: &str, token: Option<&str>) -> anyhow::Result<ScanServer> {
        let url = url.trim_end_matches('/').to_owned();
        let Some(host) = host_and_port_of(&url) else {
            bail!("`{url}` is no server; write http://HOST:PORT or https://HOST");
        };
        // Whoever writes `http` here means it.
        let mut settings = session.net_settings(std::slice::from_ref(&host));
        settings.attempts_max = 1;
        settings.response_timeout = Duration::from_secs(150);
        if let Some(hosts) = &mut settings.only_hosts {
            hosts.push(host);
        }
        let mut client = Client::new(settings)?;
        if let Some(token) = token {
            client = client.authorized(&url, Authorization::bearer(token))?;
        }
        Ok(ScanServer { client: Arc::new(client), url })
    }

    /// Hands an image in.
    pub(super) fn submit(&self, reference: &str, is_forced: bool) -> Asked {
        let body = json!({ "reference": reference, "force": is_forced }).to_string();
        let request = Request::post(format!("{}/api/v1/scans", self.url), body);
        self.ask(&request.header("Content-Type", "application/json"))
    }

    /// Where a scan stands, at the latest after `wait`.
    pub(super) fn status(&self, id: &str, wait: Option<Duration>) -> Asked {
        let wait = wait.map_or(String::new(), |wait| format!("?wait={}s", wait.as_secs()));
        self.ask(&Request::get(format!("{}/api/v1/scans/{id}{wait}", self.url)))
    }

    /// The verdict of a scan; `None` where there is none, since an image of the index is not known.
    pub(super) fn verdict(&self, id: &str, query: &str) -> Result<Option<VerdictAnswer>, Unanswered> {
        let request = Request::get(format!("{}/api/v1/scans/{id}/verdict{query}", self.url));
        let response = self.client.send(&request).map_err(|error| of_net(&error))?;
        if response.is_success() {
            return read(response).map(Some);
        }
        if response.status == 409 {
            return Ok(None);
        }
        Err(problem(response).unwrap_or_else(|detail| Unanswered {
            detail,
            is_not_ready: false,
            reason: None,
            is_transient: false,
        }))
    }

    fn ask(&self, request: &Request) -> Asked {
        let response = match self.client.send(request) {
            Ok(response) => response,
            Err(error) => return Asked::Not(of_net(&error)),
        };
        if response.is_success() {
            return match read(response) {
                Ok(status) => Asked::Status(Box::new(status)),
                Err(error) => Asked::Not(error),
            };
        }
        match problem(response) {
            Ok(unanswered) => Asked::Not(unanswered),
            Err(detail) => Asked::Refused(detail),
        }
    }
}

fn read<T: DeserializeOwned>(response: Response) -> Result<T, Unanswered> {
    let url = response.url.clone();
    let bytes = response.bytes(ANSWER_BYTES_MAX).map_err(|error| of_net(&error))?;
    serde_json::from_slice(&bytes).map_err(|error| Unanswered {
        detail: format!(
            "`{}` does not answer as Plimsoll's server does: {error}",
            plimsoll_net::redacted(&url)
        ),
        is_not_ready: false,
        reason: None,
        is_transient: false,
    })
}

/// What a refusal means: that there is no answer, or that it is in vain to ask.
fn problem(response: Response) -> Result<Unanswered, String> {
    let (status, url) = (response.status, plimsoll_net::redacted(&response.url));
    let body = response.bytes(ANSWER_BYTES_MAX).unwrap_or_default();
    let problem: Option<Problem> = serde_json::from_slice(&body).ok();
    let said = problem.as_ref().map_or(format!("status {status}"), |problem| problem.detail.clone());
    let unanswered = |is_not_ready, reason, is_transient| Unanswered {
        detail: format!("`{url}`: {said}"),
        is_not_ready,
        reason,
        is_transient,
    };
    match status {
        401 => Ok(unanswered(false, Some(Reason::Unauthorized), false)),
        429 => Ok(unanswered(false, Some(Reason::RateLimited), true)),
        503 if problem.as_ref().is_some_and(|problem| problem.code == "not_ready") => {
            let reason =
                [Reason::Migrating, Reason::Ending].into_iter().find(|reason| said.contains(reason.name()));
            Ok(unanswered(true, Some(reason.unwrap_or(Reason::Starting)), true))
        }
        503 => Ok(unanswered(false, Some(Reason::DatabaseUnavailable), true)),
        500.. => Ok(unanswered(false, None, true)),
        _ => Err(said),
    }
}

fn of_net(error: &NetError) -> Unanswered {
    let is_transient = matches!(
        error,
        NetError::Connection { .. }
            | NetError::TimedOut { .. }
            | NetError::TooSlow { .. }
            | NetError::Proxy { .. }
    );
    Unanswered { detail: error.to_string(), is_not_ready: false, reason: None, is_transient }
}
