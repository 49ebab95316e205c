//! The registry client against a real registry: Debian's `docker-registry`, with and without a login.
//!
//! Second tier: runs with `PLIMSOLL_TIER2=1` and needs `docker-registry` and `htpasswd` (`apache2-utils`).

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::digest::Digest;
use plimsoll_image::open::registry::credentials::{Credential, Credentials};
use plimsoll_image::open::registry::listing::{ListingLimits, repositories};
use plimsoll_image::open::registry::push::Push;
use plimsoll_image::open::registry::reference::{RepositoryName, TagOrDigest};
use plimsoll_image::open::registry::{OCI_INDEX, OCI_MANIFEST, RegistryError, RegistryOptions, Repository};
use plimsoll_net::{Client, Proxies, Request, Settings};
use sha2::{Digest as _, Sha256};

const USER: &str = "me";
const PASSWORD: &str = "geheim";

/// A registry process, ended with its test.
struct Registry {
    child: Child,
    host: String,
    folder: tempfile::TempDir,
    has_login: bool,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Registry {
    fn start(has_login: bool) -> Registry {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        let auth = if has_login { write_htpasswd(folder.path()) } else { String::new() };
        let data = folder.path().join("data");
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: '{host}'}}\n{auth}",
            data.display()
        );
        let path = folder.path().join("config.yml");
        std::fs::write(&path, config).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`docker-registry` is installed");
        let registry = Registry { child, host, folder, has_login };
        registry.wait();
        registry
    }

    /// Asks until the registry answers; the client's own retries wait in between.
    fn wait(&self) {
        let settings = Settings {
            attempts_max: 50,
            backoff_base: Duration::from_millis(100),
            proxies: Proxies::none(),
            ..Settings::default()
        };
        let status = Client::new(settings).unwrap().send(&Request::get(self.url("/v2/"))).unwrap().status;
        assert_eq!(status, if self.has_login { 401 } else { 200 });
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }
}

fn write_htpasswd(folder: &Path) -> String {
    let output =
        Command::new("htpasswd").args(["-Bbn", USER, PASSWORD]).output().expect("`htpasswd` is installed");
    assert!(output.status.success());
    let path = folder.join("htpasswd");
    std::fs::write(&path, output.stdout).unwrap();
    format!("auth: {{htpasswd: {{realm: r, path: {}}}}}\n", path.display())
}

fn digest_of(bytes: &[u8]) -> Digest {
    Digest::sha256(&Sha256::digest(bytes).into())
}

fn client() -> Client {
    Client::new(Settings { proxies: Proxies::none(), ..Settings::default() }).unwrap()
}

/// Whether the tier is on; says so if not.
fn is_on() -> bool {
    let is_on = std::env::var_os("PLIMSOLL_TIER2").is_some_and(|value| value == "1");
    if !is_on {
        println!("skipped: needs `docker-registry` and `htpasswd`; run with PLIMSOLL_TIER2=1");
    }
    is_on
}

fn open(registry: &Registry, repository: &str, credentials: Credentials) -> Repository {
    let name: RepositoryName = format!("{}/{repository}", registry.host).parse().unwrap();
    let options = RegistryOptions { credentials, ..RegistryOptions::default() };
    Repository::new(Arc::new(client()), &name, &options).unwrap()
}

/// Sends a blob; says whether it was not there yet.
fn push_blob(push: &Push, bytes: &[u8]) -> (Digest, bool) {
    let digest = digest_of(bytes);
    let open = || Ok(Box::new(Cursor::new(bytes.to_vec())) as Box<dyn Read + Send>);
    let is_sent = push.blob(&digest, bytes.len() as u64, &open).unwrap();
    (digest, is_sent)
}

/// Pushes an index of one image, and reads all of it back.
fn check_round_trip(registry: &Registry, credentials: Credentials) {
    let name: RepositoryName = format!("{}/team/app", registry.host).parse().unwrap();
    let options = RegistryOptions { credentials: credentials.clone(), ..RegistryOptions::default() };
    let push = Push::new(Arc::new(client()), &name, &options);
    let push_manifest = |tag: &str, media_type: &str, text: &str| {
        push.manifest(&TagOrDigest::Tag(tag.to_owned()), media_type, text.as_bytes()).unwrap();
        digest_of(text.as_bytes())
    };
    let layer: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let config = br#"{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}"#;
    let ((layer_digest, is_sent), (config_digest, _)) = (push_blob(&push, &layer), push_blob(&push, config));
    assert!(is_sent && !push_blob(&push, &layer).1, "what is there is not sent again");
    let unreadable = || Err(std::io::Error::other("gone"));
    let error = push.blob(&digest_of(b"x"), 1, &unreadable).unwrap_err();
    assert!(matches!(error, RegistryError::Unsendable { .. }), "{error}");
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}",
        "config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config_digest}","size":{}}},
        "layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer_digest}","size":{}}}]}}"#,
        config.len(),
        layer.len()
    );
    let manifest_digest = push_manifest("one", OCI_MANIFEST, &manifest);
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{{"mediaType":"{OCI_MANIFEST}",
        "digest":"{manifest_digest}","size":{},"platform":{{"os":"linux","architecture":"amd64"}}}}]}}"#,
        manifest.len()
    );
    let index_digest = push_manifest("all", OCI_INDEX, &index);

    let repository = open(registry, "team/app", credentials);
    let found = repository.manifest(&TagOrDigest::Tag("all".to_owned())).unwrap();
    assert_eq!((found.media_type.as_str(), &found.digest), (OCI_INDEX, &index_digest));
    assert_eq!(found.bytes, index.as_bytes());
    let found = repository.manifest(&TagOrDigest::Digest(manifest_digest.clone())).unwrap();
    assert_eq!((found.media_type.as_str(), found.bytes), (OCI_MANIFEST, manifest.into_bytes()));
    let mut bytes = Vec::new();
    repository.blob(&layer_digest, layer.len() as u64).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(digest_of(&bytes), layer_digest);
    assert!(matches!(repository.blob(&layer_digest, 1), Err(RegistryError::Mismatch { .. })));
    let absent = digest_of(b"absent");
    for reference in [TagOrDigest::Tag("none".to_owned()), TagOrDigest::Digest(absent.clone())] {
        let error = repository.manifest(&reference).unwrap_err();
        assert!(matches!(error, RegistryError::NotFound { .. }), "{error}");
    }
    assert!(matches!(repository.blob(&absent, 1), Err(RegistryError::NotFound { .. })));
}

/// What is listed, page by page, and where a tag points.
fn check_listing(registry: &Registry, credentials: Credentials) {
    let repository = open(registry, "team/app", credentials.clone());
    // This registry gives all tags at once, however many are asked for.
    let limits = ListingLimits { page_names: 1, pages_max: 1, names_max: 100 };
    let found = repository.tags(None, &limits).unwrap();
    assert_eq!((found.names, found.next), (vec!["all".to_owned(), "one".to_owned()], None));
    let tag = |name: &str| TagOrDigest::Tag(name.to_owned());
    assert_eq!(repository.digest(&tag("one")).unwrap(), repository.manifest(&tag("one")).unwrap().digest);
    assert!(matches!(repository.digest(&tag("none")), Err(RegistryError::NotFound { .. })));
    let absent = open(registry, "team/absent", credentials.clone());
    assert!(matches!(absent.tags(None, &limits), Err(RegistryError::NotFound { .. })));
    let options = RegistryOptions { credentials, ..RegistryOptions::default() };
    let client = Arc::new(client());
    let second: RepositoryName = format!("{}/team/second", registry.host).parse().unwrap();
    push_blob(&Push::new(Arc::clone(&client), &second, &options), b"x");
    let all = ["team/app", "team/second"];
    let found = repositories(&client, &registry.host, &options, None, &ListingLimits::default()).unwrap();
    assert_eq!((&found.names[..], found.next), (&all.map(str::to_owned)[..], None));
    let (mut names, mut from) = (Vec::new(), None);
    loop {
        let page = repositories(&client, &registry.host, &options, from.as_ref(), &limits).unwrap();
        assert!(page.names.len() <= 1 && page.refused.is_empty(), "{page:?}");
        names.extend(page.names);
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(names, all);
}

#[test]
fn an_image_is_read_back() {
    if is_on() {
        let registry = Registry::start(false);
        check_round_trip(&registry, Credentials::default());
        check_listing(&registry, Credentials::default());
    }
}

#[test]
fn an_image_is_read_back_with_a_login() {
    if !is_on() {
        return;
    }
    let registry = Registry::start(true);
    // As `docker login` writes it: "me:geheim" in base64.
    let path = registry.folder.path().join("config.json");
    let json = format!(r#"{{"auths":{{"{}":{{"auth":"bWU6Z2VoZWlt"}}}}}}"#, registry.host);
    std::fs::write(&path, json).unwrap();
    check_round_trip(&registry, Credentials::from_file(&path));
    check_listing(&registry, Credentials::from_file(&path));
    let wrong = Credential::Password { user: USER.to_owned(), password: "wrong".to_owned() };
    for credentials in [Credentials::default(), Credentials::default().with(&registry.host, wrong)] {
        let error = open(&registry, "team/app", credentials).manifest(&TagOrDigest::Tag("one".to_owned()));
        assert!(matches!(error, Err(RegistryError::Unauthorized { .. })), "{error:?}");
    }
}
