//! Which addresses may be connected to: keeps a server from being used to reach into its own network.
//!
//! The check runs on what the resolver answered for the very connection that is then made, so a name that
//! resolves differently a second time gains nothing. One refused address refuses the name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::url::Origin;

/// Looks names up, and refuses those with addresses that are not public where told so.
#[derive(Debug)]
pub(crate) struct GuardedResolver {
    pub(crate) inner: DefaultResolver,
    pub(crate) denies_private_addresses: bool,
    pub(crate) private_hosts_allowed: Vec<String>,
}

/// The error that travels through `ureq` when an address is refused.
#[derive(Debug)]
pub(crate) struct RefusedAddress(pub(crate) IpAddr);

impl fmt::Display for RefusedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the address {} is not a public one", self.0)
    }
}

impl std::error::Error for RefusedAddress {}

impl Resolver for GuardedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        if !self.denies_private_addresses || self.is_exempt(uri) {
            return Ok(found);
        }
        match found.iter().find(|address| !is_public(address.ip())) {
            Some(address) => Err(ureq::Error::Other(Box::new(RefusedAddress(address.ip())))),
            None => Ok(found),
        }
    }
}

impl GuardedResolver {
    fn is_exempt(&self, uri: &Uri) -> bool {
        let is_https = uri.scheme_str() == Some("https");
        uri.host().is_some_and(|host| {
            let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
            let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
            Origin { is_https, host, port }.is_listed(&self.private_hosts_allowed)
        })
    }
}

/// Whether an address is a unicast address of the public internet, by the IANA registries of
/// special-purpose addresses. IPv6 addresses that carry an IPv4 address are what they carry.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _)   // this network, private, loopback, multicast, reserved, broadcast
            | (100, 64..=127, _)           // carrier-grade NAT, RFC 6598
            | (169, 254, _)                // link-local, with the clouds' metadata services
            | (172, 16..=31, _)            // private
            | (192, 168, _)                // private
            | (192, 0, 0 | 2)              // protocol assignments, documentation
            | (192, 88, 99)                // 6to4 relays
            | (198, 18..=19, _)            // benchmarks
            | (198, 51, 100)               // documentation
            | (203, 0, 113) // documentation
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let s = address.segments();
    let carried = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] => carried(high, low), // IPv4-mapped
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => carried(high, low), // NAT64, RFC 6052
        [0x2002, high, low, ..] => carried(high, low),            // 6to4
        [0x2001, 0..=0x1ff, ..] => false,                         // Teredo, ORCHID and other protocols
        [0x2001, 0xdb8, ..] => false,                             // documentation
        [0x3fff, 0..=0xfff, ..] => false,                         // documentation
        [0x2000..=0x3fff, ..] => true,                            // global unicast
        // Everything else: unspecified, loopback, unique-local, link-local, site-local, multicast.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for public in ["1.1.1.1", "8.8.8.8", "100.63.0.1", "172.32.0.1", "198.20.0.1", "2606:4700::1111"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for special in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
        assert!(is_public("::ffff:8.8.8.8".parse().unwrap()));
        assert!(is_public("64:ff9b::808:808".parse().unwrap()));
    }
}
