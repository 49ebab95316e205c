//! What a client may do: each limit with its default and its reason.

use std::path::PathBuf;
use std::time::Duration;

use crate::proxy::Proxies;

/// Limits and trust of a [`Client`](crate::Client).
#[derive(Clone, Debug)]
pub struct Settings {
    /// What `User-Agent` says.
    pub user_agent: String,
    /// PEM files of certificate authorities that are trusted beside the system's.
    pub ca_files: Vec<PathBuf>,
    /// Hosts that may be asked without TLS: `HOST`, `HOST:PORT`, or `*` for all. Loopback hosts always may.
    pub plain_http_hosts: Vec<String>,
    /// Time for a name lookup, and again for connecting with the TLS handshake.
    pub connect_timeout: Duration,
    /// Time from a sent request to the end of the response's headers.
    pub response_timeout: Duration,
    /// Longest silence while something is expected from the server.
    pub idle_timeout: Duration,
    /// Longest time for one attempt, and for a download with all its attempts. Ends what trickles endlessly.
    pub total_timeout: Duration,
    /// A body must bring [`progress_bytes_min`](Self::progress_bytes_min) in each window of this length that
    /// is spent waiting for it. Time that the reader of the body takes for itself does not count.
    pub progress_window: Duration,
    /// See [`progress_window`](Self::progress_window).
    pub progress_bytes_min: u64,
    /// How often a request is sent, the first time included.
    pub attempts_max: u32,
    /// Wait before the second attempt; doubles from there, with jitter.
    pub backoff_base: Duration,
    /// Longest wait that a `Retry-After` can ask for. A server that asks for more is not asked again: asking
    /// too early would only be refused once more.
    pub retry_after_max: Duration,
    /// Requests to one host whose answers have not begun, all users of a client together; further ones wait.
    pub in_flight_per_host_max: usize,
    /// Requests to one host that begin in a second, all users of a client together; `None` for as many as there are.
    pub requests_per_second_max: Option<u32>,
    /// Redirects that are followed.
    pub redirects_max: u32,
    /// Largest head of a response.
    pub header_bytes_max: usize,
    /// Largest body of a download, where the caller sets no smaller limit.
    pub download_bytes_max: u64,
    /// Whether hosts with private, loopback and other special addresses are refused, also after redirects.
    /// A proxy looks names up itself, so names asked through one are not covered; address literals are.
    pub denies_private_addresses: bool,
    /// Hosts that are exempt from [`denies_private_addresses`](Self::denies_private_addresses):
    /// `HOST` or `HOST:PORT`, an IPv6 address in brackets.
    pub private_hosts_allowed: Vec<String>,
    /// The only hosts that may be asked, `HOST` or `HOST:PORT`, also after redirects; all where it is `None`. Others
    /// are refused before their name is looked up. A proxy is not among them: whoever set it meant it.
    pub only_hosts: Option<Vec<String>>,
    /// The same for a purpose of the client's own, whatever the machine may ask otherwise: `HOST`, `HOST:PORT`, or
    /// `*.example.org` for all hosts of a domain.
    pub allowed_hosts: Option<Vec<String>>,
    /// Proxies; the default is what the environment says.
    pub proxies: Proxies,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            user_agent: concat!("plimsoll/", env!("CARGO_PKG_VERSION")).to_owned(),
            ca_files: Vec::new(),
            plain_http_hosts: Vec::new(),
            connect_timeout: Duration::from_secs(15),
            response_timeout: Duration::from_secs(120),
            idle_timeout: Duration::from_secs(60),
            total_timeout: Duration::from_secs(4 * 60 * 60),
            progress_window: Duration::from_secs(60),
            progress_bytes_min: 16 << 10,
            attempts_max: 4,
            backoff_base: Duration::from_millis(500),
            retry_after_max: Duration::from_secs(120),
            in_flight_per_host_max: 16,
            requests_per_second_max: None,
            redirects_max: 5,
            header_bytes_max: 64 << 10,
            download_bytes_max: 64 << 30,
            denies_private_addresses: false,
            private_hosts_allowed: Vec::new(),
            only_hosts: None,
            allowed_hosts: None,
            proxies: Proxies::from_environment(),
        }
    }
}
