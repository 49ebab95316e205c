//! The logins that `docker login` and `podman login` left behind.
//!
//! Both write the same JSON: `auths` holds logins by registry, `credHelpers` and `credsStore` name programs
//! `docker-credential-NAME` that hold them instead. Formats: docker/cli `cli/config/configfile`,
//! docker/docker-credential-helpers, containers-auth.json(5). A program that fails is an error: going on
//! without a login would show a registry where private images do not exist.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::reference::DOCKER_HUB;

/// Largest file of logins, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Longest answer of a helper program, in bytes.
const HELPER_BYTES_MAX: u64 = 1 << 20;

/// Time that a helper program gets. Some ask the user on their first run.
const HELPER_TIMEOUT: Duration = Duration::from_secs(60);

/// The names under which a login for Docker Hub may be stored.
const DOCKER_HUB_NAMES: [&str; 3] = ["index.docker.io", DOCKER_HUB, "registry-1.docker.io"];

/// What Docker itself calls Docker Hub.
const DOCKER_HUB_SERVER: &str = "https://index.docker.io/v1/";

/// A login.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// User and password, or an access token in its place.
    Password {
        /// User name.
        user: String,
        /// Password.
        password: String,
    },
    /// An identity token, to be exchanged for an access token (OAuth2 refresh).
    IdentityToken(String),
    /// A token that the registry itself takes.
    RegistryToken(String),
}

impl fmt::Debug for Credential {
    /// Without secrets; a robot's name is one already.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credential::Password { .. } => f.write_str("Password"),
            Credential::IdentityToken(_) => f.write_str("IdentityToken"),
            Credential::RegistryToken(_) => f.write_str("RegistryToken"),
        }
    }
}

impl Credential {
    /// The login in a header `Authorization`: `Basic` or `Bearer`. `None` if it is neither.
    pub fn from_authorization(text: &str) -> Option<Credential> {
        let (scheme, value) = text.trim().split_once(' ')?;
        let value = value.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            let is_token = !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic());
            return is_token.then(|| Credential::RegistryToken(value.to_owned()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(BASE64_STANDARD.decode(value).ok()?).ok()?;
        // A password may have colons, a user name has none (RFC 7617 section 2).
        let (user, password) = text.split_once(':')?;
        Some(Credential::Password { user: user.to_owned(), password: password.to_owned() })
    }
}

/// Where logins are looked up. The default knows none.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    given: BTreeMap<String, Credential>,
    files: Vec<Source>,
}

#[derive(Clone, Debug)]
struct Source {
    path: PathBuf,
    is_optional: bool,
}

/// Why a login could not be looked up.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file cannot be read.
    #[error("cannot read the logins in `{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file does not follow its format.
    #[error("cannot understand the logins in `{}`: {reason}; log in again to write it anew", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A helper program failed.
    #[error("the credential helper `{program}` failed for `{server}`: {reason}; run it by hand to see more")]
    Helper {
        /// The program.
        program: String,
        /// What it was asked for.
        server: String,
        /// What it said.
        reason: String,
    },
}

impl Credentials {
    /// Where Docker and Podman keep logins, as the environment of this process says.
    pub fn from_environment() -> Credentials {
        let files = locations(|name| std::env::var_os(name).filter(|value| !value.is_empty()));
        Credentials { files, ..Credentials::default() }
    }

    /// The logins in one file, which must exist.
    pub fn from_file(path: impl Into<PathBuf>) -> Credentials {
        let files = vec![Source { path: path.into(), is_optional: false }];
        Credentials { files, ..Credentials::default() }
    }

    /// Adds a login for a registry, which wins over all others.
    #[must_use]
    pub fn with(mut self, host: impl Into<String>, credential: Credential) -> Credentials {
        self.given.insert(host.into(), credential);
        self
    }

    /// The login for a repository, if there is one. May run a helper program.
    pub fn find(&self, host: &str, repository: &str) -> Result<Option<Credential>, CredentialsError> {
        let is_hub = DOCKER_HUB_NAMES.contains(&host);
        let host = if is_hub { DOCKER_HUB } else { host };
        if let Some(given) = self.given.get(host) {
            return Ok(Some(given.clone()));
        }
        let keys = keys_for(host, repository);
        for source in &self.files {
            let Some(file) = read_file(source)? else { continue };
            if let Some(found) = find_in(&file, &source.path, host, &keys)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// The files in the order in which they are asked.
fn locations(variable: impl Fn(&str) -> Option<OsString>) -> Vec<Source> {
    let folder = |name: &str| variable(name).map(PathBuf::from);
    let home = folder("HOME").or_else(|| folder("USERPROFILE"));
    let mut files = Vec::new();
    let mut push = |path: Option<PathBuf>, is_optional| {
        files.extend(path.map(|path| Source { path, is_optional }));
    };
    push(folder("REGISTRY_AUTH_FILE"), false);
    let docker = folder("DOCKER_CONFIG").or_else(|| Some(home.as_ref()?.join(".docker")));
    push(docker.map(|folder| folder.join("config.json")), true);
    push(folder("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")), true);
    let config = folder("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config")));
    push(config.map(|folder| folder.join("containers/auth.json")), true);
    files
}

/// Keys of `auths` in the order of their weight: Podman has logins for parts of a registry too.
fn keys_for(host: &str, repository: &str) -> Vec<String> {
    let hosts: &[&str] = if host == DOCKER_HUB { &DOCKER_HUB_NAMES } else { &[host] };
    let mut paths = vec![repository];
    while let Some((parent, _)) = paths.last().and_then(|path| path.rsplit_once('/')) {
        paths.push(parent);
    }
    let below = paths.iter().flat_map(|path| hosts.iter().map(move |host| format!("{host}/{path}")));
    below.chain(hosts.iter().map(|host| (*host).to_owned())).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LoginFile {
    auths: BTreeMap<String, Login>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Login {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}

fn read_file(source: &Source) -> Result<Option<LoginFile>, CredentialsError> {
    let path = &source.path;
    let failed = |source| CredentialsError::File { path: path.clone(), source };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && source.is_optional => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(failed(io::Error::other(format!("it is larger than {FILE_BYTES_MAX} bytes"))));
    }
    // The message of the parser names line and column and quotes nothing of the file.
    let parsed = serde_json::from_slice(&bytes)
        .map_err(|error| CredentialsError::Format { path: path.clone(), reason: describe(&error) })?;
    Ok(Some(parsed))
}

fn describe(error: &serde_json::Error) -> String {
    format!("no correct JSON of logins at line {} column {}", error.line(), error.column())
}

fn find_in(
    file: &LoginFile,
    path: &Path,
    host: &str,
    keys: &[String],
) -> Result<Option<Credential>, CredentialsError> {
    let server = if host == DOCKER_HUB { DOCKER_HUB_SERVER } else { host };
    let helper = file.cred_helpers.iter().find(|(key, _)| keys.iter().any(|known| *known == bare(key)));
    let helper = helper.map(|(_, name)| name).or(Some(&file.creds_store)).filter(|name| !name.is_empty());
    if let Some(name) = helper
        && let Some(found) = ask_helper(name, server, HELPER_TIMEOUT)?
    {
        return Ok(Some(found));
    }
    let mut logins = keys.iter().filter_map(|key| file.auths.iter().find(|(known, _)| bare(known) == key));
    let Some((key, login)) = logins.next() else { return Ok(None) };
    read_login(login).map_err(|reason| CredentialsError::Format {
        path: path.to_owned(),
        reason: format!("the login for `{key}` {reason}"),
    })
}

/// A key of `auths` without what Docker once put around hosts: `https://HOST/v1/`.
fn bare(key: &str) -> &str {
    let key = key.split_once("://").map_or(key, |(_, rest)| rest).trim_end_matches('/');
    key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key)
}

fn read_login(login: &Login) -> Result<Option<Credential>, &'static str> {
    if !login.registrytoken.is_empty() {
        return Ok(Some(Credential::RegistryToken(login.registrytoken.clone())));
    }
    if !login.identitytoken.is_empty() {
        return Ok(Some(Credential::IdentityToken(login.identitytoken.clone())));
    }
    if login.auth.is_empty() {
        // An empty entry says that a helper has the login.
        let (user, password) = (login.username.clone(), login.password.clone());
        return Ok((!user.is_empty()).then_some(Credential::Password { user, password }));
    }
    let decoded =
        BASE64_STANDARD.decode(login.auth.trim()).map_err(|_| "has an `auth` that is not base64")?;
    let pair = String::from_utf8(decoded).map_err(|_| "has an `auth` that is not text")?;
    let (user, password) = pair.split_once(':').ok_or("has an `auth` without a colon")?;
    // Docker pads some passwords with zero bytes.
    let password = password.trim_end_matches('\0');
    Ok(Some(Credential::Password { user: user.to_owned(), password: password.to_owned() }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// Asks `docker-credential-NAME get`; nothing if it knows no such login.
fn ask_helper(
    name: &str,
    server: &str,
    time_limit: Duration,
) -> Result<Option<Credential>, CredentialsError> {
    let program = format!("docker-credential-{name}");
    let failed = |reason: String| CredentialsError::Helper {
        program: program.clone(),
        server: server.to_owned(),
        reason,
    };
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        return Err(failed("its name has odd characters".to_owned()));
    }
    let (is_success, output) = run(&program, server, time_limit).map_err(failed)?;
    let said = String::from_utf8_lossy(&output);
    if !is_success {
        // The words of the helpers' own library for "there is none".
        if said.contains("credentials not found") {
            return Ok(None);
        }
        let said: String = said.trim().chars().take(300).collect();
        return Err(failed(if said.is_empty() { "it said nothing".to_owned() } else { said }));
    }
    let answer: HelperAnswer = serde_json::from_slice(&output).map_err(|error| failed(describe(&error)))?;
    if answer.secret.is_empty() {
        return Ok(None);
    }
    Ok(Some(match answer.username.as_str() {
        "<token>" => Credential::IdentityToken(answer.secret),
        _ => Credential::Password { user: answer.username, password: answer.secret },
    }))
}

/// Runs a program with a line on its standard input; whether it succeeded, and its output.
fn run(program: &str, input: &str, time_limit: Duration) -> Result<(bool, Vec<u8>), String> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("it cannot be started ({error})"))?;
    let result = talk(&mut child, input, time_limit);
    if result.is_err() {
        // It may have ended by itself; either way it is waited for.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    Ok((status.success(), result?))
}

fn talk(child: &mut Child, input: &str, time_limit: Duration) -> Result<Vec<u8>, String> {
    let (mut stdin, stdout) = match (child.stdin.take(), child.stdout.take()) {
        (Some(stdin), Some(stdout)) => (stdin, stdout),
        _ => return Err("it has no standard input and output".to_owned()),
    };
    // A program that does not read its input is judged by what it says.
    let _ = writeln!(stdin, "{input}");
    drop(stdin);
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut output = Vec::new();
        let result = stdout.take(HELPER_BYTES_MAX).read_to_end(&mut output).map(|_| output);
        let _ = sender.send(result);
    });
    match receiver.recv_timeout(time_limit) {
        Ok(output) => output.map_err(|error| error.to_string()),
        Err(_) => Err(format!("it did not answer within {} s", time_limit.as_secs_f64())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(user: &str, password: &str) -> Option<Credential> {
        Some(Credential::Password { user: user.to_owned(), password: password.to_owned() })
    }

    fn find(json: &str, host: &str, repository: &str) -> Result<Option<Credential>, CredentialsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        fs::write(&path, json).unwrap();
        Credentials::from_file(&path).find(host, repository)
    }

    #[test]
    fn logins_are_found_by_host_and_path() {
        // "a:b" is YTpi, "c:d" is Yzpk, "e:f:g\0" is ZTpmOmcA.
        let json = r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "YTpi"},
            "quay.io": {"auth": "Yzpk"},
            "quay.io/team/app": {"auth": "ZTpmOmcA"},
            "https://old.example": {"username": "u", "password": "p"},
            "id.example": {"auth": "YTo=", "identitytoken": "secret"},
            "tok.example": {"registrytoken": "secret"},
            "empty.example": {}
        }, "HttpHeaders": {"X": "y"}}"#;
        for (host, repository, wanted) in [
            ("docker.io", "library/alpine", password("a", "b")),
            ("registry-1.docker.io", "library/alpine", password("a", "b")),
            ("quay.io", "other/app", password("c", "d")),
            ("quay.io", "team/app", password("e", "f:g")),
            ("quay.io", "team/app/sub", password("e", "f:g")),
            ("quay.io", "team/apple", password("c", "d")),
            ("old.example", "x", password("u", "p")),
            ("id.example", "x", Some(Credential::IdentityToken("secret".to_owned()))),
            ("tok.example", "x", Some(Credential::RegistryToken("secret".to_owned()))),
            ("empty.example", "x", None),
            ("quay.io:443", "x", None),
        ] {
            assert_eq!(find(json, host, repository).unwrap(), wanted, "{host}/{repository}");
        }
    }

    #[test]
    fn broken_files_are_errors_without_secrets() {
        for (json, wanted) in [
            ("{", "line 1 column 1"),
            (r#"{"auths": {"h.example": {"auth": 7}}}"#, "line 1"),
            (r#"{"auths": {"h.example": {"auth": "geheim!"}}}"#, "is not base64"),
            (r#"{"auths": {"h.example": {"auth": "Z2VoZWlt"}}}"#, "without a colon"),
        ] {
            let error = find(json, "h.example", "x").unwrap_err().to_string();
            assert!(error.contains(wanted) && !error.contains("geheim"), "{error}");
        }
        let missing = Credentials::from_file("/nonexistent/auth.json");
        assert!(matches!(missing.find("h.example", "x"), Err(CredentialsError::File { .. })));
        assert!(find("{}", "h.example", "x").unwrap().is_none());
    }

    #[test]
    fn given_logins_win_and_debug_shows_no_secret() {
        let credentials = Credentials::default()
            .with("h.example", Credential::Password { user: "me".to_owned(), password: "geheim".to_owned() });
        assert_eq!(credentials.find("h.example", "x").unwrap(), password("me", "geheim"));
        assert!(credentials.find("i.example", "x").unwrap().is_none());
        assert!(!format!("{credentials:?}").contains("geheim"));
    }

    #[test]
    fn files_are_where_docker_and_podman_keep_them() {
        let all = |name: &str| Some(OsString::from(format!("/{name}")));
        let paths = |files: Vec<Source>| -> Vec<String> {
            files.into_iter().map(|file| file.path.display().to_string()).collect()
        };
        assert_eq!(
            paths(locations(all)),
            [
                "/REGISTRY_AUTH_FILE",
                "/DOCKER_CONFIG/config.json",
                "/XDG_RUNTIME_DIR/containers/auth.json",
                "/XDG_CONFIG_HOME/containers/auth.json"
            ]
        );
        let home = |name: &str| (name == "HOME").then(|| OsString::from("/me"));
        assert_eq!(paths(locations(home)), ["/me/.docker/config.json", "/me/.config/containers/auth.json"]);
        assert!(locations(|_| None).is_empty());
    }

    #[test]
    fn a_missing_helper_is_an_error_that_names_it() {
        for json in [
            r#"{"credHelpers": {"h.example": "plimsoll-missing"}}"#,
            r#"{"credsStore": "plimsoll-missing"}"#,
            r#"{"credsStore": "desktop", "credHelpers": {"h.example": "plimsoll-missing"}}"#,
        ] {
            let error = find(json, "h.example", "x").unwrap_err().to_string();
            assert!(error.contains("`docker-credential-plimsoll-missing` failed for `h.example`"), "{error}");
        }
        let odd = find(r#"{"credsStore": "../../bin/sh"}"#, "h.example", "x").unwrap_err().to_string();
        assert!(odd.contains("odd characters"), "{odd}");
        let other = r#"{"credHelpers": {"i.example": "plimsoll-missing"}}"#;
        assert!(find(other, "h.example", "x").unwrap().is_none());
    }

    /// Runs a shell script in the place of a helper.
    #[cfg(unix)]
    fn run_script(script: &str, time_limit: Duration) -> Result<(bool, Vec<u8>), String> {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("helper");
        // Written by a child of its own: a file that any thread still has open for writing cannot be run,
        // and the other tests' children inherit it for a moment.
        let written = Command::new("sh")
            .args(["-c", "printf '#!/bin/sh\n%s\n' \"$1\" > \"$2\"", "sh", script])
            .arg(&path)
            .status()
            .unwrap();
        assert!(written.success());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        run(path.to_str().unwrap(), "h.example", time_limit)
    }

    #[test]
    #[cfg(unix)]
    fn helpers_get_the_host_and_a_time_limit() {
        let minute = Duration::from_secs(60);
        let (is_success, output) = run_script("read host; echo \"$1 $host\"", minute).unwrap();
        assert!(is_success);
        assert_eq!(output, b"get h.example\n");
        assert!(!run_script("echo no; exit 1", minute).unwrap().0);
        let error = run_script("exec sleep 600", Duration::from_millis(20)).unwrap_err();
        assert!(error.contains("did not answer within 0.02 s"), "{error}");
    }
}
