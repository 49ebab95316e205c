//! A real registry: Debian's `docker-registry`, with its data in a world, for tests of the second tier.

// Each test file takes what it needs.
#![allow(dead_code)]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use plimsoll_net::{Client, Proxies, Request, Settings};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use super::World;
use super::images::{INDEX, Layout, MANIFEST, digest};
use super::receivers::tls_file;

pub(crate) const USER: &str = "me";
pub(crate) const PASSWORD: &str = "geheim";

/// Who signs tokens, and for whom.
const ISSUER: &str = "harbor-token-issuer";
const SERVICE: &str = "harbor-registry";

/// How long a token holds that pushes, in seconds.
const TOKEN_SECONDS: i64 = 300;

/// How clients sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignIn {
    Nobody,
    /// With user and password.
    Login,
    /// With a token of an authority that the registry trusts.
    Token,
}

/// A registry process with its data in a world, ended with its test.
pub(crate) struct Registry {
    child: Child,
    pub(crate) host: String,
    sign_in: SignIn,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Registry {
    pub(crate) fn start(world: &World, sign_in: SignIn) -> Registry {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut config = format!(
            "version: 0.1\nlog: {{level: error}}\nhttp: {{addr: 'localhost:{port}'}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}}}\n",
            world.path("registry").display()
        );
        match sign_in {
            SignIn::Nobody => {}
            SignIn::Login => {
                let output = Command::new("htpasswd").args(["-Bbn", USER, PASSWORD]).output().unwrap();
                assert!(output.status.success());
                world.write("htpasswd", output.stdout);
                let path = world.path("htpasswd");
                config += &format!("auth: {{htpasswd: {{realm: r, path: {}}}}}\n", path.display());
            }
            // Nobody asks the realm: whoever asks the registry brings a token along.
            SignIn::Token => {
                config += &format!(
                    "auth: {{token: {{realm: 'http://localhost:1/token', service: {SERVICE}, issuer: {ISSUER}, \
                     rootcertbundle: {}}}}}\n",
                    tls_file("ca.pem").display()
                );
            }
        }
        world.write("registry.yml", config);
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(world.path("registry.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let registry = Registry { child, host: format!("localhost:{port}"), sign_in };
        // Asks until it answers; the client waits between attempts.
        let status = client(50).send(&Request::get(registry.url("/v2/"))).unwrap().status;
        assert_eq!(status, if sign_in == SignIn::Nobody { 200 } else { 401 });
        registry
    }

    /// Ends it, as a machine that goes away.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }

    pub(crate) fn put(&self, url: &str, media_type: &str, bytes: &[u8]) {
        let response = self.send(Request::put(url, bytes).header("Content-Type", media_type));
        assert_eq!(response.status, 201, "{url}");
    }

    pub(crate) fn send(&self, request: Request) -> plimsoll_net::Response {
        let request = match self.sign_in {
            SignIn::Nobody => request,
            SignIn::Login => request.basic_auth(USER, PASSWORD),
            SignIn::Token => {
                let (_, rest) = request.url.split_once("/v2/").unwrap();
                let repository = rest.split("/blobs/").next().unwrap().split("/manifests/").next().unwrap();
                let token = token(repository, &["pull", "push"], TOKEN_SECONDS);
                request.header("Authorization", format!("Bearer {token}"))
            }
        };
        client(1).send(&request).unwrap()
    }

    /// Sends a blob; its digest.
    pub(crate) fn push_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = digest(bytes);
        let started = self.send(Request::post(self.url(&format!("/v2/{repository}/blobs/uploads/")), ""));
        let location = started.header("location").unwrap();
        self.put(&format!("{location}&digest={digest}"), "application/octet-stream", bytes);
        digest
    }

    /// Pushes all that a layout holds: blobs, then manifests, then indexes; then the tag.
    pub(crate) fn push(&self, repository: &str, layout: &Layout, top: &Value, tag: &str) {
        let mut documents = [Vec::new(), Vec::new()];
        for (digest, bytes) in &layout.blobs {
            let json: Value = serde_json::from_slice(bytes).unwrap_or_default();
            match json["mediaType"].as_str() {
                Some(MANIFEST) => documents[0].push((digest, MANIFEST)),
                Some(INDEX) => documents[1].push((digest, INDEX)),
                _ => drop(self.push_blob(repository, bytes)),
            }
        }
        let top_digest = top["digest"].as_str().unwrap();
        let tagged = (top_digest, top["mediaType"].as_str().unwrap());
        for (digest, media_type) in documents.iter().flatten().map(|(digest, kind)| (digest.as_str(), *kind))
        {
            self.put(
                &self.url(&format!("/v2/{repository}/manifests/{digest}")),
                media_type,
                &layout.blobs[digest],
            );
        }
        self.put(&self.url(&format!("/v2/{repository}/manifests/{tag}")), tagged.1, &layout.blobs[tagged.0]);
    }
}

pub(crate) fn client(attempts_max: u32) -> Client {
    let backoff_base = Duration::from_millis(100);
    Client::new(Settings { attempts_max, backoff_base, proxies: Proxies::none(), ..Settings::default() })
        .unwrap()
}

/// A token for a repository, as Harbor's core signs one: it holds for so many seconds from now.
pub(crate) fn token(repository: &str, actions: &[&str], seconds: i64) -> String {
    let key = PrivateKeyDer::from_pem_file(tls_file("server.key")).unwrap();
    let certificate = CertificateDer::from_pem_file(tls_file("server.pem")).unwrap();
    let mut header = Header::new(Algorithm::ES256);
    header.x5c = Some(vec![BASE64_STANDARD.encode(certificate)]);
    let now = Timestamp::now().as_second();
    let claims = json!({
        "iss": ISSUER,
        "sub": "robot$scanner",
        "aud": SERVICE,
        "iat": now + seconds.min(0) - 60,
        "nbf": now + seconds.min(0) - 60,
        "exp": now + seconds,
        "jti": "1",
        "access": [{"type": "repository", "name": repository, "actions": actions}],
    });
    encode(&header, &claims, &EncodingKey::from_ec_der(key.secret_der())).unwrap()
}
