//! How a registry wants to be asked: challenges, tokens and who may see a password.
//!
//! Token authentication: the distribution project's `spec/auth/token` and `spec/auth/oauth`. Challenges: RFC
//! 9110 section 11.6.1. A registry names the realm that hands out tokens, and the realm is sent the login:
//! so it must be a place that a registry cannot choose to make the login readable on the way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use plimsoll_net::{Client, Method, NetError, Request, is_listed};
use serde::Deserialize;

use super::RegistryError;
use super::credentials::Credential;

/// Largest answer of a token server, in bytes.
const TOKEN_BYTES_MAX: u64 = 1 << 20;

/// Tokens that are remembered.
const TOKENS_MAX: usize = 1000;

/// How long a token lives where its server does not say (token specification, `expires_in`).
const TOKEN_LIFETIME: Duration = Duration::from_secs(60);

/// Longest time that a token is used, whatever its server says.
const TOKEN_LIFETIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Challenges in one answer.
const CHALLENGES_MAX: usize = 16;

/// What a request may say in `Authorization`, remembered by registry and scope. Clones share it.
#[derive(Clone, Default)]
pub struct Tokens {
    known: Arc<Mutex<HashMap<(String, String), Token>>>,
}

#[derive(Clone)]
struct Token {
    authorization: String,
    expires: Instant,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    pub(super) fn get(&self, host: &str, scope: &str, now: Instant) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let token = known.get(&(host.to_owned(), scope.to_owned()))?;
        (token.expires > now).then(|| token.authorization.clone())
    }

    fn put(&self, host: &str, scope: &str, token: Token, now: Instant) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= TOKENS_MAX {
            known.retain(|_, token| token.expires > now);
        }
        if known.len() >= TOKENS_MAX {
            known.clear();
        }
        known.insert((host.to_owned(), scope.to_owned()), token);
    }
}

/// One `WWW-Authenticate` challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Lower case.
    scheme: String,
    /// Names in lower case.
    parameters: Vec<(String, String)>,
}

impl Challenge {
    fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Who asks for what.
pub(super) struct Asker<'a> {
    pub(super) client: &'a Client,
    /// Host and port of the registry.
    pub(super) host: &'a str,
    /// The registry as people know it.
    pub(super) registry: &'a str,
    pub(super) scope: &'a str,
    pub(super) plain_http_hosts: &'a [String],
    pub(super) tokens: &'a Tokens,
}

impl Asker<'_> {
    /// Answers a registry's challenges: the value for `Authorization`, remembered from now on.
    pub(super) fn answer(
        &self,
        challenges: &[Challenge],
        credential: Option<&Credential>,
    ) -> Result<String, RegistryError> {
        let find = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme == scheme);
        let now = Instant::now();
        let token = match (find("bearer"), find("basic"), credential) {
            (Some(_), _, Some(Credential::RegistryToken(token))) => {
                Token { authorization: format!("Bearer {token}"), expires: now + TOKEN_LIFETIME_MAX }
            }
            (Some(bearer), _, credential) => self.fetch_token(bearer, credential, now)?,
            (None, Some(_), Some(Credential::Password { user, password })) => {
                Token { authorization: basic(user, password), expires: now + TOKEN_LIFETIME_MAX }
            }
            (None, Some(_), Some(_)) => {
                return Err(
                    self.unauthorized("it wants a user name and a password, and the login is a token")
                );
            }
            (None, Some(_), None) => {
                return Err(self.unauthorized("it wants a login and there is none"));
            }
            (None, None, _) => {
                return Err(self.unauthorized("it does not say how to log in by password or token"));
            }
        };
        let authorization = token.authorization.clone();
        self.tokens.put(self.host, self.scope, token, now);
        Ok(authorization)
    }

    fn unauthorized(&self, reason: &str) -> RegistryError {
        RegistryError::Unauthorized { registry: self.registry.to_owned(), reason: reason.to_owned() }
    }

    fn fetch_token(
        &self,
        challenge: &Challenge,
        credential: Option<&Credential>,
        now: Instant,
    ) -> Result<Token, RegistryError> {
        let bad = |reason: &str| RegistryError::BadAnswer {
            place: format!("the registry `{}`", self.registry),
            reason: reason.to_owned(),
        };
        let realm = challenge.get("realm").ok_or_else(|| bad("it asks for a token and names no `realm`"))?;
        if credential.is_some() && !self.may_see_login(realm) {
            return Err(self.unauthorized(&format!(
                "it wants the login to be sent to `{}`, which is neither itself nor reached by `https`; \
                 list that host among the hosts for plain HTTP if it is yours",
                plimsoll_net::redacted(realm)
            )));
        }
        let scope = challenge.get("scope").unwrap_or(self.scope);
        let request = token_request(realm, challenge.get("service"), scope, credential);
        let response = self.client.send(&request).map_err(|error| self.token_error(error))?;
        if !response.is_success() {
            return Err(self.token_error(NetError::Status(Box::new(response.into_status_error()))));
        }
        let bytes = response.bytes(TOKEN_BYTES_MAX).map_err(|error| self.token_error(error))?;
        let answer: TokenAnswer = serde_json::from_slice(&bytes)
            .map_err(|_| bad(&format!("`{}` answers with no token", plimsoll_net::redacted(realm))))?;
        answer
            .into_token(now)
            .ok_or_else(|| bad(&format!("`{}` answers with no token", plimsoll_net::redacted(realm))))
    }

    /// Whether a login may be sent to a realm: over `https`, or to the registry itself, or where the operator
    /// said that plain HTTP is right.
    fn may_see_login(&self, realm: &str) -> bool {
        let lower = realm.to_ascii_lowercase();
        if lower.starts_with("https://") {
            return true;
        }
        let Some(rest) = lower.strip_prefix("http://") else { return false };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let is_plain_registry = |host: &str| host.eq_ignore_ascii_case(authority);
        !authority.contains('@')
            && (is_plain_registry(self.host) || is_listed(self.plain_http_hosts, authority))
    }

    fn token_error(&self, error: NetError) -> RegistryError {
        match error.status() {
            // Servers refuse wrong logins with any of these.
            Some(400 | 401 | 403) => {
                self.unauthorized(&format!("its token server refuses the login ({error})"))
            }
            // It is the token server that is missing, not the image.
            Some(404 | 410) => RegistryError::BadAnswer {
                place: format!("the token server of the registry `{}`", self.registry),
                reason: error.to_string(),
            },
            _ => RegistryError::from_net(error, self.registry, "a token"),
        }
    }
}

fn basic(user: &str, password: &str) -> String {
    let mut request = Request::new(Method::Get, "").basic_auth(user, password);
    request.headers.pop().map_or(String::new(), |(_, value)| value)
}

fn token_request(
    realm: &str,
    service: Option<&str>,
    scope: &str,
    credential: Option<&Credential>,
) -> Request {
    let mut fields = Vec::new();
    fields.extend(service.map(|service| ("service", service)));
    // Several scopes are separated by spaces and sent one by one.
    fields.extend(scope.split(' ').filter(|scope| !scope.is_empty()).map(|scope| ("scope", scope)));
    if let Some(Credential::IdentityToken(token)) = credential {
        fields.retain(|(name, _)| *name != "scope");
        fields.push(("scope", scope));
        fields.push(("grant_type", "refresh_token"));
        fields.push(("client_id", "plimsoll"));
        fields.push(("refresh_token", token));
        return Request::post(realm, form(&fields))
            .header("Content-Type", "application/x-www-form-urlencoded");
    }
    let joiner = if realm.contains('?') { '&' } else { '?' };
    let request = Request::get(format!("{realm}{joiner}{}", form(&fields)));
    match credential {
        Some(Credential::Password { user, password }) => request.basic_auth(user, password),
        _ => request,
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
    pairs.join("&")
}

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl TokenAnswer {
    fn into_token(self, now: Instant) -> Option<Token> {
        let token = self.token.filter(|token| !token.is_empty()).or(self.access_token)?;
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let lifetime = self.expires_in.map_or(TOKEN_LIFETIME, Duration::from_secs).min(TOKEN_LIFETIME_MAX);
        // A tenth less than promised: clocks differ, and requests take time.
        let expires = now + lifetime.saturating_sub(lifetime / 10);
        Some(Token { authorization: format!("Bearer {token}"), expires })
    }
}

/// Reads the challenges of one `WWW-Authenticate` header. What is not one is left out.
pub fn parse_challenges(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (token, after) = split_token(rest);
        if token.is_empty() {
            // Not a token: the header is broken from here on.
            return challenges;
        }
        let value = after.trim_start_matches([' ', '\t']).strip_prefix('=');
        let is_full = challenges.len() >= CHALLENGES_MAX;
        match (value, challenges.last_mut()) {
            (Some(value), Some(challenge)) => {
                let (value, after) = split_value(value.trim_start_matches([' ', '\t']));
                challenge.parameters.push((token.to_ascii_lowercase(), value));
                rest = after;
            }
            (Some(_), None) => return challenges,
            (None, _) if is_full => return challenges,
            (None, _) => {
                challenges.push(Challenge { scheme: token.to_ascii_lowercase(), parameters: Vec::new() });
                rest = after;
            }
        }
    }
}

fn split_token(text: &str) -> (&str, &str) {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/:".contains(c);
    text.split_at(text.find(|c| !is_token(c)).unwrap_or(text.len()))
}

/// A token or a quoted string, in which a backslash keeps the next character.
fn split_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (token, rest) = text.split_at(text.find([',', ' ', '\t']).unwrap_or(text.len()));
        return (token.to_owned(), rest);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, wanted: &[(&str, &[(&str, &str)])]) {
        let found = parse_challenges(header);
        let found: Vec<(&str, Vec<(&str, &str)>)> = found
            .iter()
            .map(|c| {
                (c.scheme.as_str(), c.parameters.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect())
            })
            .collect();
        let wanted: Vec<(&str, Vec<(&str, &str)>)> = wanted.iter().map(|(s, p)| (*s, p.to_vec())).collect();
        assert_eq!(found, wanted, "{header}");
    }

    #[test]
    fn challenges_parse() {
        check(
            r#"Bearer realm="https://a.example/token",service="r.example",scope="repository:a/b:pull,push""#,
            &[(
                "bearer",
                &[
                    ("realm", "https://a.example/token"),
                    ("service", "r.example"),
                    ("scope", "repository:a/b:pull,push"),
                ],
            )],
        );
        check(
            r#"Basic Realm = "a \"b\", c" , BEARER realm=x, error="insufficient_scope""#,
            &[
                ("basic", &[("realm", "a \"b\", c")]),
                ("bearer", &[("realm", "x"), ("error", "insufficient_scope")]),
            ],
        );
        check("Basic", &[("basic", &[])]);
        check("Negotiate, Basic realm=\"\"", &[("negotiate", &[]), ("basic", &[("realm", "")])]);
        check("Bearer realm=\"open", &[("bearer", &[("realm", "open")])]);
        check("Bearer realm=\"a\\", &[("bearer", &[("realm", "a")])]);
        check("", &[]);
        check("=x", &[]);
        check("realm=\"x\"", &[]);
        check("Bearer \u{fffd}", &[("bearer", &[])]);
        assert_eq!(parse_challenges(&"a,".repeat(1000)).len(), CHALLENGES_MAX);
    }

    #[test]
    fn logins_go_only_where_they_may_be_seen() {
        let client = Client::new(plimsoll_net::Settings::default()).unwrap();
        let asker = Asker {
            client: &client,
            host: "r.example:5000",
            registry: "r.example:5000",
            scope: "",
            plain_http_hosts: &["plain.example".to_owned()],
            tokens: &Tokens::default(),
        };
        for (realm, may) in [
            ("https://elsewhere.example/token", true),
            ("http://r.example:5000/token", true),
            ("http://R.EXAMPLE:5000", true),
            ("http://plain.example:8080/token", true),
            ("http://r.example/token", false),
            ("http://elsewhere.example/token", false),
            ("http://r.example:5000@elsewhere.example/token", false),
            ("http://elsewhere.example/?x=http://r.example:5000", false),
            ("http://elsewhere.example#r.example:5000", false),
            ("ftp://r.example:5000/", false),
            ("/token", false),
        ] {
            assert_eq!(asker.may_see_login(realm), may, "{realm}");
        }
    }

    #[test]
    fn token_answers() {
        let now = Instant::now();
        let read = |json: &str| serde_json::from_str::<TokenAnswer>(json).ok()?.into_token(now);
        for (json, wanted, seconds) in [
            (r#"{"token": "a"}"#, "Bearer a", 54),
            (r#"{"access_token": "b", "expires_in": 300}"#, "Bearer b", 270),
            (r#"{"token": "", "access_token": "b"}"#, "Bearer b", 54),
            (r#"{"token": "a", "expires_in": 18446744073709551615}"#, "Bearer a", 77760),
        ] {
            let token = read(json).unwrap();
            assert_eq!(token.authorization, wanted, "{json}");
            assert_eq!(token.expires.duration_since(now).as_secs(), seconds, "{json}");
        }
        for bad in ["{}", r#"{"token": ""}"#, r#"{"token": "a\r\nX: y"}"#, "[]", ""] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn tokens_expire_and_stay_few() {
        let (tokens, now) = (Tokens::default(), Instant::now());
        let token = |authorization: &str| Token {
            authorization: authorization.to_owned(),
            expires: now + Duration::from_secs(1),
        };
        tokens.put("h", "s", token("x"), now);
        assert_eq!(tokens.get("h", "s", now).as_deref(), Some("x"));
        assert_eq!(tokens.get("h", "other", now), None);
        assert_eq!(tokens.get("h", "s", now + Duration::from_secs(1)), None);
        for nth in 0..TOKENS_MAX * 2 {
            tokens.put("h", &nth.to_string(), token("x"), now);
        }
        assert!(tokens.known.lock().unwrap().len() <= TOKENS_MAX);
    }

    proptest::proptest! {
        #[test]
        fn any_header_is_read(header in "[a-c=,\"\\\\ ]{0,40}|\\PC{0,40}") {
            parse_challenges(&header);
        }
    }
}
