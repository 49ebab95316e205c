//! Tokens of our own: random texts of which only the SHA-256 is written down.
//!
//! A token has 256 bits, so a plain hash is enough: there is nothing to guess. All hashes are compared, each in constant
//! time.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use plimsoll_core::digest::hex;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{Pattern, Principal, unauthorized};
use crate::config::{AuthConfig, Scope, TokenConfig};
use crate::refusal::Refusal;
use crate::watched::Watched;

/// What our tokens begin with, so that scanners for secrets know them.
const PREFIX: &str = "plimsoll_";

/// Largest file of tokens, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// All tokens.
pub(super) struct Tokens {
    configured: Vec<Token>,
    file: Option<Watched<Vec<Token>>>,
}

struct Token {
    hash: [u8; 32],
    principal: Arc<Principal>,
    expires_at: Option<Timestamp>,
}

/// A file of tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokensFile {
    #[serde(default)]
    tokens: Vec<TokenConfig>,
}

impl Tokens {
    pub(super) fn new(auth: &AuthConfig) -> anyhow::Result<Tokens> {
        let configured = read(&auth.tokens)?;
        let file = auth.tokens_file.as_ref().map(|path| Watched::new(vec![path.clone()], read_file));
        Ok(Tokens { configured, file: file.transpose()? })
    }

    pub(super) fn problem(&self) -> Option<String> {
        self.file.as_ref().and_then(Watched::problem)
    }

    /// Whose token it is; `None` where it is not one of ours.
    pub(super) fn find(&self, token: &str, now: Timestamp) -> Option<Result<Arc<Principal>, Refusal>> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let from_file = self.file.as_ref().map(Watched::get);
        let all = self.configured.iter().chain(from_file.iter().flat_map(|tokens| tokens.iter()));
        let mut found = None;
        for known in all {
            // To the end, whichever it is.
            if verify_slices_are_equal(&known.hash, &hash).is_ok() {
                found = found.or(Some(known));
            }
        }
        let found = found?;
        Some(match found.expires_at {
            Some(end) if end <= now => {
                Err(unauthorized(format!("the token ended at {end}; ask for another one")))
            }
            _ => Ok(Arc::clone(&found.principal)),
        })
    }
}

fn read_file(paths: &[PathBuf]) -> anyhow::Result<Vec<Token>> {
    let path = &paths[0];
    let place = path.display();
    let read = || {
        ensure!(
            fs::metadata(path)?.len() <= FILE_BYTES_MAX,
            "it is larger than the {FILE_BYTES_MAX} bytes that such a file may have"
        );
        let file: TokensFile = toml::from_str(&fs::read_to_string(path)?)?;
        read(&file.tokens)
    };
    read().with_context(|| format!("cannot read the tokens in `{place}`"))
}

fn read(tokens: &[TokenConfig]) -> anyhow::Result<Vec<Token>> {
    let mut names = BTreeSet::new();
    let read = |token: &TokenConfig| {
        token.check()?;
        ensure!(names.insert(token.name.clone()), "there are two tokens named `{}`", token.name);
        Ok(Token {
            hash: decode_hash(&token.sha256).context("a hash that was checked")?,
            expires_at: token.expires_at()?,
            principal: Arc::new(Principal {
                name: format!("token:{}", token.name),
                scope: token.scopes.iter().copied().max().unwrap_or(Scope::Read),
                repositories: patterns(token.repositories.as_deref()),
            }),
        })
    };
    tokens.iter().map(read).collect()
}

/// Patterns that were checked before.
pub(super) fn patterns(texts: Option<&[String]>) -> Option<Vec<Pattern>> {
    texts.map(|texts| texts.iter().filter_map(|text| Pattern::parse(text)).collect())
}

/// A new token, and its SHA-256 in hexadecimal.
pub(crate) fn fresh() -> anyhow::Result<(String, String)> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    let hash = hex(&Sha256::digest(&token));
    Ok((token, hash))
}

/// The bytes of 64 hexadecimal digits.
pub(crate) fn decode_hash(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    (digits.len() == 64).then(|| bytes.try_into().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str, token: &str, rest: &str) -> String {
        let hash = hex(&Sha256::digest(token));
        format!("[[tokens]]\nname = '{name}'\nsha256 = '{hash}'\n{rest}\n")
    }

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn tokens_are_found_by_their_hash() {
        let text = [
            config("ci", "one", "scopes = ['read', 'submit']\nrepositories = ['r/team/*']"),
            config("old", "two", "scopes = ['admin']\nexpires = '2025-12-31T00:00:00Z'"),
            config("new", "three", "scopes = ['admin']\nexpires = '2026-01-01T00:00:01Z'"),
        ];
        let auth: AuthConfig = toml::from_str(&text.concat()).unwrap();
        let tokens = Tokens::new(&auth).unwrap();
        for (token, wanted) in [
            ("one", Some(Ok(("token:ci", Scope::Submit)))),
            ("two", Some(Err(401))),
            ("three", Some(Ok(("token:new", Scope::Admin)))),
            ("four", None),
            ("", None),
        ] {
            let found = tokens.find(token, now());
            let shown = found.as_ref().map(|found| match found {
                Ok(principal) => Ok((principal.name.as_str(), principal.scope)),
                Err(refusal) => Err(refusal.status),
            });
            assert_eq!(shown, wanted, "{token}");
        }
        let ci = tokens.find("one", now()).unwrap().unwrap();
        assert!(ci.may_see("r", "team/app") && !ci.may_see("r", "other/app") && !ci.may_see("", ""));
        assert!(ci.may_submit("r", "team/app") && !ci.may_submit("r", "other/app") && !ci.may(Scope::Admin));
    }

    #[test]
    fn a_file_of_tokens_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        fs::write(&path, config("a", "one", "scopes = ['read']")).unwrap();
        let auth = AuthConfig { tokens_file: Some(path.clone()), ..AuthConfig::default() };
        let tokens = Tokens::new(&auth).unwrap();
        let knows = |token: &str| tokens.find(token, now()).is_some();
        assert_eq!((knows("one"), knows("two")), (true, false));
        fs::write(&path, config("b", "two", "scopes = ['submit']")).unwrap();
        assert_eq!((knows("one"), knows("two"), tokens.problem()), (false, true, None));
        fs::write(&path, "[[tokens]]\nname = 'c'\n").unwrap();
        assert_eq!((knows("two"), tokens.problem().is_some()), (true, true));
    }

    #[test]
    fn tokens_that_mean_nothing_are_refused() {
        for (rest, wanted) in [
            ("scopes = []", "has no `scopes`"),
            ("scopes = ['root']", "unknown variant"),
            ("scopes = ['read']\nexpires = 'tomorrow'", "is no time"),
            ("scopes = ['read']\nrepositories = ['team']", "is no `REGISTRY/NAME`"),
        ] {
            let text = config("a", "one", rest);
            let read = toml::from_str::<AuthConfig>(&text).map_err(anyhow::Error::new);
            let error = read.and_then(|auth| Tokens::new(&auth)).err().unwrap();
            assert!(format!("{error:#}").contains(wanted), "{error:#}");
        }
        let twice = config("a", "one", "scopes = ['read']").repeat(2);
        let error = Tokens::new(&toml::from_str(&twice).unwrap()).err().unwrap();
        assert!(error.to_string().contains("two tokens named `a`"), "{error}");
    }

    #[test]
    fn fresh_tokens_are_long_and_differ() {
        let (one, hash) = fresh().unwrap();
        let (other, _) = fresh().unwrap();
        assert_ne!(one, other);
        assert!(one.starts_with(PREFIX) && one.len() == PREFIX.len() + 43, "{one}");
        assert_eq!(decode_hash(&hash).unwrap(), <[u8; 32]>::from(Sha256::digest(&one)));
        assert_eq!(decode_hash("zz"), None);
    }
}
