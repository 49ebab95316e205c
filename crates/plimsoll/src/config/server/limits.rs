//! `[server.limits]`: how much clients may ask for.

use std::borrow::Cow;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::config::units::{Size, Time};

/// How much clients may ask for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitsConfig {
    /// Largest body of a request.
    pub(crate) body_max: Size,
    /// Connections that are open at once. More wait.
    pub(crate) connections_max: u32,
    /// Longest time from a connection, or from the first byte of a request, to the end of its headers.
    pub(crate) header_time_max: Time,
    /// Longest time for the body of a request to come.
    pub(crate) body_time_max: Time,
    /// Longest time to answer one request. Streams of events, and Clair's indexing, take as long as they take.
    pub(crate) answer_time_max: Time,
    /// Requests a second of one token or OpenID user.
    pub(crate) requests_per_second_max: u32,
    /// Requests a second from one address that do not say who asks, or say it wrongly. Loopback addresses are exempt.
    pub(crate) anonymous_requests_per_second_max: u32,
    /// How long to wait for requests under way when the server ends.
    pub(crate) ending_time_max: Time,
    /// Proxies whose `X-Forwarded-For` is believed: addresses, or networks such as `10.0.0.0/8`.
    pub(crate) trusted_proxies: Vec<Network>,
}

impl Default for LimitsConfig {
    fn default() -> LimitsConfig {
        LimitsConfig {
            body_max: Size(8 << 20),
            connections_max: 4096,
            header_time_max: Time(Duration::from_secs(15)),
            body_time_max: Time(Duration::from_secs(60)),
            answer_time_max: Time(Duration::from_secs(15 * 60)),
            requests_per_second_max: 500,
            anonymous_requests_per_second_max: 50,
            ending_time_max: Time(Duration::from_secs(25)),
            trusted_proxies: Vec::new(),
        }
    }
}

/// Addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether an address is one of them.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let same = |one: u128, other: u128, width: u32| {
            let shift = width - u32::from(self.bits);
            // A shift by the whole width is none that the processor knows.
            shift == width || one >> shift == other >> shift
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(one), IpAddr::V4(other)) => same(one.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(one), IpAddr::V6(other)) => same(one.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let bad = || {
            format!(
                "`{text}` is neither an address nor a network; write, for example, `10.0.0.7` or `10.0.0.0/8`"
            )
        };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| bad())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        match bits.unwrap_or(width) {
            bits if bits <= width => Ok(Network { address, bits }),
            _ => Err(bad()),
        }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Network, String> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        format!("{}/{}", network.address, network.bits)
    }
}

impl JsonSchema for Network {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Network".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "title": "network", "examples": ["10.0.0.7", "10.0.0.0/8"]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for (network, address, wanted) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("10.0.0.7", "10.0.0.7", true),
            ("10.0.0.7", "10.0.0.8", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "::1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "2001:db8::1", true),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), wanted, "{network:?} {address}");
        }
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "localhost", "10.0.0.0/-1", "10.0.0.0/"] {
            assert!(bad.parse::<Network>().unwrap_err().contains("write"), "{bad}");
        }
    }
}
