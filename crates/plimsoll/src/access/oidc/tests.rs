//! A provider on the loopback address whose keys are made here, and tokens that it signed, or did not.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;

mod sign_in;

enum Key {
    Elliptic(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    fn elliptic() -> Key {
        Key::Elliptic(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn rsa() -> Key {
        Key::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    fn public(&self, id: &str) -> Value {
        match self {
            Key::Elliptic(key) => {
                let point = key.public_key().as_ref();
                let (x, y) = (encoded(&point[1..33]), encoded(&point[33..65]));
                json!({"kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "x": x, "y": y})
            }
            Key::Rsa(key) => {
                // RFC 8017, A.1.1: a sequence of two numbers, of which the first has 257 bytes with its sign.
                let der = key.public_key().as_ref();
                json!({"kty": "RSA", "kid": id, "n": encoded(&der[9..265]), "e": "AQAB"})
            }
        }
    }

    fn token(&self, header: Value, claims: &Value) -> String {
        let text = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match self {
            Key::Elliptic(key) => key.sign(&random, text.as_bytes()).unwrap().as_ref().to_vec(),
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{text}.{}", encoded(signature))
    }
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What the provider's server says next, and which paths it was asked for.
#[derive(Clone, Default)]
struct Script {
    keys: Arc<Mutex<Option<Value>>>,
    asked: Arc<Mutex<Vec<String>>>,
    /// Status and body that a code is answered with.
    given: Arc<Mutex<(u16, Value)>>,
    /// Headers and body of the last code that came.
    posted: Arc<Mutex<(Vec<String>, String)>>,
}

impl Script {
    fn set(&self, keys: &[Value]) {
        *self.keys.lock().unwrap() = Some(json!({"keys": keys}));
    }

    fn give(&self, status: u16, body: Value) {
        *self.given.lock().unwrap() = (status, body);
    }

    fn posted(&self) -> (Vec<String>, String) {
        self.posted.lock().unwrap().clone()
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// Starts the server; where it is.
    fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let (script, own) = (self.clone(), issuer.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut line = || {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    line.trim_end().to_owned()
                };
                let first = line();
                let headers: Vec<String> =
                    std::iter::from_fn(|| Some(line()).filter(|line| !line.is_empty())).collect();
                let path = first.split(' ').nth(1).unwrap().to_owned();
                script.asked.lock().unwrap().push(path.clone());
                let (status, body) = match path.as_str() {
                    "/.well-known/openid-configuration" => (
                        200,
                        Some(json!({
                            "issuer": own,
                            "jwks_uri": format!("{own}/keys"),
                            "authorization_endpoint": format!("{own}/authorize"),
                            "token_endpoint": format!("{own}/token"),
                        })),
                    ),
                    "/token" => {
                        let length = headers.iter().find_map(|line| line.strip_prefix("content-length: "));
                        let mut body = vec![0; length.unwrap().parse().unwrap()];
                        reader.read_exact(&mut body).unwrap();
                        *script.posted.lock().unwrap() = (headers, String::from_utf8(body).unwrap());
                        let (status, body) = script.given.lock().unwrap().clone();
                        (status, Some(body))
                    }
                    _ => match script.keys.lock().unwrap().clone() {
                        Some(keys) => (200, Some(keys)),
                        None => (404, None),
                    },
                };
                let body = body.map_or(String::new(), |body| body.to_string());
                let length = body.len();
                write!(
                    stream,
                    "HTTP/1.1 {status} -\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                )
                .unwrap();
            }
        });
        issuer
    }
}

fn provider(issuer: &str) -> Provider {
    let text = format!(
        "[server.auth.oidc]\nissuer = '{issuer}'\naudience = 'plimsoll'\n\
         [[server.auth.oidc.grants]]\nclaim = 'groups'\nvalue = 'operators'\nscopes = ['admin']\n\
         [[server.auth.oidc.grants]]\nclaim = 'groups'\nvalue = 'team-*'\nscopes = ['submit']\nrepositories = ['r/team/*']\n\
         [[server.auth.oidc.grants]]\nclaim = 'sub'\nvalue = 'repo:org/app:*'\nscopes = ['submit']\nrepositories = ['r/app']\n\
         [[server.auth.oidc.grants]]\nclaim = 'staff'\nvalue = 'true'\nscopes = ['read']\n"
    );
    let config = Config::parse(&text).unwrap();
    Provider::new(config.server.auth.oidc.as_ref().unwrap(), &config).unwrap()
}

const NOW: i64 = 1_800_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).unwrap()
}

fn claims(issuer: &str, changes: &Value) -> Value {
    let mut claims =
        json!({"iss": issuer, "aud": "plimsoll", "sub": "me", "exp": NOW + 300, "groups": ["operators"]});
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

#[tokio::test]
async fn which_tokens_are_good_and_for_what() {
    let script = Script::default();
    let issuer = script.serve();
    let (elliptic, rsa, strange) = (Key::elliptic(), Key::rsa(), Key::elliptic());
    let unknown_kind = json!({"kty": "XYZ", "kid": "x"});
    script.set(&[unknown_kind, elliptic.public("e"), rsa.public("r")]);
    let provider = provider(&issuer);
    let (e, r) = (json!({"alg": "ES256", "kid": "e"}), json!({"alg": "RS256", "kid": "r"}));
    let good = "Admin None";
    for (key, header, changes, wanted) in [
        (&elliptic, &e, json!({}), good),
        (&rsa, &r, json!({}), good),
        (&rsa, &r, json!({"aud": ["other", "plimsoll"]}), good),
        (&elliptic, &e, json!({"exp": NOW - 10}), good),
        (&elliptic, &e, json!({"exp": NOW - 20}), "401 it has ended"),
        (&elliptic, &e, json!({"nbf": NOW + 10}), good),
        (&elliptic, &e, json!({"nbf": NOW + 20}), "401 it does not hold yet"),
        (&elliptic, &e, json!({"aud": "other"}), "401 InvalidAudience"),
        (&elliptic, &e, json!({"iss": "https://other.example"}), "401 InvalidIssuer"),
        (&elliptic, &e, json!({"exp": null}), "401"),
        (&strange, &e, json!({}), "401 InvalidSignature"),
        // A key is not used for an algorithm that is not its own.
        (&rsa, &json!({"alg": "RS256", "kid": "e"}), json!({}), "401"),
        (&elliptic, &json!({"alg": "none", "kid": "e"}), json!({}), "401 it cannot be read"),
        (
            &elliptic,
            &json!({"alg": "HS256", "kid": "e"}),
            json!({}),
            "401 it is signed with another algorithm",
        ),
        (&elliptic, &json!({"alg": "ES256", "kid": "z"}), json!({}), "401 the provider has no such key"),
        (&elliptic, &json!({"alg": "ES256"}), json!({}), "401 the provider has no such key"),
        (&elliptic, &e, json!({"groups": "operators"}), good),
        (&elliptic, &e, json!({"groups": []}), "403"),
        (&elliptic, &e, json!({"groups": ["operator"]}), "403"),
        (&elliptic, &e, json!({"groups": ["team-a", "x"]}), "Submit r/team/*"),
        (&elliptic, &e, json!({"groups": ["team-a"], "sub": "repo:org/app:main"}), "Submit r/team/* r/app"),
        (&elliptic, &e, json!({"groups": ["team-a", "operators"]}), good),
        (&elliptic, &e, json!({"groups": [], "staff": true}), "Read None"),
        (&elliptic, &e, json!({"groups": {"operators": 1}}), "403"),
    ] {
        let token = key.token(header.clone(), &claims(&issuer, &changes));
        let found = match provider.identify(&token, at(0)).await {
            Ok(principal) => {
                let expected = wanted.split_once(' ').unwrap().1;
                let shown = match &principal.repositories {
                    None => "None".to_owned(),
                    Some(patterns) => {
                        let reaches = |name: &str| patterns.iter().any(|pattern| pattern.matches("r", name));
                        let all = [("team/x", "r/team/*"), ("app", "r/app")];
                        let reached = all.iter().filter(|(name, _)| reaches(name)).map(|(_, shown)| *shown);
                        reached.collect::<Vec<_>>().join(" ")
                    }
                };
                assert_eq!(shown, expected, "{changes}");
                format!("{:?} {shown}", principal.scope)
            }
            Err(refusal) => format!("{} {}", refusal.status, refusal.message),
        };
        let (status, rest) = wanted.split_once(' ').unwrap_or((wanted, ""));
        assert!(found.starts_with(status) && found.contains(rest), "{header} {changes}: {found}");
    }
}

/// Keys are asked for once, and again when one is not known, but not each time.
#[tokio::test]
async fn keys_are_kept_and_asked_for_again() {
    let script = Script::default();
    let issuer = script.serve();
    let provider = provider(&issuer);
    let (old, new) = (Key::elliptic(), Key::elliptic());
    let ask = async |key: &Key, id: &str, seconds: i64| {
        let claims = claims(&issuer, &json!({"exp": NOW + 100_000}));
        let token = key.token(json!({"alg": "ES256", "kid": id}), &claims);
        let status =
            provider.identify(&token, at(seconds)).await.map_or_else(|refusal| refusal.status, |_| 200);
        // Each time two documents are read.
        (status, script.asked().div_ceil(2))
    };
    // The provider has no keys yet: that is not the token's fault, and it is not asked at once again.
    assert_eq!(ask(&old, "old", 0).await, (503, 1));
    script.set(&[old.public("old")]);
    assert_eq!(ask(&old, "old", 30).await, (503, 1));
    assert_eq!(ask(&old, "old", 60).await, (200, 2));
    assert_eq!(ask(&old, "old", 61).await, (200, 2));
    // Another key comes.
    assert_eq!(ask(&new, "new", 70).await, (401, 2));
    script.set(&[new.public("new")]);
    assert_eq!(ask(&new, "new", 120).await, (200, 3));
    assert_eq!(ask(&old, "old", 121).await, (401, 3));
    // After an hour they are asked for in any case; a provider that fails then does not take its keys back.
    *script.keys.lock().unwrap() = None;
    assert_eq!(ask(&new, "new", 120 + 3600).await, (200, 4));
    assert_eq!(ask(&new, "new", 120 + 3601).await, (200, 4));
}

#[tokio::test]
async fn a_provider_that_names_another_issuer_is_not_believed() {
    let script = Script::default();
    let issuer = script.serve();
    let key = Key::elliptic();
    script.set(&[key.public("e")]);
    // The same server under another name.
    let other = issuer.replace("127.0.0.1", "localhost");
    let token = key.token(json!({"alg": "ES256", "kid": "e"}), &claims(&other, &json!({})));
    assert_eq!(provider(&other).identify(&token, at(0)).await.unwrap_err().status, 503);
}
