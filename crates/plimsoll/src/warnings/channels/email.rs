//! By e-mail: plain text through an SMTP server, with TLS unless the configuration admits otherwise.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, anyhow, bail};
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::transport::smtp::SmtpTransportBuilder;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Message as Mail, SmtpTransport, Transport as _};
use plimsoll_net::Settings;

use super::{Channel, SendFn};
use crate::config::secret;
use crate::config::{EmailConfig, WarningsConfig};
use crate::warnings::message::Message;

/// The row.
pub(super) static CHANNEL: Channel =
    Channel { name: "email", is_configured: |config| config.email.is_some(), open };

/// Longest wait for a connection, and for each answer of the server. RFC 5321 section 4.5.3.2 would wait for
/// minutes, which is meant for relays; nobody waits so long to submit one mail.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Longest file of certificate authorities, in bytes.
const CA_FILE_BYTES_MAX: u64 = 16 << 20;

fn open(config: &WarningsConfig, net: &Settings) -> anyhow::Result<Option<SendFn>> {
    let Some(config) = &config.email else { return Ok(None) };
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
    let shown = config.server.clone();
    Ok(Some(Box::new(move |message: &Message| {
        let mail = mail(message, &from, &to)?;
        let transport = builder.clone().hello_name(ClientId::Domain(domain(&message.host))).build();
        let sent = transport.send(&mail);
        // Its text holds that of its cause already.
        sent.map(drop).map_err(|error| anyhow!("cannot send mail through `{shown}`: {error}"))
    })))
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
            bail!("the mail server's URL has a user in it; they belong in `[warnings.email.credentials]`");
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

fn mail(message: &Message, from: &Mailbox, to: &[Mailbox]) -> anyhow::Result<Mail> {
    let mut builder = Mail::builder()
        .from(from.clone())
        .subject(message.subject())
        .date(SystemTime::from(message.at))
        .message_id(Some(format!("<{}@{}>", message.id, domain(&message.host))))
        .header(MIME_VERSION_1_0)
        .header(ContentType::TEXT_PLAIN)
        // No holiday greetings in return (RFC 3834).
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    for to in to {
        builder = builder.to(to.clone());
    }
    builder.body(message.text()).context("cannot write the mail")
}

/// A host's name where only a domain may stand.
fn domain(host: &str) -> String {
    let is_domain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let domain: String = host.chars().filter(|c| is_domain(*c)).take(253).collect();
    let domain = domain.trim_matches(|c| c == '.' || c == '-');
    if domain.is_empty() { "localhost".to_owned() } else { domain.to_owned() }
}

#[cfg(test)]
#[path = "../../../tests/support/receivers.rs"]
#[allow(dead_code)]
mod receivers;

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::receivers::{MailServer, Tls as ServerTls};
    use super::*;
    use crate::warnings::late::{LateFeed, Why};
    use crate::warnings::memory::Digest;

    /// A host's name and an error that would like to be commands, heads and the end of the text.
    #[test]
    fn what_others_say_stays_text() {
        let server = MailServer::start(ServerTls::Never);
        let config = EmailConfig {
            server: format!("smtp://127.0.0.1:{}", server.port),
            from: "Plimsoll <plimsoll@ship.example>".to_owned(),
            to: vec!["Brücke <bridge@ship.example>".to_owned()],
            credentials: None,
            ca: None,
            allow_plain: true,
        };
        let config = WarningsConfig { email: Some(config), webhook: None };
        let send = open(&config, &Settings::default()).unwrap().unwrap();
        let feed = LateFeed {
            name: "kev".to_owned(),
            title: "Ruß, 船".to_owned(),
            why: Why::Stale,
            age_days: Some(31),
            max_age_days: 7,
            data_date: None,
            failing_since: Some("2030-01-01T00:00:00Z".to_owned()),
            failures: 1,
            error: Some(".".repeat(1000)),
        };
        let digest = Digest { late: vec![feed], recovered: Vec::new() };
        let at = Timestamp::from_second(1_900_000_000).unwrap();
        let message = Message::of_feeds("schiff-é\r\nBcc: <all@ship.example>\r\n\r\n.\r\n", at, digest, "");
        send(&message).unwrap();
        let mails = server.take();
        let [mail] = mails.as_slice() else { panic!("{mails:?}") };
        assert!(mail.stuffed > 0, "lines that begin with a dot: {mail:?}");
        assert_eq!(mail.body(), message.text().replace("\r\n", "\n"));
        let (head, _) = mail.text.split_once("\n\n").unwrap();
        let heads = head.lines().filter(|line| !line.starts_with(' '));
        let mut names: Vec<&str> = heads.map(|line| line.split_once(": ").unwrap().0).collect();
        names.sort_unstable();
        let wanted = [
            "Auto-Submitted",
            "Content-Transfer-Encoding",
            "Content-Type",
            "Date",
            "From",
            "MIME-Version",
            "Message-ID",
            "Subject",
            "To",
        ];
        assert_eq!(names, wanted, "{head}");
        assert_eq!(mail.header("Date"), "Sun, 17 Mar 2030 17:46:40 +0000");
        assert_eq!(mail.header("Message-ID"), format!("<{}@schiff-Bccallship.example>", message.id));
        let receivers = mail.commands.iter().filter(|command| command.starts_with("RCPT"));
        assert_eq!(receivers.collect::<Vec<_>>(), ["RCPT TO:<bridge@ship.example>"]);
        assert!(mail.text.is_ascii());
    }

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
