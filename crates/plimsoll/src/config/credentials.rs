//! Credentials by reference: no secret stands in the configuration.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use plimsoll_net::Authorization;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Largest file with a secret, in bytes.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Credentials by reference: no secret stands in the configuration. Either `user` and one of the two for a
/// password, or one of the two for a token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CredentialsConfig {
    /// User name for basic authentication.
    pub(crate) user: Option<String>,
    /// File whose first line is the password.
    pub(crate) password_file: Option<PathBuf>,
    /// Environment variable that holds the password.
    pub(crate) password_env: Option<String>,
    /// File whose first line is a bearer token.
    pub(crate) token_file: Option<PathBuf>,
    /// Environment variable that holds a bearer token.
    pub(crate) token_env: Option<String>,
}

impl CredentialsConfig {
    /// Refuses credentials of which it is not clear what they are. Reads no secret.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let password = (self.password_file.is_some(), self.password_env.is_some());
        let token = (self.token_file.is_some(), self.token_env.is_some());
        match (self.user.is_some(), password, token) {
            (true, (true, false) | (false, true), (false, false)) => Ok(()),
            (false, (false, false), (true, false) | (false, true)) => Ok(()),
            _ => bail!(
                "credentials are `user` with one of `password_file` and `password_env`, or one of `token_file` and `token_env` alone"
            ),
        }
    }

    /// Reads the secret.
    pub(crate) fn authorization(&self) -> anyhow::Result<Authorization> {
        self.check()?;
        match &self.user {
            Some(user) => Ok(Authorization::basic(
                user,
                &secret(self.password_file.as_deref(), self.password_env.as_deref())?,
            )),
            None => {
                Ok(Authorization::bearer(&secret(self.token_file.as_deref(), self.token_env.as_deref())?))
            }
        }
    }
}

/// The first line of a file, or the value of a variable. Never part of an error.
pub(crate) fn secret(file: Option<&Path>, variable: Option<&str>) -> anyhow::Result<String> {
    let (text, place) = match (file, variable) {
        (Some(path), _) => {
            let place = format!("the file `{}`", path.display());
            let mut text = String::new();
            let read =
                File::open(path).and_then(|file| file.take(SECRET_BYTES_MAX).read_to_string(&mut text));
            read.with_context(|| format!("cannot read the secret in {place}"))?;
            (text, place)
        }
        (None, Some(name)) => {
            let place = format!("the environment variable `{name}`");
            let value = std::env::var(name)
                .ok()
                .with_context(|| format!("{place}, which holds a secret, is not set"))?;
            (value, place)
        }
        (None, None) => bail!("no file and no environment variable is named for the secret"),
    };
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => bail!("the first line of {place}, which holds a secret, is empty"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Authorization, String> {
        let credentials: CredentialsConfig = toml::from_str(text).unwrap();
        credentials.authorization().map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn secrets_come_from_where_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "geheim\r\nanother line\n").unwrap();
        let path = path.display();
        assert_eq!(
            read(&format!("user = 'me'\npassword_file = '{path}'")),
            Ok(Authorization::basic("me", "geheim"))
        );
        assert_eq!(read(&format!("token_file = '{path}'")), Ok(Authorization::bearer("geheim")));
        let home = std::env::var("PATH").unwrap();
        assert_eq!(read("token_env = 'PATH'"), Ok(Authorization::bearer(&home)));
        std::fs::write(folder.path().join("secret"), "\ngeheim").unwrap();
        assert!(read(&format!("token_file = '{path}'")).unwrap_err().ends_with("is empty"));
        assert!(read("token_env = 'PLIMSOLL_NO_SUCH_VARIABLE'").unwrap_err().contains("is not set"));
        assert!(read("token_file = '/none/secret'").unwrap_err().contains("`/none/secret`"));
    }

    #[test]
    fn half_credentials_and_two_kinds_of_them_are_refused() {
        for text in [
            "",
            "user = 'me'",
            "password_env = 'P'",
            "user = 'me'\ntoken_env = 'T'",
            "user = 'me'\npassword_env = 'P'\ntoken_env = 'T'",
            "user = 'me'\npassword_env = 'P'\npassword_file = 'f'",
            "token_env = 'T'\ntoken_file = 'f'",
        ] {
            assert!(read(text).unwrap_err().starts_with("credentials are `user` with"), "{text}");
        }
    }
}
