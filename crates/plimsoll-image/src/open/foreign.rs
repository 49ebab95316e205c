//! Layers that registries need not have, and where else they are fetched from.
//!
//! The publisher of a *foreign* layer does not let registries have it: Microsoft's base layers were such until June 2023, and
//! what was built on them before stays so. The descriptor has the URLs of the places that have it. These stand in a manifest
//! that anybody may have written, so:
//!
//! - The image's own registry is asked first, and the URLs only where it says that it has no such blob.
//! - They are asked by a client of their own, which knows no login and is told nothing to pass on. It asks allowed hosts alone,
//!   without TLS none but this machine, and no private address that the operator did not name, also after redirects.
//! - The bytes are held against size and digest like all others. A place that gives others is passed over.
//!
//! What each place said is told where none gives the layer.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use plimsoll_core::digest::Digest;
use plimsoll_net::{Client, Download, NetError, Request, Settings, host_and_port_of, redacted};

use super::OpenError;
use super::documents::Descriptor;

/// Hosts from which Microsoft serves the layers of Windows.
pub const HOSTS: [&str; 3] = ["mcr.microsoft.com", "*.data.mcr.microsoft.com", "go.microsoft.com"];

/// Most URLs of a layer that are asked.
const URLS_MAX: usize = 8;

/// How layers are had that registries need not have.
#[derive(Clone, Debug, Default)]
pub struct ForeignOptions {
    /// Whether no base layer of Windows is fetched, whoever has it.
    pub skips_base_layers: bool,
    /// By which client; nobody fetches where it is `None`. It has to name [`Settings::allowed_hosts`].
    pub client: Option<Settings>,
    /// What is asked in place of a host, by `HOST` or `HOST:PORT`: a URL, behind which the rest of the layer's is put.
    pub mirrors: BTreeMap<String, String>,
}

/// The foreign layers of images that are open.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    options: ForeignOptions,
    tried: Mutex<HashMap<Digest, Tried>>,
}

/// What became of asking for one layer.
#[derive(Debug, Default)]
struct Tried {
    /// What each place said, in the order of the URLs.
    refusals: Vec<String>,
    /// Whether the one behind them gave bytes.
    is_given: bool,
}

impl Foreign {
    pub(super) fn new(options: &ForeignOptions) -> Foreign {
        Foreign { options: options.clone(), tried: Mutex::default() }
    }

    /// Refuses base layers where they are not to be fetched.
    pub(super) fn check(&self, layer: &Descriptor) -> Result<(), OpenError> {
        let is_skipped = self.options.skips_base_layers && (layer.is_foreign() || layer.is_base_of_windows);
        if is_skipped { Err(switched_off()) } else { Ok(()) }
    }

    /// Fetches a layer from the first of its URLs that serves. `size` is what its manifest states, `said` what its registry
    /// says of it.
    pub(super) fn open(
        &self,
        layer: &Descriptor,
        size: Option<u64>,
        said: Option<String>,
    ) -> Result<Download, OpenError> {
        if self.options.skips_base_layers {
            return Err(switched_off());
        }
        loop {
            let refused = self.with(&layer.digest, |tried| tried.refusals.len());
            let Some(url) = layer.urls.iter().take(URLS_MAX).nth(refused) else { break };
            match self.fetch(url, size) {
                Ok(download) => {
                    self.with(&layer.digest, |tried| tried.is_given = true);
                    return Ok(download);
                }
                Err(reason) => self.refuse(layer, url, &reason),
            }
        }
        let mut said: Vec<String> = said.into_iter().collect();
        match layer.urls.len() {
            0 => said.push("its manifest names no other place".to_owned()),
            _ => said.extend(self.with(&layer.digest, |tried| tried.refusals.clone())),
        }
        if let Some(more @ 1..) = layer.urls.len().checked_sub(URLS_MAX) {
            said.push(format!("{more} more were not asked, since more than {URLS_MAX} are named (URLS_MAX)"));
        }
        Err(OpenError::Foreign { detail: format!("no place that may be asked gave it: {}", said.join("; ")) })
    }

    /// Whether the layer's bytes, which are not what they should be, came from one of its URLs; that one is not asked again.
    pub(super) fn reject(&self, layer: &Descriptor, why: &str) -> bool {
        let (was_given, refused) =
            self.with(&layer.digest, |tried| (std::mem::take(&mut tried.is_given), tried.refusals.len()));
        match layer.urls.get(refused).filter(|_| was_given) {
            Some(url) => {
                self.refuse(layer, url, why);
                true
            }
            None => false,
        }
    }

    fn refuse(&self, layer: &Descriptor, url: &str, reason: &str) {
        let refusal = format!("`{}`: {reason}", redacted(url));
        self.with(&layer.digest, |tried| tried.refusals.push(refusal));
    }

    fn with<T>(&self, digest: &Digest, work: impl FnOnce(&mut Tried) -> T) -> T {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        work(tried.entry(digest.clone()).or_default())
    }

    /// Asks one place; the error says why it does not serve.
    fn fetch(&self, url: &str, size: Option<u64>) -> Result<Download, String> {
        let url = self.mirrored(url)?;
        let settings = self.options.client.clone().ok_or("foreign layers are not fetched here")?;
        if settings.allowed_hosts.is_none() {
            return Err("no host is allowed".to_owned());
        }
        let client = Client::new(settings).map_err(|error| error.to_string())?;
        let download = client.download(&Request::get(&url)).map_err(|error| reason(&error))?;
        match (download.length(), size) {
            (Some(length), Some(size)) if length != size => {
                Err(format!("it has {length} bytes there, and should have {size}"))
            }
            (_, Some(size)) => Ok(download.limit(size)),
            (_, None) => Ok(download),
        }
    }

    /// The URL that is asked in place of a layer's.
    fn mirrored(&self, url: &str) -> Result<String, String> {
        let bad = || "it is no URL that can be fetched".to_owned();
        let (_, rest) = url.split_once("://").ok_or_else(bad)?;
        let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(at).ok_or_else(bad)?;
        if authority.contains('@') {
            // Nobody is told a login that stands in a manifest, and least of all one that its writer knows of.
            return Err("it has a login in it".to_owned());
        }
        let place = host_and_port_of(url).ok_or_else(bad)?;
        let host = place.rsplit_once(':').map_or(place.as_str(), |(host, _)| host);
        let mirror = self.options.mirrors.get(&place).or_else(|| self.options.mirrors.get(host));
        Ok(mirror.map_or_else(|| url.to_owned(), |mirror| format!("{}{path}", mirror.trim_end_matches('/'))))
    }
}

fn switched_off() -> OpenError {
    let detail = "base layers of Windows are not fetched (`fetch_base_layers` of `[windows]` is `false`)";
    OpenError::Foreign { detail: detail.to_owned() }
}

/// Why a place does not serve, and what to do where it might.
fn reason(error: &NetError) -> String {
    match error {
        NetError::HostRefused { host, .. } => {
            format!("`{host}` is not allowed; if it is to be, name it in `foreign_hosts` of `[windows]`")
        }
        NetError::Offline { host, .. } => {
            format!("`offline` is set, and `{host}` is not among what may be asked")
        }
        NetError::AddressRefused { address, .. } => format!("its address {address} is not a public one"),
        NetError::PlainHttp { .. } => "it is not `https`".to_owned(),
        NetError::Status(status) => match status.status {
            404 | 410 => format!("it is not there (status {})", status.status),
            status => format!("it answers with status {status}"),
        },
        other => other.to_string(),
    }
}
