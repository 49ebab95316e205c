//! One exchange: certificates, proxies, redirects and retries.
//!
//! `ureq` sends one request and reads one head; everything that needs a decision is here. Redirects are
//! ours because the library would follow them before anybody could look at the target.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, http};

use crate::body::{WireBody, from_ureq};
use crate::budget::Budget;
use crate::error::NetError;
use crate::guard::{GuardedResolver, is_public};
use crate::message::{Authorization, Headers, Method, Request, Response};
use crate::retry::{is_transient_status, wait_before};
use crate::settings::Settings;
use crate::trust;
use crate::url::{Origin, Url, is_allowed, is_loopback_name, redacted};

/// Idle connections that are kept, and for one host. Layers of one image come from one host.
const IDLE_CONNECTIONS_MAX: usize = 32;
const IDLE_CONNECTIONS_PER_HOST_MAX: usize = 8;

/// A body that nobody reads is drained up to this size, in bytes, to keep the connection.
const DRAIN_BYTES_MAX: u64 = 16 << 10;

/// Headers that may only go to the origin that they were meant for.
const CREDENTIAL_HEADERS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// The HTTP client. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
    /// Who asks, and the one origin that is told.
    authorization: Option<Arc<(Origin, Authorization)>>,
}

pub(crate) struct Shared {
    pub(crate) settings: Arc<Settings>,
    given_authorities: Vec<Certificate<'static>>,
    authorities: OnceLock<Result<RootCerts, String>>,
    budget: Budget,
    /// Plain and TLS, each direct and through its proxy.
    agents: [OnceLock<Agent>; 4],
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// A client. Fails if a certificate file or a proxy setting is of no use; asks nothing yet.
    pub fn new(settings: Settings) -> Result<Client, NetError> {
        let given_authorities = trust::read_ca_files(&settings.ca_files)?;
        for proxy in [&settings.proxies.http, &settings.proxies.https].into_iter().flatten() {
            parse_proxy(proxy)?;
        }
        let shared = Shared {
            budget: Budget::new(settings.in_flight_per_host_max, settings.requests_per_second_max),
            settings: Arc::new(settings),
            given_authorities,
            authorities: OnceLock::new(),
            agents: Default::default(),
        };
        Ok(Client { shared: Arc::new(shared), authorization: None })
    }

    /// A client with the same connections that says who asks, to the scheme, host and port of `url` alone: not to
    /// those that it redirects to, and not where a request brings credentials of its own.
    pub fn authorized(&self, url: &str, authorization: Authorization) -> Result<Client, NetError> {
        let origin = Url::parse(url)?.origin;
        Ok(Client { authorization: Some(Arc::new((origin, authorization))), ..self.clone() })
    }

    /// The limits of this client.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Sends a request, follows redirects, and repeats it where that may help.
    ///
    /// Any status is a response; after [`Settings::attempts_max`] the last one is handed back as it is.
    pub fn send(&self, request: &Request) -> Result<Response, NetError> {
        let mut attempts = 0;
        self.send_counted(request, &mut attempts)
    }

    /// Sends a request; `attempts` counts on from what was made before for the same purpose.
    pub(crate) fn send_counted(&self, request: &Request, attempts: &mut u32) -> Result<Response, NetError> {
        let settings = &self.shared.settings;
        loop {
            *attempts = attempts.saturating_add(1);
            let is_last = !request.method.is_idempotent() || *attempts >= settings.attempts_max;
            let answer = self.follow(request);
            let retry_after = match &answer {
                Ok(response) if is_transient_status(response.status) => response.header("retry-after"),
                Err(error) if error.is_transient() => None,
                _ => return answer,
            };
            let wait = wait_before(settings, *attempts, retry_after, SystemTime::now());
            let Some(wait) = wait.filter(|_| !is_last) else { return answer };
            let is_asked_for = retry_after.is_some();
            let host = Url::parse(&request.url).map(|url| url.origin.host_and_port());
            if let Ok(response) = answer {
                drain(response);
            }
            match host {
                // What the server asks of one is meant for all of us.
                Ok(host) if is_asked_for => self.shared.budget.pause(&host, wait),
                _ => std::thread::sleep(wait),
            }
        }
    }

    /// One attempt, redirects included.
    fn follow(&self, request: &Request) -> Result<Response, NetError> {
        let redirects_max = self.shared.settings.redirects_max;
        let first = Url::parse(&request.url)?;
        let mut headers = request.headers.clone();
        headers.extend(request.origin_headers.iter().cloned());
        add_credentials(&first, &mut headers)?;
        self.add_authorization(&first, &mut headers);
        let mut url = first.clone();
        for _ in 0..=redirects_max {
            let response = self.exchange(request, &url, &headers)?;
            let location = match response.status {
                301 | 302 | 303 | 307 | 308 => response.header("location").map(str::to_owned),
                _ => None,
            };
            let Some(location) = location else {
                return Ok(Response { is_foreign: url.origin != first.origin, ..response });
            };
            let target = redirect_target(request.method, &url, &location)?;
            if target.origin != first.origin {
                headers.clone_from(&request.headers);
                headers.retain(|(name, _)| {
                    !CREDENTIAL_HEADERS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
                });
            }
            drain(response);
            url = target;
        }
        Err(NetError::TooManyRedirects {
            url: redacted(&request.url),
            last: redacted(&url.text()),
            redirects_max,
        })
    }

    fn add_authorization(&self, url: &Url, headers: &mut Vec<(String, String)>) {
        let is_told = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        if let Some((origin, authorization)) = self.authorization.as_deref()
            && *origin == url.origin
            && !is_told
        {
            headers.push(("Authorization".to_owned(), authorization.0.clone()));
        }
    }

    /// One request and the head of its response.
    fn exchange(
        &self,
        request: &Request,
        url: &Url,
        headers: &[(String, String)],
    ) -> Result<Response, NetError> {
        match &request.body {
            Some(body) => self.exchange_body(request.method, url, headers, body.as_slice()),
            None => self.exchange_body(request.method, url, headers, ()),
        }
    }

    /// One request with its body, and the head of its response.
    pub(crate) fn exchange_body(
        &self,
        method: Method,
        url: &Url,
        headers: &[(String, String)],
        body: impl ureq::AsSendBody,
    ) -> Result<Response, NetError> {
        let settings = &self.shared.settings;
        let text = url.text();
        let shown = redacted(&text);
        self.check(url, &shown)?;
        let agent = self.agent_for(url, &shown)?;
        let mut builder = http::Request::builder().method(method.as_str()).uri(&text);
        for (name, value) in headers {
            let bad = || NetError::BadHeader { url: shown.clone(), name: name.clone() };
            let value = http::HeaderValue::from_str(value).map_err(|_| bad())?;
            let name = http::HeaderName::try_from(name.as_str()).map_err(|_| bad())?;
            builder = builder.header(name, value);
        }
        let bad = |error: http::Error| NetError::BadUrl { url: shown.clone(), reason: error.to_string() };
        let request = builder.body(body).map_err(bad)?;
        let spent = self.shared.budget.begin(&url.origin.host_and_port());
        let answer = agent.run(request);
        drop(spent);
        let (head, body) = answer.map_err(|error| from_ureq(error, &shown, settings))?.into_parts();
        Ok(Response {
            status: head.status.as_u16(),
            url: text,
            is_foreign: false,
            headers: Headers::from_map(&head.headers),
            body: WireBody::new(body, shown, Arc::clone(settings)),
        })
    }

    /// Whether a URL may be asked at all, as far as its text tells.
    fn check(&self, url: &Url, shown: &str) -> Result<(), NetError> {
        let settings = &self.shared.settings;
        let origin = &url.origin;
        if settings.only_hosts.as_ref().is_some_and(|hosts| !origin.is_listed(hosts)) {
            return Err(NetError::Offline { url: shown.to_owned(), host: origin.shown() });
        }
        if settings.allowed_hosts.as_ref().is_some_and(|hosts| !is_allowed(hosts, &origin.host_and_port())) {
            return Err(NetError::HostRefused { url: shown.to_owned(), host: origin.shown() });
        }
        let may_be_plain =
            origin.is_https || is_loopback_name(&origin.host) || origin.is_listed(&settings.plain_http_hosts);
        if !may_be_plain {
            return Err(NetError::PlainHttp { url: shown.to_owned(), host: origin.host_and_port() });
        }
        // Names are checked once they are resolved; a proxy would resolve a literal unseen.
        let is_guarded =
            settings.denies_private_addresses && !origin.is_listed(&settings.private_hosts_allowed);
        match origin.address() {
            Some(address) if is_guarded && !is_public(address) => {
                Err(NetError::AddressRefused { url: shown.to_owned(), address })
            }
            _ => Ok(()),
        }
    }

    fn agent_for(&self, url: &Url, shown: &str) -> Result<&Agent, NetError> {
        let proxy = self.shared.settings.proxies.proxy_for(&url.origin);
        let proxy = proxy.map(parse_proxy).transpose()?;
        let is_tls = url.origin.is_https
            || proxy.as_ref().is_some_and(|proxy| proxy.protocol() == ureq::ProxyProtocol::Https);
        let authorities = if is_tls { self.authorities(shown)? } else { RootCerts::from(Vec::new()) };
        let [plain, plain_proxied, tls, tls_proxied] = &self.shared.agents;
        let slot = match (url.origin.is_https, proxy.is_some()) {
            (false, false) => plain,
            (false, true) => plain_proxied,
            (true, false) => tls,
            (true, true) => tls_proxied,
        };
        Ok(slot.get_or_init(|| self.build_agent(proxy, authorities)))
    }

    fn authorities(&self, shown: &str) -> Result<RootCerts, NetError> {
        let given = &self.shared.given_authorities;
        match self.shared.authorities.get_or_init(|| trust::authorities(given).map(RootCerts::from)) {
            Ok(authorities) => Ok(authorities.clone()),
            Err(reason) => Err(NetError::NoAuthorities { url: shown.to_owned(), reason: reason.clone() }),
        }
    }

    fn build_agent(&self, proxy: Option<ureq::Proxy>, authorities: RootCerts) -> Agent {
        let settings = &self.shared.settings;
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .root_certs(authorities)
            .build();
        let resolver = GuardedResolver {
            inner: DefaultResolver::default(),
            // Through a proxy only the proxy's own name is looked up, which the operator gave.
            denies_private_addresses: settings.denies_private_addresses && proxy.is_none(),
            private_hosts_allowed: settings.private_hosts_allowed.clone(),
        };
        let config = Agent::config_builder()
            .tls_config(tls)
            .proxy(proxy)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(settings.user_agent.clone())
            // Bytes must arrive as they were hashed, and ranges must count them.
            .accept_encoding("identity")
            .max_response_header_size(settings.header_bytes_max)
            .max_idle_connections(IDLE_CONNECTIONS_MAX)
            .max_idle_connections_per_host(IDLE_CONNECTIONS_PER_HOST_MAX)
            .timeout_resolve(Some(settings.connect_timeout))
            .timeout_connect(Some(settings.connect_timeout))
            .timeout_recv_response(Some(settings.response_timeout))
            .timeout_per_read(Some(settings.idle_timeout))
            .timeout_per_write(Some(settings.idle_timeout))
            .timeout_global(Some(settings.total_timeout))
            .build();
        Agent::with_parts(config, DefaultConnector::default(), resolver)
    }
}

fn parse_proxy(text: &str) -> Result<ureq::Proxy, NetError> {
    let bad = || NetError::BadProxy { proxy: redacted(text) };
    let proxy = ureq::Proxy::new(text).map_err(|_| bad())?;
    match proxy.protocol() {
        ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https => Ok(proxy),
        _ => Err(bad()),
    }
}

/// Turns `USER:PASSWORD@` of the URL into a header, unless there is one.
pub(crate) fn add_credentials(url: &Url, headers: &mut Vec<(String, String)>) -> Result<(), NetError> {
    let Some(credentials) = &url.credentials else { return Ok(()) };
    if headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
        return Ok(());
    }
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text).decode_utf8().map(|text| text.into_owned()).map_err(|_| {
            NetError::BadUrl {
                url: redacted(&url.text()),
                reason: "its credentials are not UTF-8".to_owned(),
            }
        })
    };
    let request = Request::get("").basic_auth(&decode(user)?, &decode(password)?);
    headers.extend(request.headers);
    Ok(())
}

fn redirect_target(method: Method, from: &Url, location: &str) -> Result<Url, NetError> {
    let refused = |target: &str, reason| NetError::RedirectRefused {
        url: redacted(&from.text()),
        target: redacted(target),
        reason,
    };
    if !method.is_safe() {
        return Err(refused(location, "only reads are redirected; use the new URL"));
    }
    let target = from.join(location)?;
    if from.origin.is_https && !target.origin.is_https {
        return Err(refused(&target.text(), "it leads from `https` to `http`"));
    }
    Ok(target)
}

/// Reads a short body that nobody wants, so that its connection can be used again.
fn drain(mut response: Response) {
    if response.body.remaining().is_some_and(|remaining| remaining <= DRAIN_BYTES_MAX) {
        let mut buffer = [0; 4 << 10];
        while matches!(response.body.read(&mut buffer), Ok(1..)) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names are looked up by agents, and none is made for a host that is refused.
    #[test]
    fn a_host_that_is_refused_is_not_looked_up() {
        let settings = |only_hosts| Settings {
            only_hosts,
            proxies: crate::Proxies::none(),
            attempts_max: 1,
            ..Settings::default()
        };
        let looks_up = |client: &Client| client.shared.agents.iter().any(|agent| agent.get().is_some());
        let ask = |only_hosts: Option<Vec<String>>| {
            let client = Client::new(settings(only_hosts)).unwrap();
            // Nothing listens on the port; the name would resolve.
            let error = client.send(&Request::get("http://localhost:1/")).unwrap_err();
            (matches!(error, NetError::Offline { .. }), looks_up(&client))
        };
        assert_eq!(ask(Some(vec!["mirror.example".to_owned()])), (true, false));
        assert_eq!(ask(None), (false, true));
    }
}
