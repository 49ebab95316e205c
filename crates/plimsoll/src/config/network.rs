//! `[network]`: how patient we are with those whom we ask.

use std::num::NonZero;

use anyhow::bail;
use plimsoll_net::Settings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::Time;

/// Most attempts that can be configured: each may wait.
const ATTEMPTS_MAX: u32 = 20;

/// How long is waited for registries, feeds and whoever else is asked, and how often they are asked again. What is left out
/// has a default that suits the public internet.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NetworkConfig {
    /// Time for a name lookup, and again for connecting with the TLS handshake. 15 seconds if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connect_timeout: Option<Time>,
    /// Time from a sent request to the end of the answer's head. 2 minutes if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response_timeout: Option<Time>,
    /// Longest silence in the middle of an answer. 1 minute if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idle_timeout: Option<Time>,
    /// Time in which an answer must bring at least 16 KiB, so that one that trickles ends. 1 minute if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) progress_window: Option<Time>,
    /// How often a request is sent, the first time included; 4 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attempts_max: Option<u32>,
    /// Wait before the second attempt; it doubles from there, with jitter. Half a second if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_wait: Option<Time>,
    /// Longest wait that a server's `Retry-After` can ask for; one that asks for more is not asked again. 2 minutes if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after_max: Option<Time>,
    /// Requests to one host that are in flight at once, whatever they are for; 16 if left out, 64 on a server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requests_at_once_max: Option<NonZero<usize>>,
    /// Requests to one host that begin in a second, whatever they are for. As many as there are if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requests_per_second_max: Option<NonZero<u32>>,
}

impl NetworkConfig {
    /// Refuses what asks nobody, or for ever.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        match self.attempts_max {
            Some(0) => bail!("`network.attempts_max` is 0, so nobody would be asked; write 1 to ask once"),
            Some(count) if count > ATTEMPTS_MAX => {
                bail!("`network.attempts_max` is {count}, and at most {ATTEMPTS_MAX} are made")
            }
            _ => Ok(()),
        }
    }

    /// The settings with what is configured in place of the defaults.
    pub(super) fn apply(&self, settings: Settings) -> Settings {
        let time = |configured: Option<Time>, default| configured.map_or(default, |time| time.0);
        Settings {
            connect_timeout: time(self.connect_timeout, settings.connect_timeout),
            response_timeout: time(self.response_timeout, settings.response_timeout),
            idle_timeout: time(self.idle_timeout, settings.idle_timeout),
            progress_window: time(self.progress_window, settings.progress_window),
            attempts_max: self.attempts_max.unwrap_or(settings.attempts_max),
            backoff_base: time(self.retry_wait, settings.backoff_base),
            retry_after_max: time(self.retry_after_max, settings.retry_after_max),
            in_flight_per_host_max: self
                .requests_at_once_max
                .map_or(settings.in_flight_per_host_max, NonZero::get),
            requests_per_second_max: self
                .requests_per_second_max
                .map_or(settings.requests_per_second_max, |count| Some(count.get())),
            ..settings
        }
    }
}
