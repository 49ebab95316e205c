//! What a registry has and what a reference leads to, against a registry that answers by script.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

#[path = "../../plimsoll-net/tests/scripted/mod.rs"]
#[allow(dead_code, reason = "the client's own tests use more of it")]
mod scripted;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::digest::Digest;
use plimsoll_image::cause::Cause;
use plimsoll_image::limits::Limits;
use plimsoll_image::open::OpenError;
use plimsoll_image::open::describe::{Content, Description, describe};
use plimsoll_image::open::registry::credentials::{Credential, Credentials};
use plimsoll_image::open::registry::listing::{Cursor, Listing, ListingLimits, repositories};
use plimsoll_image::open::registry::reference::{RegistryReference, TagOrDigest};
use plimsoll_image::open::registry::{OCI_INDEX, OCI_MANIFEST, RegistryError, RegistryOptions, Repository};
use plimsoll_net::{Client, Proxies, Settings};
use scripted::{Reply, Server};
use sha2::{Digest as _, Sha256};

const CONFIG: &str = r#"{"os":"linux","architecture":"arm64","rootfs":{"type":"layers","diff_ids":[]}}"#;
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const TAR_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn digest_of(text: &str) -> Digest {
    Digest::sha256(&Sha256::digest(text).into())
}

fn client() -> Arc<Client> {
    let settings = Settings {
        backoff_base: Duration::ZERO,
        attempts_max: 2,
        proxies: Proxies::none(),
        ..Settings::default()
    };
    Arc::new(Client::new(settings).unwrap())
}

fn repository(server: &Server) -> Repository {
    let reference: RegistryReference = format!("{}/team/app", server.address).parse().unwrap();
    Repository::new(client(), &reference.name, &RegistryOptions::default()).unwrap()
}

fn page(json: &str, link: Option<&str>) -> Reply {
    let reply = Reply::new(200).body(json);
    match link {
        Some(link) => reply.header("Link", format!(r#"<{link}>; rel="next""#)),
        None => reply,
    }
}

fn limits(page_names: usize, pages_max: usize, names_max: usize) -> ListingLimits {
    ListingLimits { page_names, pages_max, names_max }
}

fn listing(names: &[&str], refused: &[&str], next: Option<&str>) -> Listing {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Listing { names: owned(names), refused: owned(refused), next: next.and_then(Cursor::new) }
}

#[test]
fn tags_come_in_pages_and_go_on_where_they_stopped() {
    let server = Server::start();
    let list = "/v2/team/app/tags/list";
    server.on(
        &format!("{list}?n=2"),
        [page(r#"{"tags":["b","a"]}"#, Some("/v2/team/app/tags/list?n=2&last=b"))],
    );
    // Behind a proxy a registry may not know its own name.
    let elsewhere = "http://inner.example:1/v2/team/app/tags/list?next_page=x%3D";
    server.on(&format!("{list}?n=2&last=b"), [page(r#"{"tags":["c","not a tag"]}"#, Some(elsewhere))]);
    server.on(&format!("{list}?next_page=x%3D"), [page(r#"{"name":"team/app","tags":null}"#, None)]);
    let repository = repository(&server);
    let all = repository.tags(None, &limits(2, 9, 99)).unwrap();
    assert_eq!(all, listing(&["a", "b", "c"], &["not a tag"], None));
    for limits in [limits(2, 1, 99), limits(2, 9, 1)] {
        let first = repository.tags(None, &limits).unwrap();
        assert_eq!(first, listing(&["a", "b"], &[], Some("n=2&last=b")));
        let next = Cursor::new(first.next.unwrap().as_str());
        let second = repository.tags(next.as_ref(), &limits).unwrap();
        assert_eq!(second, listing(&["c"], &["not a tag"], Some("next_page=x%3D")));
    }
}

#[test]
fn a_listing_that_is_wrong_is_told() {
    for (reply, cause) in [
        (Reply::new(404), Cause::NotFound),
        (Reply::new(403), Cause::Unauthorized),
        (Reply::new(502), Cause::Unavailable),
        (page("<html>", None), Cause::BadAnswer),
        (page("{}", None), Cause::BadAnswer),
        (page(r#"{"repositories":["a"]}"#, None), Cause::BadAnswer),
        (page(r#"{"tags":[1]}"#, None), Cause::BadAnswer),
        (page(r#"{"tags":[]}"#, Some("/v2/team/app/tags/list?n=2")), Cause::BadAnswer),
        (page(r#"{"tags":[]}"#, Some("/v2/team/app/tags/list")), Cause::BadAnswer),
        (page(&" ".repeat((16 << 20) + 1), None), Cause::BadAnswer),
    ] {
        let server = Server::start();
        server.on("/v2/team/app/tags/list?n=2", [reply]);
        let error = repository(&server).tags(None, &limits(2, 9, 99)).unwrap_err();
        assert_eq!(error.cause(), cause, "{error}");
    }
}

#[test]
fn repositories_are_listed_with_their_own_scope() {
    let server = Server::start();
    let challenge = format!(r#"Bearer realm="{}",service="s""#, server.url("/token"));
    let bodies = r#"{"repositories":["team/app","b","../x","Team"]}"#;
    server.on(
        "/v2/_catalog?n=1000",
        [Reply::new(401).header("WWW-Authenticate", challenge), page(bodies, None)],
    );
    let token = "/token?service=s&scope=registry%3Acatalog%3A%2A";
    server.on(token, [Reply::new(200).body(r#"{"token":"t"}"#)]);
    let host = server.address.to_string();
    let ask = |host: &str| {
        repositories(&client(), host, &RegistryOptions::default(), None, &ListingLimits::default())
    };
    assert_eq!(ask(&host).unwrap(), listing(&["b", "team/app"], &["../x", "Team"], None));
    assert!(matches!(ask("no host/x"), Err(RegistryError::BadHost { .. })));
}

#[test]
fn a_tag_is_asked_for_by_its_head() {
    let digest = digest_of("x");
    let manifest = r#"{"schemaVersion":2,"config":{},"layers":[]}"#;
    let whole = Reply::new(200).header("Content-Type", OCI_MANIFEST).body(manifest);
    let stated = whole.clone().header("Docker-Content-Digest", digest.to_string());
    for (replies, wanted, methods) in [
        (vec![stated], Ok(digest.clone()), &["HEAD"][..]),
        (vec![whole.clone()], Ok(digest_of(manifest)), &["HEAD", "GET"]),
        (vec![Reply::new(405), whole], Ok(digest_of(manifest)), &["HEAD", "GET"]),
        (vec![Reply::new(404)], Err(Cause::NotFound), &["HEAD"]),
        (
            vec![Reply::new(429).header("Retry-After", "9999")],
            Err(Cause::RateLimited { retry_after: Some("9999".to_owned()) }),
            &["HEAD"],
        ),
    ] {
        let server = Server::start();
        server.on("/v2/team/app/manifests/1", replies);
        let found = repository(&server).digest(&TagOrDigest::Tag("1".to_owned()));
        assert_eq!(found.map_err(|error| error.cause()), wanted);
        let seen = server.seen();
        assert_eq!(seen.iter().map(|seen| seen.method.as_str()).collect::<Vec<_>>(), methods);
        assert!(seen[0].header("accept").unwrap().contains(OCI_INDEX));
    }
}

fn descriptor(media_type: &str, text: &str, more: &str) -> String {
    let (digest, size) = (digest_of(text), text.len());
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}{more}}}"#)
}

fn image(config_type: &str, layers: &[(&str, &str)]) -> String {
    let layers: Vec<String> = layers.iter().map(|(kind, text)| descriptor(kind, text, "")).collect();
    let config = descriptor(config_type, CONFIG, "");
    format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{}]}}"#, layers.join(","))
}

fn describe_one(media_type: &str, document: &str) -> Result<Description, OpenError> {
    let server = Server::start();
    server
        .on("/v2/team/app/manifests/1", [Reply::new(200).header("Content-Type", media_type).body(document)]);
    server.on(&format!("/v2/team/app/blobs/{}", digest_of(CONFIG)), [Reply::new(200).body(CONFIG)]);
    let location = format!("{}/team/app:1", server.address);
    let limits = Limits { layers_max: 2, layer_bytes_max: 10, manifests_max: 3, ..Limits::default() };
    describe(&location, &location, client(), &RegistryOptions::default(), &limits)
}

#[test]
fn a_manifest_is_described() {
    let helm = "application/vnd.cncf.helm.config.v1+json";
    let in_toto = "application/vnd.in-toto+json";
    let encrypted = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted";
    for (config_type, layers, artifact, cause) in [
        (CONFIG_TYPE, &[(TAR_TYPE, "a"), (TAR_TYPE, "b")][..], None, None),
        (CONFIG_TYPE, &[], None, Some(Cause::NoLayers)),
        (CONFIG_TYPE, &[(TAR_TYPE, "more than 10")], None, Some(Cause::LayerTooLarge)),
        (CONFIG_TYPE, &[(TAR_TYPE, "a"), (encrypted, "b")], None, Some(Cause::EncryptedLayer)),
        (CONFIG_TYPE, &[(in_toto, "a")], Some(in_toto), Some(Cause::Artifact(in_toto.to_owned()))),
        (helm, &[(TAR_TYPE, "a")], Some(helm), Some(Cause::Artifact(helm.to_owned()))),
    ] {
        let document = image(config_type, layers);
        let found = describe_one(OCI_MANIFEST, &document).unwrap();
        assert_eq!((&found.digest, found.size), (&digest_of(&document), document.len() as u64));
        assert_eq!(found.media_type, OCI_MANIFEST);
        let Content::Manifest(facts) = found.content else { panic!("it is a manifest") };
        assert_eq!((facts.layers.len(), facts.config), (layers.len(), digest_of(CONFIG)));
        assert_eq!(facts.artifact_kind.as_deref(), artifact);
        let platform = facts.platform.map(|platform| platform.to_string());
        assert_eq!(platform.as_deref(), artifact.is_none().then_some("linux/arm64"));
        assert_eq!(facts.obstacle.map(|(cause, _)| cause), cause);
    }
}

#[test]
fn an_index_is_described_by_its_children() {
    let platform = r#","platform":{"os":"linux","architecture":"amd64"}"#;
    let attestation = r#","platform":{"os":"unknown","architecture":"unknown"}"#;
    let children = [
        descriptor(OCI_MANIFEST, "a", platform),
        descriptor(OCI_MANIFEST, "b", attestation),
        descriptor(OCI_INDEX, "cc", ""),
    ];
    let index = |children: &[String]| {
        format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{}]}}"#, children.join(","))
    };
    let found = describe_one(OCI_INDEX, &index(&children)).unwrap();
    let Content::Index(found) = found.content else { panic!("it is an index") };
    let found: Vec<_> = found
        .iter()
        .map(|child| {
            let platform = child.platform.as_ref().map(ToString::to_string);
            (&child.digest, child.size, platform, child.is_attestation, child.is_index)
        })
        .collect();
    let wanted = [
        (&digest_of("a"), 1, Some("linux/amd64".to_owned()), false, false),
        (&digest_of("b"), 1, Some("unknown/unknown".to_owned()), true, false),
        (&digest_of("cc"), 2, None, false, true),
    ];
    assert_eq!(found, wanted);
    let four = [&children[..], &children[..1]].concat();
    for (media_type, document, cause) in [
        (OCI_INDEX, index(&four), Cause::Limit),
        (OCI_MANIFEST, image(CONFIG_TYPE, &[(TAR_TYPE, "a"); 3]), Cause::TooManyLayers),
        (OCI_MANIFEST, r#"{"schemaVersion":2,"config":{}}"#.to_owned(), Cause::Malformed),
        (OCI_MANIFEST, r#"{"schemaVersion":1}"#.to_owned(), Cause::Schema1),
    ] {
        assert_eq!(describe_one(media_type, &document).unwrap_err().cause(), cause, "{document}");
    }
}

#[test]
fn a_login_for_one_job_is_used_for_its_registry_alone() {
    let (server, other) = (Server::start(), Server::start());
    let host = server.address.to_string();
    for server in [&server, &other] {
        let challenge = format!(r#"Bearer realm="{}",service="s""#, server.url("/token"));
        server.on(
            "/v2/team/app/tags/list?n=1000",
            [Reply::new(401).header("WWW-Authenticate", challenge), page(r#"{"tags":["1"]}"#, None)],
        );
        let token = "/token?service=s&scope=repository%3Ateam%2Fapp%3Apull";
        server.on(token, [Reply::new(200).body(r#"{"token":"t"}"#)]);
    }
    let usual = RegistryOptions {
        mirrors: BTreeMap::from([(host.clone(), vec!["m.example".to_owned()])]),
        credentials: Credentials::default()
            .with(other.address.to_string(), Credential::RegistryToken("shared".to_owned())),
        ..RegistryOptions::default()
    };
    // "robot$x:ge:heim", checked with `base64`
    let basic = Credential::from_authorization("Basic cm9ib3QkeDpnZTpoZWlt").unwrap();
    let options = usual.for_one_login(&host, basic);
    let shown = format!("{options:?}");
    assert!(!shown.contains("heim") && !shown.contains("robot"), "{shown}");
    let ask = |server: &Server, options: &RegistryOptions| {
        let name = format!("{}/team/app", server.address).parse().unwrap();
        let tags = Repository::new(client(), &name, options).unwrap().tags(None, &ListingLimits::default());
        assert_eq!(tags.unwrap().names, ["1"]);
        let seen = server.seen();
        seen.iter().map(|seen| seen.header("authorization").unwrap_or("-").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ask(&server, &options), ["-", "Basic cm9ib3QkeDpnZTpoZWlt", "Bearer t"]);
    assert_eq!(ask(&other, &options), ["-", "-", "Bearer t"]);
    // Another job begins anew, whatever the first one was given.
    let bearer = Credential::from_authorization("bearer  tok.en").unwrap();
    let options = usual.for_one_login(&host, bearer);
    assert_eq!(ask(&server, &options)[3..], ["-".to_owned()]);
    server
        .on("/v2/team/app/tags/list?n=1000", [Reply::new(401).header("WWW-Authenticate", "Bearer realm=x")]);
    let name = format!("{host}/team/app").parse().unwrap();
    let error = Repository::new(client(), &name, &options).unwrap().tags(None, &ListingLimits::default());
    let error = error.unwrap_err();
    assert_eq!(error.cause(), Cause::Unauthorized);
    assert!(!format!("{error} {error:?}").contains("tok.en"), "{error:?}");
    assert_eq!(server.seen().last().unwrap().header("authorization"), Some("Bearer tok.en"));
    for bad in ["", "Basic", "Basic !", "Basic bm9jb2xvbg==", "Bearer ", "Bearer a b", "Digest x"] {
        assert!(Credential::from_authorization(bad).is_none(), "{bad}");
    }
}
