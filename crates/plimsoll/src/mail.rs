//! Mail through an SMTP server, with TLS unless the configuration admits otherwise: what warnings and notifications
//! share. What a mail says is theirs; where it goes and how is decided here.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use lettre::message::header::{HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::SmtpTransportBuilder;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Message as Mail, SmtpTransport, Transport as _};
use plimsoll_net::Settings;

use crate::config::{EmailConfig, secret};

/// Longest wait for a connection, and for each answer of the server. RFC 5321 section 4.5.3.2 would wait for
/// minutes, which is meant for relays; nobody waits so long to submit one mail.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Longest file of certificate authorities, in bytes.
const CA_FILE_BYTES_MAX: u64 = 16 << 20;

/// A way for mail: a server, a sender and receivers.
pub(crate) struct Post {
    builder: SmtpTransportBuilder,
    /// The server as it was configured.
    shown: String,
    from: Mailbox,
    to: Vec<Mailbox>,
}

/// What stands at the head of a mail.
pub(crate) struct Head<'a> {
    /// The machine that speaks.
    pub(crate) host: &'a str,
    /// Tells the mail from all others; the same when it is tried again. ASCII letters, digits, `_`.
    pub(crate) id: &'a str,
    /// When.
    pub(crate) at: Timestamp,
    /// One line.
    pub(crate) subject: String,
}

impl Post {
    /// Reads what the configuration says and refers to. Nothing is sent yet.
    pub(crate) fn open(config: &EmailConfig, net: &Settings) -> anyhow::Result<Post> {
        let server = Server::parse(&config.server)?;
        let from: Mailbox = mailbox(&config.from)?;
        if config.to.is_empty() {
            bail!("`to` is empty; name who is to be told");
        }
        let to = config.to.iter().map(|to| mailbox(to)).collect::<anyhow::Result<Vec<Mailbox>>>()?;
        let tls = tls(config, &server, &net.ca_files)?;
        let builder = SmtpTransport::builder_dangerous(server.host.as_str())
            .port(server.port)
            .tls(tls)
            .timeout(Some(TIMEOUT));
        let builder = with_credentials(builder, config)?;
        Ok(Post { builder, shown: config.server.clone(), from, to })
    }

    /// A mail with its head; its text is still to come.
    pub(crate) fn begin(&self, head: Head<'_>) -> MessageBuilder {
        let mut builder = Mail::builder()
            .from(self.from.clone())
            .subject(head.subject)
            .date(SystemTime::from(head.at))
            .message_id(Some(format!("<{}@{}>", head.id, domain(head.host))))
            .header(MIME_VERSION_1_0)
            // No holiday greetings in return (RFC 3834).
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        builder
    }

    /// Hands it over. `host` is how this machine introduces itself.
    pub(crate) fn send(&self, mail: &Mail, host: &str) -> Result<(), Unsent> {
        let transport = self.builder.clone().hello_name(ClientId::Domain(domain(host))).build();
        // Its text holds that of its cause already.
        let sent = transport.send(mail);
        sent.map(drop).map_err(|error| Unsent {
            is_of_server: error.status().is_none_or(|code| OF_SERVER.contains(&u16::from(code))),
            text: format!("cannot send mail through `{}`: {error}", self.shown),
        })
    }
}

/// Answers that are about the server or about who signs in, not about a mail or its receiver (RFC 5321 section 4.2.3,
/// RFC 4954 section 6).
const OF_SERVER: [u16; 6] = [421, 454, 530, 534, 535, 538];

/// A mail that was not taken.
#[derive(Debug)]
pub(crate) struct Unsent {
    text: String,
    /// Whether no other mail would have been taken either, as far as can be told.
    pub(crate) is_of_server: bool,
}

impl std::error::Error for Unsent {}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An SMTP server.
#[derive(Debug, PartialEq, Eq)]
struct Server {
    /// Without brackets.
    host: String,
    port: u16,
    /// Whether TLS comes first of all, not after STARTTLS.
    is_tls_at_once: bool,
}

impl Server {
    fn parse(text: &str) -> anyhow::Result<Server> {
        let bad = || format!("`{text}` is no mail server; write `smtps://HOST:465` or `smtp://HOST:587`");
        let (scheme, rest) = text.split_once("://").with_context(bad)?;
        let (is_tls_at_once, default) = match scheme {
            "smtps" => (true, 465),
            "smtp" => (false, 587),
            _ => bail!(bad()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            bail!("the mail server's URL has a user in it; they belong in `credentials`");
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok().with_context(bad)?),
            _ => (rest, default),
        };
        let unbracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = |c: char| {
            c.is_alphanumeric() || matches!(c, '.' | '-' | '_') || (c == ':' && unbracketed.is_some())
        };
        let host = unbracketed.unwrap_or(host);
        if host.is_empty() || port == 0 || !host.chars().all(is_host) {
            bail!(bad());
        }
        Ok(Server { host: host.to_owned(), port, is_tls_at_once })
    }
}

fn mailbox(text: &str) -> anyhow::Result<Mailbox> {
    text.parse().with_context(|| format!("`{}` is no mail address", text.escape_debug()))
}

fn tls(config: &EmailConfig, server: &Server, ca_files: &[PathBuf]) -> anyhow::Result<Tls> {
    let mut parameters = TlsParameters::builder(server.host.clone());
    for path in ca_files.iter().chain(&config.ca) {
        let shown = path.display();
        let size = fs::metadata(path).with_context(|| format!("cannot read `{shown}`"))?.len();
        if size > CA_FILE_BYTES_MAX {
            bail!("`{shown}` has {size} bytes, too many for certificate authorities");
        }
        let pem = fs::read(path).with_context(|| format!("cannot read `{shown}`"))?;
        let certificates = Certificate::from_pem(&pem)
            .with_context(|| format!("cannot take certificate authorities from `{shown}`"))?;
        parameters = parameters.add_root_certificate(certificates);
    }
    let parameters = parameters.build_rustls().context("cannot set TLS up")?;
    Ok(match (server.is_tls_at_once, config.allow_plain) {
        (true, _) => Tls::Wrapper(parameters),
        (false, false) => Tls::Required(parameters),
        (false, true) => Tls::Opportunistic(parameters),
    })
}

fn with_credentials(
    builder: SmtpTransportBuilder,
    config: &EmailConfig,
) -> anyhow::Result<SmtpTransportBuilder> {
    let Some(credentials) = &config.credentials else { return Ok(builder) };
    let Some(user) = credentials.user.clone() else { bail!("the credentials have no `user`") };
    let places = [&credentials.password_file, &credentials.token_file];
    let variables = [&credentials.password_env, &credentials.token_env];
    let [password, token] = [0, 1].map(|at| (places[at].as_deref(), variables[at].as_deref()));
    Ok(match (password, token) {
        (password, (None, None)) => {
            builder.credentials(Credentials::new(user, secret(password.0, password.1)?))
        }
        ((None, None), token) => builder
            .credentials(Credentials::new(user, secret(token.0, token.1)?))
            .authentication(vec![Mechanism::Xoauth2]),
        _ => bail!("the credentials name both a password and a token; name one of them"),
    })
}

/// A host's name where only a domain may stand.
fn domain(host: &str) -> String {
    let is_domain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let domain: String = host.chars().filter(|c| is_domain(*c)).take(253).collect();
    let domain = domain.trim_matches(|c| c == '.' || c == '-');
    if domain.is_empty() { "localhost".to_owned() } else { domain.to_owned() }
}

#[cfg(test)]
#[path = "../tests/support/receivers.rs"]
#[allow(dead_code)]
pub(crate) mod receivers;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read() {
        for (text, host, port, is_tls_at_once) in [
            ("smtps://mail.example", "mail.example", 465, true),
            ("smtp://mail.example", "mail.example", 587, false),
            ("smtp://mail.example:25/", "mail.example", 25, false),
            ("smtps://[::1]:2465", "::1", 2465, true),
            ("smtp://[::1]", "::1", 587, false),
        ] {
            let wanted = Server { host: host.to_owned(), port, is_tls_at_once };
            assert_eq!(Server::parse(text).unwrap(), wanted, "{text}");
        }
        for text in [
            "",
            "mail.example",
            "http://mail.example",
            "smtp://",
            "smtp://u:p@h",
            "smtp://h:0",
            "smtp://h:x",
            "smtp://h:1:2",
            "smtp://h/path",
            "smtp://a b",
            "smtp://h\r\nQUIT",
        ] {
            assert!(Server::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_said_of_the_host_is_no_command() {
        for (host, said) in [
            ("ship.example", "ship.example"),
            ("a\r\nRCPT TO:<b>", "aRCPTTOb"),
            ("-é-", "localhost"),
            ("", "localhost"),
        ] {
            assert_eq!(domain(host), said, "{host:?}");
        }
    }
}
