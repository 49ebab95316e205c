//! Proxies as `curl` takes them from the environment, but for two things: `HTTP_PROXY` in capitals is taken
//! too (a command line is no CGI script), and loopback hosts are never asked through a proxy, as in Go.
//!
//! Both kinds of URL go through the proxy by `CONNECT`.

use std::net::IpAddr;

use crate::url::{Origin, is_loopback_name};

/// Which proxies are asked, and for what they are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http://` URLs: `http://[USER:PASSWORD@]HOST:PORT`.
    pub http: Option<String>,
    /// For `https://` URLs.
    pub https: Option<String>,
    /// Hosts that are asked directly: names with all below them, addresses, networks as `10.0.0.0/8`, or `*`.
    pub exempt: Vec<String>,
}

impl Proxies {
    /// No proxy at all.
    pub fn none() -> Proxies {
        Proxies::default()
    }

    /// What `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say; lower case wins.
    pub fn from_environment() -> Proxies {
        let read = |name: &str| {
            let found = std::env::var(name).or_else(|_| std::env::var(name.to_ascii_uppercase()));
            found.ok().filter(|value| !value.is_empty())
        };
        let exempt = read("no_proxy").unwrap_or_default();
        Proxies {
            http: read("http_proxy").or_else(|| read("all_proxy")),
            https: read("https_proxy").or_else(|| read("all_proxy")),
            exempt: exempt
                .split(',')
                .map(|entry| entry.trim().to_owned())
                .filter(|e| !e.is_empty())
                .collect(),
        }
    }

    /// The proxy for an origin.
    pub(crate) fn proxy_for(&self, origin: &Origin) -> Option<&str> {
        let proxy = if origin.is_https { &self.https } else { &self.http };
        let is_direct =
            is_loopback_name(&origin.host) || self.exempt.iter().any(|entry| is_exempt(entry, origin));
        proxy.as_deref().filter(|_| !is_direct)
    }
}

fn is_exempt(entry: &str, origin: &Origin) -> bool {
    if entry == "*" {
        return true;
    }
    if let Some(address) = origin.address() {
        let network = entry
            .split_once('/')
            .and_then(|(base, bits)| Some((base.parse::<IpAddr>().ok()?, bits.parse::<u32>().ok()?)));
        return match network {
            Some((base, bits)) => is_in_network(address, base, bits),
            None => entry.trim_matches(['[', ']']).parse() == Ok(address) || entry == origin.host_and_port(),
        };
    }
    let name = entry.trim_start_matches('*').trim_start_matches('.').trim_end_matches('.');
    let name = name.to_ascii_lowercase();
    let (name, port) = match name.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (name.as_str(), None),
    };
    let is_port = port.is_none_or(|port| port.parse() == Ok(origin.port));
    let below = origin.host.strip_suffix(name);
    is_port && !name.is_empty() && below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
}

fn is_in_network(address: IpAddr, base: IpAddr, bits: u32) -> bool {
    match (address, base) {
        (IpAddr::V4(address), IpAddr::V4(base)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            address.to_bits() & mask == base.to_bits() & mask
        }
        (IpAddr::V6(address), IpAddr::V6(base)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            address.to_bits() & mask == base.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::Url;

    #[test]
    fn exempt_hosts_are_asked_directly() {
        for (entry, url, is_direct) in [
            ("*", "https://a.example/", true),
            ("example.org", "https://example.org/", true),
            ("example.org", "https://www.example.org/", true),
            ("example.org", "https://notexample.org/", false),
            (".example.org", "https://www.example.org/", true),
            ("*.example.org", "https://www.example.org/", true),
            ("example.org:8443", "https://example.org:8443/", true),
            ("example.org:8443", "https://example.org/", false),
            ("10.0.0.0/8", "http://10.9.8.7/", true),
            ("10.0.0.0/8", "http://11.9.8.7/", false),
            ("0.0.0.0/0", "http://11.9.8.7/", true),
            ("10.0.0.0/99", "http://10.9.8.7/", false),
            ("fd00::/8", "http://[fd12::1]/", true),
            ("192.168.1.1", "http://192.168.1.1/", true),
            ("", "http://a.example/", false),
            ("unrelated", "http://localhost:5000/", true),
            ("unrelated", "http://127.0.0.1:5000/", true),
        ] {
            let proxy = Some("http://proxy:3128".to_owned());
            let proxies = Proxies { http: proxy.clone(), https: proxy, exempt: vec![entry.to_owned()] };
            let origin = Url::parse(url).unwrap().origin;
            assert_eq!(proxies.proxy_for(&origin).is_none(), is_direct, "{entry} for {url}");
        }
    }
}
