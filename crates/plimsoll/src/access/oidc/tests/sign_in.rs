//! Signing in with a browser, from the page to the provider and back.

use super::*;
use crate::http::tests::samples::{self, Answered, TestServer};

const CODE: &str = "a code/&=";

/// A server that people sign in to, its provider, and the provider's key.
struct Front {
    server: TestServer,
    script: Script,
    issuer: String,
    key: Key,
}

/// What a browser got when it was sent to the provider.
struct Sent {
    cookie: String,
    /// The query of the provider's URL.
    query: BTreeMap<String, String>,
}

impl Front {
    fn new(more: &str) -> Front {
        let script = Script::default();
        let issuer = script.serve();
        let key = Key::elliptic();
        script.set(&[key.public("e")]);
        let config = format!(
            "[server]\nurl = 'https://plimsoll.example/'\n[server.auth.oidc]\nissuer = '{issuer}'\naudience = 'plimsoll'\n\
             [server.auth.oidc.sign_in]\nclient_id = 'pli&msoll'\n{more}\n\
             [[server.auth.oidc.grants]]\nclaim = 'groups'\nvalue = 'operators'\nscopes = ['read']\n"
        );
        Front { server: TestServer::new(&config, false), script, issuer, key }
    }

    fn begin(&self) -> Sent {
        let answered = self.server.ask("GET /ui/sign-in/provider", &[], "");
        assert_eq!(answered.status, 303, "{}", answered.text());
        let location = answered.header("location");
        let (place, query) = location.split_once('?').unwrap();
        assert_eq!(place, format!("{}/authorize", self.issuer));
        let cookie = answered.header("set-cookie");
        assert!(
            cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=600; Secure"),
            "not sent to anybody else: {cookie}"
        );
        let cookie = format!("cookie: {}", cookie.split(';').next().unwrap());
        Sent { cookie, query: pairs(query) }
    }

    /// The provider's answer to a sign-in, which names a nonce.
    fn token(&self, nonce: &str, changes: &Value) -> String {
        let now = samples::now().as_second();
        let mut said = claims(&self.issuer, &json!({"aud": "pli&msoll", "exp": now + 300, "nonce": nonce}));
        for (name, value) in changes.as_object().unwrap() {
            said[name] = value.clone();
        }
        self.key.token(json!({"alg": "ES256", "kid": "e"}), &said)
    }

    fn end(&self, query: &str, cookie: &str) -> Answered {
        self.server.ask(&format!("GET /ui/sign-in/answer?{query}"), &[cookie], "")
    }
}

/// A query or a form in pairs.
fn pairs(text: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| {
        let mut bytes = text.bytes();
        let mut out = Vec::new();
        while let Some(byte) = bytes.next() {
            match byte {
                b'%' => {
                    let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                    out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                }
                byte => out.push(byte),
            }
        }
        String::from_utf8(out).unwrap()
    };
    text.split('&').map(|pair| pair.split_once('=').unwrap()).map(|(a, b)| (decoded(a), decoded(b))).collect()
}

#[test]
fn whoever_the_provider_knows_is_let_in() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "s:e c\n").unwrap();
    let of_secret = format!("client_secret_file = '{}'\nscopes = ['openid', 'groups']", file.display());
    for (more, scope, authorization) in [
        ("", "openid", None),
        // `pli%26msoll:s%3Ae%20c`
        (of_secret.as_str(), "openid groups", Some("Basic cGxpJTI2bXNvbGw6cyUzQWUlMjBj")),
    ] {
        let front = Front::new(more);
        let page = front.server.ask("GET /ui/sign-in", &[], "");
        assert!(page.text().contains("href=\"/ui/sign-in/provider\""), "{}", page.text());
        let sent = front.begin();
        let of = |name: &str| sent.query[name].as_str();
        assert_eq!((of("response_type"), of("client_id"), of("scope")), ("code", "pli&msoll", scope));
        assert_eq!(of("redirect_uri"), "https://plimsoll.example/ui/sign-in/answer");
        let token = front.token(of("nonce"), &json!({}));
        front.script.give(200, json!({"id_token": token}));
        let code = plimsoll_report::link::of_value(CODE);
        let answered = front.end(&format!("code={code}&state={}", of("state")), &sent.cookie);
        assert_eq!(answered.status, 200, "{}", answered.text());
        assert_eq!(answered.header("refresh"), "0; url=/");
        let cookies = answered.header("set-cookie");
        assert!(cookies.starts_with(&format!("plimsoll_token={token}; ")) && cookies.contains("Max-Age=0"));

        // What was asked for the code, and that nobody else could have.
        let (headers, body) = front.script.posted();
        let form = pairs(&body);
        assert_eq!((form["code"].as_str(), form["grant_type"].as_str()), (CODE, "authorization_code"));
        assert_eq!(form["redirect_uri"], of("redirect_uri"));
        let challenge = encoded(<sha2::Sha256 as sha2::Digest>::digest(&form["code_verifier"]));
        assert_eq!((of("code_challenge"), of("code_challenge_method")), (challenge.as_str(), "S256"));
        let sent_authorization = headers.iter().find_map(|line| line.strip_prefix("authorization: "));
        assert_eq!(sent_authorization, authorization);
        assert_eq!(form.contains_key("client_id"), authorization.is_none());

        let overview = front.server.ask("GET /", &[&format!("cookie: plimsoll_token={token}")], "");
        assert_eq!(overview.status, 200);
        assert!(overview.text().contains("oidc:me"));
    }
}

#[test]
fn answers_that_let_nobody_in() {
    let front = Front::new("");
    let other = front.begin();
    for (name, changes, response, query, status, wanted) in [
        ("good", json!({}), None, "code=c&state=STATE", 200, "signed in"),
        ("another state", json!({}), None, "code=c&state=x", 401, "answers no sign-in"),
        ("no state", json!({}), None, "code=c", 401, "answers no sign-in"),
        ("another nonce", json!({"nonce": "x"}), None, "code=c&state=STATE", 401, "for another sign-in"),
        ("no nonce", json!({"nonce": null}), None, "code=c&state=STATE", 401, "for another sign-in"),
        ("another client", json!({"aud": "other"}), None, "code=c&state=STATE", 401, "InvalidAudience"),
        ("too late", json!({"exp": 1}), None, "code=c&state=STATE", 401, "it has ended"),
        ("nothing granted", json!({"groups": []}), None, "code=c&state=STATE", 403, "granted"),
        (
            "too much to say",
            json!({"more": "x".repeat(4_000)}),
            None,
            "code=c&state=STATE",
            403,
            "a cookie takes",
        ),
        (
            "refused by the provider",
            json!({}),
            None,
            "error=access_denied&error_description=%3Cb%3Eno&state=STATE",
            401,
            "access_denied (&lt;b&gt;no)",
        ),
        (
            "a code that is none",
            json!({}),
            Some((400, json!({"error": "invalid_grant", "error_description": "old"}))),
            "code=c&state=STATE",
            401,
            "invalid_grant (old)",
        ),
        (
            "no token",
            json!({}),
            Some((200, json!({"access_token": "x"}))),
            "code=c&state=STATE",
            401,
            "status 200",
        ),
        ("no JSON", json!({}), Some((500, json!("x"))), "code=c&state=STATE", 401, "status 500"),
    ] {
        let sent = front.begin();
        let token = front.token(&sent.query["nonce"], &changes);
        let (given, body) = response.unwrap_or((200, json!({"id_token": token})));
        front.script.give(given, body);
        let query = query.replace("STATE", &sent.query["state"]);
        let answered = front.end(&query, &sent.cookie);
        let text = answered.text();
        assert_eq!(answered.status, status, "{name}: {text}");
        assert!(text.contains(wanted) && !text.contains("<b>no"), "{name}: {text}");
        assert_eq!(answered.header("set-cookie").contains("plimsoll_token=ey"), status == 200, "{name}");
        // A browser that began another sign-in, or none, is not let in by this one's answer.
        for cookie in [other.cookie.as_str(), "cookie: x=y", "cookie: __Host-plimsoll_sign_in=a.b.c"] {
            assert_eq!(front.end(&query, cookie).status, 401, "{name}");
        }
    }
}

#[test]
fn a_provider_that_is_not_there_and_none() {
    let front = Front::new("");
    // It answers with nothing that can be read.
    let gone = front.issuer.replace("127.0.0.1", "localhost");
    let config = format!(
        "[server]\nurl = 'https://plimsoll.example'\n[server.auth.oidc]\nissuer = '{gone}'\naudience = 'p'\ngrants = []\n\
         [server.auth.oidc.sign_in]\nclient_id = 'p'\n"
    );
    let server = TestServer::new(&config, false);
    let answered = server.ask("GET /ui/sign-in/provider", &[], "");
    assert_eq!(answered.status, 503);
    assert!(answered.text().contains("is of another issuer"), "{}", answered.text());
    let without = TestServer::new("", false);
    assert_eq!(without.ask("GET /ui/sign-in/provider", &[], "").status, 404);
    assert_eq!(without.ask("GET /ui/sign-in/answer?state=x", &[], "").status, 404);
    assert!(!without.ask("GET /ui/sign-in", &[], "").text().contains("/ui/sign-in/provider"));
}

#[test]
fn a_sign_in_is_configured_whole() {
    let base = "[server.auth.oidc]\nissuer = 'https://i.example'\naudience = 'p'\ngrants = []\n[server.auth.oidc.sign_in]\n";
    for (server, sign_in, wanted) in [
        ("", "client_id = 'p'", "needs `url` in `[server]`"),
        ("[server]\nurl = 'https://p.example'\n", "client_id = ''", "`client_id`"),
        ("[server]\nurl = 'https://p.example'\n", "client_id = 'p'\nscopes = ['email']", "lack `openid`"),
    ] {
        let error = Config::parse(&format!("{server}{base}{sign_in}\n")).unwrap_err();
        assert!(format!("{error:#}").contains(wanted), "{error:#}");
    }
}
