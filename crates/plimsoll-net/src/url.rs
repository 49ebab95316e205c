//! URLs: the parts that decide where a request goes, resolution of redirects, and a form without secrets.
//!
//! Parsing is the `http` crate's; what it lacks is here. It resolves no relative references and keeps
//! credentials inside the authority, where they would travel with every redirect.

use std::net::IpAddr;

use ureq::http::Uri;

use crate::error::NetError;

/// Longest URL, in bytes.
const URL_BYTES_MAX: usize = 16 << 10;

/// Two requests with equal origins may share credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) is_https: bool,
    /// Lower case, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Origin {
    /// The host as it is written before a port: an IPv6 address in brackets.
    pub(crate) fn host_and_port(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether a list has this one; see [`is_listed`].
    pub(crate) fn is_listed(&self, list: &[String]) -> bool {
        is_listed(list, &self.host_and_port())
    }

    /// The host, with its port where it is not the scheme's own.
    pub(crate) fn shown(&self) -> String {
        let whole = self.host_and_port();
        let usual = if self.is_https { ":443" } else { ":80" };
        whole.strip_suffix(usual).map_or(whole.clone(), str::to_owned)
    }

    /// The address, where the host is one.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// A URL to ask, without credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) origin: Origin,
    path_and_query: String,
    /// `USER:PASSWORD` as the text had it, still percent-encoded.
    pub(crate) credentials: Option<String>,
}

impl Url {
    pub(crate) fn parse(text: &str) -> Result<Url, NetError> {
        let bad = |reason: &str| NetError::BadUrl { url: redacted(text), reason: reason.to_owned() };
        if text.len() > URL_BYTES_MAX {
            return Err(bad("it is longer than 16 KiB"));
        }
        let uri: Uri = text.parse().map_err(|error| bad(&format!("{error}")))?;
        let is_https = match uri.scheme_str() {
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => true,
            Some(scheme) if scheme.eq_ignore_ascii_case("http") => false,
            _ => return Err(bad("it does not begin with `https://` or `http://`")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it has no host"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if host.is_empty() {
            return Err(bad("it has no host"));
        }
        let has_port = authority.as_str().rsplit('@').next().is_some_and(|rest| {
            rest.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && !port.ends_with(']'))
        });
        let port = match authority.port_u16() {
            Some(0) => return Err(bad("0 is not a port")),
            Some(port) => port,
            None if has_port => return Err(bad("its port is not a number below 65536")),
            None if is_https => 443,
            None => 80,
        };
        let credentials = authority.as_str().rsplit_once('@').map(|(user, _)| user.to_owned());
        let path_and_query = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Url { origin: Origin { is_https, host, port }, path_and_query, credentials })
    }

    /// The whole URL, without credentials.
    pub(crate) fn text(&self) -> String {
        let origin = &self.origin;
        let scheme = if origin.is_https { "https" } else { "http" };
        let slash = if self.path_and_query.starts_with('/') { "" } else { "/" };
        format!("{scheme}://{}{slash}{}", origin.shown(), self.path_and_query)
    }

    /// Resolves the `Location` of a redirect (RFC 3986 section 5.2). Fragments are dropped.
    pub(crate) fn join(&self, location: &str) -> Result<Url, NetError> {
        let location = location.split('#').next().unwrap_or_default().trim();
        let has_scheme = location.split_once(':').is_some_and(|(scheme, _)| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        });
        if has_scheme {
            return Url::parse(location);
        }
        if location.starts_with("//") {
            let scheme = if self.origin.is_https { "https" } else { "http" };
            return Url::parse(&format!("{scheme}:{location}"));
        }
        let base = self.path_and_query.split('?').next().unwrap_or_default();
        let (path, query) = match location.split_once('?') {
            Some((path, query)) => (path, format!("?{query}")),
            None => (location, String::new()),
        };
        let joined = if path.is_empty() {
            base.to_owned()
        } else if path.starts_with('/') {
            without_dots(path)
        } else {
            let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
            without_dots(&format!("{folder}/{path}"))
        };
        let base = Url { path_and_query: joined + &query, credentials: None, ..self.clone() };
        Url::parse(&base.text())
    }
}

/// Removes the segments `.` and `..` (RFC 3986 section 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    let slash =
        if matches!(path.rsplit('/').next(), Some("." | "..")) && !kept.is_empty() { "/" } else { "" };
    format!("/{}{slash}", kept.join("/"))
}

/// Whether a list of hosts, each `HOST`, `HOST:PORT` or `*` for all, has the host of `authority`, which is
/// `HOST` or `HOST:PORT`. An IPv6 address is in brackets.
pub fn is_listed(list: &[String], authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    list.iter().any(|entry| {
        entry == "*" || entry.eq_ignore_ascii_case(host) || entry.eq_ignore_ascii_case(authority)
    })
}

/// The same where an entry may also be `*.example.org` for all hosts of a domain, at whatever port. No entry means all.
pub fn is_allowed(list: &[String], authority: &str) -> bool {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_ascii_lowercase();
    list.iter().any(|entry| match entry.strip_prefix("*.") {
        Some(domain) => host
            .strip_suffix(&domain.to_ascii_lowercase())
            .and_then(|rest| rest.strip_suffix('.'))
            .is_some_and(|rest| !rest.is_empty()),
        None => entry != "*" && is_listed(std::slice::from_ref(entry), authority),
    })
}

/// `HOST:PORT` of a URL, an IPv6 address in brackets; the port is the scheme's own where the URL has none. `None`
/// for what is not a URL of the web, such as a file's.
pub fn host_and_port_of(url: &str) -> Option<String> {
    Url::parse(url).ok().map(|url| url.origin.host_and_port())
}

/// Whether two URLs of the web have scheme, host and port in common, so that credentials for one may go to the
/// other.
pub fn has_same_origin(one: &str, other: &str) -> bool {
    match (Url::parse(one), Url::parse(other)) {
        (Ok(one), Ok(other)) => one.origin == other.origin,
        _ => false,
    }
}

/// Whether a host is this machine by its very name: `localhost`, `127.0.0.0/8`, `::1`.
pub fn is_loopback_name(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host_lower = host.to_ascii_lowercase();
    host_lower == "localhost"
        || host_lower.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Where a `Location` that a server gave for `base` leads, if that is the same server.
pub fn same_server(base: &str, location: &str) -> Option<String> {
    let base = Url::parse(base).ok()?;
    let target = base.join(location).ok()?;
    (target.origin == base.origin).then(|| target.text())
}

/// A URL for people: without credentials and fragment, and with its query's names but not its values.
pub fn redacted(url: &str) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let (place, query) = match url.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (url, None),
    };
    let (scheme, rest) = match place.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), place),
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    // A password with a bare slash splits too early; then everything up to the last `@` may be of it.
    let is_odd = |authority: &str| match authority.rsplit_once(':') {
        Some((host, port)) => !host.starts_with('[') && !port.bytes().all(|b| b.is_ascii_digit()),
        None => false,
    };
    let (authority, path) = match path.rsplit_once('@') {
        Some((_, after)) if !authority.contains('@') && is_odd(authority) => (after, ""),
        _ => (authority, path),
    };
    let host = authority.rsplit('@').next().unwrap_or_default();
    let query = query.map_or(String::new(), |query| {
        let names: Vec<String> = query
            .split('&')
            .map(|pair| pair.split_once('=').map_or(pair.to_owned(), |(name, _)| format!("{name}=…")))
            .collect();
        format!("?{}", names.join("&"))
    });
    format!("{scheme}{host}{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_parse_to_their_origin() {
        for (text, host_and_port, shown) in [
            ("https://Example.org", "example.org:443", "https://example.org/"),
            ("http://u:p@h:8080/a?b=c#d", "h:8080", "http://h:8080/a?b=c"),
            ("http://[::1]:80/x", "[::1]:80", "http://[::1]/x"),
            ("HTTPS://h?q=1", "h:443", "https://h/?q=1"),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!(url.origin.host_and_port(), host_and_port, "{text}");
            assert_eq!(url.text(), shown, "{text}");
        }
        for bad in ["", "h", "/a", "ftp://h/", "http://", "http://h:0/", "http://h:99999/", "http://h/a b"] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn redirects_resolve_against_their_base() {
        let base = Url::parse("https://u:p@h:444/a/b/c?q=1").unwrap();
        for (location, wanted) in [
            ("https://other/x", "https://other/x"),
            ("//other:1/x", "https://other:1/x"),
            ("/x/../y?z=1#f", "https://h:444/y?z=1"),
            ("d", "https://h:444/a/b/d"),
            ("../d/.", "https://h:444/a/d/"),
            ("../../../../d", "https://h:444/d"),
            ("?r=2", "https://h:444/a/b/c?r=2"),
            ("d?to=http://x", "https://h:444/a/b/d?to=http://x"),
        ] {
            let url = base.join(location).unwrap();
            assert_eq!((url.text().as_str(), url.credentials), (wanted, None), "{location}");
        }
        assert!(base.join("javascript:alert(1)").is_err());
    }

    #[test]
    fn nothing_secret_is_shown() {
        for (url, shown) in [
            ("https://u:p@h/a?X-Amz-Signature=abc&b#c", "https://h/a?X-Amz-Signature=…&b"),
            ("https://h/a@b", "https://h/a@b"),
            ("https://h:1/a@b", "https://h:1/a@b"),
            ("https://[::1]/a@b", "https://[::1]/a@b"),
            ("https://u:p/p@h/a", "https://h/a"),
            ("u:p@h", "h"),
        ] {
            assert_eq!(redacted(url), shown);
        }
    }

    #[test]
    fn hosts_are_listed_with_and_without_port() {
        for (entry, authority, is_in) in [
            ("h.example", "h.example:5000", true),
            ("H.example:5000", "h.example:5000", true),
            ("h.example:5001", "h.example:5000", false),
            ("h.example", "h.example", true),
            ("[::1]", "[::1]:5000", true),
            ("[::1]", "[::1]", true),
            ("*", "h.example", true),
            ("", "h.example", false),
        ] {
            assert_eq!(is_listed(&[entry.to_owned()], authority), is_in, "{entry} has {authority}");
        }
    }

    #[test]
    fn domains_are_allowed_with_all_their_hosts() {
        for (entry, authority, is_in) in [
            ("*.data.example", "eastus.data.example:443", true),
            ("*.Data.example", "a.b.DATA.example:443", true),
            ("*.data.example", "data.example:443", false),
            ("*.data.example", ".data.example:443", false),
            ("*.data.example", "evil-data.example:443", false),
            ("*.data.example", "a.data.example.evil:443", false),
            ("a.example", "A.example:443", true),
            ("a.example", "b.a.example:443", false),
            ("a.example:444", "a.example:443", false),
            ("*", "a.example:443", false),
            ("*.", "a.example:443", false),
        ] {
            assert_eq!(is_allowed(&[entry.to_owned()], authority), is_in, "{entry} has {authority}");
        }
    }

    #[test]
    fn origins() {
        for (one, other, is_same) in [
            ("https://h/a", "https://H:443/b?c", true),
            ("https://u:p@h/a", "https://h/", true),
            ("https://h/", "http://h/", false),
            ("https://h/", "https://h:8443/", false),
            ("https://h/", "https://h.evil/", false),
            ("https://h@evil/", "https://h/", false),
            ("file:///a", "file:///a", false),
        ] {
            assert_eq!(has_same_origin(one, other), is_same, "{one} {other}");
        }
        assert_eq!(host_and_port_of("https://[::1]/x").as_deref(), Some("[::1]:443"));
        assert_eq!(host_and_port_of("file:///x"), None);
    }

    #[test]
    fn loopback_names() {
        for (host, is_loopback) in [
            ("localhost", true),
            ("a.LOCALHOST", true),
            ("127.9.9.9", true),
            ("[::1]", true),
            ("localhost.evil.example", false),
            ("127.0.0.1.nip.io", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(is_loopback_name(host), is_loopback, "{host}");
        }
    }
}
