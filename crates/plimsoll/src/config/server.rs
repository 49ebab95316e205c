//! `[server]`: how `plimsoll serve` listens, remembers and works.

use std::path::PathBuf;

use anyhow::ensure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ClairApiConfig, PskConfig, QuayApiConfig};
mod auth;
mod limits;
mod tls;
mod traces;
pub(crate) use auth::{
    Anonymous, AuthConfig, GrantConfig, MetricsAccess, OidcConfig, Scope, SignInConfig, TokenConfig,
};
use limits::LimitsConfig;
pub(crate) use limits::Network;
pub(crate) use tls::TlsConfig;
pub(crate) use traces::TracesConfig;

/// How `plimsoll serve` listens, remembers and works. Every key can be set by a variable of the environment too:
/// `PLIMSOLL_SERVER_LISTEN` is `listen`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServerConfig {
    /// Address and port to listen on.
    pub(crate) listen: String,
    /// How clients reach this server, without a path: `https://plimsoll.example.org`. Used in links of notifications;
    /// without it they are made of the address that it listens on.
    pub(crate) url: Option<String>,
    /// Where the server remembers: `postgres://USER@HOST/DATABASE` for several replicas, or the path of a SQLite file.
    /// Without it a file in the data directory.
    pub(crate) store: Option<String>,
    /// File with the password of the store's user, so that it need not stand in `store`.
    pub(crate) store_password_file: Option<PathBuf>,
    /// Scans that this replica works on at once. Without it one for each two cores, and at least two.
    pub(crate) workers: Option<u32>,
    /// Scans of one registry that all replicas together work on at once.
    pub(crate) per_registry_max: u32,
    /// Scans that all replicas together work on at once.
    pub(crate) scans_max: u32,
    /// How often a scan is tried before it counts as failed.
    pub(crate) attempts_max: u32,
    /// Whether this replica keeps the feeds in its data directory fresh. Switch it off where something else does.
    pub(crate) updates_feeds: bool,
    /// Registries whose images may be submitted, and hosts of layers that Clair's clients hand in: `HOST`, `HOST:PORT`,
    /// or `*.example.org`. Without it any public one, and those that `[registries]` names.
    pub(crate) registries_allowed: Option<Vec<String>>,
    /// Hosts with private addresses that may be asked for images all the same: `HOST` or `HOST:PORT`. Those that
    /// `[registries]` names always may.
    pub(crate) private_hosts_allowed: Vec<String>,
    /// Largest layer that is read, in MiB.
    pub(crate) layer_mib_max: u64,
    /// Longest silence of a registry, in seconds, before an attempt counts as failed.
    pub(crate) registry_seconds_max: u32,
    /// Longest time that one attempt may take, in minutes.
    pub(crate) scan_minutes_max: u32,
    /// Days for which events, ended deliveries and names of images are kept.
    pub(crate) keep_days: u32,
    /// How much is logged, as `tracing` writes it: `info`, `debug`, `plimsoll=debug,warn`.
    pub(crate) log: String,
    /// Whether the log is JSON, a line an event.
    pub(crate) log_json: bool,
    /// The key that Quay, and clients of Clair, share with the server.
    pub(crate) psk: PskConfig,
    /// Clair's API.
    pub(crate) clair: ClairApiConfig,
    /// Quay's API.
    pub(crate) quay: QuayApiConfig,
    /// Who may ask for what.
    pub(crate) auth: AuthConfig,
    /// The certificate that the server shows. Without this section it speaks plain HTTP.
    pub(crate) tls: Option<TlsConfig>,
    /// How much clients may ask for.
    pub(crate) limits: LimitsConfig,
    /// Where traces go.
    pub(crate) traces: Option<TracesConfig>,
}

impl ServerConfig {
    /// Refuses what contradicts itself.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.auth.check()?;
        let signs_in = self.auth.oidc.as_ref().is_some_and(|oidc| oidc.sign_in.is_some());
        ensure!(
            !signs_in || self.url.is_some(),
            "`[server.auth.oidc.sign_in]` needs `url` in `[server]`: the provider sends people back to it"
        );
        Ok(())
    }
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            listen: "127.0.0.1:6060".to_owned(),
            url: None,
            store: None,
            store_password_file: None,
            workers: None,
            per_registry_max: 8,
            scans_max: 256,
            attempts_max: 5,
            updates_feeds: true,
            registries_allowed: None,
            private_hosts_allowed: Vec::new(),
            layer_mib_max: 16 << 10,
            registry_seconds_max: 60,
            scan_minutes_max: 30,
            keep_days: 30,
            log: "info".to_owned(),
            log_json: false,
            psk: PskConfig::default(),
            clair: ClairApiConfig::default(),
            quay: QuayApiConfig::default(),
            auth: AuthConfig::default(),
            tls: None,
            limits: LimitsConfig::default(),
            traces: None,
        }
    }
}
