//! The registry client against a registry that answers by script.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

#[path = "../../plimsoll-net/tests/scripted/mod.rs"]
#[allow(dead_code, reason = "the client's own tests use more of it")]
mod scripted;

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::digest::Digest;
use plimsoll_image::open::registry::credentials::{Credential, Credentials};
use plimsoll_image::open::registry::reference::{RegistryReference, TagOrDigest};
use plimsoll_image::open::registry::{
    DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, RegistryError, RegistryOptions, Repository,
};
use plimsoll_net::{Client, Proxies, Settings};
use scripted::{Reply, Server};
use sha2::{Digest as _, Sha256};

const MANIFEST: &str = r#"{"schemaVersion":2,"config":{},"layers":[]}"#;
const PATH: &str = "/v2/team/app/manifests/1";

fn digest_of(bytes: &[u8]) -> Digest {
    Digest::sha256(&Sha256::digest(bytes).into())
}

fn client() -> Arc<Client> {
    let settings = Settings { backoff_base: Duration::ZERO, proxies: Proxies::none(), ..Settings::default() };
    Arc::new(Client::new(settings).unwrap())
}

fn repository(server: &Server, options: &RegistryOptions) -> Repository {
    let reference: RegistryReference = format!("{}/team/app", server.address).parse().unwrap();
    Repository::new(client(), &reference.name, options).unwrap()
}

fn login(server: &Server, credential: Credential) -> RegistryOptions {
    let credentials = Credentials::default().with(server.address.to_string(), credential);
    RegistryOptions { credentials, ..RegistryOptions::default() }
}

fn password() -> Credential {
    Credential::Password { user: "me".to_owned(), password: "geheim".to_owned() }
}

fn tag() -> TagOrDigest {
    TagOrDigest::Tag("1".to_owned())
}

fn manifest() -> Reply {
    Reply::new(200).header("Content-Type", OCI_MANIFEST).body(MANIFEST)
}

/// What a registry with token authentication answers to who has no token.
fn challenge(realm: &str) -> Reply {
    let scope = "repository:team/app:pull,push";
    Reply::new(401).header(
        "WWW-Authenticate",
        format!(r#"Bearer realm="{realm}",service="the service",scope="{scope}""#),
    )
}

fn token(json: &str) -> Reply {
    Reply::new(200).header("Content-Type", "application/json").body(json)
}

const TOKEN_PATH: &str = "/token?service=the%20service&scope=repository%3Ateam%2Fapp%3Apull%2Cpush";

#[track_caller]
fn check_error(options: &RegistryOptions, server: &Server, wanted: fn(&RegistryError) -> bool) -> String {
    let error = repository(server, options).manifest(&tag()).unwrap_err();
    assert!(wanted(&error), "{error:?}");
    assert!(!error.to_string().contains("geheim"), "{error}");
    error.to_string()
}

#[test]
fn a_manifest_is_asked_for_in_all_its_types_and_hashed() {
    let server = Server::start();
    server.on(PATH, [manifest()]);
    let digest = digest_of(MANIFEST.as_bytes());
    server.on(&format!("/v2/team/app/manifests/{digest}"), [manifest()]);
    let repository = repository(&server, &RegistryOptions::default());
    for reference in [tag(), TagOrDigest::Digest(digest.clone())] {
        let found = repository.manifest(&reference).unwrap();
        assert_eq!((found.media_type.as_str(), found.digest), (OCI_MANIFEST, digest.clone()));
        assert_eq!(found.bytes, MANIFEST.as_bytes());
    }
    let accept = server.seen()[0].header("accept").unwrap().to_owned();
    for media_type in [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST] {
        assert!(accept.split(", ").any(|known| known == media_type), "{accept}");
    }
}

#[test]
fn a_token_is_fetched_once_and_used_again() {
    for (options, sent) in [
        (None, None),
        // "me:geheim", checked with `base64`
        (Some(password()), Some("Basic bWU6Z2VoZWlt")),
    ] {
        let server = Server::start();
        server.on(PATH, [challenge(&server.url("/token")), manifest()]);
        server.on(TOKEN_PATH, [token(r#"{"token":"t1","expires_in":300}"#)]);
        let options = options.map_or_else(RegistryOptions::default, |credential| login(&server, credential));
        repository(&server, &options).manifest(&tag()).unwrap();
        // Another repository object with the same options: no new token, no 401.
        repository(&server, &options.clone()).manifest(&tag()).unwrap();
        let seen: Vec<_> = server
            .seen()
            .iter()
            .map(|seen| (seen.path.clone(), seen.header("authorization").map(str::to_owned)))
            .collect();
        let bearer = Some("Bearer t1".to_owned());
        let wanted = [
            (PATH.to_owned(), None),
            (TOKEN_PATH.to_owned(), sent.map(str::to_owned)),
            (PATH.to_owned(), bearer.clone()),
            (PATH.to_owned(), bearer),
        ];
        assert_eq!(seen, wanted);
    }
}

#[test]
fn an_expired_token_is_renewed_once() {
    let server = Server::start();
    let challenge = || challenge(&server.url("/token"));
    server.on(PATH, [challenge(), manifest(), challenge(), manifest(), challenge(), challenge()]);
    server.on(TOKEN_PATH, [token(r#"{"access_token":"t1"}"#), token(r#"{"access_token":"t2"}"#)]);
    let options = RegistryOptions::default();
    let repository = repository(&server, &options);
    repository.manifest(&tag()).unwrap();
    repository.manifest(&tag()).unwrap();
    let tokens: Vec<_> = server
        .seen()
        .iter()
        .filter(|seen| seen.path == PATH)
        .map(|seen| seen.header("authorization").map(str::to_owned))
        .collect();
    assert_eq!(
        tokens,
        [None, Some("Bearer t1"), Some("Bearer t1"), Some("Bearer t2")].map(|t| t.map(str::to_owned))
    );
    // A fresh token that is refused too is an answer.
    let error = check_error(&options, &server, |error| matches!(error, RegistryError::Unauthorized { .. }));
    assert!(error.contains("`docker login"), "{error}");
    assert_eq!(server.seen().len(), 9);
}

#[test]
fn a_short_lived_token_is_not_used_again() {
    let server = Server::start();
    let challenge = || challenge(&server.url("/token"));
    server.on(PATH, [challenge(), manifest(), challenge(), manifest()]);
    server.on(TOKEN_PATH, [token(r#"{"token":"t1","expires_in":0}"#)]);
    let repository = repository(&server, &RegistryOptions::default());
    repository.manifest(&tag()).unwrap();
    repository.manifest(&tag()).unwrap();
    assert_eq!(server.seen()[3].header("authorization"), None);
}

#[test]
fn passwords_are_sent_where_the_registry_wants_them_itself() {
    let server = Server::start();
    server.on(PATH, [Reply::new(401).header("WWW-Authenticate", r#"Basic realm="r""#), manifest()]);
    let options = login(&server, password());
    repository(&server, &options).manifest(&tag()).unwrap();
    repository(&server, &options).manifest(&tag()).unwrap();
    let sent: Vec<_> =
        server.seen().iter().map(|seen| seen.header("authorization").map(str::to_owned)).collect();
    let basic = Some("Basic bWU6Z2VoZWlt".to_owned());
    assert_eq!(sent, [None, basic.clone(), basic]);
}

#[test]
fn an_identity_token_is_exchanged() {
    let server = Server::start();
    server.on(PATH, [challenge(&server.url("/token")), manifest()]);
    server.on("/token", [token(r#"{"access_token":"t1"}"#)]);
    let options = login(&server, Credential::IdentityToken("geheim".to_owned()));
    repository(&server, &options).manifest(&tag()).unwrap();
    let asked = &server.seen()[1];
    assert_eq!((asked.method.as_str(), asked.header("authorization")), ("POST", None));
    assert_eq!(
        asked.body,
        "service=the%20service&scope=repository%3Ateam%2Fapp%3Apull%2Cpush&grant_type=refresh_token\
         &client_id=plimsoll&refresh_token=geheim"
    );
    assert_eq!(server.seen()[2].header("authorization"), Some("Bearer t1"));
}

#[test]
fn a_realm_that_may_not_see_the_login_gets_nothing() {
    let (server, thief) = (Server::start(), Server::start());
    server.on(PATH, [challenge(&thief.url("/token")), manifest()]);
    for credential in [password(), Credential::IdentityToken("geheim".to_owned())] {
        let options = login(&server, credential);
        let error =
            check_error(&options, &server, |error| matches!(error, RegistryError::Unauthorized { .. }));
        assert!(error.contains("neither itself nor reached by `https`"), "{error}");
        assert!(thief.seen().is_empty());
        server.on(PATH, [challenge(&thief.url("/token"))]);
    }
    // An operator who lists the realm's host says that it is right.
    thief.on(TOKEN_PATH, [token(r#"{"token":"t1"}"#)]);
    let plain_http_hosts = vec![thief.address.to_string()];
    let options = RegistryOptions { plain_http_hosts, ..login(&server, password()) };
    let _ = repository(&server, &options).manifest(&tag());
    assert_eq!(thief.seen()[0].header("authorization"), Some("Basic bWU6Z2VoZWlt"));
}

#[test]
fn a_host_behind_a_redirect_is_not_given_a_login() {
    let (server, thief) = (Server::start(), Server::start());
    server.on(PATH, [Reply::new(307).header("Location", thief.url("/x"))]);
    thief.on("/x", [challenge(&server.url("/token"))]);
    check_error(&login(&server, password()), &server, |error| {
        matches!(error, RegistryError::Unauthorized { .. })
    });
    assert_eq!((server.seen().len(), thief.seen().len()), (1, 1));
}

#[test]
fn what_is_absent_refused_or_broken_is_told_apart() {
    let errors = |code: &str| format!(r#"{{"errors":[{{"code":"{code}","message":"says it"}}]}}"#);
    type Wanted = fn(&RegistryError) -> bool;
    let stated: Wanted = |error| matches!(error, RegistryError::NotFound { is_stated: true, .. });
    let bare: Wanted = |error| matches!(error, RegistryError::NotFound { is_stated: false, .. });
    let unauthorized: Wanted = |error| matches!(error, RegistryError::Unauthorized { .. });
    let bad_answer: Wanted = |error| matches!(error, RegistryError::BadAnswer { .. });
    let unavailable: Wanted = |error| matches!(error, RegistryError::Unavailable { .. });
    let limited: Wanted = |error| matches!(error, RegistryError::RateLimited { retry_after: Some(after), .. } if after == "9999");
    for (reply, wanted, said) in [
        (Reply::new(404), bare, "has no `team/app:1`"),
        (Reply::new(404).body(errors("MANIFEST_UNKNOWN")), stated, ""),
        (Reply::new(404).body(errors("NAME_UNKNOWN")), stated, ""),
        (Reply::new(404).body(errors("NOT_FOUND")), stated, ""),
        (Reply::new(404).body("<html>"), bare, ""),
        (Reply::new(404).body(errors("UNSUPPORTED")), bad_answer, "(`UNSUPPORTED`: says it)"),
        (Reply::new(401), unauthorized, "does not say how to log in"),
        (Reply::new(401).header("WWW-Authenticate", "Basic"), unauthorized, "there is none"),
        (Reply::new(403).body(errors("DENIED")), unauthorized, "status 403 (`DENIED`: says it)"),
        (Reply::new(429).header("Retry-After", "9999"), limited, "9999"),
        (Reply::new(500), unavailable, "status 500"),
        (Reply::new(503), unavailable, "status 503"),
        (Reply::new(400).body(errors("X\\u001b")), bad_answer, "\\u{1b}"),
    ] {
        let server = Server::start();
        server.on(PATH, [reply]);
        let error = check_error(&RegistryOptions::default(), &server, wanted);
        assert!(error.contains(said), "{error}");
    }
    // What a registry redirects to does not speak for the registry.
    let (server, other) = (Server::start(), Server::start());
    server.on(PATH, [Reply::new(307).header("Location", other.url("/x"))]);
    other.on("/x", [Reply::new(404)]);
    check_error(&RegistryOptions::default(), &server, bad_answer);
    let nobody: RegistryReference = "127.0.0.1:1/team/app".parse().unwrap();
    let error =
        Repository::new(client(), &nobody.name, &RegistryOptions::default()).unwrap().manifest(&tag());
    assert!(matches!(error, Err(RegistryError::Unavailable { .. })));
}

#[test]
fn token_servers_fail_in_their_own_ways() {
    type Wanted = fn(&RegistryError) -> bool;
    for (reply, wanted) in [
        (Reply::new(401), (|error| matches!(error, RegistryError::Unauthorized { .. })) as Wanted),
        (Reply::new(500), |error| matches!(error, RegistryError::Unavailable { .. })),
        (Reply::new(404), |error| matches!(error, RegistryError::BadAnswer { .. })),
        (token("{}"), |error| matches!(error, RegistryError::BadAnswer { .. })),
        (token("[[["), |error| matches!(error, RegistryError::BadAnswer { .. })),
        (token(&" ".repeat(2 << 20)), |error| matches!(error, RegistryError::BadAnswer { .. })),
    ] {
        let server = Server::start();
        server.on(PATH, [challenge(&server.url("/token"))]);
        server.on(TOKEN_PATH, [reply]);
        check_error(&RegistryOptions::default(), &server, wanted);
    }
}

#[test]
fn a_helper_that_fails_is_an_error_and_not_anonymous_access() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, r#"{"credsStore": "plimsoll-missing"}"#).unwrap();
    let server = Server::start();
    server.on(PATH, [challenge(&server.url("/token"))]);
    let credentials = Credentials::from_file(&path);
    let options = RegistryOptions { credentials, ..RegistryOptions::default() };
    let error = check_error(&options, &server, |error| matches!(error, RegistryError::Credentials(_)));
    assert!(error.contains("`docker-credential-plimsoll-missing`"), "{error}");
    assert_eq!(server.seen().len(), 1);
}

/// The error for a manifest, asked for by the digest of what is served.
#[track_caller]
fn check_manifest(content_type: Option<&str>, body: &str, wanted: Result<&str, &str>) {
    let server = Server::start();
    let digest = digest_of(body.as_bytes());
    let mut reply = Reply::new(200).body(body).header("Docker-Content-Digest", digest.to_string());
    if let Some(content_type) = content_type {
        reply = reply.header("Content-Type", content_type);
    }
    server.on(&format!("/v2/team/app/manifests/{digest}"), [reply]);
    let found = repository(&server, &RegistryOptions::default()).manifest(&TagOrDigest::Digest(digest));
    match (found, wanted) {
        (Ok(found), Ok(media_type)) => assert_eq!(found.media_type, media_type, "{body}"),
        (Err(error), Err(wanted)) => assert!(error.to_string().contains(wanted), "{body}: {error}"),
        (found, wanted) => panic!("{body}: {found:?} is not {wanted:?}"),
    }
}

#[test]
fn a_manifest_has_one_type() {
    let index = r#"{"schemaVersion":2,"manifests":[]}"#;
    let typed = format!(r#"{{"schemaVersion":2,"mediaType":"{DOCKER_MANIFEST}","config":{{}}}}"#);
    check_manifest(
        Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8"),
        MANIFEST,
        Ok(OCI_MANIFEST),
    );
    check_manifest(Some(DOCKER_LIST), index, Ok(DOCKER_LIST));
    check_manifest(None, MANIFEST, Ok(OCI_MANIFEST));
    check_manifest(None, index, Ok(OCI_INDEX));
    check_manifest(Some("application/json"), &typed, Ok(DOCKER_MANIFEST));
    check_manifest(Some(OCI_MANIFEST), &typed, Err("by header and"));
    check_manifest(Some(OCI_MANIFEST), index, Err("content is not of its type"));
    check_manifest(Some(OCI_INDEX), MANIFEST, Err("content is not of its type"));
    check_manifest(None, r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#, Err("at once"));
    check_manifest(None, r#"{"schemaVersion":2,"layers":[],"layers":[]}"#, Err("duplicate field"));
    check_manifest(None, r#"{"schemaVersion":3}"#, Err("should be 2"));
    check_manifest(None, r#"{"schemaVersion":1,"fsLayers":[]}"#, Err("schema 1"));
    check_manifest(Some("application/vnd.docker.distribution.manifest.v1+prettyjws"), "{}", Err("schema 1"));
    check_manifest(Some(OCI_MANIFEST), "<html>", Err("no JSON manifest"));
}

#[test]
fn a_wrong_digest_is_refused() {
    let asked = digest_of(b"something else");
    let path = format!("/v2/team/app/manifests/{asked}");
    let server = Server::start();
    let right = digest_of(MANIFEST.as_bytes());
    let options = RegistryOptions::default();
    for stated in [None, Some(&asked), Some(&right)] {
        let reply =
            stated.map_or_else(manifest, |d| manifest().header("Docker-Content-Digest", d.to_string()));
        server.on(&path, [reply]);
        let result = repository(&server, &options).manifest(&TagOrDigest::Digest(asked.clone()));
        let error = result.unwrap_err().to_string();
        assert!(error.contains(&right.to_string()), "{error}");
    }
    // By digest the header must be right too; by tag only the bytes count.
    let reply = || manifest().header("Docker-Content-Digest", asked.to_string());
    server.on(&format!("/v2/team/app/manifests/{right}"), [reply()]).on(PATH, [reply()]);
    let repository = repository(&server, &options);
    let error = repository.manifest(&TagOrDigest::Digest(right.clone())).unwrap_err();
    assert!(matches!(error, RegistryError::Mismatch { .. }), "{error}");
    assert_eq!(repository.manifest(&tag()).unwrap().digest, right);
}

#[test]
fn a_manifest_of_10_mib_is_refused() {
    let server = Server::start();
    let body = format!("{MANIFEST}{}", " ".repeat(10 << 20));
    server.on(PATH, [manifest().body(body)]);
    let error = check_error(&RegistryOptions::default(), &server, |error| {
        matches!(error, RegistryError::BadAnswer { .. })
    });
    assert!(error.contains("larger than 4194304 bytes"), "{error}");
}

#[test]
fn a_blob_is_resumed_also_with_a_new_token() {
    let server = Server::start();
    let digest = digest_of(b"0123456789");
    let path = format!("/v2/team/app/blobs/{digest}");
    let challenge = || challenge(&server.url("/token"));
    let whole = Reply::new(200).body("0123456789").cut_after(4);
    let rest = Reply::new(206).header("Content-Range", "bytes 4-9/10").body("456789");
    server.on(&path, [challenge(), whole, challenge(), rest]);
    server.on(TOKEN_PATH, [token(r#"{"token":"t1"}"#), token(r#"{"token":"t2"}"#)]);
    let repository = repository(&server, &RegistryOptions::default());
    let mut text = String::new();
    repository.blob(&digest, 10).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "0123456789");
    let last = server.seen().pop().unwrap();
    assert_eq!((last.header("range"), last.header("authorization")), (Some("bytes=4-"), Some("Bearer t2")));
}

#[test]
fn a_blob_that_is_not_as_long_as_it_should_be_is_refused() {
    let server = Server::start();
    let digest = digest_of(b"0123456789");
    let path = format!("/v2/team/app/blobs/{digest}");
    let repository = repository(&server, &RegistryOptions::default());
    server.on(&path, [Reply::new(200).body("0123456789")]);
    for size in [9, 11] {
        let error = repository.blob(&digest, size).err().unwrap();
        assert!(error.to_string().contains("has 10 bytes"), "{error}");
    }
    let chunked = Reply::new(200).header("Transfer-Encoding", "chunked");
    server.on(&path, [chunked.body("a\r\n0123456789\r\n0\r\n\r\n")]);
    let error = repository.blob(&digest, 9).unwrap().read_to_end(&mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("larger than the limit of 9 bytes"), "{error}");
    server.on(&path, [Reply::new(404)]);
    assert!(matches!(repository.blob(&digest, 9), Err(RegistryError::NotFound { .. })));
}

#[test]
fn a_blob_elsewhere_is_fetched_without_the_token() {
    let (server, store) = (Server::start(), Server::start());
    let digest = digest_of(b"0123456789");
    let location = store.url("/blob?signature=x");
    let path = format!("/v2/team/app/blobs/{digest}");
    let there = Reply::new(307).header("Location", location);
    server.on(&path, [challenge(&server.url("/token")), there]);
    server.on(TOKEN_PATH, [token(r#"{"token":"t1"}"#)]);
    store.on("/blob?signature=x", [Reply::new(200).body("0123456789")]);
    let mut text = String::new();
    let repository = repository(&server, &RegistryOptions::default());
    repository.blob(&digest, 10).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "0123456789");
    assert_eq!(server.seen()[2].header("authorization"), Some("Bearer t1"));
    assert_eq!(store.seen()[0].header("authorization"), None);
}

#[test]
fn mirrors_are_asked_first_and_the_registry_last() {
    let (broken, empty, good, registry) =
        (Server::start(), Server::start(), Server::start(), Server::start());
    let mirrored = format!("{PATH}?ns={}", registry.address);
    broken.on(&mirrored, [Reply::new(500)]);
    empty.on("/v2/cache/team/app/manifests/1", [Reply::new(404)]);
    registry.on(PATH, [Reply::new(404)]);
    let mirror = |server: &Server, prefix: &str| format!("{}{prefix}", server.address);
    let mut list = vec![mirror(&broken, ""), mirror(&empty, "/cache/")];
    let options = |list: &[String]| RegistryOptions {
        mirrors: BTreeMap::from([(registry.address.to_string(), list.to_vec())]),
        ..RegistryOptions::default()
    };
    // Nobody has it: what the registry itself says counts.
    let error = check_error(&options(&list), &registry, |e| matches!(e, RegistryError::NotFound { .. }));
    assert!(error.contains(&registry.address.to_string()), "{error}");
    assert_eq!((broken.seen().len(), empty.seen().len(), registry.seen().len()), (4, 1, 1));
    // One mirror has it: the registry is not asked.
    good.on(&mirrored, [manifest()]);
    list.push(mirror(&good, ""));
    assert!(repository(&registry, &options(&list)).manifest(&tag()).is_ok());
    assert_eq!((good.seen().len(), registry.seen().len()), (1, 1));
    for bad in ["", "http://m.example", "m.example/A", "m.example/../x", "m.example//x"] {
        let name = format!("{}/team/app", registry.address).parse().unwrap();
        let result = Repository::new(client(), &name, &options(&[bad.to_owned()]));
        assert!(matches!(result, Err(RegistryError::BadMirror { .. })), "{bad}");
    }
}
