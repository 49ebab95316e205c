//! Handing a request over: which answers mean that it was taken, that it may be later, and that it never will be.

use std::time::Duration;

use jiff::Timestamp;
use plimsoll_net::{Client, Request, Settings, asked_wait, redacted};

use super::kinds::Went;
use crate::config::TargetConfig;
use crate::warnings::message::clean;

/// Longest time for the whole request: a receiver takes a message and answers, it does not work on it.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);

/// How much of a refusal is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 4 << 10;

/// Least wait after the other side refused who asks: somebody has to mend that, at one end or the other.
const REFUSED_WAIT: Duration = Duration::from_secs(30 * 60);

/// A client for the one URL of a target.
pub(super) fn client(config: &TargetConfig, url: &str, net: &Settings) -> anyhow::Result<Client> {
    if !url.starts_with("https://") && !url.starts_with("http://") {
        anyhow::bail!("`{}` is no URL to send to; write `https://HOST/PATH`", redacted(url));
    }
    let mut settings = net.clone();
    settings.ca_files.extend(config.ca.clone());
    settings.total_timeout = TOTAL_TIMEOUT;
    settings.attempts_max = 1;
    // Who configures the server names the receiver, which may well stand beside it; what clients name is another
    // matter.
    settings.denies_private_addresses = false;
    if config.allow_plain {
        // Nothing but this one URL is asked: a POST is not redirected.
        settings.plain_http_hosts = vec!["*".to_owned()];
    }
    Ok(Client::new(settings)?)
}

/// Hands a request over.
pub(super) fn post(client: &Client, request: &Request, now: Timestamp) -> Went {
    let response = match client.send(request) {
        Ok(response) => response,
        Err(error) => return Went::Later { error: clean(&format!("{error}")), after: None },
    };
    let status = response.status;
    if response.is_success() {
        return Went::Delivered;
    }
    let after = response.header("retry-after").and_then(|text| asked_wait(text, now.into()));
    let answer = response.bytes(ANSWER_BYTES_MAX).unwrap_or_default();
    let answer = clean(&String::from_utf8_lossy(&answer));
    let said = if answer.is_empty() { String::new() } else { format!(": {answer}") };
    let error = format!("`{}` answers with status {status}{said}", redacted(&request.url));
    if is_refusal_of_sender(status) {
        let error =
            format!("{error}; see to its credentials and secrets, which are read anew for each attempt");
        return Went::Later { error, after: Some(after.unwrap_or_default().max(REFUSED_WAIT)) };
    }
    if is_final(status) { Went::Never(error) } else { Went::Later { error, after } }
}

/// Whether it is not the request that is refused but who asks: secrets are replaced at one end before the other.
fn is_refusal_of_sender(status: u16) -> bool {
    matches!(status, 401 | 403 | 407)
}

/// Whether asking again is in vain: the other side understood the request and does not want it.
fn is_final(status: u16) -> bool {
    (400..500).contains(&status) && !is_refusal_of_sender(status) && !matches!(status, 408 | 425 | 429)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_answers_are_final() {
        for (status, wanted) in [
            (301, false),
            (400, true),
            (401, false),
            (403, false),
            (404, true),
            (407, false),
            (408, false),
            (410, true),
            (413, true),
            (425, false),
            (429, false),
            (499, true),
            (500, false),
            (503, false),
        ] {
            assert_eq!(is_final(status), wanted, "{status}");
        }
    }
}
